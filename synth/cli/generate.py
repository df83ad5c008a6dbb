"""`generate-audio`: sound from a checkpoint."""

from __future__ import annotations

import sys

from synth.cli import arguments as opt
from synth.cli.console import print_json, progress, say
from synth.cli.shared_options import add_checkpoint, add_common, add_engine, add_label, add_sampling, version
from synth.cli.sound_faults import say_faults
from synth.common import limits


def run(name: str, argv: list[str]) -> int:
    """Parses, generates, and reports: JSON on stdout (stderr when the audio goes there), lines for people on stderr."""
    arguments = vars(generate_parser().parse_args(argv))
    del arguments["debug"]
    as_json = arguments.pop("json")
    labels = opt.parse_labels(arguments.pop("label"))
    from synth.generation.generate import GenerateRequest, generate

    request = GenerateRequest(**arguments, labels=labels)
    tell = (lambda text: None) if request.quiet or as_json else say
    report = generate(request, lambda samples: progress(samples, request.quiet), tell)
    if as_json:
        print_json(report, sys.stderr if request.out == "-" else sys.stdout)
    elif not request.quiet:
        for file in report["files"]:
            near = f", {file['distance']:.2f} dB from the corpus" if "distance" in file else ""
            say(f"{file['path']}: {report['seconds']:g} s at {report['sample_rate']} Hz, seed {file['seed']}{near}")
    if not request.quiet and not (as_json and request.out == "-"):
        say_faults(report["faults"], say)
    return 0


def generate_parser() -> opt.Parser:
    """The options of `generate-audio`."""
    parser = opt.Parser(
        prog="generate-audio",
        description="Makes sound, sample by sample, with a trained recurrent network, for a file or a pipe.",
        epilog="The same checkpoint, seed and options give the same samples on every machine.",
    )
    add = parser.add_argument
    add("out", nargs="?", default="out.wav", metavar="OUT", help="file to write, or - for stdout (default: out.wav)")
    add_checkpoint(parser)
    length = parser.add_mutually_exclusive_group()
    length.add_argument("-d", "--duration", type=opt.real(0, above=True), metavar="SECONDS", help="length (default: 2)")
    length.add_argument("--samples", type=opt.integer(1), metavar="N", help="length in samples")
    add(
        "-n",
        "--count",
        type=opt.integer(1, limits.MAX_COUNT),
        default=1,
        metavar="COUNT",
        help="files to write: OUT-1, OUT-2, ...; file i is what seed SEED+i-1 alone gives",
    )
    _add_choice_and_shape(parser)
    add_sampling(parser)
    add("--prime", metavar="AUDIO", help="sound to go on from, - for stdin; it is not part of the output")
    add_label(parser, "; several values take equal parts of the output")
    add(
        "--format",
        choices=limits.OUTPUT_FORMATS,
        help="format (default: what the suffix of OUT says; wav for -)",
    )
    add("--play", action="store_true", help="play what is made while it is made")
    add("--plot", metavar="PNG", help="draw waveform and spectrogram")
    add_engine(parser)
    add("-f", "--force", action="store_true", help="replace files that exist")
    add_common(parser)
    add("--version", action="version", version=version("generate-audio"))
    return parser


def _add_choice_and_shape(parser: opt.Parser) -> None:
    """The options of which sounds are written, and of what is done to a whole sound."""
    best = parser.add_argument_group("a choice")
    best.add_argument(
        "--best",
        type=opt.integer(1, limits.MAX_COUNT),
        metavar="K",
        help="of the COUNT sounds write the K that are nearest to the corpus, OUT-1 the nearest",
    )
    best.add_argument(
        "--like", metavar="AUDIO|DIR", help="the sounds to be near to (default: what the checkpoint says of its corpus)"
    )
    shape = parser.add_argument_group("the sound as a whole")
    shape.add_argument(
        "--channels",
        type=opt.integer(1, 2),
        default=1,
        metavar="N",
        help="2: the left one is what SEED alone gives, the right one what SEED+1 gives (default: 1, mono)",
    )
    shape.add_argument("--beats", type=opt.real(0, above=True), metavar="N", help="length in beats, with --bpm")
    shape.add_argument("--bpm", type=opt.real(1, 1000), metavar="BPM", help="beats a minute")
    shape.add_argument("--loop", action="store_true", help="the end goes on into the beginning; a WAV says so (smpl)")
    shape.add_argument("--fade", type=opt.real(0), default=0.0, metavar="SECONDS", help="fade in and out")
    shape.add_argument(
        "--normalize", type=opt.real(-60, 0), metavar="DBFS", help="bring the peak to this level (0: full scale)"
    )
    shape.add_argument(
        "--rate",
        type=opt.integer(limits.MIN_NETWORK_RATE, limits.MAX_NETWORK_RATE),
        metavar="HZ",
        help="resample to this rate (default: the checkpoint's)",
    )
