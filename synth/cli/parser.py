"""The registry of subcommands: each is a module with `add_parser` (its options) and `run` (what it does)."""

from __future__ import annotations

from synth.cli import arguments as opt
from synth.cli import (
    bench,
    classify,
    compress,
    decompress,
    evaluate,
    export,
    info,
    morph,
    score,
    train,
    verify,
    vocode,
)
from synth.cli.shared_options import version

COMMANDS = {
    "train": train,
    "export": export,
    "info": info,
    "score": score,
    "vocode": vocode,
    "morph": morph,
    "classify": classify,
    "evaluate": evaluate,
    "bench": bench,
    "compress": compress,
    "decompress": decompress,
    "verify": verify,
}


def synth_parser() -> opt.Parser:
    """The subcommands of `synth` and their options."""
    parser = opt.Parser(
        prog="synth", description="Trains, measures and shows the networks of generate-audio; compresses audio."
    )
    parser.add_argument("--version", action="version", version=version("synth"))
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", parser_class=opt.Parser)
    for command in COMMANDS.values():
        command.add_parser(commands)
    return parser
