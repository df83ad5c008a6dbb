"""A bank of oscillators: partials whose phases, frequencies and amplitudes are given for every segment of 10 ms.

All is integer arithmetic, so that the same sound comes out on every machine. A turn is 2^32, so that phases wrap by
themselves; amplitudes are in 1/16 of a 16-bit sample's step. csrc/vocoder, or where the engine is not compiled what is
specified here, does the work.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from synth.audio.exact_math import cosines
from synth.common.errors import require
from synth.common.typing import AnyArray, Int16, Int32, Int64, UInt32
from synth.engine import select

ENTRIES = 4096
"""Of the table of a cosine."""
MIN_LENGTH, MAX_LENGTH = 80, 480
"""Samples of a segment, which 10 ms have at 8 and at 48 kHz."""
MAX_PARTIALS = 4096
MAX_AMPLITUDE = 1 << 19
"""Full scale of 16 bits."""
PLACES = 10  # binary ones that a running amplitude has besides
SHIFT = 20  # of a phase, to an index
SCALE = 19  # binary places of a sum: 15 of the cosine, 4 of the amplitude


@functools.cache
def cosine_table() -> Int16:
    """32767 cos(2 pi k / 4096), rounded: int16 (4096,)."""
    table = np.rint(32767 * cosines(ENTRIES)).astype(np.int16)
    table.flags.writeable = False  # all share it
    return table


def _check(name: str, array: AnyArray, kind: type, shape: tuple[int, ...]) -> None:
    require(array.dtype == kind, f"{name}: must be {np.dtype(kind)}, is {array.dtype}")
    require(array.shape == shape, f"{name}: must have shape {shape}, has {array.shape}")


class Oscillators:
    """Renders partials in segments of `length` samples, 80 to 480; may be shared by threads.

    `prefer`: the engine, as for `engine.create`. UsageError for another length.
    """

    def __init__(self, length: int, prefer: str = "auto") -> None:
        require(
            MIN_LENGTH <= length <= MAX_LENGTH, f"length: a segment has {MIN_LENGTH} to {MAX_LENGTH} samples: {length}"
        )
        self.length = length
        parts = select.parts(prefer)
        self._native = None if parts is None else parts.Oscillators(length, cosine_table())

    @property
    def kernel(self) -> Any:
        """The bank in C++; None where the specification does the work."""
        return self._native

    def render(self, starts: UInt32, increments: Int32, slopes: Int32, amplitudes: Int32) -> Int32:
        """The sum of all partials, int32 (segments x length,) in steps of 16-bit samples; it may be beyond 16 bits.

        A partial of a segment begins with the phase `starts` (uint32), which grows by `increments` (int32) from sample
        to sample, and these by `slopes` (int32): (segments, partials) each, a turn being 2^32, all modulo 2^32. Its
        amplitude runs linearly from `amplitudes[segment]` to `amplitudes[segment + 1]`, int32 (segments + 1, partials),
        each 0 to 2^19. UsageError for arrays of another type or shape, too many partials, amplitudes out of range.
        """
        require(starts.ndim == 2, f"starts: must be (segments, partials), has shape {starts.shape}")
        segments, partials = starts.shape
        require(partials <= MAX_PARTIALS, f"starts: {partials} partials; at most {MAX_PARTIALS}")
        _check("starts", starts, np.uint32, (segments, partials))
        _check("increments", increments, np.int32, (segments, partials))
        _check("slopes", slopes, np.int32, (segments, partials))
        _check("amplitudes", amplitudes, np.int32, (segments + 1, partials))
        if amplitudes.size:
            least, most = int(amplitudes.min()), int(amplitudes.max())
            good = least >= 0 and most <= MAX_AMPLITUDE
            require(good, f"amplitudes: must be 0 to {MAX_AMPLITUDE}, are {least} to {most}")
        if self._native is None:
            return self.render_specified(starts, increments, slopes, amplitudes)
        rendered: Int32 = self._native.render(starts, increments, slopes, amplitudes)
        return rendered

    def render_specified(self, starts: UInt32, increments: Int32, slopes: Int32, amplitudes: Int32) -> Int32:
        """`render`, slowly, of arrays that suit it."""
        cosine = cosine_table().astype(np.int64)
        phase, increment, slope = starts.copy(), increments.astype(np.uint32), slopes.astype(np.uint32)
        before, after = amplitudes[:-1].astype(np.int64), amplitudes[1:].astype(np.int64)
        step = ((after - before) << PLACES) // self.length  # the floor
        running = before << PLACES
        sums: Int64 = np.zeros((len(starts), self.length), np.int64)
        for t in range(self.length):
            place = (phase + np.uint32(1 << SHIFT - 1)) >> np.uint32(SHIFT)
            sums[:, t] = ((running >> PLACES) * cosine[place]).sum(1)
            phase, increment, running = phase + increment, increment + slope, running + step
        return ((sums + (1 << SCALE - 1)) >> SCALE).astype(np.int32).reshape(-1)
