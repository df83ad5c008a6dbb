"""Predictors that the ablation puts in the place of the engine's least squares: none, and a sign-error LMS filter."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from synth.audio import mulaw
from synth.common.typing import Tensors, UInt8

Codes = UInt8
Predict = Callable[[Codes, Tensors], tuple[Codes, Codes]]
"""From mu-law codes (streams, samples) and the predictor's constants to predicted and residual codes of that shape."""
LMS_STEP = 0.006  # the best of a few on training streams


def silent(codes: Codes, tensors: Tensors) -> tuple[Codes, Codes]:
    """Nothing is predicted."""
    silence = np.full_like(codes, mulaw.SILENCE)
    return silence, silence


def sign_lms(codes: Codes, tensors: Tensors) -> tuple[Codes, Codes]:
    """Predicted and residual codes of a sign-error LMS filter, its step scaled by the loudness of its history."""
    samples = mulaw.decode(codes).astype(np.float64)
    weights = np.tile(tensors["predictor.start"], (len(codes), 1))
    history, last = np.zeros_like(weights), np.full(len(codes), mulaw.SILENCE, np.uint8)
    predicted, residual = np.empty_like(codes), np.empty_like(codes)
    for t in range(codes.shape[1]):
        guess = np.clip(np.floor((weights * history).sum(1) + 0.5), -32768, 32767)
        error = samples[:, t] - guess
        predicted[:, t], residual[:, t] = mulaw.ENCODE[guess.astype(np.int32) + 32768], last
        last = mulaw.ENCODE[np.clip(error, -32768, 32767).astype(np.int32) + 32768]
        scale = np.sqrt((history * history).mean(1)) + 16
        weights += (LMS_STEP * np.sign(error) / scale)[:, None] * history
        history[:, 1:] = history[:, :-1].copy()
        history[:, 0] = samples[:, t]
    return predicted, residual
