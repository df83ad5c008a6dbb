"""The linear predictor of a network that is steered, as specified: its weights come with the conditioning, by hop.

They are given as reflection coefficients, below 1, so that the filter is stable whatever is said (Markel and Gray,
Linear Prediction of Speech); doubles, every line elementwise, in this order: the same on every IEEE-754 machine.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from synth import mulaw

Doubles = NDArray[np.float64]


def predictor_weights(reflections: NDArray[np.int16]) -> Doubles:
    """Weights (..., order) of the last samples, newest first, from 16-bit reflection coefficients (..., order)."""
    k = reflections.astype(np.float64) / 32768.0
    weights = np.zeros(k.shape)
    for m in range(k.shape[-1]):
        before = weights[..., :m].copy()
        weights[..., :m] = before - k[..., m, None] * before[..., ::-1]
        weights[..., m] = k[..., m]
    return weights


def steered_inputs(
    codes: NDArray[np.uint8], weights: Doubles, part: int
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Predicted and residual codes (uint8 [S, T] each) along rows of codes [S, T].

    `weights` (S, parts, order) are those of `part` samples each. What an engine computes sample by sample.
    """
    samples, order = mulaw.decode(codes).astype(np.float64), weights.shape[2]
    padded = np.pad(samples, ((0, 0), (order, 0)))
    history = np.lib.stride_tricks.sliding_window_view(padded, order, 1)[:, :-1, ::-1]
    v = history * np.repeat(weights, part, 1)[:, : codes.shape[1]]
    while v.shape[2] > 1:
        half = v.shape[2] // 2
        v = v[:, :, :half] + v[:, :, half:]
    guess = np.clip(np.floor(v[:, :, 0] + 0.5), -32768.0, 32767.0)
    error = np.clip(samples - guess, -32768.0, 32767.0).astype(np.int32)
    residual = np.full(codes.shape, mulaw.SILENCE, np.uint8)
    residual[:, 1:] = mulaw.ENCODE[error + 32768][:, :-1]
    return mulaw.ENCODE[guess.astype(np.int32) + 32768], residual
