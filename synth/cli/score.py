"""`synth score`: bits per sample of recordings under a checkpoint."""

from __future__ import annotations

from argparse import Namespace

from synth.cli import arguments as opt
from synth.cli.console import Console
from synth.cli.report import Report, single_labels
from synth.cli.shared_options import add_checkpoint, add_common, add_engine, add_label
from synth.common.cpus import available_cpus
from synth.common.errors import SynthError, UsageError


def add_options(parser: opt.Parser) -> None:
    """The options of `synth score`."""
    parser.add_argument("audio", nargs="+", metavar="AUDIO", help="sound files, scored one by one from a fresh state")
    add_checkpoint(parser, "digits-plain")
    add_label(parser)
    parser.add_argument(
        "--labels",
        metavar="PATTERN|CSV",
        help='the labels of each file, from its name, like "{digit}_{speaker}_{take}", or from a CSV',
    )
    add_engine(parser)
    add_common(parser)
    parser.set_defaults(run=run)


def run(options: Namespace, console: Console) -> Report:
    """`synth score`: bits per sample of each file, goes on after a file that can't be read."""
    from synth.common import outputs
    from synth.generation import score as scoring
    from synth.generation.loading import load, need_plain

    single = single_labels(options)
    outputs.check_no_duplicates(options.audio)
    model = need_plain(load(options.checkpoint, options.engine))
    model.label_schedule(single, None)
    if options.labels and single:
        raise UsageError("--label and --labels: give one of them")
    by_name = scoring.labels_by_name(options.labels, model, options.audio) if options.labels else lambda path: single
    threads = options.threads or available_cpus()
    with console.progress(None) as tick:
        results = scoring.score_files(model, options.audio, by_name, threads=threads, tick=tick)
    failures = [result for result in results if isinstance(result, SynthError)]
    files = [result for result in results if not isinstance(result, SynthError)]
    if not files:
        return Report(None, [], failures)
    lines = [f"{file.path}: {file.bits_per_sample:.4f} bits per sample, {file.samples} samples" for file in files]
    total = scoring.FileScore("", sum(file.samples for file in files), sum(file.cost for file in files))
    if len(files) > 1:
        lines.append(f"all {len(files)} files: {total.bits_per_sample:.4f} bits per sample, {total.samples} samples")
    data = {
        "files": [
            {"path": file.path, "samples": file.samples, "bits_per_sample": file.bits_per_sample} for file in files
        ],
        "samples": total.samples,
        "bits_per_sample": total.bits_per_sample,
        "checkpoint": model.checkpoint.name,
        "labels": {"by name": options.labels} if options.labels else single,
        "engine": model.engine.name,
    }
    return Report(data, lines, failures)
