"""What integer parts leave of samples of 32 bits, as specified: residuals.cpp writes the same bytes.

Each residual is its length in bits, a tree of six decisions; its sign; its lower bits from the highest on. A decision's
probability follows what was coded in its place, fast at first. The class of a residual, 0 to 32, says how many bits are
expected.
"""

from __future__ import annotations

import numpy as np

from synth.codec.lossless.rangecoder import RangeDecoder, RangeEncoder
from synth.common.typing import Int32, UInt8

CLASSES = 33
_WHOLE = 1 << 24
_SIGNS = CLASSES * 2 * 64
_LOWER = _SIGNS + CLASSES
_FAST, _SLOW = 7, 9
_MASK = 0xFFFFFFFF


class ResidualCoder:
    """Bits whose probability follows what was coded."""

    def __init__(self, coder: RangeEncoder | RangeDecoder) -> None:
        self.coder = coder
        places = _LOWER + 33 * 32
        self.probability, self.count = [_WHOLE // 2] * places, [0] * places

    def code(self, value: int, which: int, before: bool) -> int:
        """A residual; `which`: its class, `before`: whether the one before, of the same channel, was not zero."""
        size, node = abs(value), 1
        length = size.bit_length()
        for i in reversed(range(6)):
            node = node << 1 | self._bit(length >> i & 1 != 0, (which * 2 + before) * 64 + node, _FAST)
        length = min(node - 64, 32)  # damage alone says more
        if length == 0:
            return 0
        minus = self._bit(value < 0, _SIGNS + which, _SLOW)
        out = 1
        for i in reversed(range(length - 1)):
            out = out << 1 | self._bit(size >> i & 1 != 0, _LOWER + length * 32 + i, _SLOW)
        out = (-out if minus else out) & _MASK
        return out - (1 << 32) if out >> 31 else out

    def _bit(self, bit: bool, place: int, slowest: int) -> bool:
        p, count = self.probability[place], self.count[place]
        bit = self.coder.code(bit, min(max(p >> 8, 32), 65504))
        rate = min(2 + count // 2, slowest)
        self.count[place] = min(count + 1, 2 * _SLOW)
        self.probability[place] = p + ((_WHOLE - p) >> rate) if bit else p - (p >> rate)
        return bit


def encode_residuals(residuals: Int32, classes: UInt8, channels: int) -> bytes:
    """The bytes of residuals (samples,), frame by frame; zeros, if those were more than 5 a sample and 64."""
    coder = RangeEncoder()
    bits, before = ResidualCoder(coder), [False] * channels
    for i, (value, which) in enumerate(zip(residuals.tolist(), classes.tolist(), strict=True)):
        before[i % channels] = bits.code(value, which, before[i % channels]) != 0
    data, most = coder.finish(), 5 * len(residuals) + 64
    return data if len(data) <= most else bytes(most + 1)


def decode_residuals(data: bytes, classes: UInt8, channels: int) -> Int32:
    """The residuals (samples,) again; damaged bytes give other ones."""
    bits, before = ResidualCoder(RangeDecoder(data)), [False] * channels
    out = np.zeros(len(classes), np.int32)
    for i, which in enumerate(classes.tolist()):
        value = bits.code(0, which, before[i % channels])
        out[i], before[i % channels] = value, value != 0
    return out
