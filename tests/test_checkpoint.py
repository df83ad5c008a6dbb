"""Checkpoint files: what is saved is loaded, and what can't be trusted is refused in one line, whatever it is."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import random_tensors
from numpy.typing import NDArray
from safetensors.numpy import save as to_bytes

from synth import checkpoint
from synth.config import ModelConfig
from synth.errors import CheckpointError, OutputError

Tensors = dict[str, NDArray[Any]]
LABELS = (("digit", ("0", "1", "zwölf")),)
CONFIG = ModelConfig(8000, frame_units=16, sample_units=16, head_units=16, labels=LABELS)
TENSORS = random_tensors(CONFIG, 1)
INFO = {"licence": "CC0", "bits_per_sample": {"test": 4.1}, "note": "é\n"}
DATA = checkpoint.encode(CONFIG, TENSORS, INFO)
HEADER = 8 + int.from_bytes(DATA[:8], "little")


def refused(data: bytes, words: str = ".") -> str:
    """The message of `decode`, which must be one line and come at once."""
    began = time.perf_counter()
    with pytest.raises(CheckpointError, match=words) as error:
        checkpoint.decode(data)
    assert time.perf_counter() - began < 2
    text = str(error.value)
    assert text and "\n" not in text and len(text) < 500
    return text


def forged(config: str | None = None, tensors: Tensors = TENSORS, info: str = "{}", **meta: str) -> bytes:
    """A file with a fitting checksum, whatever is in it: by somebody who means harm."""
    text = json.dumps(CONFIG.to_json()) if config is None else config
    digest = checkpoint._digest(str(checkpoint.VERSION), text, info, tensors)
    whole = {"format": checkpoint.FORMAT, "version": str(checkpoint.VERSION), "config": text, "info": info}
    return to_bytes(tensors, {**whole, "digest": digest, **meta})


def with_header(header: bytes, rest: bytes = b"") -> bytes:
    return len(header).to_bytes(8, "little") + header + rest


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
    config, tensors, info = checkpoint.decode(forged(info="[1]"))  # the other tests rely on it
    assert config == CONFIG and tensors.keys() == TENSORS.keys() and info == {}


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


def test_a_newer_format_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoint, "VERSION", 2)
    newer = checkpoint.encode(CONFIG, TENSORS, INFO)
    monkeypatch.undo()
    refused(newer, "^format version 2; this synth reads 1: install a newer one$")
    refused(forged(version="x\ny" * 1000))


def test_safetensors_of_other_projects() -> None:
    weights = {"model.layers.0.weight": np.zeros((4, 4), np.float32)}
    for meta in (None, {"format": "pt"}, {"format": "np", "version": "1"}):
        refused(to_bytes(weights, meta), "not a synth checkpoint")
    refused(to_bytes({}, {"format": checkpoint.FORMAT, "version": "1"}), "checksum")
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


# headers that mean harm


def entry(**change: Any) -> bytes:
    """A header of one tensor, with some of it replaced."""
    meta = {"format": checkpoint.FORMAT, "version": "1", "config": "{}", "info": "{}", "digest": ""}
    tensor = {"dtype": "I8", "shape": [4], "data_offsets": [0, 4], **change}
    return with_header(json.dumps({"__metadata__": meta, "x": tensor}).encode(), bytes(4))


HOSTILE = {
    "length 2^62": (2**62).to_bytes(8, "little") + DATA[8:],
    "length 2^63": (2**63).to_bytes(8, "little") + DATA[8:],
    "length 2^64 - 1": b"\xff" * 8 + DATA[8:],
    "length 0": bytes(8) + DATA[8:],
    "length past the end": len(DATA).to_bytes(8, "little") + DATA[8:],
    "length alone": (2**62).to_bytes(8, "little"),
    "tensor of 2^62 bytes": entry(shape=[2**62], data_offsets=[0, 2**62]),
    "tensor of 2^62 bytes in 4": entry(shape=[2**62]),
    "shape that overflows": entry(shape=[2**32, 2**32]),
    "shape of 2^64 more": entry(shape=[2**64 + 4]),
    "shape that is negative": entry(shape=[-4]),
    "shape of many ones": entry(shape=[1] * 100_000),
    "shape of many dimensions": entry(shape=[1] * 70 + [4]),
    "shape of nothing, twice as large": entry(shape=[0, 2**62], data_offsets=[0, 0]),
    "offsets backwards": entry(data_offsets=[4, 0]),
    "offsets outside": entry(data_offsets=[4, 8]),
    "unknown type": entry(dtype="X9"),
    "type that NumPy lacks": entry(dtype="F8_E4M3"),
    "half bytes": entry(dtype="F4", shape=[8]),
    "type that is a number": entry(dtype=7),
    "deep lists": with_header(b"[" * 900_000),
    "deep objects": with_header(b'{"a":' * 150_000),
    "deep within": with_header(b'{"__metadata__":' + b"[" * 400_000 + b"]" * 400_000 + b"}"),
    "deep within, not too deep": with_header(b'{"__metadata__":{"a":' + b"[" * 900 + b"]" * 900 + b"}}"),
    "a header of blanks": with_header(b" " * 1_000_000),
    "a header above the limit": with_header(b" " * 1_100_000 + b"{}"),
    "a long number": with_header(b'{"__metadata__":{"a":' + b"9" * 900_000 + b"}}"),
    "a large float": with_header(b'{"__metadata__":{"a":1e999999999}}'),
    "a list": with_header(b"[]"),
    "null": with_header(b"null"),
    "a text": with_header(b'"x"'),
    "a number": with_header(b"7"),
    "metadata as list": with_header(b'{"__metadata__":[1]}'),
    "metadata as text": with_header(b'{"__metadata__":"synth-checkpoint"}'),
    "metadata of numbers": with_header(b'{"__metadata__":{"format":1}}'),
    "metadata of lists": with_header(b'{"__metadata__":{"format":"synth-checkpoint","version":"1","config":["x"]}}'),
    "no utf-8": with_header(b'{"\xff\xfe":1}'),
    "utf-16": with_header('{"__metadata__":{}}'.encode("utf-16")),
    "half a character": with_header(b'{"__metadata__":{"format":"\\ud800"}}'),
    "names twice": with_header(b'{"__metadata__":{"format":"a"},"__metadata__":{"format":"synth-checkpoint"}}'),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_headers_that_mean_harm(name: str) -> None:
    refused(HOSTILE[name])


CONFIGS = {
    "no JSON": "{",
    "nothing": "",
    "a list": "[]",
    "null": "null",
    "deep": "[" * 300_000,
    "deep labels": json.dumps({**CONFIG.to_json(), "labels": "?"}).replace('"?"', "[" * 900 + "]" * 900),
    **{
        f"{name} {value!r:.20}": json.dumps({**CONFIG.to_json(), name: value})
        for name, value in [
            *[("frame_units", value) for value in (2**62, 0, -16, 17, 16.0, "16", True, None, [16])],
            *[("hop", 32), ("window", 8), ("window", 2**40), ("order", 8), ("order", 2**31), ("sample_rate", 10**30)],
            *[("decay", value) for value in (1.0, 0.5, 1, "x", float("nan"), float("inf"), -1e308)],
            *[
                ("labels", value)
                for value in (None, 7, "ab", [[]], [["a"]], [["a", 3]], [["a", []]], [["a", ["x"] * 2]])
            ],
            *[
                ("labels", value)
                for value in ([["a", ["x"]]] * 2, [[f"k{n}", ["x"]] for n in range(17)], [["a", "b", "c"]])
            ],
            *[("another", 1), ("labels", [["lines\nlines\n" * 1000, []]])],
        ]
    },
    "a name less": json.dumps({k: v for k, v in CONFIG.to_json().items() if k != "hop"}),
}


@pytest.mark.parametrize("name", CONFIGS)
def test_configs_that_mean_harm(name: str) -> None:
    refused(forged(CONFIGS[name]), "config|multiple of 16|must be|label|sample rate")


def test_cards_that_mean_harm() -> None:
    refused(forged(info="[" * 300_000), "config can't be used")
    refused(forged(info="{"), "config can't be used")


def changed(name: str, change: Callable[[NDArray[Any]], None]) -> Tensors:
    copy = TENSORS[name].copy()
    change(copy)
    return {**TENSORS, name: copy}


def put(place: Any, value: Any) -> Callable[[NDArray[Any]], None]:
    def change(array: NDArray[Any]) -> None:
        array[place] = value

    return change


WRONG: dict[str, Tensors] = {
    "frame.input.weight": {**TENSORS, "frame.input.weight": TENSORS["frame.input.weight"][:, :16].copy()},
    "frame.input.bias": {**TENSORS, "frame.input.bias": TENSORS["frame.input.bias"].astype(np.int32)},
    "sample.code": {**TENSORS, "sample.code": TENSORS["sample.code"].T.copy()},
    "head.dense.scale": {**TENSORS, "head.dense.scale": TENSORS["head.dense.scale"].astype(np.uint16)},
    "predictor.start": {**TENSORS, "predictor.start": np.zeros(32)},
    "frame.label.0": {**TENSORS, "frame.label.0": TENSORS["frame.label.0"][:2].copy()},
    "frame.label.1": {**TENSORS, "frame.label.1": TENSORS["frame.label.0"]},
    "more": {**TENSORS, "more": np.zeros(0)},
    "lines": {**TENSORS, "lines\nlines\n" * 1000: np.zeros(0)},
    "head.tree.bias": {name: tensor for name, tensor in TENSORS.items() if name != "head.tree.bias"},
    "head.tree.weight": changed("head.tree.weight", put((7, 3), -128)),
    "sample.recurrent.scale": changed("sample.recurrent.scale", put(5, -1)),
    "head.tree.shift": changed("head.tree.shift", put(0, 13)),
    "head.dense.shift": changed("head.dense.shift", put(0, -1)),
    "table.sigmoid": changed("table.sigmoid", put((0, 7), 32767)),
    "table.sigmoid ": changed("table.sigmoid", put((0, 0), 16000)),
    "table.sigmoid  ": changed("table.sigmoid", put((1, 3), -32768)),
    "table.sigmoid   ": changed("table.sigmoid", put((slice(1, 3), 2), 32767)),
    "table.tanh": changed("table.tanh", put((0, 0), -1)),
    "table.tanh ": changed("table.tanh", put((2, 0), 32767)),
    "table.tanh  ": changed("table.tanh", put((slice(None), 2), [0, 32767, 31])),  # in range, by an inner overflow
    "table.probability": changed("table.probability", put(2047, 0)),
    "table.probability ": changed("table.probability", put(5, 2**31)),
    "table.probability  ": changed("table.probability", put(slice(None), 2**31 + 1)),
    "table.probability   ": {**TENSORS, "table.probability": TENSORS["table.probability"][::-1].copy()},
    "table.cost": changed("table.cost", put(0, 2**32 - 1)),
    "predictor.start ": changed("predictor.start", put(0, 65.0)),
    "predictor.start  ": changed("predictor.start", put(0, np.nan)),
    "predictor.powers": changed("predictor.powers", put(3, np.inf)),
    "predictor": changed("predictor.powers", put(3, 1.5)),
    "predictor ": changed("predictor.decay", put(0, 0.0)),
    "predictor  ": changed("predictor.ridge", put(1, 0.0)),
    "predictor   ": changed("predictor.ridge", put(0, 1e300)),
    "predictor.ridge": changed("predictor.ridge", put(0, -np.inf)),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_tensor_that_does_not_fit_is_named(name: str) -> None:
    label = "predictor" if name.startswith("predictor.start ") else name.strip()
    assert label in refused(forged(tensors=WRONG[name]), "^tensors? ")


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="the limit is set by what /proc tells")
def test_no_hostile_file_takes_memory(tmp_path: Path) -> None:
    """All of the above again in a process that may take 100 MB more than what it has after its imports."""
    cases = [
        *HOSTILE.values(),
        *map(forged, CONFIGS.values()),
        *(forged(tensors=tensors) for tensors in WRONG.values()),
    ]
    (tmp_path / "cases.json").write_text(json.dumps([case.hex() for case in cases]))
    code = """
import json, resource, sys
from synth import checkpoint
from synth.errors import CheckpointError

cases = [bytes.fromhex(case) for case in json.load(open(sys.argv[1]))]
size = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (size + 100_000_000, size + 100_000_000))
for case in cases:
    try:
        checkpoint.decode(case)
    except CheckpointError:
        continue
    sys.exit("read")
print(len(cases))
"""
    command = [sys.executable, "-c", code, tmp_path / "cases.json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100)
    assert (done.returncode, done.stdout.strip()) == (0, str(len(cases))), done.stderr


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
    for data in (DATA[:-1], forged(version="2"), b"", HOSTILE["deep lists"], forged(tensors=WRONG["table.cost"])):
        path.write_bytes(data)
        with pytest.raises(CheckpointError, match=f"^{path}: "):
            checkpoint.load(path)


@pytest.mark.parametrize("name", ["missing", "", "x" * 5000, "a\0b", "a/b/c.safetensors", "-"])
def test_names_that_nothing_has(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(checkpoint, "folder", lambda: tmp_path)
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
    monkeypatch.setattr(checkpoint, "folder", lambda: tmp_path)
    return tmp_path


def test_a_plain_name_is_the_newest_and_a_numbered_one_stays(bundled: Path) -> None:
    assert checkpoint.names() == ["digits-1", "digits-2", "digits-10", "grand-piano-3", "piano-1"]
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
    for name in checkpoint.names():
        assert checkpoint.load(name).name == name
