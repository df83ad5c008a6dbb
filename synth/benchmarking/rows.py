"""What a row of `synth bench` is, and the rows that are measured alike for every kind of checkpoint."""

from __future__ import annotations

import os
import platform
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import numpy as np

from synth.benchmarking import timing
from synth.common.cpus import available_cpus
from synth.engine.config import SamplingConfig
from synth.generation import generate
from synth.generation.base import AudioModel

_FILE_SECONDS = 10
Row = dict[str, Any]


def file(model: AudioModel) -> Row:
    """What `generate-audio` reports of a file: kernel, Python, WAV, until it is in its place."""
    compiled = model.engine.name == "native"
    with tempfile.TemporaryDirectory() as folder:
        request = generate.GenerateRequest(
            out=os.path.join(folder, "out.wav"),
            checkpoint=str(model.checkpoint.path),
            duration=_FILE_SECONDS if compiled else 0.02,
            seed=1,
            force=True,
            engine=model.engine.name,
        )
        speeds = [generate.generate(request, silent)["samples_per_second"] for _ in range(timing.REPEATS)]
    return native("one stream into a file (generate-audio)", speeds, 1, 1, model.engine)


def silent(_: int | None) -> AbstractContextManager[Callable[[int], None]]:
    """No progress bar, as commands ask for one."""
    return nullcontext(lambda samples: None)


def start(model: AudioModel) -> Row:
    """A stream made, primed with 100 ms, its first 10 ms given."""
    prompt, first = np.full(model.sample_rate // 10, 130, np.uint8), model.sample_rate // 100

    def begin() -> None:
        model.start(SamplingConfig(), seed=1, prompt=prompt).codes(first)

    speeds = timing.measure(begin, len(prompt) + first)
    row = native("a stream made, primed with 100 ms, its first 10 ms", speeds, 1, 1, model.engine)
    return {**row, "milliseconds": 1000 * (len(prompt) + first) / row["samples_per_second"]}


def native(title: str, speeds: list[float], streams: int, threads: int, player: Any) -> Row:
    """The row of what an engine did; `speeds` in samples a second."""
    return row(title, speeds, streams, threads, player.instruction_set, player.name)


def row(title: str, speeds: list[float], streams: int, threads: int, instruction_set: str, kind: str) -> Row:
    """A row of median and spread of `speeds`, in samples a second."""
    median, spread = timing.summary(speeds)
    return {
        "name": title,
        "samples_per_second": median,
        "spread": spread,
        "streams": streams,
        "threads": threads,
        "instruction_set": instruction_set,
        "engine": kind,
    }


def against(other: Row, row: Row) -> Row:
    """`row` with its speed over the other's."""
    return {**row, "ratio": row["samples_per_second"] / other["samples_per_second"], "over": other["name"]}


@contextmanager
def forced(instruction_set: str) -> Iterator[None]:
    """SYNTH_ISA set to a set, and put back."""
    before = os.environ.get("SYNTH_ISA")
    os.environ["SYNTH_ISA"] = instruction_set
    try:
        yield
    finally:
        if before is None:
            del os.environ["SYNTH_ISA"]
        else:
            os.environ["SYNTH_ISA"] = before


def processor() -> str:
    """The processor's name, as the system tells it, and how many cores there are."""
    name = platform.processor() or platform.machine()
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
            name = next((line.partition(":")[2].strip() for line in file if line.startswith("model name")), name)
    except OSError:
        pass
    return f"{name}, {available_cpus()} cores"
