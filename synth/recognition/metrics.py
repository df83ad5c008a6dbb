"""Accuracy, average precision and confusion of predicted labels."""

from __future__ import annotations

import numpy as np

from synth.common.typing import AnyArray, AnyFloats, AnyIntegers, Int64


def accuracy(scores: AnyFloats, answers: AnyIntegers) -> float:
    """Share of the sounds whose greatest score (sounds, values) is the answer's (sounds,); NaN without any known."""
    known = answers >= 0
    return float(np.mean(scores[known].argmax(axis=1) == answers[known])) if known.any() else float("nan")


def average_precision(scores: AnyFloats, wanted: AnyArray) -> float:
    """Of one tag: the mean, over the sounds that have it, of the precision down to that sound; NaN without any.

    `scores` (sounds,), `wanted` (sounds,) 0 or 1. Sounds of equal scores count as one step, as in scikit-learn.
    """
    order = np.argsort(-scores, kind="stable")
    ranked, hits = scores[order], np.cumsum(wanted[order] > 0)
    if not len(hits) or not hits[-1]:
        return float("nan")
    ends = np.append(np.flatnonzero(np.diff(ranked)), len(ranked) - 1)  # the last sound of each score
    true = hits[ends]
    gained = np.diff(true, prepend=0)
    return float(np.sum(gained * true / (ends + 1)) / hits[-1])


def mean_average_precision(scores: AnyFloats, wanted: AnyArray) -> float:
    """Over the tags that some sound has; `scores` and `wanted` (sounds, tags), sounds of unknown tags (-1) left out."""
    known = wanted[:, 0] >= 0 if wanted.size else np.zeros(0, bool)
    each = [average_precision(scores[known, tag], wanted[known, tag]) for tag in range(wanted.shape[1])]
    each = [value for value in each if not np.isnan(value)]
    return float(np.mean(each)) if each else float("nan")


def confusion(scores: AnyFloats, answers: AnyIntegers, values: int) -> Int64:
    """Counts (values, values): row the answer, column the greatest score; unknown answers (-1) are left out."""
    table = np.zeros((values, values), np.int64)
    known = answers >= 0
    np.add.at(table, (answers[known], scores[known].argmax(axis=1)), 1)
    return table
