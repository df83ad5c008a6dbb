"""Rows of a voice: its streams from labels to sound, and where their time goes."""

from __future__ import annotations

from collections.abc import Iterator
from threading import Event

import numpy as np

from synth import engine
from synth.benchmarking import timing
from synth.benchmarking.rows import Row, against, file, forced, native, start
from synth.common import threads as parallel
from synth.engine.config import Draw
from synth.generation import checkpoint
from synth.generation import model as sampler
from synth.generation.stream import pcm_together

_FRAMES = 25
"""Token frames that are drawn in a call: half a second."""


def measure(loaded: checkpoint.Checkpoint, cores: int) -> Iterator[Row]:
    """All rows of a voice, from whole streams to its parts; the sound comes from its planner, or of one without from
    latents that are all alike.
    """
    model = sampler.Model(loaded)
    whole = _streams("one stream, one thread", model, 1)
    yield whole
    if model.engine.name == "native":
        for count in (2, 8):
            yield against(whole, _streams(f"{count} streams, one thread", model, count))
        yield against(whole, _threads(model, cores))
    for row in _parts(model):
        yield against(whole, row)
    if model.engine.name == "native":
        for name in engine.instruction_sets():
            with forced(name):
                yield _streams(f"one stream, {name}", sampler.Model(loaded), 1)
    if _plans(model):
        yield against(whole, file(model))
        yield start(model)


def _plans(model: sampler.Model) -> bool:
    return model.guides is not None and model.guides.planner is not None


def _stream(model: sampler.Model, seed: int) -> sampler.Stream:
    """A stream as `generate-audio` draws it, or along latents that are all alike where nothing plans."""
    if _plans(model):
        return model.start(Draw(), seed=seed)
    assert model.guides is not None
    latents = np.zeros((1, model.guides.vocoder.config.latent), np.int64)
    return model.follow((latents for _ in iter(int, 1)), seed=seed)


def _count(model: sampler.Model) -> int:
    """Samples of a call: the reference engine makes about a thousand a second."""
    return (_FRAMES if model.engine.name == "native" else 1) * model.sample_rate // 50


def _streams(title: str, model: sampler.Model, streams: int) -> Row:
    """Whole streams, several together on one thread."""
    count = _count(model)
    drawn = [_stream(model, seed) for seed in range(streams)]
    speeds = timing.measure(lambda: pcm_together(drawn, count), streams * count)
    return native(title, speeds, streams, 1, model.engine)


def _threads(model: sampler.Model, threads: int) -> Row:
    """Pairs of whole streams, a pair a thread."""
    pairs = [[_stream(model, 2 * k + seed) for seed in range(2)] for k in range(threads)]
    count = 2 * _count(model)

    def draw() -> None:
        parallel.each(lambda pair: pcm_together(pair, count), pairs, threads, Event())

    title = f"{2 * threads} streams, {threads} threads"
    return native(title, timing.measure(draw, 2 * threads * count), 2 * threads, threads, model.engine)


def _parts(model: sampler.Model) -> Iterator[Row]:
    """Each part of a voice by itself, in samples of sound a second."""
    guides = model.guides
    assert guides is not None
    hop, count = guides.vocoder.hop, _count(model)
    if guides.planner is not None:
        source = guides.planned(Draw(), 1, [(0, (0,) * len(model.labels))], None).source
        frames = iter(range(1 << 40))
        planned = timing.measure(lambda: [source.next(next(frames)) for _ in range(count // hop)], count // hop * hop)
        yield native("its planner alone", planned, 1, 1, model.engine)
    latents = np.zeros((count // hop + 4, guides.vocoder.config.latent), np.int64)
    conditioned = timing.measure(lambda: guides.vocoder.condition(latents, 2, 2 + count // hop), count // hop * hop)
    yield native("its conditioner alone", conditioned, 1, 1, model.engine)
    state = model.engine.state(1)
    state.given = guides.known(latents).given(0)
    drawn = timing.measure(lambda: model.engine.generate(state, count, Draw()), count)
    yield native("its network alone", drawn, 1, 1, model.engine)
    if guides.envelope is not None and (postfilter := guides.postfilter()) is not None:
        levels, samples = guides.envelope.levels(latents, 2, 2 + count // hop), np.zeros(count // hop * hop, np.int16)
        at = iter(range(0, 1 << 40, 2 * (count // hop)))

        def filtered() -> None:
            postfilter.tell(levels, next(at))
            postfilter.push(samples)

        yield native("its postfilter alone", timing.measure(filtered, len(samples)), 1, 1, model.engine)
