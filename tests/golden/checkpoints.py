"""The checkpoints of the golden test: small networks whose numbers no library's random generator or logarithm decides.

Run as `python tests/golden/checkpoints.py FOLDER` it writes them there.
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parents[2]
if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))

from synth.checkpoint import format, registry
from synth.common.labels import LabelSet
from synth.common.typing import Tensors
from synth.engine.config import ModelConfig
from synth.engine.layout import layout

LABELS = LabelSet((("digit", ("0", "1", "2")), ("speaker", ("a", "b"))))

# name: config (units are multiples of 16, some not of the 32 that the kernel pads to), then what is special
NETWORKS: dict[str, tuple[ModelConfig, str]] = {
    "least": (ModelConfig(8000, 16, 16, 16, 16, 16, 16), ""),
    "labelled": (ModelConfig(8000, 16, 32, 64, 48, 32, 16, labels=LABELS), ""),
    "uneven": (ModelConfig(8000, 16, 48, 80, 112, 48, 32, labels=LabelSet(LABELS.pairs[:1])), ""),
    "larger": (ModelConfig(16000, 16, 64, 96, 128, 64, 32), ""),
    "wild": (ModelConfig(8000, 16, 32, 32, 48, 32, 16, labels=LABELS), "wild"),
    "wilder": (ModelConfig(8000, 16, 64, 48, 80, 64, 32, labels=LabelSet(LABELS.pairs[1:])), "wild"),
    "sparse": (ModelConfig(8000, 16, 32, 64, 96, 32, 16, labels=LABELS), "sparse"),
    "sparser": (ModelConfig(8000, 16, 32, 48, 112, 16, 32), "sparse"),
    "given": (ModelConfig(8000, 16, 32, 48, 64, 32, 16, labels=LABELS, stride=2), "wild"),
    "steered": (ModelConfig(8000, 16, 32, 80, 48, 32, 32, stride=1), ""),
    "tokens": (ModelConfig(8000, 16, 64, 64, 48, 64, labels=LabelSet(LABELS.pairs[:1]), period=8), ""),
    "token": (ModelConfig(8000, 16, 16, 80, 112, 32, stride=64, period=1), "sparse"),
    "corrector": (ModelConfig(8000, 16, 32, 48, 80, 48, hints=8), ""),
    "hinted": (ModelConfig(8000, 16, 16, 32, 48, 32, hints=3), "wild"),
    "phased": (ModelConfig(8000, 16, 32, 48, 80, 32, 16, labels=LABELS, stride=3, phases=1), ""),
    "pitched": (ModelConfig(8000, 16, 16, 32, 112, 48, 32, stride=1, phases=1), "wild"),
}


def _numbers(name: str, shape: tuple[int, ...]) -> NDArray[np.int64]:
    """16-bit numbers, decided by `name`."""
    size = int(np.prod(shape))
    data = hashlib.shake_256(name.encode()).digest(2 * size)
    return np.frombuffer(data, "<i2").astype(np.int64).reshape(shape)


def _tame(name: str, kind: str, values: NDArray[np.int64]) -> NDArray[np.int64]:
    if kind == "int8":
        return values % 255 - 127
    if name.endswith(".scale"):
        return values % 16384 + 4096
    if name.endswith(".shift"):
        return values % 2 + 3
    return values // (96 if name.endswith("head.tree.bias") else 24)


def _wild(name: str, kind: str, values: NDArray[np.int64]) -> NDArray[np.int64]:
    """Whole ranges, with rows of the largest weights and many extremes: nearly all that can saturate does."""
    network, _, tensor = name.partition(" ")
    if network != "wilder" and tensor in ("head.tree.scale", "head.tree.bias"):
        return values % 1024  # codes that vary; those of "wilder" hardly do
    if network != "wilder" and tensor == "head.tree.shift":
        return values % 2 + 3
    if kind == "int8":
        values = values % 255 - 127
        values[1::7], values[2::7] = 127, -127
        return values
    if name.endswith(".scale"):
        return np.where(values % 5 == 0, 32767, values & 32767)
    if name.endswith(".shift"):
        return values % 13
    return np.where(values % 5 == 0, np.where(values >= 0, 32767, -32768), values)


def _thin(name: str, weights: NDArray[np.int64]) -> None:
    """Zero about three of four blocks of 16 rows x 4 columns, in one row of blocks all."""
    rows, columns = weights.shape
    blocks = _numbers(f"{name} blocks", (rows // 16, columns // 4))
    kept = blocks & 3 == 0
    kept[1] = False
    weights *= np.repeat(np.repeat(kept, 16, 0), 4, 1)


def _tables() -> Tensors:
    upper = [2**32 - 2**31 * 511**7 // (512 + x) ** 7 for x in range(1024)]  # rises, and no logarithm is needed
    probability = [2**32 - p for p in reversed(upper)] + upper
    # the bits of a share: its whole part and, below it, straight lines between the powers of two
    bits = [(p.bit_length(), (p << 48 >> p.bit_length()) - (1 << 47) >> 31) for p in probability]
    cost = [((33 - whole) << 16) - part for whole, part in bits]
    place = np.arange(8)
    return {
        "table.probability": np.array(probability, np.uint32),
        "table.cost": np.array(cost, np.uint32),
        "table.sigmoid": np.stack([16384 + 2000 * place, 2000 + 0 * place, -211 + 30 * place]).astype(np.int16),
        "table.tanh": np.stack([4000 * place, 4500 + 0 * place, -500 + 7 * place]).astype(np.int16),
    }


def _predictor(order: int) -> Tensors:
    """Constants that are exact in binary; order 32 forgets more slowly."""
    whole = 128 if order == 16 else 1024
    start = np.zeros(order)
    start[:3] = 1.5, -0.75, 0.125
    powers = np.array([1 - (15 - k) / whole for k in range(16)])
    return {
        "predictor.start": start,
        "predictor.powers": powers,
        "predictor.decay": np.array([1 - 16 / whole]),
        "predictor.ridge": np.array([100.0, 1.0]),
    }


def tensors(network: str) -> Tensors:
    """All tensors of one of NETWORKS."""
    config, special = NETWORKS[network]
    fixed = {**_tables(), **_predictor(config.order)}
    made: Tensors = {name: fixed[name] for name in fixed.keys() & layout(config).keys()}
    change = _wild if special == "wild" else _tame
    for name, (kind, shape) in layout(config).items():
        if name in made:
            continue
        values = change(f"{network} {name}", kind, _numbers(f"{network} {name}", shape))
        if special == "sparse" and name in ("sample.recurrent.weight", "frame.recurrent.weight"):
            _thin(f"{network} {name}", values)
        made[name] = values.astype(kind)
    return made


def write(folder: Path) -> list[Path]:
    """Writes all networks into `folder`; their files."""
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for network, (config, _) in NETWORKS.items():
        files.append(folder / f"{network}{registry.SUFFIX}")
        info = {"licence": "none", "corpus": "none"}
        # not by `save`, which takes steered networks and those over tokens with their voice alone
        files[-1].write_bytes(format.pack(format.FORMAT, config.to_json(), tensors(network), info))
    return files


if __name__ == "__main__":
    write(Path(sys.argv[1]))
