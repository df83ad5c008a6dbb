"""Checkpoints: one .safetensors file with the integer network; config, card and a checksum are in its header."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from synth.checkpoint import fingerprint
from synth.checkpoint.format import (
    CORRECTOR_VERSION,
    FILTERED_VERSION,
    FORMAT,
    VERSION,
    VOICE_VERSION,
    is_classifier,
    one_line,
    pack,
    unpack,
)
from synth.checkpoint.registry import read
from synth.common.errors import CheckpointError, UsageError
from synth.common.new_file import write_whole
from synth.common.typing import Tensors
from synth.engine.config import ModelConfig
from synth.engine.layout import check
from synth.vocoder import voice as voices
from synth.vocoder.voice import VoiceParts

GENERATORS = "digits generates, digits-plain scores too"
"""What to give in place of a checkpoint that does neither."""


@dataclass(frozen=True)
class Checkpoint:
    """A loaded checkpoint. `info` is its card: corpus, licence, training, bits per sample. `sha256` is of the file.

    `voice`: the parts around the network of a voice; None where the network goes by the samples alone.
    """

    name: str
    path: Path
    config: ModelConfig
    tensors: Tensors
    info: dict[str, Any]
    sha256: str
    voice: VoiceParts | None = None


def encode(config: ModelConfig, tensors: Tensors, info: dict[str, Any], voice: VoiceParts | None = None) -> bytes:
    """The bytes of a checkpoint file."""
    check(config, tensors)
    if voice is None:
        if config.kind in ("steered", "tokens"):
            raise CheckpointError("a network that is steered, or over tokens, is saved with its voice")
        version = CORRECTOR_VERSION if config.kind == "corrector" else VERSION
        return pack(FORMAT, config.to_json(), tensors, info, version=version)
    voices.check(config, voice)
    both = {"network": config.to_json(), **voice.to_json()}
    version = FILTERED_VERSION if voice.postfilter or voice.means else VOICE_VERSION
    return pack(FORMAT, both, tensors | voice.named(), info, version=version)


def save(
    path: str | os.PathLike[str],
    config: ModelConfig,
    tensors: Tensors,
    info: dict[str, Any],
    voice: VoiceParts | None = None,
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
    return Checkpoint(path.stem, path, config, tensors, info, fingerprint.of_bytes(data), voice)


def decode(data: bytes) -> tuple[ModelConfig, Tensors, dict[str, Any], VoiceParts | None]:
    """Config, tensors, card and voice of a checkpoint's bytes, all checked; CheckpointError says what is wrong."""
    if is_classifier(data):
        raise CheckpointError(f"is a classifier, for synth classify; {GENERATORS}")
    raw, tensors, info = unpack(data, FORMAT)
    steered = isinstance(raw, dict) and "network" in raw
    tensors, parts = voices.split(tensors) if steered else (tensors, {})
    try:
        config = ModelConfig.from_json(raw.pop("network") if steered else raw)
        if config.kind == "tokens" or config.is_conditioned != steered:
            raise UsageError("a network that is steered comes with its vocoder")
    except UsageError as error:
        raise CheckpointError(f"its config can't be used ({one_line(error)})") from None
    check(config, tensors)
    return config, tensors, info, voices.read(config, raw, parts) if steered else None
