"""The tokens of unlabelled recordings, as the planner of a voice with a bed learns them; in a run's cache.

They are made from the features of the locked corpus, the files for training a second time louder or fainter.
"""

from __future__ import annotations

import json
import os

import numpy as np
from tqdm import tqdm

from synth.common.errors import CorpusError
from synth.common.typing import Int64, UInt8
from synth.data.corpus import Corpus
from synth.training.locked_batches import louder
from synth.training.locked_corpus import LockedCorpus, LockedFile, open_locked
from synth.training.token_corpus import TokenCorpus, TokenFile
from synth.vocoder.vocoder import Vocoder

INDEX, TOKENS = "recording-tokens.json", "recording-tokens.u8"
VERSION = 1
ANYWHERE = 0.75
"""Share of the streams that begin anywhere in a long file, not with its beginning."""


def open_recording_tokens(
    corpus: Corpus, vocoder: Vocoder, period: int, gain_db: float, search: bool, quiet: bool = True
) -> TokenCorpus:
    """The first `period` tokens of each frame of a corpus, from its cache, where they are made at first.

    `gain_db`: the second copy of a file is up to so much louder or fainter. `search`: tokens are those of a beam
    search, as the codec's are, not of one quantiser after the other.
    """
    place = corpus.folder
    if not (place / INDEX).exists():
        locked = open_locked(corpus, vocoder.config, quiet, narrow=None)
        _make(corpus, locked, vocoder, period, gain_db, search, quiet)
    index = json.loads((place / INDEX).read_text("utf-8"))
    if index["version"] != VERSION or index["period"] != period:
        raise CorpusError(f"{place}: cache of another planner; delete it to build it again")
    files = tuple(TokenFile(start, frames, 0, frames, (), split) for start, frames, split in index["files"])
    return TokenCorpus(files, np.memmap(place / TOKENS, np.uint8, "r", shape=(index["frames"], period)))


def _make(
    corpus: Corpus, locked: LockedCorpus, vocoder: Vocoder, period: int, gain_db: float, search: bool, quiet: bool
) -> None:
    rows, at = [], 0
    temporary = corpus.folder / f"{TOKENS}.{os.getpid()}.new"
    bar = tqdm(total=len(locked.files), desc="tokens", unit="file", disable=True if quiet else None)
    tokens_of = vocoder.beam_search_tokens if search else vocoder.tokens
    with open(temporary, "wb") as out:
        for number, file in enumerate(locked.files):
            bar.update()
            for copy in range(2 if file.split == "train" else 1):
                draw = np.random.Generator(np.random.Philox(key=[number, copy], counter=[0, 0, 7, 0]))
                gain = float(10.0 ** (draw.uniform(-gain_db, gain_db) / 20)) if copy else 1.0
                tokens = tokens_of(vocoder.encode(louder(_features(locked, file), gain, vocoder.config)), period)
                out.write(np.ascontiguousarray(tokens).tobytes())
                rows.append([at, len(tokens), file.split])
                at += len(tokens)
    bar.close()
    temporary.replace(corpus.folder / TOKENS)
    index = {"version": VERSION, "period": period, "frames": at, "files": rows}
    temporary.write_text(json.dumps(index), "utf-8")
    temporary.replace(corpus.folder / INDEX)


def _features(locked: LockedCorpus, file: LockedFile) -> np.ndarray:
    return np.array(locked.features[file.start // locked.hop : (file.start + file.length) // locked.hop])


class RecordingTokens:
    """Streams of whole recordings one after the other, of long ones in most streams a part; see `TokenSource`."""

    def __init__(self, corpus: TokenCorpus, period: int, streams: int, frames: int, seed: int) -> None:
        self.corpus, self.period = corpus, period
        self.files = [file for file in corpus.split("train") if file.frames]
        if not self.files:
            raise CorpusError("the corpus has no files for train")
        self.streams, self.frames, self.seed = streams, frames, seed
        self._cumulative = np.cumsum(np.maximum([file.frames for file in self.files], frames // 2).astype(np.float64))

    def batch(self, step: int, rank: int = 0, world: int = 1) -> tuple[UInt8, Int64]:
        """Tokens uint8 (streams, frames x period) of `step`, and no label ids int64 (streams, steps, 0)."""
        rows = range(rank, self.streams, world)
        tokens = np.empty((len(rows), self.frames, self.period), np.uint8)
        for place, row in enumerate(rows):
            self._fill(
                np.random.Generator(np.random.Philox(key=[self.seed, step], counter=[0, 0, 0, row])), tokens[place]
            )
        steps = self.frames * self.period // 16
        return tokens.reshape(len(rows), -1), np.zeros((len(rows), steps, 0), np.int64)

    def _fill(self, draw: np.random.Generator, tokens: UInt8) -> None:
        at = 0
        while at < self.frames:
            place = int(np.searchsorted(self._cumulative, draw.random() * self._cumulative[-1], "right"))
            file = self.files[min(place, len(self.files) - 1)]
            first = 0
            if at == 0 and file.frames > self.frames and draw.random() < ANYWHERE:
                first = int(draw.integers(0, file.frames - self.frames // 2))
            count = min(self.frames - at, file.frames - first)
            tokens[at : at + count] = self.corpus.tokens[file.start + first : file.start + first + count]
            at += count
