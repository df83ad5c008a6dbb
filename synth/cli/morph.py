"""`synth morph`: from one sound to another by a voice."""

from __future__ import annotations

from argparse import Namespace

from synth.cli import arguments as opt
from synth.cli.console import Console
from synth.cli.report import Report, speech_options, speech_report
from synth.cli.shared_options import add_checkpoint, add_speech_output


def add_options(parser: opt.Parser) -> None:
    """The options of `synth morph`."""
    add = parser.add_argument
    add("first", metavar="A", help="sound of any rate, - for stdin, or features, as for synth vocode")
    add("second", nargs="?", metavar="B", help="the other one; without it only time and label change")
    add("-o", "--out", required=True, metavar="OUT", help="file to write, or - for a pipe")
    add_checkpoint(parser, "speech")
    add(
        "--mix",
        type=opt.share_or_range,
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
    add_speech_output(parser)
    parser.set_defaults(run=run)


def run(options: Namespace, console: Console) -> Report:
    """`synth morph`: between two sounds."""
    from synth.generation import morph as morphing

    request = morphing.MorphRequest(
        first=options.first,
        second=options.second,
        mix=options.mix,
        stretch=options.time_stretch,
        **speech_options(options, "--keep-label"),
    )
    return speech_report(morphing.morph(request, console.progress), options, console)
