"""What a planner is told of when sounds begin and end, and the lengths that a checkpoint has."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from helpers import voices
from helpers.networks import Tensors

from synth.common.errors import CheckpointError
from synth.generation import checkpoint
from synth.vocoder import timing


def test_two_keys_are_added_and_taken_off_again() -> None:
    labels = timing.timed(voices.LABELS)
    labels.check()
    assert list(labels) == ["digit", "speaker", timing.ELAPSED, timing.REMAINING]
    assert timing.untimed(labels) == voices.LABELS


def test_ids_count_up_and_down_exactly_while_few() -> None:
    values = timing.timed(voices.LABELS)[timing.ELAPSED]

    def words(step: int, every: int = 2, begin: int = 10, length: int = 5) -> list[str]:
        return [values[number - 1] for number in timing.ids_at(step, every, begin, length)]

    assert words(8) == ["silence", "silence"]
    assert [words(step) for step in (10, 12, 14)] == [["0", "5"], ["2", "3"], ["4", "1"]]
    assert words(16) == ["silence", "silence"]
    assert words(8, begin=9) == ["0", "6"]  # begins within the step
    assert words(10, length=100) == ["0", "90"] and words(40, length=70) == ["25", "38"]
    assert words(0, begin=0, length=1 << 40)[1] == str(timing.STEPS[-1])


def test_lengths_are_drawn_from_sounds_with_the_same_labels() -> None:
    rows = timing.rows_of([(1, 1), (1, 2), (2, 1), (1, 1)], [(5, 0), (6, 1), (7, 2), (4, 3)])[timing.ROWS]
    assert rows.tolist() == [[1, 1, 4, 3], [1, 1, 5, 0], [1, 2, 6, 1], [2, 1, 7, 2]]
    wide = rows.astype(np.int64)
    assert timing.like(wide, (1, 1))[:, 2].tolist() == [4, 5]
    assert timing.like(wide, (1, 0))[:, 2].tolist() == [4, 5, 6]
    assert timing.like(wide, (0, 1))[:, 2].tolist() == [4, 5, 7]
    assert timing.like(wide, (2, 2))[:, 2].tolist() == [7]  # nobody said 2 as the second speaker
    assert timing.like(wide, (9, 2))[:, 2].tolist() == [4, 5, 6, 7]


def test_more_sounds_than_there_is_room_for_are_thinned_evenly() -> None:
    count = timing.MAX_ROWS + 10
    rows = timing.rows_of([(1,)] * count, [(1 + n % 2000, 0) for n in range(count)])[timing.ROWS]
    assert len(rows) == count // 2 and np.unique(rows[:, 1]).size == 2000


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({}, "network over tokens with the labels"),
        ({timing.ROWS: np.ones((2, 3), np.int32)}, r"int32\[2, 3\], not int32 \[sounds, label keys"),
        ({timing.ROWS: np.ones((2, 4), np.int64)}, "is int64"),
        ({timing.ROWS: np.ones((0, 4), np.int32)}, r"int32\[0, 4\]"),
        ({timing.ROWS: np.array([[1, 3, 1, 1]], np.int32)}, "a label id that is not known"),
        ({timing.ROWS: np.array([[1, 1, 0, 1]], np.int32)}, "a length out of"),
        ({timing.ROWS: np.ones((2, 4), np.int32), "timing.other": np.ones(1, np.int32)}, "no other timing"),
    ],
)
def test_lengths_that_do_not_fit_are_refused(change: Tensors, words: str, tmp_path: Path) -> None:
    loaded = checkpoint.load(voices.timed())
    assert loaded.voice is not None
    voice = dataclasses.replace(loaded.voice, timing=change)
    with pytest.raises(CheckpointError, match=words):
        checkpoint.save(tmp_path / "x.safetensors", loaded.config, loaded.tensors, {}, voice)


def test_lengths_without_a_planner_that_takes_them_are_refused() -> None:
    loaded = checkpoint.load(voices.path())
    assert loaded.voice is not None
    timed = checkpoint.load(voices.timed()).voice
    assert timed is not None
    for voice in (
        dataclasses.replace(loaded.voice, timing=timed.timing),
        dataclasses.replace(loaded.voice, planner=None, planner_tensors={}, timing=timed.timing),
    ):
        with pytest.raises(CheckpointError, match="planner"):
            checkpoint.encode(loaded.config, loaded.tensors, {}, voice)
