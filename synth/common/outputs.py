"""Where a command writes: the names of several files, and what is refused before any work is done."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping, Sequence

from synth.common.errors import UsageError
from synth.common.files import STDOUT, check_output


def numbered(path: str, count: int) -> list[str]:
    """`path` itself for one file, else x-1.wav, x-2.wav, ... with as many digits as the last one needs."""
    if count == 1:
        return [path]
    stem, suffix = os.path.splitext(path)
    digits = len(str(count))
    return [f"{stem}-{number:0{digits}d}{suffix}" for number in range(1, count + 1)]


def identity(path: str) -> tuple[object, ...]:
    """Equal for two names of one file, whether it exists or not."""
    try:
        status = os.stat(path)
        return (status.st_dev, status.st_ino)
    except (OSError, ValueError):
        return (os.path.realpath(path),) if "\0" not in path else (path,)


def by_identity(inputs: Iterable[str | None]) -> dict[tuple[object, ...], str]:
    """The inputs by what two names of one file have in common; None passes."""
    return {identity(path): path for path in inputs if path is not None}


def check_name(path: str, read: Mapping[tuple[object, ...], str]) -> None:
    """UsageError when an output is no file name, or one of the inputs `read`, which `by_identity` gave; "-" passes."""
    if path == STDOUT:
        return
    if not path or "\0" in path:
        raise UsageError(f"output {path!r}: is not a file name")
    name = identity(path)
    if name in read:
        raise UsageError(f"{path}: is the input {read[name]} too; nothing is written over what is read")


def check_names(outputs: Iterable[str], inputs: Iterable[str | None]) -> None:
    """UsageError when one of `outputs` is no file name, is one of `inputs`, or stands there twice; "-" passes."""
    read = by_identity(inputs)
    seen: set[tuple[object, ...]] = set()
    for path in outputs:
        check_name(path, read)
        if path == STDOUT:
            continue
        name = identity(path)
        if name in seen:
            raise UsageError(f"{path}: is an output twice")
        seen.add(name)


def check_outputs(outputs: Sequence[str], inputs: Iterable[str | None], force: bool) -> None:
    """UsageError as `check_names`; OutputError when one of `outputs` can't be made, or exists and not `force`."""
    check_names(outputs, inputs)
    for path in outputs:
        check_output(path, force)


def check_pipe(out: str) -> None:
    """UsageError where the bytes of a file would go to a terminal."""
    if out == STDOUT and sys.stdout is not None and sys.stdout.isatty():
        raise UsageError("standard output is a terminal: pipe it into a program or name a file")


def check_no_duplicates(paths: Iterable[str]) -> None:
    """UsageError when an input is given twice under one name; two names of one file, as links are, pass."""
    seen: set[str] = set()
    for path in paths:
        name = os.path.abspath(path) if path != STDOUT else path
        if name in seen:
            raise UsageError(f"{path}: is given twice")
        seen.add(name)
