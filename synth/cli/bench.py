"""`synth bench`: how fast the engine is here, or how the codec compares with others."""

from __future__ import annotations

from argparse import Namespace

from synth.cli import arguments as opt
from synth.cli.console import Console
from synth.cli.report import Report
from synth.cli.shared_options import add_checkpoint, add_common
from synth.common import limits
from synth.common.errors import SynthError


def add_options(parser: opt.Parser) -> None:
    """The options of `synth bench`."""
    add_checkpoint(parser)
    parser.add_argument(
        "--codec",
        nargs="+",
        metavar="FILE",
        help="compress these sound files instead, beside flac, wavpack and other lossless coders that are found here",
    )
    parser.add_argument("--baseline", choices=("torch",), help="measure the same network stepped in PyTorch too")
    parser.add_argument(
        "--threads", type=opt.integer(1, limits.MAX_THREADS), metavar="N", help="threads (default: all cores)"
    )
    add_common(parser)
    parser.set_defaults(run=run)


def run(options: Namespace, console: Console) -> Report:
    """`synth bench`: samples a second of this machine."""
    if options.codec:
        return _contest(options, console)
    from synth.benchmarking import engine as measuring

    data = measuring.run(options.checkpoint, options.threads, options.baseline)
    width = max(len(result["name"]) for result in data["results"])
    lines = [data["processor"]]
    for result in data["results"]:
        speed = f"{result['samples_per_second']:>12,.0f} samples/s, spread {100 * result['spread']:.1f} %"
        ratio = result.get("ratio", 0)
        more = f", {f'{ratio:.3g}' if ratio > 0.1 else f'1/{1 / ratio:.0f}'} x {result['over']}" if ratio else ""
        more += f", {result['milliseconds']:.2f} ms" if "milliseconds" in result else ""
        more += f", {100 * result['share']:.1f} % of the time" if "share" in result else ""
        lines.append(f"{result['name']:<{width}}  {speed}, {result['instruction_set']}{more}")
    return Report(data, lines)


def _contest(options: Namespace, console: Console) -> Report:
    from synth.benchmarking import codecs
    from synth.codec import job_plan

    inputs = job_plan.list_inputs(options.codec, recursive=True, note=console.say)
    failures = [one for one in inputs if isinstance(one, SynthError)]
    paths = [one.path for one in inputs if not isinstance(one, SynthError)]
    if not paths:
        return Report(None, [], failures)
    with console.progress(len(paths) * len(codecs.coders())) as tick:
        data = codecs.run(paths, tick)
    lines = [f"{data['files']} files, {data['samples']} samples, {data['bytes']} bytes as WAV"]
    lines.append(f"{'':25} {'bytes':>12} {'bits':>7} {'ratio':>6} {'encoded/s':>12} {'decoded/s':>12}")
    for row in data["results"]:
        speeds = f"{row['encoded_samples_per_second']:>12,.0f} {row['decoded_samples_per_second']:>12,.0f}"
        sizes = f"{row['bytes']:>12} {row['bits_per_sample']:>7.3f} {row['ratio']:>6.2f}"
        lines.append(f"{row['name']:25} {sizes} {speeds}")
    return Report(data, [*lines, *(f"left out: {why}" for why in data["failed"])], failures)
