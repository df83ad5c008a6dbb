"""Clips that are judged, generated or real: made in pairs of streams, heard by a recogniser, measured."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from synth.audio import loudness
from synth.common import threads as parallel
from synth.common.errors import AudioError
from synth.engine.config import SamplingConfig
from synth.evaluation import memorization
from synth.generation import stream
from synth.generation.base import AudioModel
from synth.recognition.classifier import Classifier

_TOGETHER = 2
"""Streams that one thread draws at once; more share no more work (docs/benchmarks/speed.md)."""
Rows = tuple[int, ...]


@dataclass(frozen=True)
class Job:
    """A clip to generate: its label rows (0 unset, 1 + place of the value) and its seed."""

    rows: Rows
    seed: int


@dataclass(frozen=True)
class Clip:
    """What is kept of a clip. `rows`: the labels asked for, or the true ones. `heard`: for each target the place of the
    most probable value; with `embedding` None where nothing could be heard (silence, or no recogniser). `excerpt`: see
    `copying`. `sound`: the samples, of those that are shown."""

    rows: Rows
    name: str
    heard: tuple[int, ...] | None
    embedding: NDArray[np.float32] | None
    level: loudness.Loudness
    excerpt: NDArray[np.float32]
    sound: NDArray[np.int16] | None = None


@dataclass(frozen=True)
class ClipAnalyzer:
    """Makes a Clip of samples at `rate`; without `ear` nothing is heard."""

    ear: Classifier | None
    rate: int

    @property
    def length(self) -> int:
        """Samples of an excerpt."""
        return round(memorization.EXCERPT_SECONDS * self.rate)

    def analyze(self, samples: NDArray[np.int16], rows: Rows, name: str, keep: bool = False) -> Clip:
        """Hears and measures int16 samples (n,), at least one."""
        heard = embedding = None
        if self.ear is not None:
            try:
                found = self.ear.classify(samples, self.rate)
                heard = tuple(int(found.log_probabilities[target.name].argmax()) for target in self.ear.targets)
                embedding = found.embedding
            except AudioError:
                pass  # silent, or too short to hear: counts as heard wrong
        level = loudness.measure_loudness(samples, self.rate)
        sound = np.array(samples) if keep else None
        return Clip(rows, name, heard, embedding, level, memorization.excerpt(samples, self.length), sound)


def embeddings(clips: Sequence[Clip]) -> NDArray[np.float32]:
    """Of those that were heard: (n, d); (0, 0) when none was."""
    found = [take.embedding for take in clips if take.embedding is not None]
    return np.stack(found) if found else np.zeros((0, 0), np.float32)


def generate(
    model: AudioModel,
    jobs: Sequence[Job],
    draw: SamplingConfig,
    samples: int,
    threads: int,
    use: Callable[[int, NDArray[np.int16]], Clip],
) -> list[Clip]:
    """Every job's `samples` samples from silence, handed to `use` with the job's place; the same as each alone."""
    stop = threading.Event()
    labels = model.checkpoint.config.labels

    def work(places: range) -> list[Clip]:
        if stop.is_set():
            raise parallel.Stopped
        asked = [jobs[place] for place in places]
        streams = [model.start(draw, seed=job.seed, labels=labels.names(job.rows), samples=samples) for job in asked]
        sounds = stream.pcm_together(streams, samples)
        return [use(place, each) for place, each in zip(places, sounds, strict=True)]

    together = _TOGETHER if len(jobs) > threads else 1
    groups = [range(at, min(at + together, len(jobs))) for at in range(0, len(jobs), together)]
    return [take for group in parallel.each(work, groups, threads, stop) for take in group]
