"""Samples of 32 bits looked through before they are read: whether all of them are integers of 24 bits."""

from __future__ import annotations

import io
import os
import tempfile
from collections.abc import Iterator
from typing import IO

from synth.audio.formats import pcm
from synth.common.errors import CodecError
from synth.common.files import Readable

_BLOCK = 1 << 20
_IN_MEMORY = 1 << 26


class LookAhead:
    """What a file gives from where it stands, after `ahead`, which was read of it: looked through, then read.

    `size`: of the file, None for a pipe. What can't be read twice is kept, in memory or on the disk.
    """

    def __init__(self, file: Readable, ahead: bytes, size: int | None) -> None:
        self._file, self._ahead = file, io.BytesIO(ahead)
        self._spool: IO[bytes] | None = None
        self._number = _descriptor(file) if size is not None else None

    def fits(self, encoding: str, big: bool, count: int | None) -> bool:
        """Whether the next `count` bytes, or all, are samples that an encoding of 24 bits holds."""
        for data in self._blocks(count):
            try:
                pcm.unpack(data[: len(data) // 4 * 4], encoding, big, 1)
            except CodecError:
                return False
        return True

    def read(self, count: int) -> bytes:
        """The next bytes, fewer than `count` at times, none at the end."""
        if data := self._ahead.read(count):
            return data
        if self._spool and (data := self._spool.read(count)):
            return data
        return self._file.read(count)

    def _blocks(self, count: int | None) -> Iterator[bytes]:
        """The next bytes in blocks of whole samples, but for the last; what is to be read stays that."""
        left = 1 << 62 if count is None else count
        ahead = self._ahead.getvalue()[:left]
        spare = len(ahead) % 4
        yield ahead[: len(ahead) - spare]
        later = self._from_disk if self._number is not None else self._from_pipe
        begun = ahead[len(ahead) - spare :]
        for data in later(left - len(ahead)):
            whole = begun + data
            begun = whole[len(whole) // 4 * 4 :]
            yield whole

    def _from_disk(self, left: int) -> Iterator[bytes]:
        at = self._file.seek(0, os.SEEK_CUR)
        while left > 0 and (data := os.pread(self._number or 0, min(_BLOCK, left), at)):
            at, left = at + len(data), left - len(data)
            yield data

    def _from_pipe(self, left: int) -> Iterator[bytes]:
        self._spool = tempfile.SpooledTemporaryFile(_IN_MEMORY)
        try:
            while left > 0 and (data := _filled(self._file, min(_BLOCK, left))):
                self._spool.write(data)
                left -= len(data)
                yield data
        finally:
            self._spool.seek(0)


def _descriptor(file: Readable) -> int | None:
    """The number of a file on the disk that can be read at any place without moving it."""
    try:
        return file.fileno() if hasattr(os, "pread") else None
    except (AttributeError, OSError):
        return None


def _filled(file: Readable, count: int) -> bytes:
    """So many bytes, fewer at the end."""
    parts = []
    while count and (data := file.read(count)):
        parts.append(data)
        count -= len(data)
    return b"".join(parts)
