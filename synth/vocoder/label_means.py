"""Where the sounds of each label lie among a voice's vectors, and how to move a sound from one label to another.

Attribute vectors (White, "Sampling Generative Networks", arXiv 1609.04468): the mean vector of all that has one label
value less that of another is added to every frame; what the label does not tell stays.
"""

from __future__ import annotations

import numpy as np

from synth.common.labels import LabelSet
from synth.common.typing import Float32, Tensors

STRENGTH = 2.0
"""Of a move, in differences of means: a mean hides much of what tells two voices apart."""


def layout(labels: LabelSet, latent: int) -> dict[str, tuple[str, tuple[int, ...]]]:
    """dtype and shape of the means: of files' mean vectors, by label key and value; the spread is of single vectors."""
    found = {f"means.label.{k}": ("float32", (len(values), latent)) for k, values in enumerate(labels.values())}
    return {**found, "means.spread": ("float32", (latent,))}


def measured(labels: LabelSet, heard: list[tuple[tuple[int, ...], Float32]]) -> Tensors:
    """The means, of files' label rows (from 1; 0 is none) and vectors (frames, latent)."""
    means = np.stack([vectors.mean(0) for _, vectors in heard])
    rows = np.array([rows for rows, _ in heard])
    found: Tensors = {"means.spread": np.concatenate([vectors for _, vectors in heard]).std(0) + np.float32(0.01)}
    for k, values in enumerate(labels.values()):
        of = [means[rows[:, k] == value + 1] for value in range(len(values))]
        whole = means.mean(0)
        found[f"means.label.{k}"] = np.stack([each.mean(0) if len(each) else whole for each in of]).astype(np.float32)
    return found


def moved(vectors: Float32, rows: tuple[int, ...], means: Tensors) -> Float32:
    """Vectors (frames, latent) moved to the labels of `rows` (0: any), each from the value whose mean is nearest.

    Without means, as older voices are, they stay where they are.
    """
    nearest = vectors.mean(0)
    for k, row in enumerate(rows if means else ()):
        if row:
            table = means[f"means.label.{k}"]
            distance = np.square((table - nearest) / means["means.spread"]).sum(1)
            vectors = vectors + np.float32(STRENGTH) * (table[row - 1] - table[int(distance.argmin())])
    return vectors
