"""What a subcommand returns to be printed, and what several of them share."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from typing import Any, NamedTuple

from synth.cli.arguments import parse_labels
from synth.cli.console import Console
from synth.cli.sound_faults import say_faults
from synth.common.errors import SynthError, UsageError


class Report(NamedTuple):
    """`data` for `--json` (None: nothing to report), `lines` for people, `failures` of single inputs.

    `aside`: stdout has audio, so that JSON goes to stderr.
    """

    data: dict[str, Any] | None
    lines: list[str]
    failures: Sequence[SynthError] = ()
    aside: bool = False


def single_labels(options: Namespace, option: str = "--label") -> dict[str, str]:
    """The labels of an option that takes one value a key; UsageError for several."""
    labels = parse_labels(options.label, option, single=True)
    single = {key: value for key, value in labels.items() if isinstance(value, str)}
    for key in labels.keys() - single.keys():
        raise UsageError(f"{option} {key}: takes one value here, it holds for the whole file")
    return single


def speech_options(options: Namespace, label_option: str = "--label") -> dict[str, Any]:
    """What `SpeechOutput` takes, of the options of `add_speech_output`, `add_checkpoint` and an option for labels."""
    names = ("out", "checkpoint", "temperature", "seed", "format", "engine", "force")
    return {**{name: getattr(options, name) for name in names}, "labels": single_labels(options, label_option)}


def speech_report(data: dict[str, Any], options: Namespace, console: Console) -> Report:
    """The report of a command that wrote one file with a voice; without `--json` a line says so."""
    file = data["files"][0]
    if not options.json:
        console.say(f"{file['path']}: {data['seconds']:.2f} s with {data['checkpoint']}, seed {file['seed']}")
    if not (options.json and options.out == "-"):
        say_faults(data["faults"], console.say, spoken=True)
    return Report(data, [], [], options.out == "-")
