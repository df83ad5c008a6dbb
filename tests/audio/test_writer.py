"""Writing audio to files and pipes: whole or not at all."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import wave as stdlib_wave
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from helpers.sounds import tone

from synth.audio import encoder, writer
from synth.audio.reader import read
from synth.audio.writer import AudioWriter, wav_header
from synth.common import limits
from synth.common.errors import OutputError, UsageError
from synth.common.typing import MonoSamples


def write(path: Path | str, sound: MonoSamples, **options: Any) -> None:
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
    assert writer.format_of("x.WAV") == "wav" and writer.format_of("x.flac", "flac") == "flac"
    assert writer.format_of("-") == "wav" and writer.format_of("-", "raw") == "raw"
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
from synth.audio.writer import AudioWriter
from synth.common.errors import OutputError
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
    original = encoder.Target.write

    def interrupted(self: Any, data: bytes) -> int:
        signal.raise_signal(signal.SIGINT)
        return original(self, data)

    monkeypatch.setattr(encoder.Target, "write", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path / "a.flac", tone(100_000))
    assert os.listdir(tmp_path) == [] and signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_wav_holds_what_32_bits_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert limits.MAX_WAV_SAMPLES == 2147483629
    assert len(wav_header(limits.MAX_WAV_SAMPLES, 8000)) == 44
    with pytest.raises(UsageError, match="more than a WAV can hold"):
        AudioWriter(tmp_path / "a.wav", 8000, samples=limits.MAX_WAV_SAMPLES + 1)
    monkeypatch.setattr(writer, "MAX_WAV_SAMPLES", 5000)
    write(tmp_path / "b.wav", tone(5000))
    with pytest.raises(OutputError, match="can't hold more than 5000"):
        write(tmp_path / "c.wav", tone(5001))
    assert os.listdir(tmp_path) == ["b.wav"]


def test_other_arrays_are_not_written(tmp_path: Path) -> None:
    for wrong in (np.zeros(5), np.zeros((5, 1), np.int16)):
        with pytest.raises(ValueError), AudioWriter(tmp_path / "a.wav", 8000) as out:
            out.write(cast(Any, wrong))


def piped(program: str) -> subprocess.Popen[bytes]:
    text = f"import sys, numpy as np\nfrom synth.audio.writer import AudioWriter\n{program}"
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
        "import os\ntry:\n    with AudioWriter('-', 8000) as out:\n"
        "        while True: out.write(np.zeros(5000, np.int16))\n"
        "except BrokenPipeError: os._exit(7)\n"
    )
    assert process.stdout is not None and process.stdout.read(44) == wav_header(None, 8000)
    process.stdout.close()
    assert process.wait(20) == 7
    assert process.stderr is not None and process.stderr.read() == b""
    process.stderr.close()


def test_vorbis_has_a_highest_rate(tmp_path: Path) -> None:
    """Above it libsndfile would end the process."""
    with pytest.raises(OutputError, match="200001 Hz, at most at 200000"), AudioWriter(tmp_path / "a.ogg", 200_001):
        pass
    assert not list(tmp_path.iterdir())
    with AudioWriter(tmp_path / "a.ogg", 200_000) as out:
        out.write(np.zeros(1000, np.int16))
