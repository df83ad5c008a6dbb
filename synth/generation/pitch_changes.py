"""Changes of the pitch of latents, of a voice whose first latent it is."""

from __future__ import annotations

import numpy as np

from synth.common.errors import UsageError
from synth.common.typing import Float32
from synth.vocoder.tonal import PITCH_STEPS
from synth.vocoder.vocoder import BOUND, UNIT, Vocoder

MOST_SEMITONES = 48.0
"""Of a transposition, either way."""


def check_pitch(vocoder: Vocoder, name: str, option: str) -> None:
    """UsageError when the voice `name` does not know a pitch, for the option that changes it."""
    if not vocoder.config.tones:
        raise UsageError(f"{option}: {name} knows no pitch; a voice does that is trained with --preset tonal")


def transposed(latents: Float32, semitones: float) -> Float32:
    """Latents (frames, latent) with a pitch `semitones` higher, in steps of 17 cents; kept within 55 to 700 Hz."""
    moved = latents.copy()
    moved[:, 0] = np.clip(moved[:, 0] + np.float32(semitones * PITCH_STEPS / 12 / UNIT), -BOUND, BOUND)
    return moved


def with_pitch(latents: Float32, pitch: Float32, first: int, frames: int) -> Float32:
    """Latents (n, latent), of token frame `first` of `frames` on, with the pitch latents (m,) of another sound.

    The other's course is brought to the length of `frames`, linear between its frames.
    """
    places = (np.arange(first, first + len(latents)) + 0.5) * (len(pitch) / frames) - 0.5
    moved = latents.copy()
    moved[:, 0] = np.interp(places, np.arange(len(pitch)), pitch)
    return moved
