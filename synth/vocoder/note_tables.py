"""The tables of a voice's note bed: integers that its checkpoint holds, so that all of its arithmetic is exact."""

from __future__ import annotations

import numpy as np

from synth.audio.scale import LOWEST
from synth.common.errors import CheckpointError
from synth.common.typing import Tensors

UNIT = 1024
"""Of 1.0 in binary logarithms of powers."""
STEPS = 256
"""Of a semitone, in which the frequencies of notes are known."""
OCTAVE = 12 * STEPS


def layout() -> dict[str, tuple[str, tuple[int, ...]]]:
    """dtype and shape of a note bed's tables."""
    return {"bed.octave": ("uint32", (OCTAVE,)), "bed.power": ("int32", (256,))}


def new_tables(rate: int) -> Tensors:
    """The tables of `layout`, for a new checkpoint; later they are read from it."""
    steps = np.arange(OCTAVE) / OCTAVE
    return {
        "bed.octave": np.rint(LOWEST * 2.0**steps / rate * 2.0**32).astype(np.uint32),
        "bed.power": np.rint(2.0 ** (15 + np.arange(256) / 256)).astype(np.int32),
    }


def check_tables(tensors: Tensors) -> None:
    """CheckpointError when a table would break the arithmetic; types and shapes were checked before."""
    for name, least, most in (("octave", 1, (1 << 26) - 1), ("power", 1 << 15, 2 << 15)):
        tensor = tensors[f"bed.{name}"]
        if tensor.min() < least or tensor.max() > most:
            raise CheckpointError(f"tensor bed.{name}: values must be {least} to {most}")
