"""Which files `synth compress`, `decompress` and `verify` take, and where what they make is to be."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from synth.common import files, outputs
from synth.common.errors import AudioError, OutputError, SynthError, UsageError

SUFFIX = ".syn"
SOUNDS = {"wav": (".wav", ".wave"), "aiff": (".aiff", ".aif", ".aifc"), "flac": (".flac",)}
"""Suffixes of the kinds of files, and what is looked for in folders."""

Input = tuple[str, str]
Rename = Callable[[str, str], str]


@dataclass(frozen=True)
class Job:
    """A file to make, in a folder to make."""

    path: str
    out: str
    folder: str = ""


def check_suffix(out: str, suffixes: Sequence[str]) -> None:
    """UsageError unless an output's name has one of them."""
    if not out.lower().endswith(tuple(suffixes)):
        raise UsageError(f"{out}: its suffix must be {' or '.join(suffixes)}")


def list_inputs(paths: Sequence[str], *, recursive: bool, packed: bool = False) -> list[Input | SynthError]:
    """Every input with its name below the folder that it is in, in the order of names; errors in their places.

    Of folders, with `recursive`, the sound files, or the .syn files if they are `packed`.
    """
    suffixes = (SUFFIX,) if packed else tuple(suffix for several in SOUNDS.values() for suffix in several)
    inputs: list[Input | SynthError] = []
    for path in paths:
        if not os.path.isdir(path):
            inputs.append((path, os.path.basename(path)))
        elif not recursive:
            inputs.append(AudioError(f"{path}: is a folder; -r takes the {'.syn' if packed else 'sound'} files in it"))
        else:
            inner = [
                os.path.join(folder, name)
                for folder, _, names in os.walk(path)
                for name in names
                if name.lower().endswith(suffixes)
            ]
            inputs += [(name, os.path.relpath(name, path)) for name in sorted(inner)]
            if not inner:
                inputs.append(AudioError(f"{path}: no {SUFFIX if packed else 'WAV, AIFF or FLAC'} file is in it"))
    return inputs


def plan(
    inputs: Sequence[Input | SynthError],
    out: str | None,
    rename: Rename,
    *,
    folder: bool,
    checkpoint: str | None = None,
) -> list[Job | SynthError]:
    """The jobs; `rename(path, name)` is an output's name. `folder`: `out` is one, whatever is there.

    `checkpoint`: the file of the network, which is read too. Raises UsageError where outputs clash with one another or
    with what is read, OutputError where the folder can't be.
    """
    names = [item for item in inputs if not isinstance(item, SynthError)]
    outputs.check_no_duplicates(path for path, _ in names if path != outputs.STDOUT)
    folder = folder or len(inputs) > 1
    if folder and (out == outputs.STDOUT or any(path == outputs.STDOUT for path, _ in names)):
        raise UsageError("-: several files don't go through one pipe")
    if out is not None and out != outputs.STDOUT and (folder or os.path.isdir(out)):
        folder = True
        _check_folder(out)
    jobs = [_job(item, out, rename, folder) for item in inputs]
    planned = [job for job in jobs if isinstance(job, Job)]
    _check_clashes(planned)
    outputs.check_names([job.out for job in planned], [*(path for path, _ in names), checkpoint])
    to_stdout = any(job.out == outputs.STDOUT for job in planned)
    if to_stdout and (sys.stdout is None or sys.stdout.isatty()):
        raise UsageError("standard output is a terminal: pipe it into a program or name a file")
    if folder and planned and out is not None:
        _make_folder(out)
    return jobs


def _check_folder(out: str) -> None:
    """UsageError for a folder to make that is named like a file."""
    suffixes = (SUFFIX, *(suffix for several in SOUNDS.values() for suffix in several))
    if out.lower().endswith(suffixes) and not os.path.lexists(out):
        raise UsageError(f"{out}: is named like a file; several files, and -r, take a folder")


def _check_clashes(jobs: Sequence[Job]) -> None:
    """UsageError where two inputs are to become one file."""
    seen: dict[tuple[object, ...], str] = {}
    for job in jobs:
        other = seen.setdefault(outputs.identity(job.out), job.path)
        if other != job.path:
            raise UsageError(
                f"{other} and {job.path}: both would become {job.out}; give them one at a time, each with its own -o"
            )


def _job(item: Input | SynthError, out: str | None, rename: Rename, folder: bool) -> Job | SynthError:
    """The job of an input, or why there is none."""
    if isinstance(item, SynthError):
        return item
    path, name = item
    if path == outputs.STDOUT:
        if folder:
            raise UsageError("-: has no name to take for the output")
        return Job(path, out or outputs.STDOUT)
    try:
        files.check_input(path)
        if out is not None and not folder:
            return Job(path, out)
        named = rename(path, os.path.basename(name))
    except SynthError as error:
        return error
    if out is None:
        return Job(path, os.path.join(os.path.dirname(path), named))
    inner = os.path.join(out, os.path.dirname(name))
    return Job(path, os.path.join(inner, named), folder=inner)


def _make_folder(out: str) -> None:
    try:
        if not os.path.isdir(out):
            os.mkdir(out)
    except FileExistsError:
        raise OutputError(f"{out}: is no folder; several files take one") from None
    except FileNotFoundError:
        raise OutputError(f"{out}: the folder that it is to be in does not exist") from None
    except OSError as error:
        raise OutputError(f"{out}: can't be made ({error.strerror or error})") from None
