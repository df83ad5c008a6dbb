"""`synth classify`: what sounds are, by a classifier or by a generator."""

from __future__ import annotations

from argparse import Namespace

from synth.cli import arguments as opt
from synth.cli.console import Console
from synth.cli.report import Report
from synth.cli.shared_options import add_checkpoint, add_common, add_engine
from synth.common.cpus import available_cpus
from synth.common.errors import SynthError


def add_options(parser: opt.Parser) -> None:
    """The options of `synth classify`."""
    add = parser.add_argument
    add("audio", nargs="+", metavar="AUDIO", help="sound files of any rate and length, or - for stdin")
    add_checkpoint(parser, "digits-classifier", "; one that generates compares code lengths between its labels")
    add("--top", type=opt.integer(1), metavar="N", help="values of each target (default: 3; all with --json)")
    add_engine(parser)
    add_common(parser)
    parser.set_defaults(run=run)


def run(options: Namespace, console: Console) -> Report:
    """`synth classify`: what each file is, most probable first; goes on after a file that can't be classified."""
    from synth.common import outputs
    from synth.recognition import classify as classifying

    outputs.check_no_duplicates(options.audio)
    classifier = classifying.open_classifier(options.checkpoint, options.engine)
    threads = options.threads or available_cpus()
    results = classifying.classify_files(classifier, options.audio, threads)
    failures = [result for result in results if isinstance(result, SynthError)]
    files = [result for result in results if not isinstance(result, SynthError)]
    if not files:
        return Report(None, [], failures)
    lines = [classifying.line(file, options.top or 3) for file in files]
    data = {"files": [classifying.entry(file, options.top) for file in files], "checkpoint": classifier.name}
    return Report(data, lines, failures)
