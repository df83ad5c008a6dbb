"""What a level is made of: the numbers of presets.hpp once more, for the specification. They are part of the format."""

from __future__ import annotations

from dataclasses import dataclass

FINAL, SLOW, FIRST, SECOND, OLS_A, OLS_B, OLS_C = range(7)


@dataclass(frozen=True)
class Regressor:
    """One least-squares predictor: own samples, samples of the other channel, samples from solution to solution."""

    order: int
    other: int
    every: int
    decay: float
    ridge: float


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
    mix_rate: float = 0.0002
    mix_first: float = 0.0008


_EIGHT = (
    (FINAL, 3, 4),
    (FINAL, 4, 8),
    (FINAL, 5, 4),
    (FINAL, 7, 4),
    (SLOW, 5, 4),
    (FIRST, 5, 4),
    (OLS_A, 5, 4),
    (OLS_B, 4, 4),
)
_SIXTEEN = _EIGHT + (
    (FINAL, 5, 2),
    (FINAL, 6, 8),
    (SLOW, 4, 8),
    (SLOW, 7, 4),
    (SECOND, 5, 4),
    (OLS_C, 5, 4),
    (FINAL, 9, 2),
    (FIRST, 4, 8),
)

FAST = Preset(
    (Regressor(64, 16, 32, 0.998, 100.0), Regressor(16, 0, 4, 0.99, 30.0)),
    ((512, 0.06), (256, 0.06), (32, 0.12), (16, 0.24)),
    (),
    (0.995, 0.999),
    _EIGHT,
    0.005,
)
BALANCED = Preset(
    (
        Regressor(120, 16, 16, 0.998, 30.0),
        Regressor(16, 8, 2, 0.99, 30.0),
        Regressor(32, 16, 8, 0.998, 30.0),
    ),
    ((512, 0.06), (256, 0.06), (32, 0.06), (16, 0.12)),
    ((256, 0.06), (32, 0.12), (16, 0.12)),
    (0.996, 0.9995),
    _SIXTEEN,
    0.01,
    mixing=True,
)
MAX = Preset(
    (
        Regressor(232, 16, 16, 0.999, 100.0),
        Regressor(16, 8, 1, 0.99, 30.0),
        Regressor(120, 16, 8, 0.998, 100.0),
    ),
    ((1024, 0.06), (512, 0.06), (256, 0.06), (32, 0.06), (16, 0.12)),
    ((256, 0.06), (32, 0.12), (16, 0.12)),
    (0.996, 0.9995),
    _SIXTEEN,
    0.01,
    mixing=True,
)
PRESETS = {"fast": FAST, "balanced": BALANCED, "max": MAX}
