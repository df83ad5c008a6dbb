"""The note bed of a voice: sines near the places of a scale, steered by latents, that the network's sound is added to.

Sinusoidal modelling (McAulay and Quatieri, "Speech analysis/synthesis based on a sinusoidal representation", 1986).
In every frame of 10 ms each local maximum of the levels along the scale is a sine, whose frequency and amplitude a
parabola through the maximum and its neighbours says. Phases run on, also where a maximum moves to the place beside it.
All is integer arithmetic on `note_tables`: the same sound on every machine.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from synth.common.typing import Bools, Int32, Int64, Tensors
from synth.vocoder.bed import MOST, int32, uint32, wrapped
from synth.vocoder.config import VocoderConfig
from synth.vocoder.note_tables import OCTAVE, STEPS, UNIT
from synth.vocoder.oscillators import Oscillators

FAINTEST = -32 * UNIT
"""The level, in binary logarithms of powers, below which there is no sine."""
DEPTH = 13 * UNIT
"""How much fainter than the strongest a sine may be."""
SCRAMBLE = 2654435769
"""Times a place's number: the phase that it begins with, so that no peak adds up."""


@dataclass(frozen=True)
class NoteFrames:
    """The sines at the starts of segments (10 ms) and after the last: (frames, notes) each.

    `sounding`: whether a sine is at this place; `increments`: what its phase grows by in a sample, 2^32 to a turn;
    `amplitudes`: in sixteenths of a 16-bit sample's step, 0 where there is none.
    """

    sounding: Bools
    increments: Int64
    amplitudes: Int64

    @property
    def sources(self) -> Int64:
        """Whose phase a place goes on with in a segment: (frames - 1, notes); its own, or of what moves to it."""
        here, then = self.sounding[:-1], self.sounding[1:]
        begins, ends = then & ~here, here & ~then
        numbers = np.arange(here.shape[1])
        edge = np.zeros((len(here), 1), bool)
        below = begins & np.concatenate([edge, ends[:, :-1]], 1)
        above = begins & np.concatenate([ends[:, 1:], edge], 1) & ~below
        return np.asarray(numbers[None] - below + above, np.int64)

    def ends(self, sources: Int64) -> tuple[Int64, Int64]:
        """Increments at the starts and the ends of segments: (frames - 1, notes) each."""
        here, then = self.sounding[:-1], self.sounding[1:]
        goes_on = np.take_along_axis(here, sources, 1)
        first = np.where(goes_on, np.take_along_axis(self.increments[:-1], sources, 1), self.increments[1:])
        return first, np.where(then, self.increments[1:], first)


class NoteBed:
    """Renders the bed of streams; may be shared by threads. `tensors`: those of `note_tables.layout`."""

    def __init__(self, config: VocoderConfig, rate: int, tensors: Tensors, prefer: str = "auto") -> None:
        self.hop, self.notes = rate // 100, config.notes
        self._octave = tensors["bed.octave"].astype(np.int64)
        self._power = tensors["bed.power"].astype(np.int64)
        self._oscillators = Oscillators(self.hop, prefer)

    @property
    def kernel(self) -> Any:
        """The oscillators in C++; None where the specification does the work."""
        return self._oscillators.kernel

    def first_phases(self) -> Int64:
        """Phases (notes,) that a sound begins with."""
        return np.arange(self.notes, dtype=np.int64) * SCRAMBLE & 0xFFFFFFFF

    def frames(self, levels: Int64, moved: int = 0) -> NoteFrames:
        """The sines that levels (frames, notes), binary logarithms of powers in 1/1024, stand for.

        `moved`: how far all frequencies are moved, in 1/256 of a semitone; what gets too high or too low is left out.
        """
        edged = np.concatenate([levels[:, :1], levels, levels[:, -1:]], 1)
        before, here, after = edged[:, :-2], edged[:, 1:-1], edged[:, 2:]
        least = np.maximum(levels.max(1, keepdims=True) - DEPTH, FAINTEST)
        top = (here > before) & (here >= after) & (here > least)
        bend = np.where(top, 2 * here - before - after, 1)
        offset = np.clip(STEPS * (after - before) // (2 * bend), -STEPS // 2, STEPS // 2)
        level = here + ((after - before) * offset >> 10)
        place = np.arange(self.notes) * STEPS + offset + moved
        octave, step = place // OCTAVE, place % OCTAVE
        increments = self._octave[step] << np.clip(octave, 0, 16)
        top = top & (octave >= 0) & (increments < 1 << 31)
        exponent = np.clip(level, -64 * UNIT, 0)
        power = self._power[(exponent & 2047) >> 3] << 4
        amplitudes = np.minimum(power >> np.minimum(-(exponent >> 11), 62), MOST)
        return NoteFrames(top, np.where(top, increments, 0), np.where(top, amplitudes, 0))

    def advance(self, frames: NoteFrames, start: Int64) -> Int64:
        """The phases (frames, notes), 2^32 to a turn, at the starts of segments and after the last, from `start` on."""
        sources = frames.sources
        first, last = frames.ends(sources)
        steps = first * self.hop + self._slopes(first, last) * (self.hop * (self.hop - 1) // 2)
        phases = np.empty((len(steps) + 1, self.notes), np.int64)
        phases[0] = start
        for k, (source, step) in enumerate(zip(sources, steps, strict=True)):
            phases[k + 1] = (phases[k][source] + step) & 0xFFFFFFFF
        return phases

    def _slopes(self, first: Int64, last: Int64) -> Int64:
        return np.asarray((last - first) // self.hop, np.int64)

    def render(self, frames: NoteFrames, phases: Int64) -> Int32:
        """The bed's samples int32 (segments x hop,); `phases` (frames, notes) as `advance` gives them."""
        sources = frames.sources
        first, last = frames.ends(sources)
        starts = np.take_along_axis(phases[:-1], sources, 1)
        slopes = self._slopes(first, last)
        return self._rendered(starts, first, slopes, frames.amplitudes)

    def render_locked(self, frames: NoteFrames, angles: Int64) -> Int32:
        """The bed with phases that are known at the frames, `angles` (frames, notes), 65536 to a turn."""
        sources = frames.sources
        first, last = frames.ends(sources)
        expected = (first + last) * self.hop // 2
        goes_on = np.take_along_axis(frames.sounding[:-1], sources, 1)
        starts = np.take_along_axis(angles[:-1], sources, 1) << 16
        starts = np.where(goes_on, starts, (angles[1:] << 16) - expected)
        led = (starts + expected) >> 16
        turn = np.where(frames.sounding[1:], wrapped(angles[1:] - led), 0)
        steps = (expected + (turn << 16)) // self.hop
        return self._rendered(starts, steps, np.zeros_like(steps), frames.amplitudes)

    def _rendered(self, starts: Int64, steps: Int64, slopes: Int64, amplitudes: Int64) -> Int32:
        return self._oscillators.render(uint32(starts), int32(steps), int32(slopes), amplitudes.astype(np.int32))
