"""Options of the commands that train."""

from __future__ import annotations

from typing import Any

from synth import options as opt
from synth.parsers_shared import add_common


def train_parser(commands: Any) -> None:
    text = "trains a network on folders of audio"
    parser = commands.add_parser("train", help=text, description=f"synth train {text}.")
    add = parser.add_argument
    add("corpora", nargs="*", metavar="CORPUS", help="folder or file of audio, of any rate and channel count")
    add("-o", "--out", required=True, metavar="RUN", help="folder of the run: made, or gone on with by --resume")
    add(
        "--preset",
        choices=("digits", "piano", "general", "tiny", "speech", "small", "large"),
        help="sizes and schedule (default: digits; small and large are of --task corrector)",
    )
    add("--rate", type=opt.integer(1000, 384000), metavar="HZ", help="sample rate (default: the preset's)")
    add(
        "--labels", metavar="PATTERN|CSV", help='labels from file names, like "{digit}_{speaker}_{take}", or from a CSV'
    )
    add("--split", metavar="RULE|CSV", help="which files are for training, validation and test")
    add("--trim", action="store_true", help="cut silence off the ends of every file")
    add("--steps", type=opt.integer(1, 10**9), metavar="N", help="steps to train in all (default: the preset's)")
    add("-s", "--seed", type=opt.integer(0, opt.MOST_SEED), metavar="SEED", help="random seed (default: 0)")
    add(
        "--density",
        type=opt.real(0, 1, open_least=True),
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
    add("--threads", type=opt.integer(1, 4096), metavar="N", help="CPU threads (default: all cores)")
    add_common(parser, as_json=False)


def export_parser(commands: Any) -> None:
    text = "makes an integer checkpoint of a run"
    parser = commands.add_parser("export", help=text, description=f"synth export {text}.")
    parser.add_argument("run", metavar="RUN", help="folder that synth train wrote")
    parser.add_argument("out", metavar="OUT.safetensors", help="checkpoint to write")
    parser.add_argument(
        "--steps", type=opt.integer(0, 10**6), metavar="N", help="steps of quantisation-aware fine-tuning"
    )
    parser.add_argument(
        "--noise",
        type=opt.real(0, 64),
        default=0.0,
        metavar="CODES",
        help="noise in what the network hears while it is fine-tuned: steadier sound for a few hundredths of a bit",
    )
    parser.add_argument(
        "--temperatures",
        type=opt.real(0.05, 4),
        nargs=2,
        metavar=("PLANNER", "NETWORK"),
        help="of a planner's voice: what a temperature of 1 stands for (default: 1 1)",
    )
    parser.add_argument(
        "--guidance",
        type=opt.halves,
        metavar="W",
        help="of a planner's voice: 1.5 to 4, in halves, do more than the planner by itself what labels ask for",
    )
    parser.add_argument(
        "--card", action="append", default=[], metavar="KEY=TEXT", help="a fact for the model card, like licence=CC0"
    )
    parser.add_argument("-f", "--force", action="store_true", help="replace a file that exists")
    add_common(parser, as_json=False)
