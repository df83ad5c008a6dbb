"""A labelled corpus as a planner learns it: the tokens of each file, where its sound begins and ends; in a run's cache.

Each file is there several times, in near-silence of other lengths, at other speeds and levels and cut into token
frames at two places, so that few recordings go further; files for validation and test only once and as they are.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from tqdm import tqdm

from synth.common.errors import CorpusError
from synth.common.labels import LabelIds
from synth.common.typing import MonoSamples, Tensors, UInt8
from synth.data.corpus import Corpus, Entry
from synth.training.batches import GAP_SIGMA, resampled
from synth.training.locked_batches import louder
from synth.training.sound_bounds import bounds_of
from synth.vocoder import timing
from synth.vocoder.vocoder import Vocoder

INDEX, TOKENS = "tokens.json", "tokens.u8"
VERSION = 1
COPIES, TOTAL_SECONDS = 4, 3600
"""At other speeds of a file at most, and of all copies together about."""
BEFORE, AFTER = (2, 6), (4, 10)
"""Shortest and longest near-silence before and after a file, in token frames."""


@dataclass(frozen=True)
class TokenFile:
    """`start`, `frames` in token frames of the cache; its sound lasts `length` of them from its frame `begin` on."""

    start: int
    frames: int
    begin: int
    length: int
    label_ids: LabelIds
    split: str


@dataclass(frozen=True)
class TokenCorpus:
    """`tokens` uint8 (frames, tokens a frame) of all `files`, mapped."""

    files: tuple[TokenFile, ...]
    tokens: UInt8

    def split(self, name: str) -> tuple[TokenFile, ...]:
        """The files of a split."""
        return tuple(file for file in self.files if file.split == name)


def open_tokens(
    corpus: Corpus,
    vocoder: Vocoder,
    period: int,
    speed: float,
    gain_db: float,
    quiet: bool = True,
    total_seconds: float = TOTAL_SECONDS,
) -> TokenCorpus:
    """The tokens of a corpus, the first `period` of each frame, from its cache, where they are made at first.

    `speed`, `gain_db`: copies are played at speeds from 1 / speed to speed, and up to so much louder or fainter; they
    last about `total_seconds` together.
    """
    place = corpus.folder
    if not (place / INDEX).exists():
        _make(corpus, vocoder, period, (speed, gain_db), quiet, total_seconds)
    index = json.loads((place / INDEX).read_text("utf-8"))
    if index["version"] != VERSION or index["period"] != period:
        raise CorpusError(f"{place}: cache of another planner; delete it to build it again")
    files = tuple(TokenFile(a, n, b, k, tuple(ids), split) for a, n, b, k, ids, split in index["files"])
    return TokenCorpus(files, np.memmap(place / TOKENS, np.uint8, "r", shape=(index["frames"], period)))


def lengths_of(corpus: Corpus, hop: int) -> Tensors:
    """How long the sounds of the training files are, and the silence around them: tensors of a checkpoint."""
    entries = [entry for entry in corpus.split("train") if entry.length]
    lengths = []
    for entry in entries:
        _, length = bounds_of(np.array(corpus.samples(entry)), hop)
        lengths.append((length, max(0, -(-entry.length // hop) - length)))
    return timing.rows_of([entry.label_ids for entry in entries], lengths)


def _piece(corpus: Corpus, entry: Entry, copy: int, hop: int, speed: float, draw: np.random.Generator) -> MonoSamples:
    """A copy of a file, the first one at its speed, with near-silence before and after it."""
    factor = float(np.exp(draw.uniform(-1, 1) * np.log(speed))) if copy else 1.0
    piece = resampled(np.array(corpus.samples(entry)), factor)
    sigma = draw.uniform(0.0, GAP_SIGMA)
    ends = [
        np.rint(sigma * draw.standard_normal(int(draw.integers(low * hop, high * hop)))).astype(np.int16)
        for low, high in (BEFORE, AFTER)
    ]
    return np.concatenate([ends[0], piece, ends[1]])


def _variants(
    vocoder: Vocoder, samples: MonoSamples, period: int, gain_db: float, draw: np.random.Generator, count: int
) -> Iterator[tuple[UInt8, tuple[int, int]]]:
    """Tokens of samples, and where their sound begins and how long it lasts, as they are and louder or fainter.

    The second of two begins half a token frame later.
    """
    features = vocoder.features(samples)
    for offset in range(count):
        rows = features[offset : len(features) - offset]
        if offset:
            rows = louder(rows, float(10.0 ** (draw.uniform(-gain_db, gain_db) / 20)), vocoder.config)
        tokens = vocoder.tokens(vocoder.encode(rows), period)
        yield tokens, bounds_of(samples[offset * (vocoder.hop // 2) :], vocoder.hop)


def _make(
    corpus: Corpus, vocoder: Vocoder, period: int, change: tuple[float, float], quiet: bool, total_seconds: float
) -> None:
    speed, gain_db = change
    entries = [entry for entry in corpus.entries if entry.length]
    seconds = sum(entry.length for entry in entries) / corpus.rate + 0.2 * len(entries)
    copies = max(1, min(COPIES, round(total_seconds / seconds)))
    rows, at = [], 0
    temporary = corpus.folder / f"{TOKENS}.{os.getpid()}.new"
    bar = tqdm(total=len(entries), desc="tokens", unit="file", disable=True if quiet else None)
    with open(temporary, "wb") as out:
        for number, entry in enumerate(entries):
            bar.update()
            trained = entry.split == "train"
            for copy in range(copies if trained else 1):
                draw = np.random.Generator(np.random.Philox(key=[number, copy], counter=[0, 0, 6, 0]))
                samples = _piece(corpus, entry, copy, vocoder.hop, speed, draw)
                for tokens, (first, length) in _variants(vocoder, samples, period, gain_db, draw, 2 if trained else 1):
                    out.write(np.ascontiguousarray(tokens).tobytes())
                    rows.append([at, len(tokens), first, length, list(entry.label_ids), entry.split])
                    at += len(tokens)
    bar.close()
    temporary.replace(corpus.folder / TOKENS)
    index = {"version": VERSION, "period": period, "frames": at, "files": rows}
    temporary.write_text(json.dumps(index), "utf-8")
    temporary.replace(corpus.folder / INDEX)
