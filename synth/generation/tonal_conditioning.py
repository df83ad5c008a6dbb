"""The conditioner of a voice with a tonal bed: tells the network the phase of the pitch, and renders the bed."""

from __future__ import annotations

import numpy as np

from synth.common.arrays import require_saved, saved_array
from synth.common.typing import Int16, Int64, Tensors
from synth.generation.bed_conditioning import BedConditioner
from synth.generation.latent_sources import LatentSource
from synth.vocoder.bed import TonalBed, TonalFrames, token_pitches
from synth.vocoder.config import PITCH_LATENTS
from synth.vocoder.envelope import Envelope
from synth.vocoder.locked_sound import LockedSound
from synth.vocoder.vocoder import Vocoder


class TonalConditioner(BedConditioner):
    """A conditioner whose vectors end with the pitch's phase; `bed_at` gives the bed's samples.

    The phase runs on from token frame to token frame.
    """

    def __init__(
        self,
        vocoder: Vocoder,
        source: LatentSource,
        envelope: Envelope,
        bed: TonalBed,
    ) -> None:
        super().__init__(vocoder, source, envelope)
        self.bed = bed
        self._phases, self._phase_frame = np.zeros(1, np.int64), 0  # at starts of token frames, and of the first which

    @property
    def phases(self) -> Int64:
        """A token frame, and the phases of the pitch at its start and at those of the next ones, as they are saved."""
        return np.array([self._phase_frame, *self._phases], np.int64)

    def take_phases(self, numbers: Int64) -> None:
        """Goes on with what `phases` gave."""
        self.load_phases({"phases": numbers})

    def start_phase(self, locked: LockedSound, position: int) -> None:
        """Goes on with the phase that a recording had at the token frame of sample `position`."""
        frame = position // self.vocoder.hop
        self._phase_frame = frame
        self._phases = locked.phases[2 * frame : 2 * frame + 3 : 2] & 0xFFFFFFFF

    def _condition(self, frame: int) -> Int16:
        vectors = super()._condition(frame)
        phases, hints = self._pitch(frame, len(vectors))
        self._phases, self._phase_frame = phases, frame
        return np.concatenate([vectors, hints.reshape(*vectors.shape[:2], -1)], 2)

    def _pitch(self, frame: int, count: int) -> tuple[Int64, Int16]:
        """Phases at the starts of `count` token frames and after them; hints (2 x count, 3). Renders the bed."""
        if self._locked is not None:
            phases = self._locked.phases[2 * frame : 2 * (frame + count) + 1]
            if len(phases) == 2 * count + 1:
                return phases[::2] & 0xFFFFFFFF, self._locked.hints(self.bed.hop)[2 * frame : 2 * (frame + count)]
        place = min(max(0, frame - self._phase_frame), len(self._phases) - 1)
        frames = self._tonal_frames(frame, count)
        phase = int(self._phases[place])
        phases = self.bed.advance(frames.pitches, phase)
        if self._wants_targets:
            self._keep(self.bed.render(frames, phase), frame * self.vocoder.hop)
        return phases[::2], self.bed.hints(frames.pitches, phases)

    def _tonal_frames(self, frame: int, count: int) -> TonalFrames:
        """What the bed is at the starts of the segments of `count` token frames, and after the last."""
        place = frame - self._first
        held = len(self._latents)
        if place >= held or not held:
            still = 2 * count + 1
            silent = np.full((still, self.vocoder.config.tones), -64 * 1024, np.int64)
            around = np.zeros((count + 3, PITCH_LATENTS), np.int64)
            around[:, 0] = int(self._latents[-1, 0]) if held else 0
            pitches = self._changed(around, np.arange(frame - 1, frame + count + 2))[:still]
            return TonalFrames(pitches, silent, np.zeros(still, np.int64))
        at = np.clip(np.arange(place - 1, place + count + 2), max(0, place - 1), held - 1)
        pitches = self._changed(self._latents[at, :PITCH_LATENTS], at + self._first)[: 2 * count + 1]
        last = min(place + count + 1, held)
        _, levels, voicing = self.envelope.read(self._latents, place, last)
        missing = max(0, 2 * count + 1 - len(levels))  # the sound's end
        levels = np.concatenate([levels, np.repeat(levels[-1:], missing, 0)])[: 2 * count + 1]
        voicing = np.concatenate([voicing, np.zeros(missing, np.int64)])[: 2 * count + 1]
        return TonalFrames(pitches, levels, voicing)

    def _changed(self, latents: Int64, frames: Int64) -> Int64:
        """`token_pitches` of the pitch latents of token frames, changed where that was asked for."""
        if self._change is None:
            return token_pitches(latents)
        return self._change.moved(token_pitches(self._change.latents(latents, frames)))

    def save(self) -> Tensors:
        """Everything that `VoiceRuntime.restore` needs to go on; EngineError at another pitch, which is not kept."""
        return super().save() | {"phases": self.phases}

    def load_phases(self, saved: Tensors) -> None:
        """Takes the phases that `save` saved; EngineError when they are damaged."""
        numbers = saved_array(saved, "phases", "int64", (None,))
        require_saved(2 <= len(numbers) <= 4096 and 0 <= numbers[0] < 1 << 62)
        require_saved(bool((numbers[1:] >= 0).all() and (numbers[1:] < 1 << 32).all()))
        self._phase_frame, self._phases = int(numbers[0]), numbers[1:].copy()

    def fork(self, seed: int) -> TonalConditioner:
        """A conditioner that goes on from here with another seed's draws."""
        other = TonalConditioner(self.vocoder, self.source.fork(seed), self.envelope, self.bed)
        other._locked, other._change = self._locked, self._change
        other.load(self._latents, self._first, self._ended)
        other._phases, other._phase_frame = self._phases, self._phase_frame
        return other
