"""Files and standard input as they are read: counted, hashed, and copied to the disk where they must be sought in."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

from synth.common.errors import AudioError
from synth.common.files import STDOUT, check_input


class InputFile:
    """An open file that is read from its begin; AudioError with its name when the system can't.

    `name` is for errors; `size` in bytes, None where it isn't known (a pipe). `count`: bytes that were read so far, of
    which `digest` is the MD5.
    """

    def __init__(self, name: str, file: IO[bytes], size: int | None) -> None:
        self.name, self._file, self.size = name, file, size
        self.count = 0
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._ahead = b""

    def _more(self, count: int) -> bytes:
        try:
            return self._file.read(count)
        except OSError as error:
            raise AudioError(f"{self.name}: can't be read ({error.strerror or error})") from None

    def peek(self, count: int) -> bytes:
        """The first bytes, which `read` gives too; for before anything was read."""
        while len(self._ahead) < count and (more := self._more(count - len(self._ahead))):
            self._ahead += more
        return self._ahead[:count]

    def read(self, count: int = -1) -> bytes:
        """Up to `count` bytes, all that there are when it is negative; fewer from a pipe, none at the end."""
        ahead, self._ahead = (self._ahead, b"") if count < 0 else (self._ahead[:count], self._ahead[count:])
        data = ahead + self._more(count if count < 0 else count - len(ahead)) if count != len(ahead) else ahead
        self.count += len(data)
        self._md5.update(data)
        return data

    def seek(self, at: int, whence: int = 0) -> int:
        """As a file's; for before anything was read, or after `seekable`, since it is not counted."""
        self._ahead = b""
        return self._file.seek(at, whence)

    def fileno(self) -> int:
        return self._file.fileno()

    @contextmanager
    def seekable(self) -> Iterator[tuple[IO[bytes], int]]:
        """A file with all of this one, at its begin, and its bytes: what is read of it is neither counted nor hashed.

        One whose size isn't known, a pipe or somebody's object, is copied to the disk, from where it stands.
        """
        if self.size is not None:
            self._file.seek(0)
            yield self._file, self.size
            return
        import tempfile  # takes a while to load

        with tempfile.TemporaryFile() as file:
            while more := self.read(1 << 18):
                file.write(more)
            size = file.tell()
            file.seek(0)
            yield file, size

    def digest(self) -> bytes:
        """The MD5 of all that was read."""
        return self._md5.digest()

    def state(self) -> tuple[int, int] | None:
        """Size and time of the last change, which tell whether somebody changed the file; None for a pipe."""
        if self.size is None:
            return None
        status = os.fstat(self._file.fileno())
        return status.st_size, status.st_mtime_ns


@contextmanager
def open_input(path: str, whole: bool = False) -> Iterator[InputFile]:
    """The file `path`, or standard input for "-"; `whole`: what comes from a pipe is copied to the disk first.

    AudioError when there is no such file, or it is empty or can't be read.
    """
    if path == STDOUT:
        if sys.stdin is None:
            raise AudioError("-: standard input is closed")
        pipe = InputFile(path, sys.stdin.buffer, None)
        if not whole:
            yield pipe
            return
        with pipe.seekable() as (file, size):
            yield InputFile(path, file, size)
        return
    check_input(path)
    try:
        opened = open(path, "rb")
    except OSError as error:
        raise AudioError(f"{path}: can't be read ({error.strerror or error})") from None
    with opened:
        yield InputFile(path, opened, os.fstat(opened.fileno()).st_size)
