"""`synth export`: an integer checkpoint of a training run."""

from __future__ import annotations

from argparse import Namespace

from synth.cli import arguments as opt
from synth.cli.console import Console
from synth.cli.shared_options import add_common, add_training_threads
from synth.common.cpus import let_waiting_threads_sleep
from synth.common.errors import UsageError
from synth.common.extras import training_extra
from synth.training.tasks import tasks_with_export


def add_options(parser: opt.Parser) -> None:
    """The options of `synth export`."""
    parser.add_argument("folder", metavar="RUN", help="folder that synth train wrote")
    parser.add_argument("out", metavar="OUT.safetensors", help="checkpoint to write")
    parser.add_argument(
        "--steps", type=opt.integer(0, 10**6), metavar="N", help="steps of quantisation-aware fine-tuning"
    )
    parser.add_argument(
        "--noise",
        type=opt.real(0, 64),
        default=0.0,
        metavar="CODES",
        help=f"{_of_tasks('noise')}: noise in what the network reads while it is fine-tuned: steadier sound for a few "
        "hundredths of a bit",
    )
    parser.add_argument(
        "--temperatures",
        type=opt.real(0.05, 4),
        nargs=2,
        metavar=("PLANNER", "NETWORK"),
        help=f"{_of_tasks('temperatures')}: what a temperature of 1 stands for in the voice (default: 1 1)",
    )
    parser.add_argument(
        "--guidance",
        type=opt.half_steps,
        metavar="W",
        help=f"{_of_tasks('guidance')}: 1.5 to 4, in halves, do more than the planner by itself what labels ask for",
    )
    parser.add_argument(
        "--card", action="append", default=[], metavar="KEY=TEXT", help="a fact for the model card, like licence=CC0"
    )
    add_training_threads(parser)
    parser.add_argument("-f", "--force", action="store_true", help="replace a file that exists")
    add_common(parser, as_json=False)
    parser.set_defaults(run=run)


def _of_tasks(option: str) -> str:
    return f"of runs of --task {' or '.join(tasks_with_export(option))}"


def run(options: Namespace, console: Console) -> None:
    """`synth export`: makes an integer checkpoint of a run."""
    if not options.out.endswith(".safetensors"):
        raise UsageError(f"{options.out}: the name of a checkpoint ends in .safetensors")
    card = dict(fact.partition("=")[::2] for fact in options.card)
    if "" in card or not all(card.values()):
        raise UsageError("--card: must be KEY=TEXT")
    from synth.common import outputs

    outputs.check_outputs([options.out], [], options.force)
    let_waiting_threads_sleep()
    with training_extra("synth export"):
        from synth.training import export as exporting

        exporting.export(
            options.folder,
            options.out,
            steps=options.steps,
            noise=options.noise,
            temperatures=tuple(options.temperatures) if options.temperatures else None,
            guidance=options.guidance,
            card=card,
            threads=options.threads,
            force=options.force,
            quiet=options.quiet,
            say=console.say,
        )
