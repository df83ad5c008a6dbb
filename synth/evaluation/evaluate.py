"""What `synth evaluate` does: generates for every label value, and compares what it made with real sound."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from typing import Any

import numpy as np

from synth.common import new_file, outputs
from synth.common.cpus import available_cpus
from synth.common.errors import UsageError
from synth.common.labels import LabelSet
from synth.common.limits import MAX_COUNT, MAX_SEED
from synth.common.typing import Int16
from synth.data.corpus import AUDIO, Corpus
from synth.engine.config import SamplingConfig
from synth.evaluation import clips, figures, html_report
from synth.evaluation.clips import Clip, ClipAnalyzer, ClipJob
from synth.evaluation.reference import Evaluation, bits_per_sample, copying, open_reference, real_clips
from synth.generation.base import sample_count
from synth.generation.loading import load
from synth.generation.model import Model
from synth.generation.speech_output import Progress
from synth.generation.voice import Voice
from synth.recognition import generative
from synth.recognition.classifier import Classifier, load_classifier

DEFAULT_CLASSIFIER = "digits-classifier"
MAX_SHOWN = 64
"""Label values of a key that the page has sounds of."""
_SHOWN = 2
"""Sounds, real and generated, of a label value."""


@dataclass(frozen=True, kw_only=True)
class EvaluateRequest:
    """The options of the command, each in its own range; what they must agree on is checked by `evaluate`.

    `checkpoint`, `classifier`: names or paths. `more_classifiers`: what they hear is reported too. `count`: files for
    each combination of label values. `reference`: folder of real recordings, with its `labels` and `split`.
    `duration`: seconds of a file. `report`: the page to write.
    """

    checkpoint: str
    classifier: str | None = None
    more_classifiers: tuple[str, ...] = ()
    count: int = 10
    reference: str | None = None
    labels: str | None = None
    split: str | None = None
    duration: float | None = None
    seed: int = 0
    temperature: float = 1.0
    top_k: int = 256
    top_p: float = 1.0
    report: str | None = None
    threads: int | None = None
    engine: str = "auto"
    force: bool = False


def evaluate(request: EvaluateRequest, progress: Progress) -> dict[str, Any]:
    """Generates, classifies, compares, writes the page where one is asked for, and returns what `--json` reports.

    `progress(samples)` as for `generate`. Raises UsageError for options that don't fit each other or the checkpoint,
    CheckpointError for a checkpoint of the wrong kind, CorpusError for a reference that can't be used.
    """
    _check_report(request)
    model = load(request.checkpoint, request.engine)
    SamplingConfig.of(request.temperature, request.top_k, request.top_p)
    jobs = plan(model.checkpoint.config.labels, request.count, request.seed)
    classifiers = _classifiers(request, model)
    if request.reference is None:
        for option in ("labels", "split"):
            if getattr(request, option) is not None:
                raise UsageError(f"--{option}: says what is in a reference corpus; give --reference too")
        return _evaluate(request, model, classifiers, jobs, None, progress)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        reference = open_reference(request.reference, folder, model, request.labels, request.split)
        return _evaluate(request, model, classifiers, jobs, reference, progress)


def plan(labels: LabelSet, count: int, seed: int) -> list[ClipJob]:
    """The files to make, `count` for each combination of label values, each with a seed of its own, from `seed` on.

    With the same seeds for all combinations the files would not be independent: of one seed they start to sound at the
    same sample. With more than 128 combinations each value has its files with the other keys unset. UsageError for too
    many files.
    """
    combinations = generative.label_combinations(labels)
    if (total := len(combinations) * count) > MAX_COUNT:
        raise UsageError(f"-n {count}: {count} files for each of {len(combinations)} are {total}; at most {MAX_COUNT}")
    if seed + total - 1 > MAX_SEED:
        raise UsageError(f"--seed {seed} with {total} files: the last seed would be above {MAX_SEED}")
    return [
        ClipJob(label_ids, seed + place * count + number)
        for place, label_ids in enumerate(combinations)
        for number in range(count)
    ]


def _check_report(request: EvaluateRequest) -> None:
    """UsageError, OutputError for a page that can't be written."""
    if request.report is None:
        return
    if not request.report.lower().endswith((".html", ".htm")):
        raise UsageError(f"--report {request.report}: must be the name of a .html file")
    inputs = [
        name
        for name in (request.checkpoint, request.classifier, *request.more_classifiers)
        if name and os.path.exists(name)
    ]
    outputs.check_outputs([request.report], inputs, request.force)


def _classifiers(request: EvaluateRequest, model: Model | Voice) -> list[Classifier]:
    """Those that can tell something of this checkpoint's labels; none when none is needed or given.

    One that the user names must know all values of the labels that it tells; without a name it is the default one, if
    that knows all values of any label. UsageError for two of one name.
    """
    if request.classifier is None and not model.labels:
        return []
    named = [request.classifier, *request.more_classifiers] if request.classifier else []
    classifiers = [load_classifier(name) for name in named or [DEFAULT_CLASSIFIER]]
    if not named:
        classes = _classes(classifiers[0])
        knows = any(set(values) <= set(classes.get(key, ())) for key, values in model.labels.items())
        return classifiers if knows else []
    names = [classifier.name for classifier in classifiers]
    for place, (name, classifier) in enumerate(zip(named, classifiers, strict=True)):
        if classifier.name in names[:place]:
            raise UsageError(f"--classifier {name}: two of the name {classifier.name}; each hears alone")
        _check_classifier(name, classifier, model)
    return classifiers


def _classes(classifier: Classifier) -> dict[str, tuple[str, ...]]:
    """The values of each class that a classifier tells."""
    return {target.name: target.values for target in classifier.targets if target.kind == "class"}


def _check_classifier(name: str, classifier: Classifier, model: Model | Voice) -> None:
    """UsageError for a classifier that can't tell this model's labels."""
    classes, asked = _classes(classifier), model.labels
    if asked and not classes.keys() & asked.keys():
        raise UsageError(
            f"--classifier {name}: tells {', '.join(classes) or 'no class'}, none of the labels of"
            f" {model.checkpoint.name}: {', '.join(asked)}"
        )
    for key in classes.keys() & asked.keys():
        strange = [value for value in asked[key] if value not in classes[key]]
        if strange:
            raise UsageError(
                f"--classifier {name}: doesn't know {key}={', '.join(strange[:5])}, which {model.checkpoint.name} has"
            )


def _evaluate(
    request: EvaluateRequest,
    model: Model | Voice,
    classifiers: list[Classifier],
    jobs: list[ClipJob],
    reference: Corpus | None,
    progress: Progress,
) -> dict[str, Any]:
    """All figures, and the page."""
    labels, samples = model.checkpoint.config.labels, _samples(request, model, reference)
    classifier = classifiers[0] if classifiers else None
    shown = _shown(labels, jobs, request.count)
    with progress(_work_samples(model, len(jobs) * samples, reference)) as tick:
        more = tuple(classifiers[1:])
        analyzer = ClipAnalyzer(classifier, model.sample_rate, more)
        work = Evaluation(model, analyzer, request.threads or available_cpus(), tick)
        generated = _generated_clips(work, request, jobs, samples, shown)
        wanted = {jobs[place].label_ids for place in shown}
        real = real_clips(work, reference, wanted, 2 * _SHOWN) if reference else []
        data = _facts(request, model, classifiers, len(generated), samples)
        data |= figures.figures(labels, classifier, generated, real, more)
        data |= bits_per_sample(work, reference)
        data["copying"] = copying(work, reference, generated, real) if reference else None
    if reference:
        counts = {name: len(reference.split(name)) for name in ("train", "test")}
        data["reference"] = {**counts, "skipped": len(reference.skipped)}
    data["left_out"] = figures.left_out(data, model.labels, reference is not None, classifier)
    if reference is not None:
        data["left_out"] += [f"{path}: {reason}" for path, reason in reference.skipped]
    if isinstance(model, Voice) and reference is not None:
        data["left_out"].append("a voice: bits per sample are along each file's own vectors, without labels")
    if request.report is not None:
        sections = _sections(labels, generated, real)
        page = html_report.render(data, sections, model.sample_rate)
        new_file.write_whole(request.report, page, like=[reference.folder / AUDIO] if reference else [])
    return data


def _samples(request: EvaluateRequest, model: Model | Voice, reference: Corpus | None) -> int:
    """Samples of a generated file: of the duration asked for, or the median of the reference's test files."""
    seconds = request.duration
    if seconds is None and reference is not None:
        seconds = float(np.median([entry.length for entry in reference.split("test")])) / model.sample_rate
    return sample_count(seconds, None, model.sample_rate)


def _work_samples(model: Model | Voice, generated: int, reference: Corpus | None) -> int:
    """Samples that are generated, classified and compared: test files are classified and scored twice, training files
    classified and compared."""
    if reference is None:
        return generated
    times = 1 if isinstance(model, Voice) else 3
    return generated + times * reference.size("test") + 2 * reference.size("train")


def _facts(
    request: EvaluateRequest, model: Model | Voice, classifiers: list[Classifier], files: int, samples: int
) -> dict[str, Any]:
    """What was asked for."""
    return {
        "checkpoint": model.checkpoint.name,
        "checkpoint_sha256": model.checkpoint.sha256,
        "classifier": classifiers[0].name if classifiers else None,
        "more_classifiers": [classifier.name for classifier in classifiers[1:]],
        "files": files,
        "seconds": samples / model.sample_rate,
        "sample_rate": model.sample_rate,
        "seeds": [request.seed, request.seed + files - 1],
        "temperature": request.temperature,
        "top_k": request.top_k,
        "top_p": request.top_p,
    }


def _shown(labels: LabelSet, jobs: list[ClipJob], count: int) -> set[int]:
    """Places of the jobs whose sound the page has: of every value of every key, spread over the other keys' values."""
    if not labels:
        return set(range(min(2 * _SHOWN, len(jobs))))
    shown: set[int] = set()
    for key, values in enumerate(labels.values()):
        for number in range(1, min(len(values), MAX_SHOWN) + 1):
            places = [place for place in range(0, len(jobs), count) if jobs[place].label_ids[key] == number]
            for turn in range(_SHOWN):
                chosen = (number + turn * len(places) // _SHOWN) % len(places)
                shown.add(places[chosen] + (0 if len(places) > 1 else min(turn, count - 1)))
    return shown


def _generated_clips(
    work: Evaluation, request: EvaluateRequest, jobs: list[ClipJob], samples: int, shown: set[int]
) -> list[Clip]:
    """The clips of all jobs, those that are shown with their sound."""

    def use(place: int, sound: Int16) -> Clip:
        job = jobs[place]
        clip = work.analyzer.analyze(sound, job.label_ids, f"seed {job.seed}", place in shown)
        work.tick(samples)
        return clip

    sampling = SamplingConfig.of(request.temperature, request.top_k, request.top_p)
    return clips.generate(work.model, jobs, sampling, samples, work.threads, use)


def _sections(labels: LabelSet, generated: list[Clip], real: list[Clip]) -> list[html_report.Section]:
    """What the page lets people hear: for each value of each key real and generated sounds side by side."""
    kept = [clip for clip in generated if clip.sound is not None]
    truth = [clip for clip in real if clip.sound is not None]
    if not labels:
        return [html_report.Section("sounds", [("", truth, kept)])] if kept else []
    sections = []
    for key, (name, values) in enumerate(labels.items()):
        lines = []
        for number, value in list(enumerate(values, 1))[:MAX_SHOWN]:
            own = _spread([clip for clip in kept if clip.label_ids[key] == number])
            same = [clip for one in own for clip in truth if clip.label_ids == one.label_ids]
            lines.append((value, same or _spread([clip for clip in truth if clip.label_ids[key] == number]), own))
        sections.append(html_report.Section(name, lines))
    return sections


def _spread(of_value: list[Clip]) -> list[Clip]:
    """At most as many clips of a value as are shown, from all over the list."""
    count = min(_SHOWN, len(of_value))
    return [of_value[number * len(of_value) // count] for number in range(count)]
