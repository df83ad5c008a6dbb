"""A training run from its options to its last step: folder, corpus, loop, validation, logs, stopping and going on."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from accelerate import Accelerator
from tqdm import tqdm

from synth.common.errors import RunError, UsageError
from synth.data import build
from synth.data.corpus import Corpus
from synth.training.loop import Say, Trainer
from synth.training.optimization import denormals_flushed, steady_memory, use_threads
from synth.training.run_folder import RunFolder
from synth.training.tasks import DEFAULT_TASK, TaskEntry, task_named, task_of
from synth.training.tasks.base import VERSION

PATH_OPTIONS = ("vocoder",)
"""Options whose value may be a file: run.json has its absolute path."""


@dataclass(frozen=True)
class TrainRequest:
    """What `synth train` is asked for.

    `corpora`: folders and files of audio. `run`: the folder of the run, made or, with `resume`, gone on with. `task`: a
    name in `synth.training.tasks.TASKS`; None is the run's own, or "generate". `options`: what the user gave of the
    options that belong to the task (its `accepted_options` say which), by name; None is not given. `device`: "auto",
    "cpu" or "cuda". `threads`: of the CPU. `until`: stops after this step, as Ctrl-C would. `quiet`: no progress.
    """

    corpora: Sequence[str | os.PathLike[str]]
    run: str | os.PathLike[str]
    task: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    resume: bool = False
    device: str = "auto"
    threads: int | None = None
    until: int | None = None
    quiet: bool = False

    def user_options(self) -> dict[str, Any]:
        """The task's options as run.json is to have them: absolute paths, and None for all that says nothing."""
        options = {name: _stated(value) for name, value in self.options.items()}
        for name in PATH_OPTIONS:
            if options.get(name) and os.path.exists(options[name]):
                options[name] = os.path.abspath(options[name])
        return {"corpora": _stated([os.path.abspath(path) for path in self.corpora]), **options}


def _stated(value: Any) -> Any:
    """An option's value, a list for several; None for a switch that is off and for an empty list."""
    if isinstance(value, (list, tuple)):
        return list(value) or None
    return None if value is False else value


def train(request: TrainRequest, *, say: Say = lambda text: None) -> None:
    """Train as the request asks, or go on with a run; `say` is called with each line for people.

    Raises UsageError for options that the task does not take, CorpusError when there is nothing to train on, RunError
    when the folder can't be used, holds another run, or the loss is not finite, KeyboardInterrupt after Ctrl-C, the
    state being saved.
    """
    steady_memory()
    accelerator = _accelerator(request)
    user_options = request.user_options()
    with RunFolder(request.run, lock=accelerator.is_main_process) as folder:
        if accelerator.is_main_process:
            if folder.started and not request.resume:
                raise RunError(f"{folder.path}: holds a run already; give --resume to go on, or another folder")
            if not folder.started:
                if not request.corpora:
                    raise RunError(f"{folder.path}: no run in this folder to resume")
                folder.check_unused()
                _new_run(folder, task_named(request.task or DEFAULT_TASK), user_options, say, request.quiet)
        accelerator.wait_for_everyone()
        run_options = folder.options()
        _check_unchanged(folder, run_options, {"task": request.task, **user_options})
        with denormals_flushed():
            with folder.kept_if_it_begins():
                trainer = Trainer(folder, run_options, accelerator, request.quiet, say)
            trainer.go(request.until)


def _accelerator(request: TrainRequest) -> Accelerator:
    """The processes and devices of a run; UsageError when there is no GPU where one was asked for."""
    use_threads(request.threads)
    if request.device == "cuda" and not torch.cuda.is_available():
        raise UsageError("--device cuda: torch sees no GPU here")
    return Accelerator(cpu=request.device == "cpu" or not torch.cuda.is_available())


def _check_unchanged(folder: RunFolder, run_options: dict[str, Any], user_options: dict[str, Any]) -> None:
    """RunError when an option is given that is not what the run was made with."""
    entry = task_of(run_options)
    resolved = {"task": entry.name, **entry.load().resolved_options(run_options)}
    for key, value in user_options.items():
        if value is not None and value != resolved.get(key):
            known = f"{key} {resolved[key]!r}" if key in resolved else f"--task {entry.name}"
            raise RunError(
                f"{folder.path}: this run was made with {known}, not {value!r}; leave it out, or train a new run in"
                " another folder"
            )


def _new_run(folder: RunFolder, entry: TaskEntry, user_options: dict[str, Any], say: Say, quiet: bool) -> None:
    """Build the corpus's cache and write the options of a new run."""
    entry.check_accepted(user_options)
    task = entry.load()
    accepted = task.accepted_options(**{name: user_options.get(name) for name in entry.options})
    rate = task.sample_rate(accepted)
    with tqdm(desc="reading", unit="file", disable=True if quiet else None) as bar:

        def progress(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        corpus = _build(folder, accepted, rate, progress)
    for path, reason in corpus.skipped:
        say(f"skipped {path}: {reason}")
    run_options = {"version": VERSION, "given": dataclasses.asdict(accepted), **task.new_config(accepted, corpus)}
    folder.write_options(run_options if entry.name == DEFAULT_TASK else {"task": entry.name, **run_options})


def _build(folder: RunFolder, accepted: Any, rate: int, progress: Callable[[int, int], None]) -> Corpus:
    """The corpus of a task's accepted options, in the run's folder."""
    return build.build(
        accepted.corpora,
        folder.path / "cache",
        rate,
        getattr(accepted, "labels", None),
        bool(accepted.trim),
        accepted.split,
        label_keys=getattr(accepted, "target", None),
        progress=progress,
        exclude=[folder.path],
    )
