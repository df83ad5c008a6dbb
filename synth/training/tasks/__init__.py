"""The registry of what can be trained for: one module a task."""

from __future__ import annotations

from typing import Any

from synth.common.errors import RunError
from synth.training.tasks.base import Task
from synth.training.tasks.classifier import ClassifierTask
from synth.training.tasks.corrector import CorrectorTask
from synth.training.tasks.generator import GeneratorTask
from synth.training.tasks.planner import PlannerTask
from synth.training.tasks.vocoder import VocoderTask

DEFAULT_TASK = "generate"
TASKS: dict[str, type[Task]] = {
    "generate": GeneratorTask,
    "classify": ClassifierTask,
    "vocoder": VocoderTask,
    "planner": PlannerTask,
    "corrector": CorrectorTask,
}


def task_of(options: dict[str, Any]) -> type[Task]:
    """What a run is for; runs from before there was a choice generate."""
    name = options.get("task", DEFAULT_TASK)
    if name not in TASKS:
        raise RunError(f"run.json: not the options of a run of this version (task {name!r})")
    return TASKS[name]
