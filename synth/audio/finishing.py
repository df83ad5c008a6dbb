"""What is done to a whole generated sound before it is written: a seamless loop, fades, another rate, a level."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from synth.common.errors import require
from synth.common.typing import Float64, MonoSamples

CROSSFADE = 0.1
"""Seconds of sound after the end that fade into the beginning of a loop; at most a quarter of it."""
AROUND = 0.05
"""Seconds of a loop that its resampling sees before its beginning and after its end."""


@dataclass(frozen=True)
class Finishing:
    """`loop`: the end goes on into the beginning. `fade`: seconds of rising at the beginning and falling at the end.

    `normalize`: the peak in dB of full scale, or None; `rate`: in Hz, None for the sound's own. UsageError for a loop
    with fades.
    """

    loop: bool = False
    fade: float = 0.0
    normalize: float | None = None
    rate: int | None = None

    def __post_init__(self) -> None:
        require(not (self.loop and self.fade), "--fade: a loop has neither beginning nor end; leave out one of both")

    @property
    def needed(self) -> bool:
        """Whether anything is to be done, so that the whole sound is held in memory."""
        return self.loop or self.fade > 0 or self.normalize is not None or self.rate is not None

    def overlap(self, samples: int, rate: int) -> int:
        """How many samples more than `samples` have to be drawn."""
        return min(samples // 4, round(CROSSFADE * rate)) if self.loop else 0

    def count(self, samples: int, rate: int) -> int:
        """How many samples the finished sound has."""
        return samples if self.rate is None else max(1, round(samples * self.rate / rate))

    def finished(self, drawn: MonoSamples, samples: int, rate: int) -> MonoSamples:
        """The finished sound int16 (count,) of `drawn`, int16 (samples + overlap,) at `rate` Hz.

        Of several channels, which keep their balance: (count, channels) of (samples + overlap, channels).
        """
        if drawn.ndim == 1:
            return self.finished(drawn[:, None], samples, rate)[:, 0]
        wave = drawn[:samples].astype(np.float64)
        over = drawn[samples:].astype(np.float64)
        if len(over):
            angle = (np.arange(len(over)) + 0.5)[:, None] * (0.5 * np.pi / len(over))
            wave[: len(over)] = np.sin(angle) * wave[: len(over)] + np.cos(angle) * over
        ramp = min(round(self.fade * rate), samples)
        wave[:ramp] *= np.arange(ramp)[:, None] / max(1, ramp)
        wave[samples - ramp :] *= np.arange(ramp, 0, -1)[:, None] / max(1, ramp)
        wave = self._resampled(wave, rate)
        peak = float(np.abs(wave).max(initial=0.0))
        if self.normalize is not None and peak > 0:
            wave *= 10 ** (self.normalize / 20) * 32767 / peak
        return np.clip(np.rint(wave), -32768, 32767).astype(np.int16)

    def _resampled(self, wave: Float64, rate: int) -> Float64:
        if self.rate is None or self.rate == rate:
            return wave
        import soxr

        around = min(len(wave), round(AROUND * rate)) if self.loop else 0
        padded = np.concatenate([wave[len(wave) - around :], wave, wave[:around]])
        resampled = np.asarray(soxr.resample(padded, rate, self.rate, quality="HQ"), np.float64)
        first, count = round(around * self.rate / rate), self.count(len(wave), rate)
        kept = resampled[first : first + count]
        return np.concatenate([kept, np.zeros((count - len(kept), wave.shape[1]))])

    def facts(self) -> dict[str, Any]:
        """What a report says of it."""
        return {"loop": self.loop, "fade": self.fade, "normalize": self.normalize}
