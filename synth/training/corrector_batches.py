"""Batches of a corrector's training: stretches of the traces that the codec leaves of a corpus."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from synth.audio.mulaw import SILENCE
from synth.codec import lossless
from synth.common.typing import Int64
from synth.training.config import GeneratorTrainConfig
from synth.training.corrector_traces import Traces

CROP = 0.8  # of the streams of files that are longer than a stream
AT_START = 0.2  # of the streams, whose first window begins with them
SETTLE = 64  # frames of a crop without windows: the network does not know what was before it


@dataclass(frozen=True)
class CorrectorBatch:
    """`bins`, `targets` int64 (streams, span): what the network reads, and a place in the sample's interval; `hints`
    (streams, span, hints); `windows` (streams, windows): where the sample tier begins; `ends` (streams,): samples there
    are."""

    bins: Int64
    targets: Int64
    hints: Int64
    windows: Int64
    ends: Int64


def batch(
    traces: Traces, config: GeneratorTrainConfig, hop: int, step: int, rank: int = 0, world: int = 1
) -> CorrectorBatch:
    """The batch of a step: a pure function of seed and step; rank r of a world gets the rows r, r + world, ...

    Segments are drawn by the square root of their length, so that a corpus of long files does not hide one of short.
    """
    rows = range(rank, config.streams, world)
    span = config.span
    bins, targets, hints = padding(len(rows), span)
    windows, ends = np.zeros((len(rows), config.windows), np.int64), np.zeros(len(rows), np.int64)
    chances = np.cumsum(np.sqrt(np.diff(traces.pieces)))
    for place, row in enumerate(rows):
        draw = np.random.Generator(np.random.Philox(key=[config.seed, step], counter=[0, 0, 5, row]))
        piece = traces.piece(int(np.searchsorted(chances, draw.random() * chances[-1], "right")))
        first = 0
        if len(piece) > span and draw.random() < CROP:
            first = int(draw.integers(0, len(piece) - span, endpoint=True)) // hop * hop
        records = piece[first : first + span]
        end = ends[place] = len(records)
        bins[place, :end], hints[place, :end] = records["bin"], records["hints"]
        low, high = records["low"].astype(np.int64), records["high"].astype(np.int64)
        targets[place, :end] = (low + (draw.random(end) * (high - low + 1)).astype(np.int64)) >> 8
        settle, last = SETTLE if first else 0, max(0, -(-(end - config.window) // hop))
        windows[place] = draw.integers(min(settle, last), last, config.windows, endpoint=True) * hop
        if not first and draw.random() < AT_START:
            windows[place, 0] = 0
    return CorrectorBatch(bins, targets, hints, windows, ends)


def padding(streams: int, span: int) -> tuple[Int64, Int64, Int64]:
    """Cells, targets (streams, span) and hints (streams, span, hints) of nothing: all in the middle."""
    bins = np.full((streams, span), SILENCE, np.int64)
    return bins, bins.copy(), np.full((streams, span, lossless.HINTS), SILENCE, np.int64)
