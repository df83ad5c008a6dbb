"""What the subcommands of `synth` do; each takes its parsed options and returns what is to be printed, if anything."""

from __future__ import annotations

import os
from argparse import Namespace
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

from synth.errors import CodecError, SynthError, UsageError
from synth.extras import training_extra
from synth.options import parse_labels

if TYPE_CHECKING:
    from synth.compressing import Done


@dataclass(frozen=True)
class Console:
    """What a command may show while it runs: `progress(samples)` as for `generate`, and `say`, for a note to people."""

    progress: Callable[[int | None], AbstractContextManager[Callable[[int], Any]]]
    say: Callable[[str], None]


@dataclass(frozen=True)
class Report:
    """`data` for `--json` (None: nothing to report), `lines` for people, `failures` of single inputs.

    `aside`: stdout has audio, so that JSON goes to stderr.
    """

    data: dict[str, Any] | None
    lines: list[str]
    failures: list[SynthError] = field(default_factory=list)
    aside: bool = False


def train(options: Namespace, console: Console) -> None:
    """`synth train`: trains a network on folders of audio."""
    if not options.corpora and not options.resume:
        raise UsageError("CORPUS: name at least one folder of audio")
    with training_extra("synth train"):
        from synth import train as training

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


def export(options: Namespace, console: Console) -> None:
    """`synth export`: makes an integer checkpoint of a run."""
    if not options.out.endswith(".safetensors"):
        raise UsageError(f"{options.out}: the name of a checkpoint ends in .safetensors")
    card = dict(fact.partition("=")[::2] for fact in options.card)
    if "" in card or not all(card.values()):
        raise UsageError("--card: must be KEY=TEXT")
    from synth import places

    places.check_outputs([options.out], [], options.force)
    with training_extra("synth export"):
        from synth import export as exporting

        run, out = options.run, options.out
        warm = tuple(options.temperatures) if options.temperatures else None
        exporting.export(
            run,
            out,
            options.steps,
            options.noise,
            warm,
            options.guidance,
            card,
            options.force,
            options.quiet,
            say=console.say,
        )


def score(options: Namespace, console: Console) -> Report:
    """`synth score`: bits per sample of each file, goes on after a file that can't be read."""
    from synth import places, sampler, scoring

    single = _single_labels(options)
    places.given_twice(options.audio)
    model = sampler.load(options.checkpoint, options.engine, plain=True)
    model.check_scores()
    model.plan(single, None)
    if options.labels and single:
        raise UsageError("--label and --labels: give one of them")
    by_name = scoring.labels_by_name(options.labels, model) if options.labels else lambda path: single
    with console.progress(None) as tick:
        found = scoring.score_files(model, options.audio, by_name, options.threads or os.cpu_count() or 1, tick)
    failures = [entry for entry in found if isinstance(entry, SynthError)]
    files = [entry for entry in found if not isinstance(entry, SynthError)]
    if not files:
        return Report(None, [], failures)
    lines = [f"{file.path}: {file.bits_per_sample:.4f} bits per sample, {file.samples} samples" for file in files]
    whole = scoring.FileScore("", sum(file.samples for file in files), sum(file.cost for file in files))
    if len(files) > 1:
        lines.append(f"all {len(files)} files: {whole.bits_per_sample:.4f} bits per sample, {whole.samples} samples")
    data = {
        "files": [
            {"path": file.path, "samples": file.samples, "bits_per_sample": file.bits_per_sample} for file in files
        ],
        "samples": whole.samples,
        "bits_per_sample": whole.bits_per_sample,
        "checkpoint": model.checkpoint.name,
        "labels": {"by name": options.labels} if options.labels else single,
        "engine": model.engine.name,
    }
    return Report(data, lines, failures)


def _single_labels(options: Namespace, option: str = "--label") -> dict[str, str]:
    labels = parse_labels(options.label, option, single=True)
    single = {key: value for key, value in labels.items() if isinstance(value, str)}
    for key in labels.keys() - single.keys():
        raise UsageError(f"{option} {key}: takes one value here, it holds for the whole file")
    return single


def morph(options: Namespace, console: Console) -> Report:
    """`synth morph`: between two sounds."""
    from synth import morphing

    request = morphing.Request(
        options.first,
        options.second,
        options.out,
        options.checkpoint,
        options.mix,
        options.time_stretch,
        options.temperature,
        options.seed,
        _single_labels(options, "--keep-label"),
        options.format,
        options.engine,
        options.force,
    )
    return _spoken(morphing.morph(request, console.progress), options, console)


def _spoken(data: dict[str, Any], options: Namespace, console: Console) -> Report:
    file = data["files"][0]
    if not options.json:
        console.say(f"{file['path']}: {data['seconds']:.2f} s with {data['checkpoint']}, seed {file['seed']}")
    return Report(data, [], [], options.out == "-")


def vocode(options: Namespace, console: Console) -> Report:
    """`synth vocode`: a recording or features, spoken by a voice."""
    from synth import vocoding

    single = _single_labels(options)
    request = vocoding.Request(
        options.source,
        options.out,
        options.checkpoint,
        options.tokens,
        options.temperature,
        options.seed,
        single,
        options.format,
        options.engine,
        options.force,
    )
    return _spoken(vocoding.vocode(request, console.progress), options, console)


def classify(options: Namespace, console: Console) -> Report:
    """`synth classify`: what each file is, most probable first; goes on after a file that can't be heard."""
    from synth import classifying, places

    places.given_twice(options.audio)
    judge = classifying.open_judge(options.checkpoint, options.engine)
    found = classifying.classify_files(judge, options.audio, options.threads or os.cpu_count() or 1)
    failures = [entry for entry in found if isinstance(entry, SynthError)]
    files = [entry for entry in found if not isinstance(entry, SynthError)]
    if not files:
        return Report(None, [], failures)
    lines = [classifying.line(file, options.top or 3) for file in files]
    data = {"files": [classifying.entry(file, options.top) for file in files], "checkpoint": judge.name}
    return Report(data, lines, failures)


def evaluate(options: Namespace, console: Console) -> Report:
    """`synth evaluate`: what is generated, heard by a recogniser and beside real recordings."""
    from synth import comparing, evaluating

    names = {field.name for field in fields(evaluating.Request)}
    request = evaluating.Request(**{name: value for name, value in vars(options).items() if name in names})
    data = evaluating.evaluate(request, console.progress)
    return Report(data, comparing.lines(data))


def info(options: Namespace, console: Console) -> Report:
    """`synth info`: all checkpoints, one with its card and its sizes, or what is in a .syn file."""
    from synth import information

    if options.checkpoint is None:
        return Report(*information.overview())
    return Report(*information.of(options.checkpoint))


def bench(options: Namespace, console: Console) -> Report:
    """`synth bench`: samples a second of this machine."""
    if options.codec:
        return _contest(options, console)
    from synth import bench as measuring

    data = measuring.run(options.checkpoint, options.threads, options.baseline)
    width = max(len(result["name"]) for result in data["results"])
    lines = [data["processor"]]
    for result in data["results"]:
        speed = f"{result['samples_per_second']:>12,.0f} samples/s, spread {100 * result['spread']:.1f} %"
        ratio = result.get("ratio", 0)
        more = f", {f'{ratio:.3g}' if ratio > 0.1 else f'1/{1 / ratio:.0f}'} x {result['over']}" if ratio else ""
        more += f", {result['milliseconds']:.2f} ms" if "milliseconds" in result else ""
        lines.append(f"{result['name']:<{width}}  {speed}, {result['instruction_set']}{more}")
    return Report(data, lines)


def _contest(options: Namespace, console: Console) -> Report:
    from synth import contest, jobs

    inputs = jobs.found(options.codec, True)
    failures = [one for one in inputs if isinstance(one, SynthError)]
    paths = [one[0] for one in inputs if not isinstance(one, SynthError)]
    if not paths:
        return Report(None, [], failures)
    with console.progress(len(paths) * len(contest.coders())) as tick:
        data = contest.run(paths, tick)
    lines = [f"{data['files']} files, {data['samples']} samples, {data['bytes']} bytes as WAV"]
    lines.append(f"{'':25} {'bytes':>12} {'bits':>7} {'ratio':>6} {'encoded/s':>12} {'decoded/s':>12}")
    for row in data["results"]:
        speeds = f"{row['encoded_samples_per_second']:>12,.0f} {row['decoded_samples_per_second']:>12,.0f}"
        sizes = f"{row['bytes']:>12} {row['bits_per_sample']:>7.3f} {row['ratio']:>6.2f}"
        lines.append(f"{row['name']:25} {sizes} {speeds}")
    return Report(data, [*lines, *(f"left out: {why}" for why in data["failed"])], failures)


def compress(options: Namespace, console: Console) -> Report:
    """`synth compress`: a .syn file for each sound file; goes on after one that can't be compressed."""
    from synth import compressing as work
    from synth import jobs as names
    from synth import networks

    if options.verify and options.out in (None, "-") and "-" in options.inputs or options.verify and options.out == "-":
        raise UsageError("--verify: what goes into a pipe can't be read again; name a file")
    if options.bitrate is not None and options.mode != "parametric":
        raise UsageError("--bitrate: is for --mode parametric")
    if options.out not in (None, "-") and not (
        os.path.isdir(options.out) or len(options.inputs) > 1 or options.recursive
    ):
        names.check_suffix(options.out, (names.SUFFIX,))
    inputs = names.found(options.inputs, options.recursive)
    jobs = names.plan(
        inputs,
        options.out,
        lambda _, name: os.path.splitext(name)[0] + names.SUFFIX,
        options.recursive,
        networks.file_of(options.checkpoint, networks.AUTO, networks.NONE),
    )
    chosen = work.Options(
        options.threads or os.cpu_count() or 1,
        options.level,
        options.mode,
        options.checkpoint if options.mode == "parametric" else networks.check(options.checkpoint, options.level),
        options.bitrate,
        options.force,
        options.verify,
    )
    done, failures = work.work(jobs, work.compress_one, chosen, console.progress)
    say = (lambda text: None) if options.json else console.say
    for one in done:
        say(f"{one.path}: {one.out}, {_size(one)}")
    if len(done) > 1:
        say(f"all {len(done)} files: {_size(work.together(done))}")
    if not done:
        return Report(None, [], failures)
    whole = _compressed(work.together(done))
    del whole["path"], whole["out"], whole["checkpoint"]
    data = {"files": [_compressed(one) for one in done], **whole}
    data |= {"mode": options.mode, "level": options.level, "checkpoint": chosen.checkpoint}
    return Report(data if options.json else None, [], failures, any(one.out == "-" for one in done))


def decompress(options: Namespace, console: Console) -> Report:
    """`synth decompress`: the sound file for each .syn file; goes on after one that is damaged."""
    from synth import compressing as work
    from synth import jobs as names
    from synth import networks

    if options.end is not None and options.end <= (options.start or 0):
        raise UsageError(f"--end {options.end:g}: must be after --start {options.start:g}")
    inputs = names.found(options.inputs, options.recursive, packed=True)
    network = networks.file_of(options.checkpoint)
    jobs = names.plan(inputs, options.out, work.original_name, options.recursive, network)
    for job in jobs:
        if isinstance(job, names.Job):
            work.check_kind(job)
    chosen = work.Options(
        options.threads or os.cpu_count() or 1,
        force=options.force,
        salvage=options.salvage,
        start=options.start,
        end=options.end,
        checkpoint=options.checkpoint,
    )
    done, failures = work.work(jobs, work.decompress_one, chosen, console.progress)
    for one in done:
        if not options.json:
            console.say(f"{one.path}: {one.out}, {one.samples / one.rate:g} s at {one.rate} Hz")
        failures += [CodecError(damage) for damage in one.damages]
    data = {"files": [{**_decoded(one), "out": one.out, "damages": list(one.damages)} for one in done]}
    return Report(data if options.json and done else None, [], failures, any(one.out == "-" for one in done))


def verify(options: Namespace, console: Console) -> Report:
    """`synth verify`: decodes each .syn file; goes on after one that is damaged."""
    from synth import compressing as work
    from synth import jobs as names

    inputs = names.found(options.inputs, options.recursive, packed=True)
    jobs = [one if isinstance(one, SynthError) else names.Job(one[0], "") for one in inputs]
    chosen = work.Options(options.threads or os.cpu_count() or 1, checkpoint=options.checkpoint)
    done, failures = work.work(jobs, work.verify_one, chosen, console.progress)
    for one in [] if options.json else done:
        console.say(f"{one.path}: whole, {one.samples / one.rate:g} s at {one.rate} Hz")
    return Report({"files": [_decoded(one) for one in done]} if options.json and done else None, [], failures)


def _size(done: Done) -> str:
    text = f"{done.bytes_in} to {done.bytes_out} bytes, {done.bits_per_sample:.3f} bits per sample"
    return text if done.checkpoint == "none" else f"{text}, with {done.checkpoint}"


def _compressed(done: Done) -> dict[str, Any]:
    return {
        "path": done.path,
        "out": done.out,
        "bytes_in": done.bytes_in,
        "bytes_out": done.bytes_out,
        "samples": done.samples,
        "channels": done.channels,
        "bits_per_sample": done.bits_per_sample,
        "ratio": done.bytes_in / done.bytes_out,
        "checkpoint": done.checkpoint,
    }


def _decoded(done: Done) -> dict[str, Any]:
    return {"path": done.path, "samples": done.samples, "channels": done.channels, "sample_rate": done.rate}
