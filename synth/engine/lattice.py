"""The linear predictor of a network that is steered, as specified: its weights come with the conditioning, by hop.

They come as reflection coefficients, below 1, so that the filter is stable whatever they are (Markel and Gray,
Linear Prediction of Speech); doubles, every line elementwise, in this order: the same on every IEEE-754 machine.
"""

from __future__ import annotations

import numpy as np

from synth.audio import mulaw
from synth.common.typing import Float64, Int16, Int32, UInt8


class SteeredPredictor:
    """State of one stream's predictor: `history` and `weights` (1, order), newest sample first."""

    def __init__(self, order: int) -> None:
        self.history, self.weights = np.zeros((1, order)), np.zeros((1, order))

    def steer(self, reflections: Int16) -> None:
        """Weights of the frame that begins."""
        self.weights = predictor_weights(reflections)[None]

    def predict(self) -> Int32:
        """The predicted sample (1,), -32768 to 32767."""
        return rounded(folded(self.weights * self.history))

    def push(self, k: int, sample: Int32, error: Int32) -> None:
        """Take the true sample (1,)."""
        self.history = np.concatenate([sample[:, None].astype(np.float64), self.history[:, :-1]], 1)


def folded(v: Float64) -> Float64:
    """The sum over the last axis, a power of two, its halves being added again and again."""
    while v.shape[-1] > 1:
        half = v.shape[-1] // 2
        v = v[..., :half] + v[..., half:]
    return v[..., 0]


def rounded(values: Float64) -> Int32:
    """To the nearest 16-bit sample, halves up."""
    return np.clip(np.floor(values + 0.5), -32768.0, 32767.0).astype(np.int32)


def predictor_weights(reflections: Int16) -> Float64:
    """Weights (..., order) of the last samples, newest first, from 16-bit reflection coefficients (..., order)."""
    k = reflections.astype(np.float64) / 32768.0
    weights = np.zeros(k.shape)
    for m in range(k.shape[-1]):
        before = weights[..., :m].copy()
        weights[..., :m] = before - k[..., m, None] * before[..., ::-1]
        weights[..., m] = k[..., m]
    return weights


def steered_inputs(codes: UInt8, weights: Float64, part: int) -> tuple[UInt8, UInt8]:
    """Predicted and residual codes (uint8 [S, T] each) along rows of codes [S, T].

    `weights` (S, parts, order) are those of `part` samples each. What an engine computes sample by sample.
    """
    samples, order = mulaw.decode(codes).astype(np.float64), weights.shape[2]
    padded = np.pad(samples, ((0, 0), (order, 0)))
    history = np.lib.stride_tricks.sliding_window_view(padded, order, 1)[:, :-1, ::-1]
    v = history * np.repeat(weights, part, 1)[:, : codes.shape[1]]
    guess = rounded(folded(v))
    error = np.clip(samples.astype(np.int32) - guess, -32768, 32767)
    residual = np.full(codes.shape, mulaw.SILENCE, np.uint8)
    residual[:, 1:] = mulaw.ENCODE[error + 32768][:, :-1]
    return mulaw.ENCODE[guess + 32768], residual
