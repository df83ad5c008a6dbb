"""Which labels are in force from which sample on."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from synth.common.arrays import require_saved, saved_array
from synth.common.errors import UsageError
from synth.common.labels import LabelSet
from synth.common.typing import Int64, Tensors
from synth.engine.config import ModelConfig

LabelRequest = Mapping[str, str | Sequence[str]]
"""What a person asks for: each key with one value, or with several that take equal parts of the sound."""
LabelSchedule = list[tuple[int, tuple[int, ...]]]
"""From which sample on which label ids, one a key, are in force; in the order of the samples."""


def label_schedule(config: ModelConfig, labels: LabelRequest, samples: int | None) -> LabelSchedule:
    """The schedule of `labels` over `samples` (None: a stream without end), its first entry from sample 0.

    Of K values for a key, value k begins at sample round(k * samples / K), and takes effect with the next network
    frame. Raises UsageError for labels that the network does not know, and for several values that have no room.
    """
    if not isinstance(labels, Mapping):
        raise UsageError(f'labels {labels!r}: must be a dict, like {{"digit": "7"}}')
    values = {key: _values(key, value) for key, value in labels.items()}
    for key, several in values.items():
        _check_values(config, key, several, samples)
    length = samples or 0
    begins = {key: [_part(k, len(each), length) for k in range(len(each))] for key, each in values.items()}
    schedule = []
    for at in sorted({0, *(begin for key in begins for begin in begins[key])}):
        now = {key: values[key][bisect_right(begins[key], at) - 1] for key in values}
        schedule.append((at, config.labels.ids(now)))
    return schedule


def _values(key: str, value: Any) -> list[str]:
    values = [value] if isinstance(value, str) else list(value) if isinstance(value, Sequence) else []
    if not values or not all(isinstance(each, str) for each in values):
        raise UsageError(f"label {key}: must be a text or a list of texts, not {value!r}")
    return values


def _check_values(config: ModelConfig, key: str, values: list[str], samples: int | None) -> None:
    if len(values) > 1 and samples is None:
        raise UsageError(f"label {key}: a stream takes one value; set the stream's labels when the next begins")
    if samples is not None and len(values) > 1 and len(values) * config.hop > samples:
        raise UsageError(f"label {key}: {len(values)} values don't fit into {samples} samples")
    for value in values:
        config.labels.ids({key: value})


def _part(index: int, parts: int, length: int) -> int:
    """Where part `index` of `parts` equal parts of `length` begins, rounded to the nearest, halves up."""
    return (2 * index * length + parts) // (2 * parts)


def schedule_array(schedule: LabelSchedule, labels: LabelSet) -> Int64:
    """A schedule as it is saved: int64 (entries, 1 + label keys), a sample and its label ids a row."""
    rows = np.array([[at, *label_ids] for at, label_ids in schedule], np.int64)
    return rows.reshape(-1, 1 + len(labels))


def restored_schedule(saved: Tensors, name: str, labels: LabelSet) -> LabelSchedule:
    """The schedule that was saved as `name`; EngineError for what is none of a network with these labels."""
    rows = saved_array(saved, name, "int64", (None, 1 + len(labels)))
    most = np.array([len(values) for values in labels.values()], np.int64)
    require_saved(bool((rows >= 0).all() and (rows[:, 1:] <= most).all()))
    return [(int(at), tuple(int(label) for label in label_ids)) for at, *label_ids in rows]
