"""What is wrong with sound that was generated, told from a few sums: silence, a constant, samples at full scale."""

from __future__ import annotations

import numpy as np

from synth.common.typing import MonoSamples

SILENT = 16.0
"""Standard deviation, of 32768, below which nothing is to be heard: -66 dB of full scale."""
OFFSET = 1024.0
"""Mean, of 32768, from which on it may be a constant: 3 % of full scale."""
FULL_SCALE = 32124
"""What the outermost mu-law code stands for."""
CLIPPED = 0.01
"""Share of samples at full scale from which on sound is clipped."""
LEAST_SECONDS = 0.25
"""Shorter sound may lie in a pause: nothing is said of it."""


class SoundCheck:
    """Takes blocks of 16-bit samples at `rate` Hz; `fault` says what is wrong with all of them."""

    def __init__(self, rate: int) -> None:
        self.least = int(LEAST_SECONDS * rate)
        self.count = self.full = self.total = 0
        self.squares = 0.0

    def add(self, samples: MonoSamples) -> None:
        """The next samples, int16 (n,)."""
        if not len(samples):
            return
        self.count += len(samples)
        self.total += int(samples.sum(dtype=np.int64))
        wide = samples.astype(np.float32)
        self.squares += float(np.dot(wide, wide))
        if samples.max() >= FULL_SCALE or samples.min() <= -FULL_SCALE:
            self.full += int(np.count_nonzero((samples >= FULL_SCALE) | (samples <= -FULL_SCALE)))

    @property
    def fault(self) -> str | None:
        """silent, constant (DC alone), offset (a DC greater than the sound on it), clipped, or None."""
        if self.count < max(1, self.least):
            return None
        mean = self.total / self.count
        deviation = max(0.0, self.squares / self.count - mean * mean) ** 0.5
        if deviation < SILENT:
            return "silent" if abs(mean) < OFFSET else "constant"
        if self.full >= CLIPPED * self.count:
            return "clipped"
        return "offset" if abs(mean) >= max(OFFSET, deviation) else None
