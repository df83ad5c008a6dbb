"""Parts of a voice by the C++ kernel: what its modules specify in NumPy, bit for bit. All may be shared by threads."""

from __future__ import annotations

from typing import Any

import numpy as np

from synth.common.errors import CheckpointError
from synth.common.typing import AnyArray, Int16, Int32, Int64, Tensors, UInt8, UInt32
from synth.engine import _kernel
from synth.engine.native import chosen_set


def _create(factory: Any, arguments: tuple[Any, ...], tensors: Tensors, wanted: set[str]) -> Any:
    own = {name: np.ascontiguousarray(tensors[name]) for name in wanted & tensors.keys()}
    try:
        return factory(chosen_set(), *arguments, own)
    except ValueError as error:
        raise CheckpointError(f"tensor {error}") from None


class Postfilter:
    """The filter of synth/vocoder/frame_filter.py."""

    def __init__(self, hop: int, mels: int, tensors: Tensors) -> None:
        self.hop = hop
        tables = {f"postfilter.{name}" for name in ("window", "cosine", "bands", "shares", "logarithm", "power")}
        self._kernel: _kernel.Postfilter = _create(_kernel.postfilter, (hop, mels), tensors, tables)

    def add(self, samples: Int16, target: Int64, total: Int64, place: int) -> Int16:
        """Adds filtered frames to `total` and returns complete samples, of which the first is at `place` of a hop."""
        out = np.empty(len(target) * self.hop, np.int16)
        self._kernel.filter(np.ascontiguousarray(samples), np.ascontiguousarray(target, np.int32), total, place, out)
        return out


class Layer:
    """A layer of synth/engine/layers.py."""

    def __init__(self, name: str, tensors: Tensors) -> None:
        wanted = {f"{name}.{part}" for part in ("weight", "scale", "shift", "bias")} | {"table.tanh"}
        self._kernel: _kernel.Layer = _create(_kernel.layer, (name,), tensors, wanted)
        self._rows = len(tensors[f"{name}.weight"])

    def values(self, x: Int64) -> Int64:
        """16-bit outputs (n, rows) of 8-bit inputs (n, columns)."""
        out = np.empty((len(x), self._rows), np.int16)
        self._kernel.values(np.ascontiguousarray(x, np.int8), out)
        return out.astype(np.int64)

    def hidden(self, x: Int64) -> Int64:
        """8-bit hidden values (n, rows)."""
        out = np.empty((len(x), self._rows), np.int8)
        self._kernel.hidden(np.ascontiguousarray(x, np.int8), out)
        return out.astype(np.int64)


class Codebooks:
    """The codebooks of synth/vocoder/vocoder.py, to be searched."""

    def __init__(self, tensors: Tensors) -> None:
        self._kernel: _kernel.Books = _create(_kernel.books, (), tensors, {"vocoder.books"})

    def search(self, latents: AnyArray, count: int) -> UInt8:
        """`count` tokens of 8-bit latents (n, latent): uint8 (n, count)."""
        out = np.empty((len(latents), count), np.uint8)
        self._kernel.search(np.ascontiguousarray(latents, np.int8), out)
        return out


class Oscillators:
    """The bank of synth/vocoder/oscillators.py."""

    def __init__(self, length: int, cosine: Int16) -> None:
        self.length = length
        self._kernel = _kernel.oscillators(chosen_set(), length, cosine)

    def render(self, starts: UInt32, increments: Int32, slopes: Int32, amplitudes: Int32) -> Int32:
        """The sum of all partials (segments x length,)."""
        out = np.empty(len(starts) * self.length, np.int32)
        increments, slopes, amplitudes = map(np.ascontiguousarray, (increments, slopes, amplitudes))
        self._kernel.render(np.ascontiguousarray(starts), increments, slopes, amplitudes, out)
        return out


def de_emphasised(samples: Int16, state: int) -> tuple[Int32, int]:
    """What synth/vocoder/emphasis.py specifies: filtered samples (n,) and the state after them."""
    out = np.empty(len(samples), np.int32)
    return out, _kernel.de_emphasise(np.ascontiguousarray(samples), state, out)
