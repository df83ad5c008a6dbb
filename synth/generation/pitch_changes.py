"""Changes of the pitch at which a voice with a bed speaks; what it says stays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from synth.common.errors import UsageError
from synth.common.typing import Float32, Int64
from synth.vocoder.bed_tables import QUARTERS
from synth.vocoder.config import PITCH_LATENTS
from synth.vocoder.note_tables import STEPS
from synth.vocoder.tonal import PITCH_STEPS
from synth.vocoder.vocoder import Vocoder

PITCH_OF = "--pitch-of"


@dataclass(frozen=True)
class PitchChange:
    """`semitones` that the pitch is moved by. `course`: 8-bit pitch latents (token frames, 2) that are taken instead of
    the sound's own, or None.
    """

    semitones: float = 0.0
    course: Int64 | None = None

    @property
    def quarters(self) -> int:
        """How far it is moved, in quarters of a pitch latent's steps, 23 to a semitone."""
        return round(self.semitones * 4 * PITCH_STEPS / 12)

    @property
    def note_steps(self) -> int:
        """How far it is moved, in steps of a note bed's frequencies, 256 to a semitone."""
        return round(self.semitones * STEPS)

    def latents(self, own: Int64, frames: Int64) -> Int64:
        """The pitch latents of token frames, given the sound's own; behind the course's end its last."""
        if self.course is None:
            return own
        return self.course[np.clip(frames, 0, len(self.course) - 1)]

    def moved(self, pitches: Int64) -> Int64:
        """Indices of `bed.increments`, moved, within their range."""
        return np.clip(pitches + self.quarters, 0, 2 * QUARTERS)


def check_pitch(vocoder: Vocoder, name: str, option: str) -> None:
    """UsageError when the voice `name` does not know a pitch, for the option that changes it."""
    if vocoder.config.notes and option == PITCH_OF:
        raise UsageError(f"{option}: {name} knows notes, many at a time, and no one pitch; it takes --transpose")
    if not vocoder.config.has_bed:
        raise UsageError(
            f"{option}: {name} knows no pitch; speech does, and what is trained with --preset speech or notes"
        )


def course_of(latents: Float32, frames: int) -> Int64:
    """The pitch latents (frames, 2) of another sound's latents (n, latent), brought to another length.

    The nearest frame is taken, so that a pitch jumps where the other's does.
    """
    places = np.floor((np.arange(frames) + 0.5) * (len(latents) / frames)).astype(np.int64)
    return np.rint(latents[np.minimum(places, len(latents) - 1), :PITCH_LATENTS] * 32).astype(np.int64)
