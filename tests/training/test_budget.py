"""Time to steps: what is refused, how many steps are planned, and that a run ends when its time is up."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from helpers import small

torch = pytest.importorskip("torch")

from helpers import runs

from synth.common.errors import RunError, UsageError
from synth.training.budget import Budget, Pace, check_minutes, streams_for, with_streams
from synth.training.config import GeneratorTrainConfig
from synth.training.optimization import rate_at
from synth.training.run_folder import RunFolder
from synth.training.tasks import generator

TINY_RUN = runs.Tiny(generator.PRESETS, small.MINI, {"labels": small.PATTERN})
begin, go_on = TINY_RUN.begin, runs.go_on


@pytest.mark.parametrize("minutes", [0.0, -1.0, float("nan"), float("inf"), 10081.0])
def test_times_that_are_none(minutes: float) -> None:
    with pytest.raises(UsageError, match="^--minutes "):
        check_minutes(minutes)
    assert check_minutes(0.5) == 30


def test_steps_fill_what_is_left() -> None:
    pace = Pace(Budget(100.0))
    due = [pace.add_step(0.5 if number else 9.0) for number in range(12)]
    assert due == [number in (3, 11) for number in range(12)]  # the first step does not count
    pace.add_validation(2.0)
    steps, every = pace.plan(12)
    assert 12 + (100 - 2 - 2 * 3) / 0.5 - 5 <= steps <= 12 + 98 / 0.5
    assert steps / 5 < every < steps / 2
    late = Pace(Budget(100.0, used=99.9))
    late.add_step(1.0)
    assert late.add_step(1.0) and late.plan(7)[0] == 7  # no time is left: the step that was done is the last


def test_a_run_ends_with_its_time_and_goes_on(sounds_folder: Path, tmp_path: Path) -> None:
    run, began = tmp_path / "run", time.monotonic()
    begin(sounds_folder, run, minutes=0.05)
    assert 1 < time.monotonic() - began < 60  # others may have the machine
    steps = small.state(run)[1]["step"]
    options = RunFolder(run).options()
    assert options["train"]["steps"] == steps > 0 and options["budget"] == 3
    assert small.records(run)[-1]["step"] == steps
    with pytest.raises(RunError, match="stopped in a budget of 0.05 minutes"):
        go_on(run, minutes=1.0)
    go_on(run, minutes=0.03, resume=False)
    after = RunFolder(run).options()["train"]
    assert after["steps"] == small.state(run)[1]["step"] > steps == after["begin"]


def test_a_stopped_time_is_finished(sounds_folder: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    begin(sounds_folder, run, minutes=0.05, until=3)
    used = small.state(run)[1]["seconds"]
    assert 0 < used < 10
    go_on(run)
    assert small.state(run)[1]["step"] > 3 and small.state(run)[1]["seconds"] > used


def test_more_steps_go_on_from_the_end(whole: Path, sounds_folder: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    begin(sounds_folder, run)
    with pytest.raises(RunError, match="a schedule of 8 steps, of which 8 are done; --steps 8 is not more"):
        go_on(run, steps=8, resume=False)
    with pytest.raises(RunError, match="made with rate 8000, not 16000"):
        go_on(run, steps=12, rate=16000, resume=False)
    small.same(whole, run)
    go_on(run, steps=12, resume=False, until=10)
    go_on(run)
    assert [record["step"] for record in small.records(run)] == [4, 8, 12]
    straight = tmp_path / "straight"
    begin(sounds_folder, straight)
    go_on(straight, steps=12, resume=False)
    small.same(straight, run)


def test_the_learning_rate_goes_on_where_a_longer_schedule_is() -> None:
    longer = GeneratorTrainConfig(steps=2000, begin=1000)
    assert rate_at(longer, 1000) == pytest.approx(0.01 * 0.505 * longer.rate)
    assert rate_at(longer, 1200) == rate_at(GeneratorTrainConfig(steps=2000), 1200)


@pytest.mark.parametrize(
    ("streams", "minutes", "expected"),
    [(24, None, 24), (24, 0.3, 8), (24, 20, 8), (24, 21, 16), (24, 80, 16), (24, 81, 24), (4, 10, 4)],
)
def test_little_time_takes_small_batches(streams: int, minutes: float | None, expected: int) -> None:
    seconds = None if minutes is None else 60.0 * minutes
    assert streams_for(streams, seconds) == expected
    config = {"model": 1, "train": {"streams": streams, "steps": 5}}
    assert with_streams(config, seconds) == {"model": 1, "train": {"streams": expected, "steps": 5}}
    assert config["train"] == {"streams": streams, "steps": 5}
