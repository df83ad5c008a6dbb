"""What the commands that write a sound share: the request's options, the writing of samples, the report."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from synth.audio.writer import AudioWriter
from synth.checkpoint import registry
from synth.common import outputs
from synth.generation.base import AudioModel
from synth.generation.stream import Stream

Tick = Callable[[int], Any]
Progress = Callable[[int | None], AbstractContextManager[Tick]]
"""Of a number of samples: a context whose value is called with each number of samples that is done."""
BLOCK = 1 << 12


@dataclass(frozen=True, kw_only=True)
class SpeechOutput:
    """Options of every command that writes a sound; each is in its own range already.

    `out`: a file or "-"; `seed`: None draws one; `labels`: by key; `format`: None is what the suffix of `out` says;
    `engine`: as for `synth.load`; `force`: an existing file is replaced.
    """

    out: str
    checkpoint: str = "speech"
    temperature: float = 1.0
    seed: int | None = None
    labels: Mapping[str, str | list[str]] | None = None
    format: str | None = None
    engine: str = "auto"
    force: bool = False


def check_places(request: SpeechOutput, sources: Sequence[str]) -> None:
    """UsageError or OutputError where `out` can't be written, or is one of the files that are read."""
    outputs.check_outputs([request.out], [*sources, registry.file_of(request.checkpoint)], request.force)
    outputs.check_pipe(request.out)


def write_stream(
    stream: Stream,
    request: SpeechOutput,
    form: str,
    *,
    samples: int,
    progress: Progress,
    sources: Sequence[str] = (),
) -> tuple[float, str | None]:
    """Writes the next `samples` samples of a stream to `request.out` as `form`.

    Returns the seconds that it took, and what is wrong with the sound (`SoundCheck.fault`).
    """
    began, rate = time.perf_counter(), stream.checkpoint.config.sample_rate
    writer = AudioWriter(request.out, rate, form, request.force, samples, like=sources)
    with progress(samples) as tick, writer:
        for start in range(0, samples, BLOCK):
            count = min(BLOCK, samples - start)
            writer.write(stream.pcm(count))
            tick(count)
    return max(time.perf_counter() - began, 1e-9), writer.check.fault


def source_facts(model: AudioModel, files: list[dict[str, Any]], samples: int) -> dict[str, Any]:
    """The first half of a report: the files, how long each is, and the checkpoint."""
    return {
        "files": files,
        "sample_rate": model.sample_rate,
        "seconds": samples / model.sample_rate,
        "checkpoint": model.checkpoint.name,
        "checkpoint_sha256": model.checkpoint.sha256,
    }


def speed_facts(model: AudioModel, samples_per_second: float, **more: Any) -> dict[str, Any]:
    """The second half of a report: the engine and how fast it was."""
    return {
        "engine": model.engine.name,
        "instruction_set": model.engine.instruction_set,
        **more,
        "samples_per_second": samples_per_second,
        "real_time_factor": samples_per_second / model.sample_rate,
    }
