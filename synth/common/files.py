"""Files that are read, checked before; files that are written, which appear whole under their names or not at all."""

from __future__ import annotations

import errno
import hashlib
import os
import sys
import tempfile
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import IO, Any, Protocol

from synth.common.errors import AudioError, OutputError


def write_whole(path: str | os.PathLike[str], data: bytes) -> None:
    """Makes or replaces `path`, which has its old content or the new one at any moment; OutputError when it can't."""
    place = os.path.realpath(path) if os.path.islink(path) else os.fspath(path)
    beside = os.path.join(os.path.dirname(place), f".synth-{uuid.uuid4().hex[:16]}.part")
    try:
        with open(beside, "xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, place)
    except OSError as error:
        raise OutputError(f"{path}: can't be written ({error.strerror or error})") from None
    finally:
        with suppress(OSError):
            os.unlink(beside)


STDOUT = "-"


class Readable(Protocol):
    """What is needed of a file that is read; `seek` and `fileno` only where it is said."""

    def read(self, count: int = ..., /) -> bytes: ...

    def seek(self, at: int, whence: int = ..., /) -> int: ...

    def fileno(self) -> int: ...


def check_input(name: str) -> None:
    """AudioError when there is no such file, or it can't hold anything."""
    try:
        size = os.stat(name).st_size
    except (FileNotFoundError, NotADirectoryError):
        raise AudioError(f"{name}: no such file") from None
    except (OSError, ValueError) as error:
        raise AudioError(f"{name}: can't be read ({getattr(error, 'strerror', None) or error})") from None
    if os.path.isdir(name):
        raise AudioError(f"{name}: is a folder")
    if not os.path.isfile(name):
        raise AudioError(f"{name}: is not a regular file")
    if size == 0:
        raise AudioError(f"{name}: is empty")


def check_output(path: str | os.PathLike[str], force: bool = False) -> None:
    """Raise OutputError when a file can't be made at `path`, or there is one already and not `force`."""
    name = os.fspath(path)
    if name == "-":
        return
    if os.path.isdir(name):
        raise OutputError(f"{name}: is a folder")
    if os.path.exists(name) and not os.path.isfile(name):
        raise OutputError(f"{name}: is not a regular file; - writes to standard output")
    if os.path.lexists(name) and not force:
        raise OutputError(f"{name}: exists already; -f overwrites it")
    folder = os.path.dirname(os.path.realpath(name) if os.path.islink(name) else name) or "."
    if not os.path.isdir(folder):
        raise OutputError(f"{name}: the folder {folder} does not exist")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise OutputError(f"{name}: the folder {folder} is not writable")


@contextmanager
def named(name: str) -> Iterator[None]:
    """System errors as OutputError with the path; a closed pipe stays BrokenPipeError, for a command to end quietly."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OutputError(f"{name}: can't be written ({error.strerror or error})") from None


def write_all(file: IO[bytes], data: bytes) -> None:
    """All of `data` into a file that may take less at a time."""
    rest = memoryview(data)
    while len(rest):
        rest = rest[file.write(rest) or 0 :]


def _hand_over(file: IO[bytes], data: bytes) -> None:
    """All of `data` into a file of any kind, whose `write` may tell nothing."""
    taken: int | None = file.write(data)
    if taken is not None and taken < len(data):
        write_all(file, data[taken:])


_unfinished: set[NewFile] = set()
_lock = threading.Lock()
"""Held while a hidden file is made or removed."""


def abandon_all() -> None:
    """Remove every hidden file, for the process to end at once: threads that want to make others wait for ever."""
    _lock.acquire()
    for new in list(_unfinished):
        new.remove()


class NewFile:
    """A hidden, unbuffered file in the folder of `path`, which `finish` gives its name and `abandon` removes.

    As a context manager it finishes when the block ends well, and is abandoned when it doesn't, Ctrl-C too. An existing
    file is refused when it is made (and again at the end), unless `force`. Raises OutputError with the path.
    """

    def __init__(self, path: str | os.PathLike[str], force: bool = False) -> None:
        self.name, self.force = os.fspath(path), force
        check_output(self.name, force)
        self._place = os.path.realpath(self.name) if os.path.islink(self.name) else self.name
        self._temporary = os.path.join(os.path.dirname(self._place), f".synth-{uuid.uuid4().hex[:16]}.part")
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
        with named(self.name), _lock:
            self.file: IO[bytes] = os.fdopen(os.open(self._temporary, flags, 0o666), "wb+", buffering=0)
            _unfinished.add(self)

    def __enter__(self) -> NewFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                with named(self.name):
                    self.finish()
        finally:
            self.abandon()

    def write(self, data: bytes) -> None:
        """Append `data`."""
        with named(self.name):
            write_all(self.file, data)

    def finish(self) -> None:
        """Make the file durable and give it its name."""
        try:
            os.fsync(self.file.fileno())
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.ENOTSUP):
                raise
        self.file.close()
        if self.force:
            os.replace(self._temporary, self._place)
            return
        try:
            os.link(self._temporary, self._place)
        except OSError as error:
            if isinstance(error, FileExistsError) or os.path.lexists(self._place):
                raise OutputError(f"{self.name}: exists already; -f overwrites it") from None
            os.rename(self._temporary, self._place)  # a file system without hard links

    def abandon(self) -> None:
        """Close the file and remove what is left under the hidden name, whatever fails on the way."""
        with suppress(OSError):
            self.file.close()
        with _lock:
            self.remove()
            _unfinished.discard(self)

    def remove(self) -> None:
        """Remove what is left under the hidden name."""
        with suppress(OSError):
            os.unlink(self._temporary)


class Source:
    """A file that is read, with the bytes so far, counted and hashed; AudioError with the name when that fails."""

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
        ahead, self._ahead = (self._ahead, b"") if count < 0 else (self._ahead[:count], self._ahead[count:])
        data = ahead + self._more(count if count < 0 else count - len(ahead)) if count != len(ahead) else ahead
        self.count += len(data)
        self._md5.update(data)
        return data

    def seek(self, at: int, whence: int = 0) -> int:
        self._ahead = b""
        return self._file.seek(at, whence)

    def fileno(self) -> int:
        return self._file.fileno()

    @contextmanager
    def seekable(self) -> Iterator[tuple[IO[bytes], int]]:
        """A file with all of this one, at its begin, and its size: what is read of it is neither counted nor hashed.

        One whose size isn't known, a pipe or somebody's object, is copied to the disk, from where it stands.
        """
        if self.size is not None:
            self._file.seek(0)
            yield self._file, self.size
            return
        with tempfile.TemporaryFile() as file:
            while more := self.read(1 << 18):
                file.write(more)
            size = file.tell()
            file.seek(0)
            yield file, size

    def digest(self) -> bytes:
        """Of all that was read."""
        return self._md5.digest()

    def state(self) -> tuple[int, int] | None:
        """What tells whether the file was changed."""
        if self.size is None:
            return None
        found = os.fstat(self._file.fileno())
        return found.st_size, found.st_mtime_ns


@contextmanager
def source(path: str, whole: bool = False) -> Iterator[Source]:
    """An input; `whole`: a pipe's is taken to the disk first."""
    if path == STDOUT:
        if sys.stdin is None:
            raise AudioError("-: standard input is closed")
        pipe = Source(path, sys.stdin.buffer, None)
        if not whole:
            yield pipe
            return
        with pipe.seekable() as (file, size):
            yield Source(path, file, size)
        return
    check_input(path)
    try:
        opened = open(path, "rb")
    except OSError as error:
        raise AudioError(f"{path}: can't be read ({error.strerror or error})") from None
    with opened:
        yield Source(path, opened, os.fstat(opened.fileno()).st_size)


@contextmanager
def target(out: str | IO[bytes], force: bool = False) -> Iterator[tuple[Callable[[bytes], Any], IO[bytes] | None]]:
    """What writes to an output, and its file where it is one that is made; an open file is left open."""
    if not isinstance(out, str):
        name = getattr(out, "name", None)
        with named(name if isinstance(name, str) else "output"):
            yield (lambda data: _hand_over(out, data)), None
        return
    if out != STDOUT:
        with NewFile(out, force) as new:
            yield new.write, new.file
        return
    with named(out):
        yield sys.stdout.buffer.write, None
        sys.stdout.buffer.flush()
