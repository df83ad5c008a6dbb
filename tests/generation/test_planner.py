"""Planned tokens with guidance: the same everywhere, more of what labels ask for, nothing where nothing is asked."""

from __future__ import annotations

import dataclasses
import functools

import numpy as np
import pytest
from helpers import voices
from numpy.typing import NDArray

from synth.engine.config import SamplingConfig
from synth.generation import checkpoint
from synth.generation.planner import PlannedLatents
from synth.generation.voice import Voice

LABELS = {"digit": "7", "speaker": "bert"}


@functools.cache
def model(guidance: float = 2.0, engine: str = "auto") -> Voice:
    loaded = checkpoint.load(voices.path())
    assert loaded.voice is not None
    return Voice(dataclasses.replace(loaded, voice=dataclasses.replace(loaded.voice, guidance=guidance)), engine)


def said(guidance: float = 2.0, **options: object) -> NDArray[np.float32]:
    given = {"samples": 1500, "seed": 3, "labels": LABELS, **options}
    return model(guidance).generate(**given)  # type: ignore[arg-type]  # of one type each


def test_guidance_changes_what_is_planned_and_only_with_labels() -> None:
    assert not np.array_equal(said(1.0), said(2.0))
    assert not np.array_equal(said(1.5), said(2.0))
    np.testing.assert_array_equal(said(1.0, labels=None), said(3.0, labels=None))


@pytest.mark.parametrize("block", [1, 17, 160, 1500])
def test_blocks_and_engines_change_nothing(block: int) -> None:
    stream = model().stream(block=block, seed=3, labels=LABELS)
    found = np.concatenate([next(stream) for _ in range(-(-1500 // block))])[:1500]
    np.testing.assert_array_equal(found, said())
    if block == 1500:
        np.testing.assert_array_equal(
            model(engine="reference").generate(samples=500, seed=3, labels=LABELS), said()[:500]
        )


@pytest.mark.parametrize("at", [0, 100, 333, 800])
def test_a_saved_stream_goes_on(at: int) -> None:
    stream = model().stream(seed=3, labels=LABELS)
    stream.read(at)
    np.testing.assert_array_equal(model().restore(stream.save()).read(1500 - at), said()[at:])


def test_a_fork_is_what_its_seed_gives() -> None:
    prime = (voices.sound(700), 8000)
    alone = model().generate(samples=900, seed=9, labels=LABELS, prime=prime)
    stream = model().stream(seed=3, labels=LABELS, prime=prime)
    np.testing.assert_array_equal(stream.fork(9).read(900), alone)


def test_what_labels_ask_for_is_told_more_often() -> None:
    """The share of tokens that the planner thinks likelier with its labels than without grows with the guidance."""
    runtime = model().runtime
    assert runtime is not None and runtime.planner is not None
    rows = voices.NETWORK.labels.ids(LABELS)
    shares = []
    for guidance in (1.0, 4.0):
        source = PlannedLatents(
            runtime.vocoder,
            runtime.planner,
            runtime.planner.state(seed=1, stream=1),
            SamplingConfig(),
            guidance=guidance,
        )
        source.begin([(0, rows)], np.zeros((0, 8), np.int64), np.zeros((0, 0), np.uint8))
        told, free = runtime.planner.state(), runtime.planner.state()
        told.labels = rows
        better = 0.0
        for _ in range(60):
            tokens = source._draw_tokens()
            better += float(runtime.planner.teacher_force(free, tokens).astype(np.int64).sum())
            better -= float(runtime.planner.teacher_force(told, tokens).astype(np.int64).sum())
        shares.append(better)
    assert shares[1] > shares[0]
