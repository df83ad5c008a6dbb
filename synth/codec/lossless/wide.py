"""Segments of samples of 32 bits, floats or integers: an integer part that the segment coder codes, and residuals.

A sample is its bits as int32. Its integer part q says that it is q times the channel's step, rounded as its type is;
the residual is what the sample is beyond that, in units of the last place. Of integers that were multiplied by one
gain the step is that gain, and hardly anything is left.

Coded bytes: the bits of the integer parts (8, 16 or 24); of each channel a byte b for a step of 2^(b - 150), or 0 and a
double; a varint, how many bytes the integer parts have; these; the residuals' bytes, none where all are zero. Or the
byte 255 and the samples as they are, little-endian, where that is shorter.
"""

from __future__ import annotations

import math
import struct
from typing import TYPE_CHECKING

import numpy as np

from synth import engine
from synth.codec import lossless, varint
from synth.codec.lossless import residuals, steps
from synth.common.errors import CodecError
from synth.common.typing import AnyArray, Float64, Int32, UInt8, UInt32

if TYPE_CHECKING:
    from synth.engine import Engine

BITS = 32
"""Of the samples."""
WIDTHS = (8, 16, 24)
"""Bits that integer parts can have."""
_STORED = 255
_BIAS = 150


def encode_segment(samples: Int32, floats: bool, effort: str, network: Engine | None = None) -> bytes:
    """The bytes of samples [frames, channels], the bits of floats or integers; the opposite of `decode_segment`."""
    stored = bytes([_STORED]) + samples.astype("<i4").tobytes()
    if not samples.size:
        return b""
    parts, bits, widths = split(samples, floats)
    coded = lossless.encode_segment(parts, bits, effort, network)
    left, classes = _left(samples, parts, widths, floats)
    head = bytes([bits]) + b"".join(_pack_step(step) for step in widths) + varint.encode(len(coded))
    rest = _encode_residuals(left, classes, samples.shape[1]) if left.any() else b""
    data = head + coded + rest
    return data if len(data) < len(stored) else stored


def decode_segment(
    data: bytes, frames: int, channels: int, floats: bool, effort: str, network: Engine | None = None
) -> Int32:
    """The samples int32 [frames, channels]; CodecError where the bytes can't be a segment of them."""
    if data[:1] == bytes([_STORED]):
        if len(data) != 1 + 4 * frames * channels:
            raise _damaged()
        return np.frombuffer(data, "<i4", offset=1).astype(np.int32).reshape(frames, channels)
    bits, widths, coded, rest = _parse(data, channels)
    parts = lossless.decode_segment(coded, frames, channels, bits, effort, network)
    guess, classes = _guesses(parts, widths, floats)
    if rest:
        guess = guess + _decode_residuals(rest, classes.reshape(-1), channels).view(np.uint32).reshape(guess.shape)
    return _unordered(guess.view(np.int32), floats)


def split(samples: Int32, floats: bool) -> tuple[Int32, int, Float64]:
    """The integer parts of samples [frames, channels], their bits, and each channel's step."""
    values = steps.reals(samples, floats)
    widths = np.array([steps.choose(values[:, c], floats) for c in range(samples.shape[1])])
    with np.errstate(over="ignore", invalid="ignore"):
        scaled = np.nan_to_num(np.rint(values / widths), nan=0.0)
    most = int(np.abs(np.clip(scaled, -(1 << 23), 1 << 23)).max(initial=0)) + 1
    bits = next((bits for bits in WIDTHS if most <= 1 << (bits - 1)), WIDTHS[-1])
    bound = 1 << (bits - 1)
    return np.clip(scaled, -bound, bound - 1).astype(np.int32), bits, widths


def _damaged() -> CodecError:
    return CodecError("segment: damaged")


def _parse(data: bytes, channels: int) -> tuple[int, Float64, bytes, bytes]:
    """Bits, steps, and the bytes of integer parts and of residuals; CodecError for what is never written."""
    if not data or data[0] not in WIDTHS:
        raise _damaged()
    at, widths = 1, []
    for _ in range(channels):
        step, at = _unpack_step(data, at)
        widths.append(step)
    places = iter(range(at, len(data)))
    try:
        size = varint.read(lambda: data[next(places)])
    except (StopIteration, varint.TooLongError):
        raise _damaged() from None
    at = next(places, len(data))
    if size > len(data) - at:
        raise _damaged()
    return data[0], np.array(widths), data[at : at + size], data[at + size :]


def _pack_step(step: float) -> bytes:
    mantissa, exponent = math.frexp(step)
    return bytes([exponent - 1 + _BIAS]) if mantissa == 0.5 else b"\0" + struct.pack("<d", step)


def _unpack_step(data: bytes, at: int) -> tuple[float, int]:
    """A step and the place after it."""
    if at < len(data) and data[at]:
        step, at = math.ldexp(1.0, data[at] - _BIAS), at + 1
    elif at + 9 <= len(data):
        step, at = struct.unpack("<d", data[at + 1 : at + 9])[0], at + 9
    else:
        raise _damaged()
    if not steps.LEAST <= step <= steps.MOST:  # not NaN either
        raise _damaged()
    return step, at


def _ordered(samples: Int32, floats: bool) -> Int32:
    """Floats' bits as integers in the order of their values, one to the next; integers as they are."""
    return samples ^ ((samples >> 31) & 0x7FFFFFFF) if floats else samples


_unordered = _ordered
"""It undoes itself."""


def _guess(parts: AnyArray, widths: Float64, floats: bool) -> UInt32:
    """What the integer parts say that samples are, in order."""
    with np.errstate(over="ignore", under="ignore"):
        values = parts * widths
        if floats:
            return _ordered(values.astype(np.float32).view(np.int32), True).view(np.uint32)
        return np.clip(np.rint(values), -(2.0**31), 2.0**31 - 1).astype(np.int32).view(np.uint32)


def _guesses(parts: Int32, widths: Float64, floats: bool) -> tuple[UInt32, UInt8]:
    """The guess for each sample, and its class: the bits of the distance from it to the next one."""
    sizes = np.abs(parts)
    near, far = _guess(sizes, widths, floats), _guess(sizes + 1, widths, floats)
    gaps = (far - near).astype(np.float64)
    return _guess(parts, widths, floats), np.frexp(gaps)[1].astype(np.uint8)


def _left(samples: Int32, parts: Int32, widths: Float64, floats: bool) -> tuple[Int32, UInt8]:
    """The residuals and their classes, (samples,) each."""
    guess, classes = _guesses(parts, widths, floats)
    left = (_ordered(samples, floats).view(np.uint32) - guess).view(np.int32)
    return left.reshape(-1), classes.reshape(-1)


def _encode_residuals(left: Int32, classes: UInt8, channels: int) -> bytes:
    if not engine.has_native():
        return residuals.encode_residuals(left, classes, channels)
    from synth.engine import _kernel

    return _kernel.encode_residuals(np.ascontiguousarray(left), np.ascontiguousarray(classes), channels)


def _decode_residuals(data: bytes, classes: UInt8, channels: int) -> Int32:
    if not engine.has_native():
        return residuals.decode_residuals(data, classes, channels)
    from synth.engine import _kernel

    out = np.zeros(len(classes), np.int32)
    _kernel.decode_residuals(data, np.ascontiguousarray(classes), channels, out)
    return out
