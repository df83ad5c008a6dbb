"""`synth decompress`: the sound file for each .syn file."""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING, Any

from synth.cli import arguments as opt
from synth.cli.console import Console
from synth.cli.report import Report
from synth.cli.shared_options import add_common, add_decoding_checkpoint, add_out, add_recursive_syn, add_threads
from synth.common.cpus import available_cpus
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
    from synth.codec import batch, job_plan, network_choice

    if options.end is not None and options.end <= (options.start or 0):
        raise UsageError(f"--end {options.end:g}: must be after --start {options.start:g}")
    inputs = job_plan.list_inputs(options.inputs, recursive=options.recursive, packed=True, note=console.say)
    network = network_choice.file_of(options.checkpoint)
    jobs = job_plan.plan(inputs, options.out, batch.original_name, folder=options.recursive, checkpoint=network)
    for job in jobs:
        if isinstance(job, job_plan.Job):
            batch.check_kind(job)
    chosen = batch.CodecOptions(
        threads=options.threads or available_cpus(),
        force=options.force,
        salvage=options.salvage,
        start=options.start,
        end=options.end,
        checkpoint=options.checkpoint,
    )
    results, failures = batch.run_jobs(jobs, batch.decompress_one, chosen, console.progress)
    for result in results:
        if not options.json:
            console.say(f"{result.path}: {result.out}, {result.samples / result.rate:g} s at {result.rate} Hz")
        failures += [CodecError(damage) for damage in result.damages]
    files = [{**decoded(result), "out": result.out, "damages": list(result.damages)} for result in results]
    data = {"files": files} if options.json and results else None
    return Report(data, [], failures, any(result.out == "-" for result in results))


def decoded(result: FileResult) -> dict[str, Any]:
    """What JSON says of a file that was decoded."""
    return {
        "path": result.path,
        "samples": result.samples,
        "channels": result.channels,
        "sample_rate": result.rate,
    }
