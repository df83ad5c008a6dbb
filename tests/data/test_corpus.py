"""The index and cache of training files: what is found, skipped, trimmed, reused."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from helpers.sounds import Make, maker, noise

from synth.audio import reader
from synth.common.errors import CorpusError
from synth.data.build import build
from synth.data.corpus import open_cache


@pytest.fixture
def make(tmp_path: Path) -> Make:
    return maker(tmp_path / "in")


def test_any_rate_channels_and_format_from_folders_and_files(make: Make, tmp_path: Path) -> None:
    paths = [
        make("a.wav", noise(2000)),
        make("deep/er/b.flac", noise(40000).reshape(-1, 2), 44100),
        make("deep/c.ogg", noise(8000), 16000),
        make("D.AIFF", noise(900), 8000),
    ]
    (tmp_path / "in" / "notes.txt").write_text("no audio")
    make(".hidden/x.wav")
    make("z.wav").rename(tmp_path / "in" / ".z.wav")
    other = make("../lone.wav")
    corpus = build([tmp_path / "in", other, other, tmp_path / "in" / "a.wav"], tmp_path / "cache", 8000)
    assert [e.name for e in corpus.entries] == ["D.AIFF", "a.wav", "deep/c.ogg", "deep/er/b.flac", "lone.wav"]
    assert corpus.skipped == () and not corpus.labels and corpus.rate == 8000
    assert corpus.audio.dtype == np.int16 and isinstance(corpus.audio, np.memmap)
    at = 0
    for entry, path in zip(corpus.entries, [paths[3], paths[0], paths[2], paths[1], other], strict=True):
        expected = reader.read(path, 8000)[0]
        assert (entry.start, entry.length) == (at, len(expected))
        np.testing.assert_array_equal(corpus.samples(entry), expected)
        at += entry.length
    assert len(corpus.audio) == at == sum(corpus.size(s) for s in ("train", "validation", "test"))
    np.testing.assert_array_equal(corpus.samples(corpus.entries[1], 10, 30), reader.read(paths[0])[0][10:30])


def test_linked_folders_are_searched_and_trash_is_not(make: Make, tmp_path: Path) -> None:
    top = tmp_path / "in"
    for name in ("a.wav", "../other/b.wav", "$RECYCLE.BIN/c.wav", "sub/d.wav"):
        make(name)
    (top / "sub" / "d.wav").rename(top / "sub" / "d.bwf")
    os.symlink(tmp_path / "other", top / "link")
    os.symlink(top, top / "sub" / "up")
    os.symlink("a.wav", top / "0.wav")
    corpus = build([top], tmp_path / "cache", 8000)
    assert [entry.name for entry in corpus.entries] == ["a.wav", "link/b.wav", "sub/d.bwf"]
    assert corpus.skipped == ()


def test_a_folder_that_cannot_be_looked_into_is_an_error(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = make("a.wav").parent
    make("locked/b.wav")
    scan = os.scandir

    def refuse(path: str) -> Any:
        if path.endswith("locked"):
            raise PermissionError(13, "Permission denied", path)
        return scan(path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(CorpusError, match=r"in.locked: can't be read \(Permission denied\)"):
        build([folder], folder / "cache", 8000)


def test_a_cache_of_private_sounds_is_private(make: Make, tmp_path: Path) -> None:
    make("a.wav")
    make("b.wav").chmod(0o600)
    build([tmp_path / "in"], tmp_path / "cache", 8000)
    assert (tmp_path / "cache" / "audio.i16").stat().st_mode & 0o777 == 0o600


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


def test_memory_does_not_grow_with_the_corpus(make: Make, tmp_path: Path) -> None:
    path = tmp_path / "in" / "long.wav"
    path.parent.mkdir()
    with soundfile.SoundFile(path, "w", 16000, 1, "PCM_16") as file:
        for n in range(40):
            file.write(noise(1_000_000, n))
    program = f"""
import resource, sys
from synth.data.build import build
def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
before = peak()
corpus = build([{str(path)!r}], {str(tmp_path / "cache")!r}, 16000)
assert len(corpus.audio) == 40_000_000
assert peak() - before < 40, (before, peak())
"""
    subprocess.run([sys.executable, "-c", program], check=True)


def test_the_former_names_are_the_same_things() -> None:
    from synth import corpus, labelling
    from synth.data import build, label_rules
    from synth.data import corpus as present

    assert corpus.build is build.build and corpus.open_cache is present.open_cache
    assert corpus.Entry is present.Entry and labelling.Labeller is label_rules.Labeller
    assert present.Entry("a.wav", 0, 5, (2,), "train").rows == (2,)


def test_files_that_must_not_be_read_are_refused(make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a", "b", "c"):
        make(f"in/{name}.wav")
    monkeypatch.setattr(os, "access", lambda path, _: Path(path).stem == "b")  # root may read everything
    with pytest.raises(CorpusError, match=r"a.wav: can't be read \(permission denied\); so can't 1 more"):
        build([tmp_path / "in"], tmp_path / "cache", 8000)
