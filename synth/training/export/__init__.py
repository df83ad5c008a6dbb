"""A run of `synth train` to a checkpoint, whatever it was for."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from synth.common.errors import UsageError
from synth.common.files import check_output
from synth.training.export import classifier, corrector, generator, voice
from synth.training.optimization import steady_memory
from synth.training.run_folder import RunFolder


def export(
    run: str | os.PathLike[str],
    out: str | os.PathLike[str],
    steps: int | None = None,
    noise: float = 0.0,
    temperatures: tuple[float, ...] | None = None,
    guidance: float | None = None,
    card: dict[str, str] | None = None,
    force: bool = False,
    quiet: bool = False,
    say: Callable[[str], None] = lambda text: None,
) -> dict[str, Any]:
    """Write the checkpoint `out` from the best weights of `run`; returns its card.

    `steps` of fine-tuning, with `noise` (see `export_generator`), `temperatures` and `guidance` (see `voice`): what the
    run's task has no use for is refused. `card` adds facts (corpus, licence, ...). Raises UsageError, RunError,
    CorpusError, OutputError.
    """
    check_output(out, force)
    steady_memory()
    options = RunFolder(run).options()
    task = options.get("task", "generate")
    if temperatures and task != "planner":
        raise UsageError("--temperatures: is for a run of --task planner")
    if guidance and task != "planner":
        raise UsageError("--guidance: is for a run of --task planner")
    if task == "classify":
        if steps is not None or noise:
            raise UsageError(f"--{'noise' if noise else 'steps'}: a run of --task classify has no fine-tuning")
        return classifier.export(run, out, card, force, say)
    if noise and task != "generate":
        why = "has no use for it" if task == "corrector" else "has its own"
        raise UsageError(f"--noise: a run of --task {task} {why}")
    if task == "corrector":
        return corrector.export(run, out, steps, card, force, quiet, say)
    if task == "vocoder":
        return voice.export_vocoder(run, out, steps, card, force, quiet, say)
    if task == "planner":
        planner, network = temperatures or (1.0, 1.0)
        drawn = ((planner, network), guidance or 1.0)
        return voice.export_planner(run, out, steps, drawn, card, force, quiet, say)
    return generator.export(run, out, steps, noise, card, force, quiet, say)
