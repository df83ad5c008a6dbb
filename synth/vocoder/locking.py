"""A recording's own tonal bed: harmonics with the phases that they have in it, and what is left without them.

A network learns to draw what is left, and a prompt is continued from it. The phase of the pitch is locked to the
recording: it is the one at which a minimum-phase filter's harmonics are nearest to the measured ones. The same bits on
every machine.
"""

from __future__ import annotations

import numpy as np

from synth.audio.exact_math import cosines, turns
from synth.common.typing import Float32, Float64, Int32, Int64, MonoSamples, Tensors
from synth.vocoder.bed import FULLY, TonalBed, TonalFrames, token_pitches, wrapped
from synth.vocoder.bed_tables import UNIT
from synth.vocoder.config import VocoderConfig
from synth.vocoder.emphasis import pre_emphasised
from synth.vocoder.locked_sound import LockedSound
from synth.vocoder.residual import without_low_band
from synth.vocoder.tonal import SoundAnalysis, pitch_latents

ALIGNED = 24
"""Harmonics by which a phase is found."""
STEPS = 128
"""Phases that are tried."""
LOG2_E = 1.4426950408889634


class _Measures:
    """Collects what a `SoundAnalysis` measures."""

    def __init__(self) -> None:
        self.parts: list[tuple[Float64, Float64, Float64, Float64]] = []

    def take(self, frame: int, pitches: Float64, real: Float64, imaginary: Float64, voiced: Float64) -> None:
        self.parts.append((pitches, real, imaginary, voiced))

    def all(self, frames: int) -> tuple[Float64, Float64, Float64, Float64]:
        pitches, real, imaginary, voiced = (np.concatenate(each)[:frames] for each in zip(*self.parts, strict=True))
        return pitches, real, imaginary, voiced


class SoundLocker:
    """Locks recordings at a rate; may be shared by threads. `tensors`: those of `bed_tables.layout`."""

    def __init__(self, config: VocoderConfig, rate: int, tensors: Tensors, prefer: str = "auto") -> None:
        self.config, self.rate, self.bed = config, rate, TonalBed(config, rate, tensors, prefer)
        self.hop = self.bed.hop
        angle = np.multiply.outer(np.arange(1, ALIGNED + 1), np.arange(STEPS)) % STEPS
        circle = np.rint(cosines(STEPS) * 16384)
        self._circle = np.concatenate([circle[angle], circle[(angle - STEPS // 4) % STEPS]])

    def lock(self, samples: MonoSamples) -> LockedSound:
        """What `LockedSound` says, of int16 samples (n,)."""
        measures = _Measures()
        analysis = SoundAnalysis(self.config, self.rate, measures.take)
        rows = np.concatenate([analysis.push(samples), analysis.finish()])
        frames = len(rows)
        pitches, real, imaginary, voiced = measures.all(frames)
        gates, offsets = self._shapes(rows)
        angles = np.rint(turns(imaginary, real) * 65536).astype(np.int64)
        power = real * real + imaginary * imaginary
        phases = self._phases(pitches, voiced, self._alignment(power, angles - offsets))
        amplitudes = np.rint(np.sqrt(power) * 16).astype(np.int64) * gates // 256 * (voiced > 0)[:, None]
        bed = self._render(angles, phases, amplitudes)
        count = frames * self.hop
        padded = np.concatenate([samples.astype(np.int32), np.zeros(count - len(samples), np.int32)])
        residual = without_low_band(pre_emphasised(padded - bed, 0), voiced, self.hop, self.rate)
        return LockedSound(rows, bed, residual, phases)

    def _shapes(self, rows: Float32) -> tuple[Int64, Int64]:
        """Gates (1/256) and minimum phases (65536 to a turn) of all harmonics of feature rows."""
        mels = self.config.mels
        levels = np.rint(np.maximum(rows[:, mels:-2], -28).astype(np.float64) * (LOG2_E * UNIT)).astype(np.int64)
        latents = np.rint(pitch_latents(rows) * 32).astype(np.int64)
        padded = np.concatenate([latents[:1], latents, latents[-1:]])
        frames = TonalFrames(token_pitches(padded), levels, np.full(len(rows), FULLY, np.int64))
        return self.bed.gates(frames.pitches), self.bed.shapes(frames)[1]

    def _alignment(self, power: Float64, angles: Int64) -> Float64:
        """The phase of the pitch (frames,) in turns at which harmonics of these angles are nearest to their own."""
        power = power[:, :ALIGNED]
        weight = np.floor(power / np.maximum(power.max(1, keepdims=True), 1e-9) * 4096)
        circle = np.rint(cosines(4096) * 16384)
        at = (angles[:, :ALIGNED] >> 4) & 4095
        vector = np.concatenate([weight * circle[at], weight * circle[(at - 1024) & 4095]], 1)
        score = np.rint(vector / 16384) @ self._circle[np.r_[: power.shape[1], ALIGNED : ALIGNED + power.shape[1]]]
        best = score.argmax(1)
        rows = np.arange(len(score))
        before, here, after = (score[rows, (best + k) % STEPS] for k in (-1, 0, 1))
        bend = before - 2.0 * here + after
        return (best + np.where(bend < 0, 0.5 * (before - after) / np.where(bend < 0, bend, -1.0), 0.0)) / STEPS

    def _phases(self, pitches: Float64, voiced: Float64, aligned: Float64) -> Int64:
        """Phases (frames + 1,), 2^32 to a turn: of each frame the aligned one nearest to where the pitch led."""
        step = np.append(pitches[:-1] + pitches[1:], 2 * pitches[-1]) * (0.5 * self.hop / self.rate)
        phases, now = np.empty(len(pitches) + 1), 0.0
        for k in range(len(pitches)):
            if voiced[k]:
                off = aligned[k] - now
                now += off - np.floor(off + 0.5)
            phases[k] = now
            now += step[k]
        phases[-1] = now
        return np.rint(phases * 4294967296.0).astype(np.int64)

    def _render(self, angles: Int64, phases: Int64, amplitudes: Int64) -> Int32:
        """The bed with measured angles at the frames, its pitch between them as `phases` say."""
        angles, amplitudes = (np.concatenate([x, x[-1:]]) for x in (angles, amplitudes))
        numbers = np.arange(1, angles.shape[1] + 1)
        led = (phases[:, None] * numbers) >> 16
        turn = wrapped((angles[1:] - led[1:]) - (angles[:-1] - led[:-1]))
        steps = ((phases[1:] - phases[:-1])[:, None] * numbers + (turn << 16)) // self.hop
        return self.bed.render_locked(angles[:-1] << 16, steps, amplitudes)
