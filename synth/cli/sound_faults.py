"""The line that commands say of a file whose sound nobody wants: silent, constant, off centre, clipped."""

from __future__ import annotations

from collections.abc import Callable, Mapping

_FAULTS = {
    "silent": "is silent, from end to end",
    "constant": "is a constant (DC) without sound",
    "offset": "has a constant offset (DC) that is more than its sound",
    "clipped": "is clipped: 1 % of its samples or more are at full scale",
}
_CUT = "draw less strictly: -t 0.9 or more, --top-p 0.999 or more, --top-k 16 or more, or another seed with -s"
_ADVICE = {"silent": _CUT, "constant": _CUT, "offset": "try another seed with -s, or -t 1"}
_ADVICE["clipped"] = "try another seed with -s, or a quieter sound to go on from"
_OF_SOUND = {"silent": "look whether what goes in is silent, or try -t 1 and another seed with -s"}


def say_faults(faults: Mapping[str, str], say: Callable[[str], None], *, spoken: bool = False) -> None:
    """A line by `say` for each file of a report's `faults`; `spoken`: it says again what went in."""
    advice: Mapping[str, str] = {**_ADVICE, **_OF_SOUND} if spoken else _ADVICE
    for path, fault in faults.items():
        say(f"{path}: warning: {_FAULTS[fault]}; {advice[fault]}")
