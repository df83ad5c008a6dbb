"""Tokens to bytes and back: what comes out is what went in, in about as many bits as the planner says."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest
from helpers import voices
from hypothesis import given, settings
from hypothesis import strategies as st

from synth import engine as engines
from synth.codec.parametric import token_coding
from synth.common.errors import UsageError
from synth.engine.config import SamplingConfig


@functools.cache
def engine(period: int = 2, prefer: str = "auto") -> Any:
    config = voices.planner(period)
    return engines.create(config, voices.uneven(config, 21), prefer)


def drawn(period: int, frames: int, seed: int) -> Any:
    """Tokens (frames, period) as the planner itself would say them."""
    player = engine(period)
    return player.generate(player.state(seed), frames * period, SamplingConfig()).reshape(frames, period)


@given(st.integers(0, 2**32 - 1), st.sampled_from([(1, 1), (2, 1), (2, 2), (4, 1), (4, 3), (4, 4)]), st.integers(0, 9))
@settings(max_examples=30)
def test_any_tokens_come_back(seed: int, counts: tuple[int, int], frames: int) -> None:
    period, count = counts
    tokens = np.random.default_rng(seed).integers(0, 256, (frames, count)).astype(np.uint8)
    data = token_coding.encode(engine(period), tokens)
    np.testing.assert_array_equal(token_coding.decode(engine(period), data, frames, count), tokens)


@pytest.mark.parametrize(("period", "count"), [(2, 2), (4, 4), (4, 2)])
def test_bytes_are_as_many_as_the_planner_says(period: int, count: int) -> None:
    tokens = drawn(period, 400, seed=3)[:, :count]
    bits = token_coding.bits(engine(period), tokens)
    data = token_coding.encode(engine(period), tokens)
    assert bits > 400
    assert abs(8 * len(data) - bits) <= 16 + 0.001 * bits
    np.testing.assert_array_equal(token_coding.decode(engine(period), data, 400, count), tokens)


def extreme(period: int) -> Any:
    """A planner that is sure of most of its decisions."""
    config = voices.planner(period)
    tensors = voices.uneven(config, 5)
    tensors["head.tree.shift"][:] = 0
    tensors["head.tree.bias"][1:] = np.random.default_rng(5).choice([-30000, -4000, 0, 4000, 30000], 255)
    return engines.create(config, tensors)


def least_likely(player: Any, frames: int) -> Any:
    """The tokens (frames, period) that the planner expects least."""
    state, found = player.state(), np.zeros(frames * player.config.period, np.uint8)
    for place in range(len(found)):
        found[place] = 255 - player.distribution(state)[::-1].argmin()  # of several the last: its ones cost the most
        player.teacher_force(state, found[place : place + 1])
    return found.reshape(frames, -1)


def assert_as_specified(player: Any, tokens: Any) -> bytes:
    data = token_coding.encode(player, tokens)
    assert data == token_coding.encode_specified(player, tokens)
    for decode in (token_coding.decode, token_coding.decode_specified):
        np.testing.assert_array_equal(decode(player, data, *tokens.shape), tokens)
    return data


@pytest.mark.parametrize(("period", "count"), [(1, 1), (2, 2), (4, 0), (4, 1), (4, 3), (16, 16), (16, 5)])
def test_the_kernel_does_what_is_specified(period: int, count: int) -> None:
    assert_as_specified(engine(period), drawn(period, 50, seed=6)[:, :count])
    assert_as_specified(extreme(period), np.random.default_rng(7).integers(0, 256, (50, count)).astype(np.uint8))


def test_what_the_planner_rules_out_has_room() -> None:
    player = extreme(2)
    tokens = np.concatenate([least_likely(player, 60), np.zeros((1, 2), np.uint8)])  # ones alone end in no bytes
    data = assert_as_specified(player, tokens)
    assert len(data) > 120 * 10  # most decisions have the least probability there is


@pytest.mark.skipif(not engines.has_native(), reason="the engine is not built")
def test_instruction_sets_make_the_same_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    config, tokens = voices.planner(4), drawn(4, 100, seed=8)
    found = set()
    for name in engines.instruction_sets():
        monkeypatch.setenv("SYNTH_ISA", name)
        player = engines.create(config, voices.uneven(config, 21))
        found.add(token_coding.encode(player, tokens))
        np.testing.assert_array_equal(token_coding.decode(player, min(found), 100, 4), tokens)
    assert found == {token_coding.encode_specified(engine(4), tokens)}


@pytest.mark.skipif(not engines.has_native(), reason="the engine is not built")
def test_the_kernel_checks_tokens_itself() -> None:
    with pytest.raises(ValueError, match="more in a frame than the network's period"):
        token_coding.encode_native(engine(), np.zeros((3, 3), np.uint8))
    with pytest.raises(ValueError, match="more in a frame than the network's period"):
        token_coding.decode_native(engine(), b"", 3, 3)


def test_what_the_planner_expects_is_shorter() -> None:
    random = np.random.default_rng(1).integers(0, 256, (200, 2)).astype(np.uint8)
    assert token_coding.bits(engine(), drawn(2, 200, seed=1)) < 0.9 * token_coding.bits(engine(), random)


def test_nothing_takes_no_bytes() -> None:
    empty = np.zeros((0, 2), np.uint8)
    assert token_coding.encode(engine(), empty) == b"" and token_coding.bits(engine(), empty) == 0
    assert token_coding.decode(engine(), b"", 0, 2).shape == (0, 2)
    assert token_coding.decode(engine(), b"", 3, 0).shape == (3, 0)


def test_engines_make_the_same_bytes() -> None:
    tokens = drawn(2, 12, seed=4)
    data = token_coding.encode(engine(), tokens)
    assert token_coding.encode(engine(2, "reference"), tokens) == data
    np.testing.assert_array_equal(token_coding.decode(engine(2, "reference"), data, 12, 2), tokens)


@given(st.binary(max_size=30), st.integers(0, 5))
@settings(max_examples=30)
def test_damaged_bytes_give_other_tokens_and_no_error(data: bytes, frames: int) -> None:
    tokens = token_coding.decode(engine(), data, frames, 2)
    assert tokens.shape == (frames, 2) and tokens.dtype == np.uint8


@pytest.mark.parametrize("shape", [(3, 3), (4,), (1, 2, 3)])
def test_more_tokens_than_the_planner_has_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(UsageError, match=r"^tokens of shape \[.*must be \[frames, at most 2\]$"):
        token_coding.encode(engine(), np.zeros(shape, np.uint8))


def test_more_tokens_than_the_planner_has_are_not_read() -> None:
    with pytest.raises(UsageError, match=r"^tokens of shape \[4, 3\]: must be \[frames, at most 2\]$"):
        token_coding.decode(engine(), b"", 4, 3)
