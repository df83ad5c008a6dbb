"""What a voice with a note bed hears: log-mel bands, and levels at the places of a scale.

A feature frame, every 10 ms, is a row of float32: `mels` natural logarithms of mel powers; `notes` natural logarithms
of squares of amplitudes, of full scale 1, at places a semitone apart (`audio.scale`). What is fainter than FLOOR, or
than the strongest by more than DEPTH, counts as that: it is heard as noise.
"""

from __future__ import annotations

import numpy as np

from synth.audio import scale
from synth.audio.exact_math import log
from synth.common.typing import Float32, Float64, MonoSamples
from synth.vocoder.config import VocoderConfig, features_of
from synth.vocoder.held_sound import HeldSound
from synth.vocoder.mel import normalize_mel
from synth.vocoder.tonal import TONE_CENTRE, TONE_SPREAD

FLOOR, DEPTH = -23.0, 11.0
BATCH = 500
"""Feature frames that are computed at once."""


def note_levels(power: Float64) -> Float64:
    """Levels (frames, notes) from squares of amplitudes (frames, notes) of full scale 1."""
    levels = np.maximum(log(power + 1e-12), FLOOR)
    return np.maximum(levels, levels.max(1, keepdims=True) - DEPTH)


def normalize_notes(rows: Float32, mels: int) -> Float32:
    """Feature rows as the encoder's first layer takes them."""
    levels = (rows[:, mels:] - np.float32(TONE_CENTRE)) / np.float32(TONE_SPREAD)
    return np.concatenate([normalize_mel(rows[:, :mels]), levels], 1)


class NoteAnalysis:
    """The feature rows of one sound that is pushed in blocks of any size."""

    def __init__(self, config: VocoderConfig, rate: int) -> None:
        self.config, self.rate = config, rate
        self.feature_config = features_of(config, rate)
        self.hop = self.feature_config.hop
        self._held = HeldSound(self.feature_config, scale.reach(rate))
        self._frame = self._count = 0

    def push(self, samples: MonoSamples) -> Float32:
        """Takes int16 samples (n,); the rows (frames, inputs) that are complete then."""
        self._count += len(samples)
        return self._take(samples)

    def finish(self) -> Float32:
        """The rest of the rows: two for each token frame that has begun, with silence after the sound's end."""
        frames = 2 * -(-self._count // (2 * self.hop))
        end = frames * self.hop + self._held.margin
        rows = self._take(np.zeros(end - self._count, np.int16))
        return rows[: len(rows) - max(0, self._frame - frames)]

    def _take(self, samples: MonoSamples) -> Float32:
        self._held.push(samples)
        ready = (self._held.end - self._held.margin) // self.hop - self._frame
        rows = [np.zeros((0, self.config.inputs), np.float32)]
        for at in range(0, ready, BATCH):
            rows.append(self._rows(min(BATCH, ready - at)))
        return np.concatenate(rows)

    def _rows(self, count: int) -> Float32:
        mel, whole = self._held.mel(self._frame, count), self._held.around(self._frame, count)
        real, imaginary = scale.measure(whole, count, self.hop, self.rate, self.config.notes)
        levels = note_levels((real * real + imaginary * imaginary) / (32768.0 * 32768.0))
        self._frame += count
        self._held.drop(self._frame)
        return np.concatenate([mel, levels], 1).astype(np.float32)
