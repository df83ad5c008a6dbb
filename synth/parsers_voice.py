"""Options of the commands that speak with a voice."""

from __future__ import annotations

from typing import Any

from synth import options as opt
from synth.parsers_shared import add_checkpoint, add_label, add_speaking


def vocode_parser(commands: Any) -> None:
    text = "says again what a recording says, with a voice's network"
    parser = commands.add_parser("vocode", help=text, description=f"synth vocode {text}.")
    add = parser.add_argument
    add(
        "source",
        metavar="AUDIO|FEATURES.npy",
        help="sound of any rate, - for stdin, or log-mel features [frames, mels] of 10 ms",
    )
    add("-o", "--out", required=True, metavar="OUT", help="file to write, or - for a pipe")
    add_checkpoint(parser, "speech")
    add(
        "--tokens",
        type=opt.integer(1, 16),
        metavar="N",
        help="tokens of 8 bits a frame of 20 ms that the sound is reduced to before (default: none, it is heard whole)",
    )
    add_label(parser)
    add_speaking(parser)


def morph_parser(commands: Any) -> None:
    text = "walks between two sounds, or stretches one, with a voice's network"
    parser = commands.add_parser("morph", help=text, description=f"synth morph {text}.")
    add = parser.add_argument
    add("first", metavar="A", help="sound of any rate, - for stdin, or features, as for synth vocode")
    add("second", nargs="?", metavar="B", help="the other one; without it only time and label change")
    add("-o", "--out", required=True, metavar="OUT", help="file to write, or - for a pipe")
    add_checkpoint(parser, "speech")
    add(
        "--mix",
        type=opt.mix,
        metavar="SHARE|FROM..TO",
        help="share of B, like 0.3, or from the begin to the end, like 0..1 (default: 0.5); only with B",
    )
    add("--time-stretch", type=opt.real(0.1, 10), default=1.0, metavar="F", help="1.5: half as long again (default: 1)")
    add(
        "--keep-label",
        dest="label",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="label that the sound is moved to, all else being kept",
    )
    add_speaking(parser)
