"""Where the sounds of each label lie among a voice's latents, and how to move a sound from one label to another.

Attribute vectors (White, "Sampling Generative Networks", arXiv 1609.04468): the mean latents of all that has one label
value less those of another are added to every frame; what the label says nothing of stays.
"""

from __future__ import annotations

import numpy as np

from synth.common.labels import LabelIds, LabelSet
from synth.common.typing import Float32, Tensors

STRENGTH = 2.0
"""Of a move, in differences of means: a mean hides much of what tells two speakers apart."""


def layout(labels: LabelSet, latent: int) -> dict[str, tuple[str, tuple[int, ...]]]:
    """dtype and shape of the means: of files' mean latents, by label key and value; the spread is of single frames."""
    means = {f"means.label.{k}": ("float32", (len(values), latent)) for k, values in enumerate(labels.values())}
    return {**means, "means.spread": ("float32", (latent,))}


def measure(labels: LabelSet, files: list[tuple[LabelIds, Float32]]) -> Tensors:
    """The means, of files' label ids and latents (frames, latent); a value without files has the mean of all."""
    means = np.stack([latents.mean(0) for _, latents in files])
    label_ids = np.array([ids for ids, _ in files])
    spread = np.concatenate([latents for _, latents in files]).std(0) + np.float32(0.01)
    tensors: Tensors = {"means.spread": spread}
    for k, values in enumerate(labels.values()):
        of_value = [means[label_ids[:, k] == value + 1] for value in range(len(values))]
        overall = means.mean(0)
        rows = [some.mean(0) if len(some) else overall for some in of_value]
        tensors[f"means.label.{k}"] = np.stack(rows).astype(np.float32)
    return tensors


def moved(latents: Float32, label_ids: LabelIds, means: Tensors, tonal: bool = False) -> Float32:
    """Latents (frames, latent) moved to the labels of `label_ids` (0: any), each from the value whose mean is nearest.

    Without means, as older voices are, they stay where they are. `tonal`: the first latent is the pitch, which moves by
    just the difference.
    """
    strength = np.full(latents.shape[1], STRENGTH, np.float32)
    if tonal:
        strength[0] = 1.0
    mean = latents.mean(0)
    for k, label in enumerate(label_ids if means else ()):
        if label:
            table = means[f"means.label.{k}"]
            distance = np.square((table - mean) / means["means.spread"]).sum(1)
            latents = latents + strength * (table[label - 1] - table[int(distance.argmin())])
    return latents
