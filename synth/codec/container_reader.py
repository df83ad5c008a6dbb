"""Reads .syn files. What a file says is believed only within fixed bounds.

No field makes a reader allocate more than a block's most.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import replace

from synth.codec import container, varint
from synth.codec.container import CODED, CONSTANT, END, RAW, Block, checksum
from synth.codec.header import MAGIC, Header, unpack_header
from synth.common.errors import CodecError
from synth.common.files import Readable


class ContainerReader:
    """Reads a file's header when made, then its blocks by `next`.

    `source` need not be seekable, as long as neither `seek` nor `index` is used. Raises CodecError: of the header with
    the file's name, of a block with what is wrong alone.
    """

    def __init__(self, source: Readable, name: str) -> None:
        self.name, self._source = name, source
        self._at, self._checked_bytes = 0, bytearray()
        self._last = False  # the end follows, without its tag
        self._ahead = b""
        try:
            self.header = self._read_header()
        except CodecError as error:
            raise CodecError(f"{name}: {error}") from None
        self.start = self._at
        self.frames = 0
        """Frames of the blocks that `next` has returned."""

    def next(self) -> Block:
        """The block that follows; a damaged one has `damage` set, and CodecError is raised where none can be told."""
        at, frames = self._at, self.frames
        self._checked_bytes.clear()
        if self._last:
            return self._end(at, 0)
        tag = self._varint()
        kind, count = tag & 3, tag >> 2
        if kind == END:
            return self._end(at, count)
        if kind in (CODED, CONSTANT) and not count:
            count, self._last = (self.header.frames or 0) - frames, True
        self._check_count(kind, count)
        block = Block(kind, count, at=at)
        block = self._with_values(block) if kind == CONSTANT else self._with_payload(block)
        if kind != RAW:
            self.frames += count
        intact = checksum(bytes(self._checked_bytes), self._header_crc) == self._read(4)
        return self._marked(replace(block, size=self._at - at), intact)

    def seek(self, at: int, frames: int) -> None:
        """Go on with the block at a place, before which so many frames are."""
        self._source.seek(at)
        self._at, self.frames, self._last, self._ahead = at, frames, False, b""

    def index(self) -> list[Block] | None:
        """The blocks of a seekable file, as its end tells them, and the end itself; None where it has no good index."""
        size = self._source.seek(0, 2)
        back = self._source.seek(max(0, size - 4)) and self._source.read(4)
        length = struct.unpack("<I", back)[0] if back and len(back) == 4 else 0
        if not self.start <= size - length < size:
            return None
        self.seek(size - length, 0)
        try:
            end = self.next()
        except CodecError:
            return None
        if end.kind != END or not end.count or end.damage or end.size != length:
            return None
        return self._indexed(end)

    def _indexed(self, end: Block) -> list[Block] | None:
        """The blocks of an index, and the end, which holds it; None where they can't be those of the file."""
        blocks, at = [], self.start
        for tag, size in zip(end.values[::2], end.values[1::2], strict=True):
            kind, count = tag & 3, tag >> 2
            if kind == END or not 1 <= count <= self._max_count(kind) or size < container.MIN_BLOCK:
                return None
            blocks.append(Block(kind, count, at=at, size=size))
            at += size
        return [*blocks, end] if at == end.at else None

    def _read_header(self) -> Header:
        magic = self._source.read(len(MAGIC))
        if magic != MAGIC:
            raise CodecError("is not a .syn file" if magic else "is empty")
        self._checked_bytes += magic
        self._at = len(magic)
        header = unpack_header(self._read, self._varint)
        self._header_crc = zlib.crc32(bytes(self._checked_bytes))
        return header

    def _check_count(self, kind: int, count: int) -> None:
        if not 1 <= count <= self._max_count(kind):
            raise CodecError(f"a block of {count}")

    def _max_count(self, kind: int) -> int:
        return {
            CODED: container.MAX_SAMPLES // self.header.channels,
            CONSTANT: container.MAX_CONSTANT,
            RAW: container.MAX_RAW,
        }[kind]

    def _with_values(self, block: Block) -> Block:
        period = self._varint() if self.header.version > 1 else 0
        if not period:
            return replace(block, values=tuple(self._signed() for _ in range(self.header.channels)))
        if period > block.count:
            raise CodecError(f"a block of {block.count} that repeats {period}")
        self._check_count(CODED, period)
        return replace(block, period=period, payload=self._sized(self._varint(), self._max_bytes(period)))

    def _with_payload(self, block: Block) -> Block:
        if self._last:
            return replace(block, payload=self._up_to_the_end(self._max_bytes(block.count), 4 + 16))
        size = self._varint()
        if block.kind == RAW:
            return replace(block, payload=self._sized(size or block.count, block.count))
        return replace(block, payload=self._sized(size, self._max_bytes(block.count)))

    def _max_bytes(self, frames: int) -> int:
        """Bytes of as many coded frames."""
        return 4 * frames * self.header.channels + (1 << 20)

    def _sized(self, size: int, most: int) -> bytes:
        if size > most:
            raise CodecError(f"a block of {size} bytes")
        return self._read(size)

    def _marked(self, block: Block, intact: bool) -> Block:
        """`block`, with its bytes inflated, or marked as damaged."""
        if not intact:
            return replace(block, damage="its checksum is wrong")
        if block.kind == RAW and len(block.payload) != block.count:
            data = _inflate(block.payload, block.count)
            return replace(block, payload=data) if data is not None else replace(block, damage="it can't be inflated")
        return block

    def _end(self, at: int, count: int) -> Block:
        md5 = self._read(16)
        if not count:
            intact = at > self.start or checksum(bytes(self._checked_bytes), self._header_crc) == self._read(4)
            return Block(END, 0, md5, at=at, size=self._at - at, damage="" if intact else "its checksum is wrong")
        if count > container.MAX_BLOCKS:
            raise CodecError(f"an index of {count} blocks")
        values = tuple(self._varint() for _ in range(2 * count))
        intact = checksum(bytes(self._checked_bytes), self._header_crc) == self._read(4)
        intact = self._read(4) == struct.pack("<I", self._at - at) and intact
        return Block(END, count, md5, values, at, self._at - at, "" if intact else "the index's checksum is wrong")

    def _signed(self) -> int:
        value = self._varint()
        return ~(value >> 1) if value & 1 else value >> 1

    def _varint(self) -> int:
        return varint.read(lambda: self._read(1)[0])

    def _up_to_the_end(self, most: int, left: int) -> bytes:
        """All that there is but for the last `left` bytes, which `_read` gives."""
        data = self._gather(most + left + 1)
        if not left < len(data) <= most + left:
            raise CodecError(
                f"is cut short at byte {self._at + len(data)}" if len(data) <= left else "a block too long"
            )
        data, self._ahead = data[:-left], data[-left:]
        self._at += len(data)
        self._checked_bytes += data
        return data

    def _gather(self, count: int) -> bytes:
        data = self._source.read(count)
        while data and len(data) < count:
            more = self._source.read(count - len(data))
            if not more:
                break
            data += more
        return data

    def _read(self, count: int) -> bytes:
        data, self._ahead = self._ahead[:count], self._ahead[count:]
        if len(data) < count:
            data += self._gather(count - len(data))
        self._at += len(data)
        if len(data) < count:
            raise CodecError(f"is cut short at byte {self._at}")
        self._checked_bytes += data
        return data


def _inflate(data: bytes, size: int) -> bytes | None:
    """`size` bytes, or None where `data` isn't exactly that."""
    unpacker = zlib.decompressobj(-15)
    try:
        out = unpacker.decompress(data, size + 1)
    except zlib.error:
        return None
    whole = unpacker.eof and not unpacker.unused_data
    return out if whole and len(out) == size else None
