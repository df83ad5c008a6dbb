"""Bits per sample of recordings under a model, file by file, block by block."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from synth.audio import mulaw
from synth.audio import reader as audio
from synth.common import threads as parallel
from synth.common.errors import AudioError, SynthError, UsageError
from synth.data.label_rules import Labeller
from synth.engine.config import SamplingConfig
from synth.generation.model import Model

_BLOCK = 1 << 12
"""Samples of a file between two looks at whether to stop."""


@dataclass(frozen=True)
class FileScore:
    """A file's samples at the model's rate, and what they cost in 1/65536 bit."""

    path: str
    samples: int
    cost: int

    @property
    def bits_per_sample(self) -> float:
        """Mean code length of a sample, the first included."""
        return self.cost / 65536 / self.samples


LabelsOf = Callable[[str], Mapping[str, str]]


def labels_by_name(rule: str, model: Model, paths: Sequence[str] = ()) -> LabelsOf:
    """A function from a path to its labels, by a pattern or a CSV as in training, of the keys that the model knows.

    UsageError where the rule has none of them.
    """
    labeller = Labeller(rule)
    labeller.check([(Path(path), Path(path).name) for path in paths], complete=False)
    keys = set(model.checkpoint.config.labels)
    if not keys.intersection(labeller.chosen):
        raise UsageError(f"--labels {rule}: has none of the checkpoint's keys: {', '.join(sorted(keys)) or 'none'}")

    def labels(path: str) -> Mapping[str, str]:
        values = labeller.values(Path(path), Path(path).name)
        return {key: value for key, value in values.items() if key in keys and value}

    return labels


def score_files(
    model: Model, paths: Sequence[str], labels: LabelsOf, *, threads: int, tick: Callable[[int], Any]
) -> list[FileScore | SynthError]:
    """The score of every file from a fresh state, or why it has none; `tick` is called with samples that are done."""
    stop = threading.Event()

    def one(path: str) -> FileScore | SynthError:
        cost = samples = 0
        try:
            with audio.AudioReader(path, model.sample_rate) as reader:
                stream = model.start(SamplingConfig(), seed=0, labels=labels(path))
                for block in reader.blocks(_BLOCK):
                    if stop.is_set():
                        raise parallel.Stopped
                    cost += stream.teacher_force(mulaw.encode(block))
                    samples += len(block)
                    tick(len(block))
        except SynthError as error:
            return error
        return FileScore(path, samples, cost) if samples else AudioError(f"{path}: has no samples at the model's rate")

    return parallel.each(one, paths, threads, stop)
