"""Oscillators: what they render is sines, and the compiled ones give what is specified, bit for bit."""

from __future__ import annotations

import hashlib
import math
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from synth import engine
from synth.common.errors import UsageError
from synth.common.typing import Int32
from synth.vocoder.oscillators import MAX_AMPLITUDE, MAX_PARTIALS, Oscillators, cosine_table

SETS = engine.instruction_sets()
Bank = tuple[NDArray[np.uint32], Int32, Int32, Int32]


def oscillators(length: int, name: str) -> Oscillators:
    """Those of an instruction set."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SYNTH_ISA", name)
        bank = Oscillators(length)
    assert bank._native is not None
    return bank


def random_bank(segments: int, partials: int, seed: int) -> Bank:
    """Phases, increments and slopes of any value, amplitudes at the limits, silent ones among them."""
    random, shape = np.random.default_rng(seed), (segments, partials)
    starts = random.integers(0, 1 << 32, shape).astype(np.uint32)
    increments, slopes = (random.integers(-(1 << 31), 1 << 31, shape).astype(np.int32) for _ in range(2))
    amplitudes = random.integers(0, MAX_AMPLITUDE + 1, (segments + 1, partials))
    edges = random.random(amplitudes.shape)
    amplitudes[edges < 0.4] = random.choice([0, 0, 0, 1, MAX_AMPLITUDE], (edges < 0.4).sum())
    return starts, increments, slopes, amplitudes.astype(np.int32)


def steady(length: int, segments: int, frequency: float, amplitude: int, phase: int = 0) -> Bank:
    """One partial of `frequency` turns a sample whose phase runs on."""
    increment = round(frequency * 2**32)
    starts = np.array([[(phase + k * length * increment) % 2**32] for k in range(segments)], np.uint32)
    wrapped = np.full((segments, 1), (increment + 2**31) % 2**32 - 2**31, np.int32)
    return starts, wrapped, np.zeros((segments, 1), np.int32), np.full((segments + 1, 1), amplitude, np.int32)


def test_the_table_is_a_rounded_cosine() -> None:
    table = cosine_table()
    assert table.dtype == np.int16 and not table.flags.writeable
    assert table.tolist() == [round(32767 * math.cos(2 * math.pi * k / 4096)) for k in range(4096)]
    assert hashlib.sha256(table.astype("<i2").tobytes()).hexdigest()[:16] == "12cfb7c40db1a11b"


@pytest.mark.parametrize("name", SETS)
@given(
    st.one_of(st.sampled_from([80, 81, 95, 96, 160, 479, 480]), st.integers(80, 480)),
    st.integers(0, 4),
    st.one_of(st.sampled_from([0, 1, 31, 32, 33, 64, 65]), st.integers(0, 100)),
    st.integers(0, 10**6),
)
@settings(max_examples=25, deadline=None)
def test_they_are_as_specified(name: str, length: int, segments: int, partials: int, seed: int) -> None:
    bank, asked = oscillators(length, name), random_bank(segments, partials, seed)
    rendered = bank.render(*asked)
    assert rendered.dtype == np.int32 and rendered.shape == (segments * length,)
    np.testing.assert_array_equal(rendered, bank.render_specified(*asked))


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("amplitude", [0, 1, MAX_AMPLITUDE - 1, MAX_AMPLITUDE])
@pytest.mark.parametrize("phase", [0, 1 << 31, (1 << 19) - 1, (1 << 32) - (1 << 19) - 1, (1 << 32) - (1 << 19)])
def test_many_partials_that_all_push_the_same_way(name: str, amplitude: int, phase: int) -> None:
    bank, shape = oscillators(80, name), (2, MAX_PARTIALS)
    still = np.zeros(shape, np.int32)
    asked = np.full(shape, phase, np.uint32), still, still, np.full((3, MAX_PARTIALS), amplitude, np.int32)
    rendered = bank.render(*asked)
    np.testing.assert_array_equal(rendered, bank.render_specified(*asked))
    sign = -1 if phase == 1 << 31 else 1
    assert set(rendered.tolist()) == {(sign * 32767 * amplitude * MAX_PARTIALS + (1 << 18)) >> 19}


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("ends", [(0, 1), (1, 0), (0, MAX_AMPLITUDE), (MAX_AMPLITUDE, 0), (7, 5), (5, 7)])
@pytest.mark.parametrize("length", [80, 479, 480])
def test_amplitudes_that_rise_and_fall(name: str, ends: tuple[int, int], length: int) -> None:
    bank, still = oscillators(length, name), np.zeros((1, 300), np.int32)
    asked = np.zeros((1, 300), np.uint32), still, still, np.repeat(np.array(ends, np.int32)[:, None], 300, 1)
    rendered = bank.render(*asked)
    np.testing.assert_array_equal(rendered, bank.render_specified(*asked))
    line = (ends[0] + (ends[1] - ends[0]) * np.arange(length) / length) * 300 / 16
    assert np.abs(rendered - line).max() <= 300 / 16 * 1.5 + 300 * 2**-15 * MAX_AMPLITUDE / 16


@pytest.mark.parametrize("prefer", ["auto", "reference"])
@pytest.mark.parametrize("frequency", [0.0013, 0.0271, 0.25, 0.4999, -0.1])
def test_one_partial_is_the_sine_that_was_asked_for(prefer: str, frequency: float) -> None:
    length, segments, amplitude, phase = 160, 50, 10000, 123456789
    bank = Oscillators(length, prefer)
    rendered = bank.render(*steady(length, segments, frequency, 16 * amplitude, phase))
    turns = phase / 2**32 + frequency * np.arange(length * segments)
    wanted = amplitude * np.cos(2 * np.pi * turns)
    error = ((rendered - wanted) ** 2).mean() / (wanted**2).mean()
    assert 10 * np.log10(error) < -60


def test_slopes_make_glides() -> None:
    length, first, slope = 480, 0.01, 0.02 / 480
    bank, up = Oscillators(length), np.array([[round(slope * 2**32)]], np.int32)
    start, increment, _, amplitude = steady(length, 1, first, 16 * 8000)
    rendered, t = bank.render(start, increment, up, amplitude), np.arange(length)
    wanted = 8000 * np.cos(2 * np.pi * (first * t + slope * t * (t - 1) / 2))
    assert np.abs(rendered - wanted).max() < 8000 * 2 * np.pi / 4096 + 2


def test_segments_are_each_by_themselves() -> None:
    bank, (starts, increments, slopes, amplitudes) = Oscillators(160), random_bank(9, 20, 5)
    whole = bank.render(starts, increments, slopes, amplitudes)
    parts = [
        bank.render(starts[a:b], increments[a:b], slopes[a:b], amplitudes[a : b + 1])
        for a, b in ((0, 1), (1, 1), (1, 6), (6, 9))
    ]
    np.testing.assert_array_equal(whole, np.concatenate(parts))


def test_threads_share_them_and_strided_arrays_are_taken() -> None:
    bank, asked = Oscillators(160), random_bank(40, 30, 6)
    turned: Any = [np.asfortranarray(array) for array in asked]
    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(lambda _: bank.render(*turned).tobytes(), range(12)))) == 1
    np.testing.assert_array_equal(bank.render(*turned), bank.render_specified(*asked))


def test_the_reference_is_used_where_it_is_asked_for() -> None:
    assert Oscillators(80, "reference")._native is None


@pytest.mark.parametrize("length", [79, 481, 0, -1])
def test_lengths_that_no_segment_has(length: int) -> None:
    with pytest.raises(UsageError, match=f"^length: .*80 to 480.*: {length}"):
        Oscillators(length)


@pytest.mark.parametrize("prefer", ["auto", "reference"])
@pytest.mark.parametrize(
    ("place", "change", "words"),
    [
        (0, lambda a: a.astype(np.int64), "starts: must be uint32, is int64"),
        (0, lambda a: a[0], "starts: must be \\(segments, partials\\)"),
        (1, lambda a: a.astype(np.int16), "increments: must be int32"),
        (1, lambda a: a[:, :-1], "increments: must have shape"),
        (2, lambda a: a[:-1], "slopes: must have shape"),
        (2, lambda a: a.astype(np.float32), "slopes: must be int32"),
        (3, lambda a: a[:-1], "amplitudes: must have shape \\(4, 5\\), has \\(3, 5\\)"),
        (3, lambda a: a * 0 - 1, "amplitudes: must be 0 to 524288, are -1 to -1"),
        (3, lambda a: a * 0 + MAX_AMPLITUDE + 1, "amplitudes: must be 0 to 524288"),
    ],
)
def test_what_does_not_suit_is_refused(prefer: str, place: int, change: Any, words: str) -> None:
    asked: list[Any] = list(random_bank(3, 5, 7))
    asked[place] = change(asked[place])
    with pytest.raises(UsageError, match=f"^{words}"):
        Oscillators(80, prefer).render(*asked)


def test_too_many_partials_are_refused() -> None:
    with pytest.raises(UsageError, match="^starts: 4097 partials; at most 4096"):
        Oscillators(80).render(*random_bank(0, MAX_PARTIALS + 1, 8))


@pytest.mark.skipif(not SETS, reason="the native engine is not built")
def test_the_kernel_checks_by_itself() -> None:
    from synth.engine import _kernel

    native: Any = Oscillators(80)._native
    asked, out = random_bank(3, 5, 9), np.zeros(240, np.int32)
    native._kernel.render(*asked, out)
    one_more = np.zeros((4, 5), np.int32)
    wrong: list[list[Any]] = [
        [asked[0], one_more, *asked[2:], out],
        [*asked[:2], one_more, asked[3], out],
        [*asked[:3], one_more[:3], out],
        [*asked, out[:-1]],
        [*asked[:3], one_more - 1, out],
        [*asked[:3], one_more + MAX_AMPLITUDE + 1, out],
        [*random_bank(0, MAX_PARTIALS + 1, 1), out[:0]],
    ]
    for arguments in wrong:
        with pytest.raises(ValueError, match="^oscillators: "):
            native._kernel.render(*arguments)
    for length, cosine in ((79, cosine_table()), (481, cosine_table()), (80, cosine_table()[1:])):
        with pytest.raises(ValueError, match="^oscillators: "):
            _kernel.oscillators(SETS[0], length, cosine)
