"""The integer engines and the choice between them; both give the same bits."""

from synth.engine.interface import Engine, State
from synth.engine.select import ADVICE, create, has_native, instruction_sets, parts, predict_codes, warn_slow

__all__ = ["ADVICE", "Engine", "State", "create", "has_native", "instruction_sets", "parts", "predict_codes"]
__all__ += ["warn_slow"]
