"""Voices with a tonal bed: the same sound whatever the blocks, engine and pauses; prompts; the pitch asked for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from helpers import tonal_voices

from synth.common.errors import EngineError, UsageError
from synth.common.typing import Int64
from synth.generation.bed_conditioning import band_middles
from synth.generation.pitch_changes import PitchChange, check_pitch, course_of
from synth.generation.tonal_conditioning import TonalConditioner
from synth.generation.vocode import VocodeRequest, vocode
from synth.vocoder.frame_filter import NEUTRAL

HOP = tonal_voices.HOP


def latents(frames: int, seed: int = 0) -> Int64:
    random = np.random.default_rng(seed)
    return random.integers(-100, 101, (frames, tonal_voices.VOCODER.latent)).astype(np.int64)


def no_progress(total: int | None):  # type: ignore[no-untyped-def]
    from contextlib import nullcontext

    return nullcontext(lambda count: None)


def test_the_bed_is_heard() -> None:
    """The same latents an octave higher: the network's draws and the envelope are not all that changes."""
    voice, path = tonal_voices.load(), latents(40)
    path[:] = path[:1]
    path[:, 0] = -40
    low = voice.follow(path, seed=3).read(40 * HOP).astype(float)
    path[:, 0] += 69
    high = voice.follow(path, seed=3).read(40 * HOP).astype(float)
    assert np.corrcoef(low, high)[0, 1] < 0.9


def test_tokens_begin_with_the_pitch() -> None:
    voice, sound = tonal_voices.load(), tonal_voices.vowel(3200)
    tokens = voice.tokens(sound, tonal_voices.RATE)
    vocoder = voice.runtime.vocoder
    np.testing.assert_array_equal(vocoder.beam_search_tokens(vocoder.encode_sound(sound), 2)[:, 0], tokens[:, 0])
    pitch = np.rint(vocoder.encode_sound(sound)[:, 0] * 32)
    np.testing.assert_array_equal(vocoder.latents(tokens[:, :1])[:, 0], pitch)


def test_pitches_are_moved_and_taken_over() -> None:
    assert PitchChange(12).quarters == 4 * 69 and PitchChange(-1).quarters == -23
    assert PitchChange(1.5).note_steps == 384
    other = np.zeros((2, 9), np.float32)
    other[1, 0] = 1.0
    np.testing.assert_array_equal(course_of(other, 4), [[0, 0], [0, 0], [32, 0], [32, 0]])
    change = PitchChange(1, np.array([[5, 1], [6, 2]]))
    course = change.latents(np.zeros((4, 2), np.int64), np.array([-1, 0, 1, 7]))
    np.testing.assert_array_equal(course, [[5, 1], [5, 1], [6, 2], [6, 2]])
    np.testing.assert_array_equal(change.moved(np.array([0, 1010])), [23, 1016])


def test_the_bed_alone_has_the_other_pitch() -> None:
    """Conditioning but for the phase, and targets above 2 kHz, are as before; the phase turns faster."""
    voice, path = tonal_voices.load(), latents(12)
    path[:] = path[:1]
    path[:, 0] = -40
    plain, moved = (voice.follow(path, seed=3).conditioner for _ in range(2))
    assert isinstance(plain, TonalConditioner) and isinstance(moved, TonalConditioner)
    moved.change_pitch(PitchChange(12))
    one, two = plain.vector_at(0), moved.vector_at(0)
    np.testing.assert_array_equal(one[:-3], two[:-3])
    ratio = [int(vector[-2]) * 65536 + (int(vector[-1]) & 0xFFFF) for vector in (one, two)]
    assert ratio[1] == pytest.approx(2 * ratio[0], rel=1e-3)
    (_, first), (_, second) = plain.new_targets()[0], moved.new_targets()[0]
    low = band_middles(voice.runtime.vocoder) < 2000
    assert (second[:, low] == NEUTRAL).all() and low.any() and not low.all()
    np.testing.assert_array_equal(first[:, ~low], second[:, ~low])
    stream = voice.follow(path, seed=3)
    assert isinstance(stream.conditioner, TonalConditioner)
    stream.conditioner.change_pitch(PitchChange(1))
    with pytest.raises(EngineError, match="pitch is changed"):
        stream.save()


def test_the_command_transposes(tmp_path: Path) -> None:
    import soundfile

    source, other = tmp_path / "a.wav", tmp_path / "b.wav"
    soundfile.write(source, tonal_voices.vowel(4000, 120.0, 0.0), tonal_voices.RATE)
    soundfile.write(other, tonal_voices.vowel(3000, 200.0, 0.0), tonal_voices.RATE)
    results = {}
    for name, options in {"same": {}, "up": {"transpose": 7.0}, "as": {"pitch_of": str(other)}}.items():
        out = tmp_path / f"{name}.wav"
        request = VocodeRequest(source=str(source), out=str(out), checkpoint=tonal_voices.path(), seed=1, **options)
        report = vocode(request, no_progress)
        results[name] = soundfile.read(out, dtype="int16")[0]
        assert report["transpose"] == options.get("transpose", 0.0)
    assert all(len(wave) == 4000 for wave in results.values())
    assert (results["same"] != results["up"]).any() and (results["same"] != results["as"]).any()


def test_a_voice_without_a_bed_says_so() -> None:
    from helpers import voices

    with pytest.raises(UsageError, match=r"--transpose: x knows no pitch; speech does, .*--preset speech"):
        check_pitch(voices.load().runtime.vocoder, "x", "--transpose")
