"""Voices with a note bed: the same sound whatever the blocks, engine and pauses; prompts; other pitches."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import note_voices

from synth.common.errors import EngineError, UsageError
from synth.common.typing import Int64
from synth.generation.follow_sound import follow_sound
from synth.generation.note_conditioning import NoteConditioner
from synth.generation.pitch_changes import PitchChange, check_pitch
from synth.generation.together import pcm_together
from synth.generation.vocode import VocodeRequest, vocode

HOP = note_voices.HOP


def latents(frames: int, seed: int = 0) -> Int64:
    random = np.random.default_rng(seed)
    return random.integers(-100, 101, (frames, note_voices.VOCODER.latent)).astype(np.int64)


def no_progress(total: int | None) -> AbstractContextManager[Any]:
    return nullcontext(lambda count: None)


@pytest.mark.parametrize("block", [1, 7, 160, 1000])
def test_blocks_of_any_size_give_the_same(block: int) -> None:
    voice = note_voices.load()
    whole = voice.follow(latents(14), seed=3).read(14 * HOP)
    stream = voice.follow(latents(14), seed=3)
    count = 14 * HOP if block > 1 else 400
    parts = [stream.read(min(block, count - at)) for at in range(0, count, block)]
    np.testing.assert_array_equal(np.concatenate(parts), whole[:count])


def test_both_engines_give_the_same() -> None:
    fast, slow = (note_voices.load(engine).follow(latents(5), seed=3).read(700) for engine in ("auto", "reference"))
    np.testing.assert_array_equal(fast, slow)


@pytest.mark.parametrize("at", [0, 1, 79, 80, 161, 500, 1337])
def test_saved_streams_go_on(at: int) -> None:
    voice = note_voices.load()
    for stream in (voice.follow(latents(14), seed=3), voice.stream(seed=5, labels={"digit": "3"})):
        stream.read(at)
        saved = stream.save()
        np.testing.assert_array_equal(voice.restore(saved).read(600), stream.read(600))


def test_a_fork_with_the_same_seed_goes_on_the_same() -> None:
    stream = note_voices.load().stream(seed=5)
    stream.read(333)
    other = stream.fork(5)
    np.testing.assert_array_equal(other.read(900), stream.read(900))


def test_the_bed_is_heard() -> None:
    """Without it the same draws sound otherwise."""
    voice = note_voices.load()
    stream = voice.follow(latents(20), seed=3)
    assert isinstance(stream.conditioner, NoteConditioner)
    stream.conditioner.change_pitch(PitchChange(60.0))  # all notes leave the range
    assert (stream.read(20 * HOP) != voice.follow(latents(20), seed=3).read(20 * HOP)).mean() > 0.5


def test_a_prompt_is_continued() -> None:
    voice, sound = note_voices.load(), note_voices.chord(1800)
    stream = voice.stream(seed=1, prime=(sound, note_voices.RATE))
    first = stream.read(900)
    np.testing.assert_array_equal(voice.generate(samples=900, seed=1, prime=(sound, note_voices.RATE)), first)
    saved = voice.stream(seed=1, prime=(sound, note_voices.RATE))
    np.testing.assert_array_equal(voice.restore(saved.save()).read(900), first)


def test_a_recording_costs_bits_by_its_own_residual() -> None:
    stream, codes = follow_sound(note_voices.load(), note_voices.chord(1610))
    assert len(codes) == 1610
    assert 0 < stream.teacher_force(codes) / 65536 / len(codes) < 30


def test_features_are_spoken() -> None:
    voice, sound = note_voices.load(), note_voices.chord(1610)
    features = voice.features(sound, note_voices.RATE)
    assert features.shape == (22, note_voices.VOCODER.inputs)
    spoken = voice.generate(features=features, seed=2)
    latent = voice.runtime.vocoder.quantize_latents(voice.runtime.vocoder.encode_sound(sound))
    np.testing.assert_array_equal(voice.follow(latent, seed=2).read(11 * HOP), spoken)


def test_the_command_transposes(tmp_path: Path) -> None:
    import soundfile

    source = tmp_path / "a.wav"
    soundfile.write(source, note_voices.chord(4000), note_voices.RATE)
    waves = []
    for semitones in (0.0, 7.0):
        out = tmp_path / f"{semitones}.wav"
        request = VocodeRequest(
            source=str(source), out=str(out), checkpoint=note_voices.path(), seed=1, transpose=semitones
        )
        assert vocode(request, no_progress)["transpose"] == semitones
        waves.append(soundfile.read(out, dtype="int16")[0])
    assert len(waves[0]) == len(waves[1]) == 4000 and (waves[0] != waves[1]).any()


def test_a_changed_pitch_is_not_saved_and_another_sound_has_no_one_pitch() -> None:
    stream = note_voices.load().follow(latents(5), seed=3)
    assert isinstance(stream.conditioner, NoteConditioner)
    stream.conditioner.change_pitch(PitchChange(1))
    with pytest.raises(EngineError, match="pitch is changed"):
        stream.save()
    vocoder = note_voices.load().runtime.vocoder
    check_pitch(vocoder, "x", "--transpose")
    with pytest.raises(UsageError, match="--pitch-of: x knows notes"):
        check_pitch(vocoder, "x", "--pitch-of")


def test_streams_together_are_as_alone() -> None:
    voice = note_voices.load()
    alone = [voice.follow(latents(9, seed), seed=seed).read(1200) for seed in range(3)]
    streams = [voice.follow(latents(9, seed), seed=seed) for seed in range(3)]
    together = np.concatenate([pcm_together(streams, 500), pcm_together(streams, 700)], 1)
    np.testing.assert_array_equal(together, np.rint(np.stack(alone) * 32768))
