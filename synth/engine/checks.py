"""What must hold of a checkpoint's tensors before any engine computes with them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from synth.config import ModelConfig
from synth.errors import CheckpointError

Tensors = dict[str, NDArray[Any]]


def expected(config: ModelConfig) -> dict[str, tuple[str, tuple[int, ...]]]:
    """Type and shape of every tensor that a network of this config has."""
    frame, sample, head = config.frame_units, config.sample_units, config.head_units
    linear = {
        "frame.input": (3 * frame, config.window),
        "frame.recurrent": (3 * frame, frame),
        "frame.output": (3 * sample, frame),
        "sample.recurrent": (3 * sample, sample),
        "head.dense": (head, sample),
        "head.tree": (256, head),
    }
    bias = {"frame.input": 3 * frame, "frame.recurrent": frame, "frame.output": 3 * sample}
    bias.update({"sample.recurrent": sample, "head.tree": 256})
    names: dict[str, tuple[str, tuple[int, ...]]] = {}
    for name, shape in linear.items():
        names[f"{name}.weight"] = ("int8", shape)
        names[f"{name}.scale"] = ("int16", shape[:1])
        names[f"{name}.shift"] = ("int32", (1,))
    names.update({f"{name}.bias": ("int16", (rows,)) for name, rows in bias.items()})
    for k, (_, values) in enumerate(config.labels):
        names[f"frame.label.{k}"] = ("int16", (len(values) + 1, 3 * frame))
    names.update({f"sample.{name}": ("int16", (256, 3 * sample)) for name in ("code", "predicted", "residual")})
    names["head.predicted"] = ("int16", (256, head))
    names.update({f"table.{name}": ("int16", (3, 8)) for name in ("sigmoid", "tanh")})
    names.update({f"table.{name}": ("uint32", (2048,)) for name in ("probability", "cost")})
    lengths = {"start": config.order, "powers": config.hop, "decay": 1, "ridge": 2}
    names.update({f"predictor.{name}": ("float64", (length,)) for name, length in lengths.items()})
    return names


def _need(good: bool, message: str) -> None:
    if not good:
        raise CheckpointError(message)


def _check_curve(name: str, table: NDArray[Any], segment: int, least: int) -> None:
    """No step of the curve leaves 16 bits, and its values are `least` to 32767."""
    size = np.arange(8 << segment)
    place, within = size >> segment, (size & ((1 << segment) - 1)) << (15 - segment)
    rows = table.astype(np.int64)
    inner = rows[1][place] + ((within * rows[2][place] + 16384) >> 15)
    value = rows[0][place] + ((within * inner + 16384) >> 15)
    _need(bool(np.all(np.abs(inner) <= 32767)), f"tensor {name}: the curve leaves 16 bits")
    _need(bool(np.all((value >= least) & (value <= 32767))), f"tensor {name}: the curve leaves its range")


def check_tensors(config: ModelConfig, tensors: Tensors) -> None:
    """Raises CheckpointError, naming the tensor, for one that is missing, unknown, or of wrong type, shape or range."""
    known = expected(config)
    for name in tensors:
        _need(name in known, f"tensor {name}: not one of this network's")
    for name, (kind, shape) in known.items():
        _need(name in tensors, f"tensor {name}: missing")
        have = tensors[name]
        _need(have.dtype == np.dtype(kind), f"tensor {name}: is {have.dtype}, must be {kind}")
        _need(have.shape == shape, f"tensor {name}: has shape {have.shape}, must be {shape}")
        if name.endswith(".weight"):
            _need(int(have.min()) >= -127, f"tensor {name}: must be -127 to 127")
        if name.endswith(".scale"):
            _need(int(have.min()) >= 0, f"tensor {name}: must be 0 or more")
        if name.endswith(".shift"):
            _need(0 <= int(have[0]) <= 12, f"tensor {name}: must be 0 to 12")
        if kind == "float64":
            _need(bool(np.all(np.isfinite(have))), f"tensor {name}: holds what is not a finite number")
    _check_curve("table.sigmoid", tensors["table.sigmoid"], 10, 16384)
    _check_curve("table.tanh", tensors["table.tanh"], 9, 0)
