"""Segments of 32-bit floats and integers: integer parts, steps, residuals, and what damaged bytes give."""

from __future__ import annotations

import hashlib
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from synth import engine
from synth.codec import varint
from synth.codec.lossless import residuals, steps, wide
from synth.common.errors import CodecError
from synth.common.typing import Int32

pytestmark = pytest.mark.skipif(not engine.has_native(), reason="takes the compiled engine")
TUNE = np.rint(9000 * np.sin(np.arange(600) / 9) + np.random.default_rng(0).normal(0, 99, 600))


def pieces(draw: st.DataObject) -> Int32:
    """Samples [frames, channels] as bits: floats of many sizes, integers, gains, anything."""
    frames, channels = draw.draw(st.integers(1, 60)), draw.draw(st.integers(1, 3))
    random = np.random.default_rng(draw.draw(st.integers(0, 1 << 20)))
    whole = random.integers(-9000, 9000, (frames, channels))
    kind = draw.draw(st.integers(0, 5))
    if kind == 0:
        return random.integers(-(1 << 31), 1 << 31, (frames, channels)).astype(np.int32)
    if kind == 1:
        return (whole * random.random()).astype(np.float32).view(np.int32)
    if kind == 2:
        return (whole * 2.0 ** random.integers(-150, 100, (frames, channels))).astype(np.float32).view(np.int32)
    if kind == 3:
        return (whole << 16).astype(np.int32)
    odd = np.array([np.nan, np.inf, -np.inf, -0.0, 0.0, 1e-45, -1e-41, 3.4e38, 1.0, -1.0], np.float32)
    if kind == 4:
        return np.resize(odd, (frames, channels)).view(np.int32)
    mixed = np.where(random.random((frames, channels)) < 0.1, np.resize(odd, (frames, channels)), whole / 3)
    return mixed.astype(np.float32).view(np.int32)


@settings(deadline=None, max_examples=150)
@given(st.data(), st.booleans())
def test_every_pattern_comes_back_and_costs_a_byte_more_at_most(data: st.DataObject, floats: bool) -> None:
    samples = pieces(data)
    coded = wide.encode_segment(samples, floats, "fast")
    assert len(coded) <= 4 * samples.size + 1
    np.testing.assert_array_equal(wide.decode_segment(coded, *samples.shape, floats, "fast"), samples)


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 200), st.integers(1, 8), st.integers(0, 1 << 20))
def test_the_kernel_codes_residuals_as_specified(count: int, channels: int, seed: int) -> None:
    from synth.engine import _kernel

    random = np.random.default_rng(seed)
    left = random.integers(-(1 << 31), 1 << 31, count).astype(np.int32) >> random.integers(0, 32, count).astype(
        np.int32
    )
    left[: count // 3] = 0
    classes = random.integers(0, residuals.CLASSES, count).astype(np.uint8)
    data = residuals.encode_residuals(left, classes, channels)
    assert data == _kernel.encode_residuals(left, classes, channels)
    for some in (data, random.bytes(len(data)), data[: len(data) // 2]):
        out = np.zeros(count, np.int32)
        _kernel.decode_residuals(some, classes, channels, out)
        np.testing.assert_array_equal(out, residuals.decode_residuals(some, classes, channels))
        assert some is not data or np.array_equal(out, left)


def test_the_bytes_are_those_that_they_were() -> None:
    sound = np.stack([TUNE / 3e4, np.sin(np.arange(600) / 7)], 1).astype(np.float32).view(np.int32)
    data = wide.encode_segment(sound, True, "balanced") + wide.encode_segment(sound, False, "max")
    assert hashlib.sha256(data).hexdigest() == "a2ad526e15f5b2884887377814b736a2fc8b7b9e96148e7dd5695ebcb3f098fb"


@pytest.mark.parametrize("level", ["fast", "balanced"])
def test_the_numpy_codec_writes_the_same(level: str, monkeypatch: pytest.MonkeyPatch) -> None:
    sound = (TUNE[:60, None] / 3e4 + 1e-4).astype(np.float32).view(np.int32)
    data = wide.encode_segment(sound, True, level)
    monkeypatch.setattr(engine, "has_native", lambda: False)
    assert wide.encode_segment(sound, True, level) == data
    np.testing.assert_array_equal(wide.decode_segment(data, 60, 1, True, level), sound)


@pytest.mark.parametrize("gain", [1.0, 0.7, 1 / 3, 2.0**-15, 5.1 / 32768, 1e30, 1e-38, np.float32(0.123)])
def test_a_gain_costs_next_to_nothing(gain: float) -> None:
    plain = len(wide.encode_segment((TUNE[:, None]).astype(np.float32).view(np.int32), True, "fast"))
    made = wide.encode_segment((TUNE[:, None] * gain).astype(np.float32).view(np.int32), True, "fast")
    assert len(made) <= plain + 8


def test_a_gain_is_found_though_some_samples_are_clipped() -> None:
    clipped = np.clip(TUNE / 32768 * 4.1, -1, 1).astype(np.float32)
    assert steps.choose(clipped.astype(np.float64), True) == pytest.approx(4.1 / 32768, rel=1e-6)


def test_one_wild_sample_does_not_cost_the_others_their_bits() -> None:
    sound = np.random.default_rng(0).normal(0, 0.1, (4000, 1)).astype(np.float32)
    plain = len(wide.encode_segment(sound.view(np.int32), True, "fast"))
    sound[1000], sound[2000] = 1e30, np.nan
    assert len(wide.encode_segment(sound.view(np.int32), True, "fast")) < plain + 300


def test_more_than_24_bits_come_back_as_integers() -> None:
    random = np.random.default_rng(0)
    sound = (TUNE[:, None] * 65536 + random.integers(-99, 99, (600, 1))).astype(np.int32)
    assert len(wide.encode_segment(sound, False, "fast")) < 0.85 * 4 * 600


def forged(bits: int = 16, step: bytes = b"\x90", size: int | None = None, coded: bytes = b"\x80abc") -> bytes:
    return bytes([bits]) + step + varint.encode(len(coded) if size is None else size) + coded


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff",
        b"\xff" + bytes(11),
        b"\x10",
        b"\x10\x90",
        b"\x10\0" + bytes(7),
        forged(bits=9),
        forged(bits=0),
        forged(step=b"\0" + struct.pack("<d", 0)),
        forged(step=b"\0" + struct.pack("<d", float("nan"))),
        forged(step=b"\0" + struct.pack("<d", 1e300)),
        forged(step=b"\0" + struct.pack("<d", -1.0)),
        forged(size=5),
        forged(size=1 << 40),
        forged(coded=b""),
        b"\x10\x90" + b"\x80" * 12,
    ],
)
def test_what_is_never_written_is_refused(data: bytes) -> None:
    with pytest.raises(CodecError, match="^segment: damaged$"):
        wide.decode_segment(data, 3, 1, True, "fast")


@settings(deadline=None, max_examples=100)
@given(st.data())
def test_damaged_bytes_give_samples_or_an_error(data: st.DataObject) -> None:
    floats = data.draw(st.booleans())
    sound: NDArray[np.int32] = (TUNE[:80, None] * 0.3 + 0.01).astype(np.float32).view(np.int32)
    coded = bytearray(wide.encode_segment(sound, floats, "fast"))
    for _ in range(data.draw(st.integers(1, 3))):
        coded[data.draw(st.integers(0, len(coded) - 1))] = data.draw(st.integers(0, 255))
    del coded[data.draw(st.integers(1, len(coded))) :]
    try:
        assert wide.decode_segment(bytes(coded), 80, 1, floats, "fast").shape == (80, 1)
    except CodecError as error:
        assert "damaged" in str(error)
