"""The options of `generate-audio` and of the subcommands of `synth`."""

from __future__ import annotations

from typing import Any

from synth import options as opt

COMMANDS: tuple[str, ...] = ("train", "export", "info", "score", "vocode", "classify", "evaluate", "bench")
COMMANDS += ("compress", "decompress", "verify")


def generate_parser() -> opt.Parser:
    """The options of `generate-audio`."""
    parser = opt.Parser(
        prog="generate-audio",
        description="Makes sound, sample by sample, with a trained recurrent network, for a file or a pipe.",
        epilog="The same checkpoint, seed and options give the same samples on every machine.",
    )
    add = parser.add_argument
    add("out", nargs="?", default="out.wav", metavar="OUT", help="file to write, or - for stdout (default: out.wav)")
    _add_checkpoint(parser)
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
    _add_drawing(parser)
    add("--prime", metavar="AUDIO", help="sound to go on from; it is not part of the output")
    _add_label(parser, "; several values take equal parts of the output")
    add(
        "--format",
        choices=("wav", "flac", "ogg", "raw"),
        help="format (default: what the suffix of OUT says; wav for -)",
    )
    add("--play", action="store_true", help="play what is made while it is made")
    add("--plot", metavar="PNG", help="draw waveform and spectrogram")
    _add_engine(parser)
    add("-f", "--force", action="store_true", help="replace files that exist")
    _add_common(parser)
    add("--version", action="version", version=_version("generate-audio"))
    return parser


def synth_parser() -> opt.Parser:
    """The subcommands of `synth` and their options."""
    parser = opt.Parser(
        prog="synth", description="Trains, measures and shows the networks of generate-audio; compresses audio."
    )
    parser.add_argument("--version", action="version", version=_version("synth"))
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", parser_class=opt.Parser)
    for add in (_train_parser, _export_parser, _info_parser, _score_parser, _vocode_parser):
        add(commands)
    for add in (_classify_parser, _evaluate_parser):
        add(commands)
    _bench_parser(commands)
    for add in (_compress_parser, _decompress_parser, _verify_parser):
        add(commands)
    return parser


def _train_parser(commands: Any) -> None:
    text = "trains a network on folders of audio"
    parser = commands.add_parser("train", help=text, description=f"synth train {text}.")
    add = parser.add_argument
    add("corpora", nargs="*", metavar="CORPUS", help="folder or file of audio, of any rate and channel count")
    add("-o", "--out", required=True, metavar="RUN", help="folder of the run: made, or gone on with by --resume")
    add(
        "--preset",
        choices=("digits", "piano", "general", "tiny", "speech"),
        help="sizes and schedule (default: digits)",
    )
    add("--rate", type=opt.integer(1000, 384000), metavar="HZ", help="sample rate (default: the preset's)")
    add(
        "--labels", metavar="PATTERN|CSV", help='labels from file names, like "{digit}_{speaker}_{take}", or from a CSV'
    )
    add("--split", metavar="RULE|CSV", help="which files are for training, validation and test")
    add("--trim", action="store_true", help="cut silence off the ends of every file")
    add("--steps", type=opt.integer(1, 10**9), metavar="N", help="steps to train in all (default: the preset's)")
    add("-s", "--seed", type=opt.integer(0, opt.MOST_SEED), metavar="SEED", help="random seed (default: 0)")
    add(
        "--density",
        type=opt.real(0, 1, open_least=True),
        metavar="SHARE",
        help="blocks of the weights of every sample that remain; the engine skips the others (default: the preset's)",
    )
    add("--resume", action="store_true", help="go on with a run that was stopped")
    add("--task", choices=("generate", "classify", "vocoder", "planner"), help="what to train for (default: generate)")
    add("--target", action="append", metavar="KEY", help="label to classify by; several are learned at once")
    add(
        "--voice",
        action="append",
        metavar="KEY",
        help="target that speed and pitch are part of (default: speaker, where it is one)",
    )
    add("--features", choices=("logmel", "mfcc"), help="what a classifier hears (default: logmel)")
    add("--net", choices=("gru", "cnn"), help="network of a classifier (default: cnn)")
    add("--vocoder", metavar="VOICE", help="checkpoint of the vocoder that a planner is for")
    add("--device", choices=("auto", "cpu", "cuda"), default="auto", help="where to train (default: auto)")
    add("--threads", type=opt.integer(1, 4096), metavar="N", help="CPU threads (default: all cores)")
    _add_common(parser, as_json=False)


def _export_parser(commands: Any) -> None:
    text = "makes an integer checkpoint of a run"
    parser = commands.add_parser("export", help=text, description=f"synth export {text}.")
    parser.add_argument("run", metavar="RUN", help="folder that synth train wrote")
    parser.add_argument("out", metavar="OUT.safetensors", help="checkpoint to write")
    parser.add_argument(
        "--steps", type=opt.integer(0, 10**6), metavar="N", help="steps of quantisation-aware fine-tuning"
    )
    parser.add_argument(
        "--noise",
        type=opt.real(0, 64),
        default=0.0,
        metavar="CODES",
        help="noise in what the network hears while it is fine-tuned: steadier sound for a few hundredths of a bit",
    )
    parser.add_argument(
        "--temperatures",
        type=opt.real(0.05, 4),
        nargs=2,
        metavar=("PLANNER", "NETWORK"),
        help="of a planner's voice: what a temperature of 1 stands for (default: 1 1)",
    )
    parser.add_argument(
        "--card", action="append", default=[], metavar="KEY=TEXT", help="a fact for the model card, like licence=CC0"
    )
    parser.add_argument("-f", "--force", action="store_true", help="replace a file that exists")
    _add_common(parser, as_json=False)


def _info_parser(commands: Any) -> None:
    text = "shows the checkpoints, one of them, or a compressed file"
    parser = commands.add_parser("info", help=text, description=f"synth info {text}.")
    parser.add_argument("checkpoint", nargs="?", metavar="CHECKPOINT|FILE.syn", help="default: list all")
    _add_common(parser)


def _score_parser(commands: Any) -> None:
    text = "gives bits per sample of recordings under a model"
    parser = commands.add_parser("score", help=text, description=f"synth score {text}.")
    parser.add_argument("audio", nargs="+", metavar="AUDIO", help="sound files, scored one by one from a fresh state")
    _add_checkpoint(parser)
    _add_label(parser)
    parser.add_argument(
        "--labels",
        metavar="PATTERN|CSV",
        help='the labels of each file, from its name, like "{digit}_{speaker}_{take}", or from a CSV',
    )
    _add_engine(parser)
    _add_common(parser)


def _vocode_parser(commands: Any) -> None:
    text = "says again what a recording says, with a voice's network"
    parser = commands.add_parser("vocode", help=text, description=f"synth vocode {text}.")
    add = parser.add_argument
    add("source", metavar="AUDIO|FEATURES.npy", help="sound of any rate, or log-mel features [frames, mels] of 10 ms")
    add("-o", "--out", required=True, metavar="OUT", help="file to write, or - for a pipe")
    _add_checkpoint(parser, "speech")
    add(
        "--tokens",
        type=opt.integer(1, 16),
        metavar="N",
        help="tokens of 8 bits a frame of 20 ms that the sound is reduced to before (default: none, it is heard whole)",
    )
    add("-t", "--temperature", type=opt.real(0), default=1.0, metavar="T", help="as of generate-audio (default: 1)")
    add("-s", "--seed", type=opt.integer(0, opt.MOST_SEED), metavar="SEED", help="random seed (default: drawn)")
    _add_label(parser)
    add("--format", choices=("wav", "flac", "ogg", "raw"), help="of the file (default: by its suffix)")
    add("-f", "--force", action="store_true", help="replace a file that exists")
    _add_engine(parser)
    _add_common(parser)


def _classify_parser(commands: Any) -> None:
    text = "tells what recordings are: which digit, which speaker"
    parser = commands.add_parser("classify", help=text, description=f"synth classify {text}.")
    add = parser.add_argument
    add("audio", nargs="+", metavar="AUDIO", help="sound files of any rate and length, or - for stdin")
    _add_checkpoint(parser, "digits-classifier", "; one that generates compares code lengths between its labels")
    add("--top", type=opt.integer(1), metavar="N", help="values of each target (default: 3; all with --json)")
    _add_engine(parser)
    _add_common(parser)


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
    _add_drawing(parser, 0)
    add("--report", metavar="FILE.html", help="write a page with tables, spectrograms and players")
    add("-f", "--force", action="store_true", help="replace a page that exists")
    _add_engine(parser)
    _add_common(parser)


def _bench_parser(commands: Any) -> None:
    text = "measures samples a second on this machine"
    parser = commands.add_parser("bench", help=text, description=f"synth bench {text}.")
    _add_checkpoint(parser)
    parser.add_argument(
        "--codec",
        nargs="+",
        metavar="FILE",
        help="compress these sound files instead, beside flac, wavpack and other lossless coders that are found here",
    )
    parser.add_argument("--baseline", choices=("torch",), help="measure the same network stepped in PyTorch too")
    parser.add_argument("--threads", type=opt.integer(1, 4096), metavar="N", help="threads (default: all cores)")
    _add_common(parser)


def _compress_parser(commands: Any) -> None:
    text = "makes WAV, AIFF and FLAC files smaller"
    parser = commands.add_parser("compress", help=text, description=f"synth compress {text}: x.wav becomes x.syn.")
    add = parser.add_argument
    add("inputs", nargs="+", metavar="IN", help="sound file of 8, 16 or 24 bits, or - for stdin")
    _add_out(parser)
    add("-r", "--recursive", action="store_true", help="take the sound files in folders, to the bottom")
    add(
        "--mode",
        choices=("lossless", "mulaw"),
        default="lossless",
        help="what is kept: every bit (default), or 256 levels a sample, 2 to 4 bits of it, as 16-bit WAV: a coding of "
        "the waveform, which Opus beats at the same rate",
    )
    add(
        "--level",
        choices=("fast", "balanced", "max"),
        default="balanced",
        help="smaller takes longer, for decompress too (default: balanced)",
    )
    add(
        "-c",
        "--checkpoint",
        default="auto",
        metavar="auto|none|NAME|PATH",
        help="network that helps to predict; decompress needs the same one (default: auto, the best of the bundled "
        "ones and none by a short trial)",
    )
    add("--verify", action="store_true", help="decode what was written before it gets its name")
    _add_threads(parser)
    _add_common(parser)


def _decompress_parser(commands: Any) -> None:
    text = "gives the files back that .syn files were made of"
    parser = commands.add_parser("decompress", help=text, description=f"synth decompress {text}.")
    add = parser.add_argument
    add("inputs", nargs="+", metavar="IN.syn", help="compressed file, or - for stdin")
    _add_out(parser)
    add("--start", type=opt.real(0), metavar="S", help="give what is from this second on")
    add("--end", type=opt.real(0, open_least=True), metavar="S", help="give what is up to this second")
    add("--salvage", action="store_true", help="put silence in the place of what is damaged")
    _add_found(parser)
    _add_threads(parser)
    _add_common(parser)


def _verify_parser(commands: Any) -> None:
    text = "decodes .syn files and checks every checksum; writes nothing"
    parser = commands.add_parser("verify", help=text, description=f"synth verify {text}.")
    parser.add_argument("inputs", nargs="+", metavar="FILE.syn", help="compressed file, or - for stdin")
    _add_found(parser)
    _add_threads(parser)
    _add_common(parser)


def _add_found(parser: opt.Parser) -> None:
    text = "checkpoint that the files were made with, where it did not come with synth"
    parser.add_argument("-c", "--checkpoint", metavar="PATH", help=text)


def _add_out(parser: opt.Parser) -> None:
    text = "file, - for stdout, or for several files a folder (default: beside IN)"
    parser.add_argument("-o", "--out", metavar="OUT|DIR", help=text)
    parser.add_argument("-f", "--force", action="store_true", help="replace files that exist")


def _add_threads(parser: opt.Parser) -> None:
    text = "threads; they change no byte (default: all cores)"
    parser.add_argument("--threads", type=opt.integer(1, 4096), metavar="N", help=text)


def _add_checkpoint(parser: opt.Parser, default: str = "digits", more: str = "") -> None:
    text = f"checkpoint (default: {default}){more}"
    parser.add_argument("-c", "--checkpoint", default=default, metavar="NAME|PATH", help=text)


def _add_drawing(parser: opt.Parser, seed: int | None = None) -> None:
    add, default = parser.add_argument, "drawn, printed" if seed is None else seed
    add(
        "-t",
        "--temperature",
        type=opt.real(0),
        default=1.0,
        metavar="T",
        help="1 is the model's own distribution, less is calmer, 0 takes the likelier branch at every bit (default: 1)",
    )
    add("--top-k", type=opt.integer(1, 256), default=256, metavar="K", help="draw among the K most probable codes")
    add(
        "--top-p",
        type=opt.real(0, 1, open_least=True),
        default=1.0,
        metavar="P",
        help="draw among the fewest most probable codes that together have probability P",
    )
    add(
        "-s",
        "--seed",
        type=opt.integer(0, opt.MOST_SEED),
        default=seed,
        metavar="SEED",
        help=f"random seed (default: {default})",
    )


def _add_label(parser: opt.Parser, several: str = "") -> None:
    parser.add_argument(
        "--label",
        action="append",
        default=[],
        metavar="KEY=VALUE[,VALUE...]" if several else "KEY=VALUE",
        help=f"what the sound is to be, for a checkpoint that knows labels{several}",
    )


def _add_engine(parser: opt.Parser) -> None:
    parser.add_argument(
        "--threads", type=opt.integer(1), metavar="N", help="threads for several files (default: all cores)"
    )
    parser.add_argument(
        "--engine", choices=("auto", "native", "reference"), default="auto", help="all give the same samples"
    )


def _add_common(parser: opt.Parser, as_json: bool = True) -> None:
    parser.add_argument("-q", "--quiet", action="store_true", help="no progress and no notes")
    if as_json:
        parser.add_argument("--json", action="store_true", help="report as JSON")
    parser.add_argument("--debug", action="store_true", help="show where an error comes from")


def _version(name: str) -> str:
    from synth import __version__

    return f"{name} {__version__}"
