"""What a voice with a note bed hears: log-mel bands, and levels at the places of a scale.

A feature frame, every 10 ms, is a row of float32: `mels` natural logarithms of mel powers; `notes` natural logarithms
of squares of amplitudes, of full scale 1, at places a semitone apart (`audio.scale`). What is fainter than FLOOR, or
than the strongest by more than DEPTH, counts as that: it is heard as noise.
"""

from __future__ import annotations

import numpy as np

from synth.audio import scale
from synth.audio.exact_math import log
from synth.audio.features import features
from synth.common.typing import Float32, Float64, MonoSamples
from synth.vocoder.config import VocoderConfig, features_of
from synth.vocoder.mel import normalize_mel
from synth.vocoder.tonal import TONE_CENTRE, TONE_SPREAD

FLOOR, DEPTH = -23.0, 11.0
BATCH = 500
"""Feature frames that are computed at once."""
EDGE = 4
"""Feature frames of sound around those that are computed, so that no window of mel bands meets an end that is none."""


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
        self._reach = scale.reach(rate)
        self._samples, self._start = np.zeros(0, np.int16), 0  # `_start`: of the first that is held
        self._frame = self._count = 0

    def push(self, samples: MonoSamples) -> Float32:
        """Takes int16 samples (n,); the rows (frames, inputs) that are complete then."""
        self._count += len(samples)
        return self._take(samples)

    def finish(self) -> Float32:
        """The rest of the rows: two for each token frame that has begun, with silence after the sound's end."""
        frames = 2 * -(-self._count // (2 * self.hop))
        end = frames * self.hop + max(self._reach, (EDGE + 1) * self.hop)
        rows = self._take(np.zeros(end - self._count, np.int16))
        return rows[: len(rows) - max(0, self._frame - frames)]

    def _take(self, samples: MonoSamples) -> Float32:
        self._samples = np.concatenate([self._samples, samples])
        end = self._start + len(self._samples)
        ready = (end - max(self._reach, (EDGE + 1) * self.hop)) // self.hop - self._frame
        rows = [np.zeros((0, self.config.inputs), np.float32)]
        for at in range(0, ready, BATCH):
            rows.append(self._rows(min(BATCH, ready - at)))
        return np.concatenate(rows)

    def _rows(self, count: int) -> Float32:
        mel = self._mel(count)
        first = self._frame * self.hop - self._reach
        low = max(self._start, first)
        sound = self._samples[low - self._start : first + count * self.hop + 2 * self._reach - self._start]
        whole = np.concatenate([np.zeros(low - first), sound.astype(np.float64)])
        real, imaginary = scale.measure(whole, count, self.hop, self.rate, self.config.notes)
        levels = note_levels((real * real + imaginary * imaginary) / (32768.0 * 32768.0))
        self._frame += count
        self._drop()
        return np.concatenate([mel, levels], 1).astype(np.float32)

    def _mel(self, count: int) -> Float32:
        low = max(0, self._frame - EDGE)
        part = self._samples[low * self.hop - self._start : (self._frame + count + EDGE) * self.hop - self._start]
        wave = part.astype(np.float32) / np.float32(32768)
        return features(wave, self.feature_config)[self._frame - low :][:count]

    def _drop(self) -> None:
        keep = max(self._start, self._frame * self.hop - max(self._reach, EDGE * self.hop))
        keep = keep // self.hop * self.hop
        self._samples, self._start = self._samples[keep - self._start :], keep
