"""Random seeds: drawn, and checked."""

from __future__ import annotations

import operator
import os

from synth.common.errors import UsageError
from synth.common.limits import MAX_SEED


def draw_seed() -> int:
    """A seed from the operating system's random numbers, 0 to 4294967295."""
    return int.from_bytes(os.urandom(4), "little")


def check_seed(seed: int) -> int:
    """`seed` as an int; UsageError when it isn't 0 to 4294967295."""
    try:
        value = operator.index(seed)
    except TypeError:
        raise UsageError(f"seed {seed!r}: must be an integer") from None
    if not 0 <= value <= MAX_SEED:
        raise UsageError(f"seed {value}: must be 0 to {MAX_SEED}")
    return value
