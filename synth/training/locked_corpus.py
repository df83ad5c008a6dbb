"""A corpus as a voice with a bed learns it: of each file what its bed leaves, features, phases; in a run's cache.

Files have near-silence before and after them, which a voice has to learn too; long ones are cut into pieces. A share
of the training files may come a second time, as they are at half the rate: empty above, as the telephone leaves speech.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import soxr
from tqdm import tqdm

from synth.audio import mulaw
from synth.common.errors import CorpusError
from synth.common.labels import LabelIds
from synth.common.typing import Float32, MonoSamples, UInt8
from synth.data.corpus import Corpus, Entry
from synth.training.batches import GAP_SECONDS, GAP_SIGMA
from synth.vocoder.beds import locker_of, new_tables
from synth.vocoder.config import VocoderConfig

INDEX, RESIDUAL, PHASES, FEATURES = "locked.json", "locked.i16", "locked.u8", "locked.f32"
VERSION = 2
NARROW_NOISE = (0.0, 1.7)
"""Decimal logarithms of the least and the most noise, in 16-bit steps, in half of the files at half the rate."""
PIECE_SECONDS = 60
"""Of a file at most, since all harmonics of what is locked at once are in memory."""


@dataclass(frozen=True)
class LockedFile:
    """`name`, `label_ids`, `split` of a file; `start`, `length` in samples of the cache, whole token frames."""

    name: str
    start: int
    length: int
    label_ids: LabelIds
    split: str


@dataclass(frozen=True)
class LockedRow:
    """A file for validation: mu-law codes and phase codes (n,), features (frames, inputs), label ids."""

    codes: UInt8
    phases: UInt8
    features: Float32
    label_ids: LabelIds


@dataclass(frozen=True)
class LockedCorpus:
    """`residual`, `phases` (samples,), `features` (frames, inputs) of all files, mapped; `hop`: samples a frame."""

    files: tuple[LockedFile, ...]
    residual: MonoSamples
    phases: UInt8
    features: Float32
    hop: int

    def split(self, name: str) -> tuple[LockedFile, ...]:
        """The files of a split."""
        return tuple(file for file in self.files if file.split == name)

    def rows(self, split: str, most: int) -> list[LockedRow]:
        """Files spread evenly over a split, each from its beginning on, with at most `most` samples in all."""
        files = self.split(split)
        rows: list[LockedRow] = []
        share = max(4 * 100 * self.hop, most // max(1, len(files))) // (2 * self.hop) * 2 * self.hop
        for file in files[:: max(1, -(-len(files) * share // max(1, most)))]:
            end = file.start + min(file.length, share)
            frames = slice(file.start // self.hop, end // self.hop)
            codes = mulaw.encode(self.residual[file.start : end])
            phases = np.array(self.phases[file.start : end])
            rows.append(LockedRow(codes, phases, np.array(self.features[frames]), file.label_ids))
        return rows


def _features(config: VocoderConfig, narrow: float) -> dict[str, float]:
    """What of a voice its cache depends on."""
    more = {"notes": config.notes, "narrow": narrow}
    return {"mels": config.mels, "tones": config.tones, **{name: value for name, value in more.items() if value}}


def open_locked(corpus: Corpus, config: VocoderConfig, quiet: bool = True, narrow: float | None = 0.0) -> LockedCorpus:
    """The locked files of a corpus, from its cache, where they are made when they are not there yet.

    `narrow`: share of the training files that come a second time, as they are at half the rate; None: what the cache
    has, else 0.
    """
    place = corpus.folder
    if not (place / INDEX).exists():
        _make(corpus, config, quiet, narrow or 0.0)
    index = json.loads((place / INDEX).read_text("utf-8"))
    if narrow is None:
        narrow = float(index["features"].get("narrow", 0.0))
    if index["version"] != VERSION or index["features"] != _features(config, narrow):
        raise CorpusError(f"{place}: cache of another voice; delete it to build it again")
    files = tuple(LockedFile(n, int(s), int(k), tuple(ids), split) for n, s, k, ids, split in index["files"])
    hop, total = int(index["hop"]), int(index["samples"])
    residual = np.memmap(place / RESIDUAL, "<i2", "r", shape=(total,))
    phases = np.memmap(place / PHASES, np.uint8, "r", shape=(total,))
    features = np.memmap(place / FEATURES, "<f4", "r", shape=(total // hop, config.inputs))
    return LockedCorpus(files, residual, phases, features, hop)


def _pieces(corpus: Corpus, entry: Entry, number: int) -> Iterator[MonoSamples]:
    """A file's samples in pieces of PIECE_SECONDS, the first and the last with near-silence at the file's ends."""
    draw = np.random.Generator(np.random.Philox(key=[number, 0], counter=[0, 0, 5, 0]))
    low, high = (round(seconds * corpus.rate) for seconds in GAP_SECONDS)
    ends = []
    for _ in range(2):
        noise = draw.standard_normal(int(draw.integers(low, high, endpoint=True))) * draw.uniform(0.0, GAP_SIGMA)
        ends.append(np.rint(noise).astype(np.int16))
    most = PIECE_SECONDS * corpus.rate
    for start in range(0, entry.length, most):
        piece = np.array(corpus.samples(entry, start, start + most))
        before, after = ends[0][: 0 if start else None], ends[1][: None if start + most >= entry.length else 0]
        yield np.concatenate([before, piece, after])


def _sounds(corpus: Corpus, entry: Entry, number: int, narrow: float) -> Iterator[MonoSamples]:
    """The pieces of a file, and where it is one of those that come a second time they again at half the rate."""
    yield from _pieces(corpus, entry, number)
    if entry.split == "train" and int((number + 1) * narrow) > int(number * narrow):
        draw = np.random.Generator(np.random.Philox(key=[number, 0], counter=[0, 0, 6, 0]))
        sigma = 10.0 ** draw.uniform(*NARROW_NOISE) if draw.random() < 0.5 else 0.0
        for piece in _pieces(corpus, entry, number):
            yield narrowed(piece, sigma, draw)


def narrowed(samples: MonoSamples, sigma: float, draw: np.random.Generator) -> MonoSamples:
    """Samples (n,) as they are after half the rate, with noise of `sigma` 16-bit steps there."""
    half = soxr.resample(samples.astype(np.float64), 2.0, 1.0)
    half += sigma * draw.standard_normal(len(half))
    whole = np.zeros(len(samples))
    again = soxr.resample(half, 1.0, 2.0)[: len(samples)]
    whole[: len(again)] = again
    return np.clip(np.rint(whole), -32768, 32767).astype(np.int16)


def _make(corpus: Corpus, config: VocoderConfig, quiet: bool, narrow: float) -> None:
    locker = locker_of(config, corpus.rate, new_tables(config, corpus.rate))
    rows, at = [], 0
    names = (RESIDUAL, PHASES, FEATURES)
    temporary = [corpus.folder / f"{name}.{os.getpid()}.new" for name in names]
    what = "notes" if config.notes else "pitch and harmonics"
    bar = tqdm(total=len(corpus.entries), desc=what, unit="file", disable=True if quiet else None)
    with open(temporary[0], "wb") as residual, open(temporary[1], "wb") as phases, open(temporary[2], "wb") as features:
        for number, entry in enumerate(corpus.entries):
            bar.update()
            for piece in _sounds(corpus, entry, number, narrow):
                sound = locker.lock(piece)
                residual.write(sound.residual.astype("<i2").tobytes())
                phases.write(sound.phase_codes(locker.hop).tobytes())
                features.write(sound.rows.astype("<f4").tobytes())
                rows.append([entry.name, at, len(sound.residual), list(entry.label_ids), entry.split])
                at += len(sound.residual)
    bar.close()
    for name, file in zip(names, temporary, strict=True):
        file.replace(corpus.folder / name)
    index = {"version": VERSION, "features": _features(config, narrow), "hop": locker.hop, "samples": at, "files": rows}
    temporary[0].write_text(json.dumps(index), "utf-8")
    temporary[0].replace(corpus.folder / INDEX)
