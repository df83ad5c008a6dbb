"""A training run from its options to its last step: folder, corpus, loop, validation, logs, stopping and going on."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import torch
from accelerate import Accelerator
from tqdm import tqdm

from synth.common.errors import RunError, UsageError
from synth.data import build
from synth.training.loop import Say, Trainer
from synth.training.optimization import denormals_flushed, steady_memory
from synth.training.run_folder import RunFolder
from synth.training.tasks import DEFAULT_TASK, TASKS, task_of
from synth.training.tasks.base import VERSION, check_given


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
    accelerator = Accelerator(cpu=device == "cpu" or not torch.cuda.is_available())
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
    with RunFolder(run, lock=accelerator.is_main_process) as folder:
        if accelerator.is_main_process:
            if folder.started and not resume:
                raise RunError(f"{folder.path}: holds a run already; give --resume to go on, or another folder")
            if not folder.started:
                if not corpora:
                    raise RunError(f"{folder.path}: no run in this folder to resume")
                _begin(folder, task or DEFAULT_TASK, given, say, quiet)
        accelerator.wait_for_everyone()
        options = folder.options()
        _check_given(folder, options, {"task": task, **given})
        with denormals_flushed():
            Trainer(folder, options, accelerator, quiet, say).go(until)


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

        corpus = build.build(
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
