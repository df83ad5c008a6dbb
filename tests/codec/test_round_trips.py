"""Sound files and arrays through the codec and back: every format, length, number of threads."""

from __future__ import annotations

import hashlib
import io
from typing import Any

import numpy as np
import pytest
import soundfile
from helpers.packed import chunk, form, packed, tones, unpacked, wav, wav16
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import synth
from synth import engine
from synth.audio.formats import pcm
from synth.codec import encoder, lossless, sources
from synth.codec.container_writer import ContainerWriter
from synth.codec.header import Header
from synth.common.errors import AudioError, CodecError, OutputError
from synth.common.typing import AnyArray

pytestmark = pytest.mark.skipif(not engine.has_native(), reason="takes the compiled engine")
SEGMENT = 96
CODES = {"u8": 1, "s16": 1, "s24": 1, "s32": 1, "f32": 3, "alaw": 6, "mulaw": 7}


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.sampled_from(sorted(CODES)),
    st.integers(1, 8),
    st.sampled_from([0, 1, 2, SEGMENT - 1, SEGMENT, SEGMENT + 1, 3 * SEGMENT]),
    st.sampled_from([1, 2, 5]),
    st.booleans(),
    st.booleans(),
    st.sampled_from(["", "chunks", "junk", "cut frame"]),
)
def test_a_wav_comes_back_byte_for_byte(
    encoding: str, channels: int, frames: int, threads: int, extensible: bool, piped: bool, extra: str
) -> None:
    data = pcm.pack(tones(frames, channels, pcm.BITS[encoding]), encoding, False)
    data += b"\x01" if extra == "cut frame" and channels * pcm.WIDTH[encoding] > 1 else b""
    before, after = (chunk(b"bext", b"abc"), chunk(b"LIST", b"INFO" * 9)) if extra == "chunks" else (b"", b"")
    shape = form(CODES[encoding], channels, 44100, pcm.WIDTH[encoding], extensible)
    file = wav(data, shape, before, after, b"junk" * 5 if extra == "junk" else b"")
    made = packed(file, piped=piped, segment=SEGMENT)
    assert made == packed(file, piped=piped, segment=SEGMENT, threads=threads)
    assert unpacked(made, threads=threads) == file


@pytest.mark.parametrize(
    "format,subtype", [("AIFF", s) for s in ("PCM_S8", "PCM_16", "PCM_24", "PCM_32", "ULAW", "FLOAT")]
)
def test_an_aiff_comes_back_byte_for_byte(format: str, subtype: str) -> None:
    file = written(format, subtype, tones(1001, 2, 16).astype(np.int16))
    assert unpacked(packed(file, segment=300)) == file


@pytest.mark.parametrize("format,subtype", [("RF64", "PCM_16"), ("WAVEX", "PCM_24"), ("WAV", "ALAW"), ("WAV", "FLOAT")])
def test_what_other_programs_write_comes_back(format: str, subtype: str) -> None:
    file = written(format, subtype, tones(700, 2, 16).astype(np.int16))
    for piped in (False, True):
        assert unpacked(packed(file, piped=piped)) == file


def test_a_big_endian_wav_comes_back() -> None:
    file = io.BytesIO()
    soundfile.write(file, tones(100, 1, 16).astype(np.int16), 8000, "PCM_16", "BIG", "WAV")
    assert file.getvalue()[:4] == b"RIFX"
    assert unpacked(packed(file.getvalue())) == file.getvalue()


@pytest.mark.parametrize("subtype,bits", [("PCM_S8", 8), ("PCM_16", 16), ("PCM_24", 24)])
def test_a_flac_comes_back_with_samples_and_tags(subtype: str, bits: int, tmp_path: Any) -> None:
    sound = tones(3000, 2, bits) << (32 - bits)
    with soundfile.SoundFile(tmp_path / "x.flac", "w", 44100, 2, subtype) as out:
        out.title, out.artist = "a title", "Ä"
        out.write(sound)
    made = io.BytesIO()
    with open(tmp_path / "x.flac", "rb") as source:
        size = (tmp_path / "x.flac").stat().st_size
        encoder.compress_stream(sources.open_sound(source, "x.flac", size), made.write, effort="fast", segment=1000)
    (tmp_path / "y.flac").write_bytes(unpacked(made.getvalue()))
    with soundfile.SoundFile(tmp_path / "y.flac") as back:
        assert (back.title, back.artist, back.subtype, back.samplerate) == ("a title", "Ä", subtype, 44100)
        np.testing.assert_array_equal(back.read(dtype="int32"), sound)


def test_a_flac_that_is_no_file_on_the_disk_is_read_to_its_end() -> None:
    sound = np.random.default_rng(0).integers(-9000, 9000, (60000, 1)).astype(np.int16)
    file = written("FLAC", "PCM_16", sound)
    assert len(file) > 100_000
    for piped in (False, True):
        made = packed(file, piped=piped, segment=20000)
        np.testing.assert_array_equal(soundfile.read(io.BytesIO(unpacked(made)), dtype="int16")[0], sound[:, 0])


@pytest.mark.parametrize("bits,instead", [(12, 16), (20, 24), (32, 24)])
def test_a_flac_of_other_bits_is_told_what_to_do(bits: int, instead: int) -> None:
    file = bytearray(written("FLAC", "PCM_16", tones(300, 1, 16).astype(np.int16)))
    file[20] = file[20] & 0xFE | bits - 1 >> 4
    file[21] = file[21] & 0x0F | (bits - 1 & 15) << 4
    words = f"^x.wav: is FLAC of {bits} bits: 8, 16 and 24 are taken; convert it to {instead} bits$"
    with pytest.raises(AudioError, match=words):
        packed(bytes(file))


def test_no_flac_is_made_of_no_samples() -> None:
    """libsndfile neither reads nor writes one, so that no .syn file of ours is like that."""
    out = io.BytesIO()
    ContainerWriter(out.write, Header("flac", "s16", 1, 8000, "fast", 0)).end(hashlib.md5().digest())
    with pytest.raises(OutputError, match=r"x.syn: can't be written as FLAC \(it has no samples\)"):
        unpacked(out.getvalue())


def test_an_array_of_int8_becomes_a_wav() -> None:
    wave = np.array([-128, -1, 0, 127, 5], np.int8)
    back, rate = soundfile.read(io.BytesIO(unpacked(synth.compress(wave, 8000, level="fast"))), dtype="int16")
    np.testing.assert_array_equal(back, wave.astype(np.int16) << 8)


@settings(deadline=None, max_examples=20)
@given(
    st.sampled_from(["uint8", "int8", "int16", "int32"]),
    st.integers(0, 5),
    st.sampled_from([0, 1, 2, 300]),
    st.sampled_from(["fast", "balanced", "max"]),
)
def test_arrays_come_back(kind: str, channels: int, frames: int, effort: str) -> None:
    bits = min(24, 8 * np.dtype(kind).itemsize)
    wave = (tones(frames, max(1, channels), bits) + (128 if kind == "uint8" else 0)).astype(kind)
    wave = wave if channels else wave[:, 0]
    back, rate = synth.decompress(synth.compress(wave, 12345, level=effort))
    assert rate == 12345 and back.dtype == wave.dtype
    np.testing.assert_array_equal(back, wave)


@pytest.mark.parametrize("kind", [">i2", ">i4", "i8", ">i8", "u2", "u4", ">u8"])
def test_integers_of_any_type_come_back_as_the_same_values(kind: str) -> None:
    wave = np.abs(tones(300, 2, 16)).astype(kind)
    for array in (wave, np.asfortranarray(wave), wave[::-1], wave[::2]):
        back, _ = synth.decompress(synth.compress(array, 8000, level="fast"))
        assert back.dtype == np.dtype(np.int16 if kind == ">i2" else np.int32) and back.dtype.isnative
        np.testing.assert_array_equal(back, array)


WIDE: dict[str, AnyArray] = {
    "floats": (tones(300, 1, 16)[:, 0] / 40000).astype(np.float32),
    "stereo floats": (tones(300, 2, 16) / 32768).astype(np.float32),
    "odd floats": np.array([np.nan, np.inf, -np.inf, -0.0, 1e-40, 3e38] * 30, np.float32),
    "silent floats": np.zeros((20000, 2), np.float32),
    "no floats": np.zeros((0, 2), np.float32),
    "integers": tones(300, 2, 16).astype(np.int64) * 65000,
    "all integers": np.array([-(1 << 31), (1 << 31) - 1, 0, 5] * 20, np.int32),
}


@pytest.mark.parametrize("name", WIDE)
@pytest.mark.parametrize("level", ["fast", "max"])
def test_arrays_of_32_bits_come_back_bit_for_bit(name: str, level: str) -> None:
    wave = WIDE[name]
    data = synth.compress(wave, 8000, level=level)
    back, rate = synth.decompress(data)
    assert rate == 8000 and back.shape == wave.shape
    assert back.dtype == (np.float32 if wave.dtype == np.float32 else np.int32)
    assert back.tobytes() == wave.astype(back.dtype).tobytes()
    wav = io.BytesIO()
    synth.decompress_file(io.BytesIO(data), wav)
    assert wav.getvalue()[44:] == back.tobytes()


def test_floats_are_quantised_as_the_integers_that_they_stand_for() -> None:
    wave = tones(300, 1, 16)[:, 0].astype(np.int16)
    floats = (wave / 32768).astype(np.float32)
    of_integers, of_floats = (synth.decompress(synth.compress(each, 8000, mode="mulaw"))[0] for each in (wave, floats))
    np.testing.assert_array_equal(of_floats, of_integers)


@pytest.mark.parametrize(
    "wave,rate,words",
    [
        (np.zeros(5), 8000, "array of float64"),
        (np.zeros(5, bool), 8000, "array of bool"),
        (np.full(3, 1 << 63, np.uint64), 8000, "array of uint64: has values of more than 32 bits"),
        (np.zeros((5, 9), np.int16), 8000, "9 channels"),
        (np.zeros((2, 2, 2), np.int16), 8000, "shape (2, 2, 2)"),
        (np.full(3, 1 << 31, np.int64), 8000, "more than 32 bits"),
        (np.zeros(5, np.int16), 0, "sample rate 0"),
        (np.zeros(5, np.int16), 8000.0, "sample rate 8000.0"),
    ],
)
def test_arrays_that_cannot_be_compressed(wave: Any, rate: Any, words: str) -> None:
    with pytest.raises(CodecError) as caught:
        synth.compress(wave, rate)
    assert words in str(caught.value)


@pytest.mark.parametrize("rate,frames", [(8000, 4000), (16000, 8000), (22050, 11025), (44100, 22050), (48000, 24000)])
def test_half_a_second_costs_at_most_40_bytes_over_its_samples(rate: int, frames: int) -> None:
    samples = np.random.default_rng(0).integers(-9000, 9000, (frames, 1))
    coded = len(lossless.encode_segment(samples, 16, "fast"))
    assert len(packed(wav(samples.astype("<i2").tobytes(), form(1, 1, rate, 2)))) - coded <= 40


def test_silence_costs_nothing_however_long() -> None:
    assert len(packed(wav(bytes(2 * 2 * 10**6), form(1, 2, 44100, 2)))) < 60
    file = wav(np.tile(np.array([7, -9], "<i2"), 10**6).tobytes(), form(1, 2, 44100, 2))
    data = packed(file, segment=10000)
    assert len(data) < 60 and unpacked(data) == file


def test_what_is_not_used_costs_nothing() -> None:
    one = tones(2000, 1, 16)
    plain = len(packed(wav(one.astype("<i2").tobytes(), form(1, 1, 8000, 2))))
    twice = np.concatenate([one, one], 1), np.concatenate([one, -one], 1)
    for samples in twice:
        assert len(packed(wav(samples.astype("<i2").tobytes(), form(1, 2, 8000, 2)))) < plain + 10
    wide = pcm.pack(one << 8, "s24", False)
    assert len(packed(wav(wide, form(1, 1, 8000, 3)))) < 1.02 * plain + 10


def test_segments_are_about_equal_and_an_even_number() -> None:
    assert encoder.segment_length(16000, 1, 960000) == 240000
    assert encoder.segment_length(8000, 1, 480000) == 120000
    assert encoder.segment_length(16000, 1, 320000) == 160000
    assert encoder.segment_length(16000, 1, 960000, 30) == 480000
    assert encoder.segment_length(16000, 1, None, 0.1) == 1600
    assert encoder.segment_length(192000, 8, None, 600) == 1 << 19
    assert encoder.segment_length(44100, 2, None) == encoder.FRAMES
    assert encoder.segment_length(192000, 8, 10**9) <= encoder.SAMPLES // 8
    for frames in (0, 1, 10**5, 10**6, 10**7):
        length = encoder.segment_length(44100, 1, frames)
        count = -(-frames // length)
        assert count < 2 or count % 2 == 0


@pytest.mark.parametrize("start,end", [(0, 0.01), (0.02, None), (0.0123, 0.0345), (None, 0.05), (0.04, 9)])
def test_a_part_is_a_file_of_these_samples(start: float | None, end: float | None) -> None:
    for format, subtype in (
        ("WAV", "PCM_16"),
        ("WAVEX", "PCM_24"),
        ("AIFF", "PCM_16"),
        ("AIFF", "PCM_S8"),
        ("FLAC", "PCM_16"),
    ):
        file = written(format, subtype, tones(500, 3, 16).astype(np.int16), 8000)
        whole = soundfile.read(io.BytesIO(file), dtype="int32")[0]
        made = packed(file, segment=SEGMENT)
        part, rate = soundfile.read(io.BytesIO(unpacked(made, start=start, end=end)), dtype="int32")
        first, last = round((start or 0) * 8000), 500 if end is None else min(500, round(end * 8000))
        np.testing.assert_array_equal(part, whole[first:last])


def written(format: str, subtype: str, sound: Any, rate: int = 44100) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, sound, rate, subtype, format=format)
    return file.getvalue()


@pytest.mark.parametrize(
    "file,words",
    [
        (b"", "is empty"),
        (b"not a sound at all", "is not WAV, AIFF or FLAC"),
        (wav(b"1234", form(1, 9, 8000, 2)), "has 9 channels"),
        (wav(b"1234", form(1, 0, 8000, 2)), "holds samples of format 1"),
        (wav(b"1234", form(1, 1, 0, 2)), "a sample rate of 0 Hz"),
        (wav(b"1234", form(2, 1, 8000, 1)), "holds samples of format 2"),
        (wav(bytes(16), form(3, 1, 8000, 8)), "convert it to PCM"),
        (wav16(100)[:-50], "is cut short: 150 of 200 bytes of audio; convert it with another program"),
        (wav16(100)[:30], "is cut short"),
        (b"RIFF\x04\0\0\0WAVEdata\0\0\0\0", "has no format"),
        (b"fLaC" + bytes(40), "is not FLAC"),
    ],
)
def test_what_cannot_be_compressed_is_refused(file: bytes, words: str, tmp_path: Any) -> None:
    (tmp_path / "x.wav").write_bytes(file)
    with pytest.raises((AudioError, CodecError)) as caught, open(tmp_path / "x.wav", "rb") as source:
        encoder.compress_stream(sources.open_sound(source, "x.wav", len(file)), lambda data: None, effort="fast")
    assert str(caught.value).startswith("x.wav: ") and words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_wav_that_is_cut_short_in_a_pipe_is_told_what_to_do() -> None:
    with pytest.raises(AudioError, match="its samples end before its header says; convert it with another program"):
        packed(wav16(100)[:-50], piped=True)


def test_a_wav_whose_header_knows_no_length_comes_back() -> None:
    file = bytearray(wav16(300))
    for sizes in (b"\xff\xff\xff\xff", bytes(4)):
        file[4:8] = file[40:44] = sizes
        for piped in (False, True):
            data = packed(bytes(file), piped=piped, segment=100)
            assert unpacked(data) == bytes(file) and len(data) < len(file)


@pytest.mark.parametrize("law,subtype", [("alaw", "ALAW"), ("mulaw", "ULAW")])
def test_g711_is_what_libsndfile_makes_of_it(law: str, subtype: str) -> None:
    codes = bytes(range(256))
    ours = pcm.unpack(codes, law, False, 1)[:, 0]
    raw = soundfile.SoundFile(io.BytesIO(codes), "r", 8000, 1, subtype, format="RAW")
    theirs = raw.read(dtype="int16")
    np.testing.assert_array_equal(np.where(ours == -1, 0, ours), theirs)
    assert pcm.pack(ours, law, False) == codes and len(set(ours)) == 256
