"""`synth verify`: every checksum of .syn files."""

from __future__ import annotations

from argparse import Namespace

from synth.cli import arguments as opt
from synth.cli.console import Console
from synth.cli.decompress import decoded
from synth.cli.report import Report
from synth.cli.shared_options import add_common, add_decoding_checkpoint, add_recursive_syn, add_threads
from synth.common.cpus import available_cpus
from synth.common.errors import SynthError


def add_options(parser: opt.Parser) -> None:
    """The options of `synth verify`."""
    parser.add_argument("inputs", nargs="+", metavar="FILE.syn", help="compressed file, or - for stdin")
    add_recursive_syn(parser)
    add_decoding_checkpoint(parser)
    add_threads(parser)
    add_common(parser)
    parser.set_defaults(run=run)


def run(options: Namespace, console: Console) -> Report:
    """`synth verify`: decodes each .syn file; goes on after one that is damaged."""
    from synth.codec import batch, job_plan

    inputs = job_plan.list_inputs(options.inputs, recursive=options.recursive, packed=True, note=console.say)
    jobs = [item if isinstance(item, SynthError) else job_plan.Job(item.path, "") for item in inputs]
    chosen = batch.CodecOptions(threads=options.threads or available_cpus(), checkpoint=options.checkpoint)
    results, failures = batch.run_jobs(jobs, batch.verify_one, chosen, console.progress)
    for result in [] if options.json else results:
        console.say(f"{result.path}: whole, {result.samples / result.rate:g} s at {result.rate} Hz")
    data = {"files": [decoded(result) for result in results]} if options.json and results else None
    return Report(data, [], failures)
