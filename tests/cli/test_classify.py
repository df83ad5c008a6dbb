"""`synth classify`: its JSON and lines, files of any kind and pipes, errors, and what it loads."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import sounds
from helpers.listeners import tiny_classifier
from helpers.loaded import HEAVY, loaded_by
from helpers.tools import error_line, generate, run, tiny_checkpoint

from synth.cli import entry


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def classify(*arguments: object) -> int:
    """`synth classify` with the small recogniser, in this process."""
    return entry.main(["classify", "-c", tiny_classifier(), *map(str, arguments)])


def told(capsys: pytest.CaptureFixture[str]) -> Any:
    return json.loads(capsys.readouterr().out)


def test_json_has_each_target_most_probable_first(capsys: pytest.CaptureFixture[str]) -> None:
    make = sounds.maker(Path())
    make("a.wav"), make("b.flac", sounds.noise(9000, 2), 44100)
    assert classify("a.wav", "b.flac", "--json") == 0
    data = told(capsys)
    assert data.keys() == {"files", "checkpoint", "version"} and data["checkpoint"] == "ear-1"
    assert [file["path"] for file in data["files"]] == ["a.wav", "b.flac"]
    for file in data["files"]:
        assert list(file) == ["path", "digit", "speaker", "sounds"]
        for target, count in (("digit", 10), ("speaker", 2), ("sounds", 3)):
            shares = [each["probability"] for each in file[target]]
            assert len(shares) == count and shares == sorted(shares, reverse=True)
            assert len({each["label"] for each in file[target]}) == count
        assert sum(each["probability"] for each in file["digit"]) == pytest.approx(1, abs=1e-4)
    assert classify("a.wav", "--json", "--top", 2) == 0
    top = told(capsys)["files"][0]
    assert top["digit"] == data["files"][0]["digit"][:2] and len(top["speaker"]) == 2


def test_lines_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    sounds.maker(Path())("a.wav")
    assert classify("a.wav", "--top", 1) == 0
    line = capsys.readouterr().out
    assert line.startswith("a.wav: digit ") and line.count("%") == 3 and line.count("\n") == 1


def test_a_pipe_is_the_file() -> None:
    sounds.maker(Path())("a.wav", sounds.noise(5000, 3), 16000)
    with open("a.wav", "rb") as file:
        piped = run("synth", "classify", "-", "-c", tiny_classifier(), "--json", stdin=file)
    direct = run("synth", "classify", "a.wav", "-c", tiny_classifier(), "--json")
    assert piped.returncode == 0, piped.stderr
    one, other = (json.loads(done.stdout)["files"][0] for done in (piped, direct))
    assert one.pop("path") == "-" and other.pop("path") == "a.wav" and one == other


def test_a_generator_tells_its_labels(capsys: pytest.CaptureFixture[str]) -> None:
    sounds.maker(Path())("a.wav", sounds.noise(300, 3))
    assert entry.main(["classify", "a.wav", "-c", tiny_checkpoint(), "--json"]) == 0
    file = told(capsys)["files"][0]
    assert list(file) == ["path", "digit", "speaker"] and len(file["digit"]) == 10
    assert sum(each["probability"] for each in file["speaker"]) == pytest.approx(1, abs=1e-6)


def test_it_goes_on_after_what_cannot_be_heard(capsys: pytest.CaptureFixture[str]) -> None:
    make = sounds.maker(Path())
    make("good.wav"), make("short.wav", sounds.noise(100)), make("silent.wav", np.zeros(4000, np.int16))
    make("none.wav", np.zeros(0, np.int16))
    import soundfile

    soundfile.write("nan.wav", np.full(4000, np.nan, np.float32), 8000, subtype="FLOAT")
    Path("text.wav").write_text("no sound")
    Path("empty.wav").touch()
    names = ["short.wav", "silent.wav", "none.wav", "nan.wav", "text.wav", "empty.wav", "missing.wav"]
    assert classify(*names, "good.wav") == 1
    out, err = capsys.readouterr()
    assert out.startswith("good.wav: ") and out.count("\n") == 1
    lines = err.splitlines()
    assert len(lines) == len(names)
    words = ["shorter than a frame", "is silent", "no samples", "NaN", "not audio", "is empty", "no such file"]
    for line, name, word in zip(lines, names, words, strict=True):
        assert line.startswith(f"synth classify: error: {name}: ") and word in line


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ([], 2, "AUDIO"),
        (["a.wav", "--top", "0"], 2, "--top: '0'"),
        (["a.wav", "./a.wav"], 2, "given twice"),
        (["a.wav", "-c", "nobody"], 1, "nobody: no such checkpoint"),
        (["a.wav", "-c", "digit"], 1, "digit: no such checkpoint; did you mean digits? bundled are"),
        (
            ["a.wav", "-c", "piano"],
            2,
            "trained without labels and can't tell any; give digits-classifier",
        ),
        (
            ["a.wav", "-c", "corrector"],
            1,
            "corrector-2: is a corrector, for synth compress alone; digits-classifier",
        ),
        (["-", "-c", "digits-plain"], 1, "-: is empty"),
    ],
)
def test_errors_are_one_line(arguments: list[str], code: int, words: str) -> None:
    sounds.maker(Path())("a.wav")
    done = run("synth", "classify", *arguments, "-q", input=b"")
    assert words in error_line(done, code, "synth classify")


def test_a_recogniser_does_not_generate_score_or_resume() -> None:
    ear = tiny_classifier()
    assert "is a classifier, for synth classify" in error_line(generate("x.wav", "-c", ear), 1)
    sounds.maker(Path())("a.wav")
    assert "is a classifier" in error_line(run("synth", "score", "a.wav", "-c", ear), 1, "synth score")
    assert not Path("x.wav").exists()


def test_info_of_a_classifier(capsys: pytest.CaptureFixture[str]) -> None:
    assert entry.main(["info", tiny_classifier(), "--json"]) == 0
    data = told(capsys)
    assert data["task"] == "classify" and data["labels"]["speaker"] == ["ann", "bob"]
    assert data["config"]["net"] == "cnn" and data["info"]["licence"] == "none"
    assert entry.main(["info", tiny_classifier()]) == 0
    assert "target sounds (tags): bell, rain, wind" in capsys.readouterr().out


def test_classifying_loads_no_torch(tmp_path: Path) -> None:
    sounds.maker(tmp_path)("a.wav")
    code = "from synth.cli.entry import main\n" + "".join(
        f"assert main(['classify', {str(tmp_path / 'a.wav')!r}, '-c', {name!r}]) == 0\n"
        for name in (tiny_classifier(), tiny_checkpoint())
    )
    assert not loaded_by(code) & (HEAVY | {"tqdm", "matplotlib", "sounddevice"})
