"""How loud a sound is, how long it sounds, and what is wrong with it: silence, clipping, DC offset."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from synth.common.typing import Float64, MonoSamples

SILENCE = 32768 * 10 ** (-60 / 20)
"""RMS of a silent frame of 10 ms at most: 60 dB under full scale."""
CLIPPED = 32000
"""A sample this far out is clipped: of the mu-law levels only the outermost, 32767, is."""
_RANGE_DB = 40.0
_LOUD, _SMOOTHED_SECONDS = 1 / 50, 0.025


@dataclass(frozen=True)
class Loudness:
    """How loud one sound is. `rms` and `offset` (its mean) are of full scale 1; `silent` is a share of frames of 10 ms,
    `clipped` one of samples; `onset` are the seconds before the first frame within 40 dB of the loudest, `sounding`
    those from there to the end of the last. `lasting` are the seconds from the first to the last place where the power,
    smoothed over 25 ms, is a fiftieth of the greatest or more, `pause` those of the longest stretch of less between.
    """

    rms: float
    onset: float
    sounding: float
    silent: float
    clipped: float
    offset: float
    lasting: float = 0.0
    pause: float = 0.0


def measure_loudness(samples: MonoSamples, rate: int) -> Loudness:
    """The loudness of int16 samples (n,), at least one, at `rate` Hz."""
    wave = samples.astype(np.float64)
    step = max(1, rate // 100)
    padded = np.pad(wave, (0, -len(wave) % step)).reshape(-1, step)
    frames = np.sqrt(np.mean(padded**2, axis=1))
    loud = np.flatnonzero(frames > max(SILENCE, frames.max() * 10 ** (-_RANGE_DB / 20)))
    lasting, pause = _loud_stretch(wave, rate)
    return Loudness(
        rms=float(np.sqrt(np.mean(wave**2)) / 32768),
        onset=float(loud[0] * step / rate) if len(loud) else len(wave) / rate,
        sounding=float(min(len(wave), (loud[-1] + 1 - loud[0]) * step) / rate) if len(loud) else 0.0,
        silent=float(np.mean(frames <= SILENCE)),
        clipped=float(np.mean(np.abs(wave) >= CLIPPED)),
        offset=float(wave.mean() / 32768),
        lasting=lasting,
        pause=pause,
    )


def _loud_stretch(wave: Float64, rate: int) -> tuple[float, float]:
    """`lasting` and `pause` of a `Loudness`; zeros for silence."""
    count = max(1, round(_SMOOTHED_SECONDS * rate))
    running = np.cumsum(np.pad(np.square(wave), (count // 2 + 1, count - count // 2 - 1)))
    power = np.append(running[count - 1], running[count:] - running[:-count]) / count
    loud = np.flatnonzero(power >= max(_LOUD * power.max(), 0.5))
    if not len(loud):
        return 0.0, 0.0
    return float(loud[-1] - loud[0] + 1) / rate, float(np.diff(loud).max(initial=1) - 1) / rate


SHARES = (10, 50, 90)
"""Percentiles of `distributions`."""


def distributions(sounds: Sequence[Loudness]) -> dict[str, list[float]]:
    """Percentiles of seconds that sounds last, of their longest pauses and of their RMS in decibels of full scale 1."""
    decibels = [20 * np.log10(max(sound.rms, 1e-6)) for sound in sounds]
    values = {
        "lasting_seconds": [sound.lasting for sound in sounds],
        "pause_seconds": [sound.pause for sound in sounds],
        "rms_db": decibels,
    }
    return {name: [float(value) for value in np.percentile(each, SHARES)] for name, each in values.items()}


def summarize(sounds: Sequence[Loudness]) -> dict[str, float]:
    """Of several sounds: medians of RMS, of seconds until and of sound, of the offset's size; means of the shares."""
    return {
        "median_rms": float(np.median([sound.rms for sound in sounds])),
        "median_onset_seconds": float(np.median([sound.onset for sound in sounds])),
        "median_sounding_seconds": float(np.median([sound.sounding for sound in sounds])),
        "silent_files": float(np.mean([sound.silent == 1 for sound in sounds])),
        "silence": float(np.mean([sound.silent for sound in sounds])),
        "clipping": float(np.mean([sound.clipped for sound in sounds])),
        "dc_offset": float(np.median([abs(sound.offset) for sound in sounds])),
    }
