"""The C++ engine behind the interface of the reference: same results bit for bit, hundreds of times as fast."""

from __future__ import annotations

import os

import numpy as np
from numpy.typing import NDArray

from synth.engine import _kernel
from synth.errors import EngineError


def instruction_sets() -> list[str]:
    """The instruction sets that this build has and this machine can run, slowest first."""
    return list(_kernel.instruction_sets())


def chosen_set() -> str:
    """The set that SYNTH_ISA names, or the best one; EngineError when the machine lacks it."""
    sets = instruction_sets()
    wanted = os.environ.get("SYNTH_ISA", "")
    if wanted and wanted not in sets:
        raise EngineError(f"SYNTH_ISA={wanted}: this machine or build lacks it; it has {', '.join(sets)}")
    return wanted or sets[-1]


def predict_codes(
    codes: NDArray[np.uint8], tensors: dict[str, NDArray], order: int | None = None, hop: int = 16
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Predicted and residual codes (uint8 [S, T] each) of rows of codes (uint8 [S, T]), every row from a fresh state.

    Needs the `predictor.*` tensors only; rows run one after the other without the interpreter's lock.
    """
    codes = np.ascontiguousarray(codes, np.uint8)
    if codes.ndim != 2 or hop != 16 or order not in (None, len(tensors["predictor.start"])):
        raise EngineError(f"predict_codes: needs codes [S, T], hop 16 and start weights of order {order}")
    predicted, residual = np.empty_like(codes), np.empty_like(codes)
    names = ("start", "powers", "decay", "ridge")
    constants = [np.ascontiguousarray(tensors[f"predictor.{name}"], np.float64) for name in names]
    _kernel.predict_codes(chosen_set(), *constants, codes, predicted, residual)
    return predicted, residual
