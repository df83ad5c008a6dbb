"""The bytes of a saved stream: named arrays behind a checksum."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from synth.common.arrays import require_saved, saved_array
from synth.common.errors import CheckpointError, EngineError
from synth.common.typing import Int64, Tensors
from synth.engine.config import SamplingConfig
from synth.engine.interface import Engine


def pack(arrays: Tensors) -> bytes:
    """The bytes of a stream's arrays; `unpack` reads them."""
    from safetensors.numpy import save

    data = save({name: np.ascontiguousarray(value) for name, value in arrays.items()})
    return hashlib.sha256(data).digest() + data


def unpack(saved: bytes, sha256: str, name: str) -> Tensors:
    """The arrays that `pack` took; CheckpointError for damaged bytes, or another checkpoint than `sha256`, `name`."""
    from safetensors.numpy import load

    digest, data = bytes(saved[:32]), bytes(saved[32:])
    if hashlib.sha256(data).digest() != digest:
        raise CheckpointError("saved stream: is damaged or not one of ours")
    with refusing():
        arrays = load(data)
        if arrays["stream.checkpoint"].tobytes().hex() != sha256:
            raise CheckpointError(f"saved stream: is of another checkpoint than {name}")
    return arrays


@contextmanager
def refusing() -> Iterator[None]:
    """Makes a CheckpointError of whatever goes wrong with arrays that are none of a stream."""
    from safetensors import SafetensorError

    try:
        yield
    except (SafetensorError, EngineError, KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"saved stream: is not one of ours ({error})") from None


def take_part(arrays: Tensors, prefix: str) -> Tensors:
    """Removes the arrays whose names begin with `prefix` and returns them without it."""
    return {name.removeprefix(prefix): arrays.pop(name) for name in list(arrays) if name.startswith(prefix)}


def sampling_array(sampling: SamplingConfig) -> Int64:
    """A way to sample as it is saved: inverse temperature, top-k, top-p."""
    return np.array([sampling.inverse_temperature, sampling.top_k, sampling.top_p], np.int64)


def restored_sampling(saved: Tensors, name: str) -> SamplingConfig:
    """The way to sample that was saved as `name`; EngineError when it is out of range."""
    inverse_temperature, top_k, top_p = (int(value) for value in saved_array(saved, name, "int64", (3,)))
    sampling = SamplingConfig(inverse_temperature, top_k, top_p)
    require_saved(0 <= sampling.inverse_temperature <= 1 << 24)
    require_saved(1 <= sampling.top_k <= 256 and 1 <= sampling.top_p <= 1 << 32)
    return sampling


def restored_state(engine: Engine, arrays: Tensors) -> Any:
    """The engine's state among a saved stream's arrays; EngineError for what is none of it."""
    for foreign in ("postfilter.", "guide."):
        take_part(arrays, foreign)
    return engine.restore({name.removeprefix("state."): value for name, value in arrays.items()})
