"""What `synth bench` measures of a checkpoint, by its kind."""

from __future__ import annotations

from typing import Any

from synth.benchmarking import generator, voice
from synth.benchmarking.rows import processor
from synth.common.cpus import available_cpus
from synth.common.errors import UsageError
from synth.generation import checkpoint


def run(name: str, threads: int | None, baseline: str | None) -> dict[str, Any]:
    """What `synth bench --json` reports: the median speed of each thing, and its spread, (most - least) / median.

    `ratio`, where a row has one, is its speed over that of the row that `over` names. `milliseconds` is a duration. Of
    a voice all is measured that its sound goes through: planner, conditioner, network, bed, postfilter, each with
    the `share` of a stream's time that it takes; beside them its network's recurrent product alone, the least that a
    sample takes. Raises
    CheckpointError for a file that is no checkpoint that generates, UsageError for a baseline that a voice has not.
    """
    loaded = checkpoint.load(name)
    cores = threads or available_cpus()
    if loaded.voice is None:
        rows = generator.measure(loaded, cores, bool(baseline))
    elif baseline:
        raise UsageError(f"--baseline: {name} is a voice; PyTorch steps plain networks, as digits-plain")
    else:
        rows = voice.measure(loaded, cores)
    return {"results": list(rows), "processor": processor()}
