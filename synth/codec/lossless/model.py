"""The codec's model, as specified: NumPy, slow, every operation in its order; the C++ kernels give the same bytes.

Everything is + - * / sqrt of IEEE-754 doubles, or of floats where a dtype says so, elementwise or in a written order.
Exponentially weighted least squares: Haykin, Adaptive Filter Theory. Positions are in units of 16-bit samples.
"""

from __future__ import annotations

import math

import numpy as np

from synth.audio import mulaw
from synth.codec.lossless.corrector import Corrector
from synth.codec.lossless.distributions import Channel as Distributions
from synth.codec.lossless.distributions import Grid
from synth.codec.lossless.mulaw_predictor import MulawPredictor
from synth.codec.lossless.presets import FINAL, FIRST, OLS_A, REGRESSORS, SECOND, SLOW, Preset, Regressor
from synth.codec.lossless.rangecoder import RangeDecoder, RangeEncoder
from synth.common.typing import AnyArray, Float64, Int32
from synth.engine.reference import ReferenceEngine

WEIGHT_LIMIT = 64.0


def fold(v: AnyArray) -> float:
    """The sum over a power of two of lanes: halves onto each other."""
    while len(v) > 1:
        v = v[: len(v) // 2] + v[len(v) // 2 :]
    return v[0]


class Regression:
    """Least squares over `size` regressors, a multiple of 8, with weights that forget."""

    def __init__(self, size: int, every: int, decay: float, ridge: float, sharp: bool = False) -> None:
        self.every, self.ridge, self.sharp, self.scale = every, ridge, sharp, 16.0
        self.covariance, self.correlation = np.zeros((size, size)), np.zeros(size)
        self.weights = np.zeros(size)
        self.rows: list[Float64] = []
        self.gains: list[float] = []
        self.targets: list[float] = []
        self.powers, power = [0.0] * every, 1.0
        for m in reversed(range(every)):
            self.powers[m] = power
            power = power * decay
        self.decay = power

    def predict(self, x: Float64) -> float:
        """The weighted sum; even and odd groups of 8 apart."""
        self.rows.append(x.copy())
        sums = [np.zeros(8), np.zeros(8)]
        for g in range(0, len(x), 8):
            sums[g // 8 % 2] = sums[g // 8 % 2] + self.weights[g : g + 8] * x[g : g + 8]
        return float(fold(sums[0] + sums[1]))

    def push(self, target: float, error: float) -> None:
        """Takes in what was to be predicted, and the error; every so many samples the weights are solved anew."""
        self.scale = self.scale + (abs(error) - self.scale) * 0.0625
        size = self.scale + 1.0
        divisor = size * math.sqrt(size) * 0.25 if self.sharp else size
        self.gains.append(self.powers[len(self.gains)] / divisor)
        self.targets.append(target)
        if len(self.gains) < self.every:
            return
        self.covariance = self.covariance * self.decay
        self.correlation = self.correlation * self.decay
        for x, gain, value in zip(self.rows, self.gains, self.targets, strict=True):
            gained = gain * x
            self.covariance = self.covariance + gained[:, None] * x[None, :]  # only row >= column counts
            self.correlation = self.correlation + gained * value
        self.rows, self.gains, self.targets = [], [], []
        self._solve()

    def _solve(self) -> None:
        size, least = len(self.weights), self.ridge * 0.5
        m, y = self.covariance.copy(), self.correlation.copy()
        m[np.arange(size), np.arange(size)] += self.ridge
        lower, inverse = np.zeros_like(m), np.zeros(size)
        for j in range(size):
            pivot = m[j, j] if m[j, j] >= least else least
            inverse[j] = 1.0 / pivot
            column = m[j + 1 :, j].copy()
            lower[j + 1 :, j] = column * inverse[j]
            m[j + 1 :, j + 1 :] = m[j + 1 :, j + 1 :] - lower[j + 1 :, j, None] * column[None, :]
            y[j + 1 :] = y[j + 1 :] - lower[j + 1 :, j] * y[j]
        y = y * inverse
        for panel in range(size - 8, -1, -8):
            sums = np.zeros((8, 8))  # a row of lanes for each unknown of the panel
            for g in range(panel + 8, size, 8):
                sums = sums + lower[g : g + 8, panel : panel + 8].T * y[g : g + 8]
            if panel + 8 < size:
                for c in range(8):
                    y[panel + c] = y[panel + c] - fold(sums[c])
            for i in range(panel + 7, panel, -1):
                y[panel:i] = y[panel:i] - lower[i, panel:i] * y[i]
        if np.all(np.abs(y) <= WEIGHT_LIMIT):
            self.weights = y


class Filter:
    """A normalised LMS filter in floats; its history and weights run from the oldest sample on."""

    def __init__(self, taps: int, rate: float) -> None:
        self.rate, self.prediction, self.energy = np.float32(rate), np.float32(0), 0.0
        self.weights, self.history = np.zeros(taps, np.float32), np.zeros(taps, np.float32)

    def step(self, value: np.float32) -> np.float32:
        """Takes its input, returns the error of its last prediction and makes the next."""
        error = value - self.prediction
        newest, oldest = float(value), float(self.history[0])
        gain = self.rate * error / np.float32(float(len(self.weights)) + self.energy)
        self.weights = self.weights + gain * self.history
        self.history = np.append(self.history[1:], value)
        sums = [np.zeros(16, np.float32), np.zeros(16, np.float32)]
        for i in range(0, len(self.weights), 16):
            sums[i // 16 % 2] = sums[i // 16 % 2] + self.weights[i : i + 16] * self.history[i : i + 16]
        self.prediction = np.float32(fold(sums[0] + sums[1]))
        self.energy = max(self.energy + (newest * newest - oldest * oldest), 0.0)
        return np.float32(error)


def bounded(x: float) -> float:
    """`x` within the range of 16-bit samples."""
    return min(max(x, -32768.0), 32767.0)


class Cascade:
    """All predictors of one channel."""

    def __init__(self, preset: Preset, has_other: bool) -> None:
        self.preset, self.has_other = preset, has_other
        self.own, self.other = np.zeros(256), np.zeros(32)  # newest first
        self.ols = [self._regression(o) for o in preset.ols]
        self.first = [Filter(*o) for o in preset.first]
        self.second = [Filter(*o) for o in preset.second]
        features = len(preset.ols) + len(preset.first) + len(preset.second)
        size = (features + 7) // 8 * 8
        self.combiner = [Regression(size, 1, decay, preset.combiner_ridge) for decay in preset.combiner_decay]
        self.features = np.zeros(size)
        self.guess = [0.0] * (OLS_A + REGRESSORS)

    def _regression(self, o: Regressor) -> Regression:
        return Regression(o.order + (o.other if self.has_other else 0), o.every, o.decay, o.ridge, o.sharp)

    def predict(self, beside: float) -> None:
        """Predictions of the next sample; `beside` is the newest sample of the other channel."""
        self.other = np.append(beside, self.other[:-1])
        ols = []
        for o, regression in zip(self.preset.ols, self.ols, strict=True):
            x = np.append(self.own[: o.order], self.other[: o.other if self.has_other else 0])
            ols.append(bounded(regression.predict(x)))
        first, second = ols[0], ols[1]
        for f in self.first:
            first = first + float(f.prediction)
        for f in self.second:
            second = second + float(f.prediction)
        values = [ols[0], *(float(f.prediction) for f in self.first), *(p - ols[0] for p in ols[1:])]
        values += [float(f.prediction) for f in self.second]
        self.features[: len(values)] = values
        for i in range(2):
            self.guess[FINAL + i] = bounded(first + self.combiner[i].predict(self.features))
        self.guess[FIRST], self.guess[SECOND] = first, second
        for i in range(REGRESSORS):
            self.guess[OLS_A + i] = ols[i] if i < len(ols) else 0.0

    def update(self, sample: float) -> None:
        """Adapts all predictors to the sample that came."""
        for i in range(2):
            self.combiner[i].push(sample - self.guess[FIRST], sample - self.guess[(FINAL, SLOW)[i]])
        for filters, source in ((self.first, OLS_A), (self.second, OLS_A + 1)):
            left = np.float32(sample - self.guess[source])
            for f in filters:
                left = f.step(left)
        self.own = np.append(sample, self.own[:-1])
        for i, regression in enumerate(self.ols):
            regression.push(sample, sample - self.guess[OLS_A + i])


def _code(
    preset: Preset,
    grids: list[Grid],
    coder: RangeEncoder | RangeDecoder,
    ranks: Int32,
    network: ReferenceEngine | None,
) -> None:
    cascades = [Cascade(preset, len(grids) > 1) for _ in grids]
    corrects = network is not None and network.config.kind == "corrector"
    predictors = [MulawPredictor(network) if network and not corrects else None for _ in grids]
    correctors = [Corrector(network) if network and corrects else None for _ in grids]
    channels = [Distributions(preset, *parts) for parts in zip(grids, predictors, correctors, strict=True)]
    newest = [0.0] * len(grids)
    for row in ranks:
        for c, grid in enumerate(grids):
            cascades[c].predict(newest[c - 1])
            predictor = predictors[c]
            if predictor:
                predictor.predict()
            row[c] = channels[c].code(cascades[c].guess, coder, int(row[c]))
            newest[c] = grid.value(int(row[c]))
            cascades[c].update(newest[c])
            if predictor:
                predictor.update(newest[c])


def plain_grid(bits: int, shift: int = 0) -> Grid:
    """All multiples of 2^shift among samples of so many bits."""
    unit = math.ldexp(1.0, 16 - bits)
    return Grid(1 << (bits - shift), -math.ldexp(unit, bits - 1), math.ldexp(unit, shift), mulaw.STARTS)


def encode(preset: Preset, grids: list[Grid], ranks: Int32, network: ReferenceEngine | None = None) -> bytes:
    """The range coder's stream of ranks [frames, channels] in the channels' grids, by the preset and a network."""
    coder = RangeEncoder()
    _code(preset, grids, coder, ranks.copy(), network)
    return coder.finish()


def decode(
    preset: Preset, grids: list[Grid], data: bytes, frames: int, network: ReferenceEngine | None = None
) -> Int32:
    """The ranks again."""
    ranks = np.zeros((frames, len(grids)), np.int32)
    _code(preset, grids, RangeDecoder(data), ranks, network)
    return ranks
