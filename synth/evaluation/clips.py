"""Clips that are judged, generated or real: made in pairs of streams, classified, measured."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from synth.audio import loudness
from synth.common import threads as parallel
from synth.common.errors import AudioError
from synth.common.labels import LabelIds
from synth.common.typing import Float32, Int16
from synth.engine.config import SamplingConfig
from synth.evaluation import memorization
from synth.generation.base import AudioModel
from synth.generation.together import pcm_together
from synth.recognition.classifier import Classifier

_TOGETHER = 2
"""Streams that one thread draws at once; more share no more work (docs/benchmarks/speed.md)."""


@dataclass(frozen=True)
class ClipJob:
    """A clip to generate: its label ids (0 unset, 1 + place of the value) and its seed."""

    label_ids: LabelIds
    seed: int


@dataclass(frozen=True)
class Clip:
    """What is kept of a clip.

    `label_ids`: the labels asked for, or the true ones. `predicted`: for each target the place of the most probable
    value; None, as `embedding` is, where nothing could be classified (silence, or no classifier). `excerpt`: see
    `memorization`. `sound`: the samples, of those that are shown. `others`: as `predicted`, by further classifiers.
    """

    label_ids: LabelIds
    name: str
    predicted: tuple[int, ...] | None
    embedding: Float32 | None
    loudness: loudness.Loudness
    excerpt: Float32
    sound: Int16 | None = None
    others: tuple[tuple[int, ...] | None, ...] = ()


@dataclass(frozen=True)
class ClipAnalyzer:
    """Makes a Clip of samples at `rate` (Hz); without a `classifier` nothing is predicted. `more`: further ones."""

    classifier: Classifier | None
    rate: int
    more: tuple[Classifier, ...] = ()

    @property
    def excerpt_length(self) -> int:
        """Samples of an excerpt."""
        return round(memorization.EXCERPT_SECONDS * self.rate)

    def analyze(self, samples: Int16, label_ids: LabelIds, name: str, keep: bool = False) -> Clip:
        """Classifies and measures int16 samples (n,), at least one; `keep` them in the clip."""
        predicted = embedding = None
        if self.classifier is not None:
            predicted, embedding = _heard(self.classifier, samples, self.rate)
        return Clip(
            label_ids,
            name,
            predicted,
            embedding,
            loudness.measure_loudness(samples, self.rate),
            memorization.excerpt(samples, self.excerpt_length),
            np.array(samples) if keep else None,
            tuple(_heard(classifier, samples, self.rate)[0] for classifier in self.more),
        )


def _heard(classifier: Classifier, samples: Int16, rate: int) -> tuple[tuple[int, ...] | None, Float32 | None]:
    """Places of the most probable values and the embedding; None for what is silent, or too short to classify."""
    try:
        recognition = classifier.classify(samples, rate)
    except AudioError:
        return None, None  # counts as wrong
    logs = recognition.log_probabilities
    return tuple(int(logs[target.name].argmax()) for target in classifier.targets), recognition.embedding


def embeddings(clips: Sequence[Clip]) -> Float32:
    """Of those that could be classified: (n, d); (0, 0) when none could."""
    known = [clip.embedding for clip in clips if clip.embedding is not None]
    return np.stack(known) if known else np.zeros((0, 0), np.float32)


def generate(
    model: AudioModel,
    jobs: Sequence[ClipJob],
    sampling: SamplingConfig,
    samples: int,
    threads: int,
    use: Callable[[int, Int16], Clip],
) -> list[Clip]:
    """Every job's `samples` samples from silence, handed to `use` with the job's place; the same as each alone."""
    stop = threading.Event()
    labels = model.checkpoint.config.labels

    def work(places: range) -> list[Clip]:
        if stop.is_set():
            raise parallel.Stopped
        streams = [
            model.start(sampling, seed=job.seed, labels=labels.names(job.label_ids), samples=samples)
            for job in (jobs[place] for place in places)
        ]
        sounds = pcm_together(streams, samples)
        return [use(place, sound) for place, sound in zip(places, sounds, strict=True)]

    together = _TOGETHER if len(jobs) > threads else 1
    groups = [range(at, min(at + together, len(jobs))) for at in range(0, len(jobs), together)]
    return [clip for group in parallel.each(work, groups, threads, stop) for clip in group]
