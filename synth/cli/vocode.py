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
        help="sound of any rate, - for stdin, or features of the voice, 10 ms a row",
    )
    add("-o", "--out", required=True, metavar="OUT", help="file to write, or - for a pipe")
    add_checkpoint(parser, "speech")
    add(
        "--tokens",
        type=opt.integer(1, 16),
        metavar="N",
        help="tokens of 8 bits a frame of 20 ms that the sound is reduced to before (default: none, it is heard whole)",
    )
    add(
        "--transpose",
        type=opt.real(-48, 48),
        default=0.0,
        metavar="SEMITONES",
        help="how much higher its pitch is spoken, -48 to 48 (default: 0)",
    )
    add("--pitch-of", metavar="OTHER", help="sound or features whose pitch it gets, brought to its length")
    add_label(parser)
    add_speech_output(parser)
    parser.set_defaults(run=run)


def run(options: Namespace, console: Console) -> Report:
    """`synth vocode`: a recording or features, speech_report by a voice."""
    from synth.generation import vocode as vocoding

    request = vocoding.VocodeRequest(
        source=options.source,
        tokens=options.tokens,
        transpose=options.transpose,
        pitch_of=options.pitch_of,
        **speech_options(options),
    )
    return speech_report(vocoding.vocode(request, console.progress), options, console)
