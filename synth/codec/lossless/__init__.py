"""The lossless codec's core: a segment of integer samples to bytes and back, the same bytes on every machine.

A segment's shape, bits and compression effort are not in its bytes; a container keeps them, and a checksum. The
compiled csrc/codec/segment.cpp does the work, or where that is not built its specification in NumPy, segment.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from synth import engine
from synth.common.errors import CodecError, EngineError
from synth.common.limits import LEVELS, MAX_CHANNELS
from synth.common.typing import AnyArray, Int32, UInt8, UInt16

if TYPE_CHECKING:
    from synth.engine import Engine

BITS = range(4, 25)
HINTS = 8
"""Inputs of a corrector beside the sample's bin, each of a byte."""


def _check(channels: int, bits: int, effort: str, network: Any) -> int:
    if not 1 <= channels <= MAX_CHANNELS:
        raise CodecError(f"{channels} channels: must be 1 to {MAX_CHANNELS}")
    if bits not in BITS:
        raise CodecError(f"{bits} bits: must be {BITS[0]} to {BITS[-1]}")
    if effort not in LEVELS:
        raise CodecError(f"level {effort}: must be {', '.join(LEVELS)}")
    if network is not None and effort == LEVELS[0]:
        raise CodecError(f"level {effort}: no network can listen; {' and '.join(LEVELS[1:])} take one")
    return LEVELS.index(effort)


def _native(network: Engine | None) -> tuple[Any, str, Any]:
    """The compiled module, the instruction set to use, and the module's form of a native engine."""
    from synth.engine import _kernel, native

    if network is None:
        return _kernel, native.chosen_set(), None
    if not isinstance(network, native.NativeEngine):
        raise EngineError(f"engine {network.name}: the compiled codec needs a native engine")
    return _kernel, native.chosen_set(), network.network


def _specified(network: Engine | None) -> tuple[Any, Any]:
    """The specification, which does the same slowly, and the engine that it can use."""
    engine.warn_slow()
    from synth.codec.lossless import segment
    from synth.engine.reference import ReferenceEngine

    if network is not None and not isinstance(network, ReferenceEngine):
        raise EngineError(f"engine {network.name}: the codec in NumPy needs the reference engine")
    return segment, network


def encode_segment(samples: AnyArray, bits: int, effort: str = "balanced", network: Engine | None = None) -> bytes:
    """Bytes of signed integer samples [frames, channels], each of `bits` bits; 8-bit audio counts from -128.

    `network` predicts too, and its distribution is mixed with the others. Samples that all are values of mu-law codes
    (16 bits) are coded as codes. Raises CodecError for samples, bits or an effort that can't be; releases the
    interpreter's lock.
    """
    samples = np.asarray(samples)
    if samples.ndim != 2 or samples.dtype.kind not in "iu":
        raise CodecError(f"samples: {samples.dtype} of shape {samples.shape}, must be integers [frames, channels]")
    number = _check(samples.shape[1], bits, effort, network)
    bound = 1 << (bits - 1)
    if samples.size and not -bound <= int(samples.min()) <= int(samples.max()) < bound:
        raise CodecError(f"samples: not all of {bits} bits")
    whole = np.ascontiguousarray(samples, np.int32)
    data: bytes
    if engine.has_native():
        kernel, chosen, packed = _native(network)
        data = kernel.encode_segment(chosen, whole, bits, number, packed)
    else:
        specified, reference = _specified(network)
        data = specified.encode_segment(whole, bits, effort, reference)
    return data


def decode_segment(
    data: bytes,
    frames: int,
    channels: int,
    bits: int,
    effort: str = "balanced",
    network: Engine | None = None,
) -> Int32:
    """The samples, int32 [frames, channels], that `encode_segment` made these bytes of with the same other arguments.

    Raises CodecError where the bytes can't be that; damage that can be seen only in the samples gives other samples.
    """
    number = _check(channels, bits, effort, network)
    if frames < 0:
        raise CodecError(f"{frames} frames: must be 0 or more")
    samples: Int32
    try:
        if engine.has_native():
            kernel, chosen, packed = _native(network)
            samples = kernel.decode_segment(chosen, data, frames, channels, bits, number, packed)
        else:
            specified, reference = _specified(network)
            samples = specified.decode_segment(data, frames, channels, bits, effort, reference)
    except (ValueError, MemoryError) as error:
        raise CodecError(str(error) or "segment: memory is out") from None
    return samples


def trace(samples: AnyArray, bits: int, effort: str = "balanced") -> tuple[UInt8, UInt8, UInt16]:
    """A corrector's inputs along samples (n,) of one channel of `bits` bits, to train one; see `corrector`.

    Hints uint8 (n, HINTS), the samples' bins of the mixture's cdf uint8 (n,), and where their intervals begin and end
    among the bins, in 1/256 of one, uint16 (n, 2); nothing of samples that are all the same. Raises CodecError for
    samples that don't fit their bits, EngineError where the engine is not compiled.
    """
    if not engine.has_native():
        raise EngineError(f"traces need the native engine: {engine.ADVICE}")
    from synth.engine import _kernel, native

    number = _check(1, bits, effort, None)
    sound = np.ascontiguousarray(samples, np.int32)
    hints = np.zeros((len(sound), HINTS), np.uint8)
    bins, bounds = np.zeros(len(sound), np.uint8), np.zeros((len(sound), 2), np.uint16)
    try:
        varies = _kernel.trace(native.chosen_set(), sound, bits, number, hints, bins, bounds)
    except ValueError as error:
        raise CodecError(str(error)) from None
    return (hints, bins, bounds) if varies else (hints[:0], bins[:0], bounds[:0])
