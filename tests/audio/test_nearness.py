"""Figures of sounds and the distance between them."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from helpers import sounds
from hypothesis import given, settings
from hypothesis import strategies as st

from synth.audio.nearness import BANDS, FLOOR, LOWEST_LEVEL, SoundFigures, SoundMeter, distance, figures_of
from synth.common.typing import Int16

RATE = 8000


def notes(seed: int, count: int = 4 * RATE, level: float = 0.3) -> Int16:
    """Plucked notes of drawn pitches, four a second: what a corpus may hold."""
    rng, wave = np.random.default_rng(seed), np.zeros(count)
    time = np.arange(RATE) / RATE
    for start in range(0, count, RATE // 4):
        hertz = 220 * 2 ** (rng.integers(0, 12) / 12)
        note = sum(np.sin(2 * np.pi * hertz * k * time) * np.exp(-time * 4 * k) / k for k in (1, 2, 3))
        end = min(count, start + RATE)
        wave[start:end] += np.asarray(note)[: end - start]
    return np.rint(np.clip(level * wave / 2, -1, 1) * 32767).astype(np.int16)


CORPUS = figures_of([notes(seed) for seed in range(6)], RATE)


def far(wave: Int16) -> float:
    return distance(figures_of([wave], RATE), CORPUS)


@pytest.mark.parametrize("seed", [20, 21, 22])
def test_a_sound_of_the_kind_is_nearer_than_what_goes_wrong(seed: int) -> None:
    own = notes(seed)
    spectrum = np.fft.rfft(own)
    turned = np.exp(2j * np.pi * np.random.default_rng(seed).random(len(spectrum)))
    clicks = np.zeros_like(own)
    clicks[:: RATE // 4] = 32000
    wrong = {
        "silence": np.zeros_like(own),
        "noise": sounds.noise(len(own), seed, float(own.std())),
        "noise of its spectrum": np.rint(np.fft.irfft(np.abs(spectrum) * turned, len(own))).astype(np.int16),
        "clicks": clicks,
        "a hum": sounds.tone(len(own), RATE, 100.0, 0.2),
        "clipped": np.clip(own.astype(np.int32) * 30, -32768, 32767).astype(np.int16),
        "off centre": (own // 2 + 12000).astype(np.int16),
        "softer by 12 dB": own // 4,
        "silent for three quarters": np.where(np.arange(len(own)) < len(own) // 4, own, np.int16(0)),
    }
    nearest = min(wrong, key=lambda name: far(wrong[name]))
    assert far(own) < 3 and 1.5 * far(own) < far(wrong[nearest]), nearest
    assert max(wrong, key=lambda name: far(wrong[name])) == "silence"


def test_a_distance_is_of_decibels() -> None:
    loud, soft = (figures_of([sounds.noise(8 * RATE, 1, sigma)], RATE) for sigma in (4000.0, 2000.0))
    assert loud.level - soft.level == pytest.approx(6.02, abs=0.01)
    np.testing.assert_allclose(loud.mean - soft.mean, 6.02, atol=0.05)
    assert distance(loud, soft) == distance(soft, loud) == pytest.approx(6.02 * (2 / 5) ** 0.5, abs=0.02)
    assert distance(loud, loud) == 0
    assert loud.flatness == pytest.approx(-2.5, abs=0.2) and loud.silent == 0 and loud.seconds == 8


@settings(max_examples=25, deadline=None)
@given(cuts=st.lists(st.integers(0, 20000), max_size=6))
def test_the_size_of_blocks_changes_nothing(cuts: list[int]) -> None:
    wave, meter = notes(3, 20000), SoundMeter(RATE)
    for block in np.split(wave, sorted(cuts)):
        meter.add(block)
    meter.end()
    assert meter.figures().to_json() == figures_of([wave], RATE).to_json()


def test_channels_are_counted_together_and_sounds_one_after_the_other() -> None:
    one, other = notes(1, 12345), notes(2, 9999)
    first, second = SoundMeter(RATE), SoundMeter(RATE)
    for meter, wave in ((first, one), (second, other)):
        meter.add(wave)
        meter.end()
    first.include(second)
    assert first.figures().to_json() == figures_of([one, other], RATE).to_json()


@pytest.mark.parametrize("count", [0, 1, 7, 200])
@pytest.mark.parametrize("rate", [1000, 8000, 48000])
def test_the_shortest_sounds_have_figures(count: int, rate: int) -> None:
    for wave in (np.zeros(count, np.int16), np.full(count, -32768, np.int16)):
        figures = figures_of([wave], rate)
        text = json.dumps(figures.to_json())
        assert "NaN" not in text and "Infinity" not in text
    silence = figures_of([np.zeros(count, np.int16)], rate)
    assert silence.level == LOWEST_LEVEL and silence.silent == 1
    np.testing.assert_allclose(silence.mean, FLOOR)


def test_an_even_share_of_the_stretches_is_measured() -> None:
    meter = SoundMeter(RATE, share=0.25)
    meter.add(notes(5, 40 * RATE))
    assert meter.figures().seconds == 10
    assert distance(meter.figures(), CORPUS) < 3


def test_bands_that_a_low_rate_does_not_hold_do_not_count() -> None:
    wave = notes(7)
    wide = wave.astype(float).repeat(2)
    doubled = np.rint(0.5 * (wide + np.roll(wide, -1))).astype(np.int16)  # with mirrored notes above 4 kHz
    corpus = figures_of([doubled], 2 * RATE)
    lower = SoundMeter(2 * RATE, RATE / 4)
    lower.add(doubled)
    assert lower.bandwidth == 2000 and distance(lower.figures(), corpus) == 0
    with pytest.raises(ValueError, match="16000"):
        distance(corpus, CORPUS)


def test_figures_go_into_a_card_and_come_back() -> None:
    data = json.loads(json.dumps(CORPUS.to_json()))
    assert distance(SoundFigures.from_json(data, RATE), CORPUS) < 0.01
    assert len(json.dumps(data)) < 2000


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("rate", 16000),
        ("mean", [1.0] * (BANDS - 1)),
        ("mean", 1.0),
        ("deviation", ["1"] * BANDS),
        ("change", [float("nan")] * BANDS),
        ("level", [1.0] * BANDS),
        ("level", None),
        ("flatness", True),
        ("silent", 1e300),
    ],
)
def test_figures_of_strangers_are_checked(key: str, value: Any) -> None:
    with pytest.raises(ValueError, match=r"rate|must be"):
        SoundFigures.from_json({**CORPUS.to_json(), key: value}, RATE)
    with pytest.raises(ValueError, match="rate"):
        SoundFigures.from_json([1], RATE)
