"""Training a voice with a note bed: exact resume, a checkpoint that speaks, features of louder sound."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from helpers import note_voices, small

torch = pytest.importorskip("torch")

from helpers import runs

import synth
from synth.engine.config import ModelConfig
from synth.generation.voice import Voice
from synth.training.config import GeneratorTrainConfig
from synth.training.export import export
from synth.training.locked_batches import louder
from synth.training.run_folder import RunFolder
from synth.training.tasks import vocoder as vocoder_task
from synth.training.vocoder_config import VocoderTrainConfig
from synth.vocoder.config import VocoderConfig
from synth.vocoder.note_analysis import DEPTH, FLOOR, NoteAnalysis

MINI = (
    ModelConfig(8000, frame_units=16, sample_units=16, head_units=16),
    GeneratorTrainConfig(steps=4, streams=3, span=592, windows=2, window=64, warmup=16, every=2, fine_steps=2),
    VocoderConfig(mels=8, latent=9, quantisers=3, encoder_units=16, units=16, notes=108),
    VocoderTrainConfig(gain_db=3),
)
TINY_RUN = runs.Tiny(vocoder_task.PRESETS, MINI, {"task": "vocoder", "labels": small.PATTERN}, 9, 900)


@pytest.fixture(scope="module")
def whole(sounds_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("notes") / "run"
    TINY_RUN.begin(sounds_folder, run)
    return run


def test_a_run_goes_on_exactly(whole: Path, sounds_folder: Path, tmp_path: Path) -> None:
    TINY_RUN.begin(sounds_folder, tmp_path / "run", until=1)
    runs.go_on(tmp_path / "run", until=None)
    small.same(whole, tmp_path / "run")
    assert all(4 < record["validation"] < 10 for record in small.records(whole))


def test_no_note_lies_above_what_the_rate_can_hold(whole: Path) -> None:
    """At 8 kHz the scale ends below 3680 Hz, though the preset has more places."""
    assert vocoder_task.configs(RunFolder(whole).options())[2].notes == 85


def test_the_export_plays(whole: Path, tmp_path: Path) -> None:
    place = tmp_path / "voice.safetensors"
    card = export(whole, str(place), steps=0, quiet=True)
    assert all(0 < bits < 12 for bits in card["bits_per_sample"].values())
    voice = synth.load(str(place))
    assert isinstance(voice, Voice)
    features = voice.features(note_voices.chord(4000), 8000)
    fast = voice.generate(features=features[:10], seed=1)
    slow_voice = synth.load(str(place), "reference")
    assert isinstance(slow_voice, Voice)
    np.testing.assert_array_equal(slow_voice.generate(features=features[:10], seed=1), fast)


def test_features_of_louder_sound_are_computed() -> None:
    sound, config = note_voices.chord(4000), note_voices.VOCODER
    rows = []
    for gain in (1, 1.5):
        analysis = NoteAnalysis(config, 8000)
        rows.append(np.concatenate([analysis.push((sound * gain).astype(np.int16)), analysis.finish()]))
    computed, levels = louder(rows[0], 1.5, config), rows[1][:, config.mels :]
    near = levels > max(FLOOR, float(levels.max()) - DEPTH) + 1
    assert near.sum() > 500
    np.testing.assert_allclose(computed[:, config.mels :][near], levels[near], atol=0.3)
