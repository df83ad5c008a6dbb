"""The recogniser that comes with the install: size, card, what it tells, how soon."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
import pytest
from helpers import sounds
from helpers.tools import run

from synth import engine
from synth.audio import reader
from synth.checkpoint import registry
from synth.generation import checkpoint
from synth.generation.loading import load
from synth.recognition import classifier, generative

CORPORA = os.environ.get("SYNTH_CORPORA", "")
SPEAKERS = ("george", "jackson", "lucas", "nicolas", "theo", "yweweler")
SAMPLES = Path(__file__).parents[2] / "samples"


def test_size_and_card() -> None:
    ear = classifier.load_classifier("digits-classifier")
    assert ear.path.stat().st_size <= 1_000_000 and ear.sample_rate == 8000
    assert [(target.name, target.kind, target.values) for target in ear.targets] == [
        ("digit", "class", tuple("0123456789")),
        ("speaker", "class", SPEAKERS),
    ]
    assert ear.info["corpus"] and ear.info["licence"] and ear.info["trained"]
    test = ear.info["accuracy"]["test"]
    assert test["digit_accuracy"] >= 0.99 and test["speaker_accuracy"] >= 0.997


def test_the_plain_name_is_the_newest_and_info_lists_it() -> None:
    assert registry.find("digits-classifier").stem in registry.names()
    assert registry.find("digits").stem.startswith("digits-") and checkpoint.load("digits").info["licence"]
    done = run("synth", "info")
    assert done.returncode == 0 and b"digits-classifier-1" in done.stdout and b"digits-plain-1" in done.stdout
    assert run("synth", "info", "digits-classifier").returncode == 0


def test_it_is_the_default_and_hears_what_was_generated() -> None:
    path = SAMPLES / "digits.wav"
    if not path.exists():
        pytest.skip("not in a source tree")
    done = run("synth", "classify", path)
    assert done.returncode == 0 and b"digit " in done.stdout and b"speaker " in done.stdout


def test_silence_around_a_sound_does_not_change_what_it_is() -> None:
    ear, sound = classifier.load_classifier("digits-classifier"), sounds.noise(3200, 1)
    padded = [np.concatenate([np.zeros(k, np.int16), sound, np.zeros(2 * k, np.int16)]) for k in (1600, 8000)]
    one, other = (ear.classify(wave, 8000).log_probabilities["digit"] for wave in padded)
    np.testing.assert_allclose(one, other, atol=1e-3)


@pytest.mark.slow
def test_one_second_cold_in_less_than_a_second(tmp_path: Path) -> None:
    path = sounds.maker(tmp_path)("second.wav", sounds.noise(8000, 1))
    times = []
    for _ in range(5):
        began = time.perf_counter()
        assert run("synth", "classify", path).returncode == 0
        times.append(time.perf_counter() - began)
    assert min(times) <= 0.8


@pytest.mark.slow
@pytest.mark.skipif(not CORPORA, reason="SYNTH_CORPORA names no folder with fsdd-8k")
def test_accuracy_on_the_test_split() -> None:
    ear, hits = classifier.load_classifier("digits-classifier"), {"digit": 0, "speaker": 0}
    files = sorted(Path(CORPORA, "fsdd-8k").glob("*_[0-4].flac"))
    for path in files:
        logs = ear.classify(*reader.read(path)).log_probabilities
        truth = dict(zip(("digit", "speaker"), path.stem.split("_"), strict=False))
        for target in ear.targets:
            hits[target.name] += target.values[int(logs[target.name].argmax())] == truth[target.name]
    accuracy = ear.info["accuracy"]["test"]
    assert len(files) == 300
    for name, count in hits.items():
        assert count / 300 == pytest.approx(accuracy[f"{name}_accuracy"], abs=0.004)


@pytest.mark.slow
@pytest.mark.skipif(not CORPORA or not engine.has_native(), reason="needs SYNTH_CORPORA and the native engine")
def test_the_generator_knows_speakers_better_than_chance() -> None:
    model, hits = load("digits"), 0
    files = sorted(Path(CORPORA, "fsdd-8k").glob("3_*_[0-1].flac"))
    for path in files:
        logs = generative.classify(model, [reader.read(path, model.sample_rate)[0]])
        hits += model.labels["speaker"][int(logs["speaker"].argmax())] == path.stem.split("_")[1]
    assert hits / len(files) > 0.5
