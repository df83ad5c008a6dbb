"""Loops without a seam, fades, levels, other rates of whole sounds."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile

from synth.audio.finishing import Finishing
from synth.audio.writer import AudioWriter, loop_chunk
from synth.common.errors import UsageError
from synth.common.typing import MonoSamples

RATE = 8000


def noise(count: int, level: float = 3000.0) -> MonoSamples:
    return np.rint(np.random.default_rng(0).normal(0, level, count)).astype(np.int16)


def slow(count: int) -> MonoSamples:
    """A sine that does not fit its length: a cut would click."""
    return np.rint(9000 * np.sin(0.0123 * np.arange(count) + 1)).astype(np.int16)


def test_a_loop_has_no_seam() -> None:
    finishing, samples = Finishing(loop=True), 4000
    extra = finishing.overlap(samples, RATE)
    assert extra == 800
    drawn = slow(samples + extra)
    loop = finishing.finished(drawn, samples, RATE).astype(int)
    step = np.abs(np.diff(drawn.astype(int))).max()
    assert abs(drawn[samples - 1] - int(drawn[0])) > 10 * step  # it would click
    assert abs(loop[-1] - loop[0]) < 2 * step
    np.testing.assert_array_equal(loop[extra:], drawn[extra:samples])


def test_a_loop_of_noise_keeps_its_level() -> None:
    finishing, samples = Finishing(loop=True), 8000
    loop = finishing.finished(noise(samples + 800), samples, RATE).astype(float)
    assert loop[:800].std() == pytest.approx(3000, rel=0.1)


@pytest.mark.parametrize("samples", [1, 3, 4, 7])
def test_short_loops(samples: int) -> None:
    finishing = Finishing(loop=True)
    drawn = noise(samples + finishing.overlap(samples, RATE))
    assert len(finishing.finished(drawn, samples, RATE)) == samples


def test_a_resampled_loop_has_no_seam() -> None:
    finishing, samples = Finishing(loop=True, rate=11025), 4000
    drawn = slow(samples + finishing.overlap(samples, RATE))
    loop = finishing.finished(drawn, samples, RATE).astype(int)
    assert len(loop) == finishing.count(samples, RATE) == round(4000 * 11025 / 8000)
    assert abs(loop[-1] - loop[0]) < 2 * np.abs(np.diff(loop)).max() < 400


def test_fades_levels_and_rates() -> None:
    drawn = noise(8000)
    faded = Finishing(fade=0.25).finished(drawn, 8000, RATE)
    assert faded[0] == 0 and abs(int(faded[-1])) < 40
    np.testing.assert_array_equal(faded[2000:6000], drawn[2000:6000])
    peak = int(np.abs(Finishing(normalize=-6.0).finished(drawn, 8000, RATE).astype(int)).max())
    assert peak == round(32767 * 10 ** (-6 / 20))
    assert np.abs(Finishing(normalize=0.0).finished(drawn, 8000, RATE).astype(int)).max() == 32767
    assert not Finishing(normalize=0.0).finished(np.zeros(8, np.int16), 8, RATE).any()
    assert len(Finishing(rate=16000).finished(drawn, 8000, RATE)) == 16000
    assert len(Finishing(fade=9.0).finished(drawn[:5], 5, RATE)) == 5


def test_nothing_is_needed_unless_asked_for() -> None:
    assert not Finishing().needed
    for finishing in (Finishing(loop=True), Finishing(fade=0.1), Finishing(normalize=0.0), Finishing(rate=8000)):
        assert finishing.needed


def test_a_loop_has_no_fades() -> None:
    with pytest.raises(UsageError, match="--fade"):
        Finishing(loop=True, fade=0.1)


def test_a_wav_says_that_it_is_a_loop(tmp_path: Path) -> None:
    place, samples = tmp_path / "a.wav", noise(1000)
    for promised in (1000, None):
        with AudioWriter(place, RATE, force=True, samples=promised, loop=True) as out:
            out.write(samples)
        data = place.read_bytes()
        assert struct.unpack("<I", data[4:8])[0] == len(data) - 8
        assert data[44 + 2000 :] == loop_chunk(1000, RATE) and len(data) == 44 + 2000 + 68
        assert struct.unpack("<2I", data[-16:-8]) == (0, 999)
        np.testing.assert_array_equal(soundfile.read(place, dtype="int16")[0], samples)
