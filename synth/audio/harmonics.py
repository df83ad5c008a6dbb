"""The harmonics of a pitch in a sound, every 10 ms: the same bits on every machine.

Around each frame three periods under a Hann window are resampled to so many points a period that a transform of one
period has a bin for each harmonic; the window's zeros are at the others. Products of whole numbers below 2^53.
"""

from __future__ import annotations

import functools

import numpy as np

from synth.audio.exact_math import cosines
from synth.audio.pitch import LOWEST
from synth.common.typing import Float64

PERIODS = 3
POINTS = 256
"""Of a resampled period."""
UP = 4
"""How many times as dense samples are before lines are drawn between them."""
TAPS = 16
"""Of the filter that makes them so, for each of its phases."""
TOP = 5500.0
"""Hz; harmonics above are not measured."""
BEND = 0.05
"""The most that the pitch is taken to change within a period."""


def top_of(rate: int) -> float:
    """The frequency in Hz up to which harmonics are measured at a sample rate."""
    return min(TOP, 0.46 * rate)


def count_of(rate: int) -> int:
    """How many harmonics there can be."""
    return int(top_of(rate) / LOWEST)


def reach(rate: int) -> int:
    """Samples that a frame needs before and after its middle."""
    return int((PERIODS / 2) * rate / LOWEST * (1 + PERIODS * BEND / 2)) + TAPS


@functools.lru_cache(maxsize=1)
def _upsampler() -> Float64:
    """Taps (TAPS, UP): what each phase multiplies samples with, whole numbers, 2^14 in sum."""
    half = TAPS * UP // 2
    circle = cosines(4 * UP)
    k = np.arange(1, half + 1)
    sine = circle[(2 * k - UP) % (4 * UP)]  # sin(pi k / UP)
    side = sine / (k * 3.141592653589793 / UP) * (0.5 + 0.5 * cosines(2 * half)[1 : half + 1])
    taps = np.concatenate([side[half - 2 :: -1], [1.0], side])
    return np.rint(np.append(taps, 0.0)[: TAPS * UP].reshape(TAPS, UP)[::-1] * 16384)


@functools.lru_cache(maxsize=1)
def _hann() -> tuple[Float64, Float64]:
    """A Hann window of PERIODS x POINTS points as whole numbers, 2^14 at most, and their places in periods."""
    length = PERIODS * POINTS
    window = np.rint((0.5 - 0.5 * cosines(length)) * 16384)
    return window, (np.arange(length) - length // 2) / POINTS


@functools.lru_cache(maxsize=4)
def _transform(count: int) -> Float64:
    """Cosines and negative sines (POINTS, 2 x count) of the harmonics from 1 on, whole numbers."""
    places = (np.arange(POINTS) - PERIODS * POINTS // 2) % POINTS
    turn = np.multiply.outer(places, np.arange(1, count + 1)) % POINTS
    circle = np.rint(cosines(POINTS) * 16384)
    return np.concatenate([circle[turn], -circle[(turn - POINTS // 4) % POINTS]], 1)


def measure(samples: Float64, middles: Float64, pitches: Float64, bends: Float64, rate: int) -> tuple[Float64, Float64]:
    """Real and imaginary parts (frames, harmonics) of the harmonics' amplitudes, in steps of 16-bit samples.

    `samples`: whole numbers, which reach `reach` samples to both sides of all `middles`. `pitches` in Hz; `bends`: how
    much of itself the pitch grows by in a sample. An angle of 0 is a cosine with its maximum in the middle.
    """
    taps, (window, places) = _upsampler(), _hann()
    dense = np.rint(np.lib.stride_tricks.sliding_window_view(samples, TAPS) @ taps / 16384).ravel()
    period = rate / pitches
    bends = np.clip(bends * period, -BEND, BEND) / period
    at = places[None] * period[:, None]
    at = at - 0.5 * bends[:, None] * (at * at)
    at = (at + (middles[:, None] - TAPS // 2)) * UP + (UP - 1)
    whole = np.floor(at)
    part = np.floor((at - whole) * 256)
    index = whole.astype(np.int64)
    value = np.rint((dense[index] * (256 - part) + dense[index + 1] * part) / 256) * window
    period_sum = np.rint(value.reshape(len(pitches), PERIODS, POINTS).sum(1) / 16384)
    count = count_of(rate)
    both = period_sum @ _transform(count) * (2.0 / (16384 * PERIODS * POINTS / 2))
    inside = np.arange(1, count + 1)[None] * pitches[:, None] < top_of(rate)
    return np.where(inside, both[:, :count], 0.0), np.where(inside, both[:, count:], 0.0)
