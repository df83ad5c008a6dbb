"""What `generate-audio` does: settles everything that can be settled, then draws streams into files and pipes."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from synth.audio import mulaw, reader
from synth.audio.finishing import Finishing
from synth.audio.writer import format_of
from synth.checkpoint import registry
from synth.common import limits, outputs
from synth.common import threads as parallel
from synth.common.cpus import available_cpus
from synth.common.errors import UsageError
from synth.data.audio_files import AudioFile, find_audio_files
from synth.engine.config import SamplingConfig
from synth.generation import loading
from synth.generation.base import AudioModel, sample_count
from synth.generation.made_files import FileDestination, Job, Seeds, Work, draw, together
from synth.generation.seeds import draw_seed
from synth.generation.speech_output import Progress, SpeechOutput, source_facts, speed_facts

if TYPE_CHECKING:
    from synth.audio.player import Player
    from synth.generation.nearest import BestChoice

Say = Callable[[str], object]


@dataclass(frozen=True, kw_only=True)
class GenerateRequest(SpeechOutput):
    """The options of the command, each in its own range; what they must agree on is checked by `generate`.

    `duration` in seconds or `samples`: length of each of `count` files; `prime`: a sound file to go on from; `plot`: a
    .png file; `threads`: None for one a processor. `beats` at `bpm` beats a minute: the length, instead of the two
    others. `loop`, `fade`, `normalize`, `rate`: as in `audio.finishing.Finishing`.
    `channels`: each is a stream of its own, with a seed of its own. `best`: so many of the `count` sounds are written,
    those that are nearest to the checkpoint's corpus, or to the sounds `like` (a file or a folder).
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
    best: int | None = None
    like: str | None = None


def generate(request: GenerateRequest, progress: Progress, say: Say = lambda text: None) -> dict[str, Any]:
    """Writes the files and returns what `--json` reports; `say` is called with each line for people meanwhile."""
    form = format_of(request.out, request.format)
    _check_best(request)
    seeds, places = _seeds(request), _places(request)
    sampling = SamplingConfig.of(request.temperature, request.top_k, request.top_p)
    like = _files_like(request)
    _check_places(request, places, like)
    finishing = Finishing(request.loop, request.fade, request.normalize, request.rate)
    _check_extras(request, finishing)
    model = loading.load(request.checkpoint, request.engine)
    samples = sample_count(_seconds(request), request.samples, model.sample_rate)
    labels = request.labels or {}
    prompt = mulaw.encode(reader.read(request.prime, model.sample_rate)[0]) if request.prime else None
    source = model.start(sampling, seed=seeds[0][0], labels=labels, prompt=prompt, samples=samples)
    best = _best(request, model, like, say)
    drawn = samples + finishing.overlap(samples, model.sample_rate)
    sounds = len(seeds) + (len(places) if best else 0)
    with progress(drawn * sounds) as tick:
        work = Work(model, source, samples, finishing, request.channels, form, request.force, tick, threading.Event())
        began = time.perf_counter()
        if best:
            seeds = best.choose(work, seeds, _threads(request, len(seeds)))
        jobs = [Job(path, own, png) for (path, png), own in zip(places, seeds, strict=True)]
        waited, faults = _run(work, jobs, _threads(request, len(jobs)), request.play)
        elapsed = time.perf_counter() - began - waited
    speed = drawn * request.channels * sounds / max(elapsed, 1e-9)
    count = finishing.count(samples, model.sample_rate)
    files = [{"path": job.path, "samples": count, "seed": job.seed} for job in jobs]
    return {
        **source_facts(model, best.with_distances(files) if best else files, samples),
        "sample_rate": work.rate,
        "labels": dict(labels),
        **(finishing.facts() if finishing.needed else {}),
        **({"channels": request.channels} if request.channels > 1 else {}),
        **(best.facts() if best else {}),
        **speed_facts(model, speed, threads=_threads(request, request.count)),
        "faults": {job.path: fault for job, fault in zip(jobs, faults, strict=True) if fault},
    }


def _check_best(request: GenerateRequest) -> None:
    """UsageError where `best` and `like` do not go with the rest."""
    if request.best is None:
        if request.like is not None:
            raise UsageError("--like: says what --best chooses by; give --best K too")
        return
    if request.count == 1:
        raise UsageError(f"--best {request.best}: chooses among several sounds; say with -n how many to draw")
    if request.best > request.count:
        raise UsageError(f"--best {request.best}: is more than the {request.count} sounds of -n")
    if request.out == outputs.STDOUT:
        raise UsageError("--best: writes when all sounds are drawn, and not into a pipe; name a file")
    if request.play:
        raise UsageError("--play: plays sound while it is drawn, before --best can choose")


def _files_like(request: GenerateRequest) -> list[AudioFile]:
    """The sound files of `--like`."""
    return find_audio_files([request.like], set()) if request.like is not None else []


def _threads(request: GenerateRequest, sounds: int) -> int:
    """For so many sounds."""
    return 1 if request.play else min(request.threads or available_cpus(), sounds)


def _best(request: GenerateRequest, model: AudioModel, like: Sequence[AudioFile], say: Say) -> BestChoice | None:
    """What is to choose by `--best`; None without."""
    if request.best is None:
        return None
    from synth.generation.nearest import BestChoice

    if like:
        say(f"{request.like}: {len(like)} {'file' if len(like) == 1 else 'files'} to be near to, being measured")
    return BestChoice(request.best, model, like, request.rate or model.sample_rate, say)


def _check_extras(request: GenerateRequest, finishing: Finishing) -> None:
    """UsageError where what is to be played is not one channel as it is drawn, or nothing is there that draws."""
    if request.channels > 1 and request.play:
        raise UsageError("--play: plays one channel; leave out --channels")
    if finishing.needed and request.play:
        raise UsageError("--play: plays sound while it is made; --loop, --fade, --normalize, --rate need all of it")
    if request.plot:
        from synth.audio import plot

        plot.require_matplotlib()


def _seconds(request: GenerateRequest) -> float | None:
    """The length that was asked for in seconds or in beats, None where in neither; UsageError for half a request."""
    if request.beats is None and request.bpm is None:
        return request.duration
    if request.beats is None or request.bpm is None:
        raise UsageError("--beats N and --bpm BEATS A MINUTE make a length together: give both")
    if request.duration is not None or request.samples is not None:
        raise UsageError("--beats: is a length, as --duration and --samples are; give one of them")
    return request.beats * 60 / request.bpm


def _seeds(request: GenerateRequest) -> list[Seeds]:
    """The seeds of each sound's channels; UsageError when the last one would be too large."""
    count = request.count
    if count > 1 and request.out == outputs.STDOUT:
        raise UsageError(f"--count {count}: several files don't go into one pipe; name a file")
    most = limits.MAX_SEED - (count * request.channels - 1)
    seed = draw_seed() % (most + 1) if request.seed is None else request.seed
    if seed > most:
        raise UsageError(f"--seed {seed} with --count {count}: the last seed would be above {limits.MAX_SEED}")
    firsts = range(seed, seed + count * request.channels, request.channels)
    return [tuple(range(first, first + request.channels)) for first in firsts]


def _places(request: GenerateRequest) -> list[tuple[str, str | None]]:
    """The names of the files and of their pictures."""
    count = request.best or request.count
    plots = outputs.numbered(request.plot, count) if request.plot else [None] * count
    return list(zip(outputs.numbered(request.out, count), plots, strict=True))


def _check_places(
    request: GenerateRequest, places: Sequence[tuple[str, str | None]], like: Sequence[AudioFile]
) -> None:
    """UsageError, OutputError where what is to be written can't be, or is what is read."""
    if request.plot is not None and not request.plot.lower().endswith(".png"):
        raise UsageError(f"--plot {request.plot}: must be the name of a .png file")
    inputs = [request.prime, registry.file_of(request.checkpoint), *(os.fspath(file.path) for file in like)]
    outputs.check_outputs([name for both in places for name in both if name], inputs, request.force)
    outputs.check_pipe(request.out)


def _run(work: Work, jobs: list[Job], threads: int, play: bool) -> tuple[float, list[str | None]]:
    """Makes the files, on threads where there are several.

    Returns the seconds that were spent waiting for the sound device, and what is wrong with the sound of each file.
    """
    if not play:
        size = together(work, len(jobs), threads)
        groups = [jobs[start : start + size] for start in range(0, len(jobs), size)]
        faults = parallel.each(lambda group: _make(work, group), groups, threads, work.stop)
        return 0.0, [fault for group in faults for fault in group]
    from synth.audio.player import Player

    with Player(work.model.sample_rate) as player:
        played = [_make(work, [job], player)[0] for job in jobs]
    return player.seconds, played


def _make(work: Work, jobs: list[Job], player: Player | None = None) -> list[str | None]:
    """Files side by side; what is wrong with the sound of each (`SoundCheck.fault`)."""
    outs = [FileDestination(work, job) for job in jobs]
    draw(work, [job.seeds for job in jobs], outs, player)
    return [out.writer.check.fault for out in outs]
