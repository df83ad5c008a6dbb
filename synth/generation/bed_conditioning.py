"""What conditioners of voices with a bed share: a recording's own phases, another pitch, the bed's samples in order."""

from __future__ import annotations

from abc import abstractmethod

import numpy as np

from synth.audio.features import mel_edges
from synth.common.errors import EngineError
from synth.common.typing import Float64, Int32, Int64, Tensors
from synth.generation.conditioning import Conditioner
from synth.generation.latent_sources import LatentSource
from synth.generation.pitch_changes import PitchChange
from synth.vocoder.envelope import Envelope
from synth.vocoder.frame_filter import NEUTRAL
from synth.vocoder.locked_sound import LockedSound
from synth.vocoder.vocoder import Vocoder

RESOLVED = 2000.0
"""Hz; in mel bands below, single harmonics are seen, so what latents say of these bands is said of their own pitch."""


def band_middles(vocoder: Vocoder) -> Float64:
    """Frequencies (mels,) in Hz of a voice's mel bands."""
    return mel_edges(vocoder.rate, vocoder.config.mels)[1:-1]


def resolving_bands(vocoder: Vocoder) -> int:
    """How many of a voice's mel bands, from the lowest on, resolve harmonics."""
    return int((band_middles(vocoder) < RESOLVED).sum())


class BedConditioner(Conditioner):
    """A conditioner whose `bed_at` gives the samples of the bed; its phases run on from token frame to token frame."""

    envelope: Envelope

    def __init__(self, vocoder: Vocoder, source: LatentSource, envelope: Envelope) -> None:
        super().__init__(vocoder, source, envelope)
        self._locked: LockedSound | None = None
        self._bed, self._bed_start = np.zeros(0, np.int32), 0
        self._change: PitchChange | None = None

    @property
    def is_locked(self) -> bool:
        """Whether the phases are a recording's."""
        return self._locked is not None

    @property
    def change(self) -> PitchChange | None:
        """The pitch that was asked for, where it is not the latents' own."""
        return self._change

    def lock(self, locked: LockedSound) -> None:
        """Takes a recording's phases from here on, as long as they last."""
        self._locked = locked

    def change_pitch(self, change: PitchChange) -> None:
        """Lets the bed have another pitch from here on; all else is as latents say."""
        self._change = change

    def new_targets(self) -> list[tuple[int, Int64]]:
        """As in `Conditioner`; at another pitch bands that resolve harmonics are left as they are."""
        targets = super().new_targets()
        if self._change is None:
            return targets
        resolving = resolving_bands(self.vocoder)
        return [(first, np.where(np.arange(mel.shape[1]) < resolving, NEUTRAL, mel)) for first, mel in targets]

    @abstractmethod
    def start_phase(self, locked: LockedSound, position: int) -> None:
        """Goes on with the phases that a recording had at the token frame of sample `position`."""

    @property
    @abstractmethod
    def phases(self) -> Int64:
        """A token frame, and the phases at its start and at those of the next ones, as the kernel takes them."""

    @abstractmethod
    def take_phases(self, numbers: Int64) -> None:
        """Goes on with what `phases` gave."""

    @abstractmethod
    def load_phases(self, saved: Tensors) -> None:
        """Takes the phases that `save` saved; EngineError when they are damaged."""

    def _keep(self, bed: Int32, start: int) -> None:
        """Appends the bed from sample `start` on; what was there from it on is replaced."""
        if not self._bed_start <= start <= self._bed_start + len(self._bed):
            self._bed, self._bed_start = bed[:0], start
        self._bed = np.concatenate([self._bed[: start - self._bed_start], bed])

    def prepare(self, position: int) -> None:
        """Renders the bed from the token frame of sample `position` on, where a stream goes on within it."""
        if self._wants_targets and not self._bed_start <= position < self._bed_start + len(self._bed):
            frame = position // self.vocoder.hop
            self._fill(frame, self.source.ahead)
            self._frame, self._ready = frame, self._condition(frame)

    def bed_at(self, position: int, count: int) -> Int32:
        """The bed's samples int32 (count,) from sample `position` on, asked for in order."""
        self.prepare(position)
        drop = position - self._bed_start
        samples = self._bed[drop : drop + count]
        self._bed, self._bed_start = self._bed[drop + count :], position + count
        return samples

    def save(self) -> Tensors:
        """Everything that `VoiceRuntime.restore` needs to go on; EngineError at another pitch, which is not kept."""
        if self._change is not None:
            raise EngineError("a stream whose pitch is changed can't be saved")
        return super().save()

    def load(self, latents: Int64, first: int, ended: bool) -> None:
        """As in `Conditioner`."""
        super().load(latents, first, ended)
        self._bed, self._bed_start = self._bed[:0], 0
