"""The index and cache of training files: what is found, skipped, labelled, split, reused."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from synth import audio
from synth.corpus import Corpus, build, open_cache
from synth.errors import CorpusError, SynthError, UsageError

Make = Callable[..., Path]


def noise(count: int, seed: int = 0, sigma: float = 3000.0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, sigma, count).astype(np.int16)


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Writes a sound file below `in` and returns its path."""

    def write(name: str, sound: np.ndarray | None = None, rate: int = 8000) -> Path:
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, noise(1000, abs(hash(name)) % 1000) if sound is None else sound, rate)
        return path

    return write


@pytest.fixture
def digits(make: Make, tmp_path: Path) -> Path:
    for digit in (0, 1, 10):
        for speaker in ("theo", "ann"):
            for take in range(8):
                make(f"{digit}_{speaker}_{take}.wav")
    return tmp_path / "in"


def names(corpus: Corpus, split: str) -> list[str]:
    return [entry.name for entry in corpus.split(split)]


def test_any_rate_channels_and_format_from_folders_and_files(make: Make, tmp_path: Path) -> None:
    paths = [
        make("a.wav", noise(2000)),
        make("deep/er/b.flac", noise(4000).reshape(-1, 2), 44100),
        make("deep/c.ogg", noise(8000), 16000),
        make("D.AIFF", noise(900), 8000),
    ]
    (tmp_path / "in" / "notes.txt").write_text("no audio")
    make(".hidden/x.wav")
    make("z.wav").rename(tmp_path / "in" / ".z.wav")
    other = make("../lone.wav")
    corpus = build([tmp_path / "in", other, other, tmp_path / "in" / "a.wav"], tmp_path / "cache", 8000)
    assert [e.name for e in corpus.entries] == ["D.AIFF", "a.wav", "deep/c.ogg", "deep/er/b.flac", "lone.wav"]
    assert corpus.skipped == () and corpus.labels == () and corpus.rate == 8000
    assert corpus.audio.dtype == np.int16 and isinstance(corpus.audio, np.memmap)
    at = 0
    for entry, path in zip(corpus.entries, [paths[3], paths[0], paths[2], paths[1], other], strict=True):
        expected = audio.read(path, 8000)[0]
        assert (entry.start, entry.length) == (at, len(expected))
        np.testing.assert_array_equal(corpus.samples(entry), expected)
        at += entry.length
    assert len(corpus.audio) == at == sum(corpus.size(s) for s in ("train", "validation", "test"))
    np.testing.assert_array_equal(corpus.samples(corpus.entries[1], 10, 30), audio.read(paths[0])[0][10:30])


def test_what_cannot_be_used_is_named_and_skipped(make: Make, tmp_path: Path) -> None:
    make("good1.wav")
    make("good2.wav")
    make("short.wav", noise(399))
    make("silent.wav", noise(8000).clip(-32, 32))
    broken = make("broken.wav")
    broken.write_text("text")
    cut = make("cut.flac", noise(50000))
    cut.write_bytes(cut.read_bytes()[:30000])
    make("nan.wav").unlink()
    soundfile.write(tmp_path / "in" / "nan.wav", np.full(1000, np.nan), 8000, subtype="FLOAT")
    (tmp_path / "in" / "empty.mp3").touch()
    done: list[tuple[int, int]] = []
    corpus = build([tmp_path / "in"], tmp_path / "cache", 8000, progress=lambda *at: done.append(at))
    assert [e.name for e in corpus.entries] == ["good1.wav", "good2.wav"] and len(corpus.audio) == 2000
    reasons = {os.path.basename(path): reason for path, reason in corpus.skipped}
    for name, words in {
        "short.wav": "too short (50 ms)",
        "silent.wav": "is silent",
        "broken.wav": "not audio",
        "cut.flac": "cut short",
        "nan.wav": "NaN",
        "empty.mp3": "is empty",
    }.items():
        assert words in reasons.pop(name)
    assert not reasons and done == [(n, 8) for n in range(1, 9)]
    assert corpus.skipped == build([tmp_path / "in"], tmp_path / "cache", 8000).skipped


def test_nothing_left_is_an_error(make: Make, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    with pytest.raises(CorpusError, match="none: no such file or folder"):
        build([tmp_path / "none"], cache, 8000)
    (tmp_path / "bare").mkdir()
    with pytest.raises(CorpusError, match="bare: no audio files"):
        build([tmp_path / "bare"], cache, 8000)
    make("short.wav", noise(10))
    with pytest.raises(CorpusError, match=r"none of 1 files can be used; the first: .*short\.wav: is too short"):
        build([tmp_path / "in"], cache, 8000)
    assert not cache.exists() or os.listdir(cache) == []


def test_the_cache_is_reused_until_something_changes(make: Make, tmp_path: Path) -> None:
    first = make("a.wav")
    make("b.wav")
    calls: list[int] = []

    def again(**options: Any) -> bool:
        """Whether the cache was built."""
        calls.clear()
        build(
            [tmp_path / "in"],
            tmp_path / "cache",
            options.pop("rate", 8000),
            progress=lambda n, _: calls.append(n),
            **options,
        )
        return bool(calls)

    assert again() and not again()
    assert again(rate=16000) and again() and again(trim=True) and again(split="test:every=2+1") and again()
    os.utime(first, ns=(1, 1))
    assert again() and not again()
    make("c.wav")
    assert again() and not again()
    (tmp_path / "cache" / "audio.i16").write_bytes(b"cut")
    assert again() and not again()
    (tmp_path / "cache" / "index.json").write_text("{}")
    assert again() and not again()
    assert sorted(os.listdir(tmp_path / "cache")) == ["audio.i16", "index.json"]


def test_a_cache_opens_without_its_files_or_says_why_not(make: Make, tmp_path: Path) -> None:
    path = make("0_theo.wav")
    built = build([path], tmp_path / "cache", 8000, labels="{digit}_{speaker}")
    path.unlink()
    opened = open_cache(tmp_path / "cache")
    assert opened.entries == built.entries and opened.labels == built.labels
    with pytest.raises(CorpusError, match="no such file"):
        open_cache(tmp_path)
    index = tmp_path / "cache" / "index.json"
    data = json.loads(index.read_text())
    for change in ({"version": 99}, {"samples": 3}, {"files": [["x", 0]]}, {"labels": 3}):
        index.write_text(json.dumps(data | change))
        with pytest.raises(CorpusError, match="cache"):
            open_cache(tmp_path / "cache")
    index.write_text("[")
    with pytest.raises(CorpusError, match="not a corpus cache"):
        open_cache(tmp_path / "cache")


def test_an_interrupted_build_leaves_the_old_cache(make: Make, tmp_path: Path) -> None:
    make("a.wav")
    build([tmp_path / "in"], tmp_path / "cache", 8000)
    make("b.wav")

    def stop(*_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build([tmp_path / "in"], tmp_path / "cache", 8000, progress=stop)
    assert {entry.name for entry in open_cache(tmp_path / "cache").entries} == {"a.wav"}
    assert sorted(os.listdir(tmp_path / "cache")) == ["audio.i16", "index.json"]


def test_a_cache_that_cannot_be_written(make: Make, tmp_path: Path) -> None:
    make("a.wav")
    (tmp_path / "file").touch()
    with pytest.raises(CorpusError, match="can't write the cache"):
        build([tmp_path / "in"], tmp_path / "file", 8000)


def test_the_run_inside_the_corpus_is_not_part_of_it(make: Make, tmp_path: Path) -> None:
    make("a.wav")
    make("run/audition.wav")
    make("run/cache/x.wav")
    top = tmp_path / "in"
    assert [e.name for e in build([top], top / "run" / "cache", 8000).entries] == ["a.wav", "run/audition.wav"]
    corpus = build([top], top / "run" / "cache", 8000, exclude=[top / "run"])
    assert {e.name for e in corpus.entries} == {"a.wav"}


def test_trimming_cuts_the_silence_of_both_ends(make: Make, tmp_path: Path) -> None:
    quiet = noise(8000, 1, 2.0)
    loud = noise(4000, 2)
    make("a.wav", np.concatenate([quiet, loud, quiet]))
    make("b.wav", noise(3000))
    make("c.wav", np.concatenate([quiet, loud[:200], quiet]))
    corpus = build([tmp_path / "in"], tmp_path / "cache", 8000, trim=True)
    a, b = (entry for entry in corpus.entries if entry.name in ("a.wav", "b.wav"))
    assert a.length == 4000 + 2 * 160 and b.length == 3000
    np.testing.assert_array_equal(corpus.samples(a)[160:-160], loud)
    np.testing.assert_array_equal(corpus.samples(b), noise(3000))
    assert corpus.audio.shape[0] == sum(e.length for e in corpus.entries)


def test_labels_from_names(digits: Path, make: Make, tmp_path: Path) -> None:
    make("odd.wav")
    corpus = build([digits], tmp_path / "cache", 8000, labels="{digit}_{speaker}_{take}")
    assert corpus.labels == (("digit", ("0", "1", "10")), ("speaker", ("ann", "theo")))
    rows = {entry.name: entry.rows for entry in corpus.entries}
    assert rows["0_ann_3.wav"] == (1, 1) and rows["10_theo_0.wav"] == (3, 2)
    assert [os.path.basename(path) for path, _ in corpus.skipped] == ["odd.wav"]
    assert "does not match the label pattern" in corpus.skipped[0][1]
    corpus = build([digits], tmp_path / "cache", 8000, labels="{digit}_{_}_{take}", label_keys=["take"])
    assert corpus.labels == (("take", tuple("01234567")),)


def test_labels_from_folders(make: Make, tmp_path: Path) -> None:
    for name in ("yes/ann_1.wav", "no/ann_1.wav", "no/bob.smith_2.wav"):
        make(name)
    corpus = build([tmp_path / "in"], tmp_path / "cache", 8000, labels="{word}/{speaker}_{_}")
    assert corpus.labels == (("word", ("no", "yes")), ("speaker", ("ann", "bob.smith")))


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
    assert corpus.labels == (("mood", ("glad", "sad")),)
    assert {e.name: e.rows for e in corpus.entries} == {"a.wav": (2,), "deep/b.wav": (1,), "deep/c.wav": (0,)}
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


def test_memory_does_not_grow_with_the_corpus(make: Make, tmp_path: Path) -> None:
    path = tmp_path / "in" / "long.wav"
    path.parent.mkdir()
    with soundfile.SoundFile(path, "w", 16000, 1, "PCM_16") as file:
        for n in range(40):
            file.write(noise(1_000_000, n))
    program = f"""
import resource, sys
from synth.corpus import build
def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
before = peak()
corpus = build([{str(path)!r}], {str(tmp_path / "cache")!r}, 16000)
assert len(corpus.audio) == 40_000_000
assert peak() - before < 40, (before, peak())
"""
    subprocess.run([sys.executable, "-c", program], check=True)
