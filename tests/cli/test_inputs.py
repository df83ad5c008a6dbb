"""Inputs that can't be used, extras that are missing, and what nobody foresaw: one line and the right exit code."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from helpers.tools import error_line, generate, run, tiny_checkpoint

from synth.cli import console, entry
from synth.common.errors import SynthError

TONE = (8000 * np.sin(np.arange(4000) / 5)).astype(np.int16)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


# ---- inputs


def bad_sounds() -> dict[str, str]:
    """Makes files that are no sound; each with a word of what is said of it."""
    os.mkdir("folder.wav")
    Path("empty.wav").write_bytes(b"")
    Path("text.wav").write_text("this is text\n" * 100)
    soundfile.write("cut.wav", TONE, 8000)
    os.truncate("cut.wav", 4000)
    soundfile.write("nan.wav", np.array([0.1, np.nan, 0.2], np.float32), 8000, "FLOAT")
    soundfile.write("none.wav", np.zeros(0, np.int16), 8000)
    return {
        "missing.wav": "no such file",
        "folder.wav": "is a folder",
        "empty.wav": "is empty",
        "text.wav": "is not audio",
        "cut.wav": "is cut short",
        "nan.wav": "NaN",
        "none.wav": "no samples",
        "new\nline.wav": "no such file",
    }


def test_primes_that_are_no_sound() -> None:
    sounds = bad_sounds()
    there = sorted(os.listdir())
    for name, words in sounds.items():
        line = error_line(generate("--prime", name), 1)
        assert f"{console.one_line(name)}: " in line and words in line
        assert sorted(os.listdir()) == there


def test_scores_of_what_is_no_sound() -> None:
    sounds = bad_sounds()
    done = run("synth", "score", "-c", tiny_checkpoint(), "--json", *sounds)
    assert done.returncode == 1 and done.stdout == b""
    lines = done.stderr.decode().splitlines()
    assert len(lines) == len(sounds)
    for line, (name, words) in zip(lines, sounds.items(), strict=True):
        assert line.startswith(f"synth score: error: {console.one_line(name)}: ") and words in line


def bad_checkpoints() -> list[str]:
    """Makes files that are no checkpoint, or no whole one."""
    data = bytearray(Path(tiny_checkpoint()).read_bytes())
    Path("cut.safetensors").write_bytes(data[: len(data) // 2])
    Path("short.safetensors").write_bytes(data[:5])
    Path("empty.safetensors").write_bytes(b"")
    Path("text.safetensors").write_text("no checkpoint\n" * 20)
    Path("huge.safetensors").write_bytes((1 << 62).to_bytes(8, "little") + data[8:])
    data[-100] ^= 4
    Path("flipped.safetensors").write_bytes(data)
    os.mkdir("folder.safetensors")
    return sorted(os.listdir())


def test_checkpoints_that_cannot_be_trusted() -> None:
    for name in [*bad_checkpoints(), "missing.safetensors", "unheard-of"]:
        assert f"{name}: " in error_line(run("generate-audio", "-c", name), 1)
    assert "cut.safetensors: " in error_line(run("synth", "info", "cut.safetensors"), 1, "synth info")
    assert "out.wav" not in os.listdir()


def test_an_instruction_set_that_is_not_here() -> None:
    for done, name in (
        (generate(env={"SYNTH_ISA": "sve9"}), "generate-audio"),
        (run("synth", "info", env={"SYNTH_ISA": "sve9"}), "synth info"),
    ):
        assert "SYNTH_ISA=sve9" in error_line(done, 1, name)
    assert os.listdir() == []


# ---- extras that are not installed, and what nobody foresaw


@pytest.mark.parametrize(
    ("missing", "arguments", "words"),
    [
        ("matplotlib", ["--plot", "x.png"], '--plot needs matplotlib: pip install ".[plot]"'),
        ("sounddevice", ["--play"], '--play needs sounddevice: pip install ".[play]"'),
    ],
)
def test_missing_extras_of_generate(
    missing: str, arguments: list[str], words: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    assert entry.generate_audio_main(["-c", tiny_checkpoint(), *arguments]) == 1
    assert capsys.readouterr().err == f"generate-audio: error: {words}\n"
    assert os.listdir() == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["train", "corpus", "-o", "run"], "synth train needs torch"),
        (["export", "run", "x.safetensors"], "synth export needs torch"),
        (["bench", "--baseline", "torch"], "--baseline torch needs torch"),
    ],
)
def test_missing_torch(arguments: list[str], words: str) -> None:
    code = "import sys; sys.modules['torch'] = None; from synth.cli.entry import main; sys.exit(main())"
    more = ["-c", tiny_checkpoint()] if arguments[0] == "bench" else []
    done = subprocess.run([sys.executable, "-c", code, *arguments, *more], capture_output=True, timeout=60)
    line = error_line(done, 1, f"synth {arguments[0]}")
    assert f'{words}: pip install ".[train]"' in line
    assert os.listdir() == []


def test_debug_shows_where_an_error_comes_from() -> None:
    done = generate("--debug", "--prime", "missing.wav")
    text = done.stderr.decode()
    assert done.returncode == 1 and text.startswith("Traceback")
    assert text.splitlines()[-1] == "generate-audio: error: missing.wav: no such file"
    assert generate("--debug", "-d", 0).returncode == 2


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (SynthError("a\nb"), "a\\nb"),
        (OSError(28, "No space left on device", "x"), "x: No space left on device"),
        (MemoryError(), "not enough memory"),
        (ZeroDivisionError("oh"), "unexpected ZeroDivisionError: oh (--debug shows where)"),
    ],
)
def test_every_error_is_one_line(
    error: Exception, line: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr("synth.generation.generate.generate", fail)
    assert entry.generate_audio_main([]) == 1
    assert capsys.readouterr().err == f"generate-audio: error: {line}\n"
