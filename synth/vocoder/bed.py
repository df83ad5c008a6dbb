"""The tonal bed of a voice: harmonics of a pitch, steered by latents, that the network's sound is added to.

Harmonics plus noise (Serra and Smith, "Spectral modeling synthesis", 1990): each harmonic is a sine whose amplitude is
read off the tones' levels and whose phase runs on with the pitch, plus the phase that a minimum-phase filter of these
levels has there, measured from the first harmonic's, which is the pitch's own. All is integer arithmetic on
`bed_tables`: the same sound on every machine.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from synth.audio.harmonics import count_of
from synth.common.typing import AnyArray, Int16, Int32, Int64, Tensors
from synth.engine import phase
from synth.vocoder.bed_tables import GATE, PHASE_PLACES, PLACES, QUARTERS, UNIT
from synth.vocoder.config import VocoderConfig
from synth.vocoder.oscillators import Oscillators

MOST = 1 << 19
"""The greatest amplitude: full scale, in sixteenths of a sample's step."""
FULLY, SLOPE = 820, 20
"""Voicing, of 1024, from which on harmonics are whole; what is missing, times this, is taken from their levels."""


@dataclass(frozen=True)
class TonalFrames:
    """What steers the oscillators at the starts of segments (10 ms), one frame more than there are segments.

    `pitches`: int64 (frames,), indices of `bed.increments`; `levels`: int64 (frames, tones), binary logarithms of
    powers over the pitch, in 1/1024; `voicing`: int64 (frames,), 1024 where voiced.
    """

    pitches: Int64
    levels: Int64
    voicing: Int64


def token_pitches(latents: Int64) -> Int64:
    """Indices of `bed.increments` at frames of 10 ms, from 8-bit pitch latents (frames + 2, 2) of token frames.

    The first and the last are of the neighbours. The first of a frame's two is the mean pitch of its halves; between
    them lines are drawn. The second is how far, in quarters, the halves lie from these lines.
    """
    here, before, after = latents[1:-1, 0], latents[:-2, 0], latents[2:, 0]
    bend = latents[1:-1, 1]
    quarters = np.stack([3 * here + before - bend, 3 * here + after + bend], 1).reshape(-1)
    return np.clip(quarters + QUARTERS, 0, 2 * QUARTERS)


class TonalBed:
    """Renders the bed of streams; may be shared by threads. `tensors`: those of `bed_tables.layout`."""

    def __init__(self, config: VocoderConfig, rate: int, tensors: Tensors, prefer: str = "auto") -> None:
        self.hop, self.partials = rate // 100, count_of(rate)
        own = {name.removeprefix("bed."): tensor for name, tensor in tensors.items() if name.startswith("bed.")}
        self._increments, self._logarithms = own["increments"].astype(np.int64), own["logarithms"].astype(np.int64)
        self._places, self._gates = own["places"].astype(np.int64), own["gates"].astype(np.int64)
        self._phases, self._power = own["phases"].astype(np.float64), own["power"].astype(np.int64)
        self._oscillators = Oscillators(self.hop, prefer)
        self._numbers = np.arange(1, self.partials + 1)

    @property
    def kernel(self) -> Any:
        """The oscillators in C++; None where the specification does the work."""
        return self._oscillators.kernel

    def increments(self, pitches: Int64) -> Int64:
        """What the phase of the pitch grows by in a sample, 2^32 to a turn."""
        return self._increments[pitches]

    def advance(self, pitches: Int64, start: int) -> Int64:
        """The phases (frames,) of a pitch at the starts of segments and after the last, 2^32 to a turn.

        `pitches` (frames,) as in `TonalFrames`; `start`: the phase at the first. Within a segment the increment
        grows evenly.
        """
        increments = self.increments(pitches)
        slopes = self._slopes(increments)
        steps = increments[:-1] * self.hop + slopes * (self.hop * (self.hop - 1) // 2)
        return (start + np.concatenate([[0], np.cumsum(steps)])) & 0xFFFFFFFF

    def _slopes(self, increments: Int64) -> Int64:
        return np.asarray((increments[1:] - increments[:-1]) // self.hop, np.int64)

    def hints(self, pitches: Int64, phases: Int64) -> Int16:
        """What the network reads of segments' phases: int16 (segments, 3), see `engine.phase.pack`."""
        increments = self.increments(pitches)
        return phase.pack(phases[:-1] >> 16, (increments[:-1] + increments[1:]) >> 1)

    def gates(self, pitches: Int64) -> Int64:
        """How much of each harmonic passes, of 256: int64 (frames, partials); nothing near the highest frequency."""
        increments = self.increments(pitches)[:, None] * self._numbers
        return np.where(increments < 1 << 31, self._gates[np.minimum(increments >> 21, PLACES)], 0)

    def shapes(self, frames: TonalFrames) -> tuple[Int64, Int64]:
        """Amplitudes in sixteenths of steps and phases, 65536 to a turn, of all harmonics: (frames, partials) each."""
        increments = self.increments(frames.pitches)[:, None] * self._numbers
        at = np.minimum(increments, (1 << 31) - 1)
        entry, part = at >> 21, (at >> 13) & 255
        place = (self._places[entry] * (256 - part) + self._places[entry + 1] * part) >> 8
        low, within = place >> 8, place & 255
        high = np.minimum(low + 1, frames.levels.shape[1] - 1)
        rows = np.arange(len(low))[:, None]

        def between(values: Int64) -> Int64:
            return (values[rows, low] * (256 - within) + values[rows, high] * within) >> 8

        missing = np.maximum(0, FULLY - frames.voicing) * SLOPE
        exponent = between(frames.levels) + self._logarithms[frames.pitches][:, None] - missing[:, None]
        exponent = np.clip(exponent, -64 * UNIT, 0)  # of the square of the amplitude, so in 1/2048 of the amplitude
        power = self._power[(exponent & 2047) >> 3] << 4
        amplitude = (power >> np.minimum(-(exponent >> 11), 62)) * self.gates(frames.pitches) // GATE
        # whole numbers below 2^53
        turns = (frames.levels.astype(np.float64) @ self._phases.T).astype(np.int64)
        turns = (turns + (1 << PHASE_PLACES - 1)) >> PHASE_PLACES
        offsets = between(turns)
        return np.minimum(amplitude, MOST), (offsets - self._numbers * offsets[:, :1]) & 0xFFFF

    def render(self, frames: TonalFrames, start: int) -> Int32:
        """The bed's samples int32 (segments x hop,); `start`: the phase of the pitch at the first frame."""
        phases = self.advance(frames.pitches, start)
        amplitudes, offsets = self.shapes(frames)
        increments = self.increments(frames.pitches)
        turn = wrapped(offsets[1:] - offsets[:-1])
        starts = phases[:-1, None] * self._numbers + (offsets[:-1] << 16)
        steps = increments[:-1, None] * self._numbers + (turn << 16) // self.hop
        slopes = self._slopes(increments)[:, None] * self._numbers
        return self._oscillators.render(uint32(starts), int32(steps), int32(slopes), amplitudes.astype(np.int32))

    def render_locked(self, starts: Int64, steps: Int64, amplitudes: Int64) -> Int32:
        """Segments of harmonics whose phases are known: `starts`, `steps` (segments, partials), 2^32 to a turn."""
        still = np.zeros(starts.shape, np.int32)
        return self._oscillators.render(uint32(starts), int32(steps), still, amplitudes.astype(np.int32))


def wrapped(turns: Int64) -> Int64:
    """Differences of phases, 65536 to a turn, as -32768 to 32767."""
    return ((turns + 32768) & 0xFFFF) - 32768


def uint32(values: Int64) -> AnyArray:
    """The lower 32 bits."""
    return (values & 0xFFFFFFFF).astype(np.uint32)


def int32(values: Int64) -> AnyArray:
    """The lower 32 bits, with a sign."""
    return uint32(values).view(np.int32)
