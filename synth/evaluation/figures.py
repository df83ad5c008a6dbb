"""The figures of an evaluation: generated clips beside real ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from synth.audio import loudness
from synth.common.labels import LabelSet
from synth.common.typing import Float32
from synth.evaluation import frechet
from synth.evaluation.clips import Clip, embeddings
from synth.recognition.classifier import Classifier

LAYER = "the classifier's embedding, before its nonlinearity"
NOTHING = "nothing"
"""What is predicted of a silent clip, in the confusion."""


def figures(
    labels: LabelSet,
    classifier: Classifier | None,
    generated: Sequence[Clip],
    real: Sequence[Clip],
    more: Sequence[Classifier] = (),
) -> dict[str, Any]:
    """`labels`, Fréchet distances and `levels`; None where what they need is not there. `more`: further classifiers."""
    data: dict[str, Any] = {"labels": {}, **_frechet(embeddings(generated), embeddings(real))}
    for place, (key, values) in enumerate(labels.items()):
        label: dict[str, Any] = {"values": list(values)}
        label |= _judged(classifier, key, values, place, generated, real)
        label["median_rms"] = {
            value: {"generated": _median_rms(generated, place, number), "real": _median_rms(real, place, number)}
            for number, value in enumerate(values, 1)
        }
        label["distributions"] = {
            value: _distributions(_labelled(generated, place, number), _labelled(real, place, number))
            for number, value in enumerate(values, 1)
        }
        if more:
            label["others"] = {
                each.name: _judged(each, key, values, place, generated, real, number)
                for number, each in enumerate(more)
            }
        data["labels"][key] = label
    data["levels"] = {"generated": loudness.summarize([clip.loudness for clip in generated])}
    data["levels"]["real"] = loudness.summarize([clip.loudness for clip in real]) if real else None
    data["distributions"] = {"percentiles": list(loudness.SHARES), **_distributions(generated, real)}
    return data


def _judged(
    classifier: Classifier | None,
    key: str,
    values: Sequence[str],
    place: int,
    generated: Sequence[Clip],
    real: Sequence[Clip],
    other: int | None = None,
) -> dict[str, Any]:
    """What a classifier says of a label at `place`; `other`: the number of a further classifier."""
    targets = classifier.targets if classifier else ()
    classes = {target.name: number for number, target in enumerate(targets) if target.kind == "class"}
    label = dict.fromkeys(("heard", "accuracy", "real_accuracy", "confusion", "real_confusion"))
    if key not in classes or not set(values) <= set(targets[classes[key]].values):
        return label
    names = targets[classes[key]].values
    label["heard"] = [*names, NOTHING]
    for prefix, clips in (("", generated), ("real_", real)):
        label |= _accuracy(values, names, place, classes[key], clips, prefix, other)
    return label


def _labelled(clips: Sequence[Clip], place: int, number: int) -> list[Clip]:
    """The clips with one label."""
    return [clip for clip in clips if clip.label_ids[place] == number]


def _distributions(generated: Sequence[Clip], real: Sequence[Clip]) -> dict[str, Any]:
    """How long, how loud, with what pauses: percentiles, None without clips."""
    both = (("generated", generated), ("real", real))
    return {name: loudness.distributions([clip.loudness for clip in own]) if own else None for name, own in both}


def _frechet(own: Float32, others: Float32) -> dict[str, Any]:
    """Distances of generated to real embeddings; None where there are too few."""
    distance, floor, count = frechet.frechet_beside_floor(own, others)
    if count < 2:
        return dict.fromkeys(("frechet_distance", "frechet_floor", "frechet"))
    facts = {"layer": LAYER, "files_each": count, "generated": len(own), "real": len(others)}
    facts["all_files"] = frechet.frechet(own, others)
    return {"frechet_distance": distance, "frechet_floor": floor, "frechet": facts}


def _accuracy(
    values: Sequence[str],
    names: Sequence[str],
    place: int,
    target: int,
    clips: Sequence[Clip],
    prefix: str,
    other: int | None,
) -> dict[str, Any]:
    """Accuracy and confusion (a row a value; a column a name, the last for nothing) of clips whose label is known."""
    table = np.zeros((len(values), len(names) + 1), np.int64)
    for clip in clips:
        predicted = clip.predicted if other is None else clip.others[other]
        if clip.label_ids[place]:
            table[clip.label_ids[place] - 1, predicted[target] if predicted else len(names)] += 1
    if not table.sum():
        return {}
    right = sum(int(table[row, names.index(value)]) for row, value in enumerate(values))
    return {f"{prefix}accuracy": right / int(table.sum()), f"{prefix}confusion": table.tolist()}


def _median_rms(clips: Sequence[Clip], place: int, number: int) -> float | None:
    """Of the clips with one label; None without any."""
    values = [clip.loudness.rms for clip in _labelled(clips, place, number)]
    return float(np.median(values)) if values else None


def left_out(
    data: Mapping[str, Any],
    labels: Mapping[str, tuple[str, ...]],
    reference: bool,
    classifier: Classifier | None = None,
) -> list[str]:
    """What is not in the figures, why, and what would give it, for people."""
    reasons = []
    if not reference:
        reasons.append("real files, Fréchet distance, bits per sample and copying need --reference CORPUS")
    if not labels:
        reasons.append("the checkpoint has no labels: no accuracy")
    if data["classifier"] is None:
        reasons.append(_without_classifier(labels))
    known = {target.name for target in classifier.targets if target.kind == "class"} if classifier else set()
    for key, label in data["labels"].items():
        if data["classifier"] is None:
            continue  # said above
        if label["heard"] is None and key in known:
            reasons.append(f"label {key}: the classifier doesn't know all its values; --classifier names one that does")
        elif label["heard"] is None:
            reasons.append(f"label {key}: the classifier doesn't tell it")
        elif reference and label["real_accuracy"] is None:
            reasons.append(f"label {key}: not known of the reference's files (--labels)")
    if reference and data["classifier"] is not None and data["frechet"] is None:
        reasons.append("Fréchet distance: needs four real files and two generated ones that can be heard")
    if reference and data["reference"]["skipped"]:
        reasons.append(f"{data['reference']['skipped']} files of the reference can't be used")
    return reasons


def _without_classifier(labels: Mapping[str, tuple[str, ...]]) -> str:
    """What is missing without a classifier, for people."""
    if not labels:
        return "no --classifier: nothing was heard, no distance between embeddings"
    return (
        f"no bundled classifier knows the labels ({', '.join(labels)}): accuracy and distances between embeddings need"
        " --classifier NAME|PATH; synth train --task classify makes one"
    )


def lines(data: Mapping[str, Any]) -> list[str]:
    """The report as lines for people."""
    texts = [
        f"{data['checkpoint']}: {data['files']} files of {data['seconds']:g} s, {seeds(data)},"
        f" temperature {data['temperature']:g}"
    ]
    texts += [f"{name}: {generated}" + (f" (real {real})" if real else "") for name, generated, real in rows(data)]
    return [*texts, *(f"left out: {why}" for why in data["left_out"])]


def seeds(data: Mapping[str, Any]) -> str:
    """The seeds in use, for people."""
    first, last = data["seeds"]
    return f"seed {first}" if first == last else f"seeds {first} to {last}"


def rows(data: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """The summary as (what, generated, real) texts."""
    table = []
    for key, label in data["labels"].items():
        if label["accuracy"] is not None:
            table.append((f"{key} heard as asked", percent(label["accuracy"]), percent(label["real_accuracy"])))
        for name, other in label.get("others", {}).items():
            if other["accuracy"] is not None:
                row = percent(other["accuracy"]), percent(other["real_accuracy"])
                table.append((f"{key} heard as asked, by {name}", *row))
    if data["frechet"]:
        count = data["frechet"]["files_each"]
        name = f"Fréchet distance to real, {count} files each (real: one half to the other)"
        table.append((name, f"{data['frechet_distance']:.2f}", f"{data['frechet_floor']:.2f}"))
    if data["bits_per_sample"] is not None:
        labelled = data["bits_per_sample_labels"]
        more = f"; with labels {labelled:.4f}" if labelled is not None else ""
        table.append(("bits per sample of the test files", f"{data['bits_per_sample']:.4f}{more}", ""))
    for measure in ("embedding", "waveform") if data["copying"] else ():
        verdict = data["copying"][measure]
        if verdict:
            passed = "no copies" if verdict["passed"] else "TOO NEAR"
            name = f"copying, 1st percentile of distances to training by {measure}"
            table.append((name, f"{verdict['generated']:.3f}, {passed}", f"{verdict['real']:.3f}"))
    own, real = data["levels"]["generated"], data["levels"]["real"]
    for name, key, scale, form in _LEVELS:
        table.append((name, form.format(scale * own[key]), form.format(scale * real[key]) if real else ""))
    spread = data["distributions"]
    for name, key, form in _SPREADS:
        texts = [
            " / ".join(form.format(value) for value in spread[which][key]) if spread[which] else ""
            for which in ("generated", "real")
        ]
        table.append((f"{name}, percentiles {', '.join(map(str, spread['percentiles']))}", texts[0], texts[1]))
    return table


_SPREADS = (
    ("seconds that sounds last", "lasting_seconds", "{:.2f}"),
    ("longest pause within, seconds", "pause_seconds", "{:.2f}"),
    ("RMS in dB", "rms_db", "{:.1f}"),
)


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
