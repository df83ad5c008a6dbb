"""Batches of training streams: a pure function of seed and step, so that a resumed run goes on exactly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from synth.audio import mulaw
from synth.common.errors import CorpusError
from synth.common.labels import LabelIds
from synth.common.typing import Float32, Int16, Int64, UInt8
from synth.data.corpus import Corpus

GAP_SECONDS = (0.02, 0.2)
GAP_SIGMA = 12.0  # the loudest noise of a gap, in 16-bit steps
SETTLE_SECONDS = 0.25  # no loss at the front of a crop: the network does not know what was before it
CROP = 0.75  # of the streams of long files
AT_START = 1 / 5  # of the windows of streams that start in silence
DROP_ALL, DROP_ONE = 0.3, 0.1


class HasLabels(Protocol):
    """A file with label ids."""

    @property
    def label_ids(self) -> LabelIds:
        """One a key, 0 is none."""
        ...


@dataclass(frozen=True)
class StreamBatch:
    """Streams of sound for one training step.

    `codes` uint8 (streams, span): mu-law codes, which are to be predicted. `input_codes` uint8 (streams, span): the
    same as the network reads them, with noise in some streams. `labels` int64 (streams, span / hop, keys): label ids
    (0 none) in force at each network frame's first sample. `windows` int64 (streams, windows): first samples of the
    sample tier's windows. `first` int64 (streams,): samples before it have no loss. Of a voice with a tonal bed codes
    are of
    what the bed leaves; `features` float32 (streams, 2 x tokens, inputs) and `phases` uint8 (streams, span) of the
    pitch are beside them.
    """

    codes: UInt8
    input_codes: UInt8
    labels: Int64
    windows: Int64
    first: Int64
    features: Float32 | None = None
    phases: UInt8 | None = None


class StreamBatches:
    """Streams of concatenated files with 20 to 200 ms of near-silence before and between them.

    A file is drawn with a probability in proportion to max(its length, span / 2): evenly for short files, by length for
    long ones. A gap has the labels of the file just ended (the first gap those of the first file). Of files longer than
    2 spans three in four streams (fewer, down to none, of files down to one span) are a crop that starts anywhere,
    without a gap; there the loss starts after 0.25 s.
    `gap`: shortest and longest gap in seconds; `speed`: files are played at speeds from 1 / speed to speed.
    All labels of a file and its gap are dropped with probability `label_drop[0]`, else each with `label_drop[1]`.
    `gain_db`: each file is scaled by a random gain of up to this many decibels, either way. `noise`: half of the
    streams have Gaussian noise in the codes that the network reads, of a deviation drawn between 0 and this many codes;
    what is to be predicted stays clean. So the network learns to correct errors in its own past (LPCNet, arXiv
    1810.11846).
    """

    def __init__(
        self,
        corpus: Corpus,
        split: str = "train",
        streams: int = 32,
        span: int = 8192,
        windows: int = 4,
        window: int = 256,
        hop: int = 16,
        seed: int = 0,
        label_drop: tuple[float, float] = (DROP_ALL, DROP_ONE),
        gain_db: float = 0.0,
        noise: float = 0.0,
        gap: tuple[float, float] = GAP_SECONDS,
        speed: float = 1.0,
    ) -> None:
        self.corpus, self.gap, self.speed = corpus, gap, speed
        self.entries = corpus.split(split)
        if not self.entries:
            raise CorpusError(f"the corpus has no files for {split}")
        self.keys = len(corpus.labels)
        self.gain_db, self.noise, self.label_drop = gain_db, noise, label_drop
        self._set_sizes(streams, span, windows, window, hop, seed)
        self._weigh([entry.length for entry in self.entries], corpus.rate)

    def _set_sizes(self, streams: int, span: int, windows: int, window: int, hop: int, seed: int) -> None:
        if span % hop or window % hop or not hop <= window <= span:
            raise ValueError(f"span {span} and window {window} must be multiples of {hop}, the window not the longer")
        self.streams, self.span, self.windows, self.window = streams, span, windows, window
        self.hop, self.seed = hop, seed

    def _weigh(self, lengths: Sequence[int], rate: int) -> None:
        """How often files of these lengths are drawn, and for how long after a crop's front there is no loss."""
        self._cumulative = np.cumsum(np.maximum(lengths, self.span // 2).astype(np.float64))
        settle = -(-round(SETTLE_SECONDS * rate) // self.hop) * self.hop
        self._settle = min(settle, (self.span - self.window) // self.hop * self.hop)

    def batch(self, step: int, rank: int = 0, world: int = 1) -> StreamBatch:
        """The batch of `step`; rank r of a world gets the rows r, r + world, ... of the very same batch."""
        rows = range(rank, self.streams, world)
        sound = np.empty((len(rows), self.span), np.int16)
        labels = np.zeros((len(rows), self.span // self.hop, self.keys), np.int64)
        windows = np.empty((len(rows), self.windows), np.int64)
        first = np.zeros(len(rows), np.int64)
        for place, row in enumerate(rows):
            draw = np.random.Generator(np.random.Philox(key=[self.seed, step], counter=[0, 0, 0, row]))
            first[place] = self._stream(draw, sound[place], labels[place])
            windows[place] = self._windows(draw, int(first[place]))
        codes = mulaw.encode(sound)
        input_codes = np.stack([self._with_noise(codes[place], step, row) for place, row in enumerate(rows)])
        return StreamBatch(codes, input_codes, labels, windows, first)

    def _with_noise(self, codes: UInt8, step: int, row: int) -> UInt8:
        draw = np.random.Generator(np.random.Philox(key=[self.seed, step], counter=[0, 0, 1, row]))
        if self.noise <= 0 or draw.random() < 0.5:
            return codes
        noise = np.rint(draw.standard_normal(len(codes), np.float32) * np.float32(draw.uniform(0, self.noise)))
        return np.clip(codes + noise.astype(np.int16), 0, 255).astype(np.uint8)

    def _windows(self, draw: np.random.Generator, first: int) -> Int64:
        last = (self.span - self.window) // self.hop
        starts = draw.integers(first // self.hop, last, self.windows, endpoint=True) * self.hop
        at_start = draw.random(self.windows) < AT_START
        return np.where(at_start, first, starts)

    def _stream(self, draw: np.random.Generator, sound: Int16, labels: Int64) -> int:
        """Fill one row; returns the first sample that has a loss."""
        at = first = 0
        while at < self.span:
            entry = self.entries[self._file(draw)]
            labels[-(-at // self.hop) :] = self._label_ids(draw, entry)
            start = 0
            if self._starts_anywhere(draw, at, entry.length):
                start = int(draw.integers(0, entry.length - self.span // 2, endpoint=True))
                first = self._settle
            elif at == 0:
                at = self._gap(draw, sound, at)
            piece = self.corpus.samples(entry, start, start + self.span - at)
            piece = self._played(draw, piece)[: self.span - at]
            sound[at : at + len(piece)] = self._scaled(draw, piece)
            at = self._gap(draw, sound, at + len(piece))
        return first

    def _file(self, draw: np.random.Generator) -> int:
        """The place of a file that is drawn by its weight."""
        target = draw.random() * self._cumulative[-1]
        return min(int(np.searchsorted(self._cumulative, target, "right")), len(self._cumulative) - 1)

    def _starts_anywhere(self, draw: np.random.Generator, at: int, length: int) -> bool:
        """Whether a file of this length, the first of its row, is a crop."""
        return at == 0 and draw.random() < CROP * min(1.0, max(0.0, length / self.span - 1))

    def _gain(self, draw: np.random.Generator) -> float:
        return float(np.float64(10.0) ** (draw.uniform(-self.gain_db, self.gain_db) / 20))

    def _label_ids(self, draw: np.random.Generator, entry: HasLabels) -> Int64:
        """The file's label ids with some dropped to 0."""
        ids = np.array(entry.label_ids, np.int64)
        if draw.random() < self.label_drop[0]:
            return np.zeros_like(ids)
        return np.where(draw.random(len(ids)) < self.label_drop[1], 0, ids)

    def _played(self, draw: np.random.Generator, piece: Int16) -> Int16:
        if self.speed <= 1 or not len(piece):
            return piece
        return resampled(piece, float(np.exp(draw.uniform(-np.log(self.speed), np.log(self.speed)))))

    def _scaled(self, draw: np.random.Generator, piece: Int16) -> Int16:
        if self.gain_db <= 0:
            return piece
        scaled: Int16 = np.clip(np.rint(piece * self._gain(draw)), -32768, 32767).astype(np.int16)
        return scaled

    def _gap(self, draw: np.random.Generator, sound: Int16, at: int) -> int:
        """Near-silence from `at`; returns where it ends (at most the row's end)."""
        low, high = (max(1, round(seconds * self.corpus.rate)) for seconds in self.gap)
        length, sigma = int(draw.integers(low, high, endpoint=True)), draw.uniform(0.0, GAP_SIGMA)
        end = min(self.span, at + length)
        sound[at:end] = np.rint(draw.standard_normal(end - at, np.float32) * np.float32(sigma))
        return end


def resampled(piece: Int16, factor: float) -> Int16:
    """Samples (n,) at `factor` times their speed, and so at another pitch; linear between them."""
    places = np.arange(max(1, int(len(piece) / factor))) * factor
    return np.rint(np.interp(places, np.arange(len(piece)), piece)).astype(np.int16)


Row = tuple[UInt8, tuple[int, ...]]


def validation_rows(corpus: Corpus, split: str = "validation", max_samples: int | None = None) -> list[Row]:
    """Codes uint8 (samples,) and label ids of the files of a split, each from its first sample, without gaps.

    When they hold more than `max_samples`, files spread evenly over the list by name are taken, and of each at most
    what is its share of `max_samples` or four seconds, whichever is more.
    """
    entries = corpus.split(split)
    if not entries:
        return []
    stretch = max(entry.length for entry in entries)
    if max_samples is not None and sum(entry.length for entry in entries) > max_samples:
        stretch = max(max_samples // len(entries), 4 * corpus.rate)
        mean = sum(min(entry.length, stretch) for entry in entries) / len(entries)
        count = min(len(entries), max(1, int(max_samples / mean)))
        entries = tuple(entries[(2 * place + 1) * len(entries) // (2 * count)] for place in range(count))
        stretch = min(stretch, max(1, max_samples))
    return [(mulaw.encode(corpus.samples(entry, 0, stretch)), entry.label_ids) for entry in entries]
