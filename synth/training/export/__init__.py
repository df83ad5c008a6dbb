"""A run of `synth train` to a checkpoint, whatever it was for: the task's module knows how."""

from __future__ import annotations

import os
from typing import Any

from synth.common.errors import UsageError
from synth.common.files import check_output
from synth.training.export.common import ExportRequest
from synth.training.optimization import steady_memory, use_threads
from synth.training.run_folder import RunFolder
from synth.training.tasks import TaskEntry, task_of, tasks_with_export


def export(run: str | os.PathLike[str], out: str | os.PathLike[str], **options: Any) -> dict[str, Any]:
    """Write the checkpoint `out` from the best weights of `run`; returns its card.

    `options`: the other fields of `ExportRequest`. Raises UsageError for one that the run's task has no use for,
    RunError, CorpusError, OutputError.
    """
    request = ExportRequest(run, out, **options)
    check_output(out, request.force)
    steady_memory()
    use_threads(request.threads)
    entry = task_of(RunFolder(run).options())
    check_accepted(entry, request)
    if entry.stages:
        return dict(entry.leader().export(request))
    return entry.load().export(request)


def check_accepted(entry: TaskEntry, request: ExportRequest) -> None:
    """UsageError for an option of `synth export` that the task does not take."""
    options = {
        "temperatures": bool(request.temperatures),
        "guidance": bool(request.guidance),
        "noise": bool(request.noise),
        "steps": request.steps is not None,
    }
    for name, is_set in options.items():
        if is_set and name not in entry.export_options:
            if name in entry.refusals:
                raise UsageError(f"--{name}: a run of --task {entry.name} {entry.refusals[name]}")
            raise UsageError(f"--{name}: is for a run of --task {' or '.join(tasks_with_export(name))}")
