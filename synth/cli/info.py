"""`synth info`: the checkpoints that are here, one of them, or what is in a compressed file."""

from __future__ import annotations

from argparse import Namespace

from synth.cli import arguments as opt
from synth.cli.console import Console
from synth.cli.report import Report
from synth.cli.shared_options import add_common


def add_options(parser: opt.Parser) -> None:
    """The options of `synth info`."""
    parser.add_argument(
        "checkpoint", nargs="?", metavar="CHECKPOINT|FILE.syn", help="- for a .syn file on stdin; default: list all"
    )
    add_common(parser)
    parser.set_defaults(run=run)


def run(options: Namespace, console: Console) -> Report:
    """`synth info`: all checkpoints, one with its card and its sizes, or what is in a .syn file."""
    from synth.cli import facts

    if options.checkpoint is None:
        return Report(*facts.overview())
    return Report(*facts.of(options.checkpoint))
