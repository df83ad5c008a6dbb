"""The pitch of a sound, every 10 ms: the same bits on every machine.

Candidates are maxima of the normalised cross-correlation of windows around each frame (Talkin, "A robust algorithm for
pitch tracking", 1995), of the sound at 4 kHz; the cheapest path through them is taken (Boersma, 1993, has these costs).
Whole numbers, or doubles one by one in a written order.
"""

from __future__ import annotations

import functools

import numpy as np

from synth.audio.exact_math import cosines, log
from synth.common.typing import Float64, Int64, MonoSamples

LOWEST, HIGHEST = 55.0, 700.0
"""Of the pitch, in Hz."""
LOW_RATE = 4000
"""Hz; the correlation is of the sound at this rate."""
CUTOFF = 1100
"""Hz; what is above this is filtered away before."""
WINDOW = 160
"""Samples at LOW_RATE of a correlated window: 40 ms."""
STEP = LOW_RATE // 100
"""Samples at LOW_RATE of a frame."""
LAGS = range(LOW_RATE // int(HIGHEST), int(LOW_RATE / LOWEST) + 3)
MARGIN = (WINDOW + LAGS[-1]) // 2 + 1
"""Samples at LOW_RATE that a frame needs before and after its middle."""
FLOOR = 107.0 * WINDOW
"""Added to the energy of a window: what is about as faint as ten steps of 16 bits is not voiced."""
CANDIDATES = 8
LEAST = 0.2
"""The correlation that a candidate must have."""
UNVOICED = 0.36
"""The correlation that being unvoiced counts as."""
OCTAVE_COST, JUMP_COST, CHANGE_COST = 0.06, 0.35, 0.14
"""Of an octave below the highest pitch; of an octave between two frames; of beginning or ending to be voiced."""
DELAY = 25
"""Frames after which a path is decided."""
LOG2 = 0.6931471805599453


def low_pass(decimation: int) -> Int64:
    """Taps (16 x decimation + 1,) of a filter of CUTOFF at LOW_RATE x `decimation`, which add up to about 2^15."""
    half, turn = 8 * decimation, 2 * LOW_RATE * decimation
    circle = cosines(turn)  # cos(2 pi k / turn)
    k = np.arange(1, half + 1)
    sine = circle[(k * 2 * CUTOFF - turn // 4) % turn]
    sinc = np.concatenate([[2.0 * CUTOFF / (LOW_RATE * decimation)], sine / (k * 3.141592653589793)])
    window = 0.54 + 0.46 * cosines(2 * half)[: half + 1]
    side = np.rint(sinc * window * 32768).astype(np.int64)
    return np.concatenate([side[:0:-1], side])


@functools.lru_cache(maxsize=8)
def _taps(decimation: int) -> Float64:
    return low_pass(decimation).astype(np.float64)


class PitchTracker:
    """Tracks the pitch of one sound at `rate` Hz, a multiple of 4000, pushed in blocks of any size."""

    def __init__(self, rate: int) -> None:
        self.decimation = rate // LOW_RATE
        self._samples = np.zeros(8 * self.decimation, np.float64)  # as if there were silence before
        self._low = np.zeros(MARGIN, np.float64)  # at LOW_RATE; its first is MARGIN before the next frame's middle
        self._scores = np.zeros(0)
        self._logs = np.zeros(0)
        self._paths = np.zeros((0, 0))
        self._frames = 0

    def push(self, samples: MonoSamples) -> Float64:
        """Takes int16 samples (n,); the pitches of the frames that are decided then, in Hz, 0 where unvoiced."""
        d = self.decimation
        self._samples = np.concatenate([self._samples, samples.astype(np.float64)])
        count = max(0, (len(self._samples) - 16 * d - 1) // d + 1)
        if count:
            views = np.lib.stride_tricks.sliding_window_view(self._samples, 16 * d + 1)[::d][:count]
            low = np.floor(views @ _taps(d) / 32768)  # whole numbers below 2^53: exact in any order
            self._low = np.concatenate([self._low, low])
            self._samples = self._samples[count * d :]
        frames = max(0, (len(self._low) - 2 * MARGIN) // STEP + 1)
        if not frames:
            return np.zeros(0)
        pitches, strengths = candidates(self._low, frames)
        self._low = self._low[frames * STEP :]
        decided = [self._step(p, s) for p, s in zip(pitches, strengths, strict=True)]
        return np.array([pitch for pitch in decided if pitch >= 0])

    def finish(self, frames: int) -> Float64:
        """The rest of `frames` pitches in all, as if silence followed."""
        out = []
        while self._frames - DELAY < frames:
            out.append(self.push(np.zeros(64 * STEP * self.decimation, np.int16)))
        rest = np.concatenate(out) if out else np.zeros(0)
        return rest[: max(0, len(rest) - (self._frames - DELAY - frames))]

    def _step(self, pitches: Float64, strengths: Float64) -> float:
        """The best paths to this frame's candidates; the pitch DELAY frames before, -1 while there is none."""
        logs = log(np.maximum(pitches, 1.0)) / LOG2
        local = np.append(strengths, UNVOICED)
        if self._frames == 0:
            self._scores, back = local, None
            self._paths = np.zeros((len(local), DELAY + 1))
        else:
            cost = np.full((len(local), len(local)), CHANGE_COST)
            cost[:-1, :-1] = JUMP_COST * np.abs(self._logs[:, None] - logs[None])
            cost[-1, -1] = 0.0
            total = self._scores[:, None] - cost
            back = total.argmax(0)
            self._scores = total[back, np.arange(len(local))] + local
            self._scores -= self._scores.max()
        paths = self._paths if back is None else self._paths[back]
        self._paths = np.concatenate([paths[:, 1:], np.append(pitches, 0.0)[:, None]], 1)
        self._logs = logs
        self._frames += 1
        return float(self._paths[self._scores.argmax(), 0]) if self._frames > DELAY else -1.0


def candidates(low: Float64, frames: int) -> tuple[Float64, Float64]:
    """Pitches in Hz and strengths of the CANDIDATES best maxima, (frames, CANDIDATES) each.

    `low`: whole numbers at LOW_RATE, the first frame's middle at MARGIN. What there is not has a strength of -1e9.
    """
    r = correlations(low, frames)
    before, here, after = r[:, :-2], r[:, 1:-1], r[:, 2:]
    peak = (here > before) & (here >= after) & (here > LEAST)
    bend = np.where(peak, before - 2.0 * here + after, -1.0)
    shift = 0.5 * (before - after) / bend
    value = here - 0.25 * (before - after) * shift
    pitch = np.clip(LOW_RATE / (np.arange(LAGS[1], LAGS[-1]) + shift), LOWEST, HIGHEST)
    strength = value - OCTAVE_COST * (log(np.where(peak, HIGHEST / pitch, 1.0)) / LOG2)
    strength = np.where(peak, strength, -1e9)
    best = np.argsort(-strength, 1, kind="stable")[:, :CANDIDATES]
    strengths = np.take_along_axis(strength, best, 1)
    return np.where(strengths > -1e8, np.take_along_axis(pitch, best, 1), 1.0), strengths


def correlations(low: Float64, frames: int) -> Float64:
    """Normalised cross-correlation (frames, lags) of the windows that lie evenly around each frame's middle."""
    energy = np.concatenate([[0.0], np.cumsum(low * low)])  # whole numbers below 2^53
    stride = low.strides[0]
    middles = MARGIN + STEP * np.arange(frames)
    out = np.empty((frames, len(LAGS)))
    for place, lag in enumerate(LAGS):
        first = MARGIN - (WINDOW + lag) // 2
        shape, strides = (frames, WINDOW), (STEP * stride, stride)
        left = np.lib.stride_tricks.as_strided(low[first:], shape, strides)
        right = np.lib.stride_tricks.as_strided(low[first + lag :], shape, strides)
        at = middles - (WINDOW + lag) // 2
        of_left, of_right = energy[at + WINDOW] - energy[at], energy[at + lag + WINDOW] - energy[at + lag]
        product = np.einsum("ij,ij->i", left, right)
        out[:, place] = product / np.sqrt((of_left + FLOOR) * (of_right + FLOOR))
    return out
