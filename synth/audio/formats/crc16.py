"""The CRC-16 that a FLAC frame ends with (polynomial x^16 + x^15 + x^2 + 1, begun with 0; RFC 9639, section 9.3).

A CRC is linear, and x has an inverse modulo this polynomial. So each byte adds its own term to a sum over the whole
file; the sums at two places are equal exactly when the bytes between them have the CRC 0, as a frame with its CRC has.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np

from synth.common.typing import AnyArray

_POLYNOMIAL = 0x18005
_ORDER = 32767  # of x
_ROW = 1024


@functools.cache
def _powers() -> AnyArray:
    """x to the powers of 0 to 32766, uint16."""
    powers = np.empty(_ORDER, np.uint16)
    value = 1
    for exponent in range(_ORDER):
        powers[exponent] = value
        value <<= 1
        if value & 0x10000:
            value ^= _POLYNOMIAL
    return powers


@functools.cache
def _words() -> AnyArray:
    """Each of the 65536 words times x^16."""
    values: AnyArray = np.arange(1 << 16, dtype=np.uint32)
    for _ in range(16):
        values = (values << 1) ^ np.where(values & 0x8000, _POLYNOMIAL, 0).astype(np.uint32)
    return values.astype(np.uint16)


def _times_power(values: AnyArray, exponents: AnyArray) -> AnyArray:
    """`values` (uint16) times x to the `exponents`."""
    factors = _powers()[exponents % _ORDER].astype(np.uint32)
    wide = values.astype(np.uint32)
    product: AnyArray = np.zeros(len(values), np.uint32)
    for bit in range(15, -1, -1):
        product = (product << 1) ^ np.where(product & 0x8000, _POLYNOMIAL, 0).astype(np.uint32)
        product ^= np.where(factors >> bit & 1, wide, 0).astype(np.uint32)
    return product.astype(np.uint16)


def _terms(rows: AnyArray, ends: AnyArray) -> AnyArray:
    """What rows of bytes (count, 1024), each of which ends at a place of the file, add to the sum."""
    words = np.ascontiguousarray(rows.view(">u2").T.astype(np.uint16))
    table, state = _words(), np.zeros(len(rows), np.uint16)
    for word in words:
        state = table.take(state ^ word)
    return _times_power(state, -8 * ends)


class Crc16Sums:
    """The sum, block by block of a file."""

    def __init__(self) -> None:
        self._at, self._sum = 0, np.uint16(0)

    def push(self, block: bytes, places: Sequence[int]) -> list[int]:
        """The sums before the bytes at `places` of the next block, from 0 to its length."""
        count = -(-len(block) // _ROW)
        rows = np.zeros((count + 1, _ROW), np.uint8)
        rows.reshape(-1)[: len(block)] = np.frombuffer(block, np.uint8)
        ends = self._at + _ROW * np.arange(1, count + 1, dtype=np.int64)
        sums = np.bitwise_xor.accumulate(np.concatenate([[self._sum], _terms(rows[:-1], ends)]))
        row, column = np.divmod(np.asarray(places, np.int64), _ROW)
        begun = np.where(np.arange(_ROW) < column[:, None], rows[row], 0).astype(np.uint8)
        at_places = sums[row] ^ _terms(begun, self._at + _ROW * (row + 1))
        self._at, self._sum = self._at + len(block), np.uint16(sums[-1])
        return [int(value) for value in at_places]


def crc16(data: bytes) -> int:
    """The CRC of some bytes."""
    table, state = _words(), 0
    if len(data) & 1:  # a zero before changes nothing
        data = b"\0" + data
    for word in np.frombuffer(data, ">u2").tolist():
        state = int(table[state ^ word])
    return state
