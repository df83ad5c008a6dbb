"""Tokens that are chosen by their bits too: the same by both engines, cheaper, and of a rate that is used."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from helpers import tonal_voices
from numpy.typing import NDArray

from synth.codec.parametric import coder, token_coding
from synth.codec.parametric.format import ParametricReader
from synth.codec.parametric.token_choice import BEAMS, TokenChoice, choose_specified
from synth.engine.select import parts

FRAMES = 40


def latents(frames: int = FRAMES, seed: int = 0) -> NDArray[np.float32]:
    draw = np.random.default_rng(seed)
    return (draw.integers(-100, 101, (frames, tonal_voices.VOCODER.latent)) / 32).astype(np.float32)


def choice(count: int, frames: int = FRAMES, engine: str = "auto", seed: int = 0) -> TokenChoice:
    runtime = tonal_voices.load(engine).runtime
    return TokenChoice(runtime.planner, runtime.vocoder, latents(frames, seed), count)


def scale() -> int:
    """A weight of bits that matters."""
    own = choice(2)
    return max(1, own.mean_distance(own.vocoder.tokens(latents(), 2)) // 20)


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("weight", [0, 1, 20])
def test_both_engines_choose_the_same(count: int, weight: int) -> None:
    if parts("auto") is None:
        pytest.skip("one engine alone")
    chosen = [choice(count, 12, engine).choose(weight * scale(), 5) for engine in ("native", "reference")]
    np.testing.assert_array_equal(chosen[0][0], chosen[1][0])
    assert chosen[0][1] == chosen[1][1]


def test_bits_are_those_of_the_planner_and_get_fewer() -> None:
    own, before = choice(2), np.inf
    for weight in (0, scale(), 10 * scale()):
        tokens, bits = own.choose(weight, FRAMES)
        assert bits == pytest.approx(token_coding.bits(own.engine, tokens))
        assert bits <= before
        before = bits
    assert before < own.choose(0, FRAMES)[1]


def test_without_a_weight_it_is_at_least_as_near_as_the_nearest_one_by_one() -> None:
    own = choice(2)
    chosen, greedy = own.choose(0, FRAMES)[0], own.vocoder.tokens(latents(), 2)
    np.testing.assert_array_equal(chosen[:, 0], greedy[:, 0])  # the pitch
    assert own.mean_distance(chosen) <= own.mean_distance(greedy)


class EvenPlanner:
    """A planner to which all codes are alike; its state is how many tokens there were."""

    class config:
        period = 3

    class State:
        def __init__(self, told: list[int]) -> None:
            self.told = told

        def save(self) -> Any:
            return list(self.told)

    def state(self) -> Any:
        return self.State([])

    def restore(self, saved: Any) -> Any:
        return self.State(saved)

    def teacher_force(self, state: Any, codes: Any) -> None:
        state.told.extend(int(code) for code in codes)

    def code_lengths(self, state: Any) -> Any:
        return np.full(256, 8 << 16, np.uint32)


def test_a_frame_is_searched_with_beams() -> None:
    draw = np.random.default_rng(3)
    own, pairs = draw.integers(0, 100, (1, 3, 256)), draw.integers(0, 100, (3, 256, 256)).astype(np.int32)
    tokens, length = choose_specified(EvenPlanner(), own, pairs, np.array([[7]], np.uint8), 5)
    assert length == 3 * 8 << 16
    assert tokens[0, 0] == 7
    second = np.argsort(own[0, 1] + pairs[0, 7], kind="stable")[:BEAMS]
    cost = (own[0, 1] + pairs[0, 7])[second, None] + own[0, 2] + pairs[1, 7] + pairs[2, second]
    assert (own[0, 1] + pairs[0, 7])[tokens[0, 1]] + own[0, 2, tokens[0, 2]] + pairs[1, 7, tokens[0, 2]] + pairs[
        2, tokens[0, 1], tokens[0, 2]
    ] == cost.min()


def test_a_rate_is_used_up_by_one_token_more_where_it_fits() -> None:
    voice, sound = tonal_voices.load(), tonal_voices.vowel(tonal_voices.RATE * 2)
    one, two = (8 * len(coder.encode(voice, sound, rate)[0]) / 2 for rate in (1.0, 1e6))
    between = two - 0.02 * (two - one)
    data, tokens = coder.encode(voice, sound, between)
    assert 8 * len(data) / 2 <= between
    assert tokens.shape[1] == 2
    reader = ParametricReader(data, "x")
    decoded = np.concatenate(list(coder.decode_latents(reader, voice)))
    np.testing.assert_array_equal(decoded, voice.runtime.vocoder.latents(tokens))
    assert 8 * len(coder.encode(voice, sound, (one + two) / 2)[0]) / 2 <= (one + two) / 2
