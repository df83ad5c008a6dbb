"""The figures of an evaluation: generated clips beside real ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from synth.audio import loudness
from synth.common.labels import LabelSet
from synth.evaluation import frechet
from synth.evaluation.clips import Clip, embeddings
from synth.recognition.classifier import Classifier

LAYER = "the classifier's embedding, before its nonlinearity"
NOTHING = "nothing"
"""What is heard of a silent clip, in the confusion."""


def figures(labels: LabelSet, ear: Classifier | None, made: Sequence[Clip], real: Sequence[Clip]) -> dict[str, Any]:
    """`labels`, Fréchet distances and `levels`; None where what they need is not there."""
    data: dict[str, Any] = {"labels": {}, "frechet_distance": None, "frechet_floor": None, "frechet": None}
    told = {target.name: place for place, target in enumerate(ear.targets) if target.kind == "class"} if ear else {}
    for place, (key, values) in enumerate(labels.items()):
        found: dict[str, Any] = {"values": list(values), "heard": None}
        found |= dict.fromkeys(("accuracy", "real_accuracy", "confusion", "real_confusion"))
        if ear and key in told:
            names = ear.targets[told[key]].values
            found["heard"] = [*names, NOTHING]
            for prefix, clips in (("", made), ("real_", real)):
                found |= _hits(values, names, place, told[key], clips, prefix)
        found["median_rms"] = {
            value: {"generated": _loudness(made, place, row), "real": _loudness(real, place, row)}
            for row, value in enumerate(values, 1)
        }
        data["labels"][key] = found
    own, others = embeddings(made), embeddings(real)
    distance, floor, count = frechet.frechet_beside_floor(own, others)
    if count >= 2:
        data["frechet_distance"], data["frechet_floor"] = distance, floor
        data["frechet"] = {"layer": LAYER, "files_each": count, "generated": len(own), "real": len(others)}
        data["frechet"]["all_files"] = frechet.frechet(own, others)
    data["levels"] = {"generated": loudness.summarize([take.level for take in made])}
    data["levels"]["real"] = loudness.summarize([take.level for take in real]) if real else None
    return data


def _hits(
    values: Sequence[str], names: Sequence[str], place: int, target: int, clips: Sequence[Clip], prefix: str
) -> dict[str, Any]:
    """Accuracy and confusion (a row a value; a column a name, the last for nothing) of clips whose label is known."""
    table = np.zeros((len(values), len(names) + 1), np.int64)
    for take in clips:
        if take.rows[place]:
            table[take.rows[place] - 1, take.heard[target] if take.heard else len(names)] += 1
    if not table.sum():
        return {}
    right = sum(int(table[row, names.index(value)]) for row, value in enumerate(values))
    return {f"{prefix}accuracy": right / int(table.sum()), f"{prefix}confusion": table.tolist()}


def _loudness(clips: Sequence[Clip], place: int, row: int) -> float | None:
    found = [take.level.rms for take in clips if take.rows[place] == row]
    return float(np.median(found)) if found else None


def left_out(data: Mapping[str, Any], labels: Mapping[str, tuple[str, ...]], reference: bool) -> list[str]:
    """What is not in the figures, and why, for people."""
    found = []
    if not reference:
        found.append("real files, Fréchet distance, bits per sample and copying need --reference CORPUS")
    if not labels:
        found.append("the checkpoint has no labels: no accuracy")
    if data["classifier"] is None:
        found.append("no --classifier: nothing was heard, no distance between embeddings")
    for key, label in data["labels"].items():
        if label["heard"] is None:
            found.append(f"label {key}: the classifier doesn't tell it")
        elif reference and label["real_accuracy"] is None:
            found.append(f"label {key}: not known of the reference's files (--labels)")
    if reference and data["classifier"] is not None and data["frechet"] is None:
        found.append("Fréchet distance: needs four real files and two generated ones that can be heard")
    if reference and data["reference"]["skipped"]:
        found.append(f"{data['reference']['skipped']} files of the reference can't be used")
    return found


def lines(data: Mapping[str, Any]) -> list[str]:
    """The report as lines for people."""
    found = [
        f"{data['checkpoint']}: {data['files']} files of {data['seconds']:g} s, {seeds(data)},"
        f" temperature {data['temperature']:g}"
    ]
    found += [f"{name}: {made}" + (f" (real {real})" if real else "") for name, made, real in rows(data)]
    return [*found, *(f"left out: {why}" for why in data["left_out"])]


def seeds(data: Mapping[str, Any]) -> str:
    """The seeds in use, for people."""
    first, last = data["seeds"]
    return f"seed {first}" if first == last else f"seeds {first} to {last}"


def rows(data: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """The summary as (what, generated, real) texts."""
    found = []
    for key, label in data["labels"].items():
        if label["accuracy"] is not None:
            found.append((f"{key} heard as asked", percent(label["accuracy"]), percent(label["real_accuracy"])))
    if data["frechet"]:
        count = data["frechet"]["files_each"]
        name = f"Fréchet distance to real, {count} files each (real: one half to the other)"
        found.append((name, f"{data['frechet_distance']:.2f}", f"{data['frechet_floor']:.2f}"))
    if data["bits_per_sample"] is not None:
        labelled = data["bits_per_sample_labels"]
        more = f"; with labels {labelled:.4f}" if labelled is not None else ""
        found.append(("bits per sample of the test files", f"{data['bits_per_sample']:.4f}{more}", ""))
    for measure in ("embedding", "waveform") if data["copying"] else ():
        verdict = data["copying"][measure]
        if verdict:
            passed = "no copies" if verdict["passed"] else "TOO NEAR"
            name = f"copying, 1st percentile of distances to training by {measure}"
            found.append((name, f"{verdict['generated']:.3f}, {passed}", f"{verdict['real']:.3f}"))
    own, real = data["levels"]["generated"], data["levels"]["real"]
    for name, key, scale, form in _LEVELS:
        found.append((name, form.format(scale * own[key]), form.format(scale * real[key]) if real else ""))
    return found


_LEVELS = (
    ("median RMS", "median_rms", 1, "{:.4f}"),
    ("median seconds until the first sound", "median_onset_seconds", 1, "{:.2f}"),
    ("median seconds from first to last sound", "median_sounding_seconds", 1, "{:.2f}"),
    ("silent files", "silent_files", 100, "{:.1f} %"),
    ("silent frames", "silence", 100, "{:.1f} %"),
    ("clipped samples", "clipping", 100, "{:.3f} %"),
    ("median DC offset", "dc_offset", 1, "{:.5f}"),
)


def percent(share: float | None) -> str:
    """A share for people; nothing for None."""
    return "" if share is None else f"{100 * share:.1f} %"
