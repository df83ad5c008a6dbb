"""What the commands' parsers share: errors of one line, types of options that check what was typed, labels.

Each type takes the text of an option and gives its value, or raises argparse's ArgumentTypeError, which the parser
makes into a UsageError that names the option.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from synth.common.errors import UsageError, did_you_mean
from synth.common.limits import MAX_BITRATE, MIN_BITRATE

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_INTEGER = re.compile(r"[+-]?\d{1,30}", re.ASCII)
_CHOICE = re.compile(r"invalid choice: '(.*)' \(choose from (.*)\)")
_NAME = re.compile(r"[\w.-]+")
_NAN = float("nan")  # is in no range


class Parser(argparse.ArgumentParser):
    """argparse that raises UsageError with one line instead of printing its usage and leaving."""

    def __init__(self, **options: Any) -> None:
        super().__init__(allow_abbrev=False, **options)

    def error(self, message: str) -> NoReturn:
        """UsageError with `message`, the choice that was probably meant, and where help is."""
        refused = _CHOICE.search(message)
        meant = refused and did_you_mean(refused[1], _NAME.findall(refused[2])).strip()
        if meant:
            message = f"{message}; {meant}"
        raise UsageError(f"{message} (see {self.prog} --help)")


def integer(minimum: int, maximum: int | None = None) -> Callable[[str], int]:
    """The type of decimal integers from `minimum` to `maximum` (None: no bound)."""
    bounds = f", {minimum} or more" if maximum is None else f" from {minimum} to {maximum}"

    def convert(text: str) -> int:
        if not _INTEGER.fullmatch(text) or int(text) < minimum or (maximum is not None and int(text) > maximum):
            raise argparse.ArgumentTypeError(f"{text!r}: must be an integer{bounds}")
        return int(text)

    return convert


def real(minimum: float, maximum: float | None = None, *, above: bool = False) -> Callable[[str], float]:
    """The type of finite numbers from `minimum` to `maximum` (None: no bound); `above`: without `minimum` itself."""
    bounds = f"must be a finite number {'above' if above else 'from'} {minimum:g}"
    bounds += " on" if maximum is None and not above else "" if maximum is None else f" to {maximum:g}"

    def convert(text: str) -> float:
        value = float(text) if _NUMBER.fullmatch(text) else _NAN
        low = value > minimum if above else value >= minimum
        if not (low and value <= (maximum if maximum is not None else 1.7e308)):
            raise argparse.ArgumentTypeError(f"{text!r}: {bounds}")
        return value

    return convert


def share_or_range(text: str) -> tuple[float, float]:
    """The type of a share from 0 to 1, or of two like 0..1: the first and the last, which may be the same."""
    first, dots, last = text.partition("..")
    share = real(0, 1)
    return (share(first), share(last)) if dots else (share(text), share(text))


def half_steps(text: str) -> float:
    """The type of numbers from 1 to 4 in steps of a half."""
    value = real(1, 4)(text)
    if value * 2 % 1:
        raise argparse.ArgumentTypeError(f"{text!r}: must be 1, 1.5, 2, ... 4")
    return value


def bitrate(text: str) -> float:
    """The type of bits a second, like 1600 or 1.6k, 100 to 100000."""
    thousands = text.lower().endswith("k")
    number = text[:-1] if thousands else text
    value = float(number) * (1000 if thousands else 1) if _NUMBER.fullmatch(number) else _NAN
    if not MIN_BITRATE <= value <= MAX_BITRATE:
        raise argparse.ArgumentTypeError(f"{text!r}: must be bits a second like 1600 or 1.6k, 100 to 100k")
    return value


def parse_labels(texts: Sequence[str], option: str = "--label", single: bool = False) -> dict[str, str | list[str]]:
    """The texts KEY=VALUE[,VALUE...] as `Model.generate` takes labels: a value, or the list of several, for each key.

    `option` names the option in errors; `single`: the command takes no list, so that no error speaks of one. UsageError
    for a text of another form and for a key that stands twice.
    """
    labels: dict[str, str | list[str]] = {}
    for text in texts:
        key, equals, values = text.partition("=")
        if not (key and equals and all(values.split(","))):
            raise UsageError(f"{option} {text!r}: must be KEY=VALUE{'' if single else ' or KEY=VALUE,VALUE,...'}")
        if key in labels:
            more = "" if single else f"; use {key}=VALUE,VALUE to change it along the output"
            raise UsageError(f"{option} {text!r}: {key} is given twice{more}")
        labels[key] = values.split(",") if "," in values else values
    return labels
