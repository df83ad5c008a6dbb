"""Validation by stretches of sound, and less of a long corpus: pieces of files in its cache, cut where it is quiet.

A corpus of a few long files has no file to spare for validation, and one of hours has more than can be learned from in
minutes. Both are a matter of the cache's index alone, in which a file may stand with several pieces.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from synth.common.new_file import write_whole
from synth.common.typing import MonoSamples
from synth.data.corpus import INDEX, Corpus, Entry, open_cache
from synth.data.splits import Item, Splitter

WHOLE = "whole.json"
"""The index of a cache as it was built."""
FEW_FILES = 20
"""A corpus of fewer files is validated on stretches of them."""
SHARE = 0.05
STRETCH, SHORTEST, MOST = 5.0, 1.0, 60.0
"""Seconds of a stretch, of the shortest one, and of all of them at most."""
LEAST_SHARE = 0.1
"""Of a corpus so short that SHARE of it is no stretch."""
SLACK = 0.2
"""Share of a stretch by which its ends move to where it is quieter."""
QUIET_SECONDS = 0.02
HEARD = 20.0
"""Seconds of the pieces that are taken of a corpus that is too long."""

Piece = tuple[int, int, str]
"""First sample within a file, samples, split."""


def with_validation(corpus: Corpus) -> Corpus:
    """A corpus that is all for training with some of it for validation: files, or of few files stretches."""
    entries = [entry for entry in corpus.entries if entry.split == "train"]
    if len(entries) < FEW_FILES:
        return hold_out(corpus)
    items = [Item(entry.name, number, {}) for number, entry in enumerate(entries, 1)]
    splits = Splitter(None, ("train", "validation")).assign(items)
    return _written(corpus, ((entry, [(0, entry.length, split)]) for entry, split in zip(entries, splits, strict=True)))


def hold_out(corpus: Corpus) -> Corpus:
    """The corpus with stretches of its training files for validation.

    They are 5 % of the sound, at least a tenth of a short one and at most a minute; each is about five seconds long,
    and they are spread evenly over the sound.
    """
    total = corpus.size("train")
    wanted = min(max(SHARE * total, min(STRETCH * corpus.rate, LEAST_SHARE * total)), MOST * corpus.rate)
    count = max(1, round(wanted / (STRETCH * corpus.rate)))
    middles = [(2 * k + 1) * total / (2 * count) for k in range(count)]
    return _written(corpus, _held_out(corpus, middles, int(wanted / count)))


def shortened(corpus: Corpus, seconds: float | None) -> Corpus:
    """The corpus with at most about so many seconds for training, in pieces of 20 s that are spread over its files."""
    total = corpus.size("train")
    if seconds is None or total <= seconds * corpus.rate:
        return corpus
    return _written(corpus, _spread_out(corpus, seconds * corpus.rate / total))


def whole(corpus: Corpus) -> Corpus:
    """The corpus as it was built, before anything here changed it; from then on the cache remembers it."""
    path = Path(corpus.folder) / WHOLE
    try:
        kept = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        kept = {}
    index = Path(corpus.folder) / INDEX
    if kept.get("fingerprint") == corpus.fingerprint:
        write_whole(index, path.read_bytes())
        return open_cache(corpus.folder)
    write_whole(path, index.read_bytes())
    return corpus


def _held_out(corpus: Corpus, middles: Sequence[float], length: int) -> Iterator[tuple[Entry, list[Piece]]]:
    """Each entry with its pieces: around the places `middles` of all training sound there are those for validation."""
    passed = 0
    for entry in corpus.entries:
        if entry.split != "train":
            yield entry, [(0, entry.length, entry.split)]
            continue
        own = [middle - passed for middle in middles if passed <= middle < passed + entry.length]
        passed += entry.length
        yield entry, list(_cut(corpus.samples(entry), own, min(length, entry.length // 2), corpus.rate))


def _cut(samples: MonoSamples, middles: Sequence[float], length: int, rate: int) -> Iterator[Piece]:
    """A file's pieces in their order, with one for validation around each of `middles`."""
    at = 0
    for middle in middles:
        start = _quietest(samples, round(middle - length / 2), length, rate)
        start = max(at, start)
        stop = max(start, _quietest(samples, start + length, length, rate))
        if stop - start < min(length, SHORTEST * rate) / 2:
            continue
        if start > at:
            yield at, start - at, "train"
        yield start, stop - start, "validation"
        at = stop
    if at < len(samples):
        yield at, len(samples) - at, "train"


def _quietest(samples: MonoSamples, place: int, length: int, rate: int) -> int:
    """The middle of the quietest 20 ms near a place; the ends of the sound are quiet enough."""
    slack, step = round(SLACK * length), max(1, round(QUIET_SECONDS * rate))
    low, high = max(0, place - slack), min(len(samples), place + slack)
    if place <= step or place >= len(samples) - step or high - low < 2 * step:
        return min(max(0, place), len(samples))
    frames = np.array(samples[low : low + (high - low) // step * step], np.float64).reshape(-1, step)
    return low + int(np.square(frames).sum(1).argmin()) * step + step // 2


def _spread_out(corpus: Corpus, share: float) -> Iterator[tuple[Entry, list[Piece]]]:
    """Each entry with the pieces of it that are kept, `share` of the training sound."""
    most, passed, owed = round(HEARD * corpus.rate), 0.0, 0.0
    for entry in corpus.entries:
        if entry.split != "train":
            yield entry, [(0, entry.length, entry.split)]
            continue
        pieces: list[Piece] = []
        for start in range(0, entry.length, most):
            length = min(most, entry.length - start)
            passed += length * share
            if passed - owed >= length / 2:
                pieces.append((start, length, "train"))
                owed += length
        yield entry, pieces


def _written(corpus: Corpus, divided: Iterable[tuple[Entry, list[Piece]]]) -> Corpus:
    """The corpus with other pieces, as its cache has it from now on."""
    rows = [
        [entry.name, entry.start + start, length, list(entry.label_ids), split]
        for entry, pieces in divided
        for start, length, split in pieces
    ]
    path = Path(corpus.folder) / INDEX
    index = json.loads(path.read_text("utf-8")) | {"files": rows}
    write_whole(path, json.dumps(index).encode())
    return open_cache(corpus.folder)
