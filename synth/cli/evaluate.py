"""`synth evaluate`: generated sound judged by a classifier."""

from __future__ import annotations

from argparse import Namespace

from synth.cli import arguments as opt
from synth.cli.console import Console
from synth.cli.report import Report
from synth.cli.shared_options import add_common, add_engine, add_sampling
from synth.common import limits


def add_options(parser: opt.Parser) -> None:
    """The options of `synth evaluate`."""
    add = parser.add_argument
    add("checkpoint", metavar="CHECKPOINT", help="checkpoint that generates, a name or a path")
    add(
        "--classifier",
        action="append",
        metavar="NAME|PATH",
        help="classifier of the clips (default: digits-classifier); given again: another one's answers too",
    )
    add(
        "-n",
        "--count",
        type=opt.integer(1, limits.MAX_COUNT),
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
        type=opt.real(0, above=True),
        metavar="SECONDS",
        help="length of a file (default: the median of the reference's test files; 2 without)",
    )
    add_sampling(parser, 0)
    add("--report", metavar="FILE.html", help="write a page with tables, spectrograms and players")
    add("-f", "--force", action="store_true", help="replace a page that exists")
    add_engine(parser)
    add_common(parser)
    parser.set_defaults(run=run)


def run(options: Namespace, console: Console) -> Report:
    """`synth evaluate`: what is generated, by a classifier and beside real recordings."""
    from dataclasses import fields

    from synth.evaluation import evaluate as evaluating
    from synth.evaluation import figures

    names = {field.name for field in fields(evaluating.EvaluateRequest)}
    values = {name: value for name, value in vars(options).items() if name in names}
    first, *more = values.pop("classifier") or [None]
    request = evaluating.EvaluateRequest(classifier=first, more_classifiers=tuple(more), **values)
    data = evaluating.evaluate(request, console.progress)
    return Report(data, figures.lines(data))
