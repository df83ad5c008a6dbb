"""Paths between sounds: ends, lengths, labels, and the command."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from helpers import voices
from helpers.tools import error_line, run, samples

from synth.cli import entry
from synth.generation.morph import mixed, stretched
from synth.vocoder import label_means

A = np.random.default_rng(1).normal(0, 1, (12, 8)).astype(np.float32)
B = np.random.default_rng(2).normal(0, 1, (20, 8)).astype(np.float32)


def test_the_ends_are_the_sounds_themselves() -> None:
    np.testing.assert_array_equal(mixed(A, B, (0.0, 0.0)), A)
    np.testing.assert_array_equal(mixed(A, B, (1.0, 1.0)), B)
    path = mixed(A, B, (0.0, 1.0))
    assert len(path) == 16
    np.testing.assert_allclose(path[[0, -1]], [A[0], B[-1]], atol=1e-6)


def test_the_middle_is_halfway() -> None:
    found = mixed(A, B, (0.5, 0.5))
    np.testing.assert_allclose(found, (stretched(A, 16) + stretched(B, 16)) / 2, atol=1e-6)


@pytest.mark.parametrize(("factor", "frames"), [(0.5, 6), (1.0, 12), (2.5, 30), (0.01, 1)])
def test_time_is_stretched(factor: float, frames: int) -> None:
    found = mixed(A, A, (0.0, 0.0), factor)
    assert len(found) == frames
    np.testing.assert_array_equal(found[0], A[0])


def test_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    soundfile.write("a.wav", voices.sound(1600), 8000)
    soundfile.write("b.wav", voices.sound(3200, 5), 8000)
    voice = ["-c", voices.path(), "-s", "1"]
    assert entry.main(["morph", "a.wav", "b.wav", "-o", "c.wav", "--mix", "0..1", *voice, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["mix"] == [0.0, 1.0] and report["files"][0]["samples"] == soundfile.info("c.wav").frames == 2400
    model = voices.load()
    assert report["checkpoint_sha256"] == model.checkpoint.sha256
    assert (report["engine"], report["instruction_set"]) == (model.engine.name, model.engine.instruction_set)
    assert entry.main(["morph", "a.wav", "b.wav", "-o", "h.wav", *voice, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["mix"] == [0.5, 0.5]
    assert entry.main(["morph", "a.wav", "-o", "d.wav", *voice, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["mix"] == [0.0, 0.0]
    assert entry.main(["vocode", "a.wav", "-o", "e.wav", *voice]) == 0
    np.testing.assert_array_equal(soundfile.read("d.wav")[0], soundfile.read("e.wav")[0])
    assert entry.main(["morph", "a.wav", "-o", "f.wav", "--keep-label", "speaker=bert", *voice]) == 0
    assert not np.array_equal(soundfile.read("f.wav")[0], soundfile.read("e.wav")[0])
    knows = ["-c", voices.path(filtered=True), "-s", "1"]  # where the sounds of its labels lie
    sounds = []
    for speaker in ("anna", "bert"):
        assert entry.main(["morph", "a.wav", "-o", "g.wav", "-f", "--keep-label", f"speaker={speaker}", *knows]) == 0
        sounds.append(soundfile.read("g.wav")[0])
    model = voices.load(filtered=True)
    assert model.runtime is not None
    vectors = model.runtime.vocoder.encode_sound(voices.sound(1600))
    for speaker, sound in enumerate(sounds):
        exact = model.runtime.vocoder.quantize_latents(
            label_means.moved(vectors, (0, 1 + speaker), model.runtime.means)
        )
        stream = model.follow(exact, seed=1, labels={"speaker": ("anna", "bert")[speaker]})
        np.testing.assert_array_equal(sound, stream.pcm(1600) / 32768)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["a.wav", "-o", "x.wav", "--mix", "2"], "0 to 1"),
        (["a.wav", "-o", "x.wav", "--mix", "0.7"], "error: --mix: is a share of the second sound"),
        (["a.wav", "-o", "x.wav", "--mix", "0"], "error: --mix: is a share of the second sound"),
        (["a.wav", "-o", "x.wav", "--mix", "0..x"], "0 to 1"),
        (["a.wav", "-o", "x.wav", "--time-stretch", "0"], "0.1 to 10"),
        (["a.wav", "-o", "x.wav", "--keep-label", "speaker=nobody"], "nobody"),
        (["a.wav", "-o", "x.wav", "--keep-label", "speaker"], "--keep-label 'speaker': must be KEY=VALUE\n"),
        (
            ["a.wav", "-o", "x.wav", "--keep-label", "speaker=anna", "--keep-label", "speaker=bert"],
            "error: --keep-label 'speaker=bert': speaker is given twice\n",
        ),
        (["a.wav", "-o", "a.wav"], "a.wav"),
        (["a.wav", "-o", "v.raw", "-f", "-c", "v.raw"], "v.raw: is the input v.raw too"),
    ],
)
def test_what_is_refused(
    arguments: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    soundfile.write("a.wav", voices.sound(1600), 8000)
    data = Path(voices.path()).read_bytes()
    Path("v.raw").write_bytes(data)
    voice = [] if "-c" in arguments else ["-c", voices.path()]
    try:
        code = entry.main(["morph", *arguments, *voice])
    except SystemExit as stop:
        code = int(str(stop.code))
    out, error = capsys.readouterr()
    assert code == 2 and out == "" and said in error and not Path("x.wav").exists()
    assert Path("v.raw").read_bytes() == data


def test_a_pipe_is_one_of_the_sounds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    soundfile.write("a.wav", voices.sound(1600), 8000)
    soundfile.write("b.wav", voices.sound(3200, 5), 8000)
    options = ("-c", voices.path(), "-s", 1, "-o")
    assert run("synth", "morph", "a.wav", "b.wav", *options, "c.wav").returncode == 0
    for number, (first, second) in enumerate((("-", "b.wav"), ("a.wav", "-"))):
        data = Path("b.wav" if number else "a.wav").read_bytes()
        assert run("synth", "morph", first, second, *options, f"{number}.wav", input=data).returncode == 0
        np.testing.assert_array_equal(samples(f"{number}.wav"), samples("c.wav"))
    twice = run("synth", "morph", "-", "-", *options, "x.wav", input=Path("a.wav").read_bytes())
    assert "-: is given twice" in error_line(twice, 2, "synth morph") and not Path("x.wav").exists()
