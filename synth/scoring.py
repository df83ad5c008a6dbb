"""Bits per sample of recordings under a model, file by file, block by block."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from synth import audio, mulaw, parallel
from synth.config import Draw
from synth.errors import AudioError, SynthError
from synth.sampler import Model

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


def score_files(
    model: Model, paths: Sequence[str], labels: Mapping[str, str], threads: int, tick: Callable[[int], Any]
) -> list[FileScore | SynthError]:
    """The score of every file from a fresh state, or why it has none; `tick` is called with samples that are done."""
    stop = threading.Event()

    def one(path: str) -> FileScore | SynthError:
        cost = samples = 0
        try:
            with audio.AudioReader(path, model.sample_rate) as reader:
                stream = model.start(Draw(), seed=0, labels=labels)
                for block in reader.blocks(_BLOCK):
                    if stop.is_set():
                        raise parallel.Stopped
                    cost += stream.force(mulaw.encode(block))
                    samples += len(block)
                    tick(len(block))
        except SynthError as error:
            return error
        return FileScore(path, samples, cost) if samples else AudioError(f"{path}: has no samples at the model's rate")

    return parallel.each(one, paths, threads, stop)
