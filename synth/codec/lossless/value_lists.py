"""Lists of the values that a channel has, as specified: gaps between them, coded with adaptive bits."""

from __future__ import annotations

from collections.abc import Sequence

from synth.codec.lossless.rangecoder import RangeDecoder, RangeEncoder

MAX_VALUES = 65536
_HIGH, _LOW = 1024, 1024 + 32 * 8


class AdaptiveBits:
    """Bits whose probability follows what was coded."""

    def __init__(self, coder: RangeEncoder | RangeDecoder) -> None:
        self.coder, self.probability = coder, [32768] * (_LOW + 32)

    def number(self, value: int, context: int) -> tuple[int, int]:
        """A number from 1 on, and its length: that in unary, then the bits below the highest; the last length before
        is the `context`."""
        length = 0
        while length < 24 and self._code(value >> (length + 1) != 0, context * 32 + length):
            length += 1
        out = 1
        for i in reversed(range(length)):
            place = _HIGH + length * 8 + out if length - i <= 3 else _LOW + i
            out = out << 1 | self._code(bool(value >> i & 1), place)
        return out, length

    def _code(self, bit: bool, place: int) -> bool:
        p = self.probability[place]
        bit = self.coder.code(bit, p)
        p = p + ((65536 - p) >> 4) if bit else p - (p >> 4)
        self.probability[place] = min(max(p, 64), 65472)
        return bit


def encode_values(values: Sequence[int], least: int) -> bytes:
    """Values that rise, from `least` on."""
    coder = RangeEncoder()
    bits = AdaptiveBits(coder)
    bits.number(len(values), 31)
    last, context = least - 1, 0
    for value in values:
        _, context = bits.number(value - last, context)
        last = value
    return coder.finish()


def decode_values(data: bytes, least: int, most: int) -> list[int] | None:
    """The values again; None where they run out of `least` to `most`."""
    bits = AdaptiveBits(RangeDecoder(data))
    count, _ = bits.number(0, 31)
    if count > min(MAX_VALUES, most - least + 1):
        return None
    values: list[int] = []
    last, context = least - 1, 0
    for _ in range(count):
        gap, context = bits.number(0, context)
        last += gap
        if last > most:
            return None
        values.append(last)
    return values
