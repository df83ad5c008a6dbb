"""The options of `generate-audio` and of the subcommands of `synth`."""

from __future__ import annotations

from typing import Any

from synth import options as opt
from synth import parsers_codec, parsers_training, parsers_voice
from synth.parsers_shared import add_checkpoint, add_common, add_drawing, add_engine, add_label, version

COMMANDS = (
    *("train", "export", "info", "score", "vocode", "morph", "classify", "evaluate", "bench"),
    *("compress", "decompress", "verify"),
)


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
    length.add_argument(
        "-d", "--duration", type=opt.real(0, open_least=True), metavar="SECONDS", help="length (default: 2)"
    )
    length.add_argument("--samples", type=opt.integer(1), metavar="N", help="length in samples")
    add(
        "-n",
        "--count",
        type=opt.integer(1, opt.MOST_COUNT),
        default=1,
        metavar="COUNT",
        help="files to write: OUT-1, OUT-2, ...; file i is what seed SEED+i-1 alone gives",
    )
    add_drawing(parser)
    add("--prime", metavar="AUDIO", help="sound to go on from, - for stdin; it is not part of the output")
    add_label(parser, "; several values take equal parts of the output")
    add(
        "--format",
        choices=("wav", "flac", "ogg", "raw"),
        help="format (default: what the suffix of OUT says; wav for -)",
    )
    add("--play", action="store_true", help="play what is made while it is made")
    add("--plot", metavar="PNG", help="draw waveform and spectrogram")
    add_engine(parser)
    add("-f", "--force", action="store_true", help="replace files that exist")
    add_common(parser)
    add("--version", action="version", version=version("generate-audio"))
    return parser


def synth_parser() -> opt.Parser:
    """The subcommands of `synth` and their options."""
    parser = opt.Parser(
        prog="synth", description="Trains, measures and shows the networks of generate-audio; compresses audio."
    )
    parser.add_argument("--version", action="version", version=version("synth"))
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", parser_class=opt.Parser)
    for add in (parsers_training.train_parser, parsers_training.export_parser, _info_parser, _score_parser):
        add(commands)
    for add in (parsers_voice.vocode_parser, parsers_voice.morph_parser, _classify_parser, _evaluate_parser):
        add(commands)
    for add in (_bench_parser, parsers_codec.compress_parser, parsers_codec.decompress_parser):
        add(commands)
    parsers_codec.verify_parser(commands)
    return parser


def _info_parser(commands: Any) -> None:
    text = "shows the checkpoints, one of them, or a compressed file"
    parser = commands.add_parser("info", help=text, description=f"synth info {text}.")
    parser.add_argument(
        "checkpoint", nargs="?", metavar="CHECKPOINT|FILE.syn", help="- for a .syn file on stdin; default: list all"
    )
    add_common(parser)


def _score_parser(commands: Any) -> None:
    text = "gives bits per sample of recordings under a model"
    parser = commands.add_parser("score", help=text, description=f"synth score {text}.")
    parser.add_argument("audio", nargs="+", metavar="AUDIO", help="sound files, scored one by one from a fresh state")
    add_checkpoint(parser)
    add_label(parser)
    parser.add_argument(
        "--labels",
        metavar="PATTERN|CSV",
        help='the labels of each file, from its name, like "{digit}_{speaker}_{take}", or from a CSV',
    )
    add_engine(parser)
    add_common(parser)


def _classify_parser(commands: Any) -> None:
    text = "tells what recordings are: which digit, which speaker"
    parser = commands.add_parser("classify", help=text, description=f"synth classify {text}.")
    add = parser.add_argument
    add("audio", nargs="+", metavar="AUDIO", help="sound files of any rate and length, or - for stdin")
    add_checkpoint(parser, "digits-classifier", "; one that generates compares code lengths between its labels")
    add("--top", type=opt.integer(1), metavar="N", help="values of each target (default: 3; all with --json)")
    add_engine(parser)
    add_common(parser)


def _evaluate_parser(commands: Any) -> None:
    text = "judges what a checkpoint generates, by a recogniser and beside real recordings"
    parser = commands.add_parser("evaluate", help=text, description=f"synth evaluate {text}.")
    add = parser.add_argument
    add("checkpoint", metavar="CHECKPOINT", help="checkpoint that generates, a name or a path")
    add("--classifier", metavar="NAME|PATH", help="recogniser that hears (default: digits-classifier)")
    add(
        "-n",
        "--count",
        type=opt.integer(1, opt.MOST_COUNT),
        default=10,
        metavar="COUNT",
        help="files for each combination of label values, every file with the next seed; with more than 128 "
        "combinations, for each value by itself (default: 10)",
    )
    add("--reference", metavar="CORPUS", help="folder of real recordings to compare with")
    add("--labels", metavar="PATTERN|CSV", help="labels of the reference (default: as the checkpoint was trained)")
    add("--split", metavar="RULE|CSV", help="its test and training files (default: as the checkpoint was trained)")
    add(
        "-d",
        "--duration",
        type=opt.real(0, open_least=True),
        metavar="SECONDS",
        help="length of a file (default: the median of the reference's test files; 2 without)",
    )
    add_drawing(parser, 0)
    add("--report", metavar="FILE.html", help="write a page with tables, spectrograms and players")
    add("-f", "--force", action="store_true", help="replace a page that exists")
    add_engine(parser)
    add_common(parser)


def _bench_parser(commands: Any) -> None:
    text = "measures samples a second on this machine"
    parser = commands.add_parser("bench", help=text, description=f"synth bench {text}.")
    add_checkpoint(parser)
    parser.add_argument(
        "--codec",
        nargs="+",
        metavar="FILE",
        help="compress these sound files instead, beside flac, wavpack and other lossless coders that are found here",
    )
    parser.add_argument("--baseline", choices=("torch",), help="measure the same network stepped in PyTorch too")
    parser.add_argument("--threads", type=opt.integer(1, 4096), metavar="N", help="threads (default: all cores)")
    add_common(parser)
