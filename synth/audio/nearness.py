"""How near one sound is to others: what each is like on average, in decibels, and one distance between two of these.

What is measured are frames of 25 ms, one every 10 ms, in 40 mel bands (`audio.features`), stretch by stretch. Frames at
-60 dB of full scale or below are silent: they count for the level alone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from synth.audio.exact_math import log
from synth.audio.features import LOG_OFFSET, FeatureConfig, mel_edges, padded_to, spectral_frames, to_float32
from synth.audio.loudness import SILENCE
from synth.common.typing import Float64, MonoSamples

BANDS = 40
STRETCH_SECONDS = 1.0
"""Of the sound that is transformed at once; what is left at its end is a stretch too."""
DECIBELS = 10 / math.log(10)
"""Of a natural logarithm of a power."""
FLOOR = DECIBELS * math.log(LOG_OFFSET)
"""Decibels of a band without sound: -60."""
LOWEST_LEVEL = -100.0
"""In dB of full scale: of zeros."""
CURVES, SCALARS = ("mean", "deviation", "change"), ("level", "flatness", "silent", "seconds")
WITHIN = 0.95
"""Of the frequencies that a lower rate holds: what a resampler leaves as it is."""


@dataclass(frozen=True)
class SoundFigures:
    """What a sound, or all sounds of a corpus together, is like at `rate` Hz up to `bandwidth` Hz, in decibels.

    Of the frames that are not silent, in each band (40,): `mean` and `deviation` of the levels, and `change`, the root
    mean square of the change from the frame before. `flatness`: mean of the spectra's, 0 for clicks, -2.5 for noise,
    far below for tones. `level`: of everything, of full scale. `silent`: share of frames. `seconds`: measured.
    """

    rate: int
    bandwidth: float
    seconds: float
    silent: float
    level: float
    flatness: float
    mean: Float64
    deviation: Float64
    change: Float64

    def to_json(self) -> dict[str, Any]:
        """For a checkpoint's card: hundredths of a decibel, of the whole range of its rate."""
        scalars = {name: round(float(getattr(self, name)), 3) for name in SCALARS}
        curves = {name: [round(float(value), 2) for value in getattr(self, name)] for name in CURVES}
        return {"rate": self.rate, **scalars, **curves}

    @classmethod
    def from_json(cls, data: Any, rate: int) -> SoundFigures:
        """What `to_json` gave, for sounds at `rate` Hz; ValueError for anything else."""
        if not isinstance(data, dict) or data.get("rate") != rate:
            raise ValueError("are not of the checkpoint's rate")
        for name, count in (*((name, BANDS) for name in CURVES), *((name, None) for name in SCALARS)):
            row = data.get(name)
            if (len(row) if isinstance(row, list) else None) != count or not _all_numbers(row):
                raise ValueError(f"{name}: must be {'a number' if count is None else f'{count} numbers'}")
        level, flatness, silent, seconds = (float(data[name]) for name in SCALARS)
        mean, deviation, change = (np.array(data[name], np.float64) for name in CURVES)
        return cls(rate, rate / 2, seconds, silent, level, flatness, mean, deviation, change)


def _all_numbers(row: Any) -> bool:
    """Whether a value of JSON is a number of moderate size, or a list of such."""
    return all(type(x) in (int, float) and abs(x) < 1e9 for x in (row if isinstance(row, list) else [row]))


class SoundMeter:
    """Takes the samples of a sound, or of several, at `rate` Hz, in blocks of any size, and gives their figures.

    `bandwidth`: in Hz, of what is looked at (at most half the rate). `share`: of the stretches, evenly, that are
    measured; the others cost nothing. Memory does not grow with the sound.
    """

    def __init__(self, rate: int, bandwidth: float | None = None, share: float = 1.0) -> None:
        self.config = FeatureConfig(rate, mels=BANDS)
        self.bandwidth = min(rate / 2, bandwidth if bandwidth is not None else rate / 2)
        within = 1.0 if self.bandwidth == rate / 2 else WITHIN
        self._bins = max(1, int(within * self.bandwidth * self.config.fft / rate))
        self._share, self._stretches = min(1.0, share), 0
        self._waiting: list[MonoSamples] = []
        self._count = 0
        self._sums = np.zeros((3, BANDS))
        self._flatness = 0.0
        self._frames = self._active = self._changes = self._samples = self._squares = 0

    def add(self, samples: MonoSamples) -> None:
        """The next samples, int16 (n,)."""
        self._waiting.append(samples)
        self._count += len(samples)
        length = round(STRETCH_SECONDS * self.config.sample_rate)
        if self._count < length:
            return
        whole = np.concatenate(self._waiting)
        ready = len(whole) - len(whole) % length
        for start in range(0, ready, length):
            self._measure(whole[start : start + length])
        self._waiting, self._count = [whole[ready:]], len(whole) - ready

    def end(self) -> None:
        """The sound has ended: what comes next is another one."""
        rest = np.concatenate(self._waiting) if self._waiting else np.zeros(0, np.int16)
        self._waiting, self._count = [], 0
        if len(rest):
            self._measure(rest)

    def beside(self) -> SoundMeter:
        """A new meter that goes on choosing stretches where this one stands, to be included here or not."""
        other = SoundMeter(self.config.sample_rate, self.bandwidth, self._share)
        other._stretches = self._stretches
        return other

    def include(self, other: SoundMeter) -> None:
        """What another meter of the same rate has measured counts here too."""
        self._stretches = max(self._stretches, other._stretches)
        self._sums += other._sums
        self._flatness += other._flatness
        self._frames, self._active = self._frames + other._frames, self._active + other._active
        self._changes, self._samples = self._changes + other._changes, self._samples + other._samples
        self._squares += other._squares

    def _measure(self, samples: MonoSamples) -> None:
        """A stretch, where it is among those that count."""
        self._stretches += 1
        if int(self._stretches * self._share) == int((self._stretches - 1) * self._share):
            return
        wide = samples.astype(np.int64)
        self._samples += len(wide)
        self._squares += int((wide * wide).sum())
        wave = padded_to(to_float32(samples), self.config.min_samples)
        logs, flatness, power = spectral_frames(wave, self.config, self._bins)
        levels, active = logs.astype(np.float64) * DECIBELS, power > (SILENCE / 32768) ** 2
        changes = np.diff(levels, axis=0)[active[1:]]
        self._sums += np.stack([levels[active].sum(0), (levels[active] ** 2).sum(0), (changes**2).sum(0)])
        self._flatness += float(flatness[active].sum()) * DECIBELS
        self._frames += len(active)
        self._active += int(active.sum())
        self._changes += len(changes)

    def figures(self) -> SoundFigures:
        """Of all that was taken; of silence where nothing was."""
        mean_square = self._squares / max(1, self._samples) / 32768**2
        level = DECIBELS * float(log(np.array([max(mean_square, 1e-10)]))[0])
        mean = self._sums[0] / self._active if self._active else np.full(BANDS, FLOOR)
        variance = self._sums[1] / self._active - mean**2 if self._active else np.zeros(BANDS)
        return SoundFigures(
            rate=self.config.sample_rate,
            bandwidth=self.bandwidth,
            seconds=self._samples / self.config.sample_rate,
            silent=1 - self._active / max(1, self._frames),
            level=level if mean_square > 1e-10 else LOWEST_LEVEL,
            flatness=self._flatness / max(1, self._active),
            mean=mean,
            deviation=np.sqrt(np.maximum(0.0, variance)),
            change=np.sqrt(self._sums[2] / max(1, self._changes)),
        )


def figures_of(channels: Sequence[MonoSamples], rate: int, bandwidth: float | None = None) -> SoundFigures:
    """The figures of a whole sound: each channel int16 (n,) at `rate` Hz, counted together."""
    meter = SoundMeter(rate, bandwidth)
    for samples in channels:
        meter.add(samples)
        meter.end()
    return meter.figures()


def distance(one: SoundFigures, other: SoundFigures) -> float:
    """How far two are from each other, in decibels, to a thousandth: the root of the mean of five squares.

    Of the differences of level and flatness, and of the root mean squares, over the bands, of those of mean, deviation
    and change. Bands that one of both has not count not; nor does flatness then. ValueError for two rates.
    """
    if one.rate != other.rate:
        raise ValueError(f"figures at {one.rate} and at {other.rate} Hz: can't be compared")
    bandwidth = min(one.bandwidth, other.bandwidth)
    within = bandwidth if bandwidth == one.rate / 2 else WITHIN * bandwidth
    bands = max(1, int((mel_edges(one.rate, BANDS)[2:] <= within * (1 + 1e-9)).sum()))
    squares = [(one.level - other.level) ** 2]
    squares += [float(((getattr(one, name) - getattr(other, name))[:bands] ** 2).mean()) for name in CURVES]
    if one.bandwidth == other.bandwidth:
        squares.append((one.flatness - other.flatness) ** 2)
    return round(math.sqrt(sum(squares) / len(squares)), 3)
