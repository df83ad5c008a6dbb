"""`synth verify`: every checksum of .syn files."""

from __future__ import annotations

import os
from argparse import Namespace

from synth.cli import arguments as opt
from synth.cli.console import Console
from synth.cli.decompress import decoded
from synth.cli.report import Report
from synth.cli.shared_options import add_common, add_decoding_checkpoint, add_recursive_syn, add_threads
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
    from synth.codec import batch as work
    from synth.codec import job_plan as names

    inputs = names.found(options.inputs, options.recursive, packed=True)
    jobs = [one if isinstance(one, SynthError) else names.Job(one[0], "") for one in inputs]
    chosen = work.CodecOptions(options.threads or os.cpu_count() or 1, checkpoint=options.checkpoint)
    done, failures = work.work(jobs, work.verify_one, chosen, console.progress)
    for one in [] if options.json else done:
        console.say(f"{one.path}: whole, {one.samples / one.rate:g} s at {one.rate} Hz")
    return Report({"files": [decoded(one) for one in done]} if options.json and done else None, [], failures)
