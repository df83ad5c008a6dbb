"""Arrays of saved streams, which may be anybody's: taken by name, checked before they are used."""

from __future__ import annotations

import numpy as np

from synth.common.errors import EngineError
from synth.common.typing import AnyArray


def require_saved(good: bool) -> None:
    """EngineError where what was saved contradicts itself or this voice."""
    if not good:
        raise EngineError("saved stream: is of another voice")


def saved_array(saved: dict[str, AnyArray], name: str, kind: str, shape: tuple[int | None, ...]) -> AnyArray:
    """The array of this name, which must have this type and shape (None: any length); else EngineError."""
    array = saved.get(name)
    require_saved(array is not None and array.dtype == np.dtype(kind) and array.ndim == len(shape))
    assert array is not None
    require_saved(all(wanted in (None, length) for wanted, length in zip(shape, array.shape, strict=True)))
    return array
