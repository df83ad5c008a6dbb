"""Models and streams as Python objects: how they show themselves, how they pickle, what they say of wrong arguments."""

from __future__ import annotations

import copy
import pickle
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
from helpers import reduced, voices
from helpers.tools import tiny_checkpoint

import synth
from synth.common.errors import CheckpointError, UsageError

PATHS = {"plain": tiny_checkpoint, "voice": voices.path}


@pytest.mark.parametrize("kind", PATHS)
def test_models_and_streams_say_what_they_are(kind: str) -> None:
    model = synth.load(PATHS[kind]())
    assert model.checkpoint.name in repr(model) and "8000 Hz" in repr(model)
    stream = model.stream(seed=7, labels={"digit": "3"})
    stream.read(5)
    assert all(word in repr(stream) for word in (model.checkpoint.name, "seed 7", "position 5", "'digit': '3'"))


@pytest.mark.parametrize("engine", ["auto", "reference"])
@pytest.mark.parametrize("kind", PATHS)
def test_models_pickle_by_the_path_of_their_checkpoint(kind: str, engine: str) -> None:
    model = synth.load(PATHS[kind](), engine)
    assert len(pickle.dumps(model)) < 1000
    for other in (reduced.again(model.__reduce__()), copy.deepcopy(model)):
        assert other.engine.name == model.engine.name
        assert np.array_equal(other.generate(samples=90, seed=1), model.generate(samples=90, seed=1))


def test_another_checkpoint_at_the_path_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    shutil.copy(tiny_checkpoint(1), path)
    kept = synth.load(path).__reduce__()
    shutil.copy(tiny_checkpoint(2), path)
    with pytest.raises(CheckpointError, match="a.safetensors: is another checkpoint"):
        reduced.again(kept)


@pytest.mark.parametrize("kind", PATHS)
def test_streams_say_how_they_are_kept(kind: str) -> None:
    with pytest.raises(TypeError, match="save.. gives bytes"):
        pickle.dumps(synth.load(PATHS[kind]()).stream(seed=1))


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"labels": "digit=7"}, "labels 'digit=7': must be a dict, like"),
    ({"labels": ["digit"]}, "labels .'digit'.: must be a dict, like"),
    ({"labels": {"digit": 7}}, "label digit: must be a text"),
    ({"prime": np.zeros(100)}, "prime of type ndarray: must be a pair .wave, rate."),
    ({"prime": "a.wav"}, "prime of type str: must be a pair .wave, rate."),
    ({"prime": (8000, np.zeros(100))}, "prime of type tuple: must be a pair .wave, rate., an array and its rate"),
    ({"top_k": 1.5}, "top-k 1.5: must be an integer from 1 to 256"),
    ({"top_k": "9"}, "top-k '9': must be an integer"),
    ({"temperature": "1"}, "temperature '1': must be a number"),
    ({"temperature": None}, "temperature None: must be a number"),
    ({"top_p": "1"}, "top-p '1': must be a number"),
]


@pytest.mark.parametrize(("options", "words"), WRONG)
@pytest.mark.parametrize("kind", PATHS)
def test_wrong_arguments_are_told_by_name(kind: str, options: dict[str, Any], words: str) -> None:
    model = synth.load(PATHS[kind]())
    for call in (lambda: model.generate(samples=20, **options), lambda: model.stream(**options)):
        with pytest.raises(UsageError, match=words):
            call()


def test_labels_of_a_stream_are_a_dict() -> None:
    stream = synth.load(tiny_checkpoint()).stream(seed=1)
    with pytest.raises(UsageError, match="labels 'digit=7': must be a dict"):
        stream.labels = "digit=7"  # type: ignore[assignment]


def test_weights_of_a_run_name_the_command_that_makes_a_checkpoint(tmp_path: Path) -> None:
    data = safetensors.numpy.save({"a": np.zeros(3, np.float32)}, {"info": "{}"})
    (tmp_path / "best.safetensors").write_bytes(data)
    with pytest.raises(CheckpointError, match="best.safetensors: holds the weights of a training run; synth export"):
        synth.load(tmp_path / "best.safetensors")
