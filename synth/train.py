"""A training run from its options to its last step: folder, corpus, loop, validation, logs, stopping and going on."""

from __future__ import annotations

import math
import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from tqdm import tqdm

from synth import corpus as corpora_module
from synth.classify_task import ClassifyTask
from synth.corrector_task import CorrectorTask
from synth.errors import RunError, UsageError
from synth.generate_task import GenerateTask
from synth.learn import denormals_flushed, steady_memory
from synth.planner_task import PlannerTask
from synth.runs import RunFolder
from synth.task import VERSION, Task, check_given
from synth.vocoder_task import VocoderTask

Say = Callable[[str], None]
SAVE_SECONDS = 60.0
DEFAULT_TASK = "generate"
TASKS: dict[str, type[Task]] = {
    "generate": GenerateTask,
    "classify": ClassifyTask,
    "vocoder": VocoderTask,
    "planner": PlannerTask,
    "corrector": CorrectorTask,
}


def train(
    corpora: Sequence[str | os.PathLike[str]],
    run: str | os.PathLike[str],
    preset: str | None = None,
    rate: int | None = None,
    labels: str | None = None,
    split: str | None = None,
    trim: bool = False,
    steps: int | None = None,
    seed: int | None = None,
    density: float | None = None,
    task: str | None = None,
    target: Sequence[str] | None = None,
    voice: Sequence[str] | None = None,
    features: str | None = None,
    net: str | None = None,
    vocoder: str | None = None,
    divergence: float | None = None,
    resume: bool = False,
    device: str = "auto",
    threads: int | None = None,
    quiet: bool = False,
    until: int | None = None,
    say: Say = lambda text: None,
) -> None:
    """Train on `corpora` in the folder `run`, or go on there with `resume`; `until` stops earlier, as Ctrl-C would.

    `task`: "generate" (the default); "classify", which takes `target` (label keys), `voice`, `features` and `net` and
    neither `preset` nor `density`; "vocoder", which takes `divergence`; "planner", which takes the checkpoint of a
    `vocoder`; or "corrector".

    Raises CorpusError when there is nothing to train on, RunError when the folder can't be used, holds another run, or
    the loss is not finite, KeyboardInterrupt after Ctrl-C, the state being saved.
    """
    steady_memory()
    if threads:
        torch.set_num_threads(threads)
    if device == "cuda" and not torch.cuda.is_available():
        raise UsageError("--device cuda: torch sees no GPU here")
    boss = Accelerator(cpu=device == "cpu" or not torch.cuda.is_available())
    given = {
        "corpora": [os.path.abspath(path) for path in corpora] or None,
        "preset": preset,
        "rate": rate,
        "labels": labels,
        "split": split,
        "trim": trim or None,
        "steps": steps,
        "seed": seed,
        "density": density,
        "target": list(target or ()) or None,
        "voice": list(voice or ()) or None,
        "features": features,
        "net": net,
        "divergence": divergence,
        "vocoder": os.path.abspath(vocoder) if vocoder and os.path.exists(vocoder) else vocoder,
    }
    with RunFolder(run, lock=boss.is_main_process) as folder:
        if boss.is_main_process:
            if folder.started and not resume:
                raise RunError(f"{folder.path}: holds a run already; give --resume to go on, or another folder")
            if not folder.started:
                if not corpora:
                    raise RunError(f"{folder.path}: no run in this folder to resume")
                _begin(folder, task or DEFAULT_TASK, given, say, quiet)
        boss.wait_for_everyone()
        options = folder.options()
        _check_given(folder, options, {"task": task, **given})
        with denormals_flushed():
            Run(folder, options, boss, quiet, say).go(until)


def task_of(options: dict[str, Any]) -> type[Task]:
    """What a run is for; runs from before there was a choice generate."""
    name = options.get("task", DEFAULT_TASK)
    if name not in TASKS:
        raise RunError(f"run.json: not the options of a run of this version (task {name!r})")
    return TASKS[name]


def _check_given(folder: RunFolder, options: dict[str, Any], given: dict[str, Any]) -> None:
    kind = task_of(options)
    made = {"task": kind.name, **kind.made_with(options)}
    for key, value in given.items():
        if value is not None and value != made.get(key):
            known = f"{key} {made[key]!r}" if key in made else f"--task {kind.name}"
            raise RunError(f"{folder.path}: this run was made with {known}, not {value!r}; leave it out")


def _begin(folder: RunFolder, task: str, given: dict[str, Any], say: Say, quiet: bool) -> None:
    """Build the corpus's cache and write the options of a new run."""
    if task not in TASKS:
        raise UsageError(f"task {task}: must be {' or '.join(TASKS)}")
    kind = TASKS[task]
    check_given(given, kind.given, task)
    given = {key: given[key] for key in kind.given}
    rate = kind.rate(given)
    with tqdm(desc="reading", unit="file", disable=True if quiet else None) as bar:

        def progress(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        corpus = corpora_module.build(
            given["corpora"],
            folder.path / "cache",
            rate,
            given.get("labels"),
            bool(given["trim"]),
            given["split"],
            label_keys=given.get("target"),
            progress=progress,
            exclude=[folder.path],
        )
    for path, reason in corpus.skipped:
        say(f"skipped {path}: {reason}")
    options = {"version": VERSION, "given": given, **kind.begin(given, corpus)}
    folder.write_options(options if task == DEFAULT_TASK else {"task": task, **options})


class Run:
    """A run under way."""

    def __init__(self, folder: RunFolder, options: dict[str, Any], boss: Accelerator, quiet: bool, say: Say) -> None:
        self.folder, self.boss, self.quiet, self.say = folder, boss, quiet, say
        self.task = task_of(options)(folder, options, boss.device)
        self.learner, self.config = self.task.learner, self.task.config
        self.best = math.inf
        self.recent: list[float] = []
        if (folder.path / "last.safetensors").exists():
            arrays, info = folder.load("last")
            try:
                self.learner.load(arrays, int(info["step"]))
                self.best, self.recent = float(info["best"]), [float(loss) for loss in info["recent"]]
            except (KeyError, TypeError, ValueError, RuntimeError):
                raise RunError(f"{folder.path / 'last.safetensors'}: not a state of this version") from None
        if boss.is_main_process:
            folder.trim_log(self.learner.step)  # records of steps whose state was not saved any more

    def go(self, until: int | None) -> None:
        """Train to the end, or to step `until`, or to the first Ctrl-C (then KeyboardInterrupt)."""
        last = min(self.config.steps, until or self.config.steps)
        saved = time.monotonic()
        hidden = True if self.quiet or not self.boss.is_main_process else None
        with (
            interruptible() as stopped,
            tqdm(total=self.config.steps, initial=self.learner.step, unit="step", disable=hidden) as bar,
        ):
            while self.learner.step < last:
                loss = self._step()
                bar.update()
                bar.set_postfix_str(f"{loss:.3f} {self.task.unit}")
                stop = self._any(stopped())
                if self.learner.step % self.config.every == 0 or self.learner.step == self.config.steps:
                    self._validate(bar.write if hidden is None and not bar.disable else self.say)
                    saved = time.monotonic()
                elif stop or self.learner.step == last or time.monotonic() - saved > SAVE_SECONDS:
                    self._save()
                    saved = time.monotonic()
                if stop:
                    raise KeyboardInterrupt

    def _any(self, stop: bool) -> bool:
        """Whether any of the processes is to stop: they stop after the same step."""
        if self.boss.num_processes == 1:
            return stop
        return bool(self.boss.reduce(torch.tensor(float(stop), device=self.boss.device), "sum") > 0)

    def _step(self) -> float:
        loss = self.task.step(self.boss)
        self.recent = [*self.recent[-99:], loss]
        return loss

    def _save(self) -> None:
        if self.boss.is_main_process:
            info = {"step": self.learner.step, "best": self.best, "recent": self.recent}
            self.folder.save("last", self.learner.arrays(), info)

    def _validate(self, say: Say) -> None:
        """Measure, log, save, and show what the network can do."""
        if self.boss.is_main_process:
            step = self.learner.step
            record: dict[str, Any] = {"step": step, "train": round(float(np.mean(self.recent)), 5)}
            record |= {key: round(value, 5) for key, value in self.task.measure().items()}
            say("  ".join(f"{key} {value}" for key, value in record.items()) + f"  ({self.task.unit})")
            if self.task.settled() and record.get("validation", record["train"]) < self.best:
                self.best = record.get("validation", record["train"])
                weights = {k: v for k, v in self.learner.arrays().items() if k.startswith("weight.")}
                self.folder.save("best", weights, {"step": step, "validation": self.best})
            self.folder.log(record)
            self._save()
            self._show(record)
        self.boss.wait_for_everyone()

    def _show(self, record: dict[str, Any]) -> None:
        from torch.utils.tensorboard import SummaryWriter

        with SummaryWriter(str(self.folder.path / "tensorboard")) as board:
            self.task.show(board, record, self.folder)


@contextmanager
def interruptible() -> Iterator[Callable[[], bool]]:
    """Within it the first Ctrl-C or SIGTERM only makes the yielded function return True; the second one interrupts."""
    seen: list[int] = []

    def note(number: int, _: object) -> None:
        if seen:
            raise KeyboardInterrupt
        seen.append(number)

    try:
        before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    except ValueError:  # not in the main thread: signals stay as they are
        before = {}
    try:
        yield lambda: bool(seen)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
