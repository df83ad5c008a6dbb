"""What the commands' parsers share: errors of one line, numbers that are checked as they are read, labels."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Sequence
from typing import NoReturn

from synth.common.errors import UsageError
from synth.common.limits import MAX_BITRATE, MIN_BITRATE

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_INTEGER = re.compile(r"[+-]?\d{1,30}", re.ASCII)


class Parser(argparse.ArgumentParser):
    """argparse that raises UsageError with one line instead of printing its usage and leaving."""

    def __init__(self, **options: object) -> None:
        super().__init__(allow_abbrev=False, **options)  # type: ignore[arg-type]  # argparse checks them

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message} (see {self.prog} --help)")


def integer(least: int, most: int | None = None) -> Callable[[str], int]:
    """A converter of option texts to integers in least..most."""
    bounds = f"must be an integer, {least} or more" if most is None else f"must be an integer from {least} to {most}"

    def convert(text: str) -> int:
        if not _INTEGER.fullmatch(text) or int(text) < least or (most is not None and int(text) > most):
            raise argparse.ArgumentTypeError(f"{text!r}: {bounds}")
        return int(text)

    return convert


def mix(text: str) -> tuple[float, float]:
    """A converter of a share from 0 to 1, or of two like 0..1."""
    first, dots, last = text.partition("..")
    share = real(0, 1)
    return (share(first), share(last)) if dots else (share(text), share(text))


def halves(text: str) -> float:
    """A converter of 1 to 4 in steps of a half."""
    value = real(1, 4)(text)
    if value * 2 % 1:
        raise argparse.ArgumentTypeError(f"{text!r}: must be 1, 1.5, 2, ... 4")
    return value


def bitrate(text: str) -> float:
    """A converter of bits a second, like 1600 or 1.6k, 100 to 100000."""
    thousands = text.lower().endswith("k")
    number = text[:-1] if thousands else text
    value = float(number) * (1000 if thousands else 1) if _NUMBER.fullmatch(number) else float("nan")
    if not MIN_BITRATE <= value <= MAX_BITRATE:
        raise argparse.ArgumentTypeError(f"{text!r}: must be bits a second like 1600 or 1.6k, 100 to 100k")
    return value


def real(least: float, most: float | None = None, *, open_least: bool = False) -> Callable[[str], float]:
    """A converter of option texts to finite numbers in least..most, without `least` itself when `open_least`."""
    bounds = f"must be a finite number {'above' if open_least else 'from'} {least:g}"
    bounds += " on" if most is None and not open_least else "" if most is None else f" to {most:g}"

    def convert(text: str) -> float:
        value = float(text) if _NUMBER.fullmatch(text) else float("nan")
        low = value > least if open_least else value >= least
        if not (low and value <= (most if most is not None else 1.7e308)):
            raise argparse.ArgumentTypeError(f"{text!r}: {bounds}")
        return value

    return convert


def parse_labels(texts: Sequence[str], option: str = "--label", single: bool = False) -> dict[str, str | list[str]]:
    """KEY=VALUE[,VALUE...] texts as `Model.generate` takes them: a value, or the list of several, for each key.

    `single`: the command takes no list, so that no error speaks of one.
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
