"""Training runs: going on exactly, stopping, what is refused, what the folder holds."""

from __future__ import annotations

import errno
import math
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from helpers import small

torch = pytest.importorskip("torch")

from helpers import runs

from synth.common.errors import RunError
from synth.training.loop import Trainer, interruptible
from synth.training.run_folder import RunFolder
from synth.training.tasks import generator

TESTS = Path(__file__).parents[1]
TINY_RUN = runs.Tiny(generator.PRESETS, small.MINI, {"labels": small.PATTERN})
begin, go_on = TINY_RUN.begin, runs.go_on


# what a run leaves


def test_a_run_leaves_state_log_audition_and_board(whole: Path) -> None:
    names = {path.name for path in whole.iterdir()}
    states = {"last.safetensors", "best.safetensors"}
    assert names == {
        "run.json",
        "log.jsonl",
        "lock",
        "cache",
        "tensorboard",
        "audition-4.wav",
        "audition-8.wav",
        *states,
    }
    log = small.records(whole)
    assert [record["step"] for record in log] == [4, 8]
    for record in log:
        assert record.keys() == {"step", "train", "validation", "validation_labels"}
        assert 4 < record["validation"] < 10 and record["validation"] != record["validation_labels"]
    arrays, info = small.state(whole)
    assert info["step"] == 8 and info["best"] == min(record["validation"] for record in log)
    assert len(info["recent"]) == 8
    assert all(array.dtype == np.float32 for array in arrays.values())
    best, best_info = small.state(whole, "best")
    assert best_info["validation"] == info["best"] and all(name.startswith("weight.") for name in best)
    wave, rate = soundfile.read(whole / "audition-8.wav", dtype="int16")
    assert rate == 8000 and wave.any()
    assert any("tfevents" in path.name for path in (whole / "tensorboard").iterdir())


def test_the_same_seed_gives_the_same_run_another_seed_another(
    whole: Path, sounds_folder: Path, tmp_path: Path
) -> None:
    begin(sounds_folder, tmp_path / "again", seed=0)
    small.same(whole, tmp_path / "again")
    begin(sounds_folder, tmp_path / "other", seed=1, until=1)
    arrays, info = small.state(tmp_path / "other")
    assert info["step"] == 1
    assert not np.array_equal(arrays["weight.tree"], small.state(whole)[0]["weight.tree"])


# stopping and going on


@pytest.mark.parametrize("stops", [[1], [3], [4], [5], [7], [2, 6]])
def test_n_plus_m_steps_equal_n_stop_resume_m(
    stops: list[int], whole: Path, sounds_folder: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    begin(sounds_folder, run, until=stops[0])
    for until in [*stops[1:], None]:
        assert small.state(run)[1]["step"] in stops
        go_on(run, until=until)
    small.same(whole, run)
    go_on(run)  # nothing is left to do
    small.same(whole, run)


def test_with_two_threads_too_going_on_is_exact(sounds_folder: Path, tmp_path: Path) -> None:
    try:
        begin(sounds_folder, tmp_path / "two", threads=2, until=5)
        begin(sounds_folder, tmp_path / "stopped", threads=2, until=2)
        go_on(tmp_path / "stopped", threads=2, until=5)
    finally:
        torch.set_num_threads(1)
    small.same(tmp_path / "two", tmp_path / "stopped")


CHILD = """
import sys, time
from helpers import small
from synth.cli.entry import main
from synth.training.tasks import generator

generator.PRESETS["tiny"] = small.MINI
train_step = generator.train_step

def slow(*given):
    time.sleep(0.25)
    return train_step(*given)

generator.train_step = slow
sys.exit(main())
"""


def child(*arguments: object) -> subprocess.Popen[bytes]:
    """`synth train` in a process of its own; `tiny` is the preset `mini` there, and a step takes a quarter second."""
    path = os.pathsep.join([str(TESTS), str(TESTS.parent), os.environ.get("PYTHONPATH", "")])
    command = [sys.executable, "-c", CHILD, "train", "--task", "generate", *map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": path}
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment)


def test_a_full_disk_is_named_and_the_state_stays(
    sounds_folder: Path, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tmp_path / "run"
    begin(sounds_folder, run, until=3)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(RunFolder, "log", full)
        with pytest.raises(RunError, match=f"^{run}: No space left on device; the last saved state .* --resume"):
            go_on(run)
    assert small.state(run)[1]["step"] == 3
    go_on(run)
    small.same(whole, run)


def wait_for(path: Path, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 120
    while not path.exists() and process.poll() is None and time.monotonic() < until:
        time.sleep(0.02)


def test_ctrl_c_saves_exits_130_and_resume_ends_alike(sounds_folder: Path, whole: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    options = ["--preset", "tiny", "--labels", small.PATTERN, "--threads", 1]
    with child(sounds_folder, "-o", run, *options) as process:
        wait_for(run / "last.safetensors", process)
        with pytest.raises(RunError, match="another process is training"):
            go_on(run)
        process.send_signal(signal.SIGINT)
        out, error = process.communicate(timeout=60)
    assert process.returncode == 130, error.decode()
    assert out == b"" and error.decode().splitlines()[-1] == "synth train: interrupted"
    assert 4 <= small.state(run)[1]["step"] < 8
    go_on(run)
    small.same(whole, run)


def test_ctrl_c_between_validations_saves_that_very_step(
    sounds_folder: Path, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train_step, run = generator.train_step, tmp_path / "run"

    def interrupting(state: Any, *given: Any) -> float:
        if state.step == 5:
            os.kill(os.getpid(), signal.SIGINT)
        return train_step(state, *given)

    monkeypatch.setattr(generator, "train_step", interrupting)
    with pytest.raises(KeyboardInterrupt):
        begin(sounds_folder, run)
    assert small.state(run)[1]["step"] == 6  # the step under way was finished
    monkeypatch.undo()
    go_on(run)
    small.same(whole, run)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_asks_the_second_interrupts(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with interruptible() as stopped:
        assert not stopped()
        signal.raise_signal(number)
        assert stopped()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(number)
    assert signal.getsignal(number) is before


def test_outside_the_main_thread_signals_stay_as_they_are() -> None:
    seen: list[bool] = []

    def body() -> None:
        with interruptible() as stopped:
            seen.append(stopped())

    thread = threading.Thread(target=body)
    thread.start()
    thread.join()
    assert seen == [False]


@pytest.mark.parametrize("name", ["before log", "after log", "save last", "save best", "show"])
def test_a_crash_inside_a_validation_is_made_good(
    name: str, sounds_folder: Path, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Crash(BaseException):
        pass

    save, log, run = RunFolder.save, RunFolder.log, tmp_path / "run"

    def crash(*_: object) -> None:
        raise Crash

    def crash_after_log(folder: RunFolder, record: dict[str, Any]) -> None:
        log(folder, record)
        raise Crash

    def crash_before_save(folder: RunFolder, which: str, *given: Any) -> None:
        if name == f"save {which}":
            raise Crash
        save(folder, which, *given)

    if name == "before log":
        monkeypatch.setattr(RunFolder, "log", crash)
    elif name == "after log":  # logged, but the state of that step was never saved
        monkeypatch.setattr(RunFolder, "log", crash_after_log)
    elif name == "show":
        monkeypatch.setattr(Trainer, "_log_validation", crash)
    else:
        monkeypatch.setattr(RunFolder, "save", crash_before_save)
    with pytest.raises(Crash):
        begin(sounds_folder, run)
    monkeypatch.undo()
    go_on(run)
    small.same(whole, run)


@pytest.mark.parametrize("stop", [None, 5])
def test_a_worse_validation_does_not_take_the_place_of_the_best(
    stop: int | None, sounds_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured = iter([5.0, 5.1, 6.0, 4.0])  # without labels, with; the one without decides
    monkeypatch.setattr(generator, "validate", lambda *given: next(measured))
    run = tmp_path / "run"
    begin(sounds_folder, run, until=stop)
    go_on(run)
    assert [record["validation"] for record in small.records(run)] == [5.0, 6.0]
    assert small.state(run)[1]["best"] == 5.0
    assert small.state(run, "best")[1] == {"step": 4, "validation": 5.0}


@pytest.mark.parametrize("poison", [math.nan, math.inf])
def test_a_loss_that_is_no_number_stops_with_the_step_and_keeps_the_last_good_state(
    poison: float, sounds_folder: Path, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train_step, run = generator.train_step, tmp_path / "run"

    def poisoned(state: Any, *given: Any) -> float:
        if state.step == 5:
            state.network.tree_bias.data[1] = poison
        return train_step(state, *given)

    monkeypatch.setattr(generator, "train_step", poisoned)
    with pytest.raises(RunError, match="step 5: the loss is not finite"):
        begin(sounds_folder, run)
    arrays, info = small.state(run)
    assert info["step"] == 4 and all(np.isfinite(array).all() for array in arrays.values())
    monkeypatch.undo()
    go_on(run)
    small.same(whole, run)
