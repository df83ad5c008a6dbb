"""What `synth evaluate` does: generates for every label value, and compares what it made with real sound."""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synth.audio import mulaw
from synth.common import new_file, outputs
from synth.common import threads as parallel
from synth.common.cpus import available_cpus
from synth.common.errors import CorpusError, UsageError
from synth.common.labels import LabelSet
from synth.common.limits import MAX_COUNT, MAX_SEED
from synth.data import build, corpus
from synth.engine.config import SamplingConfig
from synth.evaluation import clips, figures, html_report, memorization
from synth.evaluation.clips import Clip, ClipAnalyzer, Job, Rows
from synth.generation.base import sample_count
from synth.generation.loading import load
from synth.generation.model import Model
from synth.generation.speech_output import Progress, Tick
from synth.generation.voice import Voice
from synth.recognition import classifier as recogniser
from synth.recognition import generative

DEFAULT_CLASSIFIER = "digits-classifier"
MAX_SHOWN = 64
"""Label values of a key that the page has sounds of."""
_SHOWN = 2
"""Sounds, real and generated, of a label value."""


@dataclass(frozen=True)
class EvaluateRequest:
    """The options of the command, each in its own range; what they must agree on is checked by `evaluate`."""

    checkpoint: str
    classifier: str | None = None
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


@dataclass(frozen=True)
class _Work:
    """What the parts of an evaluation have in common. `tick` counts samples that are heard or compared."""

    model: Model | Voice
    analyzer: ClipAnalyzer
    threads: int
    tick: Tick


def evaluate(request: EvaluateRequest, progress: Progress) -> dict[str, Any]:
    """Makes, hears, compares, writes the page where one is asked for, and returns what `--json` reports.

    `progress(samples)` as for `generating.generate`. Raises UsageError for options that don't fit each other or the
    checkpoint, CheckpointError for a checkpoint of the wrong kind, CorpusError for a reference that can't be used.
    """
    _check_report(request)
    model = load(request.checkpoint, request.engine)
    draw = SamplingConfig.of(request.temperature, request.top_k, request.top_p)
    jobs = plan(model.checkpoint.config.labels, request.count, request.seed)
    ear = _ear(request, model)
    if request.reference is None:
        for option in ("labels", "split"):
            if getattr(request, option) is not None:
                raise UsageError(f"--{option}: says what is in a reference corpus; give --reference too")
        return _judge(request, model, ear, jobs, draw, None, progress)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        reference = _reference(request, model, folder)
        return _judge(request, model, ear, jobs, draw, reference, progress)


def plan(labels: LabelSet, count: int, seed: int) -> list[Job]:
    """The files to make, `count` for each combination of label values, each with a seed of its own, from `seed` on.

    With the same seeds for all combinations the files would not be independent: of one seed they start to sound at the
    same sample. With more than 128 combinations each value has its files with the other keys unset. UsageError for too
    many files.
    """
    rows = generative.label_combinations(labels)
    if (total := len(rows) * count) > MAX_COUNT:
        raise UsageError(f"-n {count}: {count} files for each of {len(rows)} are {total}; at most {MAX_COUNT}")
    if seed + total - 1 > MAX_SEED:
        raise UsageError(f"--seed {seed} with {total} files: the last seed would be above {MAX_SEED}")
    return [Job(each, seed + place * count + number) for place, each in enumerate(rows) for number in range(count)]


def _check_report(request: EvaluateRequest) -> None:
    if request.report is None:
        return
    if not request.report.lower().endswith((".html", ".htm")):
        raise UsageError(f"--report {request.report}: must be the name of a .html file")
    inputs = [name for name in (request.checkpoint, request.classifier) if name and os.path.exists(name)]
    outputs.check_outputs([request.report], inputs, request.force)


def _ear(request: EvaluateRequest, model: Model | Voice) -> recogniser.Classifier | None:
    """The recogniser, if it can tell something of this checkpoint's labels; None when none is needed or given."""
    if request.classifier is None and not model.labels:
        return None
    name = request.classifier or DEFAULT_CLASSIFIER
    ear = recogniser.load_classifier(name)
    told = {target.name: target.values for target in ear.targets if target.kind == "class"}
    asked = model.labels
    if asked and not told.keys() & asked.keys():
        raise UsageError(
            f"--classifier {name}: tells {', '.join(told) or 'no class'}, none of the labels of"
            f" {model.checkpoint.name}: {', '.join(asked)}"
        )
    for key in told.keys() & asked.keys():
        strange = [value for value in asked[key] if value not in told[key]]
        if strange:
            raise UsageError(
                f"--classifier {name}: doesn't know {key}={', '.join(strange[:5])}, which {model.checkpoint.name} has"
            )
    return ear


def _reference(request: EvaluateRequest, model: Model | Voice, folder: str) -> corpus.Corpus:
    """The reference, split and labelled as its options or the checkpoint's card say; CorpusError without test files."""
    given = model.checkpoint.info.get("given")
    card: Mapping[str, Any] = given if isinstance(given, dict) else {}
    labels = request.labels or card.get("labels") or None
    split = request.split or card.get("split") or None
    assert request.reference is not None
    found = build.build([request.reference], folder, model.sample_rate, labels, bool(card.get("trim")), split)
    keys = list(found.labels)
    if labels and model.labels and not set(keys) & model.labels.keys():
        raise UsageError(
            f"--labels {labels}: has {', '.join(keys) or 'none'}, none of the checkpoint's keys:"
            f" {', '.join(model.labels)}"
        )
    if not found.split("test"):
        raise CorpusError(f"{request.reference}: the split leaves no files for test; say which with --split")
    return found


def _judge(
    request: EvaluateRequest,
    model: Model | Voice,
    ear: recogniser.Classifier | None,
    jobs: list[Job],
    draw: SamplingConfig,
    reference: corpus.Corpus | None,
    progress: Progress,
) -> dict[str, Any]:
    """All figures, and the page."""
    rate, threads = model.sample_rate, request.threads or available_cpus()
    seconds = request.duration
    if seconds is None and reference is not None:
        seconds = float(np.median([entry.length for entry in reference.split("test")])) / rate
    samples = sample_count(seconds, None, rate)
    total = samples * len(jobs)
    if reference:  # test files are heard and scored twice, training files heard and compared
        total += (1 if isinstance(model, Voice) else 3) * reference.size("test") + 2 * reference.size("train")
    shown = _shown(model.checkpoint.config.labels, jobs, request.count)
    with progress(total) as tick:
        work = _Work(model, ClipAnalyzer(ear, rate), threads, tick)
        made = _made(work, jobs, draw, samples, shown)
        real = _real(work, reference, {jobs[place].rows for place in shown}) if reference else []
        data = _facts(request, model, ear, len(made), samples)
        data |= figures.figures(model.checkpoint.config.labels, ear, made, real)
        data |= _bits(work, reference)
        data["copying"] = _copying(work, reference, made, real) if reference else None
    if reference:
        counts = {name: len(reference.split(name)) for name in ("train", "test")}
        data["reference"] = {**counts, "skipped": len(reference.skipped)}
    data["left_out"] = figures.left_out(data, model.labels, reference is not None)
    if isinstance(model, Voice) and reference is not None:
        data["left_out"].append("a voice: bits per sample are along each file's own vectors, without labels")
    if request.report is not None:
        sections = _sections(model.checkpoint.config.labels, made, real)
        new_file.write_whole(request.report, html_report.render(data, sections, rate))
    return data


def _facts(
    request: EvaluateRequest, model: Model | Voice, ear: recogniser.Classifier | None, files: int, samples: int
) -> dict[str, Any]:
    return {
        "checkpoint": model.checkpoint.name,
        "checkpoint_sha256": model.checkpoint.sha256,
        "classifier": ear.name if ear else None,
        "files": files,
        "seconds": samples / model.sample_rate,
        "sample_rate": model.sample_rate,
        "seeds": [request.seed, request.seed + files - 1],
        "temperature": request.temperature,
        "top_k": request.top_k,
        "top_p": request.top_p,
    }


def _shown(labels: LabelSet, jobs: list[Job], count: int) -> set[int]:
    """Places of the jobs whose sound the page has: of every value of every key, spread over the other keys' values."""
    if not labels:
        return set(range(min(2 * _SHOWN, len(jobs))))
    found: set[int] = set()
    for key, values in enumerate(labels.values()):
        for row in range(1, min(len(values), MAX_SHOWN) + 1):
            places_of = [place for place in range(0, len(jobs), count) if jobs[place].rows[key] == row]
            for number in range(_SHOWN):
                turn = (row + number * len(places_of) // _SHOWN) % len(places_of)
                found.add(places_of[turn] + (0 if len(places_of) > 1 else min(number, count - 1)))
    return found


def _made(work: _Work, jobs: list[Job], draw: SamplingConfig, samples: int, shown: set[int]) -> list[Clip]:
    def use(place: int, sound: NDArray[np.int16]) -> Clip:
        job = jobs[place]
        found = work.analyzer.analyze(sound, job.rows, f"seed {job.seed}", place in shown)
        work.tick(samples)
        return found

    return clips.generate(work.model, jobs, draw, samples, work.threads, use)


def rows_in(model: Model | Voice, labels: LabelSet, rows: Rows) -> Rows:
    """A corpus file's label rows as the model's: keys and values that the model doesn't know are unset."""
    known = {key: value for key, value in labels.names(rows).items() if value in model.labels.get(key, ())}
    return model.checkpoint.config.labels.ids(known)


def _real(work: _Work, reference: corpus.Corpus, wanted: set[Rows]) -> list[Clip]:
    """The test files, with the sounds of the first of each combination that the page shows."""
    left, jobs = set(wanted), []
    for number, entry in enumerate(reference.split("test")):
        rows = rows_in(work.model, reference.labels, entry.label_ids)
        jobs.append((entry, rows, rows in left or number < 2 * _SHOWN and wanted == {()}))
        left.discard(rows)

    def one(job: tuple[corpus.Entry, Rows, bool]) -> Clip:
        entry, rows, keep = job
        found = work.analyzer.analyze(reference.samples(entry), rows, entry.name, keep)
        work.tick(entry.length)
        return found

    return parallel.each(one, jobs, work.threads, threading.Event())


def _bits(work: _Work, reference: corpus.Corpus | None) -> dict[str, float | None]:
    """Bits per sample of the test files, weighted by samples: without labels, and with their own where all have one.

    A voice is led by what it hears of each file, without labels.
    """
    if reference is None:
        return {"bits_per_sample": None, "bits_per_sample_labels": None}
    model, test = work.model, reference.split("test")

    def one(entry: corpus.Entry) -> tuple[float, float | None]:
        sound = np.array(reference.samples(entry))
        rows = rows_in(model, reference.labels, entry.label_ids)
        named = model.checkpoint.config.labels.names(rows)
        if isinstance(model, Voice):  # led by what it hears
            vectors = model.runtime.vocoder.quantize_latents(model.runtime.vocoder.encode_sound(sound))
            work.tick(2 * entry.length)
            return model.follow(vectors).teacher_force(mulaw.encode(sound)) / 65536, None
        plain = model.score_samples(sound).bits_per_sample * entry.length
        work.tick(2 * entry.length)
        return plain, model.score_samples(sound, named).bits_per_sample * entry.length if named else None

    bits = parallel.each(one, test, work.threads, threading.Event())
    total = sum(entry.length for entry in test)
    labelled = [both for _, both in bits if both is not None]
    return {
        "bits_per_sample": sum(plain for plain, _ in bits) / total,
        "bits_per_sample_labels": sum(labelled) / total if len(labelled) == len(bits) else None,
    }


def _copying(work: _Work, reference: corpus.Corpus, made: list[Clip], real: list[Clip]) -> dict[str, Any]:
    """Distances to the nearest training clip, of generated and of real test clips, by both measures."""
    train = reference.split("train")
    found: dict[str, Any] = {"training_files": len(train), "excerpt_seconds": memorization.EXCERPT_SECONDS}
    found["embedding"] = None
    if work.analyzer.ear:

        def hear(entry: corpus.Entry) -> Clip:
            take = work.analyzer.analyze(reference.samples(entry), (), entry.name)
            work.tick(entry.length)
            return take

        trained = clips.embeddings(parallel.each(hear, train, work.threads, threading.Event()))
        both = [clips.embeddings(each) for each in (made, real)]
        if len(trained) and all(len(each) for each in both):
            found["embedding"] = memorization.verdict(*(memorization.by_embedding(each, trained) for each in both))
    excerpts = [[take.excerpt for take in clips if take.excerpt.any()] for clips in (made, real)]
    sounds = (reference.samples(entry) for entry in train)
    distances = memorization.by_waveform([*excerpts[0], *excerpts[1]], sounds, work.threads, work.tick)
    own, others = distances[: len(excerpts[0])], distances[len(excerpts[0]) :]
    found["waveform"] = memorization.verdict(own, others) if len(own) and len(others) else None
    verdicts = [found[measure]["passed"] for measure in ("embedding", "waveform") if found[measure]]
    found["passed"] = all(verdicts) if verdicts else None
    return found


def _sections(labels: LabelSet, made: list[Clip], real: list[Clip]) -> list[html_report.Section]:
    """What the page lets people hear: for each value of each key real and generated sounds side by side."""
    kept = [take for take in made if take.sound is not None]
    truth = [take for take in real if take.sound is not None]
    if not labels:
        return [html_report.Section("sounds", [("", truth, kept)])] if kept else []
    found = []
    for key, (name, values) in enumerate(labels.items()):
        lines = []
        for row, value in list(enumerate(values, 1))[:MAX_SHOWN]:
            own = _spread([take for take in kept if take.rows[key] == row])
            same = [take for one in own for take in truth if take.rows == one.rows]
            lines.append((value, same or _spread([take for take in truth if take.rows[key] == row]), own))
        found.append(html_report.Section(name, lines))
    return found


def _spread(found: list[Clip]) -> list[Clip]:
    """At most as many as are shown of a value, from all over the list."""
    count = min(_SHOWN, len(found))
    return [found[number * len(found) // count] for number in range(count)]
