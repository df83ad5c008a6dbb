"""The bytes of a checkpoint of any kind: safetensors with a config, a card and a checksum over both and the tensors."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load as from_bytes
from safetensors.numpy import save as to_bytes

from synth.common.errors import CheckpointError
from synth.common.typing import Tensors

FORMAT, CLASSIFIER = "synth-checkpoint", "synth-recogniser"
VERSION, VOICE_VERSION, FILTERED_VERSION, CORRECTOR_VERSION = 1, 2, 3, 4
"""Of a plain network, of a voice, of a voice with a postfilter or with means of its labels, of a corrector."""
MAX_FILE_BYTES, MAX_HEADER_BYTES = 64 << 20, 1 << 20


def _digest(version: str, config: str, info: str, tensors: Tensors, kind: str = FORMAT) -> str:
    total = hashlib.sha256("\0".join((kind, version, config, info)).encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        total.update(f"\0{name}\0{tensor.dtype.str}\0{tensor.shape}\0".encode())
        total.update(np.ascontiguousarray(tensor).tobytes())
    return total.hexdigest()


def pack(kind: str, config: dict[str, Any], tensors: Tensors, info: dict[str, Any], *, version: int = VERSION) -> bytes:
    """The bytes of a file of this kind, `unpack` reads them; CheckpointError when they are too many."""
    texts = str(version), json.dumps(config), json.dumps(info)
    arrays = {name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()}
    meta = dict(zip(("version", "config", "info"), texts, strict=True))
    data = to_bytes(arrays, {"format": kind, **meta, "digest": _digest(*texts, arrays, kind)})
    length = int.from_bytes(data[:8], "little")
    # the library writes the header's names in any order: sorted, the same content makes the same file
    header = json.dumps(json.loads(data[8 : 8 + length]), sort_keys=True, separators=(",", ":")).encode()
    header += b" " * (-len(header) % 8)
    if len(header) > MAX_HEADER_BYTES or 8 + len(header) + len(data) - length > MAX_FILE_BYTES:
        raise CheckpointError(f"config and card take {len(header)} bytes; a checkpoint has room for {MAX_HEADER_BYTES}")
    return len(header).to_bytes(8, "little") + header + data[8 + length :]


def is_classifier(data: bytes) -> bool:
    """Whether these are the bytes of a classifier (`synth.load_classifier`); False too for what is no checkpoint."""
    try:
        return read_metadata(data).get("format") == CLASSIFIER
    except CheckpointError:
        return False


def unpack(data: bytes, kind: str) -> tuple[Any, Tensors, dict[str, Any]]:
    """What `pack` took: config, tensors and card, checked against the checksum; CheckpointError says what is wrong."""
    meta = read_metadata(data)
    if meta.get("format") == FORMAT != kind:
        raise CheckpointError("generates; this takes a classifier, as digits-classifier")
    if "format" not in meta and set(meta) == {"info"}:  # as training/run_folder.py saves them
        raise CheckpointError(
            "holds the weights of a training run; synth export RUN OUT.safetensors makes a checkpoint"
        )
    if meta.get("format") != kind:
        raise CheckpointError("a safetensors file, but not a synth checkpoint")
    version = one_line(meta.get("version"))
    newest = CORRECTOR_VERSION if kind == FORMAT else VERSION
    if version not in map(str, range(VERSION, newest + 1)):
        raise CheckpointError(f"format version {version}; this synth reads {newest}: install a newer one")
    try:
        tensors = from_bytes(data)
    except (SafetensorError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(f"damaged ({one_line(error)})") from None
    config_text, info_text = meta.get("config", ""), meta.get("info", "")
    if _digest(version, config_text, info_text, tensors, kind) != meta.get("digest"):
        raise CheckpointError("damaged: its checksum does not fit its content")
    try:
        config, info = json.loads(config_text), json.loads(info_text)
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"its config can't be used ({one_line(error)})") from None
    return config, tensors, info if isinstance(info, dict) else {}


def one_line(text: object) -> str:
    """One line, not too long, of what a stranger's file may have put into a message."""
    return " ".join(str(text).split())[:200]


def read_metadata(data: bytes) -> dict[str, str]:
    """The header's metadata, its length checked against the file before anything is made of it."""
    length = int.from_bytes(data[:8], "little")
    if len(data) < 8 or length > min(MAX_HEADER_BYTES, len(data) - 8):
        raise CheckpointError("not a checkpoint, or cut short")
    try:
        header = json.loads(data[8 : 8 + length])
        meta = header.get("__metadata__", {})
        return {str(key): str(value) for key, value in meta.items()}
    except (ValueError, AttributeError, RecursionError):
        raise CheckpointError("not a checkpoint: its header is not JSON") from None
