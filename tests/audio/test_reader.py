"""Reading and converting audio."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import soxr
from helpers.sounds import tone
from numpy.typing import NDArray

from synth.audio.reader import AudioReader, from_array, read
from synth.audio.writer import wav_header
from synth.common.errors import AudioError

# ---- reading


@pytest.mark.parametrize("suffix", ["wav", "flac", "aiff"])
def test_sixteen_bits_come_back_exactly(tmp_path: Path, suffix: str) -> None:
    sound = np.concatenate([tone(), [-32768, 32767, 0, -1]]).astype(np.int16)
    soundfile.write(tmp_path / f"a.{suffix}", sound, 8000)
    samples, rate = read(tmp_path / f"a.{suffix}")
    assert rate == 8000 and samples.dtype == np.int16
    np.testing.assert_array_equal(samples, sound)


@pytest.mark.parametrize("suffix", ["ogg", "mp3"])
def test_lossy_formats(tmp_path: Path, suffix: str) -> None:
    soundfile.write(tmp_path / f"a.{suffix}", tone(32000, 16000), 16000)
    samples, rate = read(tmp_path / f"a.{suffix}", 16000)
    assert rate == 16000 and abs(len(samples) - 32000) < 3000
    assert 0.4 < np.abs(samples[8000:24000]).max() / 32768 < 0.6


def test_channels_are_averaged_and_floats_scaled_and_clipped(tmp_path: Path) -> None:
    stereo = np.array([[1000, 2000], [-1000, 3000], [5, 6], [7, 6]], np.int16)
    soundfile.write(tmp_path / "a.wav", stereo, 8000)
    assert read(tmp_path / "a.wav")[0].tolist() == [1500, 1000, 6, 6]  # halves go to the even neighbour
    floats = np.array([0.0, 0.5, -1.5, 1.5, 1.0, -1.0])
    soundfile.write(tmp_path / "b.wav", floats, 8000, subtype="FLOAT")
    assert read(tmp_path / "b.wav")[0].tolist() == [0, 16384, -32768, 32767, 32767, -32768]


@pytest.mark.parametrize("rate", [8000, 16000, 44100])
def test_resampling_does_not_depend_on_blocks(tmp_path: Path, rate: int) -> None:
    sound = np.random.default_rng(1).normal(0, 3000, (30011, 2)).astype(np.int16)
    soundfile.write(tmp_path / "a.wav", sound, 22050)
    whole, got = read(tmp_path / "a.wav", rate)
    assert got == rate and abs(len(whole) - 30011 * rate / 22050) < 2
    mono = (sound.astype(np.float32) / 32768).mean(axis=1)
    expected = soxr.resample(mono, 22050, rate, "HQ") * 32768
    assert np.abs(whole - np.clip(np.rint(expected), -32768, 32767)).max() == 0
    for size in (1000, 30011, 7):
        with AudioReader(tmp_path / "a.wav", rate) as reader:
            np.testing.assert_array_equal(np.concatenate(list(reader.blocks(size))), whole)


def test_a_reader_tells_what_it_has_and_reads_twice(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.flac", tone(5000), 8000)
    with AudioReader(tmp_path / "a.flac", 16000) as reader:
        assert (reader.source_rate, reader.rate, reader.channels, reader.frames) == (8000, 16000, 1, 5000)
        first = np.concatenate(list(reader.blocks(512)))
        np.testing.assert_array_equal(first, np.concatenate(list(reader.blocks(4096))))


def refused(path: Path, *words: str) -> None:
    with pytest.raises(AudioError) as caught:
        read(path)
    text = str(caught.value)
    assert text.startswith(f"{path}: ") and "\n" not in text
    for word in words:
        assert word in text


def test_bad_files_are_named(tmp_path: Path) -> None:
    refused(tmp_path / "none.wav", "no such file")
    refused(tmp_path, "is a folder")
    (tmp_path / "empty.wav").touch()
    refused(tmp_path / "empty.wav", "is empty")
    for name in ("text.wav", "text.flac", "text.raw", "text.ogg"):
        (tmp_path / name).write_text("this is not a sound at all\n" * 9)
        refused(tmp_path / name, "is not audio")
    refused(tmp_path / "text.wav" / "x.wav", "no such file")
    soundfile.write(tmp_path / "nothing.wav", np.zeros(0, np.int16), 8000)
    refused(tmp_path / "nothing.wav", "no samples")
    (tmp_path / "header.wav").write_bytes(wav_header(100, 8000)[:30])
    refused(tmp_path / "header.wav")


def test_a_pipe_is_not_a_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "p.wav")
    refused(tmp_path / "p.wav", "not a regular file")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_not_finite_samples_are_refused(tmp_path: Path, value: float) -> None:
    sound = np.zeros(100_000)
    sound[90_000] = value
    soundfile.write(tmp_path / "a.wav", sound, 8000, subtype="FLOAT")
    refused(tmp_path / "a.wav", "NaN or infinite")


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg", "aiff", "mp3"])
def test_a_file_cut_in_half_is_refused(tmp_path: Path, suffix: str) -> None:
    noise = np.random.default_rng(0).normal(0, 3000, 100_000).astype(np.int16)
    soundfile.write(tmp_path / f"a.{suffix}", noise, 8000)
    data = (tmp_path / f"a.{suffix}").read_bytes()
    (tmp_path / f"half.{suffix}").write_bytes(data[: len(data) // 2])
    refused(tmp_path / f"half.{suffix}", "cut short")


def test_a_wav_of_a_pipe_with_unknown_sizes_is_read(tmp_path: Path) -> None:
    sound = tone(1000)
    for size in (0xFFFFFFFF, 0x7FFFFFDB):
        header = bytearray(wav_header(None, 8000))
        header[40:44] = struct.pack("<I", size)
        (tmp_path / "a.wav").write_bytes(bytes(header) + sound.tobytes())
        np.testing.assert_array_equal(read(tmp_path / "a.wav")[0], sound)


def test_a_name_that_is_no_unicode_is_read(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", tone(100), 8000)
    odd = os.fsencode(tmp_path) + b"/\xff\xfe.wav"
    try:
        os.rename(os.fsencode(tmp_path / "a.wav"), odd)
    except OSError:
        pytest.skip("this file system has no such names")
    assert len(read(os.fsdecode(odd))[0]) == 100


# ---- arrays


def test_arrays() -> None:
    sound = tone(1000)
    np.testing.assert_array_equal(from_array(sound, 8000, 8000), sound)
    np.testing.assert_array_equal(from_array(sound.astype(np.int32) << 16, 8000, 8000), sound)
    for kind in (np.float32, np.float64):
        np.testing.assert_array_equal(from_array((sound / 32768).astype(kind), 8000, 8000), sound)
    np.testing.assert_array_equal(from_array(np.stack([sound, sound], 1), 8000, 8000), sound)
    assert len(from_array(sound, 8000, 44100)) == pytest.approx(5512, abs=2)
    assert from_array(np.array([2.0, -2.0]), 8000, 8000).tolist() == [32767, -32768]


@pytest.mark.parametrize("kind", [">i2", "<i2", ">i4", ">f4", ">f8", "f2"])
def test_arrays_of_any_order_are_the_same_sound(kind: str) -> None:
    sound = tone(1000) >> 6 << 6  # of few bits, for half precision
    full = {"i2": 1, "i4": 65536}.get(kind[-2:], 1 / 32768)
    wave = (sound * np.float64(full)).astype(kind)
    backwards = np.ascontiguousarray(wave[::-1])[::-1]
    columns = np.asfortranarray(np.stack([wave, wave], 1))
    for array in (wave, backwards, columns, np.repeat(wave, 2)[::2]):
        result = from_array(array, 8000, 8000)
        assert result.dtype == np.dtype(np.int16) and result.dtype.isnative
        np.testing.assert_array_equal(result, sound)


def test_an_array_equals_its_file(tmp_path: Path) -> None:
    sound = np.random.default_rng(2).normal(0, 3000, (5000, 2)).astype(np.int16)
    soundfile.write(tmp_path / "a.wav", sound, 44100)
    np.testing.assert_array_equal(from_array(sound, 44100, 8000), read(tmp_path / "a.wav", 8000)[0])


@pytest.mark.parametrize(
    "wave, rate, words",
    [
        (np.zeros((2, 5000)), 8000, "shape"),
        (np.zeros((5, 2, 1)), 8000, "shape"),
        (np.zeros(()), 8000, "shape"),
        (np.zeros(5, np.uint8), 8000, "type uint8"),
        (np.zeros(5, complex), 8000, "type complex128"),
        (np.zeros(0), 8000, "no samples"),
        (np.zeros((0, 2), np.int16), 8000, "no samples"),
        (np.array([0.0, np.nan]), 8000, "NaN"),
        (np.zeros(5), 0, "sample rate 0"),
        (np.zeros(5), 8000.5, "sample rate 8000.5"),
    ],
)
def test_bad_arrays(wave: NDArray[Any], rate: Any, words: str) -> None:
    with pytest.raises(AudioError, match=words):
        from_array(wave, rate, 8000)


@pytest.mark.parametrize("rate", [8000, 16000])
@pytest.mark.parametrize("channels", [2, 4])
def test_channels_that_cancel_are_refused_with_what_to_do(tmp_path: Path, channels: int, rate: int) -> None:
    sound = tone(20000).astype(np.int16)
    opposite = np.stack([sound, -sound] * (channels // 2), 1)
    soundfile.write(tmp_path / "a.wav", opposite, 8000)
    words = f"its {channels} channels cancel .* remix 1"
    with pytest.raises(AudioError, match=f"a.wav: {words}"):
        read(tmp_path / "a.wav", rate)
    with pytest.raises(AudioError, match=f"audio array: {words}"):
        from_array(opposite, 8000, rate)


def test_channels_that_do_not_cancel_are_read() -> None:
    sound = tone(20000).astype(np.int16)
    silence = np.zeros_like(sound)
    noise = np.random.default_rng(1).normal(0, 3000, 20000).astype(np.int16)
    for channels in (
        [sound, silence],
        [sound, noise],
        [sound, -sound, sound],
        [silence, silence],
        [sound] + 15 * [silence],
    ):
        assert len(from_array(np.stack(channels, 1), 8000, 8000)) == 20000
    assert len(from_array(np.stack([sound, -(sound // 2)], 1), 8000, 8000)) == 20000


def test_a_long_file_is_read_in_bounded_memory(tmp_path: Path) -> None:
    """Six minutes of stereo at 44.1 kHz are 64 MB; the process may grow by half of that."""
    path = tmp_path / "long.wav"
    with soundfile.SoundFile(path, "w", 44100, 2, "PCM_16") as file:
        block = np.random.default_rng(0).normal(0, 3000, (441000, 2)).astype(np.int16)
        for _ in range(36):
            file.write(block)
    program = f"""
import resource
from synth.audio.reader import AudioReader
def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
before, count = peak(), 0
with AudioReader({str(path)!r}, 8000) as reader:
    for block in reader.blocks():
        count += len(block)
assert abs(count - 360 * 8000) < 2, count
assert peak() - before < 32, (before, peak())
"""
    subprocess.run([sys.executable, "-c", program], check=True)
