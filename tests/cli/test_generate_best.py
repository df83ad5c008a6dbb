"""`generate-audio --best`: the nearest of many, by seed; what is refused; nothing that stays behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from helpers import networks, sounds
from helpers.tools import TINY, call, command, generate, made, samples, tiny_checkpoint

from synth.audio.nearness import distance, figures_of
from synth.data.sound_figures import CARD_KEY
from synth.generation import checkpoint


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def like(tmp_path: Path) -> str:
    """A folder of sounds: what the small checkpoint makes of seed 6, and again softly."""
    (tmp_path / "like").mkdir()
    wave = made(samples=4000, seed=6)
    for number, sound in enumerate((wave, wave // 2)):
        soundfile.write(tmp_path / f"like/{number}.wav", sound, 8000)
    return "like"


def report_of(capsys: pytest.CaptureFixture[str], *options: object) -> dict[str, Any]:
    """What `generate-audio` of the small checkpoint reports."""
    assert call(*options, "--json") == 0
    return dict(json.loads(capsys.readouterr().out))


def test_the_nearest_are_kept_and_their_seeds_make_them_again(like: str, capsys: pytest.CaptureFixture[str]) -> None:
    report = report_of(capsys, "x.wav", "-n", 7, "--best", 2, "--like", like, "-s", 3, "--samples", 4000)
    assert sorted(os.listdir()) == ["like", "x-1.wav", "x-2.wav"]
    corpus = figures_of([soundfile.read(f"like/{number}.wav", dtype="int16")[0] for number in (0, 1)], 8000)
    own = {seed: distance(figures_of([made(samples=4000, seed=seed)], 8000), corpus) for seed in range(3, 10)}
    ranked = sorted(own, key=lambda seed: (own[seed], seed))
    assert [(file["seed"], file["distance"]) for file in report["files"]] == [(s, own[s]) for s in ranked[:2]]
    assert report["best"] == {
        "corpus": "like",
        "files": 2,
        "seconds": 1.0,
        "seconds_measured": 1.0,
        "skipped": [],
        "drawn": 7,
        "not_kept": [{"seed": seed, "distance": own[seed]} for seed in ranked[2:]],
    }
    for file in report["files"]:
        assert call("again.wav", "-s", file["seed"], "--samples", 4000, "-q", "-f") == 0
        assert Path("again.wav").read_bytes() == Path(file["path"]).read_bytes()


def test_lines_say_what_is_done_and_the_seeds(like: str) -> None:
    Path("like/broken.wav").write_text("no sound")
    done = generate("x.flac", "-n", 3, "--best", 1, "--like", like, "-s", 3, "-d", 0.25)
    lines = done.stderr.decode().splitlines()
    assert done.returncode == 0 and len(lines) == 4 and Path("x.flac").exists()
    assert lines[0] == "like: 3 files to be near to, being measured" and "like/broken.wav: is left out" in lines[1]
    assert lines[2].startswith("3 sounds are drawn, ") and lines[3].startswith("x.flac: 0.25 s at 8000 Hz, seed ")
    assert lines[3].endswith(" dB from the corpus")


@pytest.mark.parametrize(
    "options",
    [
        ("--channels", 2),
        ("--loop",),
        ("--fade", 0.05, "--normalize", -3),
        ("--rate", 4000, "--threads", 1),
        ("--rate", 22050, "--channels", 2),
    ],
)
def test_it_is_the_finished_sound_that_is_measured(
    options: tuple[object, ...], like: str, capsys: pytest.CaptureFixture[str]
) -> None:
    common = ("-d", 0.5, "-f", *options)
    files = report_of(capsys, "x.wav", "-n", 4, "--best", 2, "--like", like, "-s", 5, *common)["files"]
    assert len({file["seed"] for file in files}) == 2 and files[0]["distance"] <= files[1]["distance"]
    assert all((file["seed"] - 5) % (2 if "--channels" in options else 1) == 0 for file in files)
    for file in files:
        assert call("again.wav", "-s", file["seed"], *common) == 0
        assert Path("again.wav").read_bytes() == Path(file["path"]).read_bytes()
    if options[0] in ("--loop", "--fade"):
        sound = figures_of([samples(files[0]["path"])], 8000)
        corpus = figures_of([soundfile.read(f"like/{number}.wav", dtype="int16")[0] for number in (0, 1)], 8000)
        assert distance(sound, corpus) == files[0]["distance"]


def test_a_checkpoint_that_knows_its_corpus_needs_no_sounds(capsys: pytest.CaptureFixture[str]) -> None:
    figures = figures_of([sounds.noise(8000)], 8000).to_json()
    loaded = checkpoint.load(tiny_checkpoint())
    for name, card in (("own", {CARD_KEY: figures}), ("bad", {CARD_KEY: {**figures, "mean": [0]}})):
        checkpoint.save(f"{name}.safetensors", TINY, networks.random_tensors(TINY, 1) | loaded.tensors, card)
    shared = ("x.wav", "-n", 3, "--best", 1, "-s", 5, "-d", 0.5)
    report = report_of(capsys, "-c", "own.safetensors", *shared)
    assert report["best"]["corpus"] == "checkpoint" and report["best"]["seconds_measured"] == 1
    np.testing.assert_array_equal(samples("x.wav"), made(samples=4000, seed=report["files"][0]["seed"]))
    assert call("-c", "bad.safetensors", *shared, "-f") == 1
    error = capsys.readouterr().err
    assert "corpus_sound" in error and error.count("\n") == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("x.wav", "-n", 3, "--best", 4, "--like", "like"), "--best 4: is more than the 3"),
        (("x.wav", "--best", 1, "--like", "like"), "-n"),
        (("x.wav", "-n", 3, "--best", 0, "--like", "like"), "--best"),
        (("-", "-n", 3, "--best", 1, "--like", "like"), "pipe"),
        (("x.wav", "-n", 3, "--like", "like"), "--best"),
        (("x.wav", "-n", 3, "--best", 1), "--like"),
        (("x.wav", "-n", 3, "--best", 1, "--like", "like", "--play"), "--play"),
        (("like/0.wav", "-n", 3, "--best", 1, "--like", "like", "-f"), "like/0.wav"),
    ],
)
def test_what_does_not_fit_is_refused(
    options: tuple[object, ...], message: str, like: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = Path("like/0.wav").read_bytes()
    assert call(*options) == 2
    done = capsys.readouterr()
    assert message in done.err and done.err.count("\n") == 1 and done.out == ""
    assert os.listdir() == ["like"] and Path("like/0.wav").read_bytes() == before


@pytest.mark.parametrize("place", ["nowhere", "empty", "text.wav"])
def test_sounds_that_are_none_are_refused(place: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("empty").mkdir()
    Path("text.wav").write_text("no sound")
    assert call("x.wav", "-n", 3, "--best", 1, "--like", place) == 1
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith("generate-audio: error: ") and place in error
    assert not Path("x.wav").exists()


def test_files_that_exist_are_refused_before_anything_is_drawn(like: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("x-2.wav").write_text("mine")
    assert call("x.wav", "-n", 5, "--best", 2, "--like", like, "-d", 100000) == 1
    assert "x-2.wav: exists already" in capsys.readouterr().err
    assert Path("x-2.wav").read_text() == "mine" and not Path("x-1.wav").exists()


@pytest.mark.parametrize("threads", [1, 2])
def test_nothing_stays_of_what_is_interrupted(threads: int, like: str) -> None:
    options = ("-n", 8, "--best", 2, "--like", like, "-d", 100000, "--threads", threads)
    process = subprocess.Popen(
        command("generate-audio", "-c", tiny_checkpoint(), "x.wav", *options), stderr=subprocess.PIPE
    )
    with process:
        assert process.stderr is not None
        assert b"to be near to" in process.stderr.readline()
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 130
        assert process.stderr.read() == b"generate-audio: interrupted\n"
    assert os.listdir() == ["like"]
