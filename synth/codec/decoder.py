"""A .syn file's pieces in their order: samples decoded on threads and checked, or saved from what is damaged."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from synth.audio.formats import pcm, riff_header
from synth.codec import container, network_choice, segments
from synth.codec.container import CODED, CONSTANT, END, RAW, Block, Reader
from synth.common import threads as parallel
from synth.common.errors import CheckpointError, CodecError
from synth.common.files import Readable
from synth.common.typing import ChannelSamples

if TYPE_CHECKING:
    from synth.engine import Engine

Tick = Callable[[int], Any]
SILENT_BLOCKS = 64
"""Silence for what is lost is at most that many coded blocks, of the longest there may be, for each whole block before,
and once more: a header can tell of years."""


@dataclass(frozen=True)
class DecodedBlock:
    """A block, the frame that it begins with, the number of its segment (from 1), and its samples once decoded.

    Of a block that repeats some frames these alone.
    """

    block: Block
    start: int
    number: int
    samples: ChannelSamples | None = None


class Decoder:
    """Opens a .syn file; `pieces` gives what it holds. `salvage`: damage goes to `damages`, silence is in its place.

    `checkpoint`: where the one that the file names is, if it isn't bundled. A `seekable` source can be asked for a
    part, and its index finds what comes after damage. Raises CodecError with the name, and the segment and its seconds
    where it is about one.
    """

    def __init__(
        self,
        source: Readable,
        name: str,
        *,
        seekable: bool = False,
        salvage: bool = False,
        threads: int = 1,
        checkpoint: str | None = None,
    ) -> None:
        self.checkpoint = checkpoint
        self.name, self.salvage, self.threads = name, salvage, threads
        self._source, self._seekable = source, seekable
        self._reader = Reader(source, name)
        self.header = self._reader.header
        self._index = self._reader.index() if seekable else None
        if salvage and self._index is None:
            self._trust_header()
        if seekable:
            self._reader.seek(self._reader.start, 0)
        self._end: Block | None = None
        self._first, self._last = 0, 1 << 62
        self._trusted = self._index is not None
        self.damages: list[str] = []
        self._silence = container.MAX_SAMPLES // self.header.channels * SILENT_BLOCKS

    def _trust_header(self) -> None:
        """Every checksum is of the header too: with none that is right, nothing that the header says is believed."""
        self._reader.seek(self._reader.start, 0)
        try:
            while (block := self._reader.next()).damage:
                pass
            whole = block.kind != END or block.at == self._reader.start
        except CodecError:
            whole = False
        if not whole:
            raise CodecError(f"{self.name}: nothing of it is whole, or its header is damaged")

    @functools.cached_property
    def network(self) -> Engine | None:
        """What listens; CheckpointError, with the name, where it is not here."""
        if not self.header.checkpoint:
            return None
        try:
            return network_choice.find_by_digest(
                self.header.checkpoint, [self.checkpoint] if self.checkpoint else []
            ).engine
        except CheckpointError as error:
            raise CheckpointError(f"{self.name}: {error}") from None

    def blocks(self) -> list[Block]:
        """All blocks of a seekable file, the end last, without their data."""
        if self._index is not None:
            return self._index
        found = [replace(part.block, data=b"") for part in self._sequential()]
        self._reader.seek(self._reader.start, 0)
        assert self._end is not None
        return [*found, self._end]

    def total(self) -> int:
        """Frames of a seekable file."""
        if self.header.frames is not None:
            return self.header.frames
        return sum(block.count for block in self.blocks() if block.kind in (CODED, CONSTANT))

    def limit(self, start: float | None, end: float | None) -> int:
        """Of the samples, give those from `start` to `end` (seconds) alone; how many frames that is."""
        total, rate = self.total(), self.header.rate
        first = round((start or 0) * rate)
        last = total if end is None else min(total, round(end * rate))
        if first >= last:
            raise CodecError(f"{self.name}: has nothing from {start or 0:g} s to {last / rate:g} s")
        self._first, self._last = first, last
        return last - first

    @property
    def whole(self) -> bool:
        """Whether all samples are asked for."""
        return self._last == 1 << 62

    def pieces(self, tick: Tick = lambda done: None) -> Iterator[bytes | ChannelSamples]:
        """Bytes of the file that are no samples, and samples [frames, channels]."""
        md5 = hashlib.md5(usedforsecurity=False)
        frames = 0
        _ = self.network  # before anything is written
        source = self._by_index() if self._index and (self.salvage or self._first) else self._sequential()
        for part in parallel.ordered(self._decode, source, self.threads):
            block = part.block
            if block.damage:
                part = self._silent(part)
                self._complain(part)
            else:
                self._trusted = True
                self._silence += container.MAX_SAMPLES // self.header.channels * SILENT_BLOCKS
            if block.kind == RAW:
                yield b"" if block.damage else block.data
                continue
            for samples in self._samples(part):
                md5.update(pcm.hashed_bytes(samples, self.header.encoding))
                yield samples
                frames += len(samples)
                tick(len(samples))
        if self.whole:
            self._check_end(frames, md5.digest())

    def _samples(self, part: DecodedBlock) -> Iterator[ChannelSamples]:
        first, last = max(0, self._first - part.start), min(part.block.count, self._last - part.start)
        if part.samples is not None and not part.block.period:
            yield part.samples[first:last]
            return
        values = (0,) * self.header.channels if part.block.damage else part.block.values
        yield from segments.repeated(
            np.array([values], np.int32) if part.samples is None else part.samples, first, last
        )

    def _silent(self, part: DecodedBlock) -> DecodedBlock:
        """A damaged part with no more frames than may be silent."""
        if part.block.kind == RAW:
            return part
        frames = min(part.block.count, self._silence)
        self._silence -= frames
        return replace(part, block=replace(part.block, count=frames))

    def _decode(self, part: DecodedBlock) -> DecodedBlock:
        block, header = part.block, self.header
        bits = pcm.BITS[header.encoding]
        if block.damage or block.kind == RAW:
            return part
        if block.kind == CONSTANT and not block.period:
            bound = 1 << (bits - 1)
            wrong = not all(-bound <= value < bound for value in block.values)
            return replace(part, block=replace(block, damage="its values are too large")) if wrong else part
        try:
            samples = segments.decode(block.data, block.period or block.count, header, self.network)
        except CodecError as error:
            return replace(part, block=replace(block, damage=str(error)))
        return replace(part, samples=samples)

    def _by_index(self) -> Iterator[DecodedBlock]:
        number = start = 0
        assert self._index is not None
        for entry in self._index:
            if entry.kind == END:
                self._end = entry
                return
            count = 0 if entry.kind == RAW else entry.count
            number += entry.kind != RAW
            if self._wanted(entry, start):
                self._reader.seek(entry.at, start)
                try:
                    block = self._reader.next()
                except CodecError as error:
                    block = replace(entry, damage=str(error))
                if (block.kind, block.count, block.size) != (entry.kind, entry.count, entry.size):
                    block = replace(entry, damage=block.damage or "it is not what the index says")
                yield DecodedBlock(block, start, number)
            start += count

    def _sequential(self) -> Iterator[DecodedBlock]:
        number = 0
        while True:
            start = self._reader.frames
            try:
                block = self._reader.next()
            except CodecError as error:
                self._lose(start, number + 1, str(error))
                lost = (self.header.frames or 0) - start
                if lost > 0:
                    yield DecodedBlock(Block(CONSTANT, lost, damage=str(error)), start, number + 1)
                return
            if block.kind == END:
                self._end = block
                return
            number += block.kind != RAW
            if self._wanted(block, start):
                yield DecodedBlock(block, start, number)

    def _wanted(self, block: Block, start: int) -> bool:
        if self.whole or start == 0 and block.kind == RAW:
            return True
        return block.kind != RAW and start < self._last and start + block.count > self._first

    def _lose(self, start: int, number: int, reason: str) -> None:
        """What follows can't be found."""
        if not self.salvage:
            place = f"segment {number} (from {start / self.header.rate:.2f} s)"
            if self.header.frames is not None and start >= self.header.frames:
                place = "what follows its samples"
            raise CodecError(f"{self.name}: {place}: {reason}")
        if self.header.frames is None or start >= self.header.frames:
            self.damages.append(f"{self.name}: after {start / self.header.rate:.2f} s: {reason}; what follows is lost")

    def _complain(self, part: DecodedBlock) -> None:
        rate, block = self.header.rate, part.block
        if block.kind == RAW:
            place = f"what is {'before' if part.start == 0 else 'after'} its samples"
            instead = "it is left out"
        else:
            stop = (part.start + block.count) / rate
            place = f"segment {part.number} ({part.start / rate:.2f} s to {stop:.2f} s)"
            instead = "silence is in its place"
        text = f"{self.name}: {place} is damaged: {block.damage}"
        if not self.salvage:  # every checksum is of the header too
            raise CodecError(text if self._trusted else f"{text}, or its header is damaged")
        self.damages.append(f"{text}; {instead}")

    def _check_end(self, frames: int, md5: bytes) -> None:
        problems = []
        if self._end is not None:
            if self._end.damage:
                problems.append(f"its end is damaged: {self._end.damage}")
            if self._end.data != md5 and not self.damages:
                problems.append("its samples don't have the MD5 that it gives")
            if self._source.read(1) and not (self._seekable and self._index and self.salvage):
                problems.append("has bytes after its end")
        if self.header.frames not in (None, frames):
            problems.append(f"has {frames} of {self.header.frames} samples")
        if problems and not self.salvage:
            raise CodecError(f"{self.name}: {problems[0]}")
        self.damages += [f"{self.name}: {problem}" for problem in problems]


def decompress_stream(
    opened: Decoder, write: Callable[[bytes], Any], part: int | None = None, tick: Tick = lambda done: None
) -> int:
    """The file that a .syn file was made of, through `write`; the frames of it.

    `part`: what `opened.limit` returned; a part has a header of its own. Raises CodecError; OutputError for a FLAC file
    that can't be made.
    """
    if opened.header.kind == "flac":
        return _restore_flac(opened, write, tick)
    header = opened.header
    if header.kind == "array" and header.encoding == "s8":
        header = replace(header, encoding="u8")  # what a WAV file has of 8 bits
    big = header.big and header.kind != "array"
    frames, head = 0, b""
    if part is None and (header.plain or header.kind == "array"):
        head = riff_header.plain_head(header, header.frames)
        write(head)
    for piece in opened.pieces(tick):
        if isinstance(piece, bytes):
            head += piece if part is not None or not head else b""
            if part is None:
                write(piece)
            continue
        if not frames and (part is not None or not head):  # a head is lost only where much is
            write(riff_header.part_head(header, part or header.frames or 0, head))
        frames += len(piece)
        write(pcm.pack(piece, header.encoding, big))
    if part is not None and part * header.channels * pcm.WIDTH[header.encoding] & 1:
        write(b"\0")
    return frames


def _restore_flac(opened: Decoder, write: Callable[[bytes], Any], tick: Tick) -> int:
    from synth.audio.formats import flac

    frames = 0
    header = opened.header
    maker = flac.FlacWriter(header.encoding, header.channels, header.rate, opened.name)
    try:
        for piece in opened.pieces(tick):
            if isinstance(piece, bytes):
                maker.head += piece
            else:
                maker.samples(piece)
                frames += len(piece)
        maker.finish(write)
    finally:
        maker.close()
    return frames
