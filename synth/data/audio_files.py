"""The sound files that a corpus is made of: which there are, and whether they are still the same."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from synth.common import folders
from synth.common.errors import CorpusError

SUFFIXES = frozenset(
    "wav wave bwf rf64 bw64 w64 amb flac ogg oga opus mp3 aif aiff aifc au snd caf voc sph nist avr paf pvf sds"
    " svx 8svx ircam sf htk xi mpc2k m4a aac wma mp4 ape wv".split()
)  # the last six are audio that libsndfile does not read: they are named and skipped


@dataclass(frozen=True)
class AudioFile:
    """A sound file of a corpus: `name` is relative to the folder that is searched, with slashes; `number` is from 1."""

    path: Path
    name: str
    number: int


def find_audio_files(paths: Sequence[str | os.PathLike[str]], exclude: set[str]) -> list[AudioFile]:
    """All sound files in `paths`, by name; one that is reached twice counts once.

    Folders are searched to the bottom, linked ones too, but for those of the real paths `exclude`, folders of trash and
    what begins with a dot. CorpusError for a path that isn't there, a folder that can't be looked into or a file that
    must not be read, and when there are no sound files.
    """
    seen: dict[str, tuple[str, Path]] = {}
    for place in paths:
        top = Path(place)
        if top.is_dir():
            for path in sorted(_below(top, exclude), key=lambda path: (path.is_symlink(), path)):
                seen.setdefault(os.path.realpath(path), (path.relative_to(top).as_posix(), path))
        elif top.exists():
            seen.setdefault(os.path.realpath(top), (top.name, top))
        else:
            raise CorpusError(f"{top}: no such file or folder")
    if not seen:
        raise CorpusError(f"{', '.join(str(path) for path in paths) or 'no path'}: no audio files there")
    _check_readable([path for _, path in seen.values()])
    order = sorted(seen.values(), key=lambda pair: (pair[0], str(pair[1])))
    return [AudioFile(path, name, number) for number, (name, path) in enumerate(order, 1)]


def _check_readable(paths: Sequence[Path]) -> None:
    """CorpusError for files that are there and must not be read."""
    closed = [path for path in paths if path.exists() and not os.access(path, os.R_OK)]
    if closed:
        more = f"; so can't {len(closed) - 1} more" if len(closed) > 1 else ""
        raise CorpusError(f"{closed[0]}: can't be read (permission denied){more}")


def _below(top: Path, exclude: set[str]) -> list[Path]:
    """The sound files in a folder and those below it; CorpusError where a folder can't be looked into."""

    def wanted(name: str) -> bool:
        return not name.startswith(".") and Path(name).suffix[1:].lower() in SUFFIXES

    def enter(path: str) -> bool:
        return not os.path.basename(path).startswith(".") and os.path.realpath(path) not in exclude

    below = folders.list_files(os.fspath(top), wanted, enter)
    for path, reason in below.unreadable[:1]:
        more = f"; so can't {len(below.unreadable) - 1} more" if len(below.unreadable) > 1 else ""
        raise CorpusError(f"{path}: {reason}{more}")
    return [Path(path) for path in below.files]


def fingerprint(files: Sequence[AudioFile], options: list[Any]) -> str:
    """A hash of the files' paths, names, sizes and times and of `options`, which can be written as JSON."""
    stamps = [(os.path.abspath(file.path), file.name, *_stamp(file.path)) for file in files]
    return hashlib.sha256(json.dumps([options, stamps]).encode()).hexdigest()


def _stamp(path: Path) -> tuple[int, int]:
    """Size and time of the last change; (-1, 0) for a file that can't be asked."""
    try:
        status = path.stat()
    except OSError:
        return -1, 0
    return status.st_size, status.st_mtime_ns
