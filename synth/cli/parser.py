"""The registry of subcommands: the name of each, which is its module in `synth.cli` too, and its line in the help.

A command's module has `add_options(parser)`, which adds the options and sets `run` as the parser's default, and
`run(options, console)`, which gives a `Report`. It is loaded when the command was typed; `synth --help` loads none.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module

from synth.cli import arguments as opt
from synth.cli.shared_options import version

COMMANDS = {
    "train": "trains a network on folders of audio",
    "export": "makes an integer checkpoint of a run",
    "info": "shows the checkpoints, one of them, or a compressed file",
    "score": "gives bits per sample of recordings under a model",
    "vocode": "says again what a recording says, with a voice's network",
    "morph": "walks between two sounds, or stretches one, with a voice's network",
    "classify": "tells what recordings are: which digit, which speaker",
    "evaluate": "judges what a checkpoint generates, by a classifier and beside real recordings",
    "bench": "measures samples a second on this machine",
    "compress": "makes WAV, AIFF and FLAC files smaller",
    "decompress": "gives the files back that .syn files were made of",
    "verify": "decodes .syn files and checks every checksum; writes nothing",
}


def synth_parser(argv: Sequence[str]) -> opt.Parser:
    """The parser of `synth`, with the options of the first subcommand that is among the arguments `argv`."""
    parser = opt.Parser(
        prog="synth", description="Trains, measures and shows the networks of generate-audio; compresses audio."
    )
    parser.add_argument("--version", action="version", version=version("synth"))
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND", parser_class=opt.Parser)
    typed = next((word for word in argv if word in COMMANDS), None)
    for name, text in COMMANDS.items():
        command = subparsers.add_parser(name, help=text, description=f"synth {name} {text}.")
        if name == typed:
            import_module(f"synth.cli.{name}").add_options(command)
    return parser
