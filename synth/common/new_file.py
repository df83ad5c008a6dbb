"""Files that are written: they appear whole under their names, or not at all."""

from __future__ import annotations

import errno
import os
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import IO, Any

from synth.common import permissions
from synth.common.errors import OutputError
from synth.common.files import STDOUT, check_output, output_errors, write_all

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
    file is refused when it is made (and again at the end), unless `force`. Nobody may read the file who may not read
    the files of `like`, of which it is made, and the one that it replaces. Raises OutputError with the path.
    """

    def __init__(
        self, path: str | os.PathLike[str], force: bool = False, like: Iterable[permissions.Source] = ()
    ) -> None:
        self.name, self.force = os.fspath(path), force
        check_output(self.name, force)
        self._place = os.path.realpath(self.name) if os.path.islink(self.name) else self.name
        self._temporary = os.path.join(os.path.dirname(self._place), f".synth-{os.urandom(8).hex()}.part")
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
        sources = permissions.statuses((*like, self._place))
        mode = permissions.mode_of_copy(sources, os.getegid()) if hasattr(os, "getegid") else permissions.PLAIN
        with output_errors(self.name), _lock:
            self.file: IO[bytes] = os.fdopen(os.open(self._temporary, flags, mode), "wb+", buffering=0)
            _unfinished.add(self)
        self._check_group(sources)

    def _check_group(self, sources: Iterable[os.stat_result]) -> None:
        """Takes permissions away where the folder gave the file another group than the process has."""
        status = os.fstat(self.file.fileno())
        allowed = status.st_mode & permissions.mode_of_copy(sources, status.st_gid)
        if hasattr(os, "fchmod") and allowed != status.st_mode & 0o777:
            with suppress(OSError):  # a file system without permissions
                os.fchmod(self.file.fileno(), allowed)

    def __enter__(self) -> NewFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                with output_errors(self.name):
                    self.finish()
        finally:
            self.abandon()

    def write(self, data: bytes) -> None:
        """Append `data`."""
        with output_errors(self.name):
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


def write_whole(path: str | os.PathLike[str], data: bytes, like: Iterable[permissions.Source] = ()) -> None:
    """Makes or replaces `path`, which has its old content or the new one at any moment; OutputError when it can't."""
    with NewFile(path, force=True, like=like) as new:
        new.write(data)


def _hand_over(file: IO[bytes], data: bytes) -> None:
    """All of `data` into a file of any kind, whose `write` may return nothing."""
    count: int | None = file.write(data)
    if count is not None and count < len(data):
        write_all(file, data[count:])


@contextmanager
def open_output(
    out: str | IO[bytes], force: bool = False, like: Iterable[permissions.Source] = ()
) -> Iterator[tuple[Callable[[bytes], Any], IO[bytes] | None]]:
    """What writes to an output, and its file where it is one that is made.

    `out`: a path, which appears when the block ends well, "-" for standard output, or an open file, which is left open.
    `like`: what the new file is made of, as for `NewFile`.
    OutputError with the path where the system refuses.
    """
    if not isinstance(out, str):
        name = getattr(out, "name", None)
        with output_errors(name if isinstance(name, str) else "output"):
            yield (lambda data: _hand_over(out, data)), None
        return
    if out != STDOUT:
        with NewFile(out, force, like) as new:
            yield new.write, new.file
        return
    with output_errors(out):
        yield sys.stdout.buffer.write, None
        sys.stdout.buffer.flush()
