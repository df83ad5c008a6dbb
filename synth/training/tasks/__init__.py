"""The registry of what `synth train` trains for: an entry a task, and a module that has all of the task.

It loads neither NumPy nor torch, so that the command's parser can read it; a task's module is imported by
`TaskEntry.load`. What stands in both is held together by a test.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

from synth.common.errors import RunError, UsageError

if TYPE_CHECKING:
    from synth.training.tasks.base import Task


@dataclass(frozen=True)
class PresetFacts:
    """What a preset is for; its sample rate in Hz; the size of its checkpoint in MB; minutes of its schedule.

    The minutes are about those of two cores of a cloud machine, of a voice the default budget; `rate` 0 is that of the
    voice.
    """

    purpose: str
    rate: int
    megabytes: float
    minutes: float


@dataclass(frozen=True)
class TaskEntry:
    """A task without its module.

    `name`: of `--task`, and in run.json. `module`: of synth.training.tasks; its `TASK` is the class. `facts`: of each
    value of `--preset`, the default one first. `options`: the options of `synth train` that belong to the task, the
    fields of its options dataclass. `export_options`: those of `synth export`; `refusals` says why it does not take
    others. `stages`: names of the tasks that it trains one after the other; then `module` is one of synth.training,
    which leads them.
    """

    name: str
    module: str
    facts: Mapping[str, PresetFacts]
    options: tuple[str, ...]
    export_options: tuple[str, ...] = ("steps",)
    refusals: Mapping[str, str] = field(default_factory=dict)
    stages: tuple[str, ...] = ()

    @property
    def presets(self) -> tuple[str, ...]:
        """Values of `--preset`, the default one first."""
        return tuple(self.facts)

    def load(self) -> type[Task]:
        """The task's class; imports torch."""
        task: type[Task] = import_module(f"{__name__}.{self.module}").TASK
        return task

    def leader(self) -> ModuleType:
        """The module of a task in stages, whose `train` and `export` lead those of its stages; imports torch."""
        return import_module(f"synth.training.{self.module}")

    def check_accepted(self, options: Mapping[str, Any]) -> None:
        """UsageError when an option was given (is not None) that this task does not take."""
        for name, value in options.items():
            if value is not None and name not in self.options:
                others = having_preset(str(value)) if name == "preset" else _taken_by(tasks_with(name))
                raise UsageError(f"{flag(name)}: --task {self.name} does not take it{others}")


_SCHEDULE = ("trim", "steps", "seed")
_NO_FINE_TUNING = "has no fine-tuning"

DEFAULT_TASK = "voice"
"""Of the command."""
FORMER_TASK = "generate"
"""Of runs from before there was a choice, whose run.json names none, and of programs that name none."""
TASKS = {
    entry.name: entry
    for entry in (
        TaskEntry(
            "voice",
            "voice_run",
            {
                "speech": PresetFacts("speech and singing, one voice or many", 16000, 4.3, 10),
                "notes": PresetFacts("instruments, music, noises", 16000, 3.6, 10),
                "digits": PresetFacts("short labelled words", 8000, 2.7, 10),
                "tiny": PresetFacts("a try", 8000, 1.1, 10),
            },
            ("corpora", "preset", "rate", "labels", "split", *_SCHEDULE, "base"),
            refusals={"noise": "has its own"},
            stages=("vocoder", "planner"),
        ),
        TaskEntry(
            "generate",
            "generator",
            {
                "digits": PresetFacts("short labelled words, made fast", 8000, 1.7, 50),
                "piano": PresetFacts("one instrument, as a texture", 16000, 1.0, 60),
                "general": PresetFacts("sounds of all kinds, to score and to compress", 16000, 0.9, 80),
                "tiny": PresetFacts("a try", 8000, 0.4, 5),
            },
            ("corpora", "preset", "rate", "labels", "split", *_SCHEDULE, "density"),
            ("steps", "noise"),
        ),
        TaskEntry(
            "classify",
            "classifier",
            {},
            ("corpora", "rate", "labels", "split", *_SCHEDULE, "target", "voice", "features", "net"),
            (),
            {"noise": _NO_FINE_TUNING, "steps": _NO_FINE_TUNING},
        ),
        TaskEntry(
            "vocoder",
            "vocoder",
            {
                "digits": PresetFacts("the decoder of a voice of short words", 8000, 1.6, 15),
                "speech": PresetFacts("the decoder of a voice of speech", 16000, 3.2, 150),
                "notes": PresetFacts("the decoder of a voice of instruments", 16000, 2.5, 35),
                "tiny": PresetFacts("a try of a decoder", 8000, 0.7, 4),
            },
            ("corpora", "preset", "rate", "labels", "split", *_SCHEDULE, "density", "divergence", "base"),
            refusals={"noise": "has its own"},
        ),
        TaskEntry(
            "planner",
            "planner",
            {
                "digits": PresetFacts("says when and how a voice of short words speaks", 0, 1.1, 30),
                "speech": PresetFacts("says what a voice of speech babbles", 0, 1.1, 10),
                "notes": PresetFacts("says what a voice of instruments plays", 0, 1.1, 10),
                "tiny": PresetFacts("a try of a planner", 0, 0.4, 2),
            },
            ("corpora", "preset", "labels", "split", *_SCHEDULE, "vocoder", "base"),
            ("steps", "temperatures", "guidance"),
            {"noise": "has its own"},
        ),
        TaskEntry(
            "corrector",
            "corrector",
            {
                "small": PresetFacts("helps synth compress", 16000, 1.5, 2880),
                "large": PresetFacts("helps synth compress more, more slowly", 16000, 4.1, 7200),
            },
            ("corpora", "preset", "rate", "split", *_SCHEDULE),
            refusals={"noise": "has no use for it"},
        ),
    )
}


def flag(option: str) -> str:
    """An option of `synth train` as it is typed."""
    return "--from" if option == "base" else f"--{option}"


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
    name = run_options.get("task", FORMER_TASK)
    if name not in TASKS:
        raise RunError(f"run.json: not the options of a run of this version (task {name!r})")
    return TASKS[name]
