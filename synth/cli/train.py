"""`synth train`: trains a network on folders of audio."""

from __future__ import annotations

import os
import time
from argparse import Namespace
from typing import Any

from synth.cli import arguments as opt
from synth.cli.console import Console
from synth.cli.report import Report
from synth.cli.shared_options import add_common, add_training_threads
from synth.common import limits
from synth.common.cpus import let_waiting_threads_sleep
from synth.common.errors import UsageError
from synth.common.extras import training_extra
from synth.training.tasks import DEFAULT_TASK, TASKS, flag, preset_names, tasks_with


def add_options(parser: opt.Parser) -> None:
    """The options of `synth train`; names of tasks and presets come from the registry of tasks."""
    add = parser.add_argument
    add("corpora", nargs="*", metavar="CORPUS", help="folder or file of audio, of any rate and channel count")
    add("-o", "--out", metavar="RUN", help="folder of the run: made, or gone on with; that of a voice is a checkpoint")
    add("--list", action="store_true", help="show the presets with their purpose, rate, size and time, and end")
    add(
        "--task",
        choices=tuple(TASKS),
        help="what to make: a voice (the default), its stages (vocoder, then planner), a plain network (generate), a "
        "classifier, a corrector for synth compress",
    )
    add(
        "--minutes",
        type=opt.real(0, limits.MAX_MINUTES, above=True),
        metavar="N",
        help="the time for all of it, or for which a run that has ended goes on (default of a voice: 10)",
    )
    add("--resume", action="store_true", help="finish a run that was stopped")
    _add_corpus_options(parser)
    _add_task_options(parser)
    add("--device", choices=("auto", "cpu", "cuda"), default="auto", help="where to train (default: auto)")
    add_training_threads(parser)
    add_common(parser, as_json=False)
    parser.set_defaults(run=run)


def _add_corpus_options(parser: opt.Parser) -> None:
    """What is trained on, and for how long."""
    add = parser.add_argument
    presets = f"sizes and schedule, by default the first of the task's: {_presets_of_tasks()}"
    add("--preset", choices=preset_names(), help=presets)
    add(
        "--rate",
        type=opt.integer(limits.MIN_NETWORK_RATE, limits.MAX_NETWORK_RATE),
        metavar="HZ",
        help="sample rate (default: the preset's)",
    )
    add(
        "--labels", metavar="PATTERN|CSV", help='labels from file names, like "{digit}_{speaker}_{take}", or from a CSV'
    )
    add(
        "--split",
        metavar="RULE|CSV",
        help='which files are for validation and test, like "test:take=0-4;validation:take=5-6" or "test:every=10+1" '
        "(default: 5 %% for validation, 5 %% for test)",
    )
    add("--trim", action="store_true", help="cut silence off the ends of every file")
    add(
        "--steps",
        type=opt.integer(1, 10**9),
        metavar="N",
        help="steps to train in all, or to which a run that has ended goes on (default: the preset's)",
    )
    add("-s", "--seed", type=opt.integer(0, limits.MAX_SEED), metavar="SEED", help="random seed (default: 0)")


def _add_task_options(parser: opt.Parser) -> None:
    """What only some of the tasks take."""

    def add(name: str, text: str, **options: Any) -> None:
        text = f"of --task {' or '.join(tasks_with(name))}: {text}"
        parser.add_argument(flag(name), dest=name, help=text, **options)

    add(
        "density",
        "blocks of the weights of every sample that remain; the engine skips the others (default: the preset's)",
        type=opt.real(0, 1, above=True),
        metavar="SHARE",
    )
    add("target", "label to classify by; several are learned at once", action="append", metavar="KEY")
    add(
        "voice",
        "speaker-like target, which speed and pitch are part of (default: speaker, where it is one)",
        action="append",
        metavar="KEY",
    )
    add("features", "what the network reads (default: logmel)", choices=("logmel", "mfcc"))
    add("net", "kind of network (default: cnn)", choices=("gru", "cnn"))
    add(
        "base",
        "the voice to begin from, or scratch (default of a voice: the bundled one that is nearest to the sounds)",
        metavar="VOICE|scratch",
    )
    add("vocoder", "checkpoint of the voice whose tokens are planned", metavar="VOICE")
    add(
        "divergence",
        "latents are Gaussian, held to a standard one with this weight, like 0.01 (default: 0)",
        type=opt.real(0, 100),
        metavar="WEIGHT",
    )


def _presets_of_tasks() -> str:
    """The presets of each task, for people."""
    return "; ".join(f"{name}: {', '.join(entry.presets)}" for name, entry in TASKS.items() if entry.presets)


def _presets() -> list[str]:
    """A line for each preset of each task: purpose, rate, size of the checkpoint, time."""
    rows = [["--task", "--preset", "rate", "checkpoint", "time", "for"]]
    for name, entry in TASKS.items():
        for preset, facts in entry.facts.items():
            rate = f"{facts.rate} Hz" if facts.rate else "the voice's"
            rows.append([name, preset, rate, f"{facts.megabytes:g} MB", _duration(facts.minutes), facts.purpose])
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return ["  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _duration(minutes: float) -> str:
    if minutes < 120:
        return f"{minutes:g} min"
    return f"{minutes / 60:.1f} h" if minutes < 48 * 60 else f"{minutes / 1440:.0f} days"


def _task(options: Namespace) -> str | None:
    """The task that was asked for; None for that of the run that is there."""
    is_there = options.out and os.path.exists(os.path.join(options.out, "run.json"))
    return options.task or (None if is_there else DEFAULT_TASK)


def run(options: Namespace, console: Console) -> Report | None:
    """`synth train`: trains a network on folders of audio."""
    began = time.monotonic()
    if options.list:
        return Report({}, _presets())
    if options.out is None:
        raise UsageError("-o/--out: name the folder of the run")
    goes_on = options.resume or options.minutes is not None or options.steps is not None
    if not options.corpora and not (goes_on and (options.resume or _task(options) is None)):
        raise UsageError("CORPUS: name at least one folder of audio")
    task_options = {
        name: getattr(options, name) for entry in TASKS.values() for name in entry.options if name != "corpora"
    }
    let_waiting_threads_sleep()
    with training_extra("synth train"):
        from synth.training import train as training

        request = training.TrainRequest(
            corpora=options.corpora,
            run=options.out,
            task=_task(options),
            options=task_options,
            resume=options.resume,
            device=options.device,
            threads=options.threads,
            quiet=options.quiet,
            minutes=options.minutes,
            began=began,
        )
        training.train(request, say=console.say)
    return None
