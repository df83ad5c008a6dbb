"""Harmonics: amplitudes and phases of known ones; angles as libm gives them."""

from __future__ import annotations

import numpy as np
import pytest

from synth.audio.exact_math import turns
from synth.audio.harmonics import measure, reach, top_of


@pytest.mark.parametrize("rate", [8000, 16000, 48000])
@pytest.mark.parametrize("pitch", [60.0, 173.3, 500.0])
def test_known_harmonics_are_measured(rate: int, pitch: float) -> None:
    random = np.random.default_rng(0)
    count = int((top_of(rate) - 1) / pitch)
    amplitudes, phases = random.uniform(100, 400, count), random.uniform(0, 1, count)
    time = np.arange(2 * reach(rate) + 1) - reach(rate)
    parts = [
        a * np.cos(2 * np.pi * ((k + 1) * pitch * time / rate + p))
        for k, (a, p) in enumerate(zip(amplitudes, phases, strict=True))
    ]
    sound = np.rint(np.sum(parts, 0))
    one = np.array([float(reach(rate))])
    real, imaginary = measure(sound, one, np.array([pitch]), np.zeros(1), rate)
    true = amplitudes * np.exp(2j * np.pi * phases)
    error = np.abs((real + 1j * imaginary)[0, :count] - true) / amplitudes
    low = (np.arange(count) + 1) * pitch < 0.34 * rate
    assert error[low].max() < 0.03
    assert not real[0, count + 1 :].any()


def test_angles() -> None:
    x, y = np.random.default_rng(1).normal(0, 1, (2, 1000))
    np.testing.assert_allclose(turns(y, x), np.arctan2(y, x) / (2 * np.pi), atol=1e-9)
    corners = np.array([0.0, 1.0, -1.0, 0.0, 1.0, -1.0]), np.array([1.0, 0.0, 0.0, -1.0, 1.0, -1.0])
    np.testing.assert_allclose(turns(*corners), [0.0, 0.25, -0.25, 0.5, 0.125, -0.375], atol=1e-12)
