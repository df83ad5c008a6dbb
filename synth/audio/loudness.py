"""How loud a sound is, how long it sounds, and what is wrong with it: silence, clipping, DC offset."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from synth.common.typing import MonoSamples

SILENCE = 32768 * 10 ** (-60 / 20)
"""RMS of a silent frame of 10 ms at most: 60 dB under full scale."""
CLIPPED = 32000
"""A sample this far out is clipped: of the mu-law levels only the outermost, 32767, is."""
_RANGE_DB = 40.0


@dataclass(frozen=True)
class Level:
    """Of one sound: `rms` and `offset` (its mean) of full scale; `onset` seconds before the first frame of 10 ms within
    40 dB of the loudest, `sounding` from there to the end of the last; `silent` share of frames, `clipped` share of
    samples."""

    rms: float
    onset: float
    sounding: float
    silent: float
    clipped: float
    offset: float


def measure(samples: MonoSamples, rate: int) -> Level:
    """The level of int16 samples (n,), at least one, at `rate` samples a second."""
    wave = samples.astype(np.float64)
    step = max(1, rate // 100)
    whole = np.pad(wave, (0, -len(wave) % step)).reshape(-1, step)
    frames = np.sqrt(np.mean(whole**2, axis=1))
    loud = np.flatnonzero(frames > max(SILENCE, frames.max() * 10 ** (-_RANGE_DB / 20)))
    return Level(
        rms=float(np.sqrt(np.mean(wave**2)) / 32768),
        onset=float(loud[0] * step / rate) if len(loud) else len(wave) / rate,
        sounding=float(min(len(wave), (loud[-1] + 1 - loud[0]) * step) / rate) if len(loud) else 0.0,
        silent=float(np.mean(frames <= SILENCE)),
        clipped=float(np.mean(np.abs(wave) >= CLIPPED)),
        offset=float(wave.mean() / 32768),
    )


def summary(levels: Sequence[Level]) -> dict[str, float]:
    """Of several sounds: medians of RMS, of seconds until and of sound, of the offset's size; means of the shares."""
    return {
        "median_rms": float(np.median([level.rms for level in levels])),
        "median_onset_seconds": float(np.median([level.onset for level in levels])),
        "median_sounding_seconds": float(np.median([level.sounding for level in levels])),
        "silent_files": float(np.mean([level.silent == 1 for level in levels])),
        "silence": float(np.mean([level.silent for level in levels])),
        "clipping": float(np.mean([level.clipped for level in levels])),
        "dc_offset": float(np.median([abs(level.offset) for level in levels])),
    }
