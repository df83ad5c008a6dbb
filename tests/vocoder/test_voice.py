"""Voice files: what is saved is loaded; parts that do not fit each other are named."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import voices
from helpers.forging import CONFIG, TENSORS, refused
from helpers.voices import LABELS, NETWORK, VOCODER

from synth.checkpoint import format
from synth.common.errors import CheckpointError
from synth.common.labels import LabelSet
from synth.engine.config import ModelConfig
from synth.generation import checkpoint
from synth.vocoder.tensors import check_vocoder
from synth.vocoder.voice import VoiceParts, split

INFO = {"licence": "CC0", "bits_per_token": 4.5}
WARM = (0.9, 0.8)
VOICE = voices.voice(2, 1, WARM)
NET = voices.network()
DATA = checkpoint.encode(NETWORK, NET, INFO, VOICE)
HEADER = 8 + int.from_bytes(DATA[:8], "little")


def forged(change: dict[str, Any] | None = None, tensors: Any = None, version: int = 2, **meta: Any) -> bytes:
    """A voice file with a fitting checksum, some of its config replaced, whatever is in it."""
    config = {"network": NETWORK.to_json(), **VOICE.to_json(), **(change or {})}
    whole = NET | VOICE.named() if tensors is None else tensors
    return format.pack(format.FORMAT, config, whole, meta, version=version)


def without(*names: str) -> dict[str, Any]:
    return {name: tensor for name, tensor in (NET | VOICE.named()).items() if name not in names}


# round trip


@pytest.mark.parametrize("period", [0, 1, 2, 4])
def test_what_is_saved_is_loaded(period: int, tmp_path: Path) -> None:
    path, voice = tmp_path / "mine.safetensors", voices.voice(period, 1, WARM)
    checkpoint.save(path, NETWORK, NET, INFO, voice)
    loaded = checkpoint.load(path)
    assert (loaded.config, loaded.info, loaded.name) == (NETWORK, INFO, "mine")
    found = loaded.voice
    assert found is not None
    assert (found.config, found.planner, found.temperatures) == (voice.config, voice.planner, WARM)
    pairs = (loaded.tensors, NET), (found.tensors, voice.tensors), (found.planner_tensors, voice.planner_tensors)
    for got, put in pairs:
        assert got.keys() == put.keys()
        for name, tensor in put.items():
            assert got[name].dtype == tensor.dtype
            np.testing.assert_array_equal(got[name], tensor)
    assert checkpoint.encode(loaded.config, loaded.tensors, loaded.info, found) == path.read_bytes()


def test_a_voice_is_of_version_2_and_says_so_to_older_programs() -> None:
    meta = json.loads(DATA[8:HEADER])["__metadata__"]
    assert meta["version"] == "2" and meta["format"] == "synth-checkpoint"  # theirs: "format version 2; ... newer one"
    assert json.loads(meta["config"]).keys() == {"network", "vocoder", "planner", "temperatures"}


def test_what_is_no_voice_has_none() -> None:
    assert checkpoint.decode(checkpoint.encode(CONFIG, TENSORS, {}))[3] is None


def test_tensors_are_told_apart_by_their_names() -> None:
    network, own = split(NET | VOICE.named())
    assert network.keys() == NET.keys() and own.keys() == VOICE.named().keys()


# damage


def test_every_flipped_bit_is_noticed() -> None:
    draw = np.random.default_rng(1)
    places = [*range(8), *draw.permutation(np.arange(8, HEADER))[:300], *draw.integers(HEADER, len(DATA), 200)]
    for place in places:
        data = bytearray(DATA)
        data[place] ^= 1 << int(draw.integers(8))
        try:
            checkpoint.decode(bytes(data))
        except CheckpointError as error:
            assert "\n" not in str(error)
        else:
            pytest.fail(f"byte {place} of {len(DATA)} may be changed")


def test_cuts_and_what_is_appended_are_noticed() -> None:
    for length in (0, 7, 8, HEADER - 1, HEADER, HEADER + 1, len(DATA) // 2, len(DATA) - 1):
        refused(DATA[:length])
    refused(DATA + b"\0")


# parts that do not fit


def test_forged_files_are_read_when_nothing_is_wrong_with_them() -> None:
    config, tensors, _, voice = checkpoint.decode(forged())  # the other tests rely on it
    assert config == NETWORK and tensors.keys() == NET.keys() and voice is not None


OTHER = ModelConfig(
    8000, window=16, frame_units=16, sample_units=16, head_units=16, labels=LabelSet(LABELS.pairs[:1]), period=2
)
CONFIGS: dict[str, tuple[dict[str, Any], str]] = {
    "a network that is not steered": ({"network": replace(NETWORK, stride=0).to_json()}, "comes with its vocoder"),
    "a network over tokens": ({"network": replace(NETWORK, period=2).to_json()}, "comes with its vocoder"),
    "another stride": ({"network": replace(NETWORK, stride=10).to_json()}, "vector every 10 frames, its vocoder"),
    "a rate without token frames": ({"network": replace(NETWORK, sample_rate=11025).to_json()}, "rate 11025"),
    "no vocoder": ({"vocoder": None}, "vocoder config: its names"),
    "a vocoder with more": ({"vocoder": {**VOCODER.to_json(), "more": 1}}, "vocoder config: its names"),
    "a vocoder of floats": ({"vocoder": {**VOCODER.to_json(), "mels": 8.0}}, "mels must be an integer"),
    "a vocoder out of range": ({"vocoder": {**VOCODER.to_json(), "mels": 4}}, "mels 4: must be 8 to 128"),
    "a vocoder far out of range": ({"vocoder": {**VOCODER.to_json(), "mels": 10**3000}}, "mels 1000"),
    "other parts": ({"vocoder": {**VOCODER.to_json(), "parts": 1}}, "vector every 5 frames"),
    "other bands": ({"vocoder": {**VOCODER.to_json(), "mels": 9}}, "tensor vocoder.encoder.0.weight is"),
    "fewer quantisers": ({"vocoder": {**VOCODER.to_json(), "quantisers": 1}}, "tensor vocoder.books is"),
    "a planner that is none": ({"planner": NETWORK.to_json()}, "planner must be a network over tokens"),
    "a planner that is steered": (
        {"planner": replace(voices.planner(), stride=5).to_json()},
        "planner must be a network over tokens",
    ),
    "a planner of other labels": ({"planner": OTHER.to_json()}, "with the labels of its network"),
    "a planner of more tokens": ({"planner": voices.planner(8).to_json()}, "planner has 8 tokens a frame, .* 4"),
    "a planner of other sizes": (
        {"planner": replace(voices.planner(), head_units=32).to_json()},
        "^planner: tensor head",
    ),
    "a planner that is a list": ({"planner": []}, "config can't be used"),
    "a planner out of range": ({"planner": {**voices.planner().to_json(), "period": 3}}, "period 3"),
    "labels of many lines": (
        {"planner": {**voices.planner().to_json(), "labels": [["lines\nlines\n" * 1000, []]]}},
        "label lines lines",
    ),
    "no planner in the config": ({"planner": None}, "has tensors of a planner, but its config has none"),
    "more": ({"more": 1}, "voice: its names are not the known ones"),
    **{
        f"temperatures {value!r:.20}": ({"temperatures": value}, "config can't be used")
        for value in (None, 1, [], [1], [1, 1, 1], [0, 1], [1, 4.1], ["x", 1], [[1], 1], "11", {}, [float("nan"), 1])
    },
    "temperatures beyond floats": ({"temperatures": [10**400, 1]}, "config can't be used"),
    "temperatures of many lines": ({"temperatures": ["x\ny" * 1000, 1]}, "config can't be used"),
}


@pytest.mark.parametrize("name", CONFIGS)
def test_configs_that_do_not_fit_are_named(name: str) -> None:
    change, words = CONFIGS[name]
    refused(forged(change), words)


def test_a_name_less_is_refused() -> None:
    for name in ("vocoder", "planner", "temperatures"):
        config = {"network": NETWORK.to_json(), **VOICE.to_json()}
        del config[name]
        refused(format.pack(format.FORMAT, config, NET | VOICE.named(), {}, version=2), "names are not the known ones")


WRONG: dict[str, tuple[Any, str]] = {
    "a tensor of the network is missing": (without("head.tree.bias"), "^tensor head.tree.bias is missing"),
    "a tensor of the vocoder is missing": (without("vocoder.books"), "^tensor vocoder.books is missing"),
    "a tensor of the planner is missing": (without("planner.head.tree.bias"), "^planner: tensor head.tree.bias is m"),
    "one more of the network": (NET | VOICE.named() | {"more": np.zeros(1)}, "^tensor 'more' is not one"),
    "one more of the vocoder": (
        NET | VOICE.named() | {"vocoder." + "x\n" * 500: np.zeros(1)},
        r"^tensor 'vocoder\.x\\nx\\n",
    ),
    "one more of the planner": (NET | VOICE.named() | {"planner.x": np.zeros(1)}, "^planner: tensor 'x' is not one"),
    "another type": (
        NET | VOICE.named() | {"vocoder.books": VOICE.tensors["vocoder.books"].astype(np.int16)},
        "^tensor vocoder.books is int16",
    ),
    "a predictor that a steered network has not": (
        NET | VOICE.named() | {"predictor.start": np.zeros(16)},
        "^tensor 'predictor.start' is not one",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_tensors_that_do_not_fit_are_named(name: str) -> None:
    tensors, words = WRONG[name]
    refused(forged(tensors=tensors), words)


def test_a_steered_network_alone_is_refused() -> None:
    refused(format.pack(format.FORMAT, NETWORK.to_json(), NET, {}), "comes with its vocoder")
    planner = voices.planner()
    refused(format.pack(format.FORMAT, planner.to_json(), VOICE.planner_tensors, {}), "comes with its vocoder")


def test_what_could_not_be_read_back_is_not_saved(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    wrong: list[tuple[ModelConfig, Any, VoiceParts | None]] = [
        (NETWORK, NET, None),
        (voices.planner(), VOICE.planner_tensors, None),
        (CONFIG, TENSORS, VOICE),
        (NETWORK, NET, replace(VOICE, planner=None)),
        (NETWORK, NET, replace(VOICE, planner=OTHER)),
        (NETWORK, NET, replace(VOICE, planner=voices.planner(8))),
        (NETWORK, NET, replace(VOICE, tensors=VOICE.tensors | {"vocoder.more": np.zeros(1)})),
        (NETWORK, NET, replace(VOICE, planner_tensors={})),
        (NETWORK, NET, replace(VOICE, temperatures=(0.0, 1.0))),
        (NETWORK, NET, replace(VOICE, temperatures=(1.0, float("nan")))),
    ]
    for config, tensors, voice in wrong:
        with pytest.raises(CheckpointError):
            checkpoint.save(path, config, tensors, {}, voice)
        assert not path.exists()


def test_later_formats_and_recognisers_of_version_2_are_refused() -> None:
    refused(forged(version=5), "^format version 5; this synth reads 4: install a newer one$")
    later = format.pack(format.CLASSIFIER, {}, {}, {}, version=2)
    with pytest.raises(CheckpointError, match="^format version 2; this synth reads 1: install a newer one$"):
        format.unpack(later, format.CLASSIFIER)


def test_a_vocoder_may_be_checked_by_itself() -> None:
    tensors = copy.copy(VOICE.tensors)
    check_vocoder(VOCODER, NETWORK, tensors)
    del tensors["vocoder.reflect.shift"]
    with pytest.raises(CheckpointError, match="^tensor vocoder.reflect.shift is missing$"):
        check_vocoder(VOCODER, NETWORK, tensors)
