"""What the codec makes of its predictions, as specified: distributions, their mixtures, the decisions of a sample.

Student's t with an even number of degrees of freedom has an algebraic cdf; Bayes mixture with fixed share: Herbster and
Warmuth 1998; online logistic mixing: Mattern 2012, Mahoney's PAQ.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from synth.codec.lossless.corrector import Corrector
from synth.codec.lossless.float_math import exponent, f32, limited, log, squash
from synth.codec.lossless.mulaw_predictor import MulawPredictor
from synth.codec.lossless.presets import Preset
from synth.codec.lossless.rangecoder import RangeDecoder, RangeEncoder
from synth.common.typing import AnyArray, Float32, Float64

UNIFORM, BEYOND, KNOTS = 1e-9, 40000.0, 64
SETS, CONTEXTS, INPUTS, COUNTER, BIAS, NETWORK, STRETCH = 4, 512, 32, 24, 25, 26, np.float32(11)
MIXTURE, CORRECTED = 16, 20
FIRST_WEIGHTS = {None: (1.0, 0.0), "predictor": (0.65, 0.4), "corrector": (0.0, 1.0)}
"""Of mixture and network: without a network, with one that predicts, with one that corrects."""


def fold8(v: AnyArray) -> float:
    """The sum of eight doubles, halves onto each other."""
    v = v[:4] + v[4:]
    v = v[:2] + v[2:]
    return float(v[0] + v[1])


def fold16(v: Float32) -> np.float32:
    """The sum of sixteen floats, halves onto each other, of the last four every other one."""
    v = v[:8] + v[8:]
    v = v[:4] + v[4:]
    return f32((v[0] + v[2]) + (v[1] + v[3]))


def probability16(p: float) -> int:
    """A probability in 1/65536, from 1 to 65535."""
    scaled = p * 65536.0 + 0.5
    return 65535 if scaled >= 65535.0 else int(scaled) if scaled >= 1.0 else 1


@dataclass
class Grid:
    """The values of a channel: `count` steps of `unit` from `first` on, or a list."""

    count: int
    first: float
    unit: float
    starts: Sequence[float]  # least sample of each mu-law code
    values: Sequence[float] = ()
    threshold: list[int] = field(init=False)  # first rank of each code

    def __post_init__(self) -> None:
        starts = np.array(self.starts)
        if self.values:
            ranks = np.searchsorted(np.array(self.values), starts, side="left")
        else:
            ranks = np.clip(np.ceil((starts - self.first) / self.unit), 0, self.count)
        self.threshold = [int(rank) for rank in ranks]

    def value(self, rank: int) -> float:
        """The sample of this rank, in units of 16-bit samples."""
        return self.values[rank] if self.values else self.first + rank * self.unit

    def bound(self, rank: int) -> float:
        """Half-way between this rank and the one below."""
        if self.values:
            return (self.values[rank - 1] + self.values[rank]) * 0.5
        return self.first + (rank - 0.5) * self.unit


class Point:
    """The experts' cdfs at one place, and what is made of them."""

    def __init__(self, cdf: Float64, mixed: float, slow: float, mapped: float, corrected: float, weight: float) -> None:
        self.cdf, self.mixed, self.slow, self.mapped, self.corrected = cdf, mixed, slow, mapped, corrected
        self.value = mixed + (mapped - mixed) * weight

    def all(self) -> Float64:
        """All cdf values, in the order of the mixer's inputs, padded to a multiple of eight."""
        return np.concatenate([self.cdf, [self.mixed, self.slow, self.mapped, self.value, self.corrected], np.zeros(3)])


@dataclass(frozen=True)
class Place:
    """Where a decision stands: the ranks left from `start` to `end`, split at `split`; the mu-law codes left.

    `code`: the lowest of them, `half`: half of how many they are, 0 within a code.
    """

    start: int
    end: int
    split: int
    code: int
    half: int


class Mixer:
    """Sets of weights, each giving a decision's log-odds of its own, and a last set that mixes these."""

    def __init__(self, network: str | None) -> None:
        self.weights = np.zeros((SETS, CONTEXTS, INPUTS), f32)
        self.weights[:, :, MIXTURE], self.weights[:, :, NETWORK] = FIRST_WEIGHTS[network]
        self.eager = 0.004 if network == "corrector" else 0.0108  # how much more the weights move at first
        self.finals = np.full((CONTEXTS, SETS), 1 / SETS, f32)
        self.inputs = np.zeros(INPUTS, f32)
        self.inputs[BIAS] = 0.25

    def aim(self, seen: int) -> None:
        """Sets how fast the weights move after so many samples."""
        early = 1.0 / (1.0 + seen / 2048.0)
        self.rates = f32(0.0006 + self.eager * early), f32(0.0003 + 0.0009 * early)

    def mix(self, contexts: Sequence[int]) -> float:
        """The probability of a 1 for the context of each set; that of set 1 chooses the last weights."""
        self.contexts = contexts
        sums = [self.weights[i, context] * self.inputs for i, context in enumerate(contexts)]
        self.sums = np.array([fold16(v[:16] + v[16:]) for v in sums], f32)
        self.sums = np.maximum(np.minimum(self.sums, STRETCH), -STRETCH)
        wide = np.zeros(16, f32)
        wide[:SETS] = self.finals[contexts[1]] * self.sums
        self.probability = squash(np.array([min(max(fold16(wide), -STRETCH), STRETCH)], f32))[0]
        return float(self.probability)

    def learn(self, bit: bool) -> None:
        """Moves the weights towards the bit."""
        moves = (f32(bit) - squash(self.sums)) * self.rates[0]
        for i, context in enumerate(self.contexts):
            self.weights[i, context] = self.weights[i, context] + self.inputs * moves[i]
        last = self.contexts[1]
        self.finals[last] = self.finals[last] + self.sums * ((f32(bit) - self.probability) * self.rates[1])


class Channel:
    """The adaptive state of one channel, and the walk of a sample's decisions."""

    def __init__(
        self, preset: Preset, grid: Grid, predictor: MulawPredictor | None = None, corrector: Corrector | None = None
    ) -> None:
        self.preset, self.grid, self.predictor, self.corrector = preset, grid, predictor, corrector
        n = len(preset.experts)
        freedom = np.array([e[2] for e in preset.experts])
        self.spread = np.select([freedom == 2, freedom == 4], [1.0, 2.0], 3.2)
        self.c1 = np.where(freedom >= 4, 0.25, 0.0)
        self.c2, self.c3 = np.where(freedom >= 8, 0.1875, 0.0), np.where(freedom >= 8, 0.15625, 0.0)
        self.mean, self.rate = np.full(n, 64.0), np.array([1.0 / (1 << e[1]) for e in preset.experts])
        self.weight, self.slow = np.full(n, 1.0 / n), np.full(n, 1.0 / n)
        self.least, self.seen = 0.05 * grid.unit, 0
        self.map = np.arange(KNOTS + 1) / KNOTS
        self.mixer = Mixer("predictor" if predictor else "corrector" if corrector else None)
        self.shift = max(0, (grid.count - 1).bit_length() - 16)
        self.counts: dict[int, list[int]] = {}
        self.logs = log(np.arange(256).astype(f32) + f32(0.4))

    def _point(self, x: float) -> Point:
        t = (x - self.centre) * self.inverse
        r = 1.0 / np.sqrt(1.0 + t * t)
        c = r * r
        p = 0.5 + c * (self.c1 + c * (self.c2 + c * self.c3))
        cdf = (0.5 + (t * r) * p) + x * UNIFORM
        sums = [np.zeros(8), np.zeros(8)]
        for g in range(0, len(cdf), 8):
            for i, weight in enumerate((self.weight, self.slow)):
                sums[i] = sums[i] + weight[g : g + 8] * cdf[g : g + 8]
        mixed = fold8(sums[0])
        return self._finished(cdf, mixed, fold8(sums[1]))

    def _finished(self, cdf: Float64, mixed: float, slow: float) -> Point:
        corrected = self.corrector.corrected(mixed) if self.corrector else 0.0
        return Point(cdf, mixed, slow, self._mapped(mixed), corrected, self.preset.map_weight)

    def _end(self, side: float) -> Point:
        x = side * BEYOND * UNIFORM + (1.0 if side > 0 else 0.0)
        return self._finished(np.full(len(self.mean), x), x, x)

    def _mapped(self, u: float) -> float:
        place = u * KNOTS
        if not 0.0 < place < KNOTS:
            return u
        i = int(place)
        return float(self.map[i] + (self.map[i + 1] - self.map[i]) * (place - i))

    def code(self, guess: list[float], coder: RangeEncoder | RangeDecoder, rank: int) -> int:
        """Codes the sample of this rank, or finds its rank; takes it in."""
        grid, preset = self.grid, self.preset
        self.centre = np.array([guess[source] for source, _, _ in preset.experts])
        self.inverse = 1.0 / ((self.mean + self.least) * self.spread)
        ratio = (float(self.mean[0]) + self.least) / (float(self.mean[3]) + self.least)
        self.bursts = limited(exponent(ratio) + 2, 3)
        self.mixer.aim(self.seen)
        if self.corrector:
            self.corrector.predict([float(self.mean[i]) + self.least for i in (0, 1, 3)], guess)
        low, high = self._end(-1.0), self._end(1.0)
        start, end, code, codes = 0, grid.count, 0, 256
        while end - start > 1:
            half, split = codes // 2, (start + end) // 2
            if half:
                split, codes = grid.threshold[code + half], half
                if split <= start:
                    code += half
                if split <= start or split >= end:
                    continue
            middle, bit = self._point(grid.bound(split)), rank >= split
            if preset.mixing:
                bit = self._decide(coder, (low, middle, high), Place(start, end, split, code, half), bit)
            else:
                bit = coder.code(bit, probability16((high.value - middle.value) / (high.value - low.value)))
            if bit:
                low, start, code = middle, split, code + half
            else:
                high, end = middle, split
        if self.corrector:
            self.corrector.update(low.mixed, high.mixed, grid.value(start))
        self._learn(low, high, grid.value(start))
        return start

    def _decide(
        self, coder: RangeEncoder | RangeDecoder, points: tuple[Point, Point, Point], place: Place, bit: bool
    ) -> bool:
        """A decision by the mixer; the points are those of the lowest rank left, of the split, of the highest."""
        low, middle, high = points
        start, end, split, code, half = place.start, place.end, place.split, place.code, place.half
        above, below = high.all() - middle.all(), middle.all() - low.all()
        x = log((np.maximum(above, 1e-12) / np.maximum(below, 1e-12)).astype(f32))
        inputs = self.mixer.inputs
        inputs[:24] = np.maximum(np.minimum(x, STRETCH), -STRETCH)
        counts = self.counts.setdefault(split >> self.shift, [0, 0])
        if self.shift and (end - start) >> self.shift < 2:
            counts = []
        inputs[COUNTER] = self.logs[counts[1]] - self.logs[counts[0]] if counts else f32(0)
        other = inputs[CORRECTED if self.corrector else MIXTURE]
        inputs[NETWORK] = self.predictor.log_odds(code, half) if self.predictor and half else other
        inputs[CORRECTED] = 0
        odds = exponent((high.mixed - middle.mixed) / (middle.mixed - low.mixed))
        width = exponent((end - start) * self.grid.unit * float(self.inverse[2]))
        depth = exponent(half) if half else 8 + exponent(end - start)
        contexts = (
            limited(odds + 8, 15) * 4 + limited(-exponent(high.mixed - low.mixed), 3),
            limited(depth, 31) * 16 + (code >> 4),
            limited((width >> 1) + 8, 15) * 4 + self.bursts,
            limited(int(inputs[NETWORK] * f32(1.5) + f32(8)), 15) * 16 + limited(odds + 8, 15),
        )
        bit = coder.code(bit, probability16(self.mixer.mix(contexts)))
        self.mixer.learn(bit)
        if counts:
            counts[bit] += 1
            if counts[bit] == 255:
                counts[:] = counts[0] >> 1, counts[1] >> 1
        return bit

    def _learn(self, low: Point, high: Point, sample: float) -> None:
        span = 1.0 / (high.mixed - low.mixed)
        target = np.minimum(np.maximum((np.arange(KNOTS) * (1.0 / KNOTS) - low.mixed) * span, 0.0), 1.0)
        self.map[:KNOTS] = self.map[:KNOTS] + (target - self.map[:KNOTS]) * self.preset.map_rate
        self.map[0], self.map[KNOTS] = 0.0, 1.0
        self.weight = self._follow(low, high, self.preset.share, self.weight)
        if self.preset.mixing:
            self.slow = self._follow(low, high, self.preset.slow_share, self.slow)
        error = np.abs(sample - self.centre)
        self.mean = self.mean + (error - self.mean) * np.maximum(1.0 / (self.seen + 2.0), self.rate)
        self.seen = min(self.seen + 1, 1000000)

    @staticmethod
    def _follow(low: Point, high: Point, share: float, weight: Float64) -> Float64:
        posterior, total = weight * (high.cdf - low.cdf), np.zeros(8)
        for g in range(0, len(weight), 8):
            total = total + posterior[g : g + 8]
        return posterior * ((1.0 - share) / fold8(total)) + share / len(weight)
