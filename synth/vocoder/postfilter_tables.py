"""The tables of a voice's postfilter: integers that its checkpoint holds, so that all of its arithmetic is exact."""

from __future__ import annotations

import numpy as np

from synth.audio.features import mel_filters
from synth.common.errors import CheckpointError
from synth.common.typing import Int16, Int64, Tensors
from synth.vocoder.config import VocoderConfig, features_of
from synth.vocoder.envelope import UNIT

WINDOW, COSINE, WEIGHT, POWER = 15, 14, 8, 15
"""Binary places of the tables."""
ENTRIES = 256
"""Of the tables of logarithms and powers."""


def layout(config: VocoderConfig, rate: int) -> dict[str, tuple[str, tuple[int, ...]]]:
    """dtype and shape of a postfilter's tables."""
    features = features_of(config, rate)
    bins = features.fft // 2 + 1
    return {
        "postfilter.window": ("int16", (features.window,)),
        "postfilter.cosine": ("int16", (features.fft,)),
        "postfilter.bands": ("int16", (bins, config.mels)),
        "postfilter.shares": ("int16", (config.mels, bins)),
        "postfilter.logarithm": ("int16", (ENTRIES,)),
        "postfilter.power": ("int32", (ENTRIES,)),
    }


def new_tables(config: VocoderConfig, rate: int) -> Tensors:
    """The tables of `layout`, for a new checkpoint; later they are read from it."""
    features = features_of(config, rate)
    bands = mel_filters(rate, features.fft, config.mels).astype(np.float64)
    sums = bands.sum(1, keepdims=True)
    # bins below the first band's middle and above the last one's belong to it
    shares = np.where(sums > 0, bands / np.maximum(sums, 1e-9), 0.0)
    shares[0, 0], shares[-1, -1] = 1.0, 1.0
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(features.window) / features.window)
    entry = np.arange(ENTRIES) / ENTRIES
    return {
        "postfilter.window": np.minimum(np.rint(window * 2**WINDOW), 2**WINDOW - 1).astype(np.int16),
        "postfilter.cosine": np.rint(np.cos(2 * np.pi * np.arange(features.fft) / features.fft) * 2**COSINE).astype(
            np.int16
        ),
        "postfilter.bands": np.rint(bands * 2**WEIGHT).astype(np.int16),
        "postfilter.shares": np.rint(shares * 2**WEIGHT).T.astype(np.int16),
        "postfilter.logarithm": np.rint(UNIT * np.log2(1 + entry + 0.5 / ENTRIES)).astype(np.int16),
        "postfilter.power": np.rint(2.0 ** (POWER + entry)).astype(np.int32),
    }


def check_tables(config: VocoderConfig, rate: int, tensors: Tensors) -> None:
    """CheckpointError when a table would break the arithmetic; types and shapes were checked before."""
    if features_of(config, rate).window % 2:  # a frame is folded in its middle
        raise CheckpointError(f"sample rate {rate}: a postfilter's window can't be an odd number of samples")
    bounds = {"window": (0, 32767), "cosine": (-16384, 16384), "bands": (0, 256), "shares": (0, 256)}
    bounds |= {"logarithm": (0, UNIT), "power": (1 << POWER, 2 << POWER)}
    for name, (least, most) in bounds.items():
        tensor = tensors[f"postfilter.{name}"]
        if tensor.min() < least or tensor.max() > most:
            raise CheckpointError(f"tensor postfilter.{name}: values must be {least} to {most}")
    cosine = tensors["postfilter.cosine"]
    if (cosine[1:] != cosine[:0:-1]).any() or (cosine != -np.roll(cosine, len(cosine) // 2)).any():
        raise CheckpointError("tensor postfilter.cosine: lacks the symmetries of a cosine")
    if tensors["postfilter.bands"].astype(np.int64).sum(0).max() > 1 << 15:
        raise CheckpointError("tensor postfilter.bands: a band's weights are too many")
    if (window_sums(tensors["postfilter.window"], features_of(config, rate).hop) < 1 << WINDOW - 2).any():
        raise CheckpointError("tensor postfilter.window: leaves a gap between frames")


def window_sums(window: Int16, hop: int) -> Int64:
    """Sums of the windows of all frames, `hop` samples apart, at each place (hop,) from a frame's middle on."""
    places = (np.arange(len(window)) - len(window) // 2) % hop
    return np.bincount(places, window.astype(np.float64), hop).astype(np.int64)
