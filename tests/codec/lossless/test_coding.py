"""The codec's core: what goes in comes out, every instruction set writes what the specification says, in few bytes."""

from __future__ import annotations

import ctypes
import hashlib
import math
import platform
import sys
from typing import Any

import numpy as np
import pytest
from helpers.segments import tune
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from synth import engine
from synth.audio import mulaw
from synth.codec import lossless
from synth.codec.lossless import model
from synth.codec.lossless.distributions import Grid
from synth.codec.lossless.presets import PRESETS
from synth.codec.lossless.rangecoder import RangeDecoder, RangeEncoder
from synth.common import limits
from synth.common.errors import CodecError
from synth.common.typing import Int32

pytestmark = pytest.mark.skipif(not engine.has_native(), reason="needs the compiled engine")
SETS = engine.instruction_sets()


def kernel_encode(chosen: str, samples: Int32, bits: int, effort: str, network: Any = None) -> bytes:
    from synth.engine import _kernel

    number = limits.LEVELS.index(effort)
    data = _kernel.encode_segment(chosen, samples, bits, number, network)
    assert np.array_equal(_kernel.decode_segment(chosen, data, *samples.shape, bits, number, network), samples)
    return data


def ranks(samples: Int32, bits: int) -> Int32:
    return samples + (1 << (bits - 1))


@pytest.mark.parametrize("effort", limits.LEVELS)
@pytest.mark.parametrize(("bits", "channels", "frames"), [(16, 1, 150), (16, 2, 70), (24, 1, 40), (8, 3, 40)])
def test_every_set_equals_the_specification(effort: str, bits: int, channels: int, frames: int) -> None:
    samples = tune(frames, channels, bits)
    grids = [model.plain_grid(bits) for _ in range(channels)]
    streams = [model.encode(preset, grids, ranks(samples, bits)) for preset in PRESETS[effort]]
    variant = min(range(len(streams)), key=lambda i: len(streams[i]))
    for chosen in SETS:
        data = kernel_encode(chosen, samples, bits, effort)
        assert data == bytes([0x80 | variant]) + streams[variant], chosen


def test_the_specification_decodes() -> None:
    samples = tune(100, 2, 16)
    grids = [model.plain_grid(16)] * 2
    stream = model.encode(PRESETS["balanced"][0], grids, ranks(samples, 16))
    assert np.array_equal(model.decode(PRESETS["balanced"][0], grids, stream, 100), ranks(samples, 16))


def test_unused_bits_and_lists_as_specified() -> None:
    samples = tune(200, 1, 8) * 256
    stream = model.encode(PRESETS["balanced"][0], [model.plain_grid(16, 8)], samples // 256 + 128)
    values = sorted({int(v) for v in np.round(np.arange(-12, 12) ** 3 * 9.7)})
    noise = np.array(values)[tune(800, 1, 5, 3)[:, 0] % len(values)].astype(np.int32)[:, None]
    grid = Grid(len(values), 0.0, 1.0, mulaw.STARTS, [float(v) for v in values])
    listed = model.encode(PRESETS["fast"][0], [grid], np.searchsorted(values, noise).astype(np.int32))
    for chosen in SETS:
        assert kernel_encode(chosen, samples, 16, "balanced") == bytes([0, 8 << 2]) + stream
        data = kernel_encode(chosen, noise, 16, "fast")
        assert data.endswith(listed) and data[:2] == bytes([0, 1])


def signals(draw: st.DrawFn, frames: int, channels: int, bits: int) -> Int32:
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    bound = 1 << (bits - 1)
    kind = draw(st.sampled_from(["noise", "loud", "walk", "steps", "same", "inverse", "sparse", "silence", "square"]))
    wave = random.integers(-bound, bound, (frames, channels))
    if kind == "loud":
        wave = np.where(wave > 0, bound - 1, -bound)
    elif kind == "walk":
        wave = np.cumsum(random.integers(-bound // 64 - 1, bound // 64 + 2, (frames, channels)), 0)
    elif kind == "steps":
        wave = np.repeat(wave[: frames // 40 + 1], 40, 0)[:frames]
    elif kind == "same":
        wave = np.repeat(wave[:, :1], channels, 1)
    elif kind == "inverse":
        wave = wave[:, :1] * np.resize([1, -1], channels)
    elif kind == "sparse":
        wave = np.sort(random.integers(-bound, bound, 9))[wave % 9]
    elif kind == "silence":
        wave = wave * 0
    elif kind == "square":
        wave = np.resize(np.repeat([bound - 1, -bound], 25), (channels, frames)).T
    return np.clip(wave, -bound, bound - 1).astype(np.int32)


@given(st.data())
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_round_trips(data: st.DataObject) -> None:
    bits = data.draw(st.sampled_from([4, 8, 12, 16, 20, 24]))
    channels = data.draw(st.integers(1, 8))
    frames = data.draw(st.sampled_from([0, 1, 2, 15, 16, 17, 33, 200]))
    effort = data.draw(st.sampled_from(limits.LEVELS))
    samples = data.draw(st.composite(signals)(frames, channels, bits))
    coded = lossless.encode_segment(samples, bits, effort)
    assert len(coded) <= 1 + samples.size * ((bits + 7) // 8)
    back = lossless.decode_segment(coded, frames, channels, bits, effort)
    assert back.dtype == np.int32 and np.array_equal(back, samples)


GOLDEN = {
    ("fast", 16, 1): "1eee5f6e61def1f4",
    ("balanced", 16, 1): "8584f78eeed34391",
    ("max", 16, 1): "ff6952470d442d78",
    ("fast", 8, 2): "58393612bcec09bf",
    ("balanced", 24, 2): "832b28d8e2c644da",
    ("max", 16, 8): "cf4302b4081e4507",
}


@pytest.mark.parametrize(("effort", "bits", "channels"), GOLDEN)
@pytest.mark.parametrize("chosen", SETS)
def test_golden_bytes(effort: str, bits: int, channels: int, chosen: str) -> None:
    """What this version writes it must write and read for ever."""
    data = kernel_encode(chosen, tune(3000 // channels, channels, bits), bits, effort)
    assert hashlib.sha256(data).hexdigest()[:16] == GOLDEN[effort, bits, channels]


@pytest.mark.parametrize("effort", limits.LEVELS)
def test_long_signals_on_every_set(effort: str) -> None:
    """Silence, full scale, and a change of loudness by 90 dB: the same bytes everywhere."""
    noise = tune(4000, 1, 16)[:, 0]
    parts = [noise, noise * 0, np.where(np.arange(3000) // 40 % 2, 32767, -32768), noise // 8192, noise]
    samples = np.concatenate(parts).astype(np.int32)[:, None]
    assert len({kernel_encode(chosen, samples, 16, effort) for chosen in SETS}) == 1


def test_the_coder_reaches_the_ideal_length() -> None:
    random = np.random.default_rng(5)
    coder, ideal = RangeEncoder(), 0.0
    odds = np.clip(random.beta(0.3, 0.3, 60000) * 65536, 1, 65535).astype(int)
    bits = random.random(60000) * 65536 < odds
    for bit, p in zip(bits, odds, strict=True):
        coder.code(bool(bit), int(p))
        ideal -= math.log2(p / 65536 if bit else 1 - p / 65536)
    data = coder.finish()
    assert len(data) * 8 <= ideal * 1.001 + 16
    decoder = RangeDecoder(data)
    assert [decoder.code(False, int(p)) for p in odds] == bits.tolist()


def test_the_kernel_reaches_the_ideal_length(monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel's bytes against the sum of the specification's code lengths."""
    samples, ideal = tune(250, 1, 16), [0.0]

    class Listening(RangeEncoder):
        def code(self, bit: bool, probability: int) -> bool:
            ideal[0] -= math.log2((probability if bit else 65536 - probability) / 65536)
            return super().code(bit, probability)

    monkeypatch.setattr(model, "RangeEncoder", Listening)
    model.encode(PRESETS["balanced"][0], [model.plain_grid(16)], ranks(samples, 16))
    size = len(lossless.encode_segment(samples, 16, "balanced"))
    assert size * 8 <= ideal[0] * 1.001 + 24


@pytest.mark.parametrize("effort", limits.LEVELS)
@pytest.mark.parametrize("bits", [8, 16, 24])
def test_noise_is_hardly_longer_than_raw(effort: str, bits: int) -> None:
    bound = 1 << (bits - 1)
    noise = np.random.default_rng(1).integers(-bound, bound, (3000, 1))
    assert len(lossless.encode_segment(noise, bits, effort)) <= 3000 * bits // 8 * 1.005


def test_what_is_not_sound_costs_next_to_nothing() -> None:
    noise = tune(3000, 1, 16)
    alone = len(lossless.encode_segment(noise, 16))
    assert len(lossless.encode_segment(np.zeros((100000, 2), np.int32), 16)) <= 12
    assert len(lossless.encode_segment(np.full((5000, 1), -32768), 16)) <= 8
    assert len(lossless.encode_segment(np.repeat(noise, 8, 1), 16)) <= alone + 10
    assert len(lossless.encode_segment(np.hstack([noise // 2, -(noise // 2)]), 16)) <= alone
    few = tune(3000, 1, 7) // 2  # times 513.7 it fits 16 bits
    assert len(lossless.encode_segment(few * 512, 16)) <= len(lossless.encode_segment(few, 7)) * 1.02 + 4
    odd = np.round(few * 513.7).astype(np.int32)
    assert len(lossless.encode_segment(odd, 16)) <= len(lossless.encode_segment(few, 7)) * 1.05 + 80
    square = np.where(np.arange(50000) // 50 % 2, 32767, -32768)[:, None]
    assert len(lossless.encode_segment(square, 16)) <= 400


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_any_bytes_give_samples_or_a_clear_error(data: st.DataObject) -> None:
    bits, channels = data.draw(st.sampled_from([8, 16, 24])), data.draw(st.integers(1, 3))
    effort = data.draw(st.sampled_from(limits.LEVELS))
    samples = data.draw(st.composite(signals)(64, channels, bits))
    coded = bytearray(lossless.encode_segment(samples, bits, effort))
    for _ in range(data.draw(st.integers(1, 4))):
        kind, place = data.draw(st.sampled_from(["flip", "cut", "put"])), data.draw(st.integers(0, 300))
        if kind == "flip" and coded:
            coded[place % len(coded)] ^= 1 << place % 8
        elif kind == "cut":
            del coded[place:]
        else:
            coded[place:place] = data.draw(st.binary(max_size=8))
    bound = 1 << (bits - 1)
    try:
        back = lossless.decode_segment(bytes(coded), 64, channels, bits, effort)
        assert back.shape == (64, channels) and -bound <= back.min() and back.max() < bound
    except CodecError as error:
        assert "damaged" in str(error)


@pytest.mark.skipif(platform.machine() != "x86_64" or sys.platform != "linux", reason="knows this system's constants")
def test_the_caller_s_rounding_mode_does_not_matter_and_stays() -> None:
    libm, upward = ctypes.CDLL("libm.so.6"), 0x800
    samples = tune(2000, 1, 16)
    usual = lossless.encode_segment(samples, 16)
    libm.fesetround(upward)
    try:
        other = lossless.encode_segment(samples, 16)
        assert libm.fegetround() == upward
    finally:
        libm.fesetround(0)
    assert usual == other


def test_wrong_input_is_named() -> None:
    good = np.zeros((5, 1), np.int32)
    for samples, bits, effort, word in [
        (good + 40000, 16, "fast", "bits"),
        (good, 25, "fast", "bits"),
        (good, 16, "best", "level"),
        (good[:, :0], 16, "fast", "channels"),
        (np.zeros((5, 9), np.int32), 16, "fast", "channels"),
        (good.astype(np.float32), 16, "fast", "integers"),
        (good[:, 0], 16, "fast", "integers"),
    ]:
        with pytest.raises(CodecError, match=word):
            lossless.encode_segment(samples, bits, effort)
    for data in (b"", b"\x10", b"\xff\x00", b"\x00", b"\x00\x02", b"\x00\x01\x80\x80\x80\x80\x01"):
        with pytest.raises(CodecError, match="damaged"):
            lossless.decode_segment(data, 5, 1, 16, "fast")
