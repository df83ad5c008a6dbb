"""What correctors learn from: along each file of a corpus, the codec's hints and the cdf bin of each sample."""

from __future__ import annotations

import functools
import json
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from synth.codec import lossless
from synth.codec.encoder import SECONDS
from synth.common.cpus import available_cpus
from synth.common.typing import AnyArray, Int16, Int64
from synth.data.corpus import Corpus, Entry

RECORD = np.dtype([("hints", "u1", lossless.HINTS), ("bin", "u1"), ("low", "<u2"), ("high", "<u2")])
"""Of a sample: what was told before it; the bin that it fell into; its interval among the bins, in 1/256 of one."""


@dataclass(frozen=True)
class Traces:
    """`records`: all samples, memory-mapped; `pieces`: where segments, as the codec makes them, begin, and the end."""

    records: AnyArray
    pieces: Int64

    def piece(self, number: int) -> AnyArray:
        """The records of one segment."""
        return self.records[self.pieces[number] : self.pieces[number + 1]]

    def __len__(self) -> int:
        return len(self.pieces) - 1


def of(corpus: Corpus, split: str, level: str, quiet: bool = True) -> Traces:
    """The traces of a split's files at a level, from the corpus's folder, where they are made if they are not there."""
    data, index = (corpus.folder / f"traces-{split}.{kind}" for kind in ("bin", "json"))
    made_of = [corpus.fingerprint, level]
    try:
        contents = json.loads(index.read_text())
    except (OSError, ValueError):
        contents = {}
    if contents.get("made_of") != made_of:
        pieces = _make(corpus, split, level, data, quiet)
        index.write_text(json.dumps({"made_of": made_of, "pieces": pieces}))
        contents = {"pieces": pieces}
    starts = np.array(contents["pieces"], np.int64)
    records = np.memmap(data, RECORD, "r", shape=(int(starts[-1]),)) if starts[-1] else np.zeros(0, RECORD)
    return Traces(records, starts)


def _make(corpus: Corpus, split: str, level: str, path: Path, quiet: bool) -> list[int]:
    """Writes the records of all pieces, one after the other; where they begin."""
    most, pieces, starts = SECONDS * corpus.rate, list[tuple[Entry, int]](), [0]
    for entry in corpus.split(split):
        pieces += [(entry, at) for at in range(0, entry.length, most)]
    new = path.with_name(f".{path.name}.new")
    hidden = True if quiet else None
    with open(new, "wb") as file, ThreadPoolExecutor(available_cpus()) as pool:
        bar = tqdm(pieces, desc=f"tracing {split}", unit="file", disable=hidden)
        for at in range(0, len(pieces), 64):  # no more than these in memory
            sounds = [corpus.samples(entry, first, first + most) for entry, first in pieces[at : at + 64]]
            for records in pool.map(functools.partial(trace, level=level), sounds):
                file.write(records.tobytes())
                starts.append(starts[-1] + len(records))
                bar.update()
        bar.close()
    os.replace(new, path)
    return starts


def trace(sound: Int16, level: str) -> AnyArray:
    """The records of one segment of sound; none where all of its samples are the same."""
    hints, bins, bounds = lossless.trace(sound.astype(np.int32), 16, level)
    records = np.empty(len(bins), RECORD)
    records["hints"], records["bin"] = hints, bins
    records["low"], records["high"] = bounds[:, 0], bounds[:, 1]
    return records
