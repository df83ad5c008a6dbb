"""Figures of takes that are known: what is not heard counts as wrong, what is not known doesn't count."""

from __future__ import annotations

import numpy as np
from helpers.listeners import TINY, random_tensors

from synth.audio import loudness
from synth.common.labels import LabelSet
from synth.evaluation import figures
from synth.evaluation.clips import Clip
from synth.recognition.classifier import Classifier

LABELS = LabelSet((("digit", ("7", "3")), ("speaker", ("bob", "ann"))))
EAR = Classifier(TINY, random_tensors(TINY))


def clip(rows: tuple[int, ...], heard: tuple[int, ...] | None, rms: float = 0.1) -> Clip:
    level = loudness.Loudness(rms, 0, 1, 0, 0, 0)
    return Clip(rows, "", heard, None if heard is None else np.ones(4, np.float32), level, np.zeros(3, np.float32))


def test_confusion_has_rows_asked_for_and_columns_heard() -> None:
    # heard: places among the recogniser's own values, digits 0 to 9 and ann, bob
    made = [clip((1, 1), (7, 1)), clip((1, 2), (3, 1)), clip((2, 0), (3, 0), 0.3), clip((2, 2), None)]
    data = figures.figures(LABELS, EAR, made, [])["labels"]
    assert data["digit"]["heard"] == [*"0123456789", "nothing"]
    table = np.zeros((2, 11), int)
    table[0, 7] = table[0, 3] = table[1, 3] = table[1, 10] = 1
    assert data["digit"]["confusion"] == table.tolist() and data["digit"]["accuracy"] == 0.5
    assert data["speaker"]["confusion"] == [[0, 1, 0], [0, 1, 1]] and data["speaker"]["accuracy"] == 1 / 3
    assert data["digit"]["real_accuracy"] is None and data["digit"]["real_confusion"] is None
    assert data["digit"]["median_rms"]["3"] == {"generated": 0.2, "real": None}


def test_labels_that_the_recogniser_does_not_tell() -> None:
    data = figures.figures(LabelSet((("digit", ("7",)), ("sounds", ("bell",)))), EAR, [clip((1, 1), (7, 0, 0))], [])
    assert data["labels"]["sounds"]["accuracy"] is None and data["labels"]["sounds"]["heard"] is None
    data |= {"classifier": "ear"}
    assert "label sounds: the classifier doesn't tell it" in figures.left_out(data, {"digit": ("7",)}, False)
    assert figures.figures(LABELS, None, [clip((1, 1), None)], [])["labels"]["digit"]["accuracy"] is None


def test_silence_all_over_leaves_the_distance_out() -> None:
    data = figures.figures(LABELS, EAR, [clip((1, 1), None)] * 4, [clip((1, 1), (7, 0))] * 8)
    assert data["frechet_distance"] is None and data["labels"]["digit"]["accuracy"] == 0
    data |= {"classifier": "ear", "reference": {"skipped": 2}}
    found = figures.left_out(data, dict(LABELS), True)
    assert any("Fréchet" in why for why in found) and any("2 files of the reference" in why for why in found)
