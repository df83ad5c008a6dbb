"""Validation by stretches of sound, and pieces of what is too long to be heard."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from helpers import sounds

from synth.data import stretches
from synth.data.build import CorpusRequest
from synth.data.corpus import Corpus, open_cache

RATE = 8000


def built(folder: Path, seconds: list[float]) -> Corpus:
    """A corpus of files of these lengths, which are quiet for 0.1 s in every second; all of it for training."""
    make = sounds.maker(folder / "in")
    for number, length in enumerate(seconds):
        wave = sounds.noise(round(length * RATE), number, 3000)
        wave[np.arange(len(wave)) % RATE < RATE // 10] //= 100
        make(f"{number:03d}.wav", wave)
    return CorpusRequest([folder / "in"], RATE, parts=("train",)).build(folder / "cache")


def parts(corpus: Corpus, split: str) -> list[tuple[str, float]]:
    return [(entry.name, entry.length / RATE) for entry in corpus.split(split)]


@pytest.mark.parametrize("seconds", [[20.0], [0.2] * 5, [100.0, 30.0], [3.0, 2.0, 1.0], [0.1]])
def test_nothing_is_lost_and_something_is_held_back(seconds: list[float], tmp_path: Path) -> None:
    corpus = built(tmp_path, seconds)
    assert corpus.split("train") == corpus.entries and len(corpus.entries) == len(seconds)
    after = stretches.with_validation(corpus)
    held, total = after.size("validation"), len(corpus.audio)
    assert 0.02 * total < held < 0.25 * total
    places = sorted((entry.start, entry.start + entry.length) for entry in after.entries)
    assert places[0][0] == 0 and places[-1][1] == total
    assert all(one[1] == other[0] for one, other in zip(places, places[1:], strict=False))
    assert after.entries == open_cache(tmp_path / "cache").entries


def test_stretches_are_cut_where_it_is_quiet(tmp_path: Path) -> None:
    corpus = stretches.with_validation(built(tmp_path, [100.0, 100.0]))
    (first, *_) = held = corpus.split("validation")
    assert len(held) == 2 and {entry.name for entry in held} == {"000.wav", "001.wav"}
    for entry in held:
        assert 3 < entry.length / RATE < 7
        assert 0 <= (entry.start % RATE) / RATE < 0.1
    assert first.start / RATE == pytest.approx(48, abs=2)


def test_of_many_files_whole_ones_are_held_back(tmp_path: Path) -> None:
    corpus = stretches.with_validation(built(tmp_path, [0.1] * 60))
    assert len(corpus.entries) == 60 and 0 < len(corpus.split("validation")) < 10
    assert not corpus.split("test")


def test_what_is_too_long_is_taken_in_pieces_and_given_back(tmp_path: Path) -> None:
    corpus = stretches.whole(built(tmp_path, [90.0, 30.0, 60.0]))
    some = stretches.shortened(stretches.with_validation(corpus), 60)
    assert 40 < some.size("train") / RATE < 80
    assert {name for name, _ in parts(some, "train")} >= {"000.wav", "002.wav"}
    assert some.split("validation") and stretches.whole(some).entries == corpus.entries
    assert stretches.shortened(corpus, None) is corpus and stretches.shortened(corpus, 1e6) is corpus
