"""Which bundled voice a corpus is nearest to: the kind of bed that leaves least of its sound."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from synth.audio.reader import AudioReader
from synth.checkpoint import registry
from synth.common.errors import AudioError
from synth.common.typing import Float32, Float64, Int32, MonoSamples
from synth.vocoder.beds import locker_of, new_tables
from synth.vocoder.config import VocoderConfig
from synth.vocoder.emphasis import pre_emphasised

RATE = 16000
"""At which sounds are compared."""
TONES, NOTES = "tones", "notes"
"""Kinds of bed: harmonics of one pitch, as speech has it; places of a scale, for all else."""
VOICES = {TONES: "speech", NOTES: "sounds"}
"""The bundled voice with a bed of a kind."""
PRESETS = {TONES: "speech", NOTES: "notes"}
BEDS = {
    TONES: VocoderConfig(mels=64, latent=162, quantisers=16, tones=64),
    NOTES: VocoderConfig(mels=64, latent=128, quantisers=16, notes=108),
}
NOTES_HANDICAP = 1.9
"""Decibels by which a note bed must leave less: it has a hundred pitches to choose from, speech has one."""
LEAST = 1.5
"""Decibels that a tonal bed takes away at least of what is speech."""
STEADY = 6.0
"""Cents by which a pitch moves in 10 ms, the median, where notes are held or die away."""
FAINTEST = 1e-4
"""Frames below this share of the loudest one's power do not count."""
FILES, SECONDS, FIRST = 6, 8.0, 20.0
"""Files that are listened to, seconds of them in all, and from how many at a file's beginning they are taken."""


@dataclass(frozen=True)
class Fit:
    """What a bed of each kind leaves of a sound, in decibels.

    `moves`: cents by which its pitch moves in 10 ms, the median; `speed`: seconds of it that are analysed a second.
    """

    left: dict[str, float]
    moves: float
    speed: float

    @property
    def kind(self) -> str:
        """The kind of bed that the sound is nearest to."""
        is_pitched = self.left[TONES] < -LEAST and self.left[TONES] <= self.left[NOTES] + NOTES_HANDICAP
        return TONES if is_pitched and self.moves > STEADY else NOTES

    @property
    def voice(self) -> str | None:
        """The bundled voice that the sound is nearest to; None where there is none for it."""
        name = VOICES[self.kind]
        return name if name in registry.bundled("voice") else None

    @property
    def preset(self) -> str:
        """Of a voice for it from scratch."""
        return PRESETS[self.kind]


def fit_of(sound: MonoSamples) -> Fit:
    """How the beds fit int16 samples (n,) at RATE."""
    left, speeds, moves = {}, [], 0.0
    for kind, config in BEDS.items():
        began = time.perf_counter()
        locked = locker_of(config, RATE, new_tables(config, RATE)).lock(sound)
        speeds.append(len(sound) / RATE / max(1e-6, time.perf_counter() - began))
        left[kind] = _left(sound.astype(np.int32), sound.astype(np.int32) - locked.bed[: len(sound)])
        if kind == TONES:
            moves = _moves(locked.rows)
    return Fit(left, moves, min(speeds))


def _moves(rows: Float32) -> float:
    """Cents by which the pitch of feature rows moves from frame to frame, the median; 0 where there is none."""
    voiced = rows[:, -1] > 0
    steps = np.abs(np.diff(rows[:, -2]))[voiced[1:] & voiced[:-1]]
    return 1200 * float(np.median(steps)) if len(steps) else 0.0


def _left(sound: Int32, rest: Int32) -> float:
    """Decibels of what is left of a sound, the mean over its frames of 10 ms that are not faint."""
    whole, left = (_powers(pre_emphasised(samples, 0).astype(np.float64)) for samples in (sound, rest))
    loud = whole > whole.max(initial=0) * FAINTEST
    if not loud.any():
        return 0.0
    return 10 * float(np.log10((left[loud] + 1) / (whole[loud] + 1)).mean())


def _powers(samples: Float64) -> Float64:
    hop = RATE // 100
    powers: Float64 = np.square(samples[: len(samples) // hop * hop]).reshape(-1, hop).mean(1)
    return powers


def heard_of(paths: Sequence[Path]) -> MonoSamples:
    """Samples at RATE of some of these files, a few seconds in all: of each the loudest part of its beginning.

    Files that can't be read are passed over.
    """
    count = min(FILES, len(paths))
    chosen = [paths[(2 * k + 1) * len(paths) // (2 * count)] for k in range(count)]
    parts = []
    for path in chosen:
        try:
            parts.append(_loudest(_beginning(path), round(SECONDS / count * RATE)))
        except AudioError:
            continue
    return np.concatenate(parts) if parts else np.zeros(0, np.int16)


def _beginning(path: Path) -> MonoSamples:
    most, blocks, count = round(FIRST * RATE), [np.zeros(0, np.int16)], 0
    with AudioReader(path, RATE) as reader:
        for block in reader.blocks():
            blocks.append(block)
            count += len(block)
            if count >= most:
                break
    return np.concatenate(blocks)[:most]


def _loudest(sound: MonoSamples, length: int) -> MonoSamples:
    """The loudest stretch of so many samples, or all where there are fewer."""
    if len(sound) <= length:
        return sound
    step = RATE // 10
    total = np.concatenate([[0.0], np.cumsum(np.square(sound.astype(np.float64)))])
    starts = np.arange(0, len(sound) - length + 1, step)
    start = int(starts[np.argmax(total[starts + length] - total[starts])])
    return sound[start : start + length]


def described(fit: Fit) -> str:
    """What was measured, for people."""
    tones, notes = (math.floor(10 * -value + 0.5) / 10 for value in (fit.left[TONES], fit.left[NOTES]))
    return f"one pitch explains {max(0.0, tones):g} dB of it, notes {max(0.0, notes):g} dB"
