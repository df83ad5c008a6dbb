"""The least-squares linear predictor, as specified: doubles, every line elementwise, in this order.

Exponentially weighted recursive least squares (Haykin, Adaptive Filter Theory), the covariance brought up to date and
the normal equations solved once a frame by LDL^T. Only + - * / floor and comparisons occur, so the result is the same
on every IEEE-754 machine. All arrays have a leading axis of streams.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from synth.audio import mulaw
from synth.common.typing import Float64, Int32, Tensors, UInt8

WEIGHT_LIMIT = 64.0


@dataclass(frozen=True)
class PredictorTables:
    """Constants of a checkpoint: start weights (order,), powers of the decay (hop,), decay a frame, prior, floor."""

    start: Float64
    powers: Float64
    decay: float
    prior: float
    floor: float

    @classmethod
    def of(cls, tensors: Tensors) -> PredictorTables:
        """The constants among a checkpoint's tensors."""
        prior, floor = (float(value) for value in tensors["predictor.ridge"])
        return cls(
            tensors["predictor.start"], tensors["predictor.powers"], float(tensors["predictor.decay"][0]), prior, floor
        )


class Predictor:
    """State of `streams` predictors side by side."""

    def __init__(self, tables: PredictorTables, streams: int) -> None:
        order, hop = len(tables.start), len(tables.powers)
        self.tables = tables
        self.history = np.zeros((streams, order))
        self.weights = np.tile(tables.start, (streams, 1))
        self.covariance = np.zeros((streams, order, order))
        self.covariance[:, np.arange(order), np.arange(order)] = tables.prior
        self.correlation = np.tile(tables.prior * tables.start, (streams, 1))
        self.scale = np.full(streams, 16.0)
        self.rows = np.zeros((streams, hop, order))
        self.targets = np.zeros((streams, hop))
        self.gains = np.zeros((streams, hop))

    def predict(self) -> Int32:
        """Predicted samples (streams,), -32768 to 32767."""
        v = self.weights * self.history
        while v.shape[1] > 1:
            half = v.shape[1] // 2
            v = v[:, :half] + v[:, half:]
        whole = np.floor(v[:, 0] + 0.5)
        whole = np.where(whole >= -32768.0, whole, -32768.0)
        return np.where(whole > 32767.0, 32767.0, whole).astype(np.int32)

    def push(self, k: int, sample: Int32, error: Int32) -> None:
        """Take the true samples (streams,) and the prediction's errors at place `k` of the frame."""
        self.scale = self.scale + (np.abs(error).astype(np.float64) - self.scale) * 0.0625
        self.rows[:, k] = self.history
        self.targets[:, k] = sample
        self.gains[:, k] = self.tables.powers[k] / (self.scale + 1.0)
        self.history[:, 1:] = self.history[:, :-1].copy()
        self.history[:, 0] = sample

    def update(self) -> None:
        """At the end of a frame: add its samples to the covariance and solve for new weights."""
        self.covariance = self.covariance * self.tables.decay
        self.correlation = self.correlation * self.tables.decay
        for k in range(self.rows.shape[1]):
            row = self.rows[:, k]
            weighted = self.gains[:, k, None] * row
            # the entry with i >= j counts for both
            term = weighted[:, :, None] * row[:, None, :]
            lower = np.tril(np.ones(term.shape[1:], bool))
            self.covariance = self.covariance + np.where(lower, term, term.transpose(0, 2, 1))
            self.correlation = self.correlation + weighted * self.targets[:, k, None]
        self.rows[:], self.targets[:], self.gains[:] = 0.0, 0.0, 0.0
        self._solve()

    def _solve(self) -> None:
        order, floor = self.history.shape[1], self.tables.floor
        m = self.covariance.copy()
        m[:, np.arange(order), np.arange(order)] += floor
        y = self.correlation.copy()
        lower, inverse = np.zeros_like(m), np.zeros_like(y)
        for j in range(order):
            pivot = m[:, j, j]
            pivot = np.where(pivot >= floor * 0.5, pivot, floor * 0.5)
            inverse[:, j] = 1.0 / pivot
            column = m[:, j + 1 :, j].copy()
            scaled = column * inverse[:, j, None]
            lower[:, j + 1 :, j] = scaled
            m[:, j + 1 :, j + 1 :] = m[:, j + 1 :, j + 1 :] - scaled[:, :, None] * column[:, None, :]
            y[:, j + 1 :] = y[:, j + 1 :] - scaled * y[:, j, None]
        y = y * inverse
        for i in range(order - 1, 0, -1):
            y[:, :i] = y[:, :i] - lower[:, i, :i] * y[:, i, None]
        sound = np.all(np.abs(y) <= WEIGHT_LIMIT, axis=1, keepdims=True)
        self.weights = np.where(sound, y, self.tables.start)


def predict_codes(codes: UInt8, tensors: Tensors) -> tuple[UInt8, UInt8]:
    """Predicted and residual codes (streams, time) that the sample tier reads, given all codes (streams, time)."""
    predictor = Predictor(PredictorTables.of(tensors), codes.shape[0])
    hop = len(predictor.tables.powers)
    samples = mulaw.decode(codes).astype(np.int32)
    predicted, residual = np.empty_like(codes), np.empty_like(codes)
    last = np.full(codes.shape[0], mulaw.SILENCE, np.uint8)
    for t in range(codes.shape[1]):
        if t and t % hop == 0:
            predictor.update()
        guess = predictor.predict()
        error = samples[:, t] - guess
        predicted[:, t], residual[:, t] = mulaw.ENCODE[guess + 32768], last
        predictor.push(t % hop, samples[:, t], error)
        last = mulaw.ENCODE[np.clip(error, -32768, 32767) + 32768]
    return predicted, residual
