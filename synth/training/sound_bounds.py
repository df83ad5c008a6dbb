"""Where the sound of a recording begins and ends, for a planner that is to know."""

from __future__ import annotations

import numpy as np

from synth.common.labels import LabelIds
from synth.common.typing import Int64, MonoSamples
from synth.vocoder import timing

LOUD, AUDIBLE = 1 / 50, 1 / 1000
"""Shares of the greatest power: of what is sound for certain, and of what belongs to it right before and after."""
REACH = 0.12
"""Seconds before and after what is sound for certain that may belong to it, as fricatives do."""


def bounds_of(samples: MonoSamples, hop: int) -> tuple[int, int]:
    """First token frame of the sound in samples (n,), and how many it lasts, 1 or more; `hop`: samples a token frame.

    Power is of half a token frame, smoothed over two. Sound lasts from the first to the last place that has LOUD of the
    greatest power, and on both sides as far as there is AUDIBLE without a break, at most REACH.
    """
    half = hop // 2
    count = max(1, -(-len(samples) // half))
    padded = np.zeros(count * half, np.float64)
    padded[: len(samples)] = samples
    power = np.square(padded).reshape(count, half).mean(1)
    power = np.convolve(np.pad(power, 1), (0.25, 0.5, 0.25), "valid")
    loud = np.flatnonzero(power >= LOUD * power.max())
    first, last = int(loud[0]), int(loud[-1])
    audible = power >= AUDIBLE * power.max()
    reach = round(REACH * 50) * 2  # halves of token frames of 20 ms
    least, most = max(0, first - reach), min(count - 1, last + reach)
    while first > least and audible[first - 1]:
        first -= 1
    while last < most and audible[last + 1]:
        last += 1
    return first // 2, last // 2 - first // 2 + 1


def step_labels(label_ids: LabelIds, begin: int, length: int, every: int, steps: int) -> Int64:
    """Label ids (steps, keys + 2) of a planner's steps, `every` token frames each, in a sound from frame `begin` on."""
    rows = [(*label_ids, *timing.ids_at(step * every, every, begin, length)) for step in range(steps)]
    return np.array(rows, np.int64).reshape(steps, len(label_ids) + 2)
