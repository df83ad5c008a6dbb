"""Segments that repeat something, and codes as they are: version 2 of the format, where a file has them."""

from __future__ import annotations

import io
import tracemalloc
from typing import Any

import numpy as np
import pytest
from helpers.packed import chunk, form, packed, salvaged, tones, unpacked, wav
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import synth
from synth import engine
from synth.audio.formats import pcm
from synth.codec import container, encoder, segments, varint
from synth.codec.container_reader import ContainerReader
from synth.codec.container_writer import ContainerWriter
from synth.codec.decoder import Decoder
from synth.codec.header import Header, pack_header
from synth.codec.mulaw_source import quantize
from synth.common.errors import CodecError, UsageError
from synth.common.typing import Int32

pytestmark = pytest.mark.skipif(not engine.has_native(), reason="takes the compiled engine")


def repeating(frames: int, period: int, channels: int = 1, seed: int = 0) -> Int32:
    return tones(period, channels, 16, seed)[np.arange(frames) % period]


def file_of(samples: Int32, rate: int = 8000) -> bytes:
    return wav(samples.astype("<i2").tobytes(), form(1, samples.shape[1], rate, 2))


def blocks_of(data: bytes) -> tuple[int, list[tuple[int, int, int]]]:
    """The version, and kind, count and period of every block."""
    reader = ContainerReader(io.BytesIO(data), "x.syn")
    found = []
    while (block := reader.next()).kind != container.END:
        found.append((block.kind, block.count, block.period))
    return reader.header.version, found


def slowly(samples: Int32) -> int:
    """What `period` finds, by trying all."""
    half = min(len(samples) // 2, len(samples) - segments.MIN_SAVED)
    return next((p for p in range(2, half + 1) if np.array_equal(samples[p:], samples[:-p])), 0)


@settings(deadline=None, max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_the_least_period_is_found(monkeypatch: pytest.MonkeyPatch, data: st.DataObject) -> None:
    monkeypatch.setattr(segments, "MIN_SAVED", data.draw(st.sampled_from([0, 3, 20])))
    draw = data.draw(st.randoms(use_true_random=False))
    channels, length = data.draw(st.integers(1, 3)), data.draw(st.integers(2, 40))
    pattern = np.array([draw.randrange(-2, 3) for _ in range(length * channels)], np.int32).reshape(-1, channels)
    samples = pattern[np.arange(data.draw(st.integers(2, 120))) % length]
    if data.draw(st.booleans()):
        samples[draw.randrange(len(samples)), draw.randrange(channels)] ^= 1
    if not segments.is_constant(samples):
        assert segments.period(samples) == slowly(samples)


def test_a_period_of_what_differs_only_seldom() -> None:
    """Stretches of silence, and a square wave, are alike at most places but not at all."""
    pulses = np.zeros((60000, 1), np.int32)
    pulses[::601] = 5
    assert segments.period(pulses) == 601
    pulses[59501] = 1
    assert segments.period(pulses) == 0
    square = np.where(np.arange(240000) % 4410 < 2205, 9000, -9000).astype(np.int32)[:, None]
    assert segments.period(square) == 4410
    assert segments.period(np.concatenate([square, -square], 1)) == 4410


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.sampled_from(["u8", "s16", "s24", "f32", "alaw", "mulaw"]),
    st.integers(1, 4),
    st.lists(st.tuples(st.sampled_from(["silence", "pattern", "sound"]), st.integers(1, 4000)), min_size=1, max_size=5),
    st.integers(1, 900),
    st.sampled_from([1500, 2000, 2048]),
    st.sampled_from([1, 2, 5]),
    st.booleans(),
)
def test_sounds_that_repeat_something_come_back(
    encoding: str, channels: int, parts: list[tuple[str, int]], period: int, segment: int, threads: int, piped: bool
) -> None:
    bits = pcm.BITS[encoding]
    made = {"silence": np.zeros((4000, channels), np.int32), "sound": tones(4000, channels, bits)}
    made["pattern"] = tones(period, channels, bits, 3)[np.arange(4000) % period]
    samples = np.concatenate([made[kind][:count] for kind, count in parts])
    code = {"f32": 3, "alaw": 6, "mulaw": 7}.get(encoding, 1)
    file = wav(
        pcm.pack(samples, encoding, False), form(code, channels, 8000, pcm.WIDTH[encoding]), chunk(b"bext", b"a")
    )
    data = packed(file, segment=segment, piped=piped)
    assert data == packed(file, segment=segment, piped=piped, threads=threads)
    assert unpacked(data, threads=threads) == file


@pytest.mark.parametrize("effort", ["fast", "balanced", "max"])
@pytest.mark.parametrize("channels,period", [(1, 20), (2, 2205)])
def test_a_square_wave_costs_nothing_however_long(effort: str, channels: int, period: int) -> None:
    square = np.where(np.arange(40 * 22050) % period < period // 2, 9000, -9000).astype(np.int32)
    samples = np.stack([square, square // -3], 1)[:, :channels]
    data = packed(file_of(samples), effort=effort, segment=30011, network="none")
    assert len(data) < 200 and unpacked(data) == file_of(samples)
    assert blocks_of(data) == (2, [(container.CONSTANT, len(samples), period)])


def test_blocks_that_repeat_are_joined_where_the_same_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(container, "MAX_CONSTANT", 9000)
    one, other = repeating(14000, 37), repeating(6000, 37, seed=5)
    samples = np.concatenate([one, other, np.zeros((3000, 1), np.int32), tones(3000, 1, 16), other])
    data = packed(file_of(samples), segment=2000)
    kinds = [(2, 8000, 37), (2, 6000, 37), (2, 6000, 37), (2, 2000, 0), (1, 2000, 0), (1, 2000, 0), (2, 6000, 37)]
    assert blocks_of(data) == (2, kinds)
    assert unpacked(data) == file_of(samples)


def test_only_the_first_two_segments_decide_on_the_version() -> None:
    sound, pattern = tones(2000, 1, 16), repeating(2000, 50)
    for samples, version in (([sound, pattern, sound], 2), ([sound, sound, pattern], 1), ([pattern, sound], 2)):
        file = file_of(np.concatenate(samples))
        data = packed(file, segment=2000)
        assert blocks_of(data)[0] == data[3] == version and unpacked(data) == file


@pytest.mark.parametrize("start,end", [(0, 0.01), (0.02, None), (0.0123, 0.3456), (None, 0.05), (0.5, 9)])
def test_parts_of_what_repeats(start: float | None, end: float | None) -> None:
    samples = np.concatenate([repeating(8000, 77, 2), tones(2500, 2, 16)])
    data = packed(file_of(samples), segment=2000)
    first, last = round((start or 0) * 8000), len(samples) if end is None else round(end * 8000)
    assert unpacked(data, start=start, end=end)[44:] == samples[first:last].astype("<i2").tobytes()


def test_damage_of_what_repeats_is_silence_when_saved() -> None:
    samples = np.concatenate([repeating(8000, 77), tones(2000, 1, 16), repeating(4000, 99, seed=4)])
    file = file_of(samples)
    data = bytearray(packed(file, segment=2000))
    block = Decoder(io.BytesIO(bytes(data)), "x.syn", seekable=True).blocks()[0]
    data[block.at + block.size - 9] ^= 1
    with pytest.raises(CodecError, match=r"segment 1 \(0.00 s to 1.00 s\) is damaged: its checksum is wrong"):
        unpacked(bytes(data))
    saved, damages = salvaged(bytes(data))
    assert saved == file[:44] + bytes(16000) + file[16044:] and len(damages) == 1


@pytest.mark.parametrize("kind", ["uint8", "int8", "int16", "int32"])
def test_arrays_that_repeat_something(kind: str) -> None:
    wave = (repeating(5000, 123)[:, 0] >> 9).astype(kind)
    data = synth.compress(wave, 8000, level="fast")
    back, _ = synth.decompress(data)
    assert data[3] == 2 and back.dtype == wave.dtype
    np.testing.assert_array_equal(back, wave)


def test_reading_what_repeats_takes_no_more_memory_than_its_bounds() -> None:
    """A forged block of all that one may say, whose few bytes are no good segment."""
    header = Header("wav", "s16", 1, 8000, "fast", version=2)
    head = pack_header(header)
    out = io.BytesIO()
    writer = ContainerWriter(out.write, header)
    writer.repeated(container.MAX_CONSTANT, 2, b"\x80" + bytes(8))
    opened = Decoder(io.BytesIO(out.getvalue() + b"\0"), "x.syn")
    tracemalloc.start()
    with pytest.raises(CodecError):
        assert sum(len(piece) for piece in opened.pieces()) == container.MAX_CONSTANT
    assert tracemalloc.get_traced_memory()[1] < 8 << 20
    tracemalloc.stop()
    most = varint.encode(container.MAX_CONSTANT << 2 | container.CONSTANT)
    for body in (
        varint.encode(container.MAX_SAMPLES + 1) + b"\5",
        varint.encode(7) + varint.encode(1 << 40),
        varint.encode(5) + varint.encode(2 << 20),
    ):
        with pytest.raises(CodecError, match="a block of"):
            ContainerReader(io.BytesIO(head + most + body + bytes(99)), "x.syn").next()
    with pytest.raises(CodecError, match="a block of 6 that repeats 7"):
        ContainerReader(io.BytesIO(head + b"\x1a\x07" + bytes(99)), "x.syn").next()


@pytest.mark.parametrize("law,code", [("alaw", 6), ("mulaw", 7)])
@pytest.mark.parametrize("channels", [1, 2, 8])
@pytest.mark.parametrize("effort", ["fast", "balanced", "max"])
def test_random_codes_cost_hardly_more_than_they_are(law: str, code: int, channels: int, effort: str) -> None:
    codes = np.random.default_rng(5).bytes(16000)
    file = wav(codes, form(code, channels, 8000, 1))
    data = packed(file, effort=effort, network="none", segment=5000)
    assert len(data) <= 1.005 * len(file) and data[3] == 2 and unpacked(data) == file
    lossy = packed(file, effort=effort, network="none", segment=5000, mode="mulaw")
    assert len(lossy) <= 1.005 * len(file)
    samples = quantize(pcm.unpack(codes, law, False, channels), 16)
    assert unpacked(lossy)[44:] == samples.astype("<i2").tobytes()


@pytest.mark.parametrize("width", [1, 2, 3])
@pytest.mark.parametrize("channels", [1, 3, 8])
def test_random_bytes_cost_hardly_more_than_they_are(width: int, channels: int) -> None:
    data = np.random.default_rng(6).bytes(width * channels * 6000)
    for effort in ("fast", "balanced"):
        file = wav(data, form(1, channels, 8000, width))
        made = packed(file, effort=effort, network="none")
        assert len(made) <= 1.005 * len(file) and made[3] == 1


def test_codes_are_refused_where_they_can_not_be() -> None:
    def attempt(version: int, data: bytes, **more: Any) -> Int32:
        header = Header("wav", **{"encoding": "alaw", "channels": 2, "rate": 8000, "effort": "fast", **more})
        return segments.decode(data, 3, Header(**{**vars(header), "version": version}), None)

    good = bytes([segments.CODES]) + bytes(range(6))
    assert pcm.pack(attempt(2, good), "alaw", False) == good[1:]
    for version, data, more in (
        (1, good, {}),
        (2, good[:-1], {}),
        (2, good + b"\0", {}),
        (2, good, {"encoding": "s16"}),
        (2, good, {"encoding": "u8"}),
    ):
        with pytest.raises(CodecError, match="segment: damaged"):
            attempt(version, data, **more)
    assert attempt(2, good, encoding="s16", mode="mulaw").shape == (3, 2)


def test_a_damaged_bit_of_20_seconds_loses_half() -> None:
    samples = np.random.default_rng(0).integers(-900, 900, (160_000, 1))
    data = bytearray(packed(file_of(samples)))
    data[len(data) // 4] ^= 4
    back, damages = salvaged(bytes(data))
    assert len(damages) == 1 and "0.00 s to 10.00 s" in damages[0]
    np.testing.assert_array_equal(np.frombuffer(back, "<i2", offset=44)[80_000:], samples[80_000:, 0])


@pytest.mark.parametrize("seconds,count", [(0.1, 20), (0.5, 4), (1.99, 2), (2, 1), (600, 1)])
def test_segments_are_as_long_as_one_asks(seconds: float, count: int) -> None:
    samples = tones(16_000, 1, 16)
    data = synth.compress(samples.astype(np.int16), 8000, level="fast", segment=seconds)
    assert len(blocks_of(data)[1]) == count
    assert len(blocks_of(packed(file_of(samples), seconds=seconds))[1]) == count
    np.testing.assert_array_equal(synth.decompress(data)[0], samples)


@pytest.mark.parametrize("segment", [0, 0.09, 601, float("nan"), "1", True])
def test_segments_of_other_lengths_are_refused(segment: Any) -> None:
    with pytest.raises(UsageError, match=r"^segment .*: must be seconds, 0.1 to 600$"):
        synth.compress(np.zeros(9, np.int16), 8000, segment=segment)


def test_a_period_of_ten_seconds_is_found() -> None:
    loop = np.random.default_rng(0).integers(-900, 900, (80_000, 1))
    samples = np.resize(loop, (240_000, 1))
    for file in (file_of(samples), file_of(samples)[:40] + b"\xff\xff\xff\xff" + file_of(samples)[44:]):
        data = packed(file, piped=True)
        assert len(data) < 1.1 * 80_000 * 11 / 8 and unpacked(data) == file


@pytest.mark.parametrize("frames", [0, 1, 40, 79, 80, 81, 159, 160, 161, 400])
def test_what_was_read_ahead_is_cut_into_segments(frames: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoder, "FRAMES", 40)
    samples = tones(frames, 1, 16)
    for piped in (False, True):
        data = packed(file_of(samples), piped=piped)
        assert unpacked(data) == file_of(samples)
        assert all(count <= 40 for kind, count, _ in blocks_of(data)[1] if kind == container.CODED)
