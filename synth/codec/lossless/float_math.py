"""The codec's logarithm, exponential and what is made of them, as specified: + - * / and bits alone."""

from __future__ import annotations

import struct

import numpy as np

from synth.common.typing import Float32

f32 = np.float32


def exponent(x: float) -> int:
    """log2, rounded down, from the bits of a double."""
    return int(struct.unpack("<q", struct.pack("<d", x))[0] >> 52) - 1023


def limited(x: int, most: int) -> int:
    """`x` within 0 to `most`."""
    return min(max(x, 0), most)


def log(x: Float32) -> Float32:
    """Natural logarithm of positive floats, to about 1e-6."""
    bits = x.astype(f32).view(np.int32)
    whole = (bits - np.int32(0x3F3504F3)) >> 23
    m = (bits - (whole << 23)).view(f32)
    s = (m - f32(1)) / (m + f32(1))
    q = s * s
    p = f32(0.2) + q * f32(0.14285715)
    p = f32(0.33333334) + q * p
    p = (s + s) * (f32(1) + q * p)
    return whole.astype(f32) * f32(0.6931472) + p


def exponential(x: Float32) -> Float32:
    """exp of -11.5 to 11.5, to about 1e-6."""
    scaled, magic = x * f32(1.442695), f32(12582912)  # 1.5 * 2^23: adding it rounds to the nearest whole number
    moved = scaled + magic
    f = (scaled - (moved - magic)) * f32(0.6931472)
    p = f32(0.008333334) + f * f32(0.0013888889)
    for c in (0.041666668, 0.16666667, 0.5, 1.0, 1.0):
        p = f32(c) + f * p
    return p * ((moved.view(np.int32) - np.int32(0x4B400000 - 127)) << 23).view(f32)


def squash(x: Float32) -> Float32:
    """Probabilities of log-odds."""
    return f32(1) / (f32(1) + exponential(f32(0) - x))
