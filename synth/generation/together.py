"""Streams of one model that are drawn, or take the same codes, together: each gives what it gives alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, Protocol

import numpy as np

from synth.common.errors import UsageError
from synth.common.turns import TakesTurns, in_turns
from synth.common.typing import Int16, UInt8
from synth.engine.config import SamplingConfig
from synth.engine.interface import Engine
from synth.generation import kernel_stream
from synth.generation.checkpoint import Checkpoint
from synth.generation.kernel_stream import KernelStream

OPENING_TOP_P = int(0.9 * 2**32)
BLOCK = 1 << 16
"""Samples that are drawn in one go at most."""


class DrawnTogether(TakesTurns, Protocol):
    """What of a stream is asked for here; `stream.Stream` says what each does."""

    checkpoint: Checkpoint
    engine: Engine
    _state: Any
    _sampling: SamplingConfig
    _opening: int

    def _kernel(self) -> KernelStream | None: ...

    def _apply_due(self) -> None: ...
    def _finish(self, codes: UInt8, count: int) -> Int16: ...
    def _known(self) -> int: ...
    def _missing(self, count: int) -> int: ...
    def _place(self) -> tuple[Any, ...]: ...
    def _until_change(self) -> int: ...
    def _vectors(self, count: int) -> Int16 | None: ...


@in_turns
def pcm_together(streams: Sequence[DrawnTogether], count: int) -> Int16:
    """The next `count` samples of each stream of one model (int16 [streams, count]), drawn as by `codes_together`."""
    if count < 0:
        raise UsageError(f"samples {count}: must be 0 or more")
    kernels = [kernel for stream in streams if (kernel := stream._kernel()) is not None]
    if len(kernels) == len(streams) == len([one for one in kernels if one.voice is kernels[0].voice]):
        return kernel_stream.read(kernels, count)
    if kernels and len(streams) > 1:
        return np.concatenate([pcm_together([stream], count) for stream in streams])
    missing = [stream._missing(count) for stream in streams]
    if len(set(missing)) == 1:
        codes = list(codes_together(streams, missing[0]))
    else:
        codes = [codes_together([stream], more)[0] for stream, more in zip(streams, missing, strict=True)]
    return np.stack([stream._finish(own, count) for stream, own in zip(streams, codes, strict=True)])


@in_turns
def codes_together(streams: Sequence[DrawnTogether], count: int) -> UInt8:
    """The next `count` codes that each stream's network draws (uint8 [streams, count]), on one thread.

    A postfilter is not in them. Each gives what it gives alone. Streams of one model and one way to sample that stand
    at the same sample share the engine's work (every load of a weight serves several), others follow one after the
    other. Each stream's turn lasts until all are done.
    """
    if count < 0:
        raise UsageError(f"samples {count}: must be 0 or more")
    lead = streams[0]
    codes = np.empty((len(streams), count), np.uint8)
    if any(other._place() != lead._place() for other in streams):
        for row, stream in zip(codes, streams, strict=True):
            row[:] = codes_together([stream], count)[0]
        return codes
    states = [stream._state for stream in streams]
    usual = replace(lead._sampling, eases_at_rest=lead.checkpoint.config.kind == "generator")
    careful = replace(lead._sampling, top_p=min(lead._sampling.top_p, OPENING_TOP_P))
    done = 0
    while done < count:
        for stream in streams:
            stream._apply_due()
        opening = lead._opening - int(lead._state.position)
        known = min(stream._until_change() if opening > 0 else stream._known() for stream in streams)
        part = min(count - done, known, opening) if opening > 0 else min(count - done, known)
        vectors = [rows for stream in streams if (rows := stream._vectors(part)) is not None]
        sampling = careful if opening > 0 else usual
        drawn = lead.engine.generate_together(states, part, sampling, np.stack(vectors) if vectors else None)
        codes[:, done : done + part] = drawn
        done += part
    return codes


@in_turns
def teacher_force_together(streams: Sequence[DrawnTogether], codes: UInt8) -> list[int]:
    """Takes `codes` (uint8) as the next samples of every stream of one model; their code lengths, in 1/65536 bit."""
    totals = np.zeros(len(streams), np.uint64)
    states = [stream._state for stream in streams]
    for start, stop in _spans(streams, len(codes)):
        rows = np.broadcast_to(codes[start:stop], (len(streams), stop - start))
        totals += streams[0].engine.teacher_force_together(states, rows).sum(1, dtype=np.uint64)
    return [int(total) for total in totals]


def _spans(streams: Sequence[DrawnTogether], count: int) -> Iterator[tuple[int, int]]:
    """Divides the next `count` samples where labels or conditioning change and blocks end: (start, stop) pairs."""
    start = 0
    while start < count:
        room = BLOCK
        for stream in streams:
            stream._apply_due()
            room = min(room, stream._until_change())
        stop = min(count, start + room)
        yield start, stop
        start = stop
