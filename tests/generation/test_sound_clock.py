"""Plans that end: sounds as long as recordings', silence after them, labels that change, streams that are saved."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from helpers import voices
from numpy.typing import NDArray

import synth
from synth.common.errors import EngineError
from synth.engine.config import SamplingConfig
from synth.generation.planner import PlannedLatents
from synth.generation.sound_clock import NEVER, SoundClock
from synth.generation.voice import Voice
from synth.vocoder import timing

LABELS = {"digit": "7", "speaker": "bert"}
IDS = voices.LABELS.ids(LABELS)
LENGTH = voices.LENGTHS[8, 2]


def model(engine: str = "auto", guidance: float = 1.0) -> Voice:
    return synth.load(voices.timed(4, guidance), engine)


def rows() -> NDArray[np.int64]:
    voice = model().checkpoint.voice
    assert voice is not None
    return np.asarray(voice.timing[timing.ROWS], np.int64)


def told(labels: Any, frames: int = 60, samples: int | None = None, seed: int = 3) -> list[tuple[int, ...]]:
    """The label ids that the planner has at each of its steps."""
    runtime = model().runtime
    schedule = model().label_schedule(labels, samples or frames * voices.HOP)
    source = runtime.plan(SamplingConfig(), seed, schedule, None, samples or frames * voices.HOP).source
    assert isinstance(source, PlannedLatents)
    found = []
    for frame in range(frames):
        source.next(frame)
        if frame % 4 == 0:
            found.append(tuple(int(value) for value in source.state.labels))
    return found


def sounding(ids: list[tuple[int, ...]]) -> list[bool]:
    return [each[2:] != timing.SILENCE for each in ids]


def test_a_sound_is_as_long_as_a_recording_and_then_there_is_silence() -> None:
    ids = told(LABELS)
    assert all(each[:2] == IDS for each in ids)
    steps = -(-LENGTH // 4)
    assert sounding(ids) == [False] + [True] * steps + [False] * (14 - steps)
    assert [each[2:] for each in ids[1 : steps + 1]] == [timing.ids_at(4 * n, 4, 0, LENGTH) for n in range(steps)]


def test_each_label_begins_where_it_was_asked_for_and_fits() -> None:
    """Of three words in 48 frames each has 16."""
    ids = told({"digit": ["3", "1", "9"], "speaker": "anna"}, 48)
    assert [each[0] for each in ids] == [4] * 4 + [2] * 4 + [10] * 4
    assert [each[2] for each in (ids[1], ids[4], ids[8])] == [2, 2, 2]  # nothing elapsed
    short = told({"digit": ["3", "9"], "speaker": "bert"}, 16)
    assert [each[3] for each in short] == [1, 2 + 4, 2 + 8, 2 + 4]  # there is room for 4 and 8 frames, all taken


def test_the_same_label_twice_is_said_twice() -> None:
    assert sounding(told({"digit": ["1", "1"], "speaker": "anna"}, 40)) == [
        False,
        True,
        *[False] * 3,
        True,
        *[False] * 4,
    ]


def test_without_labels_sound_follows_sound() -> None:
    ids = told({}, 400)
    assert all(each[:2] == (0, 0) for each in ids)
    assert 5 <= sum(each[2] == 2 for each in ids) <= 40 and not all(sounding(ids))


def test_lengths_come_from_the_seed() -> None:
    ends = {sum(sounding(told({"speaker": "bert"}, 40, seed=seed))) for seed in range(12)}
    assert len(ends) > 2
    assert told({"speaker": "bert"}, seed=5) == told({"speaker": "bert"}, seed=5)


def test_lengths_are_drawn_with_the_chances_of_the_recordings() -> None:
    table = np.array([[1, 5, 0], [1, 5, 0], [1, 5, 0], [1, 9, 0]], np.int64)
    clock, lengths = SoundClock(table, 1, 1), []
    for n in range(1, 401):
        clock.start(n, (1,), seed=7)
        lengths.append(int(clock.save()["clock"][2]))
    assert 0.68 < np.mean(np.array(lengths) == 5) < 0.82 and set(lengths) == {5, 9}
    clock.start(3, (1,), seed=7, room=6)
    assert clock.ids(3)[2] == 2 + 5
    assert NEVER > 1 << 60


OPTIONS: dict[str, Any] = {"samples": 6000, "seed": 3, "labels": {"digit": ["7", "2"], "speaker": "bert"}}


@pytest.mark.parametrize("guidance", [1.0, 2.0])
@pytest.mark.parametrize("block", [7, 160, 1111])
def test_blocks_change_nothing(block: int, guidance: float) -> None:
    whole = model(guidance=guidance).generate(**OPTIONS)
    stream = model(guidance=guidance).start(
        SamplingConfig(), seed=3, labels=OPTIONS["labels"], samples=OPTIONS["samples"]
    )
    pieces = [stream.read(min(block, 6000 - at)) for at in range(0, 6000, block)]
    np.testing.assert_array_equal(np.concatenate(pieces), whole)


def test_the_reference_engine_says_the_same() -> None:
    options = {**OPTIONS, "samples": 700}
    np.testing.assert_array_equal(model("reference").generate(**options), model().generate(**options))


@pytest.mark.parametrize("guidance", [1.0, 2.0])
@pytest.mark.parametrize("at", [0, 100, 2000, 3333])
def test_a_saved_stream_goes_on_and_a_fork_is_another(at: int, guidance: float) -> None:
    voice = model(guidance=guidance)
    whole = voice.stream(seed=3, labels=LABELS).read(6000)
    stream = voice.stream(seed=3, labels=LABELS)
    stream.read(at)
    np.testing.assert_array_equal(voice.restore(stream.save()).read(6000 - at), whole[at:])
    np.testing.assert_array_equal(stream.fork(3).read(6000 - at), whole[at:])
    assert (stream.fork(4).read(6000 - at) != whole[at:]).any()


def test_labels_that_are_set_begin_a_sound() -> None:
    stream = model().stream(seed=3, labels=LABELS)
    stream.read(4000)
    saved = stream.save()
    quiet = stream.read(4000)
    again = model().restore(saved)
    again.labels = LABELS  # the same once more
    assert (again.read(4000) != quiet).any()


def test_a_clock_that_was_saved_must_be_of_the_voice() -> None:
    clock = SoundClock(rows(), 4, 2)
    saved = clock.save()
    for place, value in ((0, -1), (1, -1), (2, -1), (3, 1 << 20), (4, 1 << 40), (5, 11), (6, -1)):
        wrong = saved["clock"].copy()
        wrong[place] = value
        with pytest.raises(EngineError):
            clock.load({"clock": wrong}, (10, 2))
    for wrong in (saved["clock"][:-1], saved["clock"].astype(np.int32)):
        with pytest.raises(EngineError):
            clock.load({"clock": wrong}, (10, 2))


def test_a_prompt_is_gone_on_from() -> None:
    prime = (voices.sound(777), voices.RATE)
    first, again = (model().generate(samples=2000, seed=3, labels=LABELS, prime=prime) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert (first != model().generate(samples=2000, seed=3, labels=LABELS)).any()
