"""Small random quantised networks for tests: tensors of a checkpoint that fit a config, no training, no torch."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from synth.common.typing import Tensors
from synth.engine.config import ModelConfig
from synth.engine.layout import layout


def _curve(function: Any, segment: int, least: int) -> NDArray[np.int16]:
    """Table (3, 8) of quadratics through the start, middle and end of each segment; Q10 in, Q15 out."""
    width = 1 << segment
    table = np.zeros((3, 8), np.int64)
    for place in range(8):
        start, middle, end = (function((place + part) * width / 1024) for part in (0.0, 0.5, 1.0))
        square = 2 * (start + end - 2 * middle)
        table[:, place] = np.round(np.array([start, end - start - square, square]) * 32752)
    table[0] = np.maximum(table[0], least)
    return np.clip(table, -32768, 32767).astype(np.int16)


def _predictor(config: ModelConfig) -> Tensors:
    start = np.zeros(config.order)
    start[:3] = 1.5, -0.75, 0.125
    powers = np.ones(config.hop)
    for k in range(config.hop - 2, -1, -1):
        powers[k] = powers[k + 1] * config.decay
    return {
        "predictor.start": start,
        "predictor.powers": powers,
        "predictor.decay": powers[:1] * config.decay,
        "predictor.ridge": np.array([100.0, 1.0]),
    }


def _tables() -> Tensors:
    probability = np.empty(2048, np.int64)
    logit = (np.arange(1024, 2048) - 1023.5) / 64
    probability[1024:] = np.round(4294967296.0 / (1 + np.exp(-logit)))
    probability[:1024] = 4294967296 - probability[:1023:-1]
    probability = np.clip(probability, 1, 4294967295)
    return {
        "table.sigmoid": _curve(lambda x: 1 / (1 + np.exp(-x)), 10, 16384),
        "table.tanh": _curve(np.tanh, 9, 0),
        "table.probability": probability.astype(np.uint32),
        "table.cost": np.round(-np.log2(probability / 4294967296.0) * 65536).astype(np.uint32),
    }


def random_tensors(config: ModelConfig, seed: int, wild: bool = False) -> Tensors:
    """Every tensor of a network of this config. `wild`: values over their whole ranges, so that much saturates."""
    random = np.random.default_rng(seed)
    known = {**_tables(), **_predictor(config)}
    tensors: Tensors = {name: tensor for name, tensor in known.items() if name in layout(config)}
    for name, (kind, shape) in layout(config).items():
        if name in tensors:
            continue
        if kind == "int8":
            tensors[name] = random.integers(-127, 128, shape).astype(np.int8)
        elif name.endswith(".scale"):
            tensors[name] = random.integers(0 if wild else 2000, 32768, shape).astype(np.int16)
        elif name.endswith(".shift"):
            tensors[name] = random.integers(0 if wild else 4, 13 if wild else 7, shape).astype(np.int32)
        elif wild:
            tensors[name] = random.integers(-32768, 32768, shape).astype(np.int16)
        else:
            tensors[name] = np.clip(random.normal(0, 700, shape), -32768, 32767).astype(np.int16)
    tensors["head.tree.weight"][0], tensors["head.tree.scale"][0], tensors["head.tree.bias"][0] = 0, 0, 0
    return tensors
