"""How a planner knows when a sound begins and ends: two more label keys, which a stream's clock sets by itself.

`ELAPSED` counts the token frames since the sound's beginning, `REMAINING` those until its end, exactly while they
are few. In silence both are SILENCE. A checkpoint has the lengths of the sounds that it was trained on, each with its
label ids and with the silence that followed, so that lengths are drawn as recordings have them.
"""

from __future__ import annotations

from bisect import bisect_right

import numpy as np

from synth.common.errors import CheckpointError
from synth.common.labels import LabelIds, LabelSet
from synth.common.typing import Int64, Tensors

ELAPSED, REMAINING = "(elapsed)", "(remaining)"
"""Names of the keys, which no pattern of file names gives."""
SILENCE = (1, 1)
"""Their ids in silence; 0 is not known, as of every label."""
UNKNOWN = (0, 0)
ROWS = "timing.rows"
"""Name of the tensor of lengths: int32 (sounds, keys + 2), label ids, token frames of sound and of silence."""
MAX_ROWS, MAX_FRAMES = 65536, 3000


def _steps() -> tuple[int, ...]:
    steps = list(range(17))
    while steps[-1] < MAX_FRAMES:
        steps.append(steps[-1] * 5 // 4)
    return tuple(steps)


STEPS = _steps()
"""Token frames that the values of both keys stand for, each up to the next."""


def timed(labels: LabelSet) -> LabelSet:
    """The labels of a planner that is told when sounds begin and end, for a voice with `labels`."""
    values = ("silence", *map(str, STEPS))
    return LabelSet((*labels.pairs, (ELAPSED, values), (REMAINING, values)))


def untimed(planner: LabelSet) -> LabelSet:
    """The labels of the voice whose planner has these, which `timed` gave."""
    return LabelSet(planner.pairs[:-2])


def ids_at(step: int, every: int, begin: int, length: int) -> LabelIds:
    """The ids of both keys at a planner's step, `every` token frames from frame `step` on; of a sound from `begin` on.

    A sound that begins within the step has begun.
    """
    if not begin < step + every or not step < begin + length:
        return SILENCE
    return tuple(1 + bisect_right(STEPS, count) for count in (max(0, step - begin), begin + length - step))


def rows_of(label_ids: list[LabelIds], lengths: list[tuple[int, int]]) -> Tensors:
    """The tensor of a checkpoint, of sounds' label ids and token frames of sound and silence; at most MAX_ROWS of them.

    Sorted, so that the same corpus gives the same file; of more than there is room for some are left out evenly.
    """
    rows = sorted((*ids, *length) for ids, length in zip(label_ids, lengths, strict=True))
    every = -(-len(rows) // MAX_ROWS)
    array = np.array(rows[:: max(1, every)], np.int32).reshape(-1, len(label_ids[0]) + 2)
    array[:, -2:] = array[:, -2:].clip((1, 0), MAX_FRAMES)
    return {ROWS: array}


def check_rows(labels: LabelSet, tensors: Tensors) -> None:
    """CheckpointError when `tensors` are not what `rows_of` gives for a voice with `labels`."""
    rows = tensors.get(ROWS)
    if rows is None or tensors.keys() != {ROWS}:
        raise CheckpointError("its planner is told when sounds end, and needs the tensor timing.rows, no other timing")
    if rows.dtype != np.int32 or rows.ndim != 2 or rows.shape[1] != len(labels) + 2 or not 0 < len(rows) <= MAX_ROWS:
        raise CheckpointError(f"tensor {ROWS} is {rows.dtype}{list(rows.shape)}, not int32 [sounds, label keys + 2]")
    most = np.array([*(len(values) for values in labels.values()), MAX_FRAMES, MAX_FRAMES])
    least = np.array([*(0 for _ in labels), 1, 0])
    if (rows < least).any() or (rows > most).any():
        raise CheckpointError(f"tensor {ROWS}: has a label id that is not known, or a length out of 1 to {MAX_FRAMES}")


def like(rows: Int64, label_ids: LabelIds) -> Int64:
    """Those of the rows that have these label ids, 0 for any; where there are none, the first ids alone."""
    for count in range(len(label_ids), -1, -1):
        wanted = np.array(label_ids[:count], np.int64)
        chosen = rows[((wanted == 0) | (rows[:, :count] == wanted)).all(1)]
        if len(chosen):
            return chosen
    return rows
