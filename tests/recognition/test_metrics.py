"""Accuracy, average precision and confusion, by hand and by their definitions."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from synth.evaluation import frechet
from synth.recognition.metrics import accuracy, average_precision, confusion, mean_average_precision


def test_accuracy_and_confusion_by_hand() -> None:
    scores = np.array([[2.0, 1.0], [0.0, 1.0], [3.0, 0.0], [9.0, 0.0]])
    answers = np.array([0, 1, 1, -1])
    assert accuracy(scores, answers) == pytest.approx(2 / 3)
    assert confusion(scores, answers, 2).tolist() == [[1, 0], [1, 1]]
    assert math.isnan(accuracy(scores, np.full(4, -1)))


def test_average_precision_by_hand() -> None:
    scores, wanted = np.array([0.9, 0.8, 0.7, 0.6]), np.array([1, 0, 1, 0])
    assert average_precision(scores, wanted) == pytest.approx((1 + 2 / 3) / 2)
    assert average_precision(np.zeros(4), wanted) == pytest.approx(0.5)  # all alike: the share of the tag
    assert math.isnan(average_precision(scores, np.zeros(4)))
    both = mean_average_precision(np.stack([scores, scores], 1), np.stack([wanted, 1 - wanted], 1))
    assert both == pytest.approx((5 / 6 + (1 / 2 + 2 / 4) / 2) / 2)


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=1, max_size=30))
def test_average_precision_is_the_area_under_the_steps(pairs: list[tuple[int, bool]]) -> None:
    scores, wanted = np.array([s for s, _ in pairs], float), np.array([w for _, w in pairs])
    if not wanted.any():
        return
    area, before = 0.0, 0.0
    for level in sorted(set(scores), reverse=True):
        chosen = scores >= level
        recall = (wanted & chosen).sum() / wanted.sum()
        area += (recall - before) * (wanted & chosen).sum() / chosen.sum()
        before = recall
    assert average_precision(scores, wanted) == pytest.approx(area)


def test_sounds_of_unknown_tags_do_not_count() -> None:
    scores, wanted = np.array([[0.9], [0.1], [0.5]]), np.array([[1.0], [0.0], [-1.0]])
    assert mean_average_precision(scores, wanted) == 1.0


def test_frechet_of_known_gaussians() -> None:
    draw = np.random.default_rng(0)
    one = draw.normal(size=(200000, 2)) @ np.array([[2.0, 0.5], [0, 1.0]])
    other = draw.normal(size=(200000, 2)) * [1.0, 3.0] + [3.0, -1.0]
    a, b = np.array([[4.0, 1.0], [1.0, 1.25]]), np.diag([1.0, 9.0])
    root = np.linalg.eigvals(a @ b)  # trace of the root of A B: the sum of the roots of its eigenvalues
    wanted = 10 + np.trace(a) + np.trace(b) - 2 * np.sqrt(root).sum()
    assert frechet.frechet(one, other) == pytest.approx(wanted, rel=0.02)
    assert frechet.frechet(other, one) == pytest.approx(frechet.frechet(one, other), rel=1e-6)
    assert frechet.frechet(one, one) == pytest.approx(0, abs=1e-6)


def test_frechet_stands_degenerate_sets() -> None:
    few = np.random.default_rng(1).normal(size=(3, 20))
    assert frechet.frechet(few, few) == pytest.approx(0, abs=1e-6)
    assert frechet.frechet(few[:2], few[:2] + 1) == pytest.approx(20, rel=1e-6)
    assert frechet.frechet(np.zeros((4, 1)), np.ones((4, 1))) == pytest.approx(1)


def test_frechet_floor_is_what_equal_sets_come_to() -> None:
    draw = np.random.default_rng(2)
    same, real = draw.normal(size=(500, 12)), draw.normal(size=(120, 12))
    distance, floor, count = frechet.frechet_beside_floor(same, real)
    assert count == 60 and distance == pytest.approx(floor, rel=0.25) and floor > 0.5  # all of it is bias
    apart, again, _ = frechet.frechet_beside_floor(same + 1, real)
    assert again == floor and apart - floor == pytest.approx(12, rel=0.1)
    assert np.isnan(frechet.frechet_beside_floor(same, real[:3])[0])
