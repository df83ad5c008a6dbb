"""Reading, converting and writing audio."""

from __future__ import annotations

import errno
import os
import signal
import struct
import subprocess
import sys
import wave as stdlib_wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import soxr

from synth import audio, writer
from synth.audio import AudioReader, AudioWriter, from_array, read, wav_header
from synth.errors import AudioError, OutputError, UsageError


def tone(count: int = 4000, rate: int = 8000, hertz: float = 440.0, amplitude: float = 0.5) -> np.ndarray:
    return (amplitude * 32767 * np.sin(2 * np.pi * hertz * np.arange(count) / rate)).astype(np.int16)


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
        np.testing.assert_array_equal(from_array(sound.astype(kind) / 32768, 8000, 8000), sound)
    np.testing.assert_array_equal(from_array(np.stack([sound, sound], 1), 8000, 8000), sound)
    assert len(from_array(sound, 8000, 44100)) == pytest.approx(5512, abs=2)
    assert from_array(np.array([2.0, -2.0]), 8000, 8000).tolist() == [32767, -32768]


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
def test_bad_arrays(wave: np.ndarray, rate: Any, words: str) -> None:
    with pytest.raises(AudioError, match=words):
        from_array(wave, rate, 8000)


# ---- writing


def write(path: Path | str, sound: np.ndarray, **options: Any) -> None:
    with AudioWriter(path, 8000, **options) as out:
        for at in range(0, len(sound), 777):
            out.write(sound[at : at + 777])


def test_a_wav_is_the_canonical_header_and_the_samples(tmp_path: Path) -> None:
    sound = tone(5000)
    write(tmp_path / "a.wav", sound)
    data = (tmp_path / "a.wav").read_bytes()
    assert data == wav_header(5000, 8000) + sound.astype("<i2").tobytes()
    with stdlib_wave.open(str(tmp_path / "a.wav")) as file:
        assert file.getparams()[:4] == (1, 2, 8000, 5000)
    assert data[:44].hex() == (
        "52494646 34270000 57415645 666d7420 10000000 0100 0100 401f0000 803e0000 0200 1000 64617461 10270000"
    ).replace(" ", "")
    assert os.listdir(tmp_path) == ["a.wav"]


def test_raw_and_flac_hold_the_samples_and_ogg_the_sound(tmp_path: Path) -> None:
    sound = tone(40000)
    for suffix in ("raw", "flac", "ogg"):
        write(tmp_path / f"a.{suffix}", sound)
    assert (tmp_path / "a.raw").read_bytes() == sound.astype("<i2").tobytes()
    np.testing.assert_array_equal(read(tmp_path / "a.flac")[0], sound)
    back = read(tmp_path / "a.ogg")[0]
    assert len(back) == len(sound)
    assert np.sqrt(np.mean((back[1000:-1000] - sound[1000:-1000].astype(float)) ** 2)) < 800


@pytest.mark.parametrize("suffix", ["wav", "raw", "flac"])
def test_no_samples_make_a_file(tmp_path: Path, suffix: str) -> None:
    write(tmp_path / f"a.{suffix}", tone(0))
    assert (tmp_path / f"a.{suffix}").exists()


def test_the_suffix_decides(tmp_path: Path) -> None:
    assert audio.format_of("x.WAV") == "wav" and audio.format_of("x.flac", "flac") == "flac"
    assert audio.format_of("-") == "wav" and audio.format_of("-", "raw") == "raw"
    for path, form in [("x.mp3", None), ("x", None), ("x.wav", "flac"), ("x.wav", "mp3"), ("-", "flac"), ("-", "ogg")]:
        with pytest.raises(UsageError):
            AudioWriter(path, 8000, form)


def test_an_existing_file_stays_unless_forced(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_text("mine")
    with pytest.raises(OutputError, match=r"a\.wav: exists already"):
        write(path, tone())
    assert path.read_text() == "mine"
    write(path, tone(), force=True)
    assert len(read(path)[0]) == 4000
    assert os.listdir(tmp_path) == ["a.wav"]


@pytest.mark.parametrize("links", [True, False])
def test_a_file_that_appears_meanwhile_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, links: bool) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EPERM, "no links here")

    if not links:
        monkeypatch.setattr(os, "link", refuse)
    path = tmp_path / "a.wav"
    with pytest.raises(OutputError, match="exists already"), AudioWriter(path, 8000) as out:
        out.write(tone())
        path.write_text("theirs")
    assert path.read_text() == "theirs"
    assert os.listdir(tmp_path) == ["a.wav"]


def test_without_hard_links_the_file_is_renamed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOTSUP, "no links here")

    monkeypatch.setattr(os, "link", refuse)
    write(tmp_path / "a.wav", tone())
    assert os.listdir(tmp_path) == ["a.wav"]


def test_a_link_to_a_file_is_kept_when_forced(tmp_path: Path) -> None:
    (tmp_path / "real.wav").write_text("old")
    (tmp_path / "link.wav").symlink_to("real.wav")
    write(tmp_path / "link.wav", tone(), force=True)
    assert (tmp_path / "link.wav").is_symlink() and len(read(tmp_path / "real.wav")[0]) == 4000


def test_places_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "folder.wav").mkdir()
    (tmp_path / "file").touch()
    os.mkfifo(tmp_path / "pipe.wav")
    cases = {"folder.wav": "is a folder", "none/a.wav": "does not exist", "file/a.wav": "does not exist"}
    for name, words in (cases | {"pipe.wav": "not a regular file", "b.wav/": "does not exist"}).items():
        with pytest.raises(OutputError, match=words) as caught:
            write(f"{tmp_path}/{name}", tone(), force=True)
        assert name in str(caught.value)
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(OutputError, match="not writable"):
        write(tmp_path / "a.wav", tone())


@pytest.mark.parametrize("suffix", ["wav", "raw", "flac", "ogg"])
@pytest.mark.parametrize("kind", [ValueError, KeyboardInterrupt])
def test_an_error_leaves_nothing(tmp_path: Path, suffix: str, kind: type[BaseException]) -> None:
    with pytest.raises(kind), AudioWriter(tmp_path / f"a.{suffix}", 8000) as out:
        out.write(tone())
        assert len(os.listdir(tmp_path)) == 1
        raise kind
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("suffix", ["wav", "raw", "flac", "ogg"])
def test_a_full_disk_leaves_nothing(tmp_path: Path, suffix: str) -> None:
    """A limit on the size of files stands for the full disk."""
    path = tmp_path / f"a.{suffix}"
    program = f"""
import resource, signal
import numpy as np
from synth.audio import AudioWriter
from synth.errors import OutputError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (20000, 20000))
noise = np.random.default_rng(0).normal(0, 5000, 200000).astype(np.int16)
try:
    with AudioWriter({str(path)!r}, 8000) as out:
        out.write(noise)
except OutputError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.stdout.startswith(f"{path}: can't be written (") and done.stdout.count("\n") == 1
    assert done.stderr == "" and os.listdir(tmp_path) == []


def test_no_space_when_it_is_synced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError, match=r"a\.wav: can't be written \(No space left on device\)"):
        write(tmp_path / "a.wav", tone())
    assert os.listdir(tmp_path) == []


def test_interrupt_in_the_encoder_arrives_after_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    original = writer._Target.write

    def interrupted(self: Any, data: bytes) -> int:
        signal.raise_signal(signal.SIGINT)
        return original(self, data)

    monkeypatch.setattr(writer._Target, "write", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path / "a.flac", tone(100_000))
    assert os.listdir(tmp_path) == [] and signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_wav_holds_what_32_bits_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert audio.MAX_WAV_SAMPLES == 2147483629
    assert len(wav_header(audio.MAX_WAV_SAMPLES, 8000)) == 44
    with pytest.raises(UsageError, match="more than a WAV can hold"):
        AudioWriter(tmp_path / "a.wav", 8000, samples=audio.MAX_WAV_SAMPLES + 1)
    monkeypatch.setattr(writer, "MAX_WAV_SAMPLES", 5000)
    write(tmp_path / "b.wav", tone(5000))
    with pytest.raises(OutputError, match="can't hold more than 5000"):
        write(tmp_path / "c.wav", tone(5001))
    assert os.listdir(tmp_path) == ["b.wav"]


def test_other_arrays_are_not_written(tmp_path: Path) -> None:
    for wrong in (np.zeros(5), np.zeros((5, 1), np.int16)):
        with pytest.raises(ValueError), AudioWriter(tmp_path / "a.wav", 8000) as out:
            out.write(wrong)


def piped(program: str) -> subprocess.Popen[bytes]:
    text = f"import sys, numpy as np\nfrom synth.audio import AudioWriter\n{program}"
    return subprocess.Popen([sys.executable, "-c", text], stdout=subprocess.PIPE, stderr=subprocess.PIPE)


@pytest.mark.parametrize("samples, form", [(None, "wav"), (3000, "wav"), (None, "raw")])
def test_standard_output(samples: int | None, form: str) -> None:
    process = piped(
        f"with AudioWriter('-', 8000, {form!r}, samples={samples}) as out:\n"
        "    for block in range(3): out.write(np.full(1000, block, np.int16))\n"
    )
    data, error = process.communicate()
    expected = np.repeat(np.arange(3, dtype="<i2"), 1000).tobytes()
    assert data == (wav_header(samples, 8000) if form == "wav" else b"") + expected and error == b""


def test_a_closed_pipe_is_a_broken_pipe_error() -> None:
    process = piped(
        "import os\ntry:\n    with AudioWriter('-', 8000) as out:\n        while True: out.write(np.zeros(5000, np.int16))\n"
        "except BrokenPipeError: os._exit(7)\n"
    )
    assert process.stdout is not None and process.stdout.read(44) == wav_header(None, 8000)
    process.stdout.close()
    assert process.wait(20) == 7
    assert process.stderr is not None and process.stderr.read() == b""
    process.stderr.close()


def test_a_long_file_is_read_in_bounded_memory(tmp_path: Path) -> None:
    """Six minutes of stereo at 44.1 kHz are 64 MB; the process may grow by half of that."""
    path = tmp_path / "long.wav"
    with soundfile.SoundFile(path, "w", 44100, 2, "PCM_16") as file:
        block = np.random.default_rng(0).normal(0, 3000, (441000, 2)).astype(np.int16)
        for _ in range(36):
            file.write(block)
    program = f"""
import resource
from synth.audio import AudioReader
def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
before, count = peak(), 0
with AudioReader({str(path)!r}, 8000) as reader:
    for block in reader.blocks():
        count += len(block)
assert abs(count - 360 * 8000) < 2, count
assert peak() - before < 32, (before, peak())
"""
    subprocess.run([sys.executable, "-c", program], check=True)
