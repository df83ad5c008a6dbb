"""A recording's own note bed: sines with the phases that they have in it, and what is left without them.

A network learns to draw what is left, and a prompt is continued from it. The same bits on every machine.
"""

from __future__ import annotations

import numpy as np

from synth.audio import scale
from synth.audio.exact_math import turns
from synth.common.typing import Float32, Int64, MonoSamples, Tensors
from synth.vocoder.config import VocoderConfig
from synth.vocoder.emphasis import pre_emphasised
from synth.vocoder.locked_sound import LockedSound
from synth.vocoder.note_analysis import BATCH, NoteAnalysis
from synth.vocoder.note_bed import NoteBed, NoteFrames
from synth.vocoder.note_tables import UNIT

LOG2_E = 1.4426950408889634


class NoteLocker:
    """Locks recordings at a rate; may be shared by threads. `tensors`: those of `note_tables.layout`."""

    def __init__(self, config: VocoderConfig, rate: int, tensors: Tensors, prefer: str = "auto") -> None:
        self.config, self.rate, self.bed = config, rate, NoteBed(config, rate, tensors, prefer)
        self.hop = self.bed.hop

    def lock(self, samples: MonoSamples) -> LockedSound:
        """What `LockedSound` says, of int16 samples (n,); its phases are those of all places, (frames + 1, notes)."""
        analysis = NoteAnalysis(self.config, self.rate)
        rows = np.concatenate([analysis.push(samples), analysis.finish()])
        frames = self.bed.frames(self._levels(rows))
        angles = self._angles(samples, len(rows))
        frames, angles = _and_the_last_again(frames), np.concatenate([angles, angles[-1:]])
        bed = self.bed.render_locked(frames, angles)
        padded = np.concatenate([samples.astype(np.int32), np.zeros(len(bed) - len(samples), np.int32)])
        phases = np.where(frames.sounding, angles << 16, self.bed.first_phases())
        return LockedSound(rows, bed, pre_emphasised(padded - bed, 0), phases)

    def _levels(self, rows: Float32) -> Int64:
        return np.rint(rows[:, self.config.mels :].astype(np.float64) * (LOG2_E * UNIT)).astype(np.int64)

    def _angles(self, samples: MonoSamples, frames: int) -> Int64:
        """Angles (frames, notes) of a sound at the places of the scale, 65536 to a turn."""
        reach, parts = scale.reach(self.rate), []
        after = np.zeros(reach + frames * self.hop - len(samples))
        sound = np.concatenate([np.zeros(reach), samples.astype(np.float64), after])
        for at in range(0, frames, BATCH):
            count = min(BATCH, frames - at)
            piece = sound[at * self.hop : (at + count) * self.hop + 2 * reach]
            real, imaginary = scale.measure(piece, count, self.hop, self.rate, self.config.notes)
            parts.append(np.rint(turns(imaginary, real) * 65536).astype(np.int64))
        return np.concatenate(parts)


def _and_the_last_again(frames: NoteFrames) -> NoteFrames:
    return NoteFrames(*(np.concatenate([x, x[-1:]]) for x in (frames.sounding, frames.increments, frames.amplitudes)))
