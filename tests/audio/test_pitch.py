"""The pitch tracker: it finds pitches, in blocks of any size, silence has none."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import tonal_voices, voices

from synth.audio.pitch import HIGHEST, LOWEST, PitchTracker
from synth.common.typing import Float64, MonoSamples


def track(sound: MonoSamples, rate: int, blocks: int | None = None) -> Float64:
    tracker, frames = PitchTracker(rate), len(sound) // (rate // 100) + 1
    step = blocks or len(sound)
    parts = [tracker.push(sound[at : at + step]) for at in range(0, len(sound), step)]
    return np.concatenate([*parts, tracker.finish(frames)])


@pytest.mark.parametrize("rate", [8000, 16000, 24000, 48000])
@pytest.mark.parametrize("pitch", [70.0, 140.0, 330.0, 600.0])
def test_the_pitch_of_a_vowel_is_tracked(rate: int, pitch: float) -> None:
    sound = tonal_voices.vowel(rate, pitch, 0.1, rate)
    pitches = track(sound, rate)
    true = pitch * (1 + 0.1 * np.arange(len(pitches)) / 100)
    inside = slice(5, 95)
    cents = 1200 * np.log2(np.maximum(pitches[inside], 1) / true[inside])
    assert np.abs(cents).max() < 30


@pytest.mark.parametrize("block", [1, 77, 1000])
def test_blocks_of_any_size_give_the_same(block: int) -> None:
    sound = np.concatenate([tonal_voices.vowel(3000, 110), voices.sound(2000), tonal_voices.vowel(3000, 210)])
    np.testing.assert_array_equal(track(sound, 8000, block), track(sound, 8000))


def test_noise_and_silence_have_no_pitch() -> None:
    noise = np.random.default_rng(1).normal(0, 3000, 16000).astype(np.int16)
    assert (track(noise, 16000) > 0).mean() < 0.1
    assert not track(np.zeros(8000, np.int16), 16000).any()


def test_pitches_stay_in_their_range() -> None:
    for pitch in (52.0, 760.0):
        pitches = track(tonal_voices.vowel(16000, pitch, 0.0, 16000), 16000)
        voiced = pitches[pitches > 0]
        assert ((voiced >= LOWEST) & (voiced <= HIGHEST)).all()


def test_sounds_without_a_frame() -> None:
    assert len(track(np.zeros(0, np.int16)[:0], 8000, 1)) == 1
    assert len(track(np.ones(3, np.int16), 8000)) == 1
