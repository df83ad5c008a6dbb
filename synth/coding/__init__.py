"""The lossless codec's core: a segment of integer samples to bytes and back, the same bytes on every machine.

What a segment was (frames, channels, bits, level) is not in its bytes; a container keeps that, and a checksum.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from synth.errors import CodecError, EngineError

if TYPE_CHECKING:
    from synth.engine import Engine

LEVELS = ("fast", "balanced", "max")
MOST_CHANNELS = 8
BITS = range(4, 25)


def _check(channels: int, bits: int, level: str, network: Any) -> int:
    if not 1 <= channels <= MOST_CHANNELS:
        raise CodecError(f"{channels} channels: must be 1 to {MOST_CHANNELS}")
    if bits not in BITS:
        raise CodecError(f"{bits} bits: must be {BITS[0]} to {BITS[-1]}")
    if level not in LEVELS:
        raise CodecError(f"level {level}: must be {', '.join(LEVELS)}")
    if network is not None and level == LEVELS[0]:
        raise CodecError(f"level {level}: no network can listen; {' and '.join(LEVELS[1:])} take one")
    return LEVELS.index(level)


def _native() -> tuple[Any, str]:
    """The compiled module, and the instruction set to use."""
    from synth import engine

    if not engine.has_native():
        raise EngineError(f"the codec needs the compiled engine: {engine.ADVICE}")
    from synth.engine import _kernel, native

    return _kernel, native.chosen_set()


def _packed(network: Engine | None) -> Any:
    """The kernel's form of a native engine."""
    if network is None:
        return None
    from synth.engine.native import NativeEngine

    if not isinstance(network, NativeEngine):
        raise EngineError(f"engine {network.name}: the compiled codec needs a native engine")
    return network.network


def encode_segment(samples: NDArray[Any], bits: int, level: str = "balanced", network: Engine | None = None) -> bytes:
    """Bytes of signed integer samples [frames, channels], each of `bits` bits; 8-bit audio counts from -128.

    `network` listens along: what it expects is one of the opinions that are mixed. Samples that all are values of
    mu-law codes (16 bits) are coded as codes. Raises CodecError for samples, bits or a level that can't be;
    releases the interpreter's lock.
    """
    samples = np.asarray(samples)
    if samples.ndim != 2 or samples.dtype.kind not in "iu":
        raise CodecError(f"samples: {samples.dtype} of shape {samples.shape}, must be integers [frames, channels]")
    number = _check(samples.shape[1], bits, level, network)
    bound = 1 << (bits - 1)
    if samples.size and not -bound <= int(samples.min()) <= int(samples.max()) < bound:
        raise CodecError(f"samples: not all of {bits} bits")
    kernel, chosen = _native()
    data: bytes = kernel.encode_segment(chosen, np.ascontiguousarray(samples, np.int32), bits, number, _packed(network))
    return data


def decode_segment(
    data: bytes,
    frames: int,
    channels: int,
    bits: int,
    level: str = "balanced",
    network: Engine | None = None,
) -> NDArray[np.int32]:
    """The samples (int32 [frames, channels]) of bytes that `encode_segment` made with the same bits, level and network.

    Raises CodecError where the bytes can't be that; damage that can be seen only in the samples gives other samples.
    """
    number = _check(channels, bits, level, network)
    if frames < 0:
        raise CodecError(f"{frames} frames: must be 0 or more")
    kernel, chosen = _native()
    try:
        samples: NDArray[np.int32] = kernel.decode_segment(
            chosen, data, frames, channels, bits, number, _packed(network)
        )
    except (ValueError, MemoryError) as error:
        raise CodecError(str(error) or "segment: memory is out") from None
    return samples
