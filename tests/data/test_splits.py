"""Labels of training files, from names and tables, and their splits, by default, by rules and lists."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import soundfile
from helpers.sounds import Make, maker, noise

from synth.common.errors import CorpusError, SynthError, UsageError
from synth.common.labels import LabelSet
from synth.data.build import build
from synth.data.corpus import Corpus


@pytest.fixture
def make(tmp_path: Path) -> Make:
    return maker(tmp_path / "in")


@pytest.fixture
def digits(make: Make, tmp_path: Path) -> Path:
    for digit in (0, 1, 10):
        for speaker in ("theo", "ann"):
            for take in range(8):
                make(f"{digit}_{speaker}_{take}.wav")
    return tmp_path / "in"


def names(corpus: Corpus, split: str) -> list[str]:
    return [entry.name for entry in corpus.split(split)]


def test_labels_from_names(digits: Path, make: Make, tmp_path: Path) -> None:
    make("odd.wav")
    corpus = build([digits], tmp_path / "cache", 8000, labels="{digit}_{speaker}_{take}")
    assert corpus.labels == LabelSet((("digit", ("0", "1", "10")), ("speaker", ("ann", "theo"))))
    rows = {entry.name: entry.label_ids for entry in corpus.entries}
    assert rows["0_ann_3.wav"] == (1, 1) and rows["10_theo_0.wav"] == (3, 2)
    assert [os.path.basename(path) for path, _ in corpus.skipped] == ["odd.wav"]
    assert "does not match the label pattern" in corpus.skipped[0][1]
    corpus = build([digits], tmp_path / "cache", 8000, labels="{digit}_{_}_{take}", label_keys=["take"])
    assert corpus.labels == LabelSet((("take", tuple("01234567")),))


def test_labels_from_folders(make: Make, tmp_path: Path) -> None:
    for name in ("yes/ann_1.wav", "no/ann_1.wav", "no/bob.smith_2.wav"):
        make(name)
    corpus = build([tmp_path / "in"], tmp_path / "cache", 8000, labels="{word}/{speaker}_{_}")
    assert corpus.labels == LabelSet((("word", ("no", "yes")), ("speaker", ("ann", "bob.smith"))))


@pytest.mark.parametrize("pattern", ["{digit", "{}", "{a}_{a}", "{1x}", "{_}"])
def test_bad_patterns(digits: Path, tmp_path: Path, pattern: str) -> None:
    with pytest.raises(UsageError, match="label pattern"):
        build([digits], tmp_path / "cache", 8000, labels=pattern)
    with pytest.raises(UsageError, match="label key 'x': not among digit"):
        build([digits], tmp_path / "cache", 8000, labels="{digit}_{_}_{_}", label_keys=["x"])


def test_labels_from_a_csv(make: Make, tmp_path: Path) -> None:
    for name in ("a.wav", "deep/b.wav", "deep/c.wav", "d.wav"):
        make(name)
    table = tmp_path / "labels.csv"
    table.write_text("\ufefffile,mood, split\nin/a.wav,sad,x\ndeep/b.wav,glad,y\nc.wav,,z\n")
    rule = "validation:split=y"
    corpus = build([tmp_path / "in"], tmp_path / "cache", 8000, labels=str(table), split=rule)
    assert corpus.labels == LabelSet((("mood", ("glad", "sad")),))
    assert {e.name: e.label_ids for e in corpus.entries} == {"a.wav": (2,), "deep/b.wav": (1,), "deep/c.wav": (0,)}
    assert names(corpus, "validation") == ["deep/b.wav"]
    assert corpus.skipped[0][0].endswith("d.wav") and "is not in labels.csv" in corpus.skipped[0][1]


@pytest.mark.parametrize(
    "text, words",
    [
        ("name,mood\na.wav,sad\n", "the column 'file'"),
        ("file\na.wav\n", "at least one label"),
        ("", "the column 'file'"),
        ("file,mood,mood\na.wav,1,2\n", "the name of another"),
        ("file,mood\na.wav\n", "line 2 has another number of columns"),
        ("file,mood\na.wav,x,y\n", "line 2 has another number of columns"),
        ("file,mood\na.wav,x\na.wav,y\n", "line 3: a.wav stands there twice"),
        ("file,mood\na.wav,x\nnone.wav,x\nnone2.wav,x\n", "none.wav and 1 more: not among the files"),
    ],
)
def test_bad_tables(make: Make, tmp_path: Path, text: str, words: str) -> None:
    make("a.wav")
    (tmp_path / "labels.csv").write_text(text)
    with pytest.raises(CorpusError, match=words) as caught:
        build([tmp_path / "in"], tmp_path / "cache", 8000, labels=str(tmp_path / "labels.csv"))
    assert "labels.csv" in str(caught.value)
    with pytest.raises(CorpusError, match="nowhere: no such file"):
        build([tmp_path / "in"], tmp_path / "cache", 8000, labels="nowhere")


def test_the_split_by_default(make: Make, tmp_path: Path) -> None:
    top = tmp_path / "in"
    for n in range(200):
        make(f"{n}.wav", noise(400, n))
    corpus = build([top], tmp_path / "cache", 8000)
    before = {entry.name: entry.split for entry in corpus.entries}
    assert 2 <= len(names(corpus, "validation")) <= 20 and 2 <= len(names(corpus, "test")) <= 20
    top.rename(tmp_path / "moved")
    soundfile.write(tmp_path / "moved" / "more.wav", noise(400), 8000)
    moved = build([tmp_path / "moved"], tmp_path / "cache", 8000)
    assert before.items() <= {entry.name: entry.split for entry in moved.entries}.items()


@pytest.mark.parametrize("count", range(2, 12))
def test_few_files_leave_some_for_training_and_validation(make: Make, tmp_path: Path, count: int) -> None:
    for n in range(count):
        make(f"{n}-{count}.wav")
    corpus = build([tmp_path / "in"], tmp_path / "cache", 8000)
    assert corpus.split("train") and corpus.split("validation")


def test_one_file_gives_its_end_for_validation(make: Make, tmp_path: Path) -> None:
    make("a.wav", noise(1005))
    corpus = build([tmp_path / "in"], tmp_path / "cache", 8000)
    assert [(e.start, e.length, e.split) for e in corpus.entries] == [(0, 905, "train"), (905, 100, "validation")]
    make("b.wav", noise(500))
    corpus = build([tmp_path / "in"], tmp_path / "cache", 8000, split="test:every=2+2")
    assert [(e.length, e.split) for e in corpus.entries] == [(905, "train"), (100, "validation"), (500, "test")]


def test_a_split_rule(digits: Path, tmp_path: Path) -> None:
    pattern = "{digit}_{speaker}_{take}"
    rule = "test:take=0-2; validation:take=3,5-5 ;test:speaker=ann"
    corpus = build([digits], tmp_path / "cache", 8000, labels=pattern, split=rule)
    for entry in corpus.entries:
        _, speaker, take = entry.name[:-4].split("_")
        expected = (
            "test" if int(take) < 3 else "validation" if take in "35" else "test" if speaker == "ann" else "train"
        )
        assert entry.split == expected


def test_every_nth_file_counts_the_broken_ones_too(make: Make, tmp_path: Path) -> None:
    for n in range(25):
        make(f"{n:02}.wav", noise(10) if n == 5 else None)
    corpus = build([tmp_path / "in"], tmp_path / "cache", 8000, split="test:every=10+1;validation:every=10+2")
    assert names(corpus, "test") == ["00.wav", "10.wav", "20.wav"]
    assert names(corpus, "validation") == ["01.wav", "11.wav", "21.wav"]
    assert len(names(corpus, "train")) == 18


def test_a_rule_without_validation_takes_some_of_the_rest(digits: Path, tmp_path: Path) -> None:
    corpus = build([digits], tmp_path / "cache", 8000, split="test:every=2+1")
    assert len(names(corpus, "test")) == 24 and 1 <= len(names(corpus, "validation")) <= 6


@pytest.mark.parametrize(
    "rule, words",
    [
        ("test:take=0", "key 'take' is not known; known keys: every"),
        ("exam:every=2+1", "'exam:every=2.1' must be SPLIT:KEY=VALUES"),
        ("test:every=2", "must be every=N.K"),
        ("test:every=2+3", "must be every=N.K"),
        ("test:every=2+0", "must be every=N.K"),
        ("test:every=99+99", "fits no file"),
        ("test:every=1+1", "leaves no files for training"),
        ("validation:every=2+1;bad", "'bad' must be"),
        ("nowhere.txt", "nowhere.txt: no such list"),
    ],
)
def test_bad_rules(digits: Path, tmp_path: Path, rule: str, words: str) -> None:
    with pytest.raises(SynthError, match=words):
        build([digits], tmp_path / "cache", 8000, split=rule)


def test_a_split_list(make: Make, tmp_path: Path) -> None:
    for name in ("a.wav", "deep/b.wav", "c.wav", "d.wav"):
        make(name)
    listing = tmp_path / "split.csv"
    listing.write_text("file,split\na.wav,test\nb.wav,validation\n./c.wav,train\n")
    corpus = build([tmp_path / "in"], tmp_path / "cache", 8000, split=str(listing))
    assert names(corpus, "test") == ["a.wav"] and names(corpus, "validation") == ["deep/b.wav"]
    assert names(corpus, "train") == ["c.wav", "d.wav"]
    for text, words in {
        "a.wav,exam\n": "line 1: must be FILE,SPLIT",
        "a.wav\n": "line 1: must be FILE,SPLIT",
        "a.wav,test\na.wav,train\n": "line 2: a.wav stands there twice",
        "a.wav,test\nnone.wav,test\n": "none.wav: not among the files",
    }.items():
        listing.write_text(text)
        with pytest.raises(CorpusError, match=words):
            build([tmp_path / "in"], tmp_path / "cache", 8000, split=str(listing))
