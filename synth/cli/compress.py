"""CodecOptions of the commands that compress."""

from __future__ import annotations

import os
from argparse import Namespace
from typing import TYPE_CHECKING, Any

from synth.cli import arguments as opt
from synth.cli.console import Console
from synth.cli.report import Report
from synth.cli.shared_options import add_common, add_out, add_threads
from synth.common import limits
from synth.common.errors import UsageError

if TYPE_CHECKING:
    from synth.codec.batch import FileResult


def add_options(parser: opt.Parser) -> None:
    """The options of `synth compress`."""
    parser.description = "synth compress makes WAV, AIFF and FLAC files smaller: x.wav becomes x.syn."
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
        choices=limits.LEVELS,
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
    parser.set_defaults(run=run)


def run(options: Namespace, console: Console) -> Report:
    """`synth compress`: a .syn file for each sound file; goes on after one that can't be compressed."""
    from synth.codec import batch as work
    from synth.codec import job_plan as names
    from synth.codec import network_choice

    if options.verify and options.out in (None, "-") and "-" in options.inputs or options.verify and options.out == "-":
        raise UsageError("--verify: what goes into a pipe can't be read again; name a file")
    if options.bitrate is not None and options.mode != "parametric":
        raise UsageError("--bitrate: is for --mode parametric")
    if options.out not in (None, "-") and not (
        os.path.isdir(options.out) or len(options.inputs) > 1 or options.recursive
    ):
        names.check_suffix(options.out, (names.SUFFIX,))
    inputs = names.found(options.inputs, options.recursive)
    jobs = names.plan(
        inputs,
        options.out,
        lambda _, name: os.path.splitext(name)[0] + names.SUFFIX,
        options.recursive,
        network_choice.file_of(options.checkpoint, network_choice.AUTO, network_choice.NONE),
    )
    chosen = work.CodecOptions(
        options.threads or os.cpu_count() or 1,
        options.level,
        options.mode,
        options.checkpoint
        if options.mode == "parametric"
        else network_choice.resolve(options.checkpoint, options.level),
        options.bitrate,
        options.force,
        options.verify,
    )
    done, failures = work.work(jobs, work.compress_one, chosen, console.progress)
    say = (lambda text: None) if options.json else console.say
    for one in done:
        say(f"{one.path}: {one.out}, {_size(one)}")
    if len(done) > 1:
        say(f"all {len(done)} files: {_size(work.together(done))}")
    if not done:
        return Report(None, [], failures)
    whole = _compressed(work.together(done))
    del whole["path"], whole["out"], whole["checkpoint"]
    data = {"files": [_compressed(one) for one in done], **whole}
    data |= {"mode": options.mode, "level": options.level, "checkpoint": chosen.checkpoint}
    return Report(data if options.json else None, [], failures, any(one.out == "-" for one in done))


def _size(done: FileResult) -> str:
    text = f"{done.bytes_in} to {done.bytes_out} bytes, {done.bits_per_sample:.3f} bits per sample"
    return text if done.checkpoint == "none" else f"{text}, with {done.checkpoint}"


def _compressed(done: FileResult) -> dict[str, Any]:
    return {
        "path": done.path,
        "out": done.out,
        "bytes_in": done.bytes_in,
        "bytes_out": done.bytes_out,
        "samples": done.samples,
        "channels": done.channels,
        "bits_per_sample": done.bits_per_sample,
        "ratio": done.bytes_in / done.bytes_out,
        "checkpoint": done.checkpoint,
    }
