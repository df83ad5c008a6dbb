"""Whole numbers of any size as bytes: seven bits a byte, the lowest first, the eighth bit set on all but the last."""

from __future__ import annotations

from collections.abc import Callable

from synth.common.errors import CodecError

MAX_BYTES = 9
"""Bytes of a number in the header or the blocks of a file: it has up to 63 bits."""


class TooLongError(CodecError):
    """A number that goes on for more bytes than its place allows."""


def encode(value: int) -> bytes:
    """The bytes of a number, 0 or more; at least one."""
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def read(next_byte: Callable[[], int], most_bytes: int = MAX_BYTES) -> int:
    """The number whose bytes `next_byte` gives one after the other; TooLongError where `most_bytes` don't end it."""
    value = 0
    for place in range(most_bytes):
        byte = next_byte()
        value |= (byte & 127) << 7 * place
        if byte < 128:
            return value
    raise TooLongError("a number that is too long")
