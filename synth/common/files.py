"""Names of files: what can be read, where something can be written, and the errors that say why not."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Protocol

from synth.common.errors import AudioError, OutputError

STDOUT = "-"
"""The name that stands for standard output and, of an input, for standard input."""


class Readable(Protocol):
    """What is needed of a file that is read; `seek` and `fileno` only where it is said."""

    def read(self, count: int = ..., /) -> bytes: ...

    def seek(self, at: int, whence: int = ..., /) -> int: ...

    def fileno(self) -> int: ...


def check_input(name: str) -> None:
    """AudioError when there is no such file, it can't be opened, or it can't hold anything."""
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
    try:
        os.close(os.open(name, os.O_RDONLY))
    except OSError as error:
        raise AudioError(f"{name}: can't be read ({error.strerror or error})") from None


def check_output(path: str | os.PathLike[str], force: bool = False) -> None:
    """Raise OutputError when a file can't be made at `path`, or there is one already and not `force`."""
    name = os.fspath(path)
    if name == STDOUT:
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
def output_errors(name: str) -> Iterator[None]:
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
