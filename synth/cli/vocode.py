"""`synth vocode`: a recording or features, speech_report by a voice."""

from __future__ import annotations

from argparse import Namespace

from synth.cli import arguments as opt
from synth.cli.console import Console
from synth.cli.report import Report, speech_options, speech_report
from synth.cli.shared_options import add_checkpoint, add_label, add_speech_output


def add_options(parser: opt.Parser) -> None:
    """The options of `synth vocode`."""
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
    add_speech_output(parser)
    parser.set_defaults(run=run)


def run(options: Namespace, console: Console) -> Report:
    """`synth vocode`: a recording or features, speech_report by a voice."""
    from synth.generation import vocode as vocoding

    request = vocoding.VocodeRequest(source=options.source, tokens=options.tokens, **speech_options(options))
    return speech_report(vocoding.vocode(request, console.progress), options, console)
