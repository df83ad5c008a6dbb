"""Who may read a file that is made of others: nobody who may not read those."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterable
from typing import Protocol

from synth.common.files import STDOUT

PLAIN = 0o666
"""The permissions of a file that is made of nothing private, from which the umask takes."""


class HasDescriptor(Protocol):
    """An open file."""

    def fileno(self) -> int: ...


Source = str | os.PathLike[str] | HasDescriptor
"""A file that something is made of: its path, "-" for standard input, or an open one."""


def statuses(sources: Iterable[Source]) -> list[os.stat_result]:
    """What the system tells of those sources that are regular files."""
    results = [status for source in sources if (status := _status(source)) is not None]
    return [status for status in results if stat.S_ISREG(status.st_mode) and status.st_nlink]  # a copy of a pipe has 0


def _status(source: Source) -> os.stat_result | None:
    try:
        if isinstance(source, str | os.PathLike) and source != STDOUT:
            return os.stat(source)
        file = sys.stdin if isinstance(source, str | os.PathLike) else source
        return os.fstat(file.fileno())
    except (OSError, ValueError, AttributeError):  # no such file, no file of the system, a stream that is closed
        return None


def mode_of_copy(sources: Iterable[os.stat_result], group: int) -> int:
    """The permissions for a file of this group that is made of `sources`, before the umask takes from them.

    A class of users who may not read one of them gets none; those of another group count as all others.
    """
    mode = PLAIN
    for source in sources:
        others = bool(source.st_mode & stat.S_IROTH)
        same_group = bool(source.st_mode & stat.S_IRGRP) and source.st_gid == group
        if not others:
            mode &= ~stat.S_IRWXO
        if not (same_group or (others and source.st_mode & stat.S_IRGRP)):
            mode &= ~stat.S_IRWXG
    return mode
