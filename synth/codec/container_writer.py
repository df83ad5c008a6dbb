"""Writes .syn files: blocks with checksums, and the index at the end."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable

from synth.codec import container, varint
from synth.codec.container import CODED, CONSTANT, END, RAW, checksum
from synth.codec.header import Header, pack_header


class ContainerWriter:
    """Writes a file through `write`, block by block: all that it says of itself is known at that time."""

    def __init__(self, write: Callable[[bytes], object], header: Header) -> None:
        self._write, self.header, self.version = write, header, header.version
        self._index: list[tuple[int, int]] = []
        self._only: tuple[int, bytes] | None = None  # a segment of all frames, as long as nothing follows it
        self.frames = self.size = self.segments = 0
        packed = pack_header(header)
        self._header_crc = zlib.crc32(packed)
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
        for start in range(0, len(data), container.MAX_RAW):
            part = data[start : start + container.MAX_RAW]
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
        count = len(self._index) if 1 < self.segments and len(self._index) <= container.MAX_BLOCKS else 0
        data = varint.encode(count << 2 | END) + md5
        if count:
            data += b"".join(varint.encode(tag) + varint.encode(size) for tag, size in self._index)
            data += checksum(data, self._header_crc)
            data += struct.pack("<I", len(data) + 4)
        elif not self._index:
            data += checksum(data, self._header_crc)
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
        data += checksum(data, self._header_crc)
        self._index.append((tag, len(data)))
        self._put(data)

    def _put(self, data: bytes) -> None:
        self._write(data)
        self.size += len(data)


def _deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return packer.compress(data) + packer.flush()
