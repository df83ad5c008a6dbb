"""Mel features: torchaudio's, the formulas', and what augmentation does to them."""

from __future__ import annotations

import sys
import types
from typing import Any

import numpy as np
import pytest
from helpers import sounds
from hypothesis import given
from hypothesis import strategies as st

from synth.audio.features import dct, features, mel_filters, normalized_features, powers, to_float32
from synth.recognition.config import ClassifierConfig

TOLERANCE = 1e-4
"""Largest difference from torchaudio's features, in natural logarithms of power; docs/recognise.md states it."""


@pytest.fixture(scope="module")
def torchaudio() -> Any:
    """torchaudio; of one whose compiled part fits another torch, the Python code: the features need no more."""
    pytest.importorskip("torch")
    try:
        import torchaudio
    except OSError:
        for name in [name for name in sys.modules if name.startswith("torchaudio")]:
            del sys.modules[name]
        stub: Any = types.ModuleType("torchaudio._extension")
        stub._IS_TORCHAUDIO_EXT_AVAILABLE = stub._IS_ALIGN_AVAILABLE = False
        stub.fail_if_no_align = lambda function: function
        sys.modules["torchaudio._extension"] = stub
        import torchaudio
    except ImportError:
        pytest.skip("torchaudio is not installed")
    return torchaudio


@pytest.mark.parametrize("rate", [8000, 16000, 22050, 44100])
def test_features_are_torchaudios(rate: int, torchaudio: Any) -> None:
    import torch

    wave = to_float32(sounds.tone(rate // 2, rate, 300.0)) + to_float32(sounds.noise(rate // 2, 1, 300.0))
    mels, cepstra = ClassifierConfig(rate), ClassifierConfig(rate, features="mfcc")
    sizes = {"n_fft": mels.fft, "win_length": mels.window, "hop_length": mels.hop, "n_mels": mels.mels}
    given_wave = torch.from_numpy(wave)
    theirs = torch.log(torchaudio.transforms.MelSpectrogram(rate, **sizes)(given_wave) + 1e-6).T.numpy()
    np.testing.assert_allclose(features(wave, mels), theirs, atol=TOLERANCE)
    mfcc = torchaudio.transforms.MFCC(rate, n_mfcc=20, log_mels=True, melkwargs=sizes)
    np.testing.assert_allclose(features(wave, cepstra), mfcc(given_wave).T.numpy(), atol=TOLERANCE)


def test_powers_are_the_formulas() -> None:
    config = ClassifierConfig(8000)
    wave = to_float32(sounds.noise(700, 3))
    fft, window = config.fft, config.window
    hann = np.sin(np.pi * np.arange(window) / window) ** 2
    left = (fft - window) // 2
    for frame in (0, 3, 8):
        places = np.abs(np.arange(fft) + frame * config.hop - fft // 2)  # mirrored at the start
        places = np.where(places > 699, 2 * 699 - places, places)  # and at the end
        cut = wave[places][left : left + window] * hann
        angles = np.exp(-2j * np.pi * np.outer(np.arange(fft // 2 + 1), np.arange(window)) / fft)
        np.testing.assert_allclose(powers(wave, config)[frame], np.abs(angles @ cut) ** 2, rtol=1e-3, atol=1e-6)


def test_filters_and_dct_are_the_formulas() -> None:
    filters = mel_filters(8000, 256, 40)
    mel = 2595 * np.log10(1 + 4000 / 700) / 41
    for band in (0, 7, 39):
        low, middle, high = (700 * (10 ** (mel * (band + k) / 2595) - 1) for k in (0, 1, 2))
        for place in range(129):
            hertz = place * 8000 / 256
            inside = min((hertz - low) / (middle - low), (high - hertz) / (high - middle))
            assert filters[place, band] == pytest.approx(max(0.0, inside), abs=1e-5)
    assert (filters.max(axis=0) > 0).all()
    matrix = dct(40, 40)
    np.testing.assert_allclose(matrix.T @ matrix, np.eye(40), atol=1e-5)
    assert matrix[3, 2] == pytest.approx(np.sqrt(2 / 40) * np.cos(np.pi / 40 * 3.5 * 2))


@pytest.mark.parametrize("rate", [8000, 11025, 16000, 44100, 48000])
@pytest.mark.parametrize("mels", [16, 40])
def test_no_band_is_empty(rate: int, mels: int) -> None:
    config = ClassifierConfig(rate, mels=mels, coefficients=8)
    assert (mel_filters(rate, config.fft, mels).max(axis=0) > 0).all()


@pytest.mark.parametrize("warp", [0.8, 0.9, 1.1, 1.25])
def test_a_stretched_mel_scale_moves_a_tone_and_keeps_the_range(warp: float) -> None:
    config = ClassifierConfig(8000)
    wave = to_float32(sounds.tone(4000, 8000, 1000.0))
    moved = features(wave, config, warp=warp).mean(axis=0).argmax()
    same = features(to_float32(sounds.tone(4000, 8000, 1000.0 / warp)), config).mean(axis=0).argmax()
    assert abs(int(moved) - int(same)) <= 1
    filters = mel_filters(8000, 256, 40, warp)
    assert np.isfinite(filters).all() and (filters >= 0).all() and filters[-2].max() > 0


@given(st.integers(201, 3000), st.floats(40, 120))
def test_a_frame_every_hop(count: int, hop: float) -> None:
    config = ClassifierConfig(8000)
    wave = np.ones(count, np.float32)
    assert len(features(wave, config)) == count // 80 + 1
    assert abs(len(features(wave, config, hop)) - (int(count / hop) + 1)) <= 1


@given(st.floats(0.5, 100), st.integers(0, 5))
def test_loudness_is_taken_out(gain: float, seed: int) -> None:
    config = ClassifierConfig(8000)
    wave = to_float32(sounds.noise(2000, seed))
    (plain, taken), (loud, more) = (normalized_features(wave * np.float32(g), config) for g in (1.0, gain))
    np.testing.assert_allclose(plain, loud, atol=0.02)
    np.testing.assert_allclose(more[:40] - taken[:40], 2 * np.log(gain), atol=0.02)
    np.testing.assert_allclose(plain.mean(axis=0), 0, atol=1e-4)


def test_silence_and_the_shortest_sound_have_features() -> None:
    config = ClassifierConfig(8000)
    x, taken = normalized_features(np.zeros(5, np.float32), config)
    assert np.isfinite(x).all() and np.isfinite(taken).all() and not x.any()


@pytest.mark.parametrize("kind", ["logmel", "mfcc"])
def test_silence_around_a_sound_is_not_heard(kind: str) -> None:
    """However much of it; a recorder's hiss, 60 dB below the sound, is as good as none."""
    config = ClassifierConfig(8000, features=kind)
    wave = to_float32(sounds.noise(3200, 1))
    plain = np.concatenate([np.zeros(1600, np.float32), wave, np.zeros(1600, np.float32)])
    long = np.concatenate([np.zeros(8000, np.float32), plain, np.zeros(24000, np.float32)])
    (x, taken), (y, more) = normalized_features(plain, config), normalized_features(long, config)
    np.testing.assert_allclose(x, y, atol=1e-4)
    np.testing.assert_allclose(taken, more, atol=1e-4)
    hissing, _ = normalized_features(plain + to_float32(sounds.noise(len(plain), 2, 3.0)), config)
    assert len(hissing) == len(x) == 61 and np.abs(hissing - x).max() < 0.5


@given(st.lists(st.integers(-32768, 32767), min_size=1, max_size=600))
def test_any_sound_has_finite_features(samples: list[int]) -> None:
    x, taken = normalized_features(to_float32(np.array(samples, np.int16)), ClassifierConfig(8000))
    assert len(x) and np.isfinite(x).all() and np.isfinite(taken).all()
