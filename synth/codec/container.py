"""The .syn file, as docs/format.md has it: after the header blocks with checksums, the MD5 of the samples, an index.

Nothing here knows how samples are coded. What a file says is believed only within fixed bounds: no field makes a reader
allocate more than a block's most.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace

from synth.codec import varint
from synth.codec.header import MAGIC, Header, pack_header, unpack_header
from synth.common.errors import CodecError
from synth.common.files import Readable

MAX_SAMPLES = 1 << 22
"""Frames times channels of a coded block."""
MAX_CONSTANT = 1 << 26
"""Frames of a constant block, or one that repeats some."""
MAX_RAW = 1 << 20
"""Bytes of a raw block, before deflating."""
MAX_BLOCKS = 1 << 20
"""Blocks of an index."""
END, CODED, CONSTANT, RAW = range(4)
_MIN_BLOCK = 6  # bytes: a tag, a size or a value, the checksum


@dataclass(frozen=True)
class Block:
    """A block of the file, with its place in it. `count`: frames, bytes of a raw block, or entries of the index.

    `period`: the first frames, which the data is of, and which the others repeat; 0 where nothing is repeated, or where
    all have the same `values`. `damage` says what is wrong with it, where its data can't be used.
    """

    kind: int
    count: int
    data: bytes = b""
    values: tuple[int, ...] = ()
    at: int = 0
    size: int = 0
    damage: str = ""
    period: int = 0


def _crc(data: bytes, header: int) -> bytes:
    """The checksum of the file's header, of which `header` is that alone, and these bytes."""
    return struct.pack("<I", zlib.crc32(data, header))


class Writer:
    """Writes a file through `write`, block by block: all that it says of itself is known at that time."""

    def __init__(self, write: Callable[[bytes], object], header: Header) -> None:
        self._write, self.header, self.version = write, header, header.version
        self._index: list[tuple[int, int]] = []
        self._only: tuple[int, bytes] | None = None  # a segment of all frames, as long as nothing follows it
        self.frames = self.size = self.segments = 0
        packed = pack_header(header)
        self._crc = zlib.crc32(packed)
        self._put(packed)

    def coded(self, frames: int, data: bytes) -> None:
        """A segment's coded samples."""
        self._samples(CODED, frames, data)

    def constant(self, frames: int, values: tuple[int, ...]) -> None:
        """Frames that are all the same: the value of each channel."""
        data = b"".join(varint.encode(value << 1 if value >= 0 else ~value << 1 | 1) for value in values)
        self._samples(CONSTANT, frames, data if self.version < 2 else varint.encode(0) + data)

    def repeated(self, frames: int, period: int, data: bytes) -> None:
        """Frames that repeat the first `period` of them, whose coded samples are given: in version 2 alone."""
        self._samples(CONSTANT, frames, varint.encode(period) + varint.encode(len(data)) + data)

    def raw(self, data: bytes) -> None:
        """Bytes of the file that are no samples, of any number."""
        for start in range(0, len(data), MAX_RAW):
            part = data[start : start + MAX_RAW]
            packed = _deflate(part)
            is_smaller = len(packed) < len(part)
            payload = varint.encode(len(packed)) + packed if is_smaller else varint.encode(0) + part
            self._block(len(part) << 2 | RAW, payload)

    def end(self, md5: bytes) -> None:
        """What is known only now."""
        if self._only:
            (kind, data), self._only = self._only, None
            self._put_block(kind, data)
            self._put(md5)
            return
        count = len(self._index) if 1 < self.segments and len(self._index) <= MAX_BLOCKS else 0
        data = varint.encode(count << 2 | END) + md5
        if count:
            data += b"".join(varint.encode(tag) + varint.encode(size) for tag, size in self._index)
            data += _crc(data, self._crc)
            data += struct.pack("<I", len(data) + 4)
        elif not self._index:
            data += _crc(data, self._crc)
        self._put(data)

    def _samples(self, kind: int, frames: int, data: bytes) -> None:
        all_of_it = self.frames == 0 and frames == self.header.frames
        self.frames += frames
        self.segments += 1
        if all_of_it:
            self._only = kind, data
        else:
            self._block(frames << 2 | kind, data)

    def _block(self, tag: int, data: bytes) -> None:
        if self._only:
            (kind, only), self._only = self._only, None
            self._block((self.header.frames or 0) << 2 | kind, only)
        self._put_block(tag, varint.encode(len(data)) + data if tag & 3 == CODED else data)

    def _put_block(self, tag: int, data: bytes) -> None:
        data = varint.encode(tag) + data
        data += _crc(data, self._crc)
        self._index.append((tag, len(data)))
        self._put(data)

    def _put(self, data: bytes) -> None:
        self._write(data)
        self.size += len(data)


def _deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return packer.compress(data) + packer.flush()


def _inflate(data: bytes, size: int) -> bytes | None:
    """`size` bytes, or None where `data` isn't exactly that."""
    unpacker = zlib.decompressobj(-15)
    try:
        out = unpacker.decompress(data, size + 1)
    except zlib.error:
        return None
    whole = unpacker.eof and not unpacker.unused_data
    return out if whole and len(out) == size else None


class Reader:
    """Reads a file's header when made, then its blocks by `next`.

    `source` need not be seekable, as long as neither `seek` nor `index` is used. Raises CodecError: of the header with
    the file's name, of a block with what is wrong alone.
    """

    def __init__(self, source: Readable, name: str) -> None:
        self.name, self._source = name, source
        self._at, self._seen = 0, bytearray()
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
        self._seen.clear()
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
        block = self._with_values(block) if kind == CONSTANT else self._with_data(block)
        if kind != RAW:
            self.frames += count
        intact = _crc(bytes(self._seen), self._crc) == self._read(4)
        return self._settled(replace(block, size=self._at - at), intact)

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
        blocks, at, frames = [], self.start, 0
        for tag, bytes_ in zip(end.values[::2], end.values[1::2], strict=True):
            kind, count = tag & 3, tag >> 2
            if kind == END or not 1 <= count <= self._most_count(kind) or bytes_ < _MIN_BLOCK:
                return None
            blocks.append(Block(kind, count, at=at, size=bytes_))
            at += bytes_
            frames += count if kind != RAW else 0
        return [*blocks, end] if at == end.at else None

    def _read_header(self) -> Header:
        magic = self._source.read(len(MAGIC))
        if magic != MAGIC:
            raise CodecError("is not a .syn file" if magic else "is empty")
        self._seen += magic
        self._at = len(magic)
        header = unpack_header(self._read, self._varint)
        self._crc = zlib.crc32(bytes(self._seen))
        return header

    def _check_count(self, kind: int, count: int) -> None:
        if not 1 <= count <= self._most_count(kind):
            raise CodecError(f"a block of {count}")

    def _most_count(self, kind: int) -> int:
        return {CODED: MAX_SAMPLES // self.header.channels, CONSTANT: MAX_CONSTANT, RAW: MAX_RAW}[kind]

    def _with_values(self, block: Block) -> Block:
        period = self._varint() if self.header.version > 1 else 0
        if not period:
            return replace(block, values=tuple(self._signed() for _ in range(self.header.channels)))
        if period > block.count:
            raise CodecError(f"a block of {block.count} that repeats {period}")
        self._check_count(CODED, period)
        return replace(block, period=period, data=self._sized(self._varint(), self._most(period)))

    def _with_data(self, block: Block) -> Block:
        if self._last:
            return replace(block, data=self._up_to_the_end(self._most(block.count), 4 + 16))
        size = self._varint()
        if block.kind == RAW:
            return replace(block, data=self._sized(size or block.count, block.count))
        return replace(block, data=self._sized(size, self._most(block.count)))

    def _most(self, frames: int) -> int:
        """Bytes of as many coded frames."""
        return 4 * frames * self.header.channels + (1 << 20)

    def _sized(self, size: int, most: int) -> bytes:
        if size > most:
            raise CodecError(f"a block of {size} bytes")
        return self._read(size)

    def _settled(self, block: Block, intact: bool) -> Block:
        """`block`, with its bytes inflated, or marked as damaged."""
        if not intact:
            return replace(block, damage="its checksum is wrong")
        if block.kind == RAW and len(block.data) != block.count:
            data = _inflate(block.data, block.count)
            return replace(block, data=data) if data is not None else replace(block, damage="it can't be inflated")
        return block

    def _end(self, at: int, count: int) -> Block:
        md5 = self._read(16)
        if not count:
            intact = at > self.start or _crc(bytes(self._seen), self._crc) == self._read(4)
            return Block(END, 0, md5, at=at, size=self._at - at, damage="" if intact else "its checksum is wrong")
        if count > MAX_BLOCKS:
            raise CodecError(f"an index of {count} blocks")
        values = tuple(self._varint() for _ in range(2 * count))
        intact = _crc(bytes(self._seen), self._crc) == self._read(4)
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
        self._seen += data
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
        self._seen += data
        return data
