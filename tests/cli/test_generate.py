"""`generate-audio` on good input: files, pipes, names, seeds, JSON, and when it is interrupted."""

from __future__ import annotations

import io
import json
import os
import signal
import struct
import subprocess
import sys
import time
import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from helpers.tools import call, command, generate, made, samples, tiny_checkpoint
from numpy.typing import NDArray

import synth
from synth import engine
from synth.common import outputs

KEYS = [
    "files",
    "sample_rate",
    "seconds",
    "checkpoint",
    "checkpoint_sha256",
    "labels",
    "engine",
    "instruction_set",
    "threads",
    "samples_per_second",
    "real_time_factor",
    "faults",
    "version",
]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


# ---- files


def test_defaults_write_two_seconds_to_out_wav_and_print_the_seed() -> None:
    done = generate()
    assert done.returncode == 0 and done.stdout == b""
    text = done.stderr.decode()
    assert text.startswith("out.wav: 2 s at 8000 Hz, seed ") and text.count("\n") == 1
    np.testing.assert_array_equal(samples("out.wav"), made(seconds=2, seed=int(text.split()[-1])))


def test_wav_is_the_canonical_header_and_the_samples() -> None:
    assert call("x.wav", "-d", "0.5", "-s", "3", "-q") == 0
    data = Path("x.wav").read_bytes()
    head = struct.pack(
        "<4sI4s4sIHHIIHH4sI", b"RIFF", 8036, b"WAVE", b"fmt ", 16, 1, 1, 8000, 16000, 2, 16, b"data", 8000
    )
    assert data == head + made(seconds=0.5, seed=3).astype("<i2").tobytes()


def test_formats_hold_the_same_samples() -> None:
    expected = made(samples=1000, seed=4)
    for suffix in ("wav", "flac", "ogg", "raw", "WAV"):
        assert call(f"x.{suffix}", "--samples", 1000, "-s", 4, "-f") == 0
    np.testing.assert_array_equal(np.fromfile("x.raw", "<i2"), expected)
    np.testing.assert_array_equal(soundfile.read("x.flac", dtype="int16")[0], expected)
    assert len(soundfile.read("x.ogg")[0]) == 1000


def test_options_reach_the_sampler() -> None:
    options = ("-t", 0.7, "--top-k", 50, "--top-p", 0.95, "--label", "digit=3,1", "--label", "speaker=bert")
    assert call("x.wav", "--samples", 500, "-s", 4, *options) == 0
    labels = {"digit": ["3", "1"], "speaker": "bert"}
    expected = made(samples=500, seed=4, temperature=0.7, top_k=50, top_p=0.95, labels=labels)
    np.testing.assert_array_equal(samples("x.wav"), expected)


@pytest.mark.parametrize("rate,channels,count", [(8000, 1, 3), (8000, 1, 500), (44100, 2, 3000), (16000, 1, 8)])
def test_primes_of_any_length_rate_and_channels(rate: int, channels: int, count: int) -> None:
    sound = np.tile((0.3 * np.sin(np.arange(count) / 9))[:, None], (1, channels))
    soundfile.write("prime.wav", sound, rate, "PCM_16")
    before = Path("prime.wav").read_bytes()
    assert call("x.wav", "--prime", "prime.wav", "--samples", 300, "-s", 1) == 0
    wave16, rate = soundfile.read("prime.wav", dtype="int16")
    np.testing.assert_array_equal(samples("x.wav"), made(samples=300, seed=1, prime=(wave16, rate)))
    assert Path("prime.wav").read_bytes() == before


def test_force_replaces_and_nothing_else_is_left() -> None:
    Path("x.wav").write_bytes(b"old")
    assert call("x.wav", "--samples", 100, "-f", "-s", 1) == 0
    assert len(samples("x.wav")) == 100
    assert os.listdir() == ["x.wav"]


def test_an_output_may_begin_with_a_dash() -> None:
    assert call("-q", "--samples", 10, "--", "-x.wav") == 0
    assert os.listdir() == ["-x.wav"]


# ---- several files


@pytest.mark.parametrize("count,names", [(1, ["x.wav"]), (3, ["x-1.wav", "x-2.wav", "x-3.wav"])])
def test_numbered_files_have_the_seeds_that_follow(count: int, names: list[str]) -> None:
    assert call("x.wav", "-n", count, "-s", 7, "--samples", 300) == 0
    assert sorted(os.listdir()) == names
    for number, name in enumerate(names):
        np.testing.assert_array_equal(samples(name), made(samples=300, seed=7 + number))


def test_numbers_are_padded_from_ten_on() -> None:
    assert outputs.numbered("a/b.c.wav", 10)[0] == "a/b.c-01.wav"
    assert outputs.numbered("a/b.c.wav", 100)[98:] == ["a/b.c-099.wav", "a/b.c-100.wav"]
    assert outputs.numbered("x", 9)[8] == "x-9"


@pytest.mark.parametrize("threads", [1, 2, 7])
def test_threads_change_nothing(threads: int) -> None:
    assert call("x.wav", "-n", 5, "-s", 1, "--samples", 2000, "--threads", threads) == 0
    for number in range(5):
        np.testing.assert_array_equal(samples(f"x-{number + 1}.wav"), made(samples=2000, seed=1 + number))


def test_a_failure_stops_the_other_files(monkeypatch: pytest.MonkeyPatch) -> None:
    from synth.generation import made_files

    real = made_files.AudioWriter.write

    def write(self: Any, block: NDArray[np.int16]) -> None:
        if self.name == "x-2.wav":
            raise OSError(28, "No space left on device", "x-2.wav")
        real(self, block)

    monkeypatch.setattr(made_files.AudioWriter, "write", write)
    assert call("x.wav", "-n", 6, "-s", 1, "--samples", 200000, "--threads", 2) == 1
    assert not [name for name in os.listdir() if not name.endswith(".wav")]
    assert "x-2.wav" not in os.listdir() and len(os.listdir()) < 5


# ---- pipes


def test_a_pipe_gets_a_wav_with_its_sizes() -> None:
    done = generate("-", "--samples", 1000, "-s", 5)
    assert done.returncode == 0
    with wave.open(io.BytesIO(done.stdout)) as file:
        assert file.getnframes() == 1000
    assert done.stdout[44:] == made(samples=1000, seed=5).astype("<i2").tobytes()
    assert len(done.stdout) == 2044
    assert b"seed 5" in done.stderr


def test_a_pipe_gets_raw_samples() -> None:
    done = generate("-", "--samples", 1000, "-s", 5, "--format", "raw", "-q")
    assert done.stdout == made(samples=1000, seed=5).astype("<i2").tobytes()
    assert done.stderr == b""


def test_a_closed_pipe_ends_quietly() -> None:
    arguments = command("generate-audio", "-c", tiny_checkpoint(), "-", "-d", "3600")
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout and process.stderr
        assert process.stdout.read(100)[:4] == b"RIFF"
        process.stdout.close()
        assert process.wait(20) == 1
        assert process.stderr.read() == b""


@pytest.mark.slow
@pytest.mark.skipif(not engine.has_native(), reason="takes the native engine")
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc")
def test_an_hour_into_a_pipe_stays_small() -> None:
    maker = command("generate-audio", "-c", tiny_checkpoint(), "-", "-d", "3600", "-q")
    total = peak = 0
    with subprocess.Popen(maker, stdout=subprocess.PIPE) as source:
        assert source.stdout
        while block := source.stdout.read(1 << 16):
            total += len(block)
            if total % (1 << 22) < 1 << 16:  # ru_maxrss would count what the test's own process had when it forked
                status = Path(f"/proc/{source.pid}/status").read_text()
                peak = max(peak, int(status.partition("VmHWM:")[2].split()[0]))
    assert source.returncode == 0
    assert total == 44 + 2 * 8000 * 3600
    assert 10 * 1024 < peak < 200 * 1024


# ---- Ctrl-C


@pytest.mark.parametrize("options", [["x.wav"], ["x.wav", "-n", "4"], ["x.wav", "--engine", "reference"], ["-"]])
def test_ctrl_c_leaves_no_file(options: list[str], tmp_path: Path) -> None:
    arguments = command("generate-audio", "-c", tiny_checkpoint(), "-d", "100000", *options)
    out = subprocess.PIPE if options == ["-"] else subprocess.DEVNULL
    with subprocess.Popen(arguments, stdout=out, stderr=subprocess.PIPE) as process:
        assert process.stderr
        if options == ["-"]:
            assert process.stdout and process.stdout.read(1000)
        else:
            wait_for_parts(tmp_path)
        process.send_signal(signal.SIGINT)
        process.wait(20)
        assert process.returncode == 130
        assert process.stderr.read() == b"generate-audio: interrupted\n"
    assert os.listdir() == []


@pytest.mark.parametrize("options", [["x.wav"], ["x.flac", "-n", "4"]])
def test_a_process_that_is_told_to_end_leaves_no_file(options: list[str], tmp_path: Path) -> None:
    process = subprocess.Popen(command("generate-audio", "-c", tiny_checkpoint(), "-d", "100000", *options))
    wait_for_parts(tmp_path)
    process.terminate()
    assert process.wait(20) == 128 + signal.SIGTERM
    assert os.listdir() == []


def wait_for_parts(folder: Path) -> None:
    """Returns when a file is being written, under whatever name."""
    until = time.monotonic() + 20
    while not any(path.stat().st_size for path in folder.iterdir()):
        assert time.monotonic() < until, "nothing is being written"
        time.sleep(0.02)
    time.sleep(0.1)


# ---- JSON


def test_json_has_the_keys_that_scripts_rely_on() -> None:
    done = generate("x.wav", "-n", 2, "-s", 7, "-d", "0.25", "--json", "--threads", 2, "--label", "digit=7")
    assert done.returncode == 0 and done.stderr == b""
    report = json.loads(done.stdout)
    assert list(report) == KEYS
    assert report["files"] == [
        {"path": "x-1.wav", "samples": 2000, "seed": 7},
        {"path": "x-2.wav", "samples": 2000, "seed": 8},
    ]
    model = synth.load(tiny_checkpoint())
    expected = {"sample_rate": 8000, "seconds": 0.25, "labels": {"digit": "7"}, "threads": 2}
    expected |= {"checkpoint": model.checkpoint.name, "checkpoint_sha256": model.checkpoint.sha256}
    expected |= {"engine": model.engine.name, "instruction_set": model.engine.instruction_set}
    assert {key: report[key] for key in expected} == expected
    assert report["real_time_factor"] == pytest.approx(report["samples_per_second"] / 8000)


def test_a_silent_file_is_told_of_in_a_line_that_says_what_to_try() -> None:
    options = ["-c", "speech", "-d", "0.5", "-s", 1, "-t", 0]
    done = generate("x.wav", *options)
    made, warned = done.stderr.decode().splitlines()
    assert done.returncode == 0 and made.startswith("x.wav: 0.5 s")
    assert warned.startswith("x.wav: warning: is silent") and "-t 0.9 or more" in warned
    done = generate("x.wav", *options, "--json", "-f")
    assert json.loads(done.stdout)["faults"] == {"x.wav": "silent"} and done.stderr.decode() == warned + "\n"
    done = generate("-", *options, "--json")
    assert json.loads(done.stderr)["faults"] == {"-": "silent"}
    assert generate("x.wav", *options, "-fq").stderr == b""


@pytest.mark.parametrize("options", [["-t", 0], ["-t", "0.5"], ["--top-k", 1], ["--top-p", "0.98"], ["--top-p", "0.9"]])
@pytest.mark.parametrize("checkpoint", ["piano", "digits-plain"])
def test_strict_draws_give_sound(checkpoint: str, options: list[object]) -> None:
    done = generate("x.wav", "-c", checkpoint, "-d", 3, "-s", 1, "-n", 2, *options, "--json")
    report = json.loads(done.stdout)
    assert done.returncode == 0 and report["faults"] == {} and done.stderr == b""
    for file in report["files"]:
        assert soundfile.read(file["path"])[0].std() > 0.002


def test_json_of_a_pipe_goes_to_stderr() -> None:
    done = generate("-", "--samples", 10, "--json", "--engine", "reference")
    assert len(done.stdout) == 64
    report = json.loads(done.stderr)
    assert report["files"][0]["path"] == "-" and report["engine"] == "reference"


def test_reference_engine_makes_the_same_file() -> None:
    assert (
        call("a.wav", "--samples", 200, "-s", 1)
        == call("b.wav", "--samples", 200, "-s", 1, "--engine", "reference")
        == 0
    )
    assert Path("a.wav").read_bytes() == Path("b.wav").read_bytes()


def test_without_the_native_engine_there_is_one_line_of_warning() -> None:
    missing = "import sys; sys.modules['synth.engine._kernel'] = None"
    code = f"{missing}\nfrom synth.cli.entry import generate_audio_main as run; run()"
    arguments = ["-c", tiny_checkpoint(), "a.wav", "-n", "2", "--samples", "100", "-s", "1", "-q"]
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, timeout=60)
    text = done.stderr.decode()
    assert text.startswith("generate-audio: warning: the native engine is not built") and text.count("\n") == 1
    np.testing.assert_array_equal(samples("a-2.wav"), made(samples=100, seed=2))
