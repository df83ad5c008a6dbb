"""The registry of tasks: it loads neither torch nor NumPy, and says of each task what the task's module says."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import fields, is_dataclass

import pytest

from synth.common.errors import RunError, UsageError
from synth.training.tasks import TASKS, TaskEntry, preset_names, task_named, task_of, tasks_with

ENTRIES = pytest.mark.parametrize("entry", TASKS.values(), ids=TASKS)
SINGLE = [entry for entry in TASKS.values() if not entry.stages]


@pytest.mark.parametrize("entry", SINGLE, ids=[entry.name for entry in SINGLE])
def test_an_entry_says_what_its_module_says(entry: TaskEntry) -> None:
    pytest.importorskip("torch")
    from importlib import import_module

    module, task = import_module(f"synth.training.tasks.{entry.module}"), entry.load()
    assert task.name == entry.name and task is module.TASK
    assert is_dataclass(task.accepted_options) and task.accepted_options.__dataclass_params__.frozen
    assert tuple(field.name for field in fields(task.accepted_options)) == entry.options
    assert all(value is None for value in vars(task.accepted_options()).values())
    assert tuple(getattr(module, "PRESETS", {})) == entry.presets
    if entry.presets:
        assert entry.presets[0] == module.DEFAULT_PRESET


def test_a_task_in_stages_has_a_leader_and_presets_of_all_stages() -> None:
    pytest.importorskip("torch")
    from synth.training.voice_options import VoiceOptions

    entry = TASKS["voice"]
    assert callable(entry.leader().train) and callable(entry.leader().export)
    assert tuple(field.name for field in fields(VoiceOptions)) == entry.options
    assert all(value is None for value in vars(VoiceOptions()).values())
    for stage in entry.stages:
        assert set(entry.presets) <= set(TASKS[stage].presets)


@ENTRIES
def test_presets_say_what_they_are_for(entry: TaskEntry) -> None:
    for preset, facts in entry.facts.items():
        assert facts.purpose and facts.megabytes > 0 and facts.minutes > 0, preset
        assert facts.rate == 0 or 8000 <= facts.rate <= 48000


@ENTRIES
def test_all_options_of_export_are_taken_or_refused(entry: TaskEntry) -> None:
    assert set(entry.export_options) <= {"steps", "noise", "temperatures", "guidance"}
    assert {"steps", "noise"} <= {*entry.export_options, *entry.refusals}
    assert not set(entry.export_options) & set(entry.refusals)


def test_names() -> None:
    assert tuple(TASKS) == ("voice", "generate", "classify", "vocoder", "planner", "corrector")
    assert preset_names() == ("speech", "notes", "digits", "tiny", "piano", "general", "small", "large")
    assert tasks_with("density") == ("generate", "vocoder") and tasks_with("labels") == tuple(TASKS)[:5]
    assert task_of({}) is TASKS["generate"] and task_of({"task": "planner"}) is TASKS["planner"]
    with pytest.raises(UsageError, match="^task sing: must be voice or generate or classify or"):
        task_named("sing")
    with pytest.raises(RunError, match="task 'sing'"):
        task_of({"task": "sing"})


@pytest.mark.parametrize("command", ["train", "export"])
def test_help_loads_neither_torch_nor_numpy(command: str) -> None:
    code = f"""
import sys
from synth.cli.entry import main
try:
    main([{command!r}, "--help"])
except SystemExit:
    pass
assert not {{"torch", "numpy", "accelerate"}} & set(sys.modules), "too much is loaded"
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "usage" in done.stdout


def test_a_preset_of_another_task_names_that_task() -> None:
    with pytest.raises(UsageError, match="piano is a preset of --task generate"):
        TASKS["vocoder"].load().sample_rate(TASKS["vocoder"].load().accepted_options(preset="piano"))
    with pytest.raises(
        UsageError, match="--task classify does not take it; tiny is a preset of --task voice or generate or"
    ):
        TASKS["classify"].check_accepted({"preset": "tiny"})
