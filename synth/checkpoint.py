"""Checkpoints: one .safetensors file with the integer network; config, card and a checksum are in its header."""

from __future__ import annotations

import hashlib
import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load as from_bytes
from safetensors.numpy import save as to_bytes

from synth import voice as voices
from synth.config import ModelConfig
from synth.engine.layout import check
from synth.errors import CheckpointError, UsageError
from synth.places import write_whole
from synth.voice import Voice

FORMAT, RECOGNISER = "synth-checkpoint", "synth-recogniser"
VERSION, VOICE_VERSION, FILTERED_VERSION, CORRECTOR_VERSION = 1, 2, 3, 4
"""Of a plain network, of a voice, of a voice with a postfilter or with means of its labels, of a corrector."""
LARGEST_FILE, LARGEST_HEADER = 64 << 20, 1 << 20
SUFFIX = ".safetensors"


@dataclass(frozen=True)
class Checkpoint:
    """A loaded checkpoint. `info` is its card: corpus, licence, training, bits per sample. `sha256` is of the file.

    `voice`: what plans and steers the network of a voice; None where the network goes by the samples alone.
    """

    name: str
    path: Path
    config: ModelConfig
    tensors: dict[str, NDArray[Any]]
    info: dict[str, Any]
    sha256: str
    voice: Voice | None = None


def folder() -> Path:
    """Where the checkpoints that come with the install lie."""
    package = Path(__file__).parent
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


def _digest(version: str, config: str, info: str, tensors: dict[str, NDArray[Any]], kind: str = FORMAT) -> str:
    total = hashlib.sha256("\0".join((kind, version, config, info)).encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        total.update(f"\0{name}\0{tensor.dtype.str}\0{tensor.shape}\0".encode())
        total.update(np.ascontiguousarray(tensor).tobytes())
    return total.hexdigest()


def encode(
    config: ModelConfig, tensors: dict[str, NDArray[Any]], info: dict[str, Any], voice: Voice | None = None
) -> bytes:
    """The bytes of a checkpoint file."""
    check(config, tensors)
    if voice is None:
        if config.stride or config.period:
            raise CheckpointError("a network that is steered, or over tokens, is saved with its voice")
        return pack(FORMAT, config.to_json(), tensors, info, CORRECTOR_VERSION if config.hints else VERSION)
    voices.check(config, voice)
    both = {"network": config.to_json(), **voice.to_json()}
    return pack(
        FORMAT,
        both,
        tensors | voice.named(),
        info,
        FILTERED_VERSION if voice.postfilter or voice.means else VOICE_VERSION,
    )


def pack(
    kind: str, config: dict[str, Any], tensors: dict[str, NDArray[Any]], info: dict[str, Any], version: int = VERSION
) -> bytes:
    """The bytes of a file of this kind, `unpack` reads them; CheckpointError when they are too many."""
    texts = str(version), json.dumps(config), json.dumps(info)
    whole = {name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()}
    meta = dict(zip(("version", "config", "info"), texts, strict=True))
    data = to_bytes(whole, {"format": kind, **meta, "digest": _digest(*texts, whole, kind)})
    length = int.from_bytes(data[:8], "little")
    # the library writes the header's names in any order: sorted, the same content makes the same file
    header = json.dumps(json.loads(data[8 : 8 + length]), sort_keys=True, separators=(",", ":")).encode()
    header += b" " * (-len(header) % 8)
    if len(header) > LARGEST_HEADER or 8 + len(header) + len(data) - length > LARGEST_FILE:
        raise CheckpointError(f"config and card take {len(header)} bytes; a checkpoint has room for {LARGEST_HEADER}")
    return len(header).to_bytes(8, "little") + header + data[8 + length :]


def save(
    path: str | os.PathLike[str],
    config: ModelConfig,
    tensors: dict[str, NDArray[Any]],
    info: dict[str, Any],
    voice: Voice | None = None,
) -> None:
    """Write a checkpoint beside `path` and rename it into place; OutputError when that can't be done."""
    write_whole(path, encode(config, tensors, info, voice))


def load(name_or_path: str | os.PathLike[str]) -> Checkpoint:
    """The checkpoint of a bundled name or a path; CheckpointError, with the file's name, when it can't be trusted."""
    path, data = read(name_or_path)
    try:
        config, tensors, info, voice = decode(data)
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {error}") from None
    return Checkpoint(path.stem, path, config, tensors, info, hashlib.sha256(data).hexdigest(), voice)


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


def decode(data: bytes) -> tuple[ModelConfig, dict[str, NDArray[Any]], dict[str, Any], Voice | None]:
    """Config, tensors, card and voice of a checkpoint's bytes, all checked; CheckpointError says what is wrong."""
    if is_recogniser(data):
        raise CheckpointError("is a recogniser, for synth classify; this takes a checkpoint that generates, as digits")
    found, tensors, info = unpack(data, FORMAT)
    steered = isinstance(found, dict) and "network" in found
    tensors, parts = voices.split(tensors) if steered else (tensors, {})
    try:
        config = ModelConfig.from_json(found.pop("network") if steered else found)
        if bool(config.stride) != steered or config.period:
            raise UsageError("a network that is steered comes with its vocoder")
    except UsageError as error:
        raise CheckpointError(f"its config can't be used ({_short(error)})") from None
    check(config, tensors)
    return config, tensors, info, voices.read(config, found, parts) if steered else None


def is_recogniser(data: bytes) -> bool:
    """Whether these are the bytes of a recogniser (`recogniser.load`); False too for what is no checkpoint at all."""
    try:
        return _metadata(data).get("format") == RECOGNISER
    except CheckpointError:
        return False


def unpack(data: bytes, kind: str) -> tuple[Any, dict[str, NDArray[Any]], dict[str, Any]]:
    """What `pack` took: config, tensors and card, checked against the checksum; CheckpointError says what is wrong."""
    meta = _metadata(data)
    if meta.get("format") == FORMAT != kind:
        raise CheckpointError("generates; this takes a recogniser, as digits-classifier")
    if meta.get("format") != kind:
        raise CheckpointError("a safetensors file, but not a synth checkpoint")
    version = _short(meta.get("version"))
    newest = CORRECTOR_VERSION if kind == FORMAT else VERSION
    if version not in map(str, range(VERSION, newest + 1)):
        raise CheckpointError(f"format version {version}; this synth reads {newest}: install a newer one")
    try:
        tensors = from_bytes(data)
    except (SafetensorError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(f"damaged ({_short(error)})") from None
    config_text, info_text = meta.get("config", ""), meta.get("info", "")
    if _digest(version, config_text, info_text, tensors, kind) != meta.get("digest"):
        raise CheckpointError("damaged: its checksum does not fit its content")
    try:
        config, info = json.loads(config_text), json.loads(info_text)
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"its config can't be used ({_short(error)})") from None
    return config, tensors, info if isinstance(info, dict) else {}


def _short(text: object) -> str:
    """One line, not too long, of what a stranger's file may have put into a message."""
    return " ".join(str(text).split())[:200]


def _metadata(data: bytes) -> dict[str, str]:
    """The header's metadata, its length checked against the file before anything is made of it."""
    length = int.from_bytes(data[:8], "little")
    if len(data) < 8 or length > min(LARGEST_HEADER, len(data) - 8):
        raise CheckpointError("not a checkpoint, or cut short")
    try:
        header = json.loads(data[8 : 8 + length])
        meta = header.get("__metadata__", {})
        return {str(key): str(value) for key, value in meta.items()}
    except (ValueError, AttributeError, RecursionError):
        raise CheckpointError("not a checkpoint: its header is not JSON") from None
