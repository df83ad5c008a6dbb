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
from synth.common.cpus import available_cpus
from synth.common.errors import UsageError

if TYPE_CHECKING:
    from synth.codec.batch import CodecOptions, FileResult
    from synth.codec.job_plan import Job
    from synth.common.errors import SynthError


def add_options(parser: opt.Parser) -> None:
    """The options of `synth compress`."""
    parser.description = "synth compress makes WAV, AIFF, FLAC, W64 and AU files smaller: x.wav becomes x.syn."
    add = parser.add_argument
    add("inputs", nargs="+", metavar="IN", help="sound file of 8 to 32 bits, or - for stdin")
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
        help="smaller takes longer, for decompress too (default: balanced; mode parametric has none)",
    )
    add(
        "-c",
        "--checkpoint",
        default="auto",
        metavar="auto|none|NAME|PATH",
        help="network that helps to predict; decompress needs the same one (default: auto, the level's "
        "corrector or none by a short trial; for mode parametric the voice speech)",
    )
    add(
        "--segment",
        type=opt.real(limits.MIN_SEGMENT, limits.MAX_SEGMENT),
        metavar="SECONDS",
        help="most of a segment, which is what one damaged bit costs; each takes about 300 bytes (default: 15, or "
        "less where that costs little)",
    )
    add("--verify", action="store_true", help="decode what was written before it gets its name")
    add_threads(parser)
    add_common(parser)
    parser.set_defaults(run=run)


def run(options: Namespace, console: Console) -> Report:
    """`synth compress`: a .syn file for each sound file; goes on after one that can't be compressed."""
    from synth.codec import batch

    _check(options)
    if options.level is not None and options.mode == "parametric":
        console.say(f"--level {options.level}: changes nothing in --mode parametric; --bitrate does")
    jobs = _jobs(options, console)  # first: a wrong input or output is named before the checkpoint is looked for
    chosen = _chosen(options)
    results, failures = batch.run_jobs(jobs, batch.compress_one, chosen, console.progress)
    if not options.json:
        for result in results:
            console.say(f"{result.path}: {result.out}, {_size(result)}")
            for note in result.notes:
                console.say(f"{result.path}: {note}")
        if len(results) > 1:
            console.say(f"all {len(results)} files: {_size(batch.totals(results))}")
    if not results:
        return Report(None, [], failures)
    sums = _compressed(batch.totals(results))
    del sums["path"], sums["out"], sums["checkpoint"]
    data = {"files": [_compressed(result) for result in results], **sums}
    data |= {"mode": options.mode, "level": _level(options), "checkpoint": chosen.checkpoint}
    return Report(data if options.json else None, [], failures, any(result.out == "-" for result in results))


def _level(options: Namespace) -> str:
    level: str = options.level or "balanced"
    return level


def _check(options: Namespace) -> None:
    """UsageError for options that don't go together."""
    from synth.codec import job_plan

    if options.verify and options.out in (None, "-") and "-" in options.inputs or options.verify and options.out == "-":
        raise UsageError("--verify: what goes into a pipe can't be read again; name a file")
    if options.bitrate is not None and options.mode != "parametric":
        raise UsageError("--bitrate: is for --mode parametric")
    if options.segment is not None and options.mode == "parametric":
        raise UsageError("--segment: is not for --mode parametric, whose segments are of 30 seconds")
    several = len(options.inputs) > 1 or options.recursive
    if options.out not in (None, "-") and not (several or os.path.isdir(options.out)):
        job_plan.check_suffix(options.out, (job_plan.SUFFIX,))


def _jobs(options: Namespace, console: Console) -> list[Job | SynthError]:
    from synth.codec import batch, job_plan, network_choice

    return job_plan.plan(
        job_plan.list_inputs(options.inputs, recursive=options.recursive, note=console.say),
        options.out,
        lambda _, name: batch.packed_name(name),
        folder=options.recursive,
        longer=lambda _, name: name + job_plan.SUFFIX,
        checkpoint=network_choice.file_of(options.checkpoint, network_choice.AUTO, network_choice.NONE),
    )


def _chosen(options: Namespace) -> CodecOptions:
    from synth.codec import batch, network_choice

    checkpoint = options.checkpoint
    if options.mode != "parametric":
        checkpoint = network_choice.resolve(checkpoint, _level(options))
    return batch.CodecOptions(
        threads=options.threads or available_cpus(),
        effort=_level(options),
        mode=options.mode,
        checkpoint=checkpoint,
        bitrate=options.bitrate,
        segment=options.segment,
        force=options.force,
        verify=options.verify,
    )


def _size(result: FileResult) -> str:
    text = f"{result.bytes_in} to {result.bytes_out} bytes, {result.bits_per_sample:.3f} bits per sample"
    return text if result.checkpoint == "none" else f"{text}, with {result.checkpoint}"


def _compressed(result: FileResult) -> dict[str, Any]:
    """What JSON says of a file, or of several."""
    return {
        "path": result.path,
        "out": result.out,
        "bytes_in": result.bytes_in,
        "bytes_out": result.bytes_out,
        "samples": result.samples,
        "channels": result.channels,
        "bits_per_sample": result.bits_per_sample,
        "ratio": result.bytes_in / result.bytes_out,
        "checkpoint": result.checkpoint,
    }
