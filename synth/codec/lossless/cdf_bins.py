"""The 256 bins into which a corrector divides the mixture's cdf, narrower towards both ends."""

from __future__ import annotations

import math

BINS = 256
BIN_STARTS = tuple(k * k / 32768 if k <= 128 else 1.0 - (256 - k) * (256 - k) / 32768 for k in range(BINS + 1))
"""The cdf value at which each bin begins, and 1."""


def position_of(u: float) -> float:
    """Where a cdf value lies among the bins, 0 to 256: the bin's number, and the share of the bin that is below."""
    tail = max(1.0 - u if u > 0.5 else u, 0.0)
    depth = math.sqrt(tail + tail) * 128.0
    return 256.0 - depth if u > 0.5 else depth


def bin_of(u: float) -> int:
    """The number of the bin that a cdf value falls into, 0 to 255."""
    return min(int(position_of(u)), BINS - 1)
