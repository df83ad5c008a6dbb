"""Golden codes: what this version makes of a network, a seed and options it must make for ever, on every machine."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from synth import engine
from synth.common.labels import LabelSet
from synth.engine.config import ModelConfig, SamplingConfig
from synth.engine.layout import check, layout

LABELS = LabelSet((("digit", ("0", "1", "2")), ("speaker", ("a", "b"))))
CONFIG = ModelConfig(8000, frame_units=16, sample_units=16, head_units=16, labels=LABELS)


def golden_tensors() -> dict[str, NDArray[Any]]:
    """A network of numbers that no library's random generator or logarithm decides."""
    tensors: dict[str, NDArray[Any]] = {}
    for name, (kind, shape) in layout(CONFIG).items():
        size = int(np.prod(shape))
        digest = b"".join(hashlib.sha256(f"{name} {k}".encode()).digest() for k in range(-(-size // 16)))
        values = np.frombuffer(digest, "<i2")[:size].astype(np.int64).reshape(shape)
        if kind == "int8":
            values = values % 255 - 127
        elif name.endswith(".scale"):
            values = values % 16384 + 4096
        elif name.endswith(".shift"):
            values = values % 2 + 2
        else:
            values = values // (96 if name == "head.tree.bias" else 24)
        tensors[name] = values.astype(kind)
    upper = [2**32 - 2**31 * 511**7 // (512 + x) ** 7 for x in range(1024)]  # rises, and no logarithm is needed
    probability = np.array([2**32 - p for p in reversed(upper)] + upper)
    tensors["table.probability"] = probability.astype(np.uint32)
    bits = [(2**32 // int(p)).bit_length() - 1 for p in probability]
    tensors["table.cost"] = np.array(bits, np.uint32) * 65536
    place = np.arange(8)
    tensors["table.sigmoid"] = np.stack([16384 + 2000 * place, 2000 + 0 * place, 0 * place]).astype(np.int16)
    tensors["table.tanh"] = np.stack([4000 * place, 4500 + 0 * place, -500 + 0 * place]).astype(np.int16)
    start = np.zeros(16)
    start[:3] = 1.5, -0.75, 0.125
    tensors |= {"predictor.start": start, "predictor.powers": np.array([1 - (15 - k) / 128 for k in range(16)])}
    tensors |= {"predictor.decay": np.array([0.875]), "predictor.ridge": np.array([100.0, 1.0])}
    return tensors


# fmt: off
GOLDEN: dict[str, list[int]] = {
    "drawn": [
        85, 174, 94, 65, 180, 75, 177, 83, 178, 86, 54, 38, 187, 2, 137, 70, 178, 175, 180, 183, 171, 173,
        71, 184, 186, 69, 167, 69, 94, 90, 166, 178, 86, 90, 189, 2, 177, 134, 170, 125, 69, 46, 189, 55,
        87, 64, 162, 221, 24, 163, 105, 178, 145, 95, 209, 178, 72, 186, 38, 94, 87, 148, 97, 64, 86, 67,
        182, 65, 61, 12, 68, 69,
    ],
    "labelled": [
        85, 174, 94, 65, 180, 75, 177, 179, 184, 185, 183, 71, 200, 71, 168, 111, 179, 206, 221, 187, 163,
        111, 71, 33, 202, 65, 167, 96, 90, 171, 166, 220, 89, 94, 187, 14, 183, 69, 144, 89, 185, 156, 186,
        125, 179, 116, 69, 69, 33, 163, 122, 122, 147, 95, 86, 86, 72, 210, 14, 89, 221, 134, 167, 70, 86,
        43, 86, 65, 163, 13, 68, 240,
    ],
    "cool": [
        85, 174, 95, 204, 188, 188, 177, 146, 178, 179, 183, 71, 86, 94, 174, 124, 179, 186, 188, 179, 185,
        69, 65, 65, 66, 180, 175, 160, 94, 70, 188, 176, 220, 186, 189, 8, 187, 68, 162, 89, 161, 184, 174,
        187, 185, 26, 69, 204, 90, 163, 187, 187, 95, 86, 86, 94, 76, 146, 174, 89, 219, 140, 71, 221, 182,
        107, 186, 144, 185, 95, 68, 89,
    ],
    "greedy": [
        86, 87, 174, 223, 161, 180, 180, 86, 86, 69, 189, 71, 75, 95, 87, 189, 87, 174, 68, 86, 65, 69, 94,
        245, 183, 86, 69, 90, 68, 65, 95, 65, 86, 87, 91, 183, 94, 86, 94, 86, 87, 94, 94, 174, 174, 174,
        94, 94, 174, 87, 94, 183, 175, 183, 86, 87, 183, 65, 65, 94, 94, 174, 77, 95, 94, 86, 90, 178, 130,
        94, 86, 87,
    ],
    "top": [
        87, 90, 184, 151, 186, 183, 167, 69, 69, 69, 185, 89, 94, 178, 69, 86, 90, 65, 206, 69, 90, 38, 180,
        89, 189, 69, 33, 162, 150, 179, 69, 221, 182, 69, 71, 86, 163, 167, 167, 71, 91, 94, 185, 95, 84,
        179, 94, 167, 33, 69, 183, 94, 69, 87, 95, 69, 91, 90, 89, 204, 107, 179, 69, 126, 183, 110, 85, 91,
        95, 95, 85, 69,
    ],
    "costs": [
        9, 6, 5, 14, 14, 12, 8, 12, 11, 11, 4, 4, 4, 6, 19, 5, 15, 5, 6, 12, 12, 9, 7, 8, 10, 6, 3, 7, 9, 7,
        4, 14, 10, 14, 6, 4, 10,
    ],
}
# fmt: on


@pytest.fixture(params=["reference", *engine.instruction_sets()])
def golden(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The engine of the golden network, in NumPy and with every instruction set of this machine."""
    if request.param != "reference":
        monkeypatch.setenv("SYNTH_ISA", request.param)
    check(CONFIG, golden_tensors())
    return engine.create(CONFIG, golden_tensors(), "reference" if request.param == "reference" else "native")


@pytest.mark.parametrize(
    ("name", "draw", "labels"),
    [
        ("drawn", SamplingConfig(), (0, 0)),
        ("labelled", SamplingConfig(), (3, 1)),
        ("cool", SamplingConfig(5461), (0, 2)),
        ("greedy", SamplingConfig(0), (1, 0)),
        ("top", SamplingConfig(4096, 20, 3 << 30), (2, 2)),
    ],
)
def test_golden_codes(name: str, draw: SamplingConfig, labels: tuple[int, int], golden: Any) -> None:
    state = golden.state(2**32 - 2, 3)
    state.labels = labels
    assert golden.generate(state, 72, draw).tolist() == GOLDEN[name]


def test_golden_costs(golden: Any) -> None:
    costs = golden.teacher_force(golden.state(), np.arange(0, 256, 7, dtype=np.uint8))
    assert (costs // 65536).tolist() == GOLDEN["costs"] and not (costs % 65536).any()
