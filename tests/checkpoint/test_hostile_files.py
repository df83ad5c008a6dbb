"""Checkpoint files that mean harm: headers, configs and tensors that may not crash, hang or fill the memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.forging import CONFIG, DATA, TENSORS, forged, refused, with_header
from numpy.typing import NDArray

from synth.checkpoint import format
from synth.common.typing import Tensors


def entry(**change: Any) -> bytes:
    """A header of one tensor, with some of it replaced."""
    meta = {"format": format.FORMAT, "version": "1", "config": "{}", "info": "{}", "digest": ""}
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
            *[("stride", value) for value in (-1, 65, True, 1.0, "1", None)],
            *[("period", value) for value in (-1, 3, 32, 2**62, True, 8.0, None)],
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
from synth.generation import checkpoint
from synth.common.errors import CheckpointError

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
