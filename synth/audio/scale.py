"""How strong a sound is at the places of a scale, every 10 ms: the same bits on every machine.

The places are a semitone apart, from 27.5 Hz up (a constant-Q transform: Brown, 1991). Around each frame the sound is
multiplied by a Hann window of Q periods, 25 to 150 ms, and by cosines and sines of the place. Products of whole numbers
below 2^53.
"""

from __future__ import annotations

import functools
from decimal import Decimal, localcontext

import numpy as np

from synth.audio.exact_math import DIGITS, cosines
from synth.common.typing import Float64

LOWEST = 27.5
"""Hz; the place of the first note."""
PERIODS = 17
"""Of a window, as long as that lasts neither less than SHORTEST nor more than LONGEST."""
SHORTEST, LONGEST = 0.025, 0.15
"""Seconds of a window."""
CIRCLE = 1 << 14
"""Of the table of a cosine, by which places are measured."""
UNIT = 1 << 14
"""Of 1.0 in windows and cosines."""


@functools.lru_cache(maxsize=8)
def note_places(notes: int) -> Float64:
    """Frequencies (notes,) in Hz, a semitone apart."""
    with localcontext(DIGITS):
        octave = Decimal(2).ln()
        return np.array([float(Decimal(LOWEST) * (octave * k / 12).exp()) for k in range(notes)])


def most_notes(rate: int) -> int:
    """How many places lie below 0.46 of a sample rate."""
    return int((note_places(160) < 0.46 * rate).sum())


def reach(rate: int) -> int:
    """Samples that a frame needs before and after its middle."""
    return int(LONGEST * rate / 2)


@functools.lru_cache(maxsize=4)
def _kernels(rate: int, notes: int) -> tuple[Float64, Float64]:
    """Windowed cosines and negative sines (2 x reach + 1, 2 x notes), whole numbers; the windows' sums (notes,)."""
    half = reach(rate)
    at = np.arange(-half, half + 1)
    circle = np.rint(cosines(CIRCLE) * UNIT)
    kernels, sums = np.zeros((2 * half + 1, 2 * notes)), np.zeros(notes)
    for k, hertz in enumerate(note_places(notes)):
        width = int(min(max(PERIODS / hertz, SHORTEST), LONGEST) * rate) // 2
        inside = slice(half - width, half + width + 1)
        window = 0.5 - 0.5 * np.concatenate([cosines(2 * width), [1.0]])
        turn = np.rint(at[inside] * (hertz / rate * CIRCLE)).astype(np.int64)
        kernels[inside, k] = np.rint(window * circle[turn % CIRCLE])
        kernels[inside, notes + k] = np.rint(-window * circle[(turn - CIRCLE // 4) % CIRCLE])
        sums[k] = np.rint(window * UNIT).sum()
    return kernels, sums


def measure(samples: Float64, count: int, hop: int, rate: int, notes: int) -> tuple[Float64, Float64]:
    """Real and imaginary parts (count, notes) of amplitudes, in steps of 16-bit samples.

    `samples`: whole numbers; the middle of frame k is at `reach` + k x `hop`, and as many samples lie behind the last.
    An angle of 0 is a cosine with its maximum in the middle.
    """
    kernels, sums = _kernels(rate, notes)
    frames = np.lib.stride_tricks.sliding_window_view(samples, len(kernels))[: count * hop : hop]
    both = frames @ kernels * (2.0 / np.concatenate([sums, sums]))
    return both[:, :notes], both[:, notes:]
