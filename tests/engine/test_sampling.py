"""What temperature, top-k and top-p mean on the binary tree, against the 256 multiplied-out probabilities."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from helpers.tools import tiny_checkpoint
from numpy.typing import NDArray

import synth
from synth.audio import mulaw
from synth.common.typing import Float32
from synth.engine.config import SamplingConfig
from synth.generation.model import Model
from synth.generation.stream import Stream, codes_together


@pytest.fixture(scope="module")
def model() -> Model:
    return synth.load(tiny_checkpoint())


def sine(count: int, rate: int = 8000, hertz: float = 300.0) -> Float32:
    return (0.4 * np.sin(2 * np.pi * hertz / rate * np.arange(count))).astype(np.float32)


def probability(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    return 1 / (1 + np.exp(-logits))


def prepared(model: Model, seed: int) -> Stream:
    stream = model.start(SamplingConfig(), seed=seed)
    stream.teacher_force(mulaw.encode((sine(100) * 20000).astype(np.int16)))
    return stream


def first_codes(model: Model, draw: SamplingConfig, count: int) -> NDArray[np.int64]:
    """How often each code is the 101st sample, over `count` seeds."""
    saved = prepared(model, 0)._state.save()
    found = np.zeros(256, np.int64)
    for seed in range(count):
        state = model.engine.restore({**saved, "seed": np.array([seed, 0], np.uint32)})
        found[model.engine.generate(state, 1, draw)[0]] += 1
    return found


def tempered(chances: NDArray[np.float64], temperature: float) -> NDArray[np.float64]:
    """The same tree with the logit of every branch divided by `temperature`, multiplied out."""
    result = np.ones(256)
    for level in range(8):
        halves = chances.reshape(1 << level, 2, -1).sum(2)
        right = probability(np.log((halves[:, 1] + 1e-12) / (halves[:, 0] + 1e-12)) / temperature)
        result *= np.repeat(np.stack([1 - right, right], 1).ravel(), 128 >> level)
    return result


def distance(found: NDArray[np.int64], chances: NDArray[np.float64]) -> float:
    """Chi square over its degrees of freedom, rare codes taken together."""
    expected = chances * found.sum() / chances.sum()
    rare = expected < 8
    seen = np.append(found[~rare], found[rare].sum())
    due = np.append(expected[~rare], max(expected[rare].sum(), 1))
    return float((((seen - due) ** 2) / due).sum() / (len(due) - 1))


def test_distribution_is_one_of_the_next_code(model: Model) -> None:
    stream = prepared(model, 0)
    chances = model.distribution(stream)
    assert chances.shape == (256,) and chances.min() >= 0
    assert chances.sum() == pytest.approx(1, abs=1e-6)
    assert stream.position == 100
    np.testing.assert_array_equal(chances, stream.distribution())


@pytest.mark.parametrize("temperature", [0.6, 1.0, 1.7])
def test_temperature_divides_the_logit_of_every_branch(model: Model, temperature: float) -> None:
    chances = tempered(model.distribution(prepared(model, 0)), temperature)
    found = first_codes(model, SamplingConfig.of(temperature), 4000)
    assert distance(found, chances) < 1.6
    assert distance(found, tempered(chances, 1.3)) > 1.6


def test_temperature_zero_takes_the_likelier_branch(model: Model) -> None:
    chances, code = model.distribution(prepared(model, 0)), 0
    for level in range(8):
        halves = chances.reshape(1 << (level + 1), -1).sum(1)
        code = 2 * code + int(halves[2 * code + 1] >= halves[2 * code])
    assert first_codes(model, SamplingConfig.of(0), 5)[code] == 5


@pytest.mark.parametrize("top_k", [1, 5, 40])
def test_top_k_keeps_the_most_probable_codes(model: Model, top_k: int) -> None:
    chances = model.distribution(prepared(model, 0))
    kept = np.argsort(-chances, kind="stable")[:top_k]
    found = first_codes(model, SamplingConfig.of(top_k=top_k), 2000)
    assert found[kept].sum() == 2000
    if top_k > 1:
        assert distance(found[kept], chances[kept]) < 2


def test_top_p_keeps_the_fewest_that_reach_it(model: Model) -> None:
    chances = model.distribution(prepared(model, 0))
    order = np.argsort(-chances, kind="stable")
    kept = order[: int(np.searchsorted(np.cumsum(chances[order]), 0.5)) + 1]
    found = first_codes(model, SamplingConfig.of(top_p=0.5), 2000)
    assert found[kept].sum() == 2000
    assert distance(found[kept], chances[kept]) < 2


# ---- at rest


def at_rest_then(model: Model, draw: SamplingConfig, seed: int, span: int = 8) -> NDArray[np.uint8]:
    """The code after 100 of silence and 16 that lie within `span` of each other."""
    engine = model.engine
    state = engine.state(seed, 0)
    engine.teacher_force(state, np.full(100, mulaw.SILENCE, np.uint8))
    engine.teacher_force(state, (mulaw.SILENCE + np.arange(16) % 2 * span).astype(np.uint8))
    return engine.generate(state, 1, draw)


@pytest.mark.parametrize(
    ("strict", "as_if"),
    [
        (SamplingConfig.of(0), SamplingConfig.of(0.9)),
        (SamplingConfig.of(0, top_k=3, top_p=0.1), SamplingConfig.of(0.9)),
        (SamplingConfig.of(0.5), SamplingConfig.of(0.9)),
        (SamplingConfig.of(0.9), SamplingConfig.of(0.9)),
        (SamplingConfig.of(1.5), SamplingConfig.of(1.5)),
        (SamplingConfig.of(top_k=1), SamplingConfig.of(top_k=64)),
        (SamplingConfig.of(top_k=65), SamplingConfig.of(top_k=65)),
        (SamplingConfig.of(top_p=0.9), SamplingConfig(top_p=(1 << 32) - (1 << 21))),
        (SamplingConfig.of(0.7, top_k=2, top_p=0.5), SamplingConfig(4551, 64, (1 << 32) - (1 << 21))),
    ],
)
def test_at_rest_nothing_is_drawn_more_strictly_than_this(
    model: Model, strict: SamplingConfig, as_if: SamplingConfig
) -> None:
    eased = replace(strict, eases_at_rest=True)
    for seed in range(40):
        assert at_rest_then(model, eased, seed) == at_rest_then(model, as_if, seed)
        assert at_rest_then(model, eased, seed, span=9) == at_rest_then(model, strict, seed, span=9)


@pytest.mark.parametrize("knob", [{"temperature": 0}, {"temperature": 0.5}, {"top_k": 1}, {"top_p": 0.9}])
def test_strict_draws_are_the_same_in_blocks_together_and_after_a_restore(knob: dict[str, Any]) -> None:
    plain = synth.load("digits-plain")
    assert isinstance(plain, Model)
    whole = plain.stream(seed=5, **knob).read(4000)
    stream = plain.stream(seed=5, **knob)
    parts = [stream.read(count) for count in (1, 15, 16, 17, 951)]
    saved = stream.save()
    np.testing.assert_array_equal(np.concatenate([*parts, stream.read(3000)]), whole)
    np.testing.assert_array_equal(plain.restore(saved).read(3000), whole[1000:])
    together = codes_together([plain.stream(seed=seed, **knob) for seed in (4, 5, 6)], 4000)
    np.testing.assert_array_equal(mulaw.DECODE[together[1]], np.round(whole * 32768))
    reference = synth.load("digits-plain", engine="reference").stream(seed=5, **knob)
    np.testing.assert_array_equal(reference.read(600), whole[:600])


def test_no_knob_and_mild_ones_draw_as_without_the_rule() -> None:
    plain = synth.load("digits-plain")
    for draw in (
        SamplingConfig(),
        SamplingConfig.of(0.9),
        SamplingConfig.of(top_k=64),
        SamplingConfig.of(top_p=0.9996),
    ):
        states = [plain.engine.state(3, 0) for _ in range(2)]
        codes = [
            plain.engine.generate(state, 3000, replace(draw, eases_at_rest=eases))
            for state, eases in zip(states, (False, True), strict=True)
        ]
        np.testing.assert_array_equal(*codes)
