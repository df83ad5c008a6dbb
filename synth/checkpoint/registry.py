"""The checkpoints that come with synth: names, their newest versions, and the files that they stand for."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

from synth.checkpoint.format import LARGEST_FILE, LARGEST_HEADER, _metadata
from synth.common.errors import CheckpointError

SUFFIX = ".safetensors"


def folder() -> Path:
    """Where the checkpoints that come with the install lie."""
    package = Path(__file__).parent.parent
    inside = package / "checkpoints"
    return inside if inside.is_dir() else package.parent / "checkpoints"


def _numbered() -> dict[str, list[tuple[int, Path]]]:
    found: dict[str, list[tuple[int, Path]]] = {}
    for path in sorted(folder().glob(f"*{SUFFIX}")):
        match = re.fullmatch(r"(.+)-(\d+)", path.stem)
        if match:
            found.setdefault(match[1], []).append((int(match[2]), path))
    return found


def names() -> list[str]:
    """The bundled checkpoints, each with its number."""
    return [path.stem for versions in _numbered().values() for _, path in sorted(versions)]


def find(name_or_path: str | os.PathLike[str]) -> Path:
    """The file of a bundled name (without a number: the newest) or of a path; CheckpointError when there is none."""
    text = os.fspath(name_or_path)
    numbered = _numbered()
    if text in numbered:
        return max(numbered[text])[1]
    if text in names():
        return folder() / f"{text}{SUFFIX}"
    path = Path(text)
    if os.path.isdir(text):  # unlike Path's own, False for a name that no file can have
        raise CheckpointError(
            f"{text}: is a folder; a checkpoint is one {SUFFIX} file, synth export makes one of a run"
        )
    if os.path.exists(text):
        return path
    raise CheckpointError(f"{text}: no such checkpoint; bundled are {', '.join(names()) or 'none'}, or give a file")


def file_of(name_or_path: str) -> str | None:
    """The file that would be read for a name or a path, so that no output replaces it; None where there is none."""
    try:
        return str(find(name_or_path))
    except CheckpointError:
        return None


def plain(name_or_path: str | os.PathLike[str]) -> str:
    """Of a bundled name the newest checkpoint that goes by the samples alone, for what listens; all else as it is."""
    text = os.fspath(name_or_path)
    for _, path in sorted(_numbered().get(text, ()), reverse=True):
        if not is_voice(path):
            return path.stem
    return text


def is_voice(path: Path) -> bool:
    """Whether a file says that it is a voice; False for what can't be read."""
    return "network" in said(path)


def said(path: Path) -> dict[str, Any]:
    """The config in a file's header, by itself and unchecked; empty for what can't be read."""
    try:
        with open(path, "rb") as file:
            size = int.from_bytes(file.read(8), "little")
            head = file.read(min(size, LARGEST_HEADER))
        found = json.loads(_metadata(size.to_bytes(8, "little") + head).get("config", "{}"))
    except (OSError, ValueError, CheckpointError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def read(name_or_path: str | os.PathLike[str]) -> tuple[Path, bytes]:
    """Path and bytes of a checkpoint of any kind; CheckpointError when it can't be read."""
    path = find(name_or_path)
    try:
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size > LARGEST_FILE:
                raise CheckpointError(f"{path}: {size} bytes; a checkpoint has at most {LARGEST_FILE}")
            return path, file.read(LARGEST_FILE)
    except OSError as error:
        raise CheckpointError(f"{path}: can't be read ({error.strerror})") from None
