"""The 256 cells into which a corrector divides the mixture's cdf, finer towards both ends."""

from __future__ import annotations

import math

CELLS = 256
STARTS = tuple(k * k / 32768 if k <= 128 else 1.0 - (256 - k) * (256 - k) / 32768 for k in range(CELLS + 1))
"""Where they begin, and 1."""


def place(u: float) -> float:
    """Where a cdf value lies among the cells, 0 to 256; the whole part is the cell."""
    tail = max(1.0 - u if u > 0.5 else u, 0.0)
    depth = math.sqrt(tail + tail) * 128.0
    return 256.0 - depth if u > 0.5 else depth


def cell(u: float) -> int:
    """The cell of a cdf value."""
    return min(int(place(u)), CELLS - 1)
