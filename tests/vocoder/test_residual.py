"""What a network learns to draw of a voiced sound: all but its low band."""

from __future__ import annotations

import numpy as np
import pytest

from synth.common.typing import Float64, MonoSamples
from synth.vocoder.residual import without_low_band

HOP = {8000: 80, 16000: 160, 48000: 480}
QUIET_FRAMES = 8


def sine(hertz: float, rate: int) -> MonoSamples:
    return np.rint(8000 * np.sin(2 * np.pi * hertz / rate * np.arange(40 * HOP[rate]))).astype(np.int16)


def energy(sound: MonoSamples) -> float:
    return float(np.square(sound.astype(float)).sum())


def left(hertz: float, rate: int) -> Float64:
    """The share of a sine's energy that stays, where it is unvoiced and where it is voiced: two numbers."""
    whole = sine(hertz, rate)
    voiced = np.where(np.arange(40) < 20, 0.0, 1.0)
    kept = without_low_band(whole, voiced, HOP[rate], rate)
    hop, middle = HOP[rate], 20 * HOP[rate]
    halves = slice(0, middle - QUIET_FRAMES * hop), slice(middle + QUIET_FRAMES * hop, -QUIET_FRAMES * hop)
    return np.array([energy(kept[part]) / energy(whole[part]) for part in halves])


@pytest.mark.parametrize("rate", HOP)
def test_the_low_band_goes_where_there_is_a_pitch(rate: int) -> None:
    unvoiced, voiced = left(150, rate)
    assert unvoiced == 1.0 and voiced < 0.01


@pytest.mark.parametrize("rate", HOP)
def test_the_high_band_stays(rate: int) -> None:
    unvoiced, voiced = left(3500, rate)
    assert unvoiced == 1.0 and 0.8 < voiced < 1.2


def test_the_loudest_residual_is_not_wrapped() -> None:
    loud = np.where(np.arange(1600) % 2, 32767, -32768).astype(np.int16)
    assert (np.sign(without_low_band(loud, np.ones(10), 160, 16000)) == np.sign(loud)).all()
