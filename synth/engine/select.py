"""The choice between the two engines, which give the same bits: the compiled one where it was built."""

from __future__ import annotations

import functools
import warnings
from importlib import import_module
from typing import Any

from synth.common.errors import EngineError
from synth.common.typing import Tensors, UInt8
from synth.engine.config import ModelConfig
from synth.engine.interface import Engine

ADVICE = "install a C++ compiler and the Python headers, then install synth again"


def has_native() -> bool:
    """Whether the compiled engine was built for this Python."""
    try:
        import_module("synth.engine._kernel")
    except ImportError:
        return False
    return True


@functools.cache
def warn_slow() -> None:
    """Says once that the compiled engine is missing."""
    warnings.warn(f"the native engine is not built, the slow reference engine runs: {ADVICE}", stacklevel=4)


def instruction_sets() -> list[str]:
    """Instruction sets that the native engine can run here, slowest first; none where it is not built."""
    if not has_native():
        return []
    from synth.engine import native

    return native.instruction_sets()


def create(config: ModelConfig, tensors: Tensors, prefer: str = "auto") -> Engine:
    """An engine for a checkpoint: "native", "reference", or "auto", the native one where it is built.

    Raises EngineError where "native" was asked for and is not built, or SYNTH_ISA names a set that the machine lacks;
    CheckpointError for tensors that do not fit the config.
    """
    if prefer not in ("auto", "native", "reference"):
        raise EngineError(f"engine {prefer}: must be auto, native or reference")
    if prefer == "native" and not has_native():
        raise EngineError(f"engine native: it is not built; {ADVICE}")
    if prefer != "reference" and has_native():
        from synth.engine.native import NativeEngine

        return NativeEngine(config, tensors)
    if prefer == "auto":
        warn_slow()
    from synth.engine.layout import check
    from synth.engine.reference import ReferenceEngine

    check(config, tensors)
    return ReferenceEngine(config, tensors)


def parts(prefer: str = "auto") -> Any:
    """The module of the compiled parts of a voice, or None where the specifications are to do their work."""
    if prefer == "reference" or not has_native():
        return None
    from synth.engine import native_vocoder

    return native_vocoder


def predict_codes(codes: UInt8, tensors: Tensors) -> tuple[UInt8, UInt8]:
    """Predicted and residual codes (uint8 [S, T] each) along rows of codes (uint8 [S, T]), by the fastest way here."""
    if has_native():
        from synth.engine import native

        return native.predict_codes(codes, tensors)
    warn_slow()
    from synth.engine import predictor

    return predictor.predict_codes(codes, tensors)
