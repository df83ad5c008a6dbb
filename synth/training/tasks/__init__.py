"""The registry of what `synth train` trains for: an entry a task, and a module that has all of the task.

It loads neither NumPy nor torch, so that the command's parser can read it; a task's module is imported by
`TaskEntry.load`. What stands in both is held together by a test.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any

from synth.common.errors import RunError, UsageError

if TYPE_CHECKING:
    from synth.training.tasks.base import Task


@dataclass(frozen=True)
class TaskEntry:
    """A task without its module.

    `name`: of `--task`, and in run.json. `module`: of synth.training.tasks; its `TASK` is the class. `presets`: values
    of `--preset`, the default one first. `options`: the options of `synth train` that belong to the task, the fields of
    its options dataclass. `export_options`: those of `synth export`; `refusals` says why it does not take others.
    """

    name: str
    module: str
    presets: tuple[str, ...]
    options: tuple[str, ...]
    export_options: tuple[str, ...] = ("steps",)
    refusals: Mapping[str, str] = field(default_factory=dict)

    def load(self) -> type[Task]:
        """The task's class; imports torch."""
        task: type[Task] = import_module(f"{__name__}.{self.module}").TASK
        return task

    def check_accepted(self, options: Mapping[str, Any]) -> None:
        """UsageError when an option was given (is not None) that this task does not take."""
        for name, value in options.items():
            if value is not None and name not in self.options:
                others = having_preset(str(value)) if name == "preset" else _taken_by(tasks_with(name))
                raise UsageError(f"--{name}: --task {self.name} does not take it{others}")


_SCHEDULE = ("trim", "steps", "seed")
_NO_FINE_TUNING = "has no fine-tuning"

DEFAULT_TASK = "generate"
TASKS = {
    entry.name: entry
    for entry in (
        TaskEntry(
            "generate",
            "generator",
            ("digits", "piano", "general", "tiny"),
            ("corpora", "preset", "rate", "labels", "split", *_SCHEDULE, "density"),
            ("steps", "noise"),
        ),
        TaskEntry(
            "classify",
            "classifier",
            (),
            ("corpora", "rate", "labels", "split", *_SCHEDULE, "target", "voice", "features", "net"),
            (),
            {"noise": _NO_FINE_TUNING, "steps": _NO_FINE_TUNING},
        ),
        TaskEntry(
            "vocoder",
            "vocoder",
            ("digits", "speech", "notes", "tiny"),
            ("corpora", "preset", "rate", "labels", "split", *_SCHEDULE, "density", "divergence"),
            refusals={"noise": "has its own"},
        ),
        TaskEntry(
            "planner",
            "planner",
            ("digits", "speech", "tiny"),
            ("corpora", "preset", "labels", "split", *_SCHEDULE, "vocoder"),
            ("steps", "temperatures", "guidance"),
            {"noise": "has its own"},
        ),
        TaskEntry(
            "corrector",
            "corrector",
            ("small", "large"),
            ("corpora", "preset", "rate", "split", *_SCHEDULE),
            refusals={"noise": "has no use for it"},
        ),
    )
}


def preset_names() -> tuple[str, ...]:
    """The presets of all tasks, each name once."""
    return tuple(dict.fromkeys(name for entry in TASKS.values() for name in entry.presets))


def having_preset(preset: str) -> str:
    """Which tasks have a preset, as the end of an error; empty when there is none of the name."""
    names = [entry.name for entry in TASKS.values() if preset in entry.presets]
    return f"; {preset} is a preset of --task {' or '.join(names)}" if names else ""


def _taken_by(names: tuple[str, ...]) -> str:
    """Which tasks take an option, as the end of an error."""
    return f"; it is for --task {' or '.join(names)}" if names else ""


def tasks_with(option: str) -> tuple[str, ...]:
    """The tasks that take an option of `synth train`."""
    return tuple(name for name, entry in TASKS.items() if option in entry.options)


def tasks_with_export(option: str) -> tuple[str, ...]:
    """The tasks whose runs take an option of `synth export`."""
    return tuple(name for name, entry in TASKS.items() if option in entry.export_options)


def task_named(name: str) -> TaskEntry:
    """The task of a name; UsageError when there is none."""
    if name not in TASKS:
        raise UsageError(f"task {name}: must be {' or '.join(TASKS)}")
    return TASKS[name]


def task_of(run_options: Mapping[str, Any]) -> TaskEntry:
    """The task of a run, by its run.json; runs from before there was a choice generate."""
    name = run_options.get("task", DEFAULT_TASK)
    if name not in TASKS:
        raise RunError(f"run.json: not the options of a run of this version (task {name!r})")
    return TASKS[name]
