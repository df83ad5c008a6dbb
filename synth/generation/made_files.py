"""Streams of one model drawn side by side, and where each goes: to a file and its picture, or to what measures it."""

from __future__ import annotations

import os
import threading
from abc import abstractmethod
from collections.abc import Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from synth.audio.finishing import Finishing
from synth.audio.writer import AudioWriter
from synth.common import new_file
from synth.common import threads as parallel
from synth.common.typing import Int16
from synth.generation import stream
from synth.generation.base import AudioModel
from synth.generation.speech_output import Tick
from synth.generation.together import pcm_together

if TYPE_CHECKING:
    from synth.audio.player import Player

_BLOCK = 1 << 14
_SMALL_BLOCK = 1 << 9
"""Samples between two looks at whether to stop: for the slow engine, and where somebody listens."""
_TOGETHER = 2
"""Streams that one thread draws at once; more share no more work (docs/benchmarks/speed.md)."""
Seeds = tuple[int, ...]
"""Of each channel of a sound."""


@dataclass(frozen=True)
class Job:
    """One file to make; `plot`: its picture."""

    path: str
    seeds: Seeds
    plot: str | None

    @property
    def seed(self) -> int:
        """Of its first channel."""
        return self.seeds[0]


@dataclass(frozen=True)
class Work:
    """What all sounds of a run have in common. `source`: a stream at the first sample to make, to be forked."""

    model: AudioModel
    source: stream.Stream
    samples: int
    finishing: Finishing
    channels: int
    format: str
    force: bool
    tick: Tick
    stop: threading.Event

    @property
    def drawn(self) -> int:
        """Samples that are drawn for each sound."""
        return self.samples + self.finishing.overlap(self.samples, self.model.sample_rate)

    @property
    def rate(self) -> int:
        """Samples a second of the finished sound."""
        return self.finishing.rate or self.model.sample_rate


class Destination(AbstractContextManager["Destination", None]):
    """Takes the blocks of a sound as they are drawn; what a subclass is given by `put` is the finished sound."""

    def __init__(self, work: Work) -> None:
        self.work, self._held = work, list[Int16]()

    def write(self, block: Int16) -> None:
        """The next samples, int16 (n,) or (n, channels), as they are drawn."""
        if self.work.finishing.needed:
            self._held.append(block)
        else:
            self.put(block)

    @abstractmethod
    def put(self, block: Int16) -> None:
        """The next samples of the finished sound."""

    def finish(self) -> None:
        """All is drawn: what is done with all samples is done now."""
        if self._held:
            drawn = np.concatenate(self._held)
            self.put(self.work.finishing.finished(drawn, self.work.samples, self.work.model.sample_rate))


class FileDestination(Destination):
    """A file and, where it is asked for, its picture."""

    def __init__(self, work: Work, job: Job) -> None:
        super().__init__(work)
        self.job, self.title = job, f"{os.path.basename(job.path)}: {work.model.checkpoint.name}, seed {job.seed}"
        count = work.finishing.count(work.samples, work.model.sample_rate)
        self.writer = AudioWriter(
            job.path, work.rate, work.format, work.force, count, loop=work.finishing.loop, channels=work.channels
        )
        self.picture = None
        if job.plot:
            from synth.audio.plot import Picture

            self.picture = Picture(count, work.rate)

    def __enter__(self) -> FileDestination:
        self.writer.__enter__()
        return self

    def __exit__(self, *why: Any) -> None:
        self.writer.__exit__(*why)

    def put(self, block: Int16) -> None:
        """Into the file and the picture."""
        self.writer.write(block)
        if self.picture:
            self.picture.add(block if block.ndim == 1 else np.rint(block.mean(1)).astype(np.int16))

    def finish(self) -> None:
        """What is done with all samples; the picture."""
        super().finish()
        if self.picture and self.job.plot:
            new_file.write_whole(self.job.plot, self.picture.png(self.title))


def draw(work: Work, seeds: Sequence[Seeds], outs: Sequence[Destination], player: Player | None = None) -> None:
    """Draws sounds side by side from their first samples to their last, each to its destination, which is entered.

    Nothing stays of a file that fails or is stopped: the destinations are left with an exception then.
    """
    model, samples = work.model, work.drawn
    sources = [work.source.fork(seed) for own in seeds for seed in own]
    size = _BLOCK if model.engine.name == "native" and player is None else _SMALL_BLOCK
    with ExitStack() as stack:
        for out in outs:
            stack.enter_context(out)
        for start in range(0, samples, size):
            if work.stop.is_set():
                raise parallel.Stopped
            blocks = pcm_together(sources, min(size, samples - start)).reshape(len(outs), work.channels, -1)
            for out, channels in zip(outs, blocks, strict=True):
                block = channels[0] if work.channels == 1 else np.ascontiguousarray(channels.T)
                out.write(block)
                if player:
                    player.write(block)
                work.tick(len(block))
        for out in outs:
            out.finish()


def together(work: Work, count: int, threads: int) -> int:
    """How many of `count` sounds a thread is to draw at once.

    Streams share the engine's work only where every thread has some anyway.
    """
    return max(1, _TOGETHER // work.channels) if count > threads else 1
