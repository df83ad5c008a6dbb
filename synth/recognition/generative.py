"""The generator as a classifier: code lengths of a sound under every label value, and Bayes' rule.

A sound that costs L bits under a value has a probability of 2^-L there. With all values equally likely beforehand, a
value's share of the sum over the values is its probability. One stream a value, in lockstep. Code lengths are added up
in integers: they are the same on every machine.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterable
from typing import Any

import numpy as np

from synth.audio import mulaw
from synth.checkpoint import registry
from synth.common import threads as parallel
from synth.common.errors import AudioError, UsageError
from synth.common.labels import LabelIds, LabelSet
from synth.common.typing import Float64, Int16, Int64, UInt8
from synth.generation.loading import need_plain
from synth.generation.model import Model
from synth.generation.voice import Voice
from synth.recognition.classifier import QUIET

MAX_COMBINATIONS = 128
"""Label values are combined (each digit by each speaker) when there are no more combinations; else key by key."""
_GROUP = 10
"""Streams that one thread goes along together."""
_BLOCK = 1 << 14


def label_combinations(labels: LabelSet) -> list[LabelIds]:
    """The label ids to try: all combinations, or, of many, each value with the other keys unset."""
    sizes = [len(values) for values in labels.values()]
    if np.prod(sizes, dtype=np.float64) <= MAX_COMBINATIONS:
        return list(itertools.product(*(range(1, size + 1) for size in sizes)))
    return [
        tuple(value if place == key else 0 for place in range(len(sizes)))
        for key, size in enumerate(sizes)
        for value in range(1, size + 1)
    ]


def costs(model: Model, blocks: Iterable[Int16], combinations: list[LabelIds], threads: int = 1) -> Int64:
    """Code lengths (combinations,) in 1/65536 bit of one sound under each combination of label ids.

    `blocks`: int16 (samples,) at the model's rate. AudioError when they hold no sample, or are
    silent or one value throughout.
    """
    groups = [combinations[at : at + _GROUP] for at in range(0, len(combinations), _GROUP)]
    states = [[_state(model, label_ids) for label_ids in group] for group in groups]
    total = np.zeros(len(combinations), np.int64)
    samples, lowest, highest = 0, 32767, -32768
    for block in blocks:
        lowest, highest = int(block.min(initial=lowest)), int(block.max(initial=highest))
        for at in range(0, len(block), _BLOCK):
            codes = mulaw.encode(block[at : at + _BLOCK])

            def cost(group: list[Any], codes: UInt8 = codes) -> Int64:
                forced = np.broadcast_to(codes, (len(group), len(codes)))
                return model.engine.teacher_force_together(group, forced).sum(axis=1, dtype=np.int64)

            total += np.concatenate(parallel.each(cost, states, threads, threading.Event()))
            samples += len(codes)
    if not samples:
        raise AudioError("holds no samples")
    if highest - lowest <= 2 * QUIET:
        raise AudioError("is silent")
    return total


def _state(model: Model, label_ids: LabelIds) -> Any:
    """A fresh state of the model's engine with these labels."""
    state = model.engine.state()
    state.labels = label_ids
    return state


def log_probabilities(labels: LabelSet, combinations: list[LabelIds], cost: Int64) -> dict[str, Float64]:
    """Natural logarithms (values,) of each key's values, all combinations being equally likely beforehand."""
    logs = -np.log(2.0) * ((cost - cost.min()) / 65536.0)
    table, by_key = np.array(combinations), {}
    for place, (key, values) in enumerate(labels.items()):
        of_value = np.array([np.logaddexp.reduce(logs[table[:, place] == n + 1]) for n in range(len(values))])
        by_key[key] = of_value - np.logaddexp.reduce(of_value)
    return by_key


def need_labels(model: Model | Voice) -> Model:
    """`model`; UsageError for one that was trained without labels, or is a voice."""
    plain = need_plain(model)
    if not plain.checkpoint.config.labels:
        name, other = plain.checkpoint.name, registry.instead(plain.checkpoint.name, "classifier")
        raise UsageError(f"-c {name}: was trained without labels and can't tell any; give {other}")
    return plain


def classify(model: Model, blocks: Iterable[Int16], threads: int = 1) -> dict[str, Float64]:
    """Log-probabilities (values,) of each label key's values for one sound; UsageError for a model without labels."""
    need_labels(model)
    labels = model.checkpoint.config.labels
    combinations = label_combinations(labels)
    return log_probabilities(labels, combinations, costs(model, blocks, combinations, threads))
