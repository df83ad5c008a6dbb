"""Whole numbers as bytes, seven bits each."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synth.codec import varint
from synth.common.errors import CodecError


@given(st.integers(0, (1 << 63) - 1), st.binary(max_size=3))
def test_numbers_come_back(value: int, after: bytes) -> None:
    data = varint.encode(value)
    rest = iter(data + after)
    assert varint.read(rest.__next__) == value and bytes(rest) == after
    assert len(data) == max(1, -(-value.bit_length() // 7))


@pytest.mark.parametrize("most", [1, 4, 9])
def test_a_number_that_does_not_end_is_an_error(most: int) -> None:
    last = b"\x80" * (most - 1) + b"\x01"
    assert varint.read(iter(last).__next__, most) == 1 << 7 * (most - 1)
    with pytest.raises(varint.TooLongError, match="^a number that is too long$") as error:
        varint.read(iter(b"\x80" + last).__next__, most)
    assert isinstance(error.value, CodecError)
