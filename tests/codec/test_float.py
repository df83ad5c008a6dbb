"""Files of 32-bit floats through the codec and back."""

from __future__ import annotations

import hashlib
import io
import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile
from helpers.packed import chunk, form, packed, salvaged, tones, unpacked, wav
from numpy.typing import NDArray

import synth
from synth import engine
from synth.audio.formats import pcm
from synth.codec import encoder, sources
from synth.common.errors import AudioError, CodecError
from synth.common.input_file import open_input

pytestmark = pytest.mark.skipif(not engine.has_native(), reason="takes the compiled engine")
HALVES = np.array([-1, 0.5] * 200)
SOUND = tones(400, 1, 16)[:, 0] / 32768


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("unit", [1, 32768])
@pytest.mark.parametrize(
    "sound",
    [np.append(-1.0, SOUND), np.append(SOUND, -1.0), np.append([0, 0, -1, -1.0], SOUND), HALVES, np.full(100, -1.0)],
)
def test_integers_in_floats_come_back_wherever_the_least_one_is(
    sound: NDArray[np.float64], unit: int, channels: int
) -> None:
    data = np.repeat(sound * unit, channels).astype("<f4").tobytes()
    file = wav(data, form(3, channels, 8000, 4))
    for piped in (False, True):
        made = packed(file, piped=piped)
        assert unpacked(made) == file and made[3] == 1


def test_a_silent_float_file_of_few_bytes() -> None:
    for data in (b"", b"\0" * 3, b"\0" * 8, struct.pack("<f", -1.0), struct.pack("<f", 0.1)):
        file = wav(data, form(3, 1, 8000, 4))
        assert unpacked(packed(file)) == unpacked(packed(file, piped=True)) == file


ODD = [np.nan, np.inf, -np.inf, -0.0, 1e-41, 1.5, -3e38, 1.0]


@pytest.mark.parametrize("piped", [False, True])
@pytest.mark.parametrize("level", ["fast", "balanced", "max"])
@pytest.mark.parametrize("value", ODD)
def test_any_float_comes_back(value: float, level: str, piped: bool) -> None:
    file = wav(np.append(SOUND, value).astype("<f4").tobytes(), form(3, 1, 8000, 4), after=chunk(b"LIST", b"INFO"))
    data = packed(file, piped=piped, effort=level)
    assert unpacked(data) == file
    assert data[3] == 5 and len(data) < 0.65 * len(file)


@pytest.mark.parametrize("piped", [False, True])
@pytest.mark.parametrize("late", [0, 1 << 12, 1 << 19])
def test_what_no_24_bits_hold_may_come_late(late: int, piped: bool, tmp_path: Path) -> None:
    for code, value in ((3, struct.pack("<f", 0.1)), (1, struct.pack("<i", 257))):
        file = wav(bytes(4 * late) + value + bytes(40), form(code, 1, 8000, 4), after=chunk(b"LIST", b"INFO"))
        (tmp_path / "x.wav").write_bytes(file)
        with open_input(str(tmp_path / "x.wav")) as source:
            out = io.BytesIO()
            sound = sources.open_sound(source, "x.wav", None if piped else source.size)
            encoder.compress_stream(sound, out.write, effort="fast")
            assert source.digest() == hashlib.md5(file).digest()
        assert out.getvalue() == packed(file, piped=piped)
        assert unpacked(out.getvalue()) == file and out.getvalue()[3] == 5


@pytest.mark.parametrize(
    "subtype,kind", [("FLOAT", "AIFF"), ("PCM_32", "AIFF"), ("FLOAT", "WAVEX"), ("PCM_32", "RF64")]
)
def test_other_files_of_32_bits_come_back(subtype: str, kind: str) -> None:
    out = io.BytesIO()
    sound = np.random.default_rng(0).normal(0, 0.1, (900, 2))
    soundfile.write(out, sound, 44100, subtype, format=kind)
    data = packed(out.getvalue(), seconds=0.1)
    assert unpacked(data) == out.getvalue()
    array, rate = synth.decompress(data)
    read, _ = soundfile.read(io.BytesIO(out.getvalue()), dtype="float32" if subtype == "FLOAT" else "int32")
    np.testing.assert_array_equal(array, read)
    back = soundfile.read(io.BytesIO(unpacked(data, start=0.005, end=0.015)), dtype=str(read.dtype))[0]
    np.testing.assert_array_equal(back, read[220:662])


def test_floats_become_mulaw_as_their_nearest_integers_do() -> None:
    sound = np.append(SOUND * 1.3 + 1e-5, ODD)
    file = wav(sound.astype("<f4").tobytes(), form(3, 1, 8000, 4))
    whole = np.clip(np.rint(np.nan_to_num(sound.astype(np.float32).astype(np.float64) * 2**23)), -(2**23), 2**23 - 1)
    other = wav(pcm.pack(whole.astype(np.int32)[:, None], "s24", False), form(1, 1, 8000, 3))
    assert unpacked(packed(file, mode="mulaw")) == unpacked(packed(other, mode="mulaw"))


def test_a_damaged_segment_of_floats_becomes_silence() -> None:
    file = wav((SOUND * 0.7).astype("<f4").tobytes(), form(3, 1, 8000, 4))
    data = bytearray(packed(file, segment=100))
    data[len(data) // 2] ^= 1
    back, damages = salvaged(bytes(data))
    assert len(damages) == 1 and back[:44] == file[:44] and len(back) == len(file)
    assert sum(back[i : i + 4] == b"\0\0\0\0" for i in range(44, len(file), 4)) >= 100


def test_version_5_is_of_these_encodings_alone() -> None:
    good = packed(wav((SOUND * 0.7).astype("<f4").tobytes(), form(3, 1, 8000, 4)))
    for data, version in ((good, 2), (packed(wav(SOUND.astype("<f4").tobytes(), form(3, 1, 8000, 4))), 5), (good, 6)):
        with pytest.raises(CodecError, match="header is damaged|is of version 6 of the format"):
            unpacked(data[:3] + bytes([version]) + data[4:])


def test_64_bit_float_is_told_what_to_do() -> None:
    with pytest.raises(
        AudioError, match="64 bits in 8 bytes, which can't be compressed; convert it to PCM or 32-bit float"
    ):
        packed(wav(SOUND.tobytes(), form(3, 1, 8000, 8)))
