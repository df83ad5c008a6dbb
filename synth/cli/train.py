"""Options of the commands that train."""

from __future__ import annotations

from argparse import Namespace

from synth.cli import arguments as opt
from synth.cli.console import Console
from synth.cli.shared_options import add_common
from synth.common import limits
from synth.common.errors import UsageError
from synth.common.extras import training_extra


def add_options(parser: opt.Parser) -> None:
    """The options of `synth train`."""
    add = parser.add_argument
    add("corpora", nargs="*", metavar="CORPUS", help="folder or file of audio, of any rate and channel count")
    add("-o", "--out", required=True, metavar="RUN", help="folder of the run: made, or gone on with by --resume")
    add(
        "--preset",
        choices=("digits", "piano", "general", "tiny", "speech", "small", "large"),
        help="sizes and schedule (default: digits; small and large are of --task corrector)",
    )
    add(
        "--rate",
        type=opt.integer(limits.MIN_NETWORK_RATE, limits.MAX_NETWORK_RATE),
        metavar="HZ",
        help="sample rate (default: the preset's)",
    )
    add(
        "--labels", metavar="PATTERN|CSV", help='labels from file names, like "{digit}_{speaker}_{take}", or from a CSV'
    )
    add("--split", metavar="RULE|CSV", help="which files are for training, validation and test")
    add("--trim", action="store_true", help="cut silence off the ends of every file")
    add("--steps", type=opt.integer(1, 10**9), metavar="N", help="steps to train in all (default: the preset's)")
    add("-s", "--seed", type=opt.integer(0, limits.MAX_SEED), metavar="SEED", help="random seed (default: 0)")
    add(
        "--density",
        type=opt.real(0, 1, above=True),
        metavar="SHARE",
        help="blocks of the weights of every sample that remain; the engine skips the others (default: the preset's)",
    )
    add("--resume", action="store_true", help="go on with a run that was stopped")
    add(
        "--task",
        choices=("generate", "classify", "vocoder", "planner", "corrector"),
        help="what to train for (default: generate)",
    )
    add("--target", action="append", metavar="KEY", help="label to classify by; several are learned at once")
    add(
        "--voice",
        action="append",
        metavar="KEY",
        help="target that speed and pitch are part of (default: speaker, where it is one)",
    )
    add("--features", choices=("logmel", "mfcc"), help="what a classifier hears (default: logmel)")
    add("--net", choices=("gru", "cnn"), help="network of a classifier (default: cnn)")
    add("--vocoder", metavar="VOICE", help="checkpoint of the vocoder that a planner is for")
    add(
        "--divergence",
        type=opt.real(0, 100),
        metavar="WEIGHT",
        help="of a vocoder: its vectors are Gaussian, held to a standard one with this weight, like 0.01 (default: 0)",
    )
    add("--device", choices=("auto", "cpu", "cuda"), default="auto", help="where to train (default: auto)")
    add("--threads", type=opt.integer(1, limits.MAX_THREADS), metavar="N", help="CPU threads (default: all cores)")
    add_common(parser, as_json=False)
    parser.set_defaults(run=run)


def run(options: Namespace, console: Console) -> None:
    """`synth train`: trains a network on folders of audio."""
    if not options.corpora and not options.resume:
        raise UsageError("CORPUS: name at least one folder of audio")
    with training_extra("synth train"):
        from synth.training import train as training

        training.train(
            corpora=options.corpora,
            run=options.out,
            preset=options.preset,
            rate=options.rate,
            labels=options.labels,
            split=options.split,
            trim=options.trim,
            steps=options.steps,
            seed=options.seed,
            density=options.density,
            task=options.task,
            target=options.target,
            voice=options.voice,
            features=options.features,
            net=options.net,
            vocoder=options.vocoder,
            divergence=options.divergence,
            resume=options.resume,
            device=options.device,
            threads=options.threads,
            quiet=options.quiet,
            say=console.say,
        )
