"""What is left of a recording without its tonal bed, as a network learns to draw it."""

from __future__ import annotations

import numpy as np

from synth.common.typing import Float64, Int64, MonoSamples

WIDTH = 5 / 16000
"""Seconds of the mean that is taken three times: what is below 1 kHz stays in it."""


def without_low_band(residual: MonoSamples, voiced: Float64, hop: int, rate: int) -> MonoSamples:
    """The residual int16 (n,) without what is below 1 kHz where it is voiced, `voiced` (frames,) at every hop.

    Voices hardly have noise there; what a bed leaves is the difference of its harmonics from the recording's, and
    drawn as noise it makes a voice hoarse. In integers: the same on every machine.
    """
    low = residual.astype(np.int64)
    width = 2 * round(WIDTH * rate / 2 - 0.5) + 1
    for _ in range(3):
        low = _box(low, width)
    gate = _box(np.repeat((voiced > 0).astype(np.int64) * 64, hop), hop | 1)
    divisor = 64 * (hop | 1) * width**3
    left = residual.astype(np.int64) - (2 * gate * low + divisor) // (2 * divisor)
    return np.clip(left, -32768, 32767).astype(np.int16)


def _box(values: Int64, width: int) -> Int64:
    """Sums of `width` values (odd) around each, zeros outside."""
    total = np.cumsum(np.concatenate([np.zeros(width // 2 + 1, np.int64), values, np.zeros(width // 2, np.int64)]))
    return total[width:] - total[:-width]
