"""What voices hear of a sound, by the bed that they have: feature rows, and what of them the latents are made of."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from synth.common.typing import Float32, MonoSamples
from synth.vocoder.config import VocoderConfig
from synth.vocoder.mel import normalize_mel
from synth.vocoder.note_analysis import NoteAnalysis, normalize_notes
from synth.vocoder.tonal import SoundAnalysis, normalize_features, pitch_latents


class Analysis(Protocol):
    """The feature rows of one sound that is pushed in blocks of any size."""

    def push(self, samples: MonoSamples) -> Float32:
        """Takes int16 samples (n,); the rows (frames, inputs) that are complete then."""

    def finish(self) -> Float32:
        """The rest of the rows: two for each token frame that has begun, with silence after the sound's end."""


def analysis_of(config: VocoderConfig, rate: int) -> Analysis:
    """What a voice with a bed hears of a new sound."""
    return NoteAnalysis(config, rate) if config.notes else SoundAnalysis(config, rate)


def normalized_rows(rows: Float32, config: VocoderConfig) -> Float32:
    """Feature rows (frames, inputs) as the encoder's first layer takes them."""
    if config.tones:
        return normalize_features(rows, config.mels)
    if config.notes:
        return normalize_notes(rows, config.mels)
    return np.asarray(normalize_mel(rows), np.float32)


def given_latents(rows: Float32, config: VocoderConfig) -> Float32:
    """The latents (token frames, pitch latents) that rows (2 x token frames, inputs) give without a network."""
    return pitch_latents(rows) if config.tones else np.zeros((len(rows) // 2, 0), np.float32)
