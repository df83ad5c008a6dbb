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
from synth.generation.note_conditioning import NoteConditioner
from synth.generation.pitch_changes import PitchChange, check_pitch
from synth.generation.vocode import VocodeRequest, vocode

HOP = note_voices.HOP


def latents(frames: int, seed: int = 0) -> Int64:
    random = np.random.default_rng(seed)
    return random.integers(-100, 101, (frames, note_voices.VOCODER.latent)).astype(np.int64)


def no_progress(total: int | None) -> AbstractContextManager[Any]:
    return nullcontext(lambda count: None)


def test_the_bed_is_heard() -> None:
    """Without it the same draws sound otherwise."""
    voice = note_voices.load()
    stream = voice.follow(latents(20), seed=3)
    assert isinstance(stream.conditioner, NoteConditioner)
    stream.conditioner.change_pitch(PitchChange(60.0))  # all notes leave the range
    assert (stream.read(20 * HOP) != voice.follow(latents(20), seed=3).read(20 * HOP)).mean() > 0.5


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
