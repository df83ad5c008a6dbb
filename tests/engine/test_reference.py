"""The reference engine: against the specification in plain Python; costs, states, the predictor."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from helpers.networks import random_tensors
from helpers.plain import Plain, saved
from numpy.typing import NDArray

from synth import engine
from synth.audio import mulaw
from synth.common.labels import LabelSet
from synth.common.typing import Tensors
from synth.engine.config import ModelConfig, SamplingConfig
from synth.engine.reference import ReferenceEngine

LABELS = LabelSet((("digit", ("0", "1", "2")), ("speaker", ("a", "b"))))
CONFIG = ModelConfig(8000, frame_units=16, sample_units=16, head_units=16, labels=LABELS)
GIVEN = dataclasses.replace(CONFIG, frame_units=32, stride=1)
PHASES = dataclasses.replace(GIVEN, stride=2, phases=1)
TOKENS = dataclasses.replace(CONFIG, period=8)
BOTH = ModelConfig(8000, frame_units=16, sample_units=32, head_units=16, stride=64, period=16)
WIDE = ModelConfig(8000, window=64, frame_units=32, sample_units=48, head_units=32, order=32, decay=0.998)


def settled(config: ModelConfig, seed: int) -> Tensors:
    """A random network of which no decision is all but certain."""
    tensors = random_tensors(config, seed)
    tensors["head.tree.scale"] //= 2
    return tensors


@pytest.fixture(scope="module")
def reference() -> ReferenceEngine:
    return ReferenceEngine(CONFIG, settled(CONFIG, 1))


def equal_states(found: dict[str, NDArray[Any]], expected: dict[str, NDArray[Any]]) -> None:
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert found[name].dtype == value.dtype and found[name].shape == value.shape, name
        assert found[name].tobytes() == value.tobytes(), name


# against the specification


@pytest.mark.parametrize(
    ("config", "seed", "wild", "draw"),
    [
        (CONFIG, 1, False, SamplingConfig()),
        (CONFIG, 2, True, SamplingConfig()),
        (CONFIG, 3, False, SamplingConfig.of(0.7)),
        (CONFIG, 4, False, SamplingConfig.of(0)),
        (CONFIG, 5, False, SamplingConfig.of(1.3, top_k=12)),
        (CONFIG, 6, True, SamplingConfig.of(0.9, top_p=0.8)),
        (WIDE, 7, False, SamplingConfig.of(1, 40, 0.95)),
        (WIDE, 8, True, SamplingConfig()),
        (GIVEN, 9, False, SamplingConfig()),
        (GIVEN, 10, True, SamplingConfig.of(0.8)),
        (PHASES, 9, False, SamplingConfig()),
        (PHASES, 10, True, SamplingConfig()),
        (TOKENS, 11, False, SamplingConfig()),
        (TOKENS, 12, True, SamplingConfig.of(1.2, 30)),
        (BOTH, 13, False, SamplingConfig()),
        (BOTH, 14, True, SamplingConfig()),
    ],
)
def test_equals_the_specification_bit_for_bit_states_included(
    config: ModelConfig, seed: int, wild: bool, draw: SamplingConfig
) -> None:
    tensors = random_tensors(config, seed, wild)
    reference, plain = ReferenceEngine(config, tensors), Plain(config, tensors, seed, 5)
    state = reference.state(seed, 5)
    if config.labels:
        state.labels, plain.labels = (2, 1), [2, 1]
    random = np.random.default_rng(seed)
    if config.stride:
        state.conditioning = random.integers(-32768, 32768, len(state.conditioning)).astype(np.int16)
        plain.conditioning = state.conditioning.tolist()
    given = random.integers(0, 256, 21).astype(np.uint8)
    assert reference.teacher_force(state, given).tolist() == [plain.cost(int(code)) for code in given]
    equal_states(state.save(), saved(plain))
    codes = reference.generate(state, 30, draw).tolist()
    assert codes == [plain.draw(draw.inverse_temperature, draw.top_k, draw.top_p) for _ in range(30)]
    equal_states(state.save(), saved(plain))


def test_distribution_is_the_tree_multiplied_out(reference: ReferenceEngine) -> None:
    plain, state = Plain(CONFIG, reference.tensors), reference.state()
    for code in (128, 130, 70, 200):
        weights = reference.distribution(state)
        assert weights.dtype == np.uint32 and int(weights.astype(np.int64).sum()) == 2**32 - 1
        p, q7 = plain.begin()
        assert weights.tolist() == plain.leaves(q7)
        plain.take(p, code)
        reference.teacher_force(state, np.array([code], np.uint8))


def test_labels_take_effect_with_the_next_frame(reference: ReferenceEngine) -> None:
    codes = np.random.default_rng(0).integers(100, 156, 48).astype(np.uint8)
    plain, state = reference.state(), reference.state()
    state.labels = (0, 0)
    reference.teacher_force(plain, codes[:20]), reference.teacher_force(state, codes[:20])
    state.labels = (3, 2)
    before, after = (reference.teacher_force(s, codes[20:]) for s in (plain, state))
    np.testing.assert_array_equal(before[:12], after[:12])  # up to sample 32
    assert (before[12:] != after[12:]).any()


# costs


def test_a_codes_cost_is_that_of_its_probability(reference: ReferenceEngine) -> None:
    state = reference.state()
    reference.teacher_force(state, np.array([128, 128, 140, 90], np.uint8))
    weights, before = reference.distribution(state).astype(np.float64), state.save()
    costs = np.array(
        [int(reference.teacher_force(reference.restore(before), np.array([c], np.uint8))[0]) for c in range(256)]
    )
    assert (2.0 ** (-costs / 65536)).sum() == pytest.approx(1, abs=1e-3)
    sure = weights > 2**16
    assert sure.sum() > 20
    assert np.abs(costs / 65536 + np.log2(weights / 2**32))[sure].max() < 1e-3


def test_what_is_generated_costs_its_entropy(reference: ReferenceEngine) -> None:
    """Codes drawn at temperature 1 have on average the length of the distributions' entropy."""
    state, forced, entropy, cost = reference.state(5), reference.state(), 0.0, 0
    for _ in range(400):
        chances = reference.distribution(state) / 2**32
        chances = chances[chances > 0]
        entropy -= float((chances * np.log2(chances)).sum())
        cost += int(reference.teacher_force(forced, reference.generate(state, 1, SamplingConfig()))[0])
    assert cost / 65536 == pytest.approx(entropy, rel=0.05)


# states


@pytest.mark.parametrize("at", [0, 1, 15, 16, 17, 40])
def test_a_saved_state_goes_on_exactly(at: int, reference: ReferenceEngine) -> None:
    whole = reference.state(9, 2)
    whole.labels = (1, 2)
    expected = reference.generate(whole, 60, SamplingConfig())
    first = reference.state(9, 2)
    first.labels = (1, 2)
    codes = reference.generate(first, at, SamplingConfig())
    kept_state = first.save()
    before = {name: value.copy() for name, value in kept_state.items()}
    second = reference.restore(kept_state)
    assert second.position == at and second.labels == (1, 2) and (second.seed, second.stream) == (9, 2)
    rest = reference.generate(second, 60 - at, SamplingConfig())
    np.testing.assert_array_equal(np.concatenate([codes, rest]), expected)
    equal_states(second.save(), whole.save())
    equal_states(kept_state, before)  # going on changed nothing that was saved
    equal_states(first.save(), before)


def test_block_sizes_change_nothing(reference: ReferenceEngine) -> None:
    expected = reference.generate(reference.state(4), 50, SamplingConfig())
    state = reference.state(4)
    parts = [reference.generate(state, count, SamplingConfig()) for count in (0, 1, 16, 3, 17, 13)]
    np.testing.assert_array_equal(np.concatenate(parts), expected)


def test_looking_at_the_distribution_changes_nothing(reference: ReferenceEngine) -> None:
    state = reference.state(4)
    for count in (0, 7, 9):  # in a frame and at its end
        reference.generate(state, count, SamplingConfig())
        before = state.save()
        reference.distribution(state)
        equal_states(state.save(), before)


def test_forcing_what_was_generated_gives_the_same_state(reference: ReferenceEngine) -> None:
    one, other = reference.state(6), reference.state(6)
    reference.teacher_force(other, reference.generate(one, 37, SamplingConfig()))
    equal_states(other.save(), one.save())


def test_nothing_is_generated_or_forced(reference: ReferenceEngine) -> None:
    state = reference.state()
    assert reference.generate(state, 0, SamplingConfig()).shape == (0,)
    assert reference.teacher_force(state, np.zeros(0, np.uint8)).shape == (0,)
    assert state.position == 0


# the predictor


def test_predicted_codes_are_those_of_the_engine(reference: ReferenceEngine) -> None:
    random = np.random.default_rng(3)
    wave = 8000 * np.sin(np.arange(100) * 0.3) + random.normal(0, 300, 100)
    codes = np.stack([mulaw.encode(wave.astype(np.int16)), random.integers(0, 256, 100).astype(np.uint8)])
    predicted, residual = reference.predict_codes(codes)
    assert predicted.dtype == residual.dtype == np.uint8 and predicted.shape == codes.shape
    for row in range(2):
        plain = Plain(CONFIG, reference.tensors)
        for t, code in enumerate(codes[row].tolist()):
            assert residual[row, t] == plain.residual
            p, _ = plain.begin()
            assert predicted[row, t] == mulaw.encode(np.array([p], np.int16))[0]
            plain.take(p, code)
    np.testing.assert_array_equal(engine.predict_codes(codes, reference.tensors), (predicted, residual))


def test_a_sine_is_predicted_and_a_row_depends_on_its_past_alone(reference: ReferenceEngine) -> None:
    wave = (10000 * np.sin(np.arange(400) * 0.2)).astype(np.int16)
    codes = mulaw.encode(wave)[None]
    predicted, _ = reference.predict_codes(codes)
    error = mulaw.decode(predicted[0]).astype(float) - mulaw.decode(codes[0])
    assert 10 * np.log10(np.mean(wave[100:].astype(float) ** 2) / np.mean(error[100:] ** 2)) > 25
    other = codes.copy()
    other[0, 200:] = 0
    again, _ = reference.predict_codes(np.concatenate([other, codes]))
    np.testing.assert_array_equal(again[0, :201], predicted[0, :201])
    np.testing.assert_array_equal(again[1], predicted[0])


def test_a_predictor_that_explodes_starts_again() -> None:
    tensors = settled(CONFIG, 1)
    tensors["predictor.start"] = np.linspace(-64, 64, 16)
    tensors["predictor.ridge"] = np.array([1e-9, 1e-9])
    reference, plain = ReferenceEngine(CONFIG, tensors), Plain(CONFIG, tensors)
    codes = np.random.default_rng(1).choice([0, 255, 128], 64).astype(np.uint8)
    codes[:15], codes[15] = 128, 255  # all 3, then 32767, which one weight of ten thousand explains
    state = reference.state()
    for at in range(0, 64, 17):
        part = codes[at : at + 17]
        assert reference.teacher_force(state, part).tolist() == [plain.cost(int(code)) for code in part]
        equal_states(state.save(), saved(plain))
        if at == 0:
            np.testing.assert_array_equal(state.save()["weights"], tensors["predictor.start"])
    assert np.isfinite(state.save()["weights"]).all()
