"""Streams drawn together give what each gives alone."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.tools import tiny_checkpoint

import synth
from synth.common.errors import UsageError
from synth.engine.config import SamplingConfig
from synth.generation.stream import Stream
from synth.generation.together import codes_together, teacher_force_together


def streams(engine: str, draws: list[SamplingConfig], done: list[int]) -> list[Stream]:
    """One a draw, each under changing labels and some samples on its way."""
    model = synth.load(tiny_checkpoint(), engine)
    labels = {"digit": ["0", "2"]}
    made = [model.start(draw, seed=seed, labels=labels, samples=150) for seed, draw in enumerate(draws)]
    for stream, count in zip(made, done, strict=True):
        stream.codes(count)
    return made


@pytest.mark.parametrize("engine", ["auto", "reference"])
@pytest.mark.parametrize(
    ("draws", "done"),
    [
        ([SamplingConfig()] * 3, [0, 0, 0]),
        ([SamplingConfig.of(0.8)] * 2, [37, 37]),
        ([SamplingConfig()] * 2, [0, 20]),  # not at the same sample
        ([SamplingConfig(), SamplingConfig.of(0.5)], [0, 0]),
    ],
)
def test_together_is_alone(engine: str, draws: list[SamplingConfig], done: list[int]) -> None:
    group, alone = streams(engine, draws, done), streams(engine, draws, done)
    for count in (1, 60, 130):
        assert np.array_equal(codes_together(group, count), [stream.codes(count) for stream in alone])
    assert [stream.save() for stream in group] == [stream.save() for stream in alone]


def test_given_samples_cost_each_stream_what_they_cost_it_alone() -> None:
    group, alone = (streams("auto", [SamplingConfig()] * 3, [0, 16, 40]) for _ in range(2))
    codes = np.random.default_rng(0).integers(0, 256, 120).astype(np.uint8)
    assert teacher_force_together(group, codes) == [stream.teacher_force(codes) for stream in alone]
    assert [stream.save() for stream in group] == [stream.save() for stream in alone]


def test_a_length_below_zero_is_refused() -> None:
    with pytest.raises(UsageError, match="samples -1"):
        codes_together(streams("auto", [SamplingConfig()] * 2, [0, 0]), -1)
