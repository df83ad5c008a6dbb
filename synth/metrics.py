"""How well answers fit: accuracy, mean average precision, confusion; how far two sets of embeddings are apart."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def accuracy(scores: NDArray[np.floating[Any]], answers: NDArray[np.integer[Any]]) -> float:
    """Share of the sounds whose greatest score (sounds, values) is the answer's (sounds,); NaN without any known."""
    known = answers >= 0
    return float(np.mean(scores[known].argmax(axis=1) == answers[known])) if known.any() else float("nan")


def average_precision(scores: NDArray[np.floating[Any]], wanted: NDArray[Any]) -> float:
    """Of one tag: the mean, over the sounds that have it, of the precision down to that sound; NaN without any.

    `scores` (sounds,), `wanted` (sounds,) 0 or 1. Sounds of equal scores count as one step, as in scikit-learn.
    """
    order = np.argsort(-scores, kind="stable")
    ranked, hits = scores[order], np.cumsum(wanted[order] > 0)
    if not len(hits) or not hits[-1]:
        return float("nan")
    ends = np.append(np.flatnonzero(np.diff(ranked)), len(ranked) - 1)  # the last sound of each score
    found = hits[ends]
    gained = np.diff(found, prepend=0)
    return float(np.sum(gained * found / (ends + 1)) / hits[-1])


def mean_average_precision(scores: NDArray[np.floating[Any]], wanted: NDArray[Any]) -> float:
    """Over the tags that some sound has; `scores` and `wanted` (sounds, tags), sounds of unknown tags (-1) left out."""
    known = wanted[:, 0] >= 0 if wanted.size else np.zeros(0, bool)
    each = [average_precision(scores[known, tag], wanted[known, tag]) for tag in range(wanted.shape[1])]
    each = [value for value in each if not np.isnan(value)]
    return float(np.mean(each)) if each else float("nan")


def confusion(scores: NDArray[np.floating[Any]], answers: NDArray[np.integer[Any]], values: int) -> NDArray[np.int64]:
    """Counts (values, values): row the answer, column the greatest score; unknown answers (-1) are left out."""
    table = np.zeros((values, values), np.int64)
    known = answers >= 0
    np.add.at(table, (answers[known], scores[known].argmax(axis=1)), 1)
    return table


def frechet(one: NDArray[np.floating[Any]], other: NDArray[np.floating[Any]]) -> float:
    """Fréchet distance between Gaussians of two sets of embeddings (n, d), (m, d), each of at least two.

    |mean difference|² + trace(A + B - 2 (A B)^½), A and B the covariances (Fréchet audio distance, Kilgour et al. 2019,
    arXiv 1812.08466). The trace of (A B)^½ is that of (A^½ B A^½)^½, which is symmetric: its eigenvalues are real.
    """
    a, b = np.cov(one.astype(np.float64), rowvar=False), np.cov(other.astype(np.float64), rowvar=False)
    a, b = np.atleast_2d(a), np.atleast_2d(b)
    values, vectors = np.linalg.eigh(a)
    root = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    mixed = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ b @ root), 0)).sum()
    apart = one.mean(axis=0, dtype=np.float64) - other.mean(axis=0, dtype=np.float64)
    return float(max(0.0, apart @ apart + np.trace(a) + np.trace(b) - 2 * mixed))


def frechet_beside_floor(
    made: NDArray[np.floating[Any]], real: NDArray[np.floating[Any]], rounds: int = 20
) -> tuple[float, float, int]:
    """Distance of made embeddings to real ones, the floor (one half of the real to the other), and files in each set.

    The estimate is too high by about 1/n of a set of n, so that all sets have the same n, at most half of the real
    ones, and the floor is what sets of one distribution come to at this n. Means over `rounds` random draws.
    """
    count = min(len(made), len(real) // 2)
    if count < 2:
        return float("nan"), float("nan"), count
    draw, distances, floors = np.random.default_rng(0), [], []
    for _ in range(rounds):
        order = draw.permutation(len(real))
        half, rest = real[order[:count]], real[order[count : 2 * count]]
        distances.append(frechet(made[draw.permutation(len(made))[:count]], half))
        floors.append(frechet(half, rest))
    return float(np.mean(distances)), float(np.mean(floors)), count
