"""Parts of a voice by the C++ kernel: what its modules specify in NumPy, bit for bit. All may be shared by threads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from synth.common.errors import CheckpointError
from synth.common.typing import AnyArray, Int16, Int32, Int64, Tensors, UInt8, UInt32
from synth.engine import _kernel
from synth.engine.config import SamplingConfig
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


def voice_model(
    sizes: Sequence[int],
    network: Any,
    planner: Any,
    *,
    conditioner: Sequence[Layer],
    envelope: Sequence[Layer],
    postfilter: Postfilter | None,
    oscillators: Oscillators | None,
    tensors: Tensors,
) -> _kernel.VoiceModel:
    """What all streams of a voice share; `network`, `planner`: engines. See csrc/python/bind_voice_stream.cpp."""
    wanted = {name: np.ascontiguousarray(tensors[name]) for name in tensors if name.startswith("bed.")}
    wanted["vocoder.books"] = np.ascontiguousarray(tensors["vocoder.books"])
    return _kernel.voice_model(
        list(sizes),
        network.network,
        None if planner is None else planner.network,
        [layer._kernel for layer in conditioner],
        [layer._kernel for layer in envelope],
        None if postfilter is None else postfilter._kernel,
        None if oscillators is None else oscillators._kernel,
        wanted,
    )


PARTS = ("planner", "conditioner", "bed", "network", "postfilter")
"""Of a voice's stream."""
Plan = tuple[Any, Any, int, int, int, int]
"""A planner's state and that without labels (or None), how it draws, and how many of its last keys it is told."""


class VoiceStream:
    """A voice's stream in the kernel; moves the engine's states that it is given.

    `model`: of `voice_model`; `state`: the network's; `plan`: None where latents are pushed; `ahead`: token frames that
    are conditioned at once; `arrays`: where it stands, as `save` says.
    """

    def __init__(
        self, model: Any, state: Any, sampling: SamplingConfig, plan: Plan | None, ahead: int, arrays: Tensors
    ) -> None:
        draw = sampling.inverse_temperature, sampling.top_k, sampling.top_p
        source = None
        if plan is not None:
            own, free, *options = plan
            source = (own.kernel, None if free is None else free.kernel, *options)
        arrays = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
        self.kernel = _kernel.voice_stream(model, state.kernel, source, ahead, draw, arrays)

    @property
    def position(self) -> int:
        """Samples that left the stream."""
        return self.kernel.position

    @property
    def labels(self) -> tuple[int, ...]:
        """Label ids in force now."""
        return tuple(self.kernel.labels)

    @property
    def part_seconds(self) -> dict[str, float]:
        """How long each part took so far."""
        return dict(zip(PARTS, self.kernel.seconds, strict=True))

    def relabel(self, label_ids: Sequence[int]) -> None:
        """Other label ids from the network's next frame on."""
        self.kernel.relabel([int(label) for label in label_ids])

    def wanted(self, count: int) -> tuple[int, int]:
        """Token frames, the first and the one behind the last, that must be known before `count` samples are read."""
        first, last = self.kernel.wanted(count)
        return first, last

    def plan(self, rows: Int64) -> None:
        """Label ids for what is planned next: (changes, 1 + keys), a token frame and its ids a row."""
        self.kernel.plan(np.ascontiguousarray(rows, np.int64))

    def push(self, latents: AnyArray, last: bool) -> None:
        """The 8-bit latents of the next token frames, (frames, latent); no others come where `last`."""
        self.kernel.push(np.ascontiguousarray(latents, np.int8), last)

    def save(self) -> Tensors:
        """Where the stream stands."""
        return dict(self.kernel.save())


def read_voices(streams: Sequence[VoiceStream], count: int) -> Int16:
    """The next `count` samples of streams of one voice: int16 (streams, count)."""
    return _kernel.read_voices([stream.kernel for stream in streams], count).reshape(len(streams), count)


def draw_voices(streams: Sequence[VoiceStream], count: int) -> UInt8:
    """The next `count` codes of streams of one voice without a postfilter: uint8 (streams, count)."""
    return _kernel.draw_voices([stream.kernel for stream in streams], count).reshape(len(streams), count)


def de_emphasised(samples: Int16, state: int) -> tuple[Int32, int]:
    """What synth/vocoder/emphasis.py specifies: filtered samples (n,) and the state after them."""
    out = np.empty(len(samples), np.int32)
    return out, _kernel.de_emphasise(np.ascontiguousarray(samples), state, out)
