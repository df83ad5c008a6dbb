"""How far two sets of embeddings are apart: the Fréchet distance between Gaussians of them."""

from __future__ import annotations

import numpy as np

from synth.common.typing import AnyFloats


def frechet(one: AnyFloats, other: AnyFloats) -> float:
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


def frechet_beside_floor(generated: AnyFloats, real: AnyFloats, rounds: int = 20) -> tuple[float, float, int]:
    """Distance of generated embeddings to real ones, the floor (one half of the real to the other), files in each set.

    The estimate is too high by about 1/n of a set of n, so that all sets have the same n, at most half of the real
    ones, and the floor is what sets of one distribution come to at this n. Means over `rounds` random draws.
    """
    count = min(len(generated), len(real) // 2)
    if count < 2:
        return float("nan"), float("nan"), count
    draw, distances, floors = np.random.default_rng(0), [], []
    for _ in range(rounds):
        order = draw.permutation(len(real))
        half, rest = real[order[:count]], real[order[count : 2 * count]]
        distances.append(frechet(generated[draw.permutation(len(generated))[:count]], half))
        floors.append(frechet(half, rest))
    return float(np.mean(distances)), float(np.mean(floors)), count
