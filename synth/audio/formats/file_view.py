"""Bytes of a file at any place, and a file that is made of a beginning and of a part of another file."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import IO, Any

ReadAt = Callable[[int, int], bytes]
"""Takes a place and a count; gives the bytes there, fewer at the file's end."""
_FARTHEST = 1 << 62
"""No file has so many bytes; what a file says may be anything."""


def read_at(file: Any) -> ReadAt:
    """Reads `file` at any place. A file of the system keeps its own place, where the system can do that."""
    try:
        descriptor = file.fileno() if hasattr(os, "pread") else -1
    except (AttributeError, OSError):
        descriptor = -1
    if descriptor < 0:
        return read_by_seeking(file)

    def read(at: int, count: int) -> bytes:
        parts = []
        while count > 0 and 0 <= at < _FARTHEST and (data := os.pread(descriptor, count, at)):
            parts.append(data)
            at, count = at + len(data), count - len(data)
        return b"".join(parts)

    return read


def read_by_seeking(file: Any) -> ReadAt:
    """Reads `file` at any place; it stands after that where it stood before."""

    def read(at: int, count: int) -> bytes:
        if not 0 <= at < _FARTHEST:
            return b""
        before = file.seek(0, os.SEEK_CUR)
        file.seek(at)
        data: bytes = file.read(count)
        file.seek(before)
        return data

    return read


class FileView:
    """A file that reads as `head`, then as the bytes from `start` to `end` of another; what libsndfile asks for.

    `keep`: the file that `source` reads, to be closed with this one, where nobody else holds it open.
    """

    def __init__(self, source: ReadAt, head: bytes, start: int, end: int, keep: IO[bytes] | None = None) -> None:
        self._source, self._head, self._start = source, head, start
        self._size = len(head) + end - start
        self._place = 0
        self.keep = keep

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """As a file's."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._place, os.SEEK_END: self._size}[whence]
        self._place = max(0, base + offset)
        return self._place

    def tell(self) -> int:
        """As a file's."""
        return self._place

    def read(self, count: int = -1) -> bytes:
        """As a file's."""
        left = max(0, self._size - self._place)
        count = left if count < 0 else min(count, left)
        data = self._head[self._place : self._place + count]
        if len(data) < count:
            at = self._start + self._place + len(data) - len(self._head)
            data += self._source(at, count - len(data))
        self._place += len(data)
        return data

    def close(self) -> None:
        """Closes the file that is read, if it was to be kept."""
        if self.keep is not None:
            self.keep.close()
