"""The loop of a training run: steps, validation, saving, logs, stopping and going on."""

from __future__ import annotations

import dataclasses
import math
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from tqdm import tqdm

from synth.common.errors import RunError
from synth.training.budget import Budget, Pace
from synth.training.run_folder import RunFolder
from synth.training.tasks import task_of

Say = Callable[[str], None]
SAVE_SECONDS = 60.0


class Trainer:
    """A training run under way: a task in its folder, on an accelerator."""

    def __init__(
        self, folder: RunFolder, run_options: dict[str, Any], accelerator: Accelerator, quiet: bool, say: Say
    ) -> None:
        self.folder, self.accelerator, self.quiet, self.say = folder, accelerator, quiet, say
        self.run_options = run_options
        self.task = task_of(run_options).load()(folder, run_options, accelerator.device)
        self.state = self.task.state
        self.best = math.inf
        self.recent: list[float] = []
        self.used = 0.0
        self.pace: Pace | None = None
        if (folder.path / "last.safetensors").exists():
            arrays, info = folder.load("last")
            try:
                self.state.load(arrays, int(info["step"]))
                self.best, self.recent = float(info["best"]), [float(loss) for loss in info["recent"]]
                self.used = float(info.get("seconds", 0.0))
            except (KeyError, TypeError, ValueError, RuntimeError):
                raise RunError(f"{folder.path / 'last.safetensors'}: not a state of this version") from None
        if accelerator.is_main_process:
            folder.trim_log(self.state.step)  # records of steps whose state was not saved any more

    @property
    def steps(self) -> int:
        """Steps of the run in all, as they are planned now."""
        return int(self.task.config.steps)

    def go(self, until: int | None, budget: Budget | None = None, tail: float = 0.0) -> None:
        """Train to the end, or to step `until`, or to the first Ctrl-C (then KeyboardInterrupt).

        With a `budget` the steps are planned so that it is used up but for as long as `tail` steps last.
        """
        self.pace = Pace(budget, tail) if budget else None
        saved = time.monotonic()
        hidden = True if self.quiet or not self.accelerator.is_main_process else None
        with (
            interruptible() as stopped,
            tqdm(total=self.steps, initial=self.state.step, unit="step", disable=hidden) as bar,
        ):
            while self.state.step < min(self.steps, until or self.steps):
                loss = self._step()
                bar.total = self.steps
                bar.update()
                bar.set_postfix_str(f"{loss:.3f} {self.task.unit}")
                stop = self._any(stopped())
                last = min(self.steps, until or self.steps)
                if self.state.step % self.task.config.every == 0 or self.state.step == self.steps:
                    self._validate(bar.write if hidden is None and not bar.disable else self.say)
                    saved = time.monotonic()
                elif stop or self.state.step == last or time.monotonic() - saved > SAVE_SECONDS:
                    self._save()
                    saved = time.monotonic()
                if stop:
                    raise KeyboardInterrupt

    def _any(self, stop: bool) -> bool:
        """Whether any of the processes is to stop: they stop after the same step."""
        if self.accelerator.num_processes == 1:
            return stop
        return bool(self.accelerator.reduce(torch.tensor(float(stop), device=self.accelerator.device), "sum") > 0)

    def _step(self) -> float:
        began = time.monotonic()
        loss = self.task.train_step(self.accelerator)
        self.recent = [*self.recent[-99:], loss]
        if self.pace and self._any(self.pace.add_step(time.monotonic() - began)):
            self._plan(self.pace)
        return loss

    def _plan(self, pace: Pace) -> None:
        """So many steps as fit in what is left of the budget, the same in all processes; run.json says them."""
        planned = torch.tensor(pace.plan(self.state.step), device=self.accelerator.device)
        if self.accelerator.num_processes > 1:
            planned = self.accelerator.gather(planned[None]).amin(0)
        steps, every = (int(count) for count in planned)
        if steps == self.steps and every == self.task.config.every:
            return
        self.task.config = dataclasses.replace(self.task.config, steps=steps, every=every)
        self.run_options["train"] |= {"steps": steps, "every": every}
        if self.accelerator.is_main_process:
            self.folder.write_options(self.run_options)

    def _save(self) -> None:
        if self.accelerator.is_main_process:
            info: dict[str, Any] = {"step": self.state.step, "best": self.best, "recent": self.recent}
            if self.pace:
                info["seconds"] = round(self.pace.budget.spent, 3)
            self.folder.save("last", self.state.arrays(), info)

    def _validate(self, say: Say) -> None:
        """Measure, log, save, and show what the network can do."""
        began = time.monotonic()
        if self.accelerator.is_main_process:
            step = self.state.step
            record: dict[str, Any] = {"step": step, "train": round(float(np.mean(self.recent)), 5)}
            record |= {key: round(value, 5) for key, value in self.task.validate().items()}
            say("  ".join(f"{key} {value}" for key, value in record.items()) + f"  ({self.task.unit})")
            if self.task.eligible_as_best() and record.get("validation", record["train"]) < self.best:
                self.best = record.get("validation", record["train"])
                weights = {k: v for k, v in self.state.arrays().items() if k.startswith("weight.")}
                self.folder.save("best", weights, {"step": step, "validation": self.best})
            self.folder.log(record)
            self._save()
            self._log_validation(record)
        self.accelerator.wait_for_everyone()
        if self.pace:
            self.pace.add_validation(time.monotonic() - began)

    def _log_validation(self, record: dict[str, Any]) -> None:
        from torch.utils.tensorboard import SummaryWriter

        with SummaryWriter(str(self.folder.path / "tensorboard")) as board:
            self.task.log_validation(board, record, self.folder)


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
