"""What each compression effort is made of: the numbers of presets.hpp once more, for the specification.

They are part of the format.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

FINAL, SLOW, FIRST, SECOND, OLS_A, OLS_B, OLS_C, OLS_D = range(8)
REGRESSORS = 4


@dataclass(frozen=True)
class Regressor:
    """One least-squares predictor: own samples, samples of the other channel, samples from solution to solution.

    `sharp`: moments weigh by the -1.5th power of the error around them, not by the -1st.
    """

    order: int
    other: int
    every: int
    decay: float
    ridge: float
    sharp: bool = False


@dataclass(frozen=True)
class Preset:
    """Regressors; LMS filters (taps, rate) on what the first two leave; experts (source, log2 of window, freedom)."""

    ols: tuple[Regressor, ...]
    first: tuple[tuple[int, float], ...]
    second: tuple[tuple[int, float], ...]
    combiner_decay: tuple[float, float]
    experts: tuple[tuple[int, int, int], ...]
    share: float
    mixing: bool = False
    combiner_ridge: float = 1.0
    map_rate: float = 0.001
    map_weight: float = 0.5
    slow_share: float = 0.001


_FAST_EXPERTS = (
    (FINAL, 3, 4),
    (FINAL, 4, 8),
    (FINAL, 5, 4),
    (FINAL, 7, 4),
    (SLOW, 9, 8),
    (FIRST, 5, 4),
    (OLS_A, 5, 4),
    (OLS_B, 4, 4),
)
_EXPERTS = (
    (FINAL, 3, 4),
    (FINAL, 4, 8),
    (FINAL, 5, 4),
    (FINAL, 7, 4),
    (SLOW, 5, 4),
    (FIRST, 5, 4),
    (OLS_A, 5, 4),
    (OLS_B, 4, 4),
    (FINAL, 5, 2),
    (FINAL, 6, 8),
    (SLOW, 4, 8),
    (SLOW, 9, 8),
    (SECOND, 5, 4),
    (OLS_C, 5, 4),
    (FINAL, 9, 2),
)
_LONG = ((512, 0.06), (256, 0.06), (32, 0.06), (16, 0.12))
_SECOND = ((256, 0.06), (32, 0.12), (16, 0.12))

FAST = Preset(
    (
        Regressor(80, 16, 32, 0.998, 100.0),
        Regressor(16, 0, 4, 0.99, 30.0, True),
        Regressor(16, 0, 16, 0.9998, 30.0),
    ),
    ((512, 0.06), (256, 0.06), (32, 0.12), (16, 0.24)),
    (),
    (0.995, 0.9998),
    _FAST_EXPERTS,
    0.005,
)
BALANCED = Preset(
    (
        Regressor(120, 16, 16, 0.998, 30.0),
        Regressor(16, 8, 2, 0.99, 30.0, True),
        Regressor(32, 16, 8, 0.9999, 30.0),
    ),
    _LONG,
    _SECOND,
    (0.996, 0.9998),
    (*_EXPERTS, (FIRST, 4, 8)),
    0.01,
    mixing=True,
)
MAX = Preset(
    (
        Regressor(232, 16, 16, 0.999, 100.0),
        Regressor(16, 8, 1, 0.99, 30.0, True),
        Regressor(32, 16, 8, 0.9999, 30.0),
        Regressor(120, 16, 8, 0.998, 100.0),
    ),
    ((1024, 0.06), *_LONG),
    _SECOND,
    (0.996, 0.9998),
    (*_EXPERTS, (OLS_D, 5, 4)),
    0.01,
    mixing=True,
)
MAX_SHORT = replace(
    MAX,
    ols=(
        Regressor(120, 16, 8, 0.998, 30.0),
        Regressor(16, 8, 1, 0.99, 30.0, True),
        Regressor(32, 16, 8, 0.9999, 30.0),
        Regressor(32, 16, 2, 0.997, 30.0),
    ),
    first=_LONG,
)
PRESETS = {"fast": (FAST,), "balanced": (BALANCED,), "max": (MAX, MAX_SHORT)}
"""The variants of each effort."""
