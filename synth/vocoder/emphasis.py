"""Pre-emphasis before mu-law and de-emphasis after it: noise of mu-law gets the slope of sound, and is heard less.

A one-zero filter and the one-pole filter that undoes it, in integers. The former rounds to 16-bit samples, which the
latter adds up: what comes back differs by a step or so, by less than 4 in any case. csrc/vocoder, or where the engine
is not compiled what is specified here, de-emphasises.
"""

from __future__ import annotations

import numpy as np

from synth.common.arrays import require_saved
from synth.common.errors import require
from synth.common.typing import AnyArray, Int16, Int32
from synth.engine import select

PRE = 27853
"""How much of the sample before is taken off: 0.85 in 2^-15."""
PLACES = 15  # binary ones of PRE
STATE_PLACES = 8  # binary ones that the filter's state has besides
LIMIT = 1 << 30  # of the state


def _check(samples: AnyArray, kind: type) -> None:
    good = samples.dtype == kind and samples.ndim == 1
    require(good, f"samples: must be {np.dtype(kind)} (n,), are {samples.dtype} {samples.shape}")


def pre_emphasised(samples: Int32, before: int) -> Int16:
    """Samples (int32, (n,)) less 0.85 of the one before, kept within 16 bits: int16 (n,).

    `before` is the sample before the first. UsageError for samples of another type or shape.
    """
    _check(samples, np.int32)
    x = np.concatenate([[before], samples]).astype(np.int64)
    kept = x[1:] - ((PRE * x[:-1] + (1 << PLACES - 1)) >> PLACES)
    return np.clip(kept, -32768, 32767).astype(np.int16)


def de_emphasised_specified(samples: Int16, state: int) -> tuple[Int32, int]:
    """De-emphasised samples, int32 (n,), and the state after them: what csrc/vocoder does, slowly."""
    filtered = np.empty(len(samples), np.int32)
    for i, x in enumerate(samples.tolist()):
        state = (x << STATE_PLACES) + ((PRE * state + (1 << PLACES - 1)) >> PLACES)
        state = max(-LIMIT, min(LIMIT, state))
        filtered[i] = (state + (1 << STATE_PLACES - 1)) >> STATE_PLACES
    return filtered, state


class DeEmphasis:
    """Undoes `pre_emphasised` along a stream, in blocks of any size. `prefer`: the engine, as for `engine.create`."""

    def __init__(self, prefer: str = "auto") -> None:
        parts = select.parts(prefer)
        self._filter = de_emphasised_specified if parts is None else parts.de_emphasised
        self._state = 0

    @property
    def state(self) -> int:
        """All that the next sample needs: the last one in 1/256 of a step.

        Beyond +-2^30 it is refused by an EngineError.
        """
        return self._state

    @state.setter
    def state(self, state: int) -> None:
        require_saved(-LIMIT <= state <= LIMIT)
        self._state = int(state)

    def filter(self, samples: Int16) -> Int32:
        """De-emphasised samples, int32 (n,), of the next int16 (n,); UsageError for samples of another type or shape.

        They may be beyond 16 bits.
        """
        _check(samples, np.int16)
        filtered, self._state = self._filter(samples, self._state)
        return filtered
