"""The generator as a classifier: code lengths under each label, and Bayes' rule."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import sounds
from helpers.tools import LABELS, tiny_checkpoint

import synth
from synth import engine
from synth.common.errors import AudioError
from synth.common.labels import LabelSet
from synth.generation.model import Model
from synth.recognition import generative

WAVE = sounds.noise(160, 2)


@pytest.fixture(scope="module")
def model() -> Model:
    return synth.load(tiny_checkpoint())


def test_costs_are_the_scores_of_each_label(model: Model) -> None:
    rows = generative.label_combinations(LABELS)
    assert len(rows) == 20 and len(set(rows)) == 20 and all(0 not in row for row in rows)
    found = generative.costs(model, [WAVE], rows)
    for place in (0, 7, 19):
        digit, speaker = rows[place]
        labels = {"digit": LABELS["digit"][digit - 1], "speaker": LABELS["speaker"][speaker - 1]}
        bits = model.score_samples(WAVE, labels).bits_per_sample
        assert found[place] == round(bits * len(WAVE) * 65536)
    assert len(set(found.tolist())) > 1


def test_blocks_and_threads_change_nothing(model: Model) -> None:
    rows = generative.label_combinations(LABELS)
    whole = generative.costs(model, [WAVE], rows)
    assert np.array_equal(whole, generative.costs(model, [WAVE[:1], WAVE[1:50], WAVE[50:50], WAVE[50:]], rows))
    if engine.has_native():
        assert np.array_equal(whole, generative.costs(model, [WAVE], rows, threads=2))


def test_bayes_rule_by_hand() -> None:
    labels = LabelSet((("a", ("x", "y")), ("b", ("p", "q"))))
    rows = generative.label_combinations(labels)
    assert rows == [(1, 1), (1, 2), (2, 1), (2, 2)]
    cost = np.array([3, 4, 5, 5]) * 65536 + 10**12  # 2^-3, 2^-4, 2^-5, 2^-5, and much that all of them share
    logs = generative.log_probabilities(labels, rows, cost)
    np.testing.assert_allclose(np.exp(logs["a"]), [0.75, 0.25])
    np.testing.assert_allclose(np.exp(logs["b"]), [5 / 8, 3 / 8])


def test_many_values_are_tried_key_by_key() -> None:
    labels = LabelSet((("a", tuple(map(str, range(100)))), ("b", ("p", "q"))))
    rows = generative.label_combinations(labels)
    assert len(rows) == 102 and rows[0] == (1, 0) and rows[-1] == (0, 2)
    logs = generative.log_probabilities(labels, rows, np.arange(102) * 65536)
    assert logs["a"].argmax() == 0 and np.exp(logs["b"]).sum() == pytest.approx(1)
    np.testing.assert_allclose(np.exp(logs["b"]), [2 / 3, 1 / 3])


def test_no_samples(model: Model) -> None:
    with pytest.raises(AudioError, match="no samples"):
        generative.classify(model, [np.zeros(0, np.int16)])


@pytest.mark.parametrize("value", [0, 1, -1, 9000])
def test_silence_is_refused_as_by_a_classifier(model: Model, value: int) -> None:
    with pytest.raises(AudioError, match="is silent"):
        generative.classify(model, [np.full(100, value, np.int16), np.full(20, value, np.int16)])


def test_what_begins_silent_is_heard(model: Model) -> None:
    assert generative.classify(model, [np.zeros(40, np.int16), WAVE])
