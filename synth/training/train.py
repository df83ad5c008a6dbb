"""A training run from its options to its last step: folder, corpus, loop, validation, logs, stopping and going on."""

from __future__ import annotations

import dataclasses
from typing import Any

from synth.common.errors import RunError
from synth.training.budget import Budget
from synth.training.loop import Say, Trainer
from synth.training.optimization import denormals_flushed, steady_memory
from synth.training.request import TrainRequest, check_unchanged, corpus_request, read_corpus
from synth.training.run_folder import RunFolder
from synth.training.tasks import FORMER_TASK, TaskEntry, task_named, task_of
from synth.training.tasks.base import VERSION


def train(request: TrainRequest, *, say: Say = lambda text: None) -> None:
    """Train as the request asks, or go on with a run; `say` is called with each line for people.

    Raises UsageError for options that the task does not take, CorpusError when there is nothing to train on, RunError
    when the folder can't be used, holds another run, or the loss is not finite, KeyboardInterrupt after Ctrl-C, the
    state being saved.
    """
    steady_memory()
    entry = _entry(request)
    if entry.stages:
        entry.leader().train(request, say=say)
    else:
        _train_one(request, entry, say)


def _entry(request: TrainRequest) -> TaskEntry:
    """The task of the run that is there, or the one that was asked for."""
    folder = RunFolder(request.run)
    return task_of(folder.options()) if folder.started else task_named(request.task or FORMER_TASK)


def _train_one(request: TrainRequest, entry: TaskEntry, say: Say) -> None:
    """Train for a task without stages."""
    budget, user_options = request.budget(), {"task": request.task, **request.user_options()}
    accelerator = request.accelerator()
    with RunFolder(request.run, lock=accelerator.is_main_process) as folder, folder.full_disks_named():
        if accelerator.is_main_process:
            if not folder.started:
                if not request.corpora:
                    raise RunError(f"{folder.path}: no run in this folder to resume")
                folder.check_unused()
                _new_run(folder, entry, request, say)
            elif not request.resume:
                _go_on(folder, entry, request)
        accelerator.wait_for_everyone()
        run_options = folder.options()
        _check_unchanged(folder, entry, run_options, user_options)
        with denormals_flushed():
            with folder.kept_if_it_begins():
                trainer = Trainer(folder, run_options, accelerator, request.quiet, say)
            if request.resume:
                check_budget(folder, run_options.get("budget"), budget)
                budget = stopped_budget(run_options.get("budget"), trainer)
            trainer.go(request.until, budget)


def _check_unchanged(
    folder: RunFolder, entry: TaskEntry, run_options: dict[str, Any], user_options: dict[str, Any]
) -> None:
    resolved = {"task": entry.name, **entry.load().resolved_options(run_options)}
    check_unchanged(folder.path, entry.name, resolved, user_options)


def check_budget(folder: RunFolder, seconds: float | None, asked: Budget | None) -> None:
    """RunError where another time is asked for than the one, in seconds, that is to be finished."""
    if asked is not None and asked.seconds != seconds:
        was = f"{seconds / 60:g} minutes" if seconds else "steps"
        raise RunError(
            f"{folder.path}: this run was stopped in a budget of {was}, which --resume finishes; leave --minutes out,"
            " or leave --resume out to go on for so long from here"
        )


def stopped_budget(seconds: float | None, trainer: Trainer) -> Budget | None:
    """What is left of the time that a run was to take; None where it had steps, or has done them."""
    if seconds is None or trainer.state.step >= trainer.steps:
        return None
    return Budget(seconds, trainer.used)


def _go_on(folder: RunFolder, entry: TaskEntry, request: TrainRequest) -> None:
    """Lets a run that is there go on for the minutes, or to the steps, that are asked for."""
    options, steps = folder.options(), request.options.get("steps")
    if request.minutes is None and steps is None:
        raise RunError(
            f"{folder.path}: holds a run already; give --resume to go on, --minutes to train it further, or another"
            " folder"
        )
    others = {name: value for name, value in request.user_options().items() if name != "steps"}
    _check_unchanged(folder, entry, options, {"task": request.task, **others})
    extend(folder, options, steps, None if request.minutes is None else 60 * request.minutes)


def extend(folder: RunFolder, options: dict[str, Any], steps: int | None, seconds: float | None) -> None:
    """Writes into run.json that a run goes on, to `steps` in all or for so many `seconds`.

    RunError for steps that it has done already.
    """
    done = steps_done(folder)
    before = int(options["train"]["steps"])
    if steps is not None and steps <= max(done, before):
        raise RunError(
            f"{folder.path}: has a schedule of {before} steps, of which {done} are done; --steps {steps} is not more: a"
            " larger number goes on further, --resume finishes what was stopped"
        )
    options["train"] |= {"steps": steps or done + max(1, before), "begin": done}
    options.pop("budget", None)
    if seconds is not None:
        options["budget"] = seconds
    folder.write_options(options)


def steps_done(folder: RunFolder) -> int:
    """Steps of a run whose state is saved."""
    return int(folder.load("last")[1]["step"]) if (folder.path / "last.safetensors").exists() else 0


def _new_run(folder: RunFolder, entry: TaskEntry, request: TrainRequest, say: Say) -> None:
    """Build the corpus's cache and write the options of a new run."""
    user_options = request.user_options()
    entry.check_accepted(user_options)
    task = entry.load()
    accepted = task.accepted_options(**{name: user_options.get(name) for name in entry.options})
    corpus = read_corpus(
        corpus_request(folder, accepted, task.sample_rate(accepted)), folder.path / "cache", request.quiet
    )
    for path, reason in corpus.skipped:
        say(f"skipped {path}: {reason}")
    budget = {} if request.minutes is None else {"budget": 60 * request.minutes}
    run_options = {
        "version": VERSION,
        "given": dataclasses.asdict(accepted),
        **task.new_config(accepted, corpus),
        **budget,
    }
    folder.write_options(run_options if entry.name == FORMER_TASK else {"task": entry.name, **run_options})
