"""`synth score`, `info` and `bench` on good input, help and versions."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import soundfile
from helpers.tools import TINY, call, run, tiny_checkpoint

import synth
from synth.cli import parser


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_score_weighs_files_by_their_samples() -> None:
    for name, count in (("a.wav", 500), ("b.flac", 2000)):
        assert call(name, "--samples", count, "-s", count, "-t", 0.5, "-q") == 0
    done = run("synth", "score", "-c", tiny_checkpoint(), "a.wav", "b.flac", "--json", "--label", "digit=2")
    assert done.returncode == 0 and done.stderr == b""
    report = json.loads(done.stdout)
    assert list(report) == ["files", "samples", "bits_per_sample", "checkpoint", "labels", "engine", "version"]
    a, b = report["files"]
    assert (a["path"], a["samples"], b["path"], b["samples"]) == ("a.wav", 500, "b.flac", 2000)
    assert report["bits_per_sample"] == pytest.approx((a["bits_per_sample"] + 4 * b["bits_per_sample"]) / 5)
    model = synth.load(tiny_checkpoint())
    assert model.score(*soundfile.read("a.wav", dtype="int16"), {"digit": "2"}).bits_per_sample == a["bits_per_sample"]


def test_score_goes_on_after_a_bad_file() -> None:
    assert call("a.wav", "--samples", 500, "-q") == 0
    Path("b.wav").write_text("no sound")
    done = run("synth", "score", "-c", tiny_checkpoint(), "b.wav", "a.wav", "missing.wav")
    assert done.returncode == 1
    assert done.stdout.startswith(b"a.wav: ")
    lines = done.stderr.decode().splitlines()
    assert [line.split(": ")[:3] for line in lines] == [
        ["synth score", "error", "b.wav"],
        ["synth score", "error", "missing.wav"],
    ]


def test_info_shows_a_checkpoint() -> None:
    done = run("synth", "info", tiny_checkpoint(), "--json")
    report = json.loads(done.stdout)
    assert report["config"]["sample_rate"] == 8000 and report["labels"]["speaker"] == ["anna", "bert"]
    hop, wide = TINY.hop, 16
    frame = 3 * wide * (TINY.window + wide + wide) / hop
    assert report["multiply_accumulates"] == frame + 3 * wide * wide + wide * wide + 8 * wide
    assert report["parameters"] > 5000 and report["instruction_set"]
    text = run("synth", "info", tiny_checkpoint()).stdout.decode()
    for words in ("sample_rate: 8000", "licence: none", "label speaker: anna, bert", "instruction set", "parameters: "):
        assert words in text


def test_info_lists_checkpoints_and_instruction_sets() -> None:
    done = run("synth", "info", "--json")
    assert done.returncode == 0
    report = json.loads(done.stdout)
    assert {"checkpoints", "engine", "instruction_set", "instruction_sets"} <= set(report)
    assert b"instruction set" in run("synth", "info").stdout


def test_help_and_version_need_no_numpy() -> None:
    for name in ("generate-audio", "synth"):
        done = run(name, "--version")
        assert done.stdout.decode() == f"{name} {synth.__version__}\n"
    assert b"--temperature" in run("generate-audio", "--help").stdout
    done = subprocess.run([sys.executable, "-m", "synth", "--version"], capture_output=True, timeout=60)
    assert done.stdout.startswith(b"synth ")
    for sub in parser.COMMANDS:
        assert run("synth", sub, "--help").stdout.startswith(b"usage: synth " + sub.encode())
