"""A training corpus as it lies in its cache: one int16 file that is memory-mapped, and an index of the sound files."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from synth.common.errors import CorpusError
from synth.common.labels import LabelIds, LabelSet
from synth.common.typing import MonoSamples

AUDIO, INDEX, VERSION = "audio.i16", "index.json", 1
"""The files of a cache and the version of the index."""


@dataclass(frozen=True)
class Entry:
    """A file's place in the cache: `start` and `length` in samples; `label_ids` one a key (0 is none); its split."""

    name: str
    start: int
    length: int
    label_ids: LabelIds
    split: str

    @property
    def rows(self) -> LabelIds:
        """The former name of `label_ids`, for programs that read it."""
        return self.label_ids


@dataclass(frozen=True)
class Corpus:
    """The cache in `folder`, open: `audio` holds the samples of all files, one after the other, memory-mapped.

    `rate` in Hz; `labels`: the keys with the values that files have; `skipped`: path and reason of each file that can't
    be used; `fingerprint`: a hash of the sound files' state and of the options.
    """

    folder: Path
    rate: int
    audio: MonoSamples
    entries: tuple[Entry, ...]
    labels: LabelSet
    skipped: tuple[tuple[str, str], ...]
    fingerprint: str

    def split(self, name: str) -> tuple[Entry, ...]:
        """The files of "train", "validation" or "test", in the order of their names."""
        return tuple(entry for entry in self.entries if entry.split == name)

    def samples(self, entry: Entry, start: int = 0, stop: int | None = None) -> MonoSamples:
        """A view of the samples `start` to `stop` of one file."""
        return self.audio[entry.start : entry.start + entry.length][start:stop]

    def size(self, split: str) -> int:
        """How many samples a split has."""
        return sum(entry.length for entry in self.entries if entry.split == split)


def open_cache(folder: str | os.PathLike[str]) -> Corpus:
    """The corpus that `build` left in `folder`, without the sound files themselves; CorpusError if it is not whole."""
    place = Path(folder)
    try:
        index = json.loads((place / INDEX).read_text("utf-8"))
        if index["version"] != VERSION:
            raise CorpusError(f"{place}: cache of another version ({index['version']}); delete it to build it again")
        entries = tuple(Entry(n, int(s), int(k), tuple(rows), split) for n, s, k, rows, split in index["files"])
        labels = LabelSet.from_json(index["labels"])
        skipped = tuple((path, reason) for path, reason in index["skipped"])
        rate, total, fingerprint = int(index["rate"]), int(index["samples"]), str(index["fingerprint"])
        if (place / AUDIO).stat().st_size != 2 * total or any(e.start + e.length > total for e in entries):
            raise CorpusError(f"{place}: the cached audio is not whole; delete it to build it again")
        audio = np.memmap(place / AUDIO, "<i2", "r", shape=(total,))
    except FileNotFoundError as error:
        raise CorpusError(f"{error.filename}: no such file") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CorpusError(f"{place}: not a corpus cache ({error})") from None
    return Corpus(place, rate, audio, entries, labels, skipped, fingerprint)
