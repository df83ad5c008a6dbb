"""Which files `synth compress`, `decompress` and `verify` take, and where what they make is to be."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from synth.codec.syn_file import SynFile
from synth.common import files, folders, outputs
from synth.common.errors import AudioError, OutputError, SynthError, UsageError
from synth.data.audio_files import SUFFIXES as AUDIO_SUFFIXES

SUFFIX = ".syn"
SOUNDS = {"wav": (".wav", ".wave"), "aiff": (".aiff", ".aif", ".aifc"), "flac": (".flac",)}
"""Suffixes of the kinds of files."""
_SEARCHED = (
    *(suffix for several in SOUNDS.values() for suffix in several),
    *(".bwf", ".rf64", ".bw64", ".rifx", ".amb", ".w64", ".au", ".snd"),
)
"""What is looked for in folders; what a file is its content tells."""

_KEPT = (".w64", ".au", ".snd")
"""Suffixes of files that come back as a format which is not of their kind's suffixes."""

Rename = Callable[[str, str], str]


class Input(NamedTuple):
    """A file to read: its path, its name below the folder that it is in, and whether it came with that folder."""

    path: str
    name: str
    in_folder: bool = False


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


def names_a_format(out: str) -> bool:
    """Whether a name's suffix is one that sound files have, or that of .syn files."""
    suffix = os.path.splitext(out)[1].lower()
    return suffix[1:] in AUDIO_SUFFIXES or suffix == SUFFIX or any(suffix in several for several in SOUNDS.values())


def check_suffix_of(out: str, file: SynFile) -> None:
    """UsageError when an output's suffix is that of another format than what a .syn file gives back."""
    suffix = os.path.splitext(out)[1].lower()
    own = file.name_suffix.lower()
    usual = (own,) if own in _KEPT else SOUNDS[file.kind]
    if names_a_format(out) and suffix not in usual and suffix != own:
        check_suffix(out, usual)


def list_inputs(
    paths: Sequence[str], *, recursive: bool, packed: bool = False, note: Callable[[str], None] = lambda text: None
) -> list[Input | SynthError]:
    """Every input with its name below the folder that it is in, in the order of names; errors in their places.

    Of folders, with `recursive`, the sound files, or the .syn files if they are `packed`. `note`: is told what is
    passed over in folders on purpose.
    """
    inputs: list[Input | SynthError] = []
    for path in paths:
        if not os.path.isdir(path):
            inputs.append(Input(path, os.path.basename(path)))
        elif not recursive:
            inputs.append(AudioError(f"{path}: is a folder; -r takes the {'.syn' if packed else 'sound'} files in it"))
        else:
            inputs += _list_folder(path, packed, note)
    return inputs


def _list_folder(top: str, packed: bool, note: Callable[[str], None]) -> list[Input | SynthError]:
    """The inputs in a folder, after an error for each place in it that can't be looked into."""
    suffixes = (SUFFIX,) if packed else _SEARCHED
    others: Counter[str] = Counter()

    def wanted(name: str) -> bool:
        suffix = os.path.splitext(name)[1].lower()
        if not packed and suffix not in suffixes and suffix[1:] in AUDIO_SUFFIXES and not name.startswith("._"):
            others[suffix] += 1
        return suffix in suffixes or name.lower().endswith(suffixes)

    below = folders.list_files(top, wanted)
    inputs: list[Input | SynthError] = [AudioError(f"{path}: {reason}") for path, reason in below.unreadable]
    inputs += [Input(path, os.path.relpath(path, top), in_folder=True) for path in below.files]
    if not inputs:
        inputs.append(AudioError(f"{top}: no {SUFFIX if packed else 'WAV, AIFF or FLAC'} file is in it"))
    for line in below.notes:
        note(line)
    if others:
        counts = ", ".join(f"{number} {suffix}" for suffix, number in sorted(others.items()))
        note(f"{top}: sound files of other kinds are left out: {counts}")
    return inputs


def plan(
    inputs: Sequence[Input | SynthError],
    out: str | None,
    rename: Rename,
    *,
    folder: bool,
    checkpoint: str | None = None,
    longer: Rename | None = None,
) -> list[Job | SynthError]:
    """The jobs; `rename(path, name)` is an output's name, `longer(path, name)` the one for outputs that would clash.

    `folder`: `out` is one, whatever is there. `checkpoint`: the file of the network, which is read too. Where outputs
    clash all the same, with one another or with what is read, UsageError is raised, or is in the place of the job if
    all that clashes came with folders. Raises OutputError where the folder can't be.
    """
    sources = [item for item in inputs if isinstance(item, Input)]
    outputs.check_no_duplicates(source.path for source in sources if source.path != outputs.STDOUT)
    folder = folder or len(inputs) > 1
    if folder and (out == outputs.STDOUT or any(source.path == outputs.STDOUT for source in sources)):
        raise UsageError("-: several files don't go through one pipe")
    if out is not None and out != outputs.STDOUT and (folder or os.path.isdir(out)):
        folder = True
        _check_folder(out)
    jobs = [_job(item, out, rename, folder) for item in inputs]
    if longer is not None:
        _lengthen(jobs, inputs, lambda item: _job(item, out, longer, folder))
    _refuse_clashes(jobs, inputs, checkpoint)
    planned = [job for job in jobs if isinstance(job, Job)]
    to_stdout = any(job.out == outputs.STDOUT for job in planned)
    if to_stdout and (sys.stdout is None or sys.stdout.isatty()):
        raise UsageError("standard output is a terminal: pipe it into a program or name a file")
    if folder and planned and out is not None:
        _make_folder(out)
    return jobs


def _check_folder(out: str) -> None:
    """UsageError for a folder to make that is named like a file."""
    if out.lower().endswith((SUFFIX, *_SEARCHED)) and not os.path.lexists(out):
        raise UsageError(f"{out}: is named like a file; several files, and -r, take a folder")


def _same_outputs(jobs: Sequence[Job | SynthError]) -> list[list[int]]:
    """The places of jobs whose outputs are one file, for each such file."""
    places: dict[str, list[int]] = {}
    for place, job in enumerate(jobs):
        if isinstance(job, Job) and job.out != outputs.STDOUT and "\0" not in job.out:
            places.setdefault(os.path.realpath(job.out), []).append(place)
    return [several for several in places.values() if len(several) > 1]


def _lengthen(
    jobs: list[Job | SynthError], inputs: Sequence[Input | SynthError], again: Callable[[Input], Job | SynthError]
) -> None:
    """Gives outputs that clash their longer names, and those that clash with these, until nothing changes."""
    waiting = set(range(len(jobs)))
    while clashing := {place for several in _same_outputs(jobs) for place in several} & waiting:
        for place in clashing:
            source = inputs[place]
            if isinstance(source, Input):
                jobs[place] = again(source)
        waiting -= clashing


def _refuse_clashes(jobs: list[Job | SynthError], inputs: Sequence[Input | SynthError], checkpoint: str | None) -> None:
    """Puts errors in the places of jobs that clash; UsageError where something clashes that came with no folder."""
    sources = [item for item in inputs if isinstance(item, Input)]
    typed = outputs.by_identity([*(source.path for source in sources if not source.in_folder), checkpoint])
    for job in jobs:
        if isinstance(job, Job):
            outputs.check_name(job.out, typed)
    for place, error in _clashes(jobs, [source.path for source in sources if source.in_folder]).items():
        source = inputs[place]
        if not (isinstance(source, Input) and source.in_folder):
            raise error
        jobs[place] = error


def _clashes(jobs: Sequence[Job | SynthError], read: Sequence[str]) -> Mapping[int, UsageError]:
    """Why jobs can't be done, by their places: two are to become one file, or one would replace one of `read`."""
    errors: dict[int, UsageError] = {}
    for several in _same_outputs(jobs):
        first, other = (job for place in several[:2] if isinstance(job := jobs[place], Job))
        for place in several:
            errors[place] = UsageError(
                f"{first.path} and {other.path}: both would become {first.out}; give them one at a time, "
                "each with its own -o"
            )
    sources = outputs.by_identity(read)
    for place, job in enumerate(jobs):
        try:
            if isinstance(job, Job):
                outputs.check_name(job.out, sources)
        except UsageError as error:
            errors.setdefault(place, error)
    return errors


def _job(item: Input | SynthError, out: str | None, rename: Rename, folder: bool) -> Job | SynthError:
    """The job of an input, or why there is none."""
    if isinstance(item, SynthError):
        return item
    path, name, _ = item
    if path == outputs.STDOUT:
        if folder:
            raise UsageError("-: has no name to take for the output")
        return Job(path, out or outputs.STDOUT)
    try:
        files.check_input(path)
        if out is not None and not folder:
            return Job(path, out)
        renamed = rename(path, os.path.basename(name))
    except SynthError as error:
        return error
    if out is None:
        return Job(path, os.path.join(os.path.dirname(path), renamed))
    inner = os.path.join(out, os.path.dirname(name))
    return Job(path, os.path.join(inner, renamed), folder=inner)


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
