"""A .syn file's pieces in their order: samples decoded on threads and checked, or saved from what is damaged."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from synth.audio.formats import pcm, riff_header
from synth.codec import container, network_choice, segments
from synth.codec.block_source import BlockSource, DecodedBlock
from synth.codec.container import CONSTANT, RAW, Block
from synth.codec.header import SURROUNDED_VERSION
from synth.codec.syn_file import Tick, no_tick
from synth.common import threads as parallel
from synth.common.errors import CheckpointError, CodecError
from synth.common.files import Readable
from synth.common.typing import ChannelSamples

if TYPE_CHECKING:
    from synth.engine import Engine

SILENT_BLOCKS = 64
"""Silence for what is lost is at most that many coded blocks, of the longest there may be, for each whole block before,
and once more: a header can tell of years."""


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
        self.name, self.salvage, self.threads, self.checkpoint = name, salvage, threads, checkpoint
        self._blocks = BlockSource(source, name, seekable=seekable, salvage=salvage)
        self.header, self.damages = self._blocks.header, self._blocks.damages
        self._trusted = self._blocks.index is not None
        self._silence = self._silence_for_one()

    @functools.cached_property
    def network(self) -> Engine | None:
        """The network that predicts or corrects; CheckpointError, with the name, where it is not here."""
        if not self.header.checkpoint:
            return None
        paths = [self.checkpoint] if self.checkpoint else []
        try:
            return network_choice.find_by_digest(self.header.checkpoint, paths).engine
        except CheckpointError as error:
            raise CheckpointError(f"{self.name}: {error}") from None

    def blocks(self) -> list[Block]:
        """All blocks of a seekable file, the end last, without their data."""
        return self._blocks.all()

    def limit(self, start: float | None, end: float | None) -> int:
        """Of the samples, give those from `start` to `end` (seconds) alone; how many frames that is."""
        return self._blocks.limit(start, end)

    def pieces(self, tick: Tick = no_tick) -> Iterator[bytes | ChannelSamples]:
        """Bytes of the file that are no samples, and samples [frames, channels]."""
        md5 = hashlib.md5(usedforsecurity=False)
        frames = 0
        _ = self.network  # before anything is written
        for item in parallel.ordered(self._decode, self._blocks.read(), self.threads):
            item = self._account(item)
            if item.block.kind == RAW:
                yield b"" if item.block.damage else item.block.payload
                continue
            for samples in self._samples(item):
                md5.update(pcm.hashed_bytes(samples, self.header.encoding))
                yield samples
                frames += len(samples)
                tick(len(samples))
        if self._blocks.whole:
            self._check_end(frames, md5.digest())

    def _decode(self, item: DecodedBlock) -> DecodedBlock:
        """The block with its samples, or marked as damaged where it has none."""
        block, header = item.block, self.header
        if block.damage or block.kind == RAW:
            return item
        if block.kind == CONSTANT and not block.period:
            bound = 1 << (pcm.BITS[header.encoding] - 1)
            fits = all(-bound <= value < bound for value in block.values)
            return item if fits else replace(item, block=replace(block, damage="its values are too large"))
        try:
            samples = segments.decode(block.payload, block.period or block.count, header, self.network)
        except CodecError as error:
            return replace(item, block=replace(block, damage=str(error)))
        return replace(item, samples=samples)

    def _account(self, item: DecodedBlock) -> DecodedBlock:
        """The block with no more silence than there may be; reports damage."""
        if item.block.damage:
            item = self._shortened(item)
            self._report(item)
        else:
            self._trusted = True
            self._silence += self._silence_for_one()
        return item

    def _silence_for_one(self) -> int:
        """Frames of silence that there may be for one whole block."""
        return container.MAX_SAMPLES // self.header.channels * SILENT_BLOCKS

    def _shortened(self, item: DecodedBlock) -> DecodedBlock:
        """A damaged block with no more frames than may be silent."""
        if item.block.kind == RAW:
            return item
        frames = min(item.block.count, self._silence)
        self._silence -= frames
        return replace(item, block=replace(item.block, count=frames))

    def _samples(self, item: DecodedBlock) -> Iterator[ChannelSamples]:
        """The block's samples that are asked for, by pieces; silence of a damaged one."""
        block = item.block
        first, last = max(0, self._blocks.first - item.start), min(block.count, self._blocks.last - item.start)
        if item.samples is not None and not block.period:
            yield item.samples[first:last]
            return
        values = (0,) * self.header.channels if block.damage else block.values
        pattern = np.array([values], np.int32) if item.samples is None else item.samples
        yield from segments.repeated(pattern, first, last)

    def _report(self, item: DecodedBlock) -> None:
        """A CodecError about a damaged block, or with salvage a damage."""
        rate, block = self.header.rate, item.block
        if block.kind == RAW:
            place = f"what is {'before' if item.start == 0 else 'after'} its samples"
            instead = "it is left out"
        else:
            stop = (item.start + block.count) / rate
            place = f"segment {item.number} ({item.start / rate:.2f} s to {stop:.2f} s)"
            instead = "silence is in its place"
        text = f"{self.name}: {place} is damaged: {block.damage}"
        if not self.salvage:  # every checksum is of the header too
            raise CodecError(text if self._trusted else f"{text}, or its header is damaged")
        self.damages.append(f"{text}; {instead}")

    def _check_end(self, frames: int, md5: bytes) -> None:
        problems, end = [], self._blocks.end
        if end is not None:
            if end.damage:
                problems.append(f"its end is damaged: {end.damage}")
            if end.payload != md5 and not self.damages:
                problems.append("its samples don't have the MD5 that it gives")
            if self._blocks.has_more and not (self._blocks.index and self.salvage):
                problems.append("has bytes after its end")
        if self.header.frames not in (None, frames):
            problems.append(f"has {frames} of {self.header.frames} samples")
        if problems and not self.salvage:
            raise CodecError(f"{self.name}: {problems[0]}")
        self.damages += [f"{self.name}: {problem}" for problem in problems]


def decompress_stream(
    opened: Decoder, write: Callable[[bytes], Any], part: int | None = None, tick: Tick = no_tick
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

    header, frames, finished = opened.header, 0, False
    surrounded = header.version >= SURROUNDED_VERSION
    maker = flac.FlacWriter(header.encoding, header.channels, header.rate, opened.name, surrounded)
    try:
        for piece in opened.pieces(tick):
            if not isinstance(piece, bytes):
                maker.samples(piece)
                frames += len(piece)
            elif frames and surrounded:
                if not finished:
                    maker.finish(write)
                finished = True
                write(piece)
            else:
                maker.metadata(piece)
        if not finished:
            maker.finish(write)
    finally:
        maker.close()
    return frames
