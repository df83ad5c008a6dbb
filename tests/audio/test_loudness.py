"""Levels of sounds that are known."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import sounds

from synth.audio import loudness


def test_of_a_tone_between_silences() -> None:
    tone = sounds.tone(4000, amplitude=0.5)
    level = loudness.measure_loudness(np.concatenate([np.zeros(1600, np.int16), tone, np.zeros(2400, np.int16)]), 8000)
    assert level.rms == pytest.approx(0.5 / np.sqrt(2) / np.sqrt(2), rel=1e-3)
    assert level.sounding == pytest.approx(0.5, abs=0.01) and level.onset == pytest.approx(0.2, abs=0.01)
    assert level.silent == pytest.approx(0.5, abs=0.01)
    assert level.clipped == 0 and abs(level.offset) < 1e-3


def test_clipping_offset_and_silence() -> None:
    square = np.repeat(np.array([32767, -32768] * 50, np.int16), 40)
    assert loudness.measure_loudness(square, 8000).clipped == 1
    assert loudness.measure_loudness(np.full(1000, 3277, np.int16), 8000).offset == pytest.approx(0.1, abs=1e-4)
    silence = loudness.measure_loudness(np.zeros(1000, np.int16), 8000)
    assert (silence.rms, silence.onset, silence.sounding, silence.silent) == (0, 0.125, 0, 1)
    assert loudness.measure_loudness(np.array([20000], np.int16), 8000).sounding > 0


def test_quiet_noise_within_40_db_sounds_and_below_does_not() -> None:
    loud = sounds.tone(800, amplitude=0.9)
    for share, seconds in ((0.02, 0.2), (0.003, 0.1)):
        wave = np.concatenate([loud, sounds.tone(800, amplitude=0.9 * share)])
        assert loudness.measure_loudness(wave, 8000).sounding == pytest.approx(seconds, abs=0.011)


def test_summary_has_medians_and_means() -> None:
    clips = [sounds.tone(800, amplitude=a) for a in (0.1, 0.2, 0.9)] + [np.zeros(800, np.int16)] * 2
    found = loudness.summarize([loudness.measure_loudness(clip, 8000) for clip in clips])
    assert found["median_rms"] == pytest.approx(0.1 / np.sqrt(2), rel=1e-2)
    assert found["silence"] == pytest.approx(0.4) and found["silent_files"] == pytest.approx(0.4)


def test_how_long_a_sound_lasts_and_its_pause() -> None:
    tone, rest = sounds.tone(1600, amplitude=0.5), np.zeros(800, np.int16)
    level = loudness.measure_loudness(np.concatenate([rest, tone, rest, tone, rest]), 8000)
    assert level.lasting == pytest.approx(0.5, abs=0.03) and level.pause == pytest.approx(0.1, abs=0.03)
    faint = (tone // 10).astype(np.int16)  # a hundredth of the power
    assert loudness.measure_loudness(np.concatenate([tone, faint]), 8000).lasting == pytest.approx(0.2, abs=0.02)
    silence = loudness.measure_loudness(np.zeros(1000, np.int16), 8000)
    assert (silence.lasting, silence.pause) == (0, 0)
    assert loudness.measure_loudness(np.array([20000], np.int16), 8000).lasting > 0


def test_distributions_are_percentiles() -> None:
    clips = [sounds.tone(400 * n, amplitude=0.5) for n in range(1, 12)]
    found = loudness.distributions([loudness.measure_loudness(clip, 8000) for clip in clips])
    assert found["lasting_seconds"] == pytest.approx([0.1, 0.3, 0.5], abs=0.03)
    assert found["rms_db"] == pytest.approx([-9.0] * 3, abs=0.1) and found["pause_seconds"] == [0, 0, 0]
