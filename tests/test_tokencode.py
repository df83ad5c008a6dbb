"""Tokens to bytes and back: what comes out is what went in, in about as many bits as the planner says."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest
import voices
from hypothesis import given, settings
from hypothesis import strategies as st

from synth import engine as engines
from synth import tokencode
from synth.config import Draw
from synth.errors import UsageError


@functools.cache
def engine(period: int = 2, prefer: str = "auto") -> Any:
    config = voices.planner(period)
    return engines.create(config, voices.uneven(config, 21), prefer)


def drawn(period: int, frames: int, seed: int) -> Any:
    """Tokens (frames, period) as the planner itself would say them."""
    player = engine(period)
    return player.generate(player.state(seed), frames * period, Draw()).reshape(frames, period)


@given(st.integers(0, 2**32 - 1), st.sampled_from([(1, 1), (2, 1), (2, 2), (4, 1), (4, 3), (4, 4)]), st.integers(0, 9))
@settings(max_examples=30)
def test_any_tokens_come_back(seed: int, counts: tuple[int, int], frames: int) -> None:
    period, count = counts
    tokens = np.random.default_rng(seed).integers(0, 256, (frames, count)).astype(np.uint8)
    data = tokencode.encode(engine(period), tokens)
    np.testing.assert_array_equal(tokencode.decode(engine(period), data, frames, count), tokens)


@pytest.mark.parametrize(("period", "count"), [(2, 2), (4, 4), (4, 2)])
def test_bytes_are_as_many_as_the_planner_says(period: int, count: int) -> None:
    tokens = drawn(period, 400, seed=3)[:, :count]
    bits = tokencode.bits(engine(period), tokens)
    data = tokencode.encode(engine(period), tokens)
    assert bits > 400
    assert abs(8 * len(data) - bits) <= 16 + 0.001 * bits
    np.testing.assert_array_equal(tokencode.decode(engine(period), data, 400, count), tokens)


def test_what_the_planner_expects_is_shorter() -> None:
    random = np.random.default_rng(1).integers(0, 256, (200, 2)).astype(np.uint8)
    assert tokencode.bits(engine(), drawn(2, 200, seed=1)) < 0.9 * tokencode.bits(engine(), random)


def test_nothing_takes_no_bytes() -> None:
    empty = np.zeros((0, 2), np.uint8)
    assert tokencode.encode(engine(), empty) == b"" and tokencode.bits(engine(), empty) == 0
    assert tokencode.decode(engine(), b"", 0, 2).shape == (0, 2)
    assert tokencode.decode(engine(), b"", 3, 0).shape == (3, 0)


def test_engines_make_the_same_bytes() -> None:
    tokens = drawn(2, 12, seed=4)
    data = tokencode.encode(engine(), tokens)
    assert tokencode.encode(engine(2, "reference"), tokens) == data
    np.testing.assert_array_equal(tokencode.decode(engine(2, "reference"), data, 12, 2), tokens)


@given(st.binary(max_size=30), st.integers(0, 5))
@settings(max_examples=30)
def test_damaged_bytes_give_other_tokens_and_no_error(data: bytes, frames: int) -> None:
    tokens = tokencode.decode(engine(), data, frames, 2)
    assert tokens.shape == (frames, 2) and tokens.dtype == np.uint8


@pytest.mark.parametrize("shape", [(3, 3), (4,), (1, 2, 3)])
def test_more_tokens_than_the_planner_has_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(UsageError, match=r"^tokens of shape \[.*must be \[frames, at most 2\]$"):
        tokencode.encode(engine(), np.zeros(shape, np.uint8))
