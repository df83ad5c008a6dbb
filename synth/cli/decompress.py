"""`synth decompress`: the sound file for each .syn file."""

from __future__ import annotations

import os
from argparse import Namespace
from typing import TYPE_CHECKING, Any

from synth.cli import arguments as opt
from synth.cli.console import Console
from synth.cli.report import Report
from synth.cli.shared_options import add_common, add_decoding_checkpoint, add_out, add_recursive_syn, add_threads
from synth.common.errors import CodecError, UsageError

if TYPE_CHECKING:
    from synth.codec.batch import FileResult


def add_options(parser: opt.Parser) -> None:
    """The options of `synth decompress`."""
    add = parser.add_argument
    add("inputs", nargs="+", metavar="IN.syn", help="compressed file, or - for stdin")
    add_out(parser)
    add_recursive_syn(parser)
    add("--start", type=opt.real(0), metavar="S", help="give what is from this second on")
    add("--end", type=opt.real(0, above=True), metavar="S", help="give what is up to this second")
    add("--salvage", action="store_true", help="put silence in the place of what is damaged")
    add_decoding_checkpoint(parser)
    add_threads(parser)
    add_common(parser)
    parser.set_defaults(run=run)


def run(options: Namespace, console: Console) -> Report:
    """`synth decompress`: the sound file for each .syn file; goes on after one that is damaged."""
    from synth.codec import batch as work
    from synth.codec import job_plan as names
    from synth.codec import network_choice

    if options.end is not None and options.end <= (options.start or 0):
        raise UsageError(f"--end {options.end:g}: must be after --start {options.start:g}")
    inputs = names.found(options.inputs, options.recursive, packed=True)
    network = network_choice.file_of(options.checkpoint)
    jobs = names.plan(inputs, options.out, work.original_name, options.recursive, network)
    for job in jobs:
        if isinstance(job, names.Job):
            work.check_kind(job)
    chosen = work.CodecOptions(
        options.threads or os.cpu_count() or 1,
        force=options.force,
        salvage=options.salvage,
        start=options.start,
        end=options.end,
        checkpoint=options.checkpoint,
    )
    done, failures = work.work(jobs, work.decompress_one, chosen, console.progress)
    for one in done:
        if not options.json:
            console.say(f"{one.path}: {one.out}, {one.samples / one.rate:g} s at {one.rate} Hz")
        failures += [CodecError(damage) for damage in one.damages]
    data = {"files": [{**decoded(one), "out": one.out, "damages": list(one.damages)} for one in done]}
    return Report(data if options.json and done else None, [], failures, any(one.out == "-" for one in done))


def decoded(done: FileResult) -> dict[str, Any]:
    """What JSON says of a file that was decoded."""
    return {"path": done.path, "samples": done.samples, "channels": done.channels, "sample_rate": done.rate}
