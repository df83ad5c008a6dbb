"""The pitch in a conditioning vector: the phase at its first sample and how far each sample turns it, in integers."""

from __future__ import annotations

import numpy as np

from synth.common.typing import AnyArray, Int16, UInt8

PITCH_UNITS = 3  # numbers of a conditioning vector that hold the pitch: the phase, the increment's upper and lower half


def pack(phases: AnyArray, increments: AnyArray) -> Int16:
    """The last three numbers of conditioning vectors, int16 (..., 3), from integers (...) that are taken modulo.

    `phases`: phase at the first sample of the stretch that the vector lasts, 65536 to a turn. `increments`: what each
    sample adds, 2^32 to a turn. The bits are those of a uint16, and of the halves of a uint32, the upper first.
    """
    increment = np.asarray(increments).astype(np.int64)
    parts = np.stack(np.broadcast_arrays(np.asarray(phases).astype(np.int64), increment >> 16, increment), -1)
    return (parts & 0xFFFF).astype(np.uint16).view(np.int16)


def phase_codes(pitch: Int16, offsets: AnyArray) -> UInt8:
    """Phase codes, 256 to a turn, at samples `offsets` (n,) into stretches with these numbers (..., 3): (..., n)."""
    bits = pitch.astype(np.int64) & 0xFFFF
    start, increment = bits[..., :1] << 16, (bits[..., 1:2] << 16) + bits[..., 2:]
    return (((start + increment * np.asarray(offsets)) & 0xFFFFFFFF) >> 24).astype(np.uint8)
