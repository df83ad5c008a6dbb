"""Float weights to the integer network that the engine runs; the curves and tables that it needs beside them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from synth.engine.layout import head_table, sample_tables
from synth.nn.two_tier import ROW_FLOOR, TwoTierNetwork
from synth.nn.vocoder import PITCH_TOKEN, VocoderNetwork
from synth.vocoder import beds
from synth.vocoder.vocoder import UNIT

GATE, STATE, HIDDEN, LOGIT = 1024, 128, 32, 512  # units of 1.0 in gate inputs, 8-bit states, hidden layer, logits


def fixed(values: NDArray[Any], unit: int) -> NDArray[Any]:
    """`values` as int16 with 1.0 at `unit`, saturated."""
    return np.clip(np.rint(values * unit), -32768, 32767).astype(np.int16)


def linear(name: str, weight: NDArray[Any], unit_in: int, unit_out: int) -> dict[str, NDArray[Any]]:
    """8-bit weights, 16-bit scales and the shift of a product from inputs of `unit_in` to outputs of `unit_out`."""
    rows = np.maximum(np.abs(weight).max(1), max(np.abs(weight).max() * ROW_FLOOR, 1e-6))
    step = rows / 127
    gain = step * unit_out / unit_in
    shift = int(np.clip(np.floor(np.log2(32767 / 32768 / gain.max())), 0, 12))
    return {
        f"{name}.weight": np.clip(np.rint(weight / step[:, None]), -127, 127).astype(np.int8),
        f"{name}.scale": np.clip(np.rint(gain * 2.0**shift * 32768), 0, 32767).astype(np.int16),
        f"{name}.shift": np.array([shift], np.int32),
    }


def curve(function: Any, width: float, least: int) -> NDArray[Any]:
    """(3, 8) int16 coefficients of a rising function on 8 segments of `width`, quadratic in the place within each."""
    table = np.zeros((3, 8))
    d = (np.arange(256) + 0.5) / 256
    for segment in range(8):
        y = function((segment + d) * width) * 32768
        fixed_part = least if segment == 0 else None
        basis = np.stack([d**0, d, d * d][1 if segment == 0 else 0 :], 1)
        coefficients = np.linalg.lstsq(basis, y - (least if segment == 0 else 0), rcond=None)[0]
        table[:, segment] = [fixed_part, *coefficients] if segment == 0 else coefficients
    integers = np.rint(table).astype(np.int64)
    d15 = np.arange(32768, dtype=np.int64)[None]
    for _ in range(4):  # keep the top inside 16 bits after rounding
        inner = integers[1][:, None] + ((d15 * integers[2][:, None] + 16384) >> 15)
        y15 = integers[0][:, None] + ((d15 * inner + 16384) >> 15)
        integers[0] -= np.maximum(y15.max(1) - 32767, 0)
    return integers.astype(np.int16)


def tables() -> dict[str, NDArray[Any]]:
    """Curves of sigmoid and tanh, probabilities and code lengths of logits in steps of 1/64."""
    logits = (np.arange(1024) + 0.5) / 64
    upper = np.rint(2.0**32 / (1 + np.exp(-logits)))
    probability = np.concatenate([2.0**32 - upper[::-1], upper])
    return {
        "table.sigmoid": curve(lambda x: 1 / (1 + np.exp(-x)), 1.0, 16384),
        "table.tanh": curve(np.tanh, 0.5, 0),
        "table.probability": probability.astype(np.uint32),
        "table.cost": np.rint(-65536 * np.log2(probability / 2.0**32)).astype(np.uint32),
    }


def quantize(network: TwoTierNetwork, predictor: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """All tensors of the integer network (`synth.engine.layout`) from the float one and its predictor's constants."""
    w = {name: value.detach().cpu().double().numpy() for name, value in network.named_parameters()}
    tree = w["tree"].copy()
    tree[0] = 0.0
    tensors = {**tables(), **predictor}
    tensors |= linear("frame.input", w["frame_input"], STATE, GATE)
    tensors |= linear("frame.recurrent", w["frame_recurrent"], STATE, GATE)
    tensors |= linear("frame.output", w["frame_output"], STATE, GATE)
    tensors |= linear("sample.recurrent", w["sample_recurrent"], STATE, GATE)
    tensors |= linear("head.dense", w["dense"], STATE, GATE)
    tensors |= linear("head.tree", tree, HIDDEN, LOGIT)
    tensors["frame.input.bias"] = fixed(w["frame_bias"], GATE)
    tensors["frame.recurrent.bias"] = fixed(w["frame_inner"], GATE)
    tensors["frame.output.bias"] = fixed(w["frame_output_bias"], GATE)
    tensors["sample.recurrent.bias"] = fixed(w["sample_inner"], GATE)
    tensors["head.tree.bias"] = fixed(w["tree_bias"], LOGIT)
    tensors[head_table(network.config)] = fixed(w["dense_table"], GATE)
    for k in range(len(network.config.labels)):
        tensors[f"frame.label.{k}"] = fixed(w[f"frame_labels.{k}"], GATE)
    for k, name in enumerate(sample_tables(network.config)):
        tensors[name] = fixed(w["tables"][256 * k : 256 * (k + 1)], GATE)
    return tensors


def quantize_vocoder(vocoder: VocoderNetwork) -> dict[str, NDArray[Any]]:
    """The tensors of `synth.vocoder.vocoder.layout`: an encoder in float32, codebooks and conditioner in integers."""
    w = {name: value.detach().cpu().double().numpy() for name, value in vocoder.named_parameters()}
    tensors: dict[str, NDArray[Any]] = {}
    for name in ("out",) if vocoder.config.has_bed else ("0", "1", "2", "out"):
        tensors[f"vocoder.encoder.{name}.weight"] = w[f"encoder_{name}"].astype(np.float32)
        tensors[f"vocoder.encoder.{name}.bias"] = w[f"encoder_{name}_bias"].astype(np.float32)
    tensors["vocoder.books"] = codebooks(vocoder, w["quantisers.books"])
    for name, unit in (("0", UNIT), ("1", STATE), ("out", STATE)):
        tensors |= linear(f"vocoder.condition.{name}", w[f"condition_{name}"], unit, GATE)
    for name in ("0", "1"):
        tensors[f"vocoder.condition.{name}.bias"] = fixed(w[f"condition_{name}_bias"], GATE)
    tensors |= linear("vocoder.reflect", w["reflect"], STATE, GATE)
    tensors["vocoder.reflect.bias"] = fixed(w["reflect_bias"], GATE)
    return tensors | beds.new_tables(vocoder.config, vocoder.network.config.sample_rate)


def codebooks(vocoder: VocoderNetwork, learned: NDArray[Any]) -> NDArray[Any]:
    """All codebooks, int8: with a tonal bed the first is the pitch's, whose entries are its latent's values."""
    books = np.clip(np.rint(learned * UNIT), -127, 127).astype(np.int8)
    if not vocoder.config.tones:
        return books
    whole = np.zeros((vocoder.config.quantisers, *books.shape[1:-1], vocoder.config.latent), np.int8)
    whole[0, :, 0] = np.maximum(np.arange(len(whole[0])) - PITCH_TOKEN, -127)
    whole[1:, :, vocoder.config.pitch_latents :] = books
    return whole
