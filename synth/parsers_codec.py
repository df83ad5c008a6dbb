"""Options of the commands that compress."""

from __future__ import annotations

from typing import Any

from synth import options as opt
from synth.parsers_shared import add_common, add_found, add_out, add_threads


def compress_parser(commands: Any) -> None:
    text = "makes WAV, AIFF and FLAC files smaller"
    parser = commands.add_parser("compress", help=text, description=f"synth compress {text}: x.wav becomes x.syn.")
    add = parser.add_argument
    add("inputs", nargs="+", metavar="IN", help="sound file of 8, 16 or 24 bits, or - for stdin")
    add_out(parser)
    add("-r", "--recursive", action="store_true", help="take the sound files in folders, to the bottom")
    add(
        "--mode",
        choices=("lossless", "mulaw", "parametric"),
        default="lossless",
        help="what is kept: every bit (default); mulaw: 256 levels a sample, 2 to 4 bits, as 16-bit WAV: coding of "
        "the waveform, which Opus beats at the same rate; parametric: of speech what is said and by whom, at 1 to "
        "6 kb/s, spoken again by a voice's network",
    )
    add(
        "--bitrate",
        type=opt.bitrate,
        metavar="RATE",
        help="most bits a second of mode parametric, like 1600 or 1.6k (default: 1.6k)",
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
        help="network that helps to predict; decompress needs the same one (default: auto, the level's "
        "corrector or none by a short trial; for mode parametric the voice speech)",
    )
    add("--verify", action="store_true", help="decode what was written before it gets its name")
    add_threads(parser)
    add_common(parser)


def decompress_parser(commands: Any) -> None:
    text = "gives the files back that .syn files were made of"
    parser = commands.add_parser("decompress", help=text, description=f"synth decompress {text}.")
    add = parser.add_argument
    add("inputs", nargs="+", metavar="IN.syn", help="compressed file, or - for stdin")
    add_out(parser)
    _add_recursive(parser)
    add("--start", type=opt.real(0), metavar="S", help="give what is from this second on")
    add("--end", type=opt.real(0, open_least=True), metavar="S", help="give what is up to this second")
    add("--salvage", action="store_true", help="put silence in the place of what is damaged")
    add_found(parser)
    add_threads(parser)
    add_common(parser)


def verify_parser(commands: Any) -> None:
    text = "decodes .syn files and checks every checksum; writes nothing"
    parser = commands.add_parser("verify", help=text, description=f"synth verify {text}.")
    parser.add_argument("inputs", nargs="+", metavar="FILE.syn", help="compressed file, or - for stdin")
    _add_recursive(parser)
    add_found(parser)
    add_threads(parser)
    add_common(parser)


def _add_recursive(parser: opt.Parser) -> None:
    parser.add_argument("-r", "--recursive", action="store_true", help="take the .syn files in folders, to the bottom")
