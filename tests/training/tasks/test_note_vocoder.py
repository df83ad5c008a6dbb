"""Training a voice with a note bed: exact resume, a checkpoint that speaks, features of louder sound."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from helpers import note_voices

torch = pytest.importorskip("torch")

from helpers import bed_training

from synth.training.locked_batches import louder
from synth.training.run_folder import RunFolder
from synth.training.tasks import vocoder as vocoder_task
from synth.vocoder.config import VocoderConfig
from synth.vocoder.note_analysis import DEPTH, FLOOR, NoteAnalysis

TINY_RUN = bed_training.tiny_run(VocoderConfig(mels=8, latent=9, quantisers=3, encoder_units=16, units=16, notes=108))


@pytest.fixture(scope="module")
def whole(sounds_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("notes") / "run"
    TINY_RUN.begin(sounds_folder, run)
    return run


def test_a_run_goes_on_exactly(whole: Path, sounds_folder: Path, tmp_path: Path) -> None:
    bed_training.check_resume(TINY_RUN, whole, sounds_folder, tmp_path / "run")


def test_no_note_lies_above_what_the_rate_can_hold(whole: Path) -> None:
    """At 8 kHz the scale ends below 3680 Hz, though the preset has more places."""
    assert vocoder_task.configs(RunFolder(whole).options())[2].notes == 85


def test_the_export_plays(whole: Path, tmp_path: Path) -> None:
    bed_training.check_export(whole, tmp_path / "voice.safetensors", note_voices.chord(4000))


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
