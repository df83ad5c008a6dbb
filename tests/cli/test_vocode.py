"""`synth vocode`, and the other commands with a voice: files, pipes, seeds, JSON, and what is refused."""

from __future__ import annotations

import json
import os
import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from helpers import voices
from helpers.tools import error_line, run, samples, tiny_checkpoint
from numpy.typing import NDArray

from synth.audio import reader
from synth.cli import entry
from synth.engine.config import SamplingConfig
from synth.vocoder.mel import checked_mel

KEYS = [
    *["files", "sample_rate", "seconds", "checkpoint", "checkpoint_sha256", "labels", "tokens"],
    *["transpose", "pitch_of", "engine"],
    *["instruction_set", "samples_per_second", "real_time_factor", "faults", "version"],
]
SOUND = voices.sound(2003)
MEL = np.random.default_rng(0).normal(-6, 2, (11, 8)).astype(np.float32)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    soundfile.write("a.wav", SOUND, 8000)
    np.save("a.npy", MEL)


def vocode(*arguments: object, period: int = 0) -> int:
    """`synth vocode` in this process."""
    return entry.main(["vocode", "-c", voices.path(period), *map(str, arguments)])


def generate(*arguments: object, period: int = 2) -> int:
    """`generate-audio` in this process."""
    return entry.generate_audio_main(["-c", voices.path(period), *map(str, arguments)])


def spoken(sound: NDArray[np.int16], seed: int, tokens: int | None = None, **labels: str) -> NDArray[np.int16]:
    """What the voice says along a sound."""
    vocoder = voices.vocoder()
    heard = vocoder.encode_sound(sound)
    vectors = vocoder.quantize_latents(heard) if tokens is None else vocoder.latents(vocoder.tokens(heard, tokens))
    return voices.load(0).follow(vectors, seed=seed, labels=labels).pcm(len(sound))


def line(capsys: pytest.CaptureFixture[str], name: str = "synth vocode") -> str:
    """The one line on stderr of a command that failed and wrote nothing to stdout."""
    out, error = capsys.readouterr()
    assert out == "" and error.count("\n") == 1 and error.startswith(f"{name}: error: "), (out, error)
    return error


# ---- synth vocode


def test_a_recording_is_said_again(capsys: pytest.CaptureFixture[str]) -> None:
    assert vocode("a.wav", "-o", "x.wav", "-s", 3) == 0
    np.testing.assert_array_equal(samples("x.wav"), spoken(SOUND, 3))
    out, error = capsys.readouterr()
    assert out == "" and error == f"synth vocode: x.wav: 0.25 s with {Path(voices.path(0)).stem}, seed 3\n"
    assert sorted(os.listdir()) == ["a.npy", "a.wav", "x.wav"]


def test_options_reach_the_voice() -> None:
    options = ("-s", 3, "--tokens", 2, "--label", "digit=7", "--label", "speaker=bert", "-t", 0, "-q")
    assert vocode("a.wav", "-o", "x.wav", *options) == 0
    vocoder = voices.vocoder()
    vectors = vocoder.latents(vocoder.tokens(vocoder.encode_sound(SOUND), 2))
    labels = {"digit": "7", "speaker": "bert"}
    expected = voices.load(0).follow(vectors, SamplingConfig.of(0), seed=9, labels=labels)  # greedy: of any seed
    np.testing.assert_array_equal(samples("x.wav"), expected.pcm(len(SOUND)))


def test_formats_seeds_and_engines() -> None:
    for number, more in enumerate((["-s", 4], ["-s", 4, "--engine", "reference"], ["-s", 5])):
        assert vocode("a.wav", "-o", f"{number}.raw", "-q", *more) == 0
    first, reference, other = (np.fromfile(f"{number}.raw", "<i2") for number in range(3))
    np.testing.assert_array_equal(first, reference)
    np.testing.assert_array_equal(first, spoken(SOUND, 4))
    assert (first != other).any()
    assert vocode("a.wav", "-o", "x.flac", "-s", 4, "-q") == 0
    np.testing.assert_array_equal(soundfile.read("x.flac", dtype="int16")[0], first)


@pytest.mark.parametrize(("rate", "channels"), [(8000, 2), (44100, 2), (16000, 1), (6000, 1)])
def test_recordings_of_any_rate_and_channels(rate: int, channels: int) -> None:
    soundfile.write("b.wav", np.tile(SOUND[:, None], (1, channels)), rate)
    assert vocode("b.wav", "-o", "x.wav", "-s", 3, "-q") == 0
    np.testing.assert_array_equal(samples("x.wav"), spoken(reader.read("b.wav", 8000)[0], 3))


@pytest.mark.parametrize("frames", [1, 10, 11])
def test_features_are_said(frames: int) -> None:
    np.save("b.npy", MEL[:frames])
    assert vocode("b.npy", "-o", "x.wav", "-s", 3, "-q") == 0
    expected = voices.load(0).generate(features=MEL[:frames], seed=3)
    np.testing.assert_array_equal(samples("x.wav"), (expected * 32768).astype(np.int16))
    assert len(samples("x.wav")) == 80 * frames
    checked_mel(MEL, 8)


def test_json_has_the_keys_that_scripts_rely_on(capsys: pytest.CaptureFixture[str]) -> None:
    assert vocode("a.wav", "-o", "x.wav", "-s", 3, "--tokens", 4, "--label", "digit=7", "--json") == 0
    out, error = capsys.readouterr()
    report = json.loads(out)
    assert error == "" and list(report) == KEYS
    model = voices.load(0)
    expected: dict[str, Any] = {"files": [{"path": "x.wav", "samples": 2003, "seed": 3}], "sample_rate": 8000}
    expected |= {"seconds": 2003 / 8000, "labels": {"digit": "7"}, "tokens": 4, "engine": model.engine.name}
    expected |= {"checkpoint": model.checkpoint.name, "checkpoint_sha256": model.checkpoint.sha256}
    assert {key: report[key] for key in expected} == expected
    assert report["instruction_set"] == model.engine.instruction_set
    assert report["real_time_factor"] == pytest.approx(report["samples_per_second"] / 8000)


def test_a_pipe_gets_the_sound_and_nothing_else() -> None:
    done = run("synth", "vocode", "a.wav", "-c", voices.path(0), "-o", "-", "-s", 3)
    assert done.returncode == 0
    Path("x.wav").write_bytes(done.stdout)
    with wave.open("x.wav") as file:
        assert file.getnframes() == 2003
    assert done.stdout[44:] == spoken(SOUND, 3).astype("<i2").tobytes()
    assert done.stderr.decode().startswith("synth vocode: -: 0.25 s") and done.stderr.count(b"\n") == 1
    done = run("synth", "vocode", "a.npy", "-c", voices.path(0), "-o", "-", "--format", "raw", "--json")
    assert len(done.stdout) == 2 * 80 * 11
    assert json.loads(done.stderr)["files"][0]["path"] == "-"


def test_a_pipe_is_read() -> None:
    done = run("synth", "vocode", "-", "-c", voices.path(0), "-o", "x.wav", "-s", 3, input=Path("a.wav").read_bytes())
    assert done.returncode == 0
    np.testing.assert_array_equal(samples("x.wav"), spoken(SOUND, 3))
    done = run("synth", "vocode", "-", "-c", voices.path(0), "-o", "y.wav", input=b"")
    assert "-: is empty" in error_line(done, 1, "synth vocode")


def test_a_prime_comes_through_a_pipe() -> None:
    assert generate("x.wav", "--prime", "a.wav", "--samples", 700, "-s", 1, "-q") == 0
    options = ("-c", voices.path(), "--samples", 700, "-s", 1, "-q")
    done = run("generate-audio", "y.wav", "--prime", "-", *options, input=Path("a.wav").read_bytes())
    assert done.returncode == 0 and Path("y.wav").read_bytes() == Path("x.wav").read_bytes()


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ("a.wav -o x.wav --tokens 5", 2, "tokens 5: this voice has 1 to 4 a frame"),
        ("a.wav -o x.wav --label digit=77", 2, "label digit=77 is not known; known values: 0, 1, 2"),
        ("a.wav -o x.wav --label pitch=a", 2, "label key 'pitch' is not known; known keys: digit, speaker"),
        ("a.wav -o x.wav --label digit=1,2", 2, "--label digit: takes one value here"),
        ("a.wav -o x.wav --label digit=1 --label digit=2", 2, "error: --label 'digit=2': digit is given twice\n"),
        ("a.wav -o x.mp3", 2, "x.mp3: "),
        ("a.wav -o x.wav --format flac", 2, "x.wav: "),
        ("a.wav -o - --format flac", 2, "flac"),
        ("a.wav -o a.wav -f", 2, "a.wav: is the input a.wav too"),
        ("a.wav -o there.wav", 1, "there.wav: exists already; -f"),
        ("a.wav -o missing/x.wav", 1, "missing/x.wav: the folder missing does not exist"),
        ("missing.wav -o x.wav", 1, "missing.wav: no such file"),
        ("short.wav -o x.wav", 1, "short.wav: lasts 159 samples, less than a token frame of 160"),
        ("none.wav -o x.wav", 1, "none.wav: "),
        ("text.wav -o x.wav", 1, "text.wav: is not audio"),
        ("missing.npy -o x.wav", 1, "missing.npy: no such file"),
        ("text.npy -o x.wav", 1, "text.npy: is no NumPy array"),
        ("pickle.npy -o x.wav", 1, "pickle.npy: is no NumPy array"),
        ("integers.npy -o x.wav", 1, "integers.npy: is int16[4, 8], must be floats [frames, 8]"),
        ("wide.npy -o x.wav", 1, "wide.npy: is float64[4, 80], must be floats [frames, 8]"),
        ("nan.npy -o x.wav", 1, "nan.npy: must be finite"),
        ("decibel.npy -o x.wav", 1, "decibel.npy: must be finite natural logarithms"),
    ],
)
def test_what_is_refused(arguments: str, code: int, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    soundfile.write("short.wav", SOUND[:159], 8000)
    soundfile.write("none.wav", SOUND[:0], 8000)
    Path("there.wav").write_bytes(b"precious")
    for name in ("text.wav", "text.npy"):
        Path(name).write_text("neither sound nor numbers")
    np.save("pickle.npy", np.array([{}], object), allow_pickle=True)
    np.save("integers.npy", np.zeros((4, 8), np.int16))
    np.save("wide.npy", np.zeros((4, 80)))
    np.save("nan.npy", np.full((4, 8), np.nan))
    np.save("decibel.npy", np.full((4, 8), -80.0))
    before = sorted(os.listdir())
    assert vocode(*arguments.split()) == code
    assert words in line(capsys)
    assert sorted(os.listdir()) == before and Path("there.wav").read_bytes() == b"precious"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("a.wav", "-o/--out"),
        ("-o x.wav", "AUDIO|FEATURES.npy"),
        ("a.wav -o x.wav --tokens 0", "--tokens: '0'"),
        ("a.wav -o x.wav --tokens 17", "--tokens: '17'"),
        ("a.wav -o x.wav -t -1", "-t/--temperature: '-1'"),
        ("a.wav -o x.wav -s 4294967296", "-s/--seed: '4294967296'"),
        ("a.wav -o x.wav --format mp3", "--format: invalid choice"),
    ],
)
def test_usage(arguments: str, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert vocode(*arguments.split()) == 2 and words in line(capsys)
    assert sorted(os.listdir()) == ["a.npy", "a.wav"]


def test_exit_codes_of_a_process() -> None:
    wrong = run("synth", "vocode", "a.wav", "-c", voices.path(0), "-o", "x.wav", "--tokens", 5)
    assert "tokens 5" in error_line(wrong, 2, "synth vocode")
    missing = run("synth", "vocode", "b.wav", "-c", voices.path(0), "-o", "x.wav")
    assert "b.wav" in error_line(missing, 1, "synth vocode")


def test_checkpoints_that_are_no_voice(capsys: pytest.CaptureFixture[str]) -> None:
    assert entry.main(["vocode", "a.wav", "-o", "x.wav", "-c", "missing"]) == 1
    assert "missing: no such checkpoint" in line(capsys)
    data = Path(voices.path(0)).read_bytes()
    Path("x.raw").write_bytes(data)
    assert entry.main(["vocode", "a.wav", "-o", "x.raw", "-c", "x.raw", "-f"]) == 2
    assert "x.raw: is the input x.raw too" in line(capsys)
    assert Path("x.raw").read_bytes() == data
    Path("y.safetensors").write_bytes(data[:-1])
    assert entry.main(["vocode", "a.wav", "-o", "x.wav", "-c", "y.safetensors"]) == 1
    assert "y.safetensors: damaged" in line(capsys)


def test_force_replaces_and_a_failure_leaves_the_old_file(capsys: pytest.CaptureFixture[str]) -> None:
    Path("x.wav").write_bytes(b"old")
    assert vocode("missing.wav", "-o", "x.wav", "-f") == 1
    assert Path("x.wav").read_bytes() == b"old"
    assert vocode("a.wav", "-o", "x.wav", "-f", "-s", 3, "-q") == 0
    np.testing.assert_array_equal(samples("x.wav"), spoken(SOUND, 3))


# ---- generate-audio with a voice


def made(**options: Any) -> NDArray[np.int16]:
    return (voices.load().generate(**options) * 32768).astype(np.int16)


@pytest.mark.parametrize("threads", [1, 2])
def test_numbered_files_have_the_seeds_that_follow(threads: int) -> None:
    options = ("--label", "digit=3,1", "--samples", 1500, "-q", "--threads", threads)
    assert generate("x.wav", "-n", 5, "-s", 7, *options) == 0
    for number in range(5):
        expected = made(samples=1500, seed=7 + number, labels={"digit": ["3", "1"]})
        np.testing.assert_array_equal(samples(f"x-{number + 1}.wav"), expected)


@pytest.mark.parametrize("count", [1, 100, 160, 2003])
def test_primes_of_any_length(count: int) -> None:
    soundfile.write("prime.wav", SOUND[:count], 8000)
    assert generate("x.wav", "-n", 2, "--prime", "prime.wav", "--samples", 700, "-s", 1, "-q") == 0
    for number in (1, 2):
        expected = made(samples=700, seed=number, prime=(SOUND[:count], 8000))
        np.testing.assert_array_equal(samples(f"x-{number}.wav"), expected)


def test_a_prime_of_nothing_and_a_voice_without_a_plan(capsys: pytest.CaptureFixture[str]) -> None:
    soundfile.write("prime.wav", SOUND[:0], 8000)
    assert generate("x.wav", "--prime", "prime.wav") == 1
    assert "prime.wav: " in line(capsys, "generate-audio")
    assert generate("x.wav", period=0) == 2
    assert "has no planner" in line(capsys, "generate-audio")
    assert not Path("x.wav").exists()


def test_the_reference_engine_makes_the_same_file() -> None:
    assert generate("x.wav", "--samples", 250, "-s", 1, "-q") == 0
    assert generate("y.wav", "--samples", 250, "-s", 1, "-q", "--engine", "reference") == 0
    assert Path("x.wav").read_bytes() == Path("y.wav").read_bytes()


# ---- what a voice is not for


@pytest.mark.parametrize("given", ["tiny", "digits-plain", "corrector-large"])
@pytest.mark.parametrize(
    "arguments", ["vocode a.wav -o x.wav", "morph a.wav -o x.wav", "compress a.wav --mode parametric"]
)
def test_what_takes_a_voice_takes_nothing_else(arguments: str, given: str, capsys: pytest.CaptureFixture[str]) -> None:
    name = tiny_checkpoint() if given == "tiny" else given
    assert entry.main([*arguments.split(), "-c", name]) == 1
    taker = "mode parametric" if arguments.startswith("compress") else f"synth {arguments.split()[0]}"
    said = line(capsys, f"synth {arguments.split()[0]}")
    assert f"error: {name}: is no voice; {taker} takes one, as digits or speech\n" in said
    assert sorted(os.listdir()) == ["a.npy", "a.wav"]


def test_a_file_takes_a_voice_with_a_planner(capsys: pytest.CaptureFixture[str]) -> None:
    assert entry.main(["compress", "a.wav", "--mode", "parametric", "-c", voices.path(0)]) == 1
    assert f"error: {voices.path(0)}: has no planner; mode parametric" in line(capsys, "synth compress")


@pytest.mark.parametrize("period", [0, 2])
@pytest.mark.parametrize("name", ["score", "classify"])
def test_code_lengths_of_a_voice_are_refused(name: str, period: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert entry.main([name, "a.wav", "-c", voices.path(period)]) == 2
    assert "is a voice, which is told what to say" in line(capsys, f"synth {name}")


def test_info_of_a_voice(capsys: pytest.CaptureFixture[str]) -> None:
    assert entry.main(["info", voices.path(2), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["sha256"] == voices.load().checkpoint.sha256 and report["labels"]["speaker"] == ["anna", "bert"]
