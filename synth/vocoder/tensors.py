"""Names, types, shapes and ranges of the tensors that a vocoder has beside its network's."""

from __future__ import annotations

import numpy as np

from synth.common.errors import CheckpointError
from synth.common.typing import Tensors
from synth.engine.config import ModelConfig
from synth.vocoder import beds
from synth.vocoder.config import CODES, TAPS, VocoderConfig


def layout(config: VocoderConfig, model: ModelConfig) -> dict[str, tuple[str, tuple[int, ...]]]:
    """dtype and shape of the tensors that a vocoder has beside its network's."""
    units, wide, latent = config.encoder_units, config.units, config.latent
    tensors: dict[str, tuple[str, tuple[int, ...]]] = {}
    encoder = [
        ("encoder.0", units, TAPS * config.inputs),
        ("encoder.1", units, 4 * units),
        ("encoder.2", units, TAPS * units),
        ("encoder.out", latent, units),
    ]
    if config.has_bed:
        encoder = [("encoder.out", config.learned, 2 * config.inputs)]
    for name, rows, columns in encoder:
        tensors[f"vocoder.{name}.weight"] = ("float32", (rows, columns))
        tensors[f"vocoder.{name}.bias"] = ("float32", (rows,))
    tensors["vocoder.books"] = ("int8", (config.quantisers, CODES, latent))
    for name, rows, columns in (
        ("condition.0", wide, TAPS * latent),
        ("condition.1", wide, TAPS * wide),
        ("condition.out", config.parts * 3 * model.frame_units, wide),
        ("reflect", config.parts * model.order, wide),
    ):
        tensors[f"vocoder.{name}.weight"] = ("int8", (rows, columns))
        tensors[f"vocoder.{name}.scale"] = ("int16", (rows,))
        tensors[f"vocoder.{name}.shift"] = ("int32", (1,))
    tensors["vocoder.condition.0.bias"] = tensors["vocoder.condition.1.bias"] = ("int16", (wide,))
    tensors["vocoder.reflect.bias"] = ("int16", (config.parts * model.order,))
    return tensors | beds.layout(config)


def check_vocoder(config: VocoderConfig, model: ModelConfig, tensors: Tensors) -> None:
    """CheckpointError when a tensor of a vocoder is missing, unknown, or of another type, shape or range."""
    check_tensors("vocoder", layout(config, model), tensors)
    beds.check_tables(config, tensors)


def check_tensors(what: str, wanted: dict[str, tuple[str, tuple[int, ...]]], tensors: Tensors) -> None:
    """CheckpointError when `tensors` of a `what` are not those `wanted`, or out of the range that their names have."""
    for name in tensors.keys() - wanted.keys():
        raise CheckpointError(f"tensor {name[:60]!r} is not one that this {what} has")
    for name, (kind, shape) in wanted.items():
        if name not in tensors:
            raise CheckpointError(f"tensor {name} is missing")
        tensor = tensors[name]
        if tensor.dtype != np.dtype(kind) or tensor.shape != shape:
            raise CheckpointError(f"tensor {name} is {tensor.dtype}{list(tensor.shape)}, must be {kind}{list(shape)}")
        if kind == "float32" and not np.all(np.isfinite(tensor)):
            raise CheckpointError(f"tensor {name} holds a number that is not finite")
        if name.endswith((".weight", ".books")) and kind == "int8" and tensor.min() < -127:
            raise CheckpointError(f"tensor {name}: values must be -127 to 127")
        if name.endswith(".scale") and tensor.min() < 0:
            raise CheckpointError(f"tensor {name}: scales must be 0 or more")
        if name.endswith(".shift") and not 0 <= int(tensor[0]) <= 12:
            raise CheckpointError(f"tensor {name}: the shift must be 0 to 12")
