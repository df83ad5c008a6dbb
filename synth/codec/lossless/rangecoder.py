"""The binary arithmetic coder, as specified: 32-bit range, 16-bit probabilities of a one, carries resolved."""

from __future__ import annotations

MIN_RANGE = 1 << 24


class RangeEncoder:
    """Writes decisions."""

    def __init__(self) -> None:
        self.low, self.range, self.shifts = 0, 0xFFFFFFFF, 0

    def code(self, bit: bool, probability: int) -> bool:
        """Writes the decision, whose probability of being 1 is `probability` / 65536, and returns it."""
        bound = self.range * probability >> 16
        if bit:
            self.range = bound
        else:
            self.low += bound
            self.range -= bound
        while self.range < MIN_RANGE:
            self.range <<= 8
            self.low <<= 8
            self.shifts += 1
        return bit

    def finish(self) -> bytes:
        """All bytes: the number with the most zeros at its end in the last interval, without those zeros."""
        size = self.shifts + 4
        keep = 0xFFFFFFFF
        while (self.low + keep) & ~keep > self.low + self.range - 1:
            keep >>= 1
        return ((self.low + keep) & ~keep).to_bytes(size, "big").rstrip(b"\0")


class RangeDecoder:
    """Reads the decisions again; past the end it reads zeros."""

    def __init__(self, data: bytes) -> None:
        self.data, self.place, self.range = data, 4, 0xFFFFFFFF
        self.value = int.from_bytes(data[:4].ljust(4, b"\0"), "big")

    def code(self, _: bool, probability: int) -> bool:
        """The next decision; `probability` as in the encoder."""
        bound = self.range * probability >> 16
        bit = self.value < bound
        if bit:
            self.range = bound
        else:
            self.value -= bound
            self.range -= bound
        while self.range < MIN_RANGE:
            self.range <<= 8
            byte = self.data[self.place] if self.place < len(self.data) else 0
            self.value, self.place = self.value << 8 | byte, self.place + 1
        return bit
