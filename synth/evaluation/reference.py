"""Real recordings that generated ones are compared with: opened, classified, scored."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from synth.common import threads as parallel
from synth.common.errors import CorpusError, UsageError
from synth.common.labels import LabelIds, LabelSet
from synth.data import build
from synth.data.corpus import Corpus, Entry
from synth.evaluation import clips, memorization
from synth.evaluation.clips import Clip, ClipAnalyzer
from synth.generation.follow_sound import follow_sound
from synth.generation.model import Model
from synth.generation.speech_output import Tick
from synth.generation.voice import Voice


@dataclass(frozen=True)
class Evaluation:
    """What the parts of an evaluation have in common. `tick` counts samples that are classified or compared."""

    model: Model | Voice
    analyzer: ClipAnalyzer
    threads: int
    tick: Tick

    @property
    def labels(self) -> LabelSet:
        """The labels that the model knows."""
        return self.model.checkpoint.config.labels


def open_reference(
    path: str, folder: str, model: Model | Voice, labels: str | None = None, split: str | None = None
) -> Corpus:
    """A folder of recordings, with its cache in `folder`; CorpusError without test files.

    `labels`, `split`: as of `synth train`; what is None is as the checkpoint's card says. UsageError when the labels
    are none of the model's.
    """
    given = model.checkpoint.info.get("given")
    card: Mapping[str, Any] = given if isinstance(given, dict) else {}
    labels = labels or card.get("labels") or None
    split = split or card.get("split") or None
    reference = build.build([path], folder, model.sample_rate, labels, bool(card.get("trim")), split)
    keys = list(reference.labels)
    if labels and model.labels and not set(keys) & model.labels.keys():
        raise UsageError(
            f"--labels {labels}: has {', '.join(keys) or 'none'}, none of the checkpoint's keys:"
            f" {', '.join(model.labels)}"
        )
    if not reference.split("test"):
        raise CorpusError(f"{path}: the split leaves no files for test; say which with --split")
    return reference


def ids_in(model: Model | Voice, labels: LabelSet, label_ids: LabelIds) -> LabelIds:
    """A corpus file's label ids as the model's: keys and values that the model doesn't know are unset."""
    known = {key: value for key, value in labels.names(label_ids).items() if value in model.labels.get(key, ())}
    return model.checkpoint.config.labels.ids(known)


def real_clips(work: Evaluation, reference: Corpus, wanted: set[LabelIds], shown: int) -> list[Clip]:
    """The test files, with the sound of the first of each `wanted` combination of labels.

    Where no label is known, the first `shown` files have their sound.
    """
    left, jobs = set(wanted), []
    for number, entry in enumerate(reference.split("test")):
        label_ids = ids_in(work.model, reference.labels, entry.label_ids)
        jobs.append((entry, label_ids, label_ids in left or number < shown and wanted == {()}))
        left.discard(label_ids)

    def analyze(job: tuple[Entry, LabelIds, bool]) -> Clip:
        entry, label_ids, keep = job
        clip = work.analyzer.analyze(reference.samples(entry), label_ids, entry.name, keep)
        work.tick(entry.length)
        return clip

    return parallel.each(analyze, jobs, work.threads, threading.Event())


def bits_per_sample(work: Evaluation, reference: Corpus | None) -> dict[str, float | None]:
    """Bits per sample of the test files, weighted by samples: without labels, and with their own where all have one.

    A voice is conditioned on each file's own latents, without labels.
    """
    if reference is None:
        return {"bits_per_sample": None, "bits_per_sample_labels": None}
    entries = reference.split("test")
    bits = parallel.each(lambda entry: _bits(work, reference, entry), entries, work.threads, threading.Event())
    total = sum(entry.length for entry in entries)
    labelled = [with_labels for _, with_labels in bits if with_labels is not None]
    return {
        "bits_per_sample": sum(plain for plain, _ in bits) / total,
        "bits_per_sample_labels": sum(labelled) / total if len(labelled) == len(bits) else None,
    }


def _bits(work: Evaluation, reference: Corpus, entry: Entry) -> tuple[float, float | None]:
    """The code length of a file in bits without labels, and with its own if it has any."""
    model, sound = work.model, np.array(reference.samples(entry))
    label_ids = ids_in(model, reference.labels, entry.label_ids)
    labels = work.labels.names(label_ids)
    if isinstance(model, Voice):
        stream, codes = follow_sound(model, sound)
        work.tick(2 * entry.length)
        return stream.teacher_force(codes) / 65536, None
    plain = model.score_samples(sound).bits_per_sample * entry.length
    work.tick(2 * entry.length)
    return plain, model.score_samples(sound, labels).bits_per_sample * entry.length if labels else None


def copying(work: Evaluation, reference: Corpus, generated: list[Clip], real: list[Clip]) -> dict[str, Any]:
    """Distances to the nearest training clip, of generated and of real test clips, by embedding and by waveform."""
    data: dict[str, Any] = {
        "training_files": len(reference.split("train")),
        "excerpt_seconds": memorization.EXCERPT_SECONDS,
        "embedding": _copying_by_embedding(work, reference, generated, real) if work.analyzer.classifier else None,
        "waveform": _copying_by_waveform(work, reference, generated, real),
    }
    verdicts = [data[measure]["passed"] for measure in ("embedding", "waveform") if data[measure]]
    data["passed"] = all(verdicts) if verdicts else None
    return data


def _copying_by_embedding(
    work: Evaluation, reference: Corpus, generated: list[Clip], real: list[Clip]
) -> dict[str, Any] | None:
    """None when there is nothing to compare."""

    def analyze(entry: Entry) -> Clip:
        clip = work.analyzer.analyze(reference.samples(entry), (), entry.name)
        work.tick(entry.length)
        return clip

    trained = clips.embeddings(parallel.each(analyze, reference.split("train"), work.threads, threading.Event()))
    both = [clips.embeddings(each) for each in (generated, real)]
    if not len(trained) or not all(len(each) for each in both):
        return None
    return memorization.verdict(*(memorization.by_embedding(each, trained) for each in both))


def _copying_by_waveform(
    work: Evaluation, reference: Corpus, generated: list[Clip], real: list[Clip]
) -> dict[str, Any] | None:
    """None when there is nothing to compare."""
    excerpts = [[clip.excerpt for clip in each if clip.excerpt.any()] for each in (generated, real)]
    sounds = (reference.samples(entry) for entry in reference.split("train"))
    distances = memorization.by_waveform([*excerpts[0], *excerpts[1]], sounds, work.threads, work.tick)
    own, others = distances[: len(excerpts[0])], distances[len(excerpts[0]) :]
    return memorization.verdict(own, others) if len(own) and len(others) else None
