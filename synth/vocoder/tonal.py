"""What a voice with a tonal bed hears: log-mel bands, the levels of its pitch's harmonics, the pitch, whether voiced.

A feature frame, every 10 ms, is a row of float32: `mels` natural logarithms of mel powers; `tones` natural logarithms
of the square of a harmonic's amplitude over the pitch, of full scale 1 and Hz, at places that are evenly apart on the
mel scale; the binary logarithm of the pitch in Hz; 1 where voiced, else 0. Where there is no pitch it stays what it
was, or is already what it will be.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from decimal import Decimal, localcontext

import numpy as np

from synth.audio import harmonics
from synth.audio.exact_math import DIGITS, log
from synth.audio.pitch import DELAY, LOG2, PitchTracker
from synth.common.errors import AudioError
from synth.common.typing import AnyArray, Float32, Float64, MonoSamples
from synth.vocoder.config import VocoderConfig, features_of
from synth.vocoder.held_sound import HeldSound
from synth.vocoder.mel import check_mel_shape, checked_mel, normalize_mel

FIRST_TONE = 60.0
"""Hz; the place of the first tone."""
QUIET = -28.0
"""The level of a tone that is not there."""
ONSET = 10
"""Frames before it begins that a pitch is taken from what will be."""
DEFAULT_PITCH = 150.0
"""Hz; of a sound that has none so far."""
TONE_CENTRE, TONE_SPREAD, UNVOICED = -14.0, 5.0, -2.0
"""Of levels of tones; what stands for them where nothing is voiced."""
PITCH_MIDDLE = 7.5
"""Of binary logarithms of pitches, which the encoder's first layer takes less it."""
PITCH_CENTRE, PITCH_STEPS = 7.6171875, 69
"""Binary logarithm of the pitch whose latent is 0, about 196 Hz; steps of an 8-bit latent to an octave."""
BATCH = 500
"""Feature frames that are computed at once."""


@functools.lru_cache(maxsize=8)
def tone_places(rate: int, tones: int) -> Float64:
    """Frequencies (tones,) in Hz, evenly apart on the HTK mel scale, from FIRST_TONE to the highest harmonic's."""
    with localcontext(DIGITS):
        first, last = ((1 + Decimal(hz) / 700).ln() for hz in (FIRST_TONE, harmonics.top_of(rate)))
        return np.array([float(700 * ((first + (last - first) * k / (tones - 1)).exp() - 1)) for k in range(tones)])


def normalize_features(rows: Float32, mels: int) -> Float32:
    """Feature rows as the encoder's first layer takes them."""
    voiced = rows[:, -1:]
    tones = voiced * ((rows[:, mels:-2] - np.float32(TONE_CENTRE)) / np.float32(TONE_SPREAD))
    tones += (1 - voiced) * np.float32(UNVOICED)
    pitch = rows[:, -2:-1] - np.float32(PITCH_MIDDLE)
    return np.concatenate([normalize_mel(rows[:, :mels]), tones, pitch, voiced], 1)


def pitch_latents(rows: Float32) -> Float32:
    """The pitch latents (token frames, 2) of feature rows (2 x token frames, inputs), as `bed.token_pitches` has them.

    The mean of the two frames, and how far they lie from lines between the means of token frames.
    """
    octaves = (rows[:, -2] - np.float32(PITCH_CENTRE)) * np.float32(PITCH_STEPS)
    mean = np.clip(0.5 * (octaves[0::2] + octaves[1::2]), -127, 127).astype(np.float32)
    around = np.rint(np.concatenate([mean[:1], mean, mean[-1:]]))
    bend = 2 * (octaves[1::2] - octaves[0::2]) - 0.5 * (around[2:] - around[:-2])
    return np.stack([mean, np.clip(bend, -127, 127)], 1).astype(np.float32) / np.float32(32)


def tone_levels(power: Float64, pitches: Float64, rate: int, tones: int) -> Float64:
    """Levels (frames, tones) from squares of amplitudes (frames, harmonics) of full scale 1."""
    count = np.floor((harmonics.top_of(rate) - 1e-6) / pitches)
    levels = log(power / pitches[:, None] + 1e-12)
    place = np.clip(tone_places(rate, tones)[None] / pitches[:, None] - 1.0, 0.0, np.maximum(count - 1, 0)[:, None])
    low = np.floor(place)
    part = place - low
    index = low.astype(np.int64)
    above = np.minimum(index + 1, levels.shape[1] - 1)
    rows = np.arange(len(levels))[:, None]
    return levels[rows, index] * (1.0 - part) + levels[rows, above] * part


class PitchFilling:
    """Pitches that go on where nothing is voiced; decided ONSET frames late."""

    def __init__(self) -> None:
        self._last = DEFAULT_PITCH

    def fill(self, pitches: Float64, count: int) -> Float64:
        """The first `count` of `pitches`, of which ONSET more are known, without zeros."""
        filled = np.empty(count)
        for k in range(count):
            if pitches[k] > 0:
                self._last = float(pitches[k])
            near = np.flatnonzero(pitches[k : k + ONSET] > 0)
            filled[k] = pitches[k + near[0]] if len(near) else self._last
        return filled


Heard = Callable[[int, Float64, Float64, Float64, Float64], None]
"""Takes the first frame, continuous pitches, real and imaginary parts of harmonics, and whether voiced."""


class SoundAnalysis:
    """The feature rows of one sound that is pushed in blocks of any size. `heard`: is told of harmonics too."""

    def __init__(self, config: VocoderConfig, rate: int, heard: Heard | None = None) -> None:
        self.config, self.rate = config, rate
        self.feature_config = features_of(config, rate)
        self.hop = self.feature_config.hop
        self._tracker, self._filling, self._heard = PitchTracker(rate), PitchFilling(), heard
        self._held = HeldSound(self.feature_config, harmonics.reach(rate) + self.hop)
        self._pitches = np.zeros(0)  # of frames from `_frame` on
        self._before = 0.0  # the pitch of the frame before
        self._frame = self._count = 0

    def push(self, samples: MonoSamples) -> Float32:
        """Takes int16 samples (n,); the rows (frames, inputs) that are complete then."""
        self._count += len(samples)
        return self._take(samples, self._tracker.push(samples))

    def finish(self) -> Float32:
        """The rest of the rows: two for each token frame that has begun, with silence after the sound's end."""
        frames = 2 * -(-self._count // (2 * self.hop))
        decided = self._frame + len(self._pitches)
        pitches = self._tracker.finish(frames + ONSET + 2)
        silence = np.zeros((frames + DELAY) * self.hop - self._count + self._held.reach, np.int16)
        rows = self._take(silence, pitches[: max(0, frames + ONSET + 2 - decided)])
        return rows[: len(rows) - max(0, self._frame - frames)]

    def _take(self, samples: MonoSamples, pitches: Float64) -> Float32:
        self._held.push(samples)
        self._pitches = np.concatenate([self._pitches, pitches])
        by_sound = (self._held.end - self._held.margin) // self.hop - self._frame
        ready = min(len(self._pitches) - ONSET - 1, by_sound)
        rows = [np.zeros((0, self.config.inputs), np.float32)]
        for at in range(0, ready, BATCH):
            rows.append(self._rows(min(BATCH, ready - at)))
        return np.concatenate(rows)

    def _rows(self, count: int) -> Float32:
        known = self._pitches
        voiced = (known[:count] > 0).astype(np.float64)
        filled = self._filling.fill(known, count)
        bends = self._bends(count)
        mel, whole = self._held.mel(self._frame, count), self._held.around(self._frame, count)
        middles = self._held.reach + self.hop * np.arange(count, dtype=np.float64)
        real, imaginary = harmonics.measure(whole, middles, filled, bends, self.rate)
        power = (real * real + imaginary * imaginary) / (32768.0 * 32768.0)
        levels = tone_levels(power, filled, self.rate, self.config.tones)
        levels = np.where(voiced[:, None] > 0, levels, QUIET)
        if self._heard is not None:
            self._heard(self._frame, filled, real, imaginary, voiced)
        pitch = log(filled) / LOG2
        self._before = float(known[count - 1])
        self._pitches, self._frame = known[count:], self._frame + count
        self._held.drop(self._frame)
        return np.concatenate([mel, levels, pitch[:, None], voiced[:, None]], 1).astype(np.float32)

    def _bends(self, count: int) -> Float64:
        """How much of itself the pitch grows by in a sample; 0 next to what is not voiced."""
        known = np.concatenate([[self._before], self._pitches[: count + 1]])
        before, here, after = known[:-2], known[1:-1], known[2:]
        all_voiced = (before > 0) & (here > 0) & (after > 0)
        return np.where(all_voiced, (after - before) / np.where(here > 0, here, 1.0) / (2.0 * self.hop), 0.0)


def check_shape(rows: AnyArray, config: VocoderConfig, name: str) -> None:
    """AudioError when features are not of the shape and type that a voice takes."""
    if config.has_bed and rows.ndim == 2 and rows.shape[1] == config.mels:
        more = "levels of notes" if config.notes else "levels of tones, pitch and voicing"
        raise AudioError(
            f"{name}: holds {config.mels} log-mel bands alone, as voices without a bed take them; this voice"
            f" takes [frames, {config.inputs}], with {more} (synth.load(...).features)"
        )
    check_mel_shape(rows, config.inputs, name)


def checked_features(rows: AnyArray, config: VocoderConfig, name: str = "features") -> Float32:
    """Features as float32 (even count, inputs); AudioError when shape, type or range are wrong."""
    check_shape(rows, config, name)
    mel = checked_mel(rows[:, : config.mels], config.mels, name)
    if not config.has_bed:
        return mel
    for what, (values, least, most) in _columns(rows, config).items():
        if not (np.isfinite(values).all() and values.min() >= least and values.max() <= most):
            raise AudioError(f"{name}: {what} must be {least} to {most}")
    whole = np.concatenate([rows, rows[-1:]])[: len(mel)].astype(np.float32)
    return np.concatenate([mel, whole[:, config.mels :]], 1)


def _columns(rows: AnyArray, config: VocoderConfig) -> dict[str, tuple[AnyArray, float, float]]:
    """What features of a voice with a bed hold beside log-mel bands, and the range that it may have."""
    last = config.mels + config.tones + config.notes - 1
    of = "notes" if config.notes else "tones"
    columns = {f"columns {config.mels} to {last}, levels of {of},": (rows[:, config.mels : last + 1], -40.0, 10.0)}
    if config.tones:
        columns["the last column but one, the binary logarithm of the pitch in Hz,"] = (rows[:, -2], 4.0, 11.0)
        columns["the last column, voicing,"] = (rows[:, -1], 0.0, 1.0)
    return columns
