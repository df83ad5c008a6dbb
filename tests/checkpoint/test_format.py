"""Checkpoint files: what is saved is loaded, and what can't be trusted is refused in one line, whatever it is."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.forging import CONFIG, DATA, HEADER, INFO, TENSORS, forged, refused, with_header
from helpers.networks import random_tensors
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save as to_bytes

from synth.checkpoint import format, registry
from synth.common.errors import CheckpointError, OutputError
from synth.generation import checkpoint
from synth.recognition import classifier

# round trip


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    path = tmp_path / "mine.safetensors"
    checkpoint.save(path, CONFIG, TENSORS, INFO)
    loaded = checkpoint.load(path)
    assert (loaded.config, loaded.info, loaded.name, loaded.path) == (CONFIG, INFO, "mine", path)
    assert loaded.tensors.keys() == TENSORS.keys()
    for name, tensor in TENSORS.items():
        assert loaded.tensors[name].dtype == tensor.dtype
        np.testing.assert_array_equal(loaded.tensors[name], tensor)
    assert loaded.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert checkpoint.load(os.fspath(path)).sha256 == loaded.sha256
    assert os.listdir(tmp_path) == ["mine.safetensors"]


def test_the_same_content_makes_the_same_bytes() -> None:
    turned = dict(reversed(TENSORS.items()))
    assert len({checkpoint.encode(CONFIG, tensors, INFO) for tensors in [TENSORS, turned] * 4}) == 1


def test_a_view_in_another_order_is_saved_as_it_reads() -> None:
    turned = {name: np.asfortranarray(tensor) for name, tensor in TENSORS.items()}
    assert checkpoint.encode(CONFIG, turned, INFO) == DATA


def test_forged_files_are_read_when_nothing_is_wrong_with_them() -> None:
    config, tensors, info, voice = checkpoint.decode(forged(info="[1]"))  # the other tests rely on it
    assert config == CONFIG and tensors.keys() == TENSORS.keys() and info == {} and voice is None


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(), json_values, max_size=4))
@settings(max_examples=30, deadline=None)
def test_any_card_survives(info: dict[str, Any]) -> None:
    assert checkpoint.decode(checkpoint.encode(CONFIG, TENSORS, info))[2] == info


def test_what_does_not_fit_is_not_saved(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="head.dense.scale"):
        checkpoint.save(tmp_path / "a", CONFIG, {**TENSORS, "head.dense.scale": np.zeros(3, np.int16)}, {})
    with pytest.raises(OutputError, match="missing"):
        checkpoint.save(tmp_path / "missing" / "a", CONFIG, TENSORS, {})
    assert os.listdir(tmp_path) == []


def test_a_card_that_could_not_be_read_back_is_not_saved() -> None:
    assert checkpoint.decode(checkpoint.encode(CONFIG, TENSORS, {"x": "y" * 900_000}))[2]["x"][-1] == "y"
    with pytest.raises(CheckpointError, match="config and card take 2[0-9]{6} bytes"):
        checkpoint.encode(CONFIG, TENSORS, {"x": "y" * 2_000_000})
    refused(forged(info=json.dumps("y" * 2_000_000)), "^not a checkpoint")


def test_a_full_disk_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.safetensors"
    path.write_text("old")

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError, match="a.safetensors: .*No space left on device"):
        checkpoint.save(path, CONFIG, TENSORS, {})
    assert path.read_text() == "old" and os.listdir(tmp_path) == ["a.safetensors"]


# damage


def test_every_cut_is_noticed() -> None:
    draw = np.random.default_rng(0)
    lengths = [*range(0, 24), HEADER - 1, HEADER, HEADER + 1, *range(len(DATA) - 9, len(DATA))]
    for length in [*lengths, *draw.integers(0, len(DATA), 200).tolist()]:
        refused(DATA[:length])


def test_what_is_appended_is_noticed() -> None:
    for more in (b"\0", b"\n", b"\0" * 8, DATA):
        refused(DATA + more)


def flips() -> list[tuple[int, int]]:
    """Every bit of the header's length, some of every part of the header and of the data."""
    draw = np.random.default_rng(1)
    places = [(place, bit) for place in range(8) for bit in range(8)]
    places += [(int(place), int(draw.integers(8))) for place in draw.permutation(np.arange(8, HEADER))[:1200]]
    places += [(int(place), int(draw.integers(8))) for place in draw.integers(HEADER, len(DATA), 200)]
    return [*places, (HEADER, 0), (len(DATA) - 1, 7)]


def test_every_flipped_bit_is_noticed() -> None:
    for place, bit in flips():
        data = bytearray(DATA)
        data[place] ^= 1 << bit
        try:
            checkpoint.decode(bytes(data))
        except CheckpointError as error:
            assert "\n" not in str(error)
        else:
            pytest.fail(f"bit {bit} of byte {place} of {len(DATA)} may be flipped")


def test_a_checksum_of_other_content() -> None:
    refused(forged(digest="0" * 64), "damaged: its checksum")
    refused(forged(digest=""), "damaged: its checksum")


# other files


def test_what_is_no_voice_keeps_its_format() -> None:
    """Bytes of a version 1 file: published checkpoints and what older programs read."""
    meta = json.loads(DATA[8:HEADER])["__metadata__"]
    assert meta["version"] == "1" and meta["format"] == "synth-checkpoint"
    assert (
        json.loads(meta["config"]) == CONFIG.to_json() and not {"stride", "period", "hints"} & CONFIG.to_json().keys()
    )
    for name in registry.names():
        path, data = registry.read(name)
        if not format.is_classifier(data):
            again = checkpoint.encode(*checkpoint.decode(data))
            assert again == data, path


def test_a_newer_format_says_so() -> None:
    newer = format.pack(format.FORMAT, CONFIG.to_json(), TENSORS, INFO, version=5)
    refused(newer, "^format version 5; this synth reads 4: install a newer one$")
    refused(forged(version="x\ny" * 1000))


def test_safetensors_of_other_projects() -> None:
    weights = {"model.layers.0.weight": np.zeros((4, 4), np.float32)}
    for meta in (None, {"format": "pt"}, {"format": "np", "version": "1"}):
        refused(to_bytes(weights, meta), "not a synth checkpoint")
    refused(to_bytes({}, {"format": format.FORMAT, "version": "1"}), "checksum")
    refused(forged(tensors=weights), "tensor .* is (missing|not one that this network has)")


class Evil:
    """Makes a file when it is unpickled."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return (open, (self.path, "w"))


@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
def test_a_pickle_is_never_opened(protocol: int, tmp_path: Path) -> None:
    path = tmp_path / "evil.safetensors"
    path.write_bytes(pickle.dumps(Evil(str(tmp_path / "was here")), protocol))
    with pytest.raises(CheckpointError, match="^.*evil.safetensors: not a checkpoint"):
        checkpoint.load(path)
    assert os.listdir(tmp_path) == ["evil.safetensors"]


@pytest.mark.parametrize("data", [b"", b"text", b"RIFF\x24\0\0\0WAVEfmt ", b"PK\x03\x04" + bytes(100), bytes(1000)])
def test_what_is_no_safetensors_at_all(data: bytes) -> None:
    refused(data, "^not a checkpoint")


# finding


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    with open(path, "wb") as file:
        file.write(DATA)
        file.truncate(1 << 40)
    began = time.perf_counter()
    with pytest.raises(CheckpointError, match=f"^{path}: {1 << 40} bytes; a checkpoint has at most"):
        checkpoint.load(path)
    assert time.perf_counter() - began < 0.2


def test_every_error_of_a_file_names_it(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    for data in (DATA[:-1], forged(version="2"), b"", with_header(b"[" * 9999), forged("{}")):
        path.write_bytes(data)
        with pytest.raises(CheckpointError, match=f"^{path}: "):
            checkpoint.load(path)


@pytest.mark.parametrize("name", ["missing", "", "x" * 5000, "a\0b", "a/b/c.safetensors", "-"])
def test_names_that_nothing_has(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(registry, "folder", lambda: tmp_path)
    if name == "":
        monkeypatch.chdir(tmp_path)
    with pytest.raises(CheckpointError, match="no such checkpoint; bundled are none, or give a file|is a folder"):
        checkpoint.load(name)


def test_a_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=f"^{tmp_path}: is a folder"):
        checkpoint.load(tmp_path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    path.write_bytes(DATA)
    path.chmod(0)
    with pytest.raises(CheckpointError, match="can't be read .Permission denied"):
        checkpoint.load(path)


@pytest.fixture
def bundled(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    for seed, name in enumerate(("digits-1", "digits-2", "digits-10", "piano-1", "grand-piano-3", "plain"), 1):
        checkpoint.save(tmp_path / f"{name}.safetensors", CONFIG, random_tensors(CONFIG, seed), {"name": name})
    (tmp_path / "digits-11.txt").write_text("no checkpoint")
    monkeypatch.setattr(registry, "folder", lambda: tmp_path)
    return tmp_path


def test_a_plain_name_is_the_newest_and_a_numbered_one_stays(bundled: Path) -> None:
    assert registry.names() == ["digits-1", "digits-2", "digits-10", "grand-piano-3", "piano-1"]
    for asked, found in (
        *[("digits", "digits-10"), ("digits-1", "digits-1"), ("digits-2", "digits-2"), ("digits-10", "digits-10")],
        *[("piano", "piano-1"), ("grand-piano", "grand-piano-3")],
    ):
        loaded = checkpoint.load(asked)
        assert (loaded.name, loaded.info["name"]) == (found, found)
    for missing in ("digits-3", "plain", "grand", "digits-", "digits-01"):
        with pytest.raises(CheckpointError, match="bundled are digits-1, digits-2, digits-10, grand-piano-3, piano-1"):
            checkpoint.load(missing)


def test_a_path_is_a_path(bundled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(bundled)
    assert checkpoint.load("plain.safetensors").info["name"] == "plain"
    assert checkpoint.load(bundled / "digits-2.safetensors").name == "digits-2"


def test_the_bundled_ones_can_be_loaded() -> None:
    for name in registry.names():
        path, data = registry.read(name)
        loaded = classifier.from_bytes(path, data) if format.is_classifier(data) else checkpoint.load(name)
        assert loaded.name == name
