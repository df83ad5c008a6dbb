"""The steps of samples of 32 bits: of which number they are multiples, if they are. Of the encoder's choice alone."""

from __future__ import annotations

import math

import numpy as np

from synth.common.typing import Float64, Int32

LEAST, MOST = 2.0**-149, 2.0**105
"""Bounds of a step."""
_PRECISION = 23
"""Bits of an integer part without its sign."""
_FEW = 32
"""Different values from which on a gain is looked for."""
_HEAD = 4096
"""Of the least values the gaps tell the gain."""
_SHARE = 128
"""One sample of so many may be beyond what the others say."""


def reals(samples: Int32, floats: bool) -> Float64:
    """The values that samples have, whose bits are given."""
    with np.errstate(invalid="ignore"):
        return samples.view(np.float32).astype(np.float64) if floats else samples.astype(np.float64)


def choose(values: Float64, floats: bool) -> float:
    """The step of a channel's samples: what they are multiples of, else what makes the most of 24 bits."""
    sizes = np.abs(values[np.isfinite(values) & (values != 0)])
    if not len(sizes):
        return 1.0
    most = _most(sizes)
    unit = min(_power(sizes), MOST)
    if most < unit * 2.0**_PRECISION:
        return unit
    fitting = sizes[sizes <= most]
    gain = _gain(np.unique(fitting), floats)
    if (
        gain is not None
        and LEAST <= gain <= MOST
        and most < gain * (2.0**_PRECISION - 1)
        and _fits(fitting, gain, floats)
    ):
        return gain
    finest = 2.0 ** (math.frexp(most)[1] - _PRECISION)
    return max(finest, LEAST if floats else 1.0)


def _most(sizes: Float64) -> float:
    """The greatest size, or if a few are far beyond the others the greatest of these."""
    greatest = float(sizes.max())
    place = len(sizes) - 1 - (len(sizes) // 1024 + (len(sizes) >= _FEW))
    usual = float(np.partition(sizes, place)[place])
    return greatest if greatest < 16 * usual else usual


def _power(sizes: Float64) -> float:
    """The greatest power of two of which nearly all are multiples."""
    mantissas, exponents = np.frexp(sizes)
    whole = (mantissas * 2.0**32).astype(np.int64)
    lowest = np.frexp((whole & -whole).astype(np.float64))[1] + exponents - 33
    place = len(lowest) // _SHARE
    return 2.0 ** int(np.partition(lowest, place)[place])


def _half(sizes: Float64, floats: bool) -> Float64:
    """Half a unit of the last place."""
    return np.spacing(sizes.astype(np.float32)).astype(np.float64) / 2 if floats else np.full(len(sizes), 0.5)


def _gain(values: Float64, floats: bool) -> float | None:
    """The number of which different values, which rise, are multiples but for rounding, if there seems to be one."""
    if len(values) < _FEW:
        return None
    gaps = np.diff(values[: min(_HEAD, len(values) * 3 // 4)], prepend=0.0)  # at the top some may be clipped
    for gap in (float(np.median(gaps)), float(gaps.min())):
        if values[-1] >= gap * 2.0 ** (_PRECISION + 1):
            continue
        gain = _refined(values, gap, floats)
        if gain is not None:
            return gain
    return None


def _refined(values: Float64, gain: float, floats: bool) -> float | None:
    """The gain fitted to more and more values, from the least on; None where too few are its multiples."""
    reach = 32.0
    while True:
        some = values[values <= gain * reach]
        times = np.rint(some / gain)
        for _ in range(2 if times.any() else 0):
            beyond = np.abs(some - times * gain)
            weights = times * (beyond <= 8 * np.median(beyond))  # those that were clipped are of no multiple
            gain = _sum(some * weights) / _sum(times * weights) if weights.any() else gain
        if len(some) == len(values):
            break
        reach *= 8
    half = _half(values, floats)
    times = np.maximum(np.rint(values / gain), 1)
    near = np.abs(values - times * gain) <= 3 * half
    if near.mean() < 0.95:
        return None
    low = float(((values - half) / times)[near].max())
    high = float(((values + half) / times)[near].min())
    if low >= high:
        return gain
    short = float(np.float32((low + high) / 2))
    return short if low < short < high else (low + high) / 2


def _sum(values: Float64) -> float:
    """One after the other, so that it is the same on every machine."""
    return float(np.add.accumulate(values)[-1])


def _fits(sizes: Float64, gain: float, floats: bool) -> bool:
    """Whether most are multiples of the gain but for rounding, and not because any number is: some may be clipped."""
    half = _half(sizes, floats)
    near = np.abs(sizes - np.rint(sizes / gain) * gain) <= 3 * half
    return bool(near.mean() > 0.6 and (4 * half < gain).mean() > 0.5)
