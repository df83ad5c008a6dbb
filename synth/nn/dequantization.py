"""The inverse of `synth.nn.quantization`: float weights from an integer checkpoint, to train on from there."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from synth.common.typing import Tensors
from synth.engine.config import ModelConfig
from synth.engine.layout import head_table, sample_tables
from synth.nn.quantization import GATE, HIDDEN, LOGIT, STATE
from synth.vocoder.config import VocoderConfig
from synth.vocoder.vocoder import UNIT

Weights = dict[str, NDArray[Any]]
"""float32 arrays by the names of a network's parameters."""


def linear_weight(tensors: Tensors, name: str, unit_in: int, unit_out: int) -> NDArray[Any]:
    """The float weight (rows, columns) that `quantization.linear` made the tensors `name` of."""
    shift = int(tensors[f"{name}.shift"][0])
    step = tensors[f"{name}.scale"].astype(np.float64) / (2.0**shift * 32768) * unit_in / unit_out
    return (tensors[f"{name}.weight"].astype(np.float64) * step[:, None]).astype(np.float32)


def real(values: NDArray[Any], unit: int) -> NDArray[Any]:
    """Integers with 1.0 at `unit` as float32."""
    return (values.astype(np.float64) / unit).astype(np.float32)


def dequantize(config: ModelConfig, tensors: Tensors) -> Weights:
    """The parameters of a `TwoTierNetwork` of `config` from its integer tensors; `quantize` gives these again."""
    weights = {
        "frame_input": linear_weight(tensors, "frame.input", STATE, GATE),
        "frame_recurrent": linear_weight(tensors, "frame.recurrent", STATE, GATE),
        "frame_output": linear_weight(tensors, "frame.output", STATE, GATE),
        "sample_recurrent": linear_weight(tensors, "sample.recurrent", STATE, GATE),
        "dense": linear_weight(tensors, "head.dense", STATE, GATE),
        "tree": linear_weight(tensors, "head.tree", HIDDEN, LOGIT),
        "frame_bias": real(tensors["frame.input.bias"], GATE),
        "frame_inner": real(tensors["frame.recurrent.bias"], GATE),
        "frame_output_bias": real(tensors["frame.output.bias"], GATE),
        "sample_inner": real(tensors["sample.recurrent.bias"], GATE),
        "tree_bias": real(tensors["head.tree.bias"], LOGIT),
        "dense_table": real(tensors[head_table(config)], GATE),
        "tables": np.concatenate([real(tensors[name], GATE) for name in sample_tables(config)]),
    }
    for k in range(len(config.labels)):
        weights[f"frame_labels.{k}"] = real(tensors[f"frame.label.{k}"], GATE)
    return weights


def dequantize_vocoder(model: ModelConfig, tensors: Tensors, config: VocoderConfig, own: Tensors) -> Weights:
    """Parameters of a `VocoderNetwork` from a voice's tensors: those of its network, and its `own` of the vocoder.

    What a checkpoint does not have is not among them: how features are read off latents, how often codes were used.
    """
    weights = {f"network.{name}": weight for name, weight in dequantize(model, tensors).items()}
    for name in ("out",) if config.has_bed else ("0", "1", "2", "out"):
        weights[f"encoder_{name}"] = own[f"vocoder.encoder.{name}.weight"]
        weights[f"encoder_{name}_bias"] = own[f"vocoder.encoder.{name}.bias"]
    for name, unit in (("0", UNIT), ("1", STATE), ("out", STATE)):
        weights[f"condition_{name}"] = linear_weight(own, f"vocoder.condition.{name}", unit, GATE)
    for name in ("0", "1"):
        weights[f"condition_{name}_bias"] = real(own[f"vocoder.condition.{name}.bias"], GATE)
    weights["reflect"] = linear_weight(own, "vocoder.reflect", STATE, GATE)
    weights["reflect_bias"] = real(own["vocoder.reflect.bias"], GATE)
    first = 1 if config.tones else 0  # that of the pitch, which is not learned
    weights["quantisers.books"] = real(own["vocoder.books"][first:, :, config.pitch_latents :], UNIT)
    return weights


def with_labels(weights: Weights, before: ModelConfig, after: ModelConfig, prefix: str = "") -> Weights:
    """The same weights with label tables for the labels of `after`: rows of values that `before` had too, else 0.

    `prefix`: of the names of the two-tier network's parameters.
    """
    kept = {name: weight for name, weight in weights.items() if not name.startswith(f"{prefix}frame_labels.")}
    keys = list(before.labels)
    for k, (key, values) in enumerate(after.labels.items()):
        table = np.zeros((len(values) + 1, 3 * after.frame_units), np.float32)
        if key in keys:
            old, places = weights[f"{prefix}frame_labels.{keys.index(key)}"], list(before.labels[key])
            table[0] = old[0]
            for row, value in enumerate(values, 1):
                if value in places:
                    table[row] = old[1 + places.index(value)]
        kept[f"{prefix}frame_labels.{k}"] = table
    return kept
