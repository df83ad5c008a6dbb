"""What tests of training a voice with a bed share: a small run, and what must hold of it whatever the bed."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import synth
from helpers import runs, small
from synth.common.typing import MonoSamples
from synth.engine.config import ModelConfig
from synth.generation.voice import Voice
from synth.training.config import GeneratorTrainConfig
from synth.training.export import export
from synth.training.tasks import vocoder as vocoder_task
from synth.training.vocoder_config import VocoderTrainConfig
from synth.vocoder.config import VocoderConfig


def tiny_run(config: VocoderConfig) -> runs.Tiny:
    """The runs of a module that trains a voice of this config."""
    preset = (
        ModelConfig(8000, frame_units=16, sample_units=16, head_units=16),
        GeneratorTrainConfig(steps=4, streams=3, span=592, windows=2, window=64, warmup=16, every=2, fine_steps=2),
        config,
        VocoderTrainConfig(gain_db=3),
    )
    return runs.Tiny(vocoder_task.PRESETS, preset, {"task": "vocoder", "labels": small.PATTERN}, 9, 900)


def check_resume(tiny: runs.Tiny, whole: Path, sounds_folder: Path, run: Path) -> None:
    """A run that is stopped after a step goes on as the `whole` one did."""
    tiny.begin(sounds_folder, run, until=1)
    runs.go_on(run, until=None)
    small.same(whole, run)
    assert all(4 < record["validation"] < 10 for record in small.records(whole))


def check_export(whole: Path, place: Path, sound: MonoSamples) -> None:
    """The voice of a run says a sound again, the same by both engines."""
    card = export(whole, str(place), steps=0, quiet=True)
    assert all(0 < bits < 12 for bits in card["bits_per_sample"].values())
    fast, slow = (synth.load(str(place), engine) for engine in ("auto", "reference"))
    assert isinstance(fast, Voice) and isinstance(slow, Voice)
    features = fast.features(sound, 8000)[:10]
    np.testing.assert_array_equal(slow.generate(features=features, seed=1), fast.generate(features=features, seed=1))
