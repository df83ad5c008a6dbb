"""What a training run is asked for, the processes and devices that it gets, and its corpus."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from tqdm import tqdm

from synth.checkpoint import registry
from synth.common.errors import RunError, UsageError
from synth.data.build import CorpusRequest
from synth.data.corpus import Corpus
from synth.data.splits import SPLITS
from synth.training.budget import Budget, check_minutes
from synth.training.optimization import use_threads
from synth.training.run_folder import RunFolder
from synth.training.tasks import flag

PATH_OPTIONS = ("vocoder", "base")
"""Options whose value may be a file: run.json has its absolute path."""


@dataclass(frozen=True)
class TrainRequest:
    """What `synth train` is asked for.

    `corpora`: folders and files of audio. `run`: the folder of the run, made or, with `resume`, gone on with. `task`: a
    name in `synth.training.tasks.TASKS`; None is the run's own, or "generate". `options`: what the user gave of the
    options that belong to the task (its `accepted_options` say which), by name; None is not given. `device`: "auto",
    "cpu" or "cuda". `threads`: of the CPU. `until`: stops after this step, as Ctrl-C would. `quiet`: no progress.
    `minutes`: the time that it may take, or with a run that is there already the time for which it goes on; it counts
    from `began` on, a time of the monotonic clock, or from now on.
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
    minutes: float | None = None
    began: float | None = None

    def user_options(self) -> dict[str, Any]:
        """The task's options as run.json is to have them: absolute paths, and None for all that says nothing."""
        options = {name: _stated(value) for name, value in self.options.items()}
        for name in PATH_OPTIONS:
            value = options.get(name)
            if value and os.path.exists(value) and not registry.is_bundled(value):
                options[name] = os.path.abspath(value)
        return {"corpora": _stated([os.path.abspath(path) for path in self.corpora]), **options}

    def budget(self) -> Budget | None:
        """The time that was given, which begins now; UsageError when it is none, or steps were given too."""
        if self.minutes is None:
            return None
        if self.options.get("steps") is not None:
            raise UsageError("--steps: is how long to train, as --minutes is; give one of them")
        return self.clock(check_minutes(self.minutes))

    def clock(self, seconds: float) -> Budget:
        """A budget of so many seconds that began when the request did."""
        return Budget(seconds) if self.began is None else Budget(seconds, began=self.began)

    def accelerator(self) -> Accelerator:
        """The processes and devices of the run; UsageError when there is no GPU where one was asked for."""
        use_threads(self.threads)
        if self.device == "cuda" and not torch.cuda.is_available():
            raise UsageError("--device cuda: torch sees no GPU here")
        return Accelerator(cpu=self.device == "cpu" or not torch.cuda.is_available())


def _stated(value: Any) -> Any:
    """An option's value, a list for several; None for a switch that is off and for an empty list."""
    if isinstance(value, (list, tuple)):
        return list(value) or None
    return None if value is False else value


def check_unchanged(path: Path, task: str, resolved: dict[str, Any], user_options: dict[str, Any]) -> None:
    """RunError when an option is given that is not what the run in `path` was made with."""
    for key, value in user_options.items():
        if value is not None and value != resolved.get(key):
            known = f"{flag(key)[2:]} {resolved[key]!r}" if key in resolved else f"--task {task}"
            raise RunError(
                f"{path}: this run was made with {known}, not {value!r}; leave it out, or train a new run in"
                " another folder"
            )


def corpus_request(folder: RunFolder, accepted: Any, rate: int, parts: Sequence[str] = SPLITS) -> CorpusRequest:
    """What the cache of a run is made of, by the accepted options of its task."""
    return CorpusRequest(
        accepted.corpora,
        rate,
        getattr(accepted, "labels", None),
        bool(accepted.trim),
        accepted.split,
        label_keys=getattr(accepted, "target", None),
        exclude=[folder.path],
        parts=parts,
    )


def read_corpus(request: CorpusRequest, place: Path, quiet: bool) -> Corpus:
    """The corpus in the cache `place`, with a progress bar while it is read."""
    with tqdm(desc="reading", unit="file", disable=True if quiet else None) as bar:
        return request.build(place, _shown(bar))


def _shown(bar: Any) -> Callable[[int, int], None]:
    def progress(done: int, total: int) -> None:
        bar.total = total
        bar.update(done - bar.n)

    return progress
