"""The linear predictor of a steered network: weights from reflection coefficients, and what an engine reads by them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from helpers import voices
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from synth.audio import mulaw
from synth.engine.lattice import SteeredPredictor, folded, predictor_weights, rounded, steered_inputs
from synth.engine.reference import ReferenceEngine


def levinson(correlation: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Weights and reflection coefficients of the best predictor for these correlations, as in any textbook."""
    order = len(correlation) - 1
    weights, reflections, error = np.zeros(order), np.zeros(order), correlation[0]
    for m in range(order):
        k = (correlation[m + 1] - weights[:m] @ correlation[m:0:-1]) / error
        weights[:m] -= k * weights[:m][::-1].copy()
        weights[m] = reflections[m] = k
        error *= 1 - k * k
    return weights, reflections


@pytest.mark.parametrize("order", [16, 32])
def test_weights_are_those_that_the_reflections_stand_for(order: int) -> None:
    sound = voices.sound(4000).astype(float)
    correlation = np.array([sound[lag:] @ sound[: len(sound) - lag] for lag in range(order + 1)])
    correlation[0] *= 1.01
    weights, reflections = levinson(correlation)
    integers = np.rint(reflections * 32768).astype(np.int16)
    found = predictor_weights(np.stack([integers, 0 * integers]))
    assert found.shape == (2, order) and found.dtype == np.float64
    np.testing.assert_allclose(found[0], weights, atol=0.02)
    np.testing.assert_array_equal(found[1], np.zeros(order))
    np.testing.assert_array_equal(found[0], predictor_weights(integers))


@given(st.integers(0, 2**32 - 1), st.floats(0, 0.999))
def test_every_filter_is_stable(seed: int, most: float) -> None:
    k = np.random.default_rng(seed).uniform(-most, most, 16)
    weights = predictor_weights(np.rint(k * 32768).astype(np.int16))
    roots = np.roots(np.concatenate([[1.0], -weights]))
    assert np.abs(roots).max(initial=0) < 1 + 1e-6


def test_sums_are_folded_and_rounded_halves_up() -> None:
    values = np.array([1e16, 1.0, -1e16, 1.0])
    assert folded(values) == 2.0  # (1e16 - 1e16) + (1 + 1); another order loses a one
    found = rounded(np.array([0.5, -0.5, 1.49, -1.5, 1e300, -1e300, 32767.5, -32768.7]))
    np.testing.assert_array_equal(found, [1, 0, 1, -1, 32767, -32768, 32767, -32768])


def reflections(parts: int, order: int, seed: int) -> NDArray[np.int16]:
    random = np.random.default_rng(seed)
    return (32767 * np.tanh(random.normal(0, 0.7, (parts, order)))).astype(np.int16)


@pytest.mark.parametrize(("order", "count", "seed"), [(16, 320, 0), (32, 240, 1), (16, 97, 2), (32, 1, 3)])
def test_training_reads_what_the_engine_reads(order: int, count: int, seed: int) -> None:
    """`steered_inputs` of whole rows equals the engine's inputs sample by sample, whatever the codes."""
    config = replace(voices.NETWORK, order=order)
    engine = ReferenceEngine(config, voices.uneven(config, 1))
    parts = -(-count // voices.PART)
    steer = [reflections(parts, order, seed + 10 * row) for row in range(2)]
    random = np.random.default_rng(seed)
    codes = np.stack([mulaw.encode(voices.sound(count, seed)), random.integers(0, 256, count).astype(np.uint8)])
    weights = np.stack([predictor_weights(each) for each in steer])
    predicted, residual = steered_inputs(codes, weights, voices.PART)
    assert predicted.dtype == residual.dtype == np.uint8 and predicted.shape == residual.shape == codes.shape
    for row in range(2):
        state = engine.state()
        for t in range(count):
            if t % voices.PART == 0:
                gates = np.zeros(3 * config.frame_units, np.int16)
                state.conditioning = np.concatenate([gates, steer[row][t // voices.PART]])
            guess, _ = engine.sample_step(state)
            assert engine.inputs(state)[1:] == (predicted[row, t], residual[row, t])
            engine.take(state, guess, int(codes[row, t]))
    assert len(np.unique(predicted)) > min(20, count // 4)


def test_a_predictor_begins_in_silence_and_holds_the_newest_first() -> None:
    predictor = SteeredPredictor(16)
    predictor.steer(np.array([16384] + [0] * 15, np.int16))
    assert predictor.predict() == 0
    for sample in (100, -2000):
        predictor.push(0, np.array([sample], np.int32), np.array([0], np.int32))
    np.testing.assert_array_equal(predictor.history[0, :3], [-2000, 100, 0])
    assert predictor.predict() == -1000
