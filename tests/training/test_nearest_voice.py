"""Which voice is nearest: gliding harmonics are speech, notes and noise are not; what can't be read is passed over."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from helpers import sounds

from synth.common.typing import MonoSamples
from synth.training import nearest_voice
from synth.training.nearest_voice import RATE, fit_of, heard_of


def tones(hertz: np.ndarray) -> MonoSamples:
    """Harmonics of a pitch (n,) in Hz, with a little noise."""
    phase = 2 * np.pi * np.cumsum(hertz) / RATE
    wave = sum(np.sin(k * phase) / k for k in range(1, 12))
    return np.clip(np.rint(3000 * wave + sounds.noise(len(hertz), 1, 20.0)), -32768, 32767).astype(np.int16)


def test_speech_glides_and_notes_stand_still() -> None:
    time = np.arange(3 * RATE) / RATE
    glide = fit_of(tones(150 * 2 ** (0.4 * np.sin(2 * np.pi * 1.3 * time))))
    assert glide.kind == "tones" and glide.voice == "speech" and glide.preset == "speech"
    chords = sum(tones(np.full(3 * RATE, hertz)).astype(np.int32) // 4 for hertz in (220.0, 277.2, 329.6))
    still = fit_of(np.asarray(chords, np.int16))
    assert still.kind == "notes" and still.preset == "notes" and still.voice in (None, "sounds")
    assert fit_of(tones(np.full(3 * RATE, 220.0))).kind == "notes"  # one note is no speech either
    assert fit_of(sounds.noise(3 * RATE, 2, 3000)).kind == "notes"
    assert "dB of it" in nearest_voice.described(glide) and glide.speed > 1


def test_files_are_heard_in_part(tmp_path: Path) -> None:
    make = sounds.maker(tmp_path)
    quiet_first = np.concatenate([np.zeros(5 * RATE, np.int16), sounds.noise(10 * RATE, 1, 3000)])
    make("a.wav", quiet_first, RATE)
    make("b.wav", sounds.noise(4000, 1, 3000), 8000)
    (tmp_path / "c.wav").write_bytes(b"no sound")
    paths = sorted(tmp_path.iterdir())
    heard = heard_of(paths)
    assert len(heard) == round(8 / 3 * RATE) + 8000
    assert np.abs(heard[: round(8 / 3 * RATE)]).mean() > 1000  # the loudest part
    assert not len(heard_of([tmp_path / "c.wav"]))
