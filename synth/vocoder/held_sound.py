"""The samples of a sound that are still needed, while it is pushed in blocks and its feature frames are computed."""

from __future__ import annotations

import numpy as np

from synth.audio.features import FeatureConfig, features
from synth.common.typing import Float32, Float64, MonoSamples

EDGE = 4
"""Feature frames of sound around those that are computed, so that no window of mel bands meets an end that is none."""


class HeldSound:
    """Samples around the feature frames that are to come. `reach`: of them before and after a frame's middle.

    `end`: the sample behind the last that was pushed.
    """

    def __init__(self, config: FeatureConfig, reach: int) -> None:
        self._config, self._hop, self.reach = config, config.hop, reach
        self._samples, self._start = np.zeros(0, np.int16), 0  # `_start`: of the first that is held

    @property
    def end(self) -> int:
        """The sample behind the last that was pushed."""
        return self._start + len(self._samples)

    @property
    def margin(self) -> int:
        """Samples that must lie behind a frame's middle before it is computed."""
        return max(self.reach, (EDGE + 1) * self._hop)

    def push(self, samples: MonoSamples) -> None:
        """Takes int16 samples (n,)."""
        self._samples = np.concatenate([self._samples, samples])

    def around(self, frame: int, count: int) -> Float64:
        """Samples (count x hop + 2 x reach,) from `reach` before a frame's middle on; zeros before the sound."""
        first = frame * self._hop - self.reach
        low = max(self._start, first)
        sound = self._samples[low - self._start : first + count * self._hop + 2 * self.reach - self._start]
        return np.concatenate([np.zeros(low - first), sound.astype(np.float64)])

    def mel(self, frame: int, count: int) -> Float32:
        """Log-mel features (count, mels) of the frames from `frame` on."""
        low = max(0, frame - EDGE)
        part = self._samples[low * self._hop - self._start : (frame + count + EDGE) * self._hop - self._start]
        wave = part.astype(np.float32) / np.float32(32768)
        return features(wave, self._config)[frame - low :][:count]

    def drop(self, frame: int) -> None:
        """Forgets what no frame from `frame` on needs."""
        keep = max(self._start, frame * self._hop - max(self.reach, EDGE * self._hop)) // self._hop * self._hop
        self._samples, self._start = self._samples[keep - self._start :], keep
