"""What `generate-audio` does: settles everything that can be settled, then draws streams into files and pipes."""

from __future__ import annotations

import os
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from synth.audio import mulaw, reader
from synth.audio.finishing import Finishing
from synth.audio.writer import AudioWriter, format_of
from synth.checkpoint import registry
from synth.common import limits, new_file, outputs
from synth.common import threads as parallel
from synth.common.cpus import available_cpus
from synth.common.errors import UsageError
from synth.common.typing import Int16
from synth.engine.config import SamplingConfig
from synth.generation import loading, seeds, stream
from synth.generation.base import AudioModel, sample_count
from synth.generation.speech_output import Progress, SpeechOutput, Tick, source_facts, speed_facts
from synth.generation.together import pcm_together

if TYPE_CHECKING:
    from synth.audio.player import Player

_BLOCK = 1 << 14
_TOGETHER = 2
"""Streams that one thread draws at once; more share no more work (docs/benchmarks/speed.md)."""
_SMALL_BLOCK = 1 << 9
"""Samples between two looks at whether to stop: for the slow engine, and where somebody listens."""


@dataclass(frozen=True, kw_only=True)
class GenerateRequest(SpeechOutput):
    """The options of the command, each in its own range; what they must agree on is checked by `generate`.

    `duration` in seconds or `samples`: length of each of `count` files; `prime`: a sound file to go on from; `plot`: a
    .png file; `threads`: None for one a processor. `beats` at `bpm` beats a minute: the length, instead of the two
    others. `loop`, `fade`, `normalize`, `rate`: as in `audio.finishing.Finishing`.
    `channels`: each is a stream of its own, with a seed of its own.
    """

    checkpoint: str = "digits"
    duration: float | None = None
    samples: int | None = None
    count: int = 1
    top_k: int = 256
    top_p: float = 1.0
    prime: str | None = None
    play: bool = False
    plot: str | None = None
    threads: int | None = None
    quiet: bool = False
    beats: float | None = None
    bpm: float | None = None
    loop: bool = False
    fade: float = 0.0
    normalize: float | None = None
    rate: int | None = None
    channels: int = 1


@dataclass(frozen=True)
class _Job:
    """One file to make."""

    path: str
    seeds: tuple[int, ...]
    plot: str | None

    @property
    def seed(self) -> int:
        """Of its first channel."""
        return self.seeds[0]


@dataclass(frozen=True)
class _Work:
    """What all files of a run have in common. `source`: a stream at the first sample to make, to be forked."""

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
        """Samples that are drawn for each file."""
        return self.samples + self.finishing.overlap(self.samples, self.model.sample_rate)

    @property
    def rate(self) -> int:
        """Samples a second of the files."""
        return self.finishing.rate or self.model.sample_rate


def generate(request: GenerateRequest, progress: Progress) -> dict[str, Any]:
    """Writes the files and returns what `--json` reports."""
    form = format_of(request.out, request.format)
    jobs = _jobs(request)
    sampling = SamplingConfig.of(request.temperature, request.top_k, request.top_p)
    _check_places(request, jobs)
    finishing = Finishing(request.loop, request.fade, request.normalize, request.rate)
    if request.channels > 1 and request.play:
        raise UsageError("--play: plays one channel; leave out --channels")
    if finishing.needed and request.play:
        raise UsageError("--play: plays sound while it is made; --loop, --fade, --normalize, --rate need all of it")
    if request.plot:
        from synth.audio import plot

        plot.require_matplotlib()
    model = loading.load(request.checkpoint, request.engine)
    samples = sample_count(_seconds(request), request.samples, model.sample_rate)
    labels = request.labels or {}
    prompt = mulaw.encode(reader.read(request.prime, model.sample_rate)[0]) if request.prime else None
    source = model.start(sampling, seed=jobs[0].seed, labels=labels, prompt=prompt, samples=samples)
    threads = 1 if request.play else min(request.threads or available_cpus(), len(jobs))
    drawn = samples + finishing.overlap(samples, model.sample_rate)
    with progress(drawn * len(jobs)) as tick:
        work = _Work(model, source, samples, finishing, request.channels, form, request.force, tick, threading.Event())
        began = time.perf_counter()
        waited, faults = _run(work, jobs, threads, request.play)
        elapsed = time.perf_counter() - began - waited
    speed = drawn * request.channels * len(jobs) / max(elapsed, 1e-9)
    count = finishing.count(samples, model.sample_rate)
    files = [{"path": job.path, "samples": count, "seed": job.seed} for job in jobs]
    return {
        **source_facts(model, files, samples),
        "sample_rate": work.rate,
        "labels": dict(labels),
        **(finishing.facts() if finishing.needed else {}),
        **({"channels": request.channels} if request.channels > 1 else {}),
        **speed_facts(model, speed, threads=threads),
        "faults": {job.path: fault for job, fault in zip(jobs, faults, strict=True) if fault},
    }


def _seconds(request: GenerateRequest) -> float | None:
    """The length that was asked for in seconds or in beats, None where in neither; UsageError for half a request."""
    if request.beats is None and request.bpm is None:
        return request.duration
    if request.beats is None or request.bpm is None:
        raise UsageError("--beats N and --bpm BEATS A MINUTE make a length together: give both")
    if request.duration is not None or request.samples is not None:
        raise UsageError("--beats: is a length, as --duration and --samples are; give one of them")
    return request.beats * 60 / request.bpm


def _jobs(request: GenerateRequest) -> list[_Job]:
    """The files with their seeds; UsageError when there are too many for the place or for the seeds."""
    count = request.count
    if count > 1 and request.out == outputs.STDOUT:
        raise UsageError(f"--count {count}: several files don't go into one pipe; name a file")
    most = limits.MAX_SEED - (count * request.channels - 1)
    seed = seeds.draw_seed() % (most + 1) if request.seed is None else request.seed
    if seed > most:
        raise UsageError(f"--seed {seed} with --count {count}: the last seed would be above {limits.MAX_SEED}")
    names = outputs.numbered(request.out, count)
    plots = outputs.numbered(request.plot, count) if request.plot else [None] * count
    firsts = range(seed, seed + count * request.channels, request.channels)
    return [
        _Job(name, tuple(range(first, first + request.channels)), png)
        for first, name, png in zip(firsts, names, plots, strict=True)
    ]


def _check_places(request: GenerateRequest, jobs: list[_Job]) -> None:
    if request.plot is not None and not request.plot.lower().endswith(".png"):
        raise UsageError(f"--plot {request.plot}: must be the name of a .png file")
    inputs = [request.prime, registry.file_of(request.checkpoint)]
    outputs.check_outputs([name for job in jobs for name in (job.path, job.plot) if name], inputs, request.force)
    outputs.check_pipe(request.out)


def _run(work: _Work, jobs: list[_Job], threads: int, play: bool) -> tuple[float, list[str | None]]:
    """Makes the files, on threads where there are several.

    Returns the seconds that were spent waiting for the sound device, and what is wrong with the sound of each file.
    """
    if not play:
        # streams share the engine's work only where every thread has some anyway
        together = max(1, _TOGETHER // work.channels) if len(jobs) > threads else 1
        groups = [jobs[start : start + together] for start in range(0, len(jobs), together)]
        faults = parallel.each(lambda group: _make(work, group), groups, threads, work.stop)
        return 0.0, [fault for group in faults for fault in group]
    from synth.audio.player import Player

    with Player(work.model.sample_rate) as player:
        played = [_make(work, [job], player)[0] for job in jobs]
    return player.seconds, played


def _make(work: _Work, jobs: list[_Job], player: Player | None = None) -> list[str | None]:
    """Files side by side, from their first samples to their places; nothing stays of one that fails or is stopped.

    Returns what is wrong with the sound of each (`SoundCheck.fault`).
    """
    model, samples = work.model, work.drawn
    sources = [work.source.fork(seed) for job in jobs for seed in job.seeds]
    size = _BLOCK if model.engine.name == "native" and player is None else _SMALL_BLOCK
    with ExitStack() as stack:
        outs = [stack.enter_context(_Out(work, job)) for job in jobs]
        for start in range(0, samples, size):
            if work.stop.is_set():
                raise parallel.Stopped
            blocks = pcm_together(sources, min(size, samples - start)).reshape(len(jobs), work.channels, -1)
            for out, channels in zip(outs, blocks, strict=True):
                block = channels[0] if work.channels == 1 else np.ascontiguousarray(channels.T)
                out.write(block)
                if player:
                    player.write(block)
                work.tick(len(block))
        for out in outs:
            out.finish()
        return [out.writer.check.fault for out in outs]


class _Out:
    """Where a stream goes: a file and, where it is asked for, its picture."""

    def __init__(self, work: _Work, job: _Job) -> None:
        self.job, self.title = job, f"{os.path.basename(job.path)}: {work.model.checkpoint.name}, seed {job.seed}"
        self.work, self.held = work, list[Int16]()
        count = work.finishing.count(work.samples, work.model.sample_rate)
        self.writer = AudioWriter(
            job.path, work.rate, work.format, work.force, count, loop=work.finishing.loop, channels=work.channels
        )
        self.picture = None
        if job.plot:
            from synth.audio.plot import Picture

            self.picture = Picture(count, work.rate)

    def __enter__(self) -> _Out:
        self.writer.__enter__()
        return self

    def __exit__(self, *why: Any) -> None:
        self.writer.__exit__(*why)

    def write(self, block: Int16) -> None:
        """The next samples, int16, as they are drawn."""
        if self.work.finishing.needed:
            self.held.append(block)
        else:
            self._put(block)

    def _put(self, block: Int16) -> None:
        self.writer.write(block)
        if self.picture:
            self.picture.add(block if block.ndim == 1 else np.rint(block.mean(1)).astype(np.int16))

    def finish(self) -> None:
        """What is done with all samples; the picture."""
        if self.held:
            drawn = np.concatenate(self.held)
            self._put(self.work.finishing.finished(drawn, self.work.samples, self.work.model.sample_rate))
        if self.picture and self.job.plot:
            new_file.write_whole(self.job.plot, self.picture.png(self.title))
