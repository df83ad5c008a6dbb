"""The linear predictor for training: its constants, its start weights from a corpus, its codes along whole streams."""

from __future__ import annotations

import numpy as np

from synth.audio import mulaw
from synth.common.typing import Float64, Tensors
from synth.data.corpus import Corpus
from synth.engine import predict_codes
from synth.engine.config import ModelConfig

__all__ = ["fit_start", "predict_codes", "predictor_tensors"]

RIDGE = (100.0, 1.0)  # prior of the start weights; floor of the diagonal


def predictor_tensors(config: ModelConfig, start: Float64) -> Tensors:
    """The constants that a checkpoint carries, with `start` (order,) as the weights of a fresh stream."""
    powers = np.array([config.decay ** (config.hop - 1 - k) for k in range(config.hop)])
    return {
        "predictor.start": np.asarray(start, np.float64),
        "predictor.powers": powers,
        "predictor.decay": np.array([config.decay**config.hop]),
        "predictor.ridge": np.array(RIDGE),
    }


def fit_start(corpus: Corpus, order: int, most: int = 400) -> Float64:
    """Least-squares weights (order,) over stretches of the training files, each weighted by its loudness."""
    covariance, correlation = np.zeros((order, order)), np.zeros(order)
    entries = corpus.split("train")
    for entry in entries[:: max(1, len(entries) // most)]:
        sound = mulaw.decode(mulaw.encode(corpus.samples(entry, 0, 4 * corpus.rate))).astype(np.float64)
        if len(sound) <= order:
            continue
        past = np.lib.stride_tricks.sliding_window_view(sound, order)[:-1, ::-1]
        weight = 1 / (np.mean(sound * sound) + 100) / len(sound)
        covariance += weight * (past.T @ past)
        correlation += weight * (past.T @ sound[order:])
    covariance += np.eye(order) * (1e-4 * np.trace(covariance) / order + 1e-9)
    return np.asarray(np.linalg.solve(covariance, correlation), np.float64)
