"""The blocks of a .syn file in their order, all of them or those of a part; what can't be found is said."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from synth.codec.container import CODED, CONSTANT, END, RAW, Block
from synth.codec.container_reader import ContainerReader
from synth.common.errors import CodecError
from synth.common.files import Readable
from synth.common.typing import ChannelSamples

_ALL = 1 << 62


@dataclass(frozen=True)
class DecodedBlock:
    """A block, the frame that it begins with, the number of its segment (from 1), and its samples once decoded.

    Of a block that repeats some frames these alone.
    """

    block: Block
    start: int
    number: int
    samples: ChannelSamples | None = None


class BlockSource:
    """Reads a .syn file's header when made; `read` gives its blocks. The arguments are those of `Decoder`.

    `end`: the file's last block, once it was read. `damages`: what `salvage` passed over.
    """

    def __init__(self, source: Readable, name: str, *, seekable: bool, salvage: bool) -> None:
        self.name, self.salvage = name, salvage
        self._source, self._reader = source, ContainerReader(source, name)
        self.header = self._reader.header
        self.index = self._reader.index() if seekable else None
        if salvage and self.index is None:
            self._check_header()
        if seekable:
            self._reader.seek(self._reader.start, 0)
        self.end: Block | None = None
        self.damages: list[str] = []
        self.first, self.last = 0, _ALL

    def _check_header(self) -> None:
        """Every checksum is of the header too: with none that is right, nothing that the header says is believed."""
        self._reader.seek(self._reader.start, 0)
        try:
            while (block := self._reader.next()).damage:
                pass
            intact = block.kind != END or block.at == self._reader.start
        except CodecError:
            intact = False
        if not intact:
            raise CodecError(f"{self.name}: nothing of it is whole, or its header is damaged")

    def all(self) -> list[Block]:
        """All blocks of a seekable file, the end last, without their payload."""
        if self.index is not None:
            return self.index
        blocks = [replace(item.block, payload=b"") for item in self._sequential()]
        self._reader.seek(self._reader.start, 0)
        assert self.end is not None
        return [*blocks, self.end]

    def total(self) -> int:
        """Frames of a seekable file."""
        if self.header.frames is not None:
            return self.header.frames
        return sum(block.count for block in self.all() if block.kind in (CODED, CONSTANT))

    def limit(self, start: float | None, end: float | None) -> int:
        """Give what holds samples from `start` to `end` (seconds) alone; how many frames that is."""
        total, rate = self.total(), self.header.rate
        first = round((start or 0) * rate)
        last = total if end is None else min(total, round(end * rate))
        if first >= last:
            raise CodecError(f"{self.name}: has nothing from {start or 0:g} s to {last / rate:g} s")
        self.first, self.last = first, last
        return last - first

    @property
    def whole(self) -> bool:
        """Whether all samples are asked for."""
        return self.last == _ALL

    @property
    def has_more(self) -> bool:
        """Whether the source gives bytes after the file's end."""
        return bool(self._source.read(1))

    def read(self) -> Iterator[DecodedBlock]:
        """The blocks that are asked for, damaged ones marked, not decoded yet."""
        return self._by_index(self.index) if self.index and (self.salvage or self.first) else self._sequential()

    def _by_index(self, index: list[Block]) -> Iterator[DecodedBlock]:
        number = start = 0
        for entry in index:
            if entry.kind == END:
                self.end = entry
                return
            count = 0 if entry.kind == RAW else entry.count
            number += entry.kind != RAW
            if self._is_wanted(entry, start):
                yield DecodedBlock(self._read_at(entry, start), start, number)
            start += count

    def _read_at(self, entry: Block, start: int) -> Block:
        """The block at the place that the index says, marked as damaged where it is none."""
        self._reader.seek(entry.at, start)
        try:
            block = self._reader.next()
        except CodecError as error:
            block = replace(entry, damage=str(error))
        if (block.kind, block.count, block.size) != (entry.kind, entry.count, entry.size):
            block = replace(entry, damage=block.damage or "it is not what the index says")
        return block

    def _sequential(self) -> Iterator[DecodedBlock]:
        number = 0
        while True:
            start = self._reader.frames
            try:
                block = self._reader.next()
            except CodecError as error:
                self._report_lost(start, number + 1, str(error))
                lost = (self.header.frames or 0) - start
                if lost > 0:
                    yield DecodedBlock(Block(CONSTANT, lost, damage=str(error)), start, number + 1)
                return
            if block.kind == END:
                self.end = block
                return
            number += block.kind != RAW
            if self._is_wanted(block, start):
                yield DecodedBlock(block, start, number)

    def _is_wanted(self, block: Block, start: int) -> bool:
        if self.whole or start == 0 and block.kind == RAW:
            return True
        return block.kind != RAW and start < self.last and start + block.count > self.first

    def _report_lost(self, start: int, number: int, reason: str) -> None:
        """What follows can't be found: a CodecError, or with salvage a damage."""
        if not self.salvage:
            place = f"segment {number} (from {start / self.header.rate:.2f} s)"
            if self.header.frames is not None and start >= self.header.frames:
                place = "what follows its samples"
            raise CodecError(f"{self.name}: {place}: {reason}")
        if self.header.frames is None or start >= self.header.frames:
            self.damages.append(f"{self.name}: after {start / self.header.rate:.2f} s: {reason}; what follows is lost")
