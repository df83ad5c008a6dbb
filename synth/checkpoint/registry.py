"""The checkpoints that come with synth: names, their newest versions, and the files that they stand for."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

from synth.checkpoint.format import CLASSIFIER, MAX_FILE_BYTES, MAX_HEADER_BYTES, read_metadata
from synth.common.errors import CheckpointError, did_you_mean

SUFFIX = ".safetensors"
VOICE = "voice.safetensors"
"""The checkpoint in the folder of a voice's training."""
KINDS = ("voice", "generator", "classifier", "corrector")
"""A voice is steered and speaks what it is asked for; a generator goes by its samples alone; a corrector only helps to
compress."""
RENAMED = {"digits-2": "digits-plain-1"}
"""Names that a checkpoint had before, and the one that it has now; the former ones go on being understood."""


def folder() -> Path:
    """Where the checkpoints that come with the install lie."""
    package = Path(__file__).parent.parent
    inside = package / "checkpoints"
    return inside if inside.is_dir() else package.parent / "checkpoints"


def _numbered() -> dict[str, list[tuple[int, Path]]]:
    versions: dict[str, list[tuple[int, Path]]] = {}
    for path in sorted(folder().glob(f"*{SUFFIX}")):
        match = re.fullmatch(r"(.+)-(\d+)", path.stem)
        if match:
            versions.setdefault(match[1], []).append((int(match[2]), path))
    return versions


def names() -> list[str]:
    """The bundled checkpoints, each with its number."""
    return [path.stem for versions in _numbered().values() for _, path in sorted(versions)]


def is_bundled(name: str) -> bool:
    """Whether this is a name of a bundled checkpoint, with or without its number."""
    return name in names() or name in _numbered() or name in RENAMED


def find(name_or_path: str | os.PathLike[str]) -> Path:
    """The file of a bundled name (without a number: the newest) or of a path; CheckpointError when there is none."""
    text = os.fspath(name_or_path)
    numbered = _numbered()
    if RENAMED.get(text) in names() and text not in names():
        text = RENAMED[text]
    if text in numbered:
        return max(numbered[text])[1]
    if text in names():
        return folder() / f"{text}{SUFFIX}"
    path = Path(text)
    if os.path.isdir(text):  # unlike Path's own, False for a name that no file can have
        return _in_folder(path)
    if os.path.exists(text):
        return path
    near = did_you_mean(text, [*numbered, *names()])
    bundled = ", ".join(names()) or "none"
    raise CheckpointError(f"{text}: no such checkpoint; {near}bundled are {bundled}, or give a file")


def _in_folder(folder: Path) -> Path:
    """The checkpoint in the folder of a voice's training; CheckpointError where there is none."""
    if (folder / VOICE).is_file():
        return folder / VOICE
    if (folder / "run.json").is_file():
        raise CheckpointError(
            f"{folder}: is the folder of a training run, with no {VOICE} yet; a voice has one when its first stage has"
            " ended, of other runs synth export makes one"
        )
    raise CheckpointError(
        f"{folder}: is a folder without {VOICE}; a checkpoint is one {SUFFIX} file, or the folder of a voice that synth"
        " train trained"
    )


def file_of(name_or_path: str) -> str | None:
    """The file that would be read for a name or a path, so that no output replaces it; None where there is none."""
    try:
        return str(find(name_or_path))
    except CheckpointError:
        return None


def stands_for(stem: str) -> str | None:
    """The plain name that means the bundled checkpoint `stem`, the newest of its name; None for older ones."""
    return next((name for name, versions in _numbered().items() if max(versions)[1].stem == stem), None)


def kind_of(path: Path) -> str:
    """What a file says that it is, unchecked: one of `KINDS`; "generator" too for what can't be read."""
    meta, config = _unchecked(path)
    if meta.get("format") == CLASSIFIER:
        return "classifier"
    if "network" in config:
        return "voice"
    return "corrector" if config.get("hints") else "generator"


def bundled(*kinds: str) -> list[str]:
    """The plain names of the bundled checkpoints of these kinds."""
    newest = {name: max(versions)[1] for name, versions in _numbered().items()}
    return [name for name, path in newest.items() if kind_of(path) in kinds]


def instead(name_or_path: str | os.PathLike[str], *kinds: str) -> str:
    """What to give in place of a checkpoint that is of another kind: of the bundled ones those that are named after it.

    All of these kinds where none is; "another checkpoint" where there are none at all.
    """
    stem = re.sub(r"-\d+$", "", Path(os.fspath(name_or_path)).stem)
    names = bundled(*kinds)
    return " or ".join([name for name in names if name.startswith(f"{stem}-")] or names) or "another checkpoint"


def config_of(path: Path) -> dict[str, Any]:
    """The config in a file's header, by itself and unchecked; empty for what can't be read."""
    return _unchecked(path)[1]


def _unchecked(path: Path) -> tuple[dict[str, str], dict[str, Any]]:
    """Metadata and config in a file's header, by themselves and unchecked; empty for what can't be read."""
    try:
        with open(path, "rb") as file:
            size = int.from_bytes(file.read(8), "little")
            head = file.read(min(size, MAX_HEADER_BYTES))
        meta = read_metadata(size.to_bytes(8, "little") + head)
        config = json.loads(meta.get("config", "{}"))
    except (OSError, ValueError, CheckpointError, RecursionError):
        return {}, {}
    return meta, config if isinstance(config, dict) else {}


def read(name_or_path: str | os.PathLike[str]) -> tuple[Path, bytes]:
    """Path and bytes of a checkpoint of any kind; CheckpointError when it can't be read."""
    path = find(name_or_path)
    try:
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size > MAX_FILE_BYTES:
                raise CheckpointError(f"{path}: {size} bytes; a checkpoint has at most {MAX_FILE_BYTES}")
            return path, file.read(MAX_FILE_BYTES)
    except OSError as error:
        raise CheckpointError(f"{path}: can't be read ({error.strerror})") from None
