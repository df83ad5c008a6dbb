"""Batches of tokens with labels for the training of a planner: a pure function of seed and step."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from synth.common.errors import CorpusError
from synth.common.labels import LabelIds
from synth.common.typing import Int64, UInt8
from synth.engine.config import ModelConfig
from synth.training.batches import StreamBatches
from synth.training.export.voice import tokens_of
from synth.training.token_corpus import TokenCorpus, TokenFile
from synth.vocoder import timing
from synth.vocoder.vocoder import Vocoder

LABEL_DROP = (0.1, 0.05)
"""Shares of files whose labels are all dropped, and of labels that are dropped alone."""
TIMES_DROP = 0.05
"""Share of files of which it is not said when they begin and end."""
CUT = 0.15
"""Share of the files that break off, as sounds do when other labels are asked for."""
LONG_PAUSE = 0.1
"""Share of the files that a long silence follows."""
LONGEST_PAUSE = 40
"""Token frames of such a silence at most."""


class TokenSource(Protocol):
    """Gives batches of tokens."""

    def batch(self, step: int, rank: int = 0, world: int = 1) -> tuple[UInt8, Int64]:
        """Tokens uint8 (streams, frames x period) of `step`, and label ids int64 (streams, steps, keys).

        A step is 16 tokens. Rank r of a world gets the rows r, r + world, ... of the very same batch.
        """
        ...


class SoundTokens:
    """Tokens of streams of sound, for a planner that is not told when sounds end."""

    def __init__(self, batches: StreamBatches, vocoder: Vocoder, period: int) -> None:
        self.batches, self.vocoder, self.period = batches, vocoder, period

    def batch(self, step: int, rank: int = 0, world: int = 1) -> tuple[UInt8, Int64]:
        """See `TokenSource`; a step has the labels of its end: what begins in it is to be known there."""
        batch = self.batches.batch(step, rank, world)
        tokens = np.stack([tokens_of(self.vocoder, row, self.period) for row in batch.codes])
        every = ModelConfig.hop // self.period * self.vocoder.hop // self.batches.hop  # there ids stand for samples
        return tokens, np.ascontiguousarray(batch.labels[:, every - 1 :: every])


class TimedTokens:
    """Files one after the other, each beginning with a step, and with the label ids of `vocoder.timing`."""

    def __init__(self, corpus: TokenCorpus, period: int, streams: int, frames: int, seed: int) -> None:
        self.corpus, self.period, self.every = corpus, period, ModelConfig.hop // period
        self.files = corpus.split("train")
        if not self.files:
            raise CorpusError("the corpus has no files for train")
        self.streams, self.frames, self.seed = streams, frames, seed
        weights = np.maximum([file.frames for file in self.files], frames // 2)
        self._cumulative = np.cumsum(weights / weights.sum())

    def batch(self, step: int, rank: int = 0, world: int = 1) -> tuple[UInt8, Int64]:
        """See `TokenSource`."""
        rows = range(rank, self.streams, world)
        tokens = np.empty((len(rows), self.frames, self.period), np.uint8)
        keys = len(self.files[0].label_ids) + 2
        labels = np.zeros((len(rows), self.frames // self.every, keys), np.int64)
        for place, row in enumerate(rows):
            draw = np.random.Generator(np.random.Philox(key=[self.seed, step], counter=[0, 0, 0, row]))
            self._fill(draw, tokens[place], labels[place])
        return tokens.reshape(len(rows), -1), labels

    def _fill(self, draw: np.random.Generator, tokens: UInt8, labels: Int64) -> None:
        """One row. The silence before a file has its labels or still those of the file before, as often."""
        at, before = 0, None
        while at < self.frames:
            place = int(np.searchsorted(self._cumulative, draw.random()))
            file = self.files[min(place, len(self.files) - 1)]
            ids, times = self._label_ids(draw, file), draw.random() >= TIMES_DROP
            frames, begin = self._frames(draw, file, at)
            count = min(len(frames), self.frames - at)
            tokens[at : at + count] = self.corpus.tokens[frames[:count]]
            for step in range(-(-at // self.every), -(-(at + count) // self.every)):
                sound = timing.ids_at(step * self.every, self.every, at + begin, file.length)
                early = before is not None and step * self.every < at + begin
                labels[step] = (*(before if early and before else ids), *(sound if times else timing.UNKNOWN))
            at += len(frames)
            before = ids if draw.random() < 0.5 else None

    def _frames(self, draw: np.random.Generator, file: TokenFile, at: int) -> tuple[Int64, int]:
        """Which frames of the cache follow frame `at` of a row, and after how many of them the file's sound begins.

        The silence before the sound is shortened, or lengthened by its first frame, until the sound begins with a step.
        """
        first = int(draw.integers(0, file.begin, endpoint=True))
        lead = file.begin - first
        more = -(at + lead) % self.every
        head = np.concatenate([np.full(more, file.start + first), file.start + np.arange(first, file.begin)])
        end = file.frames
        if draw.random() < CUT:
            end = file.begin + int(draw.integers(min(4, file.length), file.length, endpoint=True))
        body = file.start + np.arange(file.begin, end)
        tail = np.zeros(0, np.int64)
        if end == file.frames and draw.random() < LONG_PAUSE:
            quiet = np.arange(min(file.begin + file.length, file.frames - 2), file.frames)
            tail = file.start + draw.choice(quiet[-4:], int(draw.integers(1, LONGEST_PAUSE)))
        return np.concatenate([head, body, tail]).astype(np.int64), len(head)

    def _label_ids(self, draw: np.random.Generator, file: TokenFile) -> LabelIds:
        """The file's label ids with some dropped to 0."""
        if draw.random() < LABEL_DROP[0]:
            return (0,) * len(file.label_ids)
        kept = draw.random(len(file.label_ids)) >= LABEL_DROP[1]
        return tuple(label if keep else 0 for label, keep in zip(file.label_ids, kept, strict=True))
