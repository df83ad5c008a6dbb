"""Recognisers in NumPy: PyTorch's network to rounding, pieces, what is refused, files."""

from __future__ import annotations

import copy
import dataclasses
import pickle
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import listeners, reduced, sounds
from helpers.tools import tiny_checkpoint
from hypothesis import given
from hypothesis import strategies as st

import synth
from synth.audio.features import normalized_features, to_float32
from synth.common.errors import AudioError, CheckpointError
from synth.generation import checkpoint
from synth.recognition import classifier
from synth.recognition.classifier import Classifier, probabilities
from synth.recognition.config import ClassifierConfig

EAR = Classifier(listeners.TINY, listeners.random_tensors(listeners.TINY))


@pytest.mark.parametrize("net", ["cnn", "gru"])
@pytest.mark.parametrize("kind", ["logmel", "mfcc"])
@pytest.mark.parametrize("count", [200, 1111, 8000])
def test_the_network_is_pytorchs_and_no_neighbour_changes_it(net: str, kind: str, count: int) -> None:
    torch = pytest.importorskip("torch")
    from synth.nn.classifier import ClassifierNetwork

    config = dataclasses.replace(listeners.TINY, net=net, features=kind)
    tensors = listeners.random_tensors(config)
    network = ClassifierNetwork(config).eval()
    assert {name: tuple(p.shape) for name, p in network.named_parameters()} == {k: v.shape for k, v in tensors.items()}
    network.load_state_dict({name: torch.from_numpy(tensor) for name, tensor in tensors.items()})
    wave = to_float32(sounds.noise(count, 4))
    x, taken = normalized_features(wave, config)
    batch = np.ones((2, len(x) + 9, x.shape[1]), np.float32)  # beside a longer sound
    batch[0] = 0
    batch[0, : len(x)] = x
    lengths = torch.tensor([len(x), len(x) + 9])
    given_taken = torch.from_numpy(np.stack([taken, taken]))
    with torch.no_grad():
        theirs = network(torch.from_numpy(batch), lengths, given_taken)
        embedding = network.embedding(torch.from_numpy(batch), lengths)[0]
    found, logits = Classifier(config, tensors).forward(wave)
    np.testing.assert_allclose(found, embedding.numpy(), atol=2e-5, rtol=1e-4)
    for mine, other in zip(logits, theirs, strict=True):
        np.testing.assert_allclose(mine, other[0].numpy(), atol=2e-5, rtol=1e-4)


def test_what_is_heard() -> None:
    heard = EAR.classify(sounds.noise(3000, 1), 8000)
    assert heard.embedding.dtype == np.float32 and heard.embedding.shape == (8,) and heard.samples == 3000
    assert {name: log.shape for name, log in heard.log_probabilities.items()} == {
        "digit": (10,),
        "speaker": (2,),
        "sounds": (3,),
    }
    assert np.exp(heard.log_probabilities["digit"]).sum() == pytest.approx(1, abs=1e-5)
    assert (heard.log_probabilities["sounds"] < 0).all()
    again = EAR.classify(sounds.noise(3000, 1), 8000)
    assert np.array_equal(heard.embedding, again.embedding)


@given(st.lists(st.floats(-800, 800), min_size=1, max_size=6))
def test_probabilities_of_any_logits(logits: list[float]) -> None:
    one = probabilities(listeners.DIGIT, np.array(logits))
    assert np.isfinite(one).all() and one.sum() == pytest.approx(1)
    each = probabilities(listeners.TAGS, np.array(logits))
    assert ((each >= 0) & (each <= 1)).all()


@given(st.lists(st.integers(0, 700), max_size=8))
def test_blocks_change_nothing(cuts: list[int]) -> None:
    sound = sounds.noise(700, 5)
    places = [0, *sorted(cuts), 700]
    blocks = [sound[a:b] for a, b in zip(places, places[1:], strict=False)]
    assert np.array_equal(EAR.classify_blocks(blocks).embedding, EAR.classify_blocks([sound]).embedding)


def test_a_long_sound_is_the_mean_of_its_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(classifier, "PIECE_SECONDS", 0.1)
    sound = sounds.noise(2500, 6)  # pieces of 800, 800 and 900
    parts = [EAR.classify_blocks([part]) for part in (sound[:800], sound[800:1500], sound[1500:])]
    monkeypatch.setattr(classifier, "PIECE_SECONDS", 0.1)
    whole = EAR.classify_blocks([sound])
    parts = [EAR.forward(to_float32(part))[0] for part in (sound[:800], sound[800:1600], sound[1600:])]
    np.testing.assert_allclose(whole.embedding, (800 * parts[0] + 800 * parts[1] + 900 * parts[2]) / 2500, atol=1e-4)
    assert np.exp(whole.log_probabilities["digit"]).sum() == pytest.approx(1, abs=1e-5)


def test_any_rate_type_and_channels() -> None:
    tone = sounds.tone(4410, 44100, 500.0)
    stereo = np.stack([tone, tone], 1)
    one, two = EAR.classify(tone, 44100), EAR.classify(stereo.astype(np.float32) / 32768, 44100)
    np.testing.assert_allclose(one.embedding, two.embedding, atol=1e-2)
    assert one.samples == 800


@pytest.mark.parametrize(
    ("wave", "words"),
    [
        (np.zeros(0, np.int16), "no samples"),
        (sounds.noise(199), "24.9 ms.* shorter than a frame"),
        (np.zeros(4000, np.int16), "is silent"),
        (np.full(4000, np.nan, np.float32), "NaN"),
        (np.zeros((2, 2, 2), np.int16), "shape"),
    ],
)
def test_what_cannot_be_heard(wave: Any, words: str) -> None:
    with pytest.raises(AudioError, match=words):
        EAR.classify(wave, 8000)
    assert EAR.classify(sounds.noise(200), 8000).samples == 200


# files


def test_a_file_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "ear.safetensors"
    classifier.save(path, EAR.config, EAR.tensors, {"licence": "none"})
    loaded = classifier.load_classifier(path)
    assert loaded.config == EAR.config and loaded.info == {"licence": "none"} and loaded.name == "ear"
    for name, tensor in EAR.tensors.items():
        np.testing.assert_array_equal(loaded.tensors[name], tensor)
    before = path.read_bytes()
    classifier.save(path, EAR.config, EAR.tensors, {"licence": "none"})
    assert path.read_bytes() == before


@pytest.mark.parametrize("place", [3, 40, 700, -1])
def test_a_changed_byte_is_found(place: int, tmp_path: Path) -> None:
    data = bytearray(Path(listeners.tiny_classifier()).read_bytes())
    data[place] ^= 0x10
    path = tmp_path / "bad.safetensors"
    path.write_bytes(data)
    with pytest.raises(CheckpointError, match=f"^{path}: "):
        classifier.load_classifier(path)


def test_tensors_that_do_not_fit_are_named() -> None:
    tensors = listeners.random_tensors(listeners.TINY)
    changes: list[tuple[str, Any]] = [
        ("embed.bias", tensors["embed.bias"][1:]),
        ("embed.bias", tensors["embed.bias"].astype(np.float64)),
        ("last.weight", np.full_like(tensors["last.weight"], np.nan)),
        ("more", tensors["embed.bias"]),
    ]
    for name, tensor in changes:
        with pytest.raises(CheckpointError, match=f"tensor {name}"):
            Classifier(listeners.TINY, {**tensors, name: tensor})
    del tensors["scales.0"]
    with pytest.raises(CheckpointError, match="tensor scales.0: is missing"):
        Classifier(listeners.TINY, tensors)


def test_the_wrong_kind_of_checkpoint_is_named() -> None:
    with pytest.raises(CheckpointError, match=r"tiny-1\.safetensors: generates"):
        classifier.load_classifier(tiny_checkpoint())
    with pytest.raises(CheckpointError, match=r"ear-1\.safetensors: is a classifier, for synth classify"):
        synth.load(listeners.tiny_classifier())
    with pytest.raises(CheckpointError, match=r"is a classifier"):
        checkpoint.load(listeners.tiny_classifier())


def test_gru_and_cnn_differ_in_tensors() -> None:
    with pytest.raises(CheckpointError, match="tensor"):
        Classifier(ClassifierConfig(**{**vars(listeners.TINY), "net": "gru"}), listeners.random_tensors(listeners.TINY))


def test_a_classifier_shows_itself_and_pickles_by_its_path(tmp_path: Path) -> None:
    path = tmp_path / "mine.safetensors"
    bundled = synth.load_classifier("digits-classifier")
    shutil.copy(bundled.path, path)
    mine = synth.load_classifier(path)
    assert repr(mine) == "<Classifier mine: 8000 Hz, tells digit (10), speaker (6)>"
    assert len(pickle.dumps(mine)) < 1000
    wave = np.random.default_rng(1).integers(-3000, 3000, 8000).astype(np.int16)
    for other in (reduced.again(mine.__reduce__()), copy.deepcopy(mine)):
        assert other.sha256 == mine.sha256 and other.path == path
        np.testing.assert_array_equal(other.classify(wave, 8000).embedding, mine.classify(wave, 8000).embedding)
    loose = Classifier(mine.config, mine.tensors)
    shown = "<Classifier: 8000 Hz, tells digit (10), speaker (6)>"
    assert repr(reduced.again(loose.__reduce__())) == repr(loose) == shown
    kept = mine.__reduce__()
    with path.open("ab") as file:
        file.write(b"x")
    with pytest.raises(CheckpointError):
        reduced.again(kept)
