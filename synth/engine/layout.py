"""Names, types, shapes and ranges of the tensors that an integer network of a given config has."""

from __future__ import annotations

from typing import Any

import numpy as np

from synth.common.errors import CheckpointError, EngineError
from synth.common.typing import AnyArray, Int16, Tensors
from synth.engine.config import ModelConfig
from synth.engine.phase import PITCH_UNITS


def layout(config: ModelConfig) -> dict[str, tuple[str, tuple[int, ...]]]:
    """dtype and shape of every tensor."""
    frame, sample, head = config.frame_units, config.sample_units, config.head_units
    tensors: dict[str, tuple[str, tuple[int, ...]]] = {}

    def linear(name: str, rows: int, columns: int) -> None:
        tensors[f"{name}.weight"] = ("int8", (rows, columns))
        tensors[f"{name}.scale"] = ("int16", (rows,))
        tensors[f"{name}.shift"] = ("int32", (1,))

    linear("frame.input", 3 * frame, config.window)
    linear("frame.recurrent", 3 * frame, frame)
    linear("frame.output", 3 * sample, frame)
    linear("sample.recurrent", 3 * sample, sample)
    linear("head.dense", head, sample)
    linear("head.tree", 256, head)
    tensors["frame.input.bias"] = ("int16", (3 * frame,))
    tensors["frame.recurrent.bias"] = ("int16", (frame,))
    tensors["frame.output.bias"] = ("int16", (3 * sample,))
    tensors["sample.recurrent.bias"] = ("int16", (sample,))
    tensors["head.tree.bias"] = ("int16", (256,))
    for k, values in enumerate(config.labels.values()):
        tensors[f"frame.label.{k}"] = ("int16", (len(values) + 1, 3 * frame))
    for name in sample_tables(config):
        tensors[name] = ("int16", (256, 3 * sample))
    tensors[head_table(config)] = ("int16", (256, head))
    tensors["table.sigmoid"] = tensors["table.tanh"] = ("int16", (3, 8))
    tensors["table.probability"] = tensors["table.cost"] = ("uint32", (2048,))
    if has_predictor(config):
        tensors["predictor.start"] = ("float64", (config.order,))
        tensors["predictor.powers"] = ("float64", (config.hop,))
        tensors["predictor.decay"] = ("float64", (1,))
        tensors["predictor.ridge"] = ("float64", (2,))
    return tensors


def has_predictor(config: ModelConfig) -> bool:
    """Whether it has the constants of a least-squares predictor of its own."""
    return config.kind == "generator"


def sample_tables(config: ModelConfig) -> list[str]:
    """The sample tier's tables: of the last code, and of what else it reads."""
    others = [f"hint.{k}" for k in range(config.hints)] or ["predicted", "residual"]
    return [f"sample.{name}" for name in ("code", *others, *["phase"] * config.phases)]


def head_table(config: ModelConfig) -> str:
    """The head's table, of the predicted code or the first hint."""
    return "head.hint" if config.kind == "corrector" else "head.predicted"


def conditioning_units(config: ModelConfig) -> int:
    """Length of a stream's conditioning vector, or 0 for none.

    Reset, update and candidate gates of the frame GRU, then, where codes are samples, the linear predictor's reflection
    coefficients, then, in a network with phases, the pitch (`phase.pack`).
    """
    if not config.is_conditioned:
        return 0
    units = 3 * config.frame_units + (config.order if config.codes_are_samples else 0)
    return units + PITCH_UNITS * config.phases


def check_conditioning(config: ModelConfig, vector: Any) -> Int16:
    """`vector` as int16 [conditioning_units] of its own memory; EngineError when it is of another type or shape."""
    shape = (conditioning_units(config),)
    if not isinstance(vector, np.ndarray) or vector.dtype != np.int16 or vector.shape != shape:
        actual = f"{vector.dtype}{list(vector.shape)}" if isinstance(vector, np.ndarray) else type(vector).__name__
        raise EngineError(f"given is {actual}, must be int16{list(shape)}")  # as saved states call it
    return vector.astype(np.int16)  # also in this machine's byte order


def block_density(weight: AnyArray) -> float:
    """Share of the blocks of 16 rows and 4 columns of a matrix that are not all zeros: the others are not computed."""
    rows, columns = weight.shape
    return float(weight.reshape(rows // 16, 16, columns // 4, 4).any((1, 3)).mean())


def check(config: ModelConfig, tensors: Tensors) -> None:
    """Raise CheckpointError, naming the tensor, when one is missing, unknown, or of another type, shape or range."""
    wanted = layout(config)
    for name in wanted.keys() - tensors.keys():
        raise CheckpointError(f"tensor {name} is missing")
    for name in tensors.keys() - wanted.keys():
        raise CheckpointError(f"tensor {name[:60]!r} is not one that this network has")
    for name, (kind, shape) in wanted.items():
        tensor = tensors[name]
        if tensor.dtype != np.dtype(kind) or tensor.shape != shape:
            raise CheckpointError(f"tensor {name} is {tensor.dtype}{list(tensor.shape)}, must be {kind}{list(shape)}")
        if kind == "float64" and not np.all(np.isfinite(tensor)):
            raise CheckpointError(f"tensor {name} holds a number that is not finite")
        if name.endswith(".weight") and tensor.min() < -127:
            raise CheckpointError(f"tensor {name}: weights must be -127 to 127")
        if name.endswith(".scale") and tensor.min() < 0:
            raise CheckpointError(f"tensor {name}: scales must be 0 or more")
        if name.endswith(".shift") and not 0 <= int(tensor[0]) <= 12:
            raise CheckpointError(f"tensor {name}: the shift must be 0 to 12")
    _check_tables(tensors)
    if has_predictor(config):
        _check_predictor(tensors)


def _check_tables(tensors: Tensors) -> None:
    within = np.arange(1024, dtype=np.int64)
    for name, least, segment in (("table.sigmoid", 16384, 10), ("table.tanh", 0, 9)):
        c = tensors[name].astype(np.int64)[:, :, None]
        d = (within[: 1 << segment] << (15 - segment))[None]
        inner = c[1] + ((d * c[2] + 16384) >> 15)
        y = c[0] + ((d * inner + 16384) >> 15)
        if inner.min() < -32768 or inner.max() > 32767 or y.min() < least or y.max() > 32767:
            raise CheckpointError(f"tensor {name}: the curve leaves its range")
    p = tensors["table.probability"].astype(np.int64)
    if p.min() < 1 or np.any(p + p[::-1] != 1 << 32) or np.any(np.diff(p) < 0):
        raise CheckpointError("tensor table.probability: must rise and be symmetric")
    if tensors["table.cost"].max() > 1 << 22:
        raise CheckpointError("tensor table.cost: a code length is too large")


def _check_predictor(tensors: Tensors) -> None:
    start, ridge = tensors["predictor.start"], tensors["predictor.ridge"]
    steps = np.concatenate([tensors["predictor.powers"], tensors["predictor.decay"]])
    if np.abs(start).max() > 64 or ridge.min() <= 0 or ridge.max() > 1e9 or steps.min() <= 0 or steps.max() > 1:
        raise CheckpointError("tensors predictor.*: a constant is out of range")
