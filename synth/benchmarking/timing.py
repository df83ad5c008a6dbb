"""How fast a call is: warm-up, several repeats, median and spread."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

REPEATS = 5
SECONDS = 0.25
"""Times that each thing is measured, and for how long about."""


def measure(call: Callable[[], object], samples: int) -> list[float]:
    """Samples a second, REPEATS times, of a call that makes `samples`, repeated to last SECONDS."""
    calls = 1
    while (elapsed := _timed(call, calls)) < SECONDS / 4:
        calls *= 2
    calls = max(1, round(calls * SECONDS / elapsed))
    return [calls * samples / _timed(call, calls) for _ in range(REPEATS)]


def summary(speeds: list[float]) -> tuple[float, float]:
    """Median, and (most - least) over it."""
    median = statistics.median(speeds)
    return median, (max(speeds) - min(speeds)) / median


def _timed(call: Callable[[], object], calls: int) -> float:
    began = time.perf_counter()
    for _ in range(calls):
        call()
    return max(time.perf_counter() - began, 1e-9)
