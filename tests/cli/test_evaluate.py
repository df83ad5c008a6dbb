"""`synth evaluate`: its figures against other commands and definitions, its page, and bad input."""

from __future__ import annotations

import base64
import dataclasses
import functools
import json
import re
import tempfile
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import networks, small, sounds, voices
from helpers.listeners import DIGIT, random_tensors, tiny_classifier
from helpers.loaded import HEAVY, loaded_by
from helpers.tools import LABELS, TINY, error_line, made, run, tiny_checkpoint

import synth
from synth.audio.reader import read
from synth.cli import entry
from synth.common.labels import LabelSet
from synth.generation import checkpoint
from synth.recognition import classifier
from synth.recognition.config import ClassifierConfig, Target

SPLIT = "test:take=0;validation:take=1"
KEYS = ["labels", "frechet_distance", "frechet_floor", "bits_per_sample", "copying", "checkpoint", "classifier"]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@functools.cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory()


@functools.cache
def ear(*targets: Target) -> str:
    """A recogniser of random weights; by default one that tells the labels of the small checkpoint."""
    targets = targets or (Target("speaker", "class", ("bert", "anna")), DIGIT)
    config = ClassifierConfig(8000, mels=16, coefficients=8, units=8, embedding=8, targets=targets)
    path = Path(_folder().name) / f"ear-{len(list(Path(_folder().name).iterdir()))}.safetensors"
    classifier.save(path, config, random_tensors(config, 3), {})
    return str(path)


@functools.cache
def reference() -> str:
    """Tones named by digit, speaker and take: take 0 is test, 1 validation, the others training."""
    make = sounds.maker(Path(_folder().name) / "real")
    for n in range(40):
        digit, speaker, take = n % 5, ("anna", "bert")[n // 5 % 2], n // 10
        hertz = 200 + 40 * digit + 15 * take
        make(f"{digit}_{speaker}_{take}.wav", small.harmonics(hertz, 2400 + 31 * n, seed=n))
    return str(Path(_folder().name) / "real")


def evaluate(*arguments: object, compare: bool = True) -> int:
    """`synth evaluate` of the small checkpoint in this process, by default beside the tones."""
    words = ["evaluate", tiny_checkpoint(), "--classifier", ear(), "-q", *map(str, arguments)]
    if compare:
        words += ["--reference", reference(), "--labels", small.PATTERN, "--split", SPLIT]
    return entry.main(words)


def told(capsys: pytest.CaptureFixture[str]) -> Any:
    return json.loads(capsys.readouterr().out)


def test_figures_agree_with_each_other_and_with_score(capsys: pytest.CaptureFixture[str]) -> None:
    assert evaluate("-n", 2, "-d", 0.3, "--json") == 0
    data = told(capsys)
    assert set(KEYS) <= data.keys() and data["left_out"] == []
    assert (data["files"], data["seeds"], data["seconds"]) == (40, [0, 39], 0.3)
    assert (data["checkpoint"], data["classifier"]) == ("tiny-1", Path(ear()).stem)
    for key, values, each in (("digit", 10, 4), ("speaker", 2, 20)):
        label = data["labels"][key]
        table = np.array(label["confusion"])
        assert table.shape == (values, values + 1) and (table.sum(axis=1) == each).all()
        right = sum(table[row, label["heard"].index(value)] for row, value in enumerate(label["values"]))
        assert label["accuracy"] == right / 40
        assert np.sum(label["real_confusion"]) == 10 and 0 <= label["real_accuracy"] <= 1
    assert data["labels"]["digit"]["median_rms"]["7"]["real"] is None  # the tones have 0 to 4
    assert data["frechet"]["files_each"] == 5 and data["frechet_distance"] > data["frechet_floor"] > 0
    files = sorted(Path(reference()).glob("*_0.wav"))
    assert entry.main(["score", *map(str, files), "-c", tiny_checkpoint(), "--json"]) == 0
    assert data["bits_per_sample"] == pytest.approx(told(capsys)["bits_per_sample"], abs=1e-9)
    names = ["--labels", small.PATTERN]
    assert entry.main(["score", *map(str, files), "-c", tiny_checkpoint(), "--json", *names]) == 0
    assert data["bits_per_sample_labels"] == pytest.approx(told(capsys)["bits_per_sample"], abs=1e-9)
    assert data["copying"]["training_files"] == 20 and data["copying"]["waveform"]["passed"]
    assert data["levels"]["real"]["median_rms"] > 0.05


def test_accuracy_is_what_classify_hears(capsys: pytest.CaptureFixture[str]) -> None:
    assert evaluate("-n", 1, "-d", 0.2, "-s", 5, "-t", 0.8, "--json", compare=False) == 0
    label, seed = told(capsys)["labels"]["speaker"], 5
    model, judge, right = synth.load(tiny_checkpoint()), classifier.load_classifier(ear()), 0
    for digit in LABELS["digit"]:
        for speaker in LABELS["speaker"]:
            wave = model.generate(0.2, seed=seed, temperature=0.8, labels={"digit": digit, "speaker": speaker})
            logs = judge.classify(wave, 8000).log_probabilities["speaker"]
            seed += 1
            right += ("bert", "anna")[int(logs.argmax())] == speaker
    assert label["accuracy"] == right / 20 and label["real_accuracy"] is None


def test_several_classifiers_say_each_what_they_hear(capsys: pytest.CaptureFixture[str]) -> None:
    other = ear(DIGIT)
    assert evaluate("--classifier", other, "-n", 2, "-d", 0.1, "--json") == 0
    data = told(capsys)
    assert data["classifier"] == Path(ear()).stem and data["more_classifiers"] == [Path(other).stem]
    words = ["evaluate", tiny_checkpoint(), "--classifier", other, "--reference", reference(), "-q"]
    words += ["--labels", small.PATTERN, "--split", SPLIT]
    assert entry.main([*words, "-n", "2", "-d", "0.1", "--json"]) == 0
    alone = told(capsys)
    opinion = data["labels"]["digit"]["others"][Path(other).stem]
    assert opinion == {key: alone["labels"]["digit"][key] for key in opinion} and opinion["real_confusion"]
    spread = data["distributions"]
    assert all(len(spread[which]["lasting_seconds"]) == 3 for which in ("generated", "real"))
    assert set(data["labels"]["digit"]["distributions"]["3"]) == {"generated", "real"}
    assert evaluate("--classifier", other, "-n", 1, "-d", 0.1, "--report", "two.html") == 0
    assert f"by {Path(other).stem}" in Path("two.html").read_text("utf-8")


def test_the_same_classifier_twice_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert evaluate("--classifier", ear(), "-n", 1, compare=False) == 2
    assert "two of the name" in capsys.readouterr().err


def test_threads_change_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    found = []
    for threads in (1, 3):
        assert evaluate("-n", 1, "-d", 0.1, "--json", "--threads", threads) == 0
        found.append(told(capsys))
    assert found[0] == found[1]


def test_copies_are_found(capsys: pytest.CaptureFixture[str]) -> None:
    # a corpus whose training files are what the checkpoint makes
    make = sounds.maker(Path("corpus"))
    for path in Path(reference()).glob("*_0.wav"):
        make(path.name, read(path)[0])
    for digit in range(5):
        for take in (2, 3):
            wave = made(seconds=0.4, seed=4 * digit + take - 2, labels={"digit": str(digit), "speaker": "anna"})
            make(f"{digit}_anna_{take}.wav", wave)
    given = ["--reference", "corpus", "--labels", small.PATTERN, "--split", "test:take=0;validation:take=2"]
    assert evaluate("-n", 2, "-d", 0.4, "--json", *given, compare=False) == 0
    copying = told(capsys)["copying"]
    assert not copying["passed"] and not copying["waveform"]["passed"] and not copying["embedding"]["passed"]
    assert copying["waveform"]["nearest_generated"] < 1e-3 and copying["embedding"]["nearest_generated"] < 1e-3
    assert evaluate("-n", 2, "-d", 0.4, "-s", 100, *given, compare=False) == 0
    assert "by waveform: " in capsys.readouterr().out


def test_without_reference_what_needs_it_is_left_out_and_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert evaluate("-n", 1, "-d", 0.1, "--json", compare=False) == 0
    data = told(capsys)
    assert all(data[key] is None for key in ("frechet_distance", "frechet_floor", "bits_per_sample", "copying"))
    assert data["labels"]["digit"]["accuracy"] is not None and "--reference" in data["left_out"][0]
    assert evaluate("-n", 1, "-d", 0.1, compare=False) == 0
    lines = capsys.readouterr().out
    assert "digit heard as asked: " in lines and "left out: real files, Fréchet" in lines


def test_the_card_says_how_the_reference_is_labelled_and_split(capsys: pytest.CaptureFixture[str]) -> None:
    loaded = checkpoint.load(tiny_checkpoint())
    info = {"given": {"labels": small.PATTERN, "split": SPLIT, "trim": None}}
    checkpoint.save("carded.safetensors", TINY, loaded.tensors, info)
    words = ["carded.safetensors", "--classifier", ear(), "--reference", reference(), "-n", 1, "--json", "-q"]
    assert entry.main(["evaluate", *map(str, words)]) == 0
    data = told(capsys)
    assert data["reference"] == {"train": 20, "test": 10, "skipped": 0}
    assert data["labels"]["digit"]["real_accuracy"] is not None
    assert data["seconds"] == pytest.approx(2400 / 8000, abs=0.03)  # the median test file


def test_a_checkpoint_without_labels(capsys: pytest.CaptureFixture[str]) -> None:
    assert entry.main(["evaluate", "piano", "-n", "3", "-d", "0.05", "--json", "--report", "x.html"]) == 0
    data = told(capsys)
    assert data["files"] == 3 and data["labels"] == {} and data["classifier"] is None
    text = Path("x.html").read_text()
    assert text.count("<audio") == 3 and ">Real<" not in text
    words = ["--classifier", ear(), "--reference", reference(), "--split", "test:every=2+1"]
    assert entry.main(["evaluate", "piano", "-n", "4", "-d", "0.1", "--json", *words]) == 0
    data = told(capsys)
    assert data["frechet"]["files_each"] == 4 and data["copying"]["embedding"] and data["bits_per_sample"] > 0


class Page(HTMLParser):
    """Tags with their attributes, and the text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_is_whole_and_needs_nothing_from_outside() -> None:
    assert evaluate("-n", 2, "-d", 0.2, "-s", 7, "--report", "x.html") == 0
    text = Path("x.html").read_text("utf-8")
    page = Page(text)
    assert not page.open
    links = [value for _, attrs in page.tags for name, value in attrs.items() if name in ("src", "href")]
    assert links and all(str(link).startswith("data:") for link in links)
    assert (
        "http" not in re.sub(r'src="[^"]*"', "", text) and "url(" not in text and "prefers-color-scheme: dark" in text
    )
    figures = re.findall(r'<figcaption>([^<]*)</figcaption>.*?src="data:audio/wav;base64,([^"]*)"', text)
    sounds_by = {caption: base64.b64decode(data) for caption, data in figures}
    for digit in range(10):
        assert sum(caption.startswith(f"{digit}, ") and "seed" in caption for caption in sounds_by) >= 2
        assert sum(caption.startswith(f"{digit}, ") and ".wav" in caption for caption in sounds_by) >= 2 * (digit < 5)
    for caption, data in sounds_by.items():
        digit, speaker, name = caption.split(", ")
        assert data[:4] == b"RIFF" and int.from_bytes(data[40:44], "little") == len(data) - 44
        samples = np.frombuffer(data[44:], "<i2")
        if name.startswith("seed "):
            wanted = made(seconds=0.2, seed=int(name[5:]), labels={"digit": digit, "speaker": speaker})
        else:
            assert name == f"{digit}_{speaker}_0.wav"
            wanted = read(Path(reference()) / name)[0]
        np.testing.assert_array_equal(samples, wanted)


def test_names_in_the_page_are_escaped() -> None:
    values = ("<b>&", "plain")
    config = dataclasses.replace(TINY, labels=LabelSet((("ke<y", values),)))
    checkpoint.save("odd.safetensors", config, networks.random_tensors(config, 1), {})
    judge = ear(Target("ke<y", "class", (*values, "third")))
    assert (
        entry.main(["evaluate", "odd.safetensors", "--classifier", judge, "-n", "1", "-d", "0.1", "--report", "x.htm"])
        == 0
    )
    text = Path("x.htm").read_text()
    assert "<b>" not in text and "ke<y" not in text and "&lt;b&gt;&amp;" in text


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ("", 2, "CHECKPOINT"),
        ("nobody", 1, "nobody: no such checkpoint"),
        ("digits-classifier", 1, "is a classifier, for synth classify"),
        ("TINY --classifier digits", 1, "generates; this takes a classifier"),
        ("TINY --classifier nobody", 1, "nobody: no such checkpoint"),
        ("TINY --classifier EAR", 2, "doesn't know speaker=anna, bert, which tiny-1 has"),
        ("digits -n 0", 2, "-n/--count: '0'"),
        ("digits -n 99999", 2, "-n 99999: 99999 files for each of 60 are 5999940; at most 100000"),
        ("digits -s 4294967290 -n 1", 2, "--seed 4294967290 with 60 files"),
        ("digits -d 0", 2, "-d/--duration: '0'"),
        ("digits -d 1e-9", 2, "duration 1e-09: is less than one sample"),
        ("digits -t -1", 2, "-t/--temperature: '-1'"),
        ("digits --labels {digit}", 2, "--labels: says what is in a reference corpus"),
        ("digits --split test:take=0", 2, "--split: says what is in a reference corpus"),
        ("digits --reference missing", 1, "missing: no such file or folder"),
        ("digits --reference void", 1, "void: no audio files there"),
        ("digits --reference 1_theo_2.wav", 1, "none of 1 files can be used; the first: 1_theo_2.wav: is empty"),
        ("digits --reference REAL --split test:every=99+99", 1, "fits no file"),
        ("digits --reference REAL --split test:word=0", 2, "split rule: key 'word' is not known"),
        ("digits --reference REAL --split validation:take=0", 1, "the split leaves no files for test"),
        (
            "digits --reference REAL --labels {word}_{who}_{take} --split test:take=0",
            2,
            "none of the checkpoint's keys",
        ),
        ("digits --reference REAL --labels tags.csv", 1, "tags.csv: no such file"),
        ("digits --report x.txt", 2, "--report x.txt: must be the name of a .html file"),
        ("digits --report there.html", 1, "there.html: exists already; -f overwrites it"),
        ("digits --report missing/x.html", 1, "the folder"),
    ],
)
def test_errors_are_one_line(arguments: str, code: int, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("void").mkdir()
    Path("1_theo_2.wav").touch()
    Path("there.html").write_text("mine")
    given = {"TINY": tiny_checkpoint(), "EAR": tiny_classifier(), "REAL": reference()}
    assert entry.main(["evaluate", "-q", *(given.get(word, word) for word in arguments.split())]) == code
    out, line = capsys.readouterr()
    assert out == "" and line.count("\n") == 1 and line.startswith("synth evaluate: error: ") and words in line
    assert Path("there.html").read_text() == "mine"


def test_classifiers_that_tell_none_of_the_labels() -> None:
    judge = ear(Target("bird", "class", ("owl", "tit")), Target("digit", "tags", tuple("0123456789")))
    done = run("synth", "evaluate", tiny_checkpoint(), "--classifier", judge)
    assert "tells bird, none of the labels of tiny-1: digit, speaker" in error_line(done, 2, "synth evaluate")


def test_labels_that_the_classifier_nobody_named_does_not_know(capsys: pytest.CaptureFixture[str]) -> None:
    assert entry.main(["evaluate", tiny_checkpoint(), "-n", "1", "-d", "0.05", "--json", "-q"]) == 0
    data = told(capsys)
    assert data["labels"]["speaker"]["accuracy"] is None and data["levels"]["generated"]
    assert any("speaker" in why and "--classifier" in why for why in data["left_out"])


def test_evaluating_loads_no_torch() -> None:
    words = [tiny_checkpoint(), "--classifier", ear(), "-n", "1", "-d", "0.1", "--report", "x.html", "-q"]
    words += ["--reference", reference(), "--labels", small.PATTERN, "--split", SPLIT]
    loaded = loaded_by(f"from synth.cli.entry import main\nassert main(['evaluate', *{words!r}]) == 0")
    assert not loaded & (HEAVY | {"matplotlib", "sounddevice", "tqdm"})


def test_a_voice_is_led_by_what_it_hears(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["evaluate", voices.path(2), "--classifier", ear(), "-n", "1", "-d", "0.1", "--json", "-q"]
    assert entry.main([*words, "--reference", reference(), "--labels", small.PATTERN, "--split", SPLIT]) == 0
    data = told(capsys)
    assert data["files"] == 20 and data["levels"]["real"] and data["copying"] and data["frechet"]
    assert data["bits_per_sample"] > 0 and data["bits_per_sample_labels"] is None
    assert data["left_out"] == ["a voice: bits per sample are along each file's own vectors, without labels"]
