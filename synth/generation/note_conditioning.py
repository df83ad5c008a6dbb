"""The conditioner of a voice with a note bed: renders the sines that latents say, whose phases run on."""

from __future__ import annotations

import numpy as np

from synth.common.arrays import require_saved, saved_array
from synth.common.typing import Int16, Int64, Tensors
from synth.generation.bed_conditioning import BedConditioner
from synth.generation.latent_sources import LatentSource
from synth.vocoder.envelope import Envelope
from synth.vocoder.locked_sound import LockedSound
from synth.vocoder.note_bed import NoteBed
from synth.vocoder.vocoder import Vocoder

SILENT = -64 * 1024
"""A level at which nothing sounds."""


class NoteConditioner(BedConditioner):
    """A conditioner whose network knows nothing of the bed's phases."""

    def __init__(self, vocoder: Vocoder, source: LatentSource, envelope: Envelope, bed: NoteBed) -> None:
        super().__init__(vocoder, source, envelope)
        self.bed = bed
        self._phases, self._phase_frame = bed.first_phases()[None], 0  # at starts of token frames, and of the first one

    @property
    def phases(self) -> Int64:
        """A token frame, and the phases at its start and at those of the next ones, one after the other."""
        return np.array([self._phase_frame, *self._phases.ravel()], np.int64)

    def take_phases(self, numbers: Int64) -> None:
        """Goes on with what `phases` gave."""
        frame, phases = numbers[:1], numbers[1:].reshape(-1, self.bed.notes)
        self.load_phases({"phases": phases, "phase_frame": frame})

    def start_phase(self, locked: LockedSound, position: int) -> None:
        """Goes on with the phases that a recording had at the token frame of sample `position`."""
        self._phase_frame = position // self.vocoder.hop
        self._phases = locked.phases[2 * self._phase_frame :][:1] & 0xFFFFFFFF

    def _condition(self, frame: int) -> Int16:
        vectors = super()._condition(frame)
        if self._locked is None:
            self._run_on(frame, len(vectors))
        return vectors

    def _run_on(self, frame: int, count: int) -> None:
        """Phases of `count` token frames and after them; renders the bed."""
        place = min(max(0, frame - self._phase_frame), len(self._phases) - 1)
        frames = self.bed.frames(self._levels(frame, count), 0 if self._change is None else self._change.note_steps)
        phases = self.bed.advance(frames, self._phases[place])
        if self._wants_targets:
            self._keep(self.bed.render(frames, phases), frame * self.vocoder.hop)
        self._phases, self._phase_frame = phases[::2], frame

    def _levels(self, frame: int, count: int) -> Int64:
        """Levels at the starts of the segments of `count` token frames, and after the last."""
        place, held, segments = frame - self._first, len(self._latents), 2 * count + 1
        if place >= held:
            return np.full((segments, self.vocoder.config.notes), SILENT, np.int64)
        _, levels, _ = self.envelope.read(self._latents, place, min(place + count + 1, held))
        after = np.full((max(0, segments - len(levels)), levels.shape[1]), SILENT, np.int64)  # the sound's end
        return np.concatenate([levels, after])[:segments]

    def save(self) -> Tensors:
        """Everything that `VoiceRuntime.restore` needs to go on; EngineError at another pitch, which is not kept."""
        return super().save() | {"phases": self._phases, "phase_frame": np.array([self._phase_frame], np.int64)}

    def load_phases(self, saved: Tensors) -> None:
        """Takes the phases that `save` saved; EngineError when they are damaged."""
        phases = saved_array(saved, "phases", "int64", (None, self.bed.notes))
        first = saved_array(saved, "phase_frame", "int64", (1,))[0]
        require_saved(1 <= len(phases) <= 4096 and 0 <= first < 1 << 62)
        require_saved(bool((phases >= 0).all() and (phases < 1 << 32).all()))
        self._phases, self._phase_frame = phases.copy(), int(first)

    def fork(self, seed: int) -> NoteConditioner:
        """A conditioner that goes on from here with another seed's draws."""
        other = NoteConditioner(self.vocoder, self.source.fork(seed), self.envelope, self.bed)
        other._locked, other._change = self._locked, self._change
        other.load(self._latents, self._first, self._ended)
        other._phases, other._phase_frame = self._phases, self._phase_frame
        return other
