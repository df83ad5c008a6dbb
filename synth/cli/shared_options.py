"""Options that several commands share."""

from __future__ import annotations

from typing import Any

from synth.cli import arguments as opt
from synth.common import limits


def add_speech_output(parser: Any) -> None:
    """Temperature, seed, format and what else a command takes that writes one file with a voice."""
    add = parser.add_argument
    add("-t", "--temperature", type=opt.real(0), default=1.0, metavar="T", help="as of generate-audio (default: 1)")
    add("-s", "--seed", type=opt.integer(0, limits.MAX_SEED), metavar="SEED", help="random seed (default: drawn)")
    add("--format", choices=limits.OUTPUT_FORMATS, help="of the file (default: by its suffix)")
    add("-f", "--force", action="store_true", help="replace a file that exists")
    add_engine(parser)
    add_common(parser)


def add_decoding_checkpoint(parser: opt.Parser) -> None:
    """`-c` of the commands that decode .syn files."""
    text = "checkpoint that the files were made with, where it did not come with synth"
    parser.add_argument("-c", "--checkpoint", metavar="PATH", help=text)


def add_out(parser: opt.Parser) -> None:
    """`-o` and `-f` of the commands that write a file for each input."""
    text = "file, - for stdout, or for several files a folder (default: beside IN)"
    parser.add_argument("-o", "--out", metavar="OUT|DIR", help=text)
    parser.add_argument("-f", "--force", action="store_true", help="replace files that exist")


def add_threads(parser: opt.Parser) -> None:
    """`--threads` of the commands whose bytes do not depend on it."""
    text = "threads; they change no byte (default: all cores)"
    parser.add_argument("--threads", type=opt.integer(1, limits.MAX_THREADS), metavar="N", help=text)


def add_training_threads(parser: opt.Parser) -> None:
    """`--threads` of the commands that run torch."""
    text = "CPU threads; more or fewer may change the last digits of the weights (default: all cores)"
    parser.add_argument("--threads", type=opt.integer(1, limits.MAX_THREADS), metavar="N", help=text)


def add_checkpoint(parser: opt.Parser, default: str = "digits", more: str = "") -> None:
    """`-c` with a default; `more` stands at the end of its help."""
    text = f"checkpoint (default: {default}){more}"
    parser.add_argument("-c", "--checkpoint", default=default, metavar="NAME|PATH", help=text)


def add_sampling(parser: opt.Parser, seed: int | None = None) -> None:
    """Temperature, top-k, top-p and seed; `seed`: the default, None for one that is drawn."""
    add, default = parser.add_argument, "drawn, printed" if seed is None else seed
    add(
        "-t",
        "--temperature",
        type=opt.real(0),
        default=1.0,
        metavar="T",
        help="1 is the model's own distribution, less is calmer, 0 takes the likelier branch at every bit (default: 1)",
    )
    add(
        "--top-k",
        type=opt.integer(1, limits.MAX_TOP_K),
        default=limits.MAX_TOP_K,
        metavar="K",
        help="draw among the K most probable codes",
    )
    add(
        "--top-p",
        type=opt.real(0, 1, above=True),
        default=1.0,
        metavar="P",
        help="draw among the fewest most probable codes that together have probability P",
    )
    add(
        "-s",
        "--seed",
        type=opt.integer(0, limits.MAX_SEED),
        default=seed,
        metavar="SEED",
        help=f"random seed (default: {default})",
    )


def add_label(parser: opt.Parser, several: str = "") -> None:
    """`--label`; `several`: what the help says of a key with several values, empty where it takes one."""
    parser.add_argument(
        "--label",
        action="append",
        default=[],
        metavar="KEY=VALUE[,VALUE...]" if several else "KEY=VALUE",
        help=f"what the sound is to be, for a checkpoint that knows labels{several}",
    )


def add_engine(parser: opt.Parser) -> None:
    """`--threads` and `--engine` of the commands that run a network."""
    parser.add_argument(
        "--threads", type=opt.integer(1), metavar="N", help="threads for several files (default: all cores)"
    )
    parser.add_argument(
        "--engine", choices=("auto", "native", "reference"), default="auto", help="all give the same samples"
    )


def add_common(parser: opt.Parser, as_json: bool = True) -> None:
    """`-q`, `--debug` and, unless the command reports nothing, `--json`."""
    parser.add_argument("-q", "--quiet", action="store_true", help="no progress and no notes")
    if as_json:
        parser.add_argument("--json", action="store_true", help="report as JSON")
    parser.add_argument("--debug", action="store_true", help="show where an error comes from")


def version(name: str) -> str:
    """The line of `--version` of a command."""
    from synth import __version__

    return f"{name} {__version__}"


def add_recursive_syn(parser: opt.Parser) -> None:
    """`-r` of the commands that take .syn files."""
    parser.add_argument("-r", "--recursive", action="store_true", help="take the .syn files in folders, to the bottom")
