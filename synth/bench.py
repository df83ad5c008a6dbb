"""Samples a second of this machine: one stream, several, every instruction set, the reference, and PyTorch."""

from __future__ import annotations

import os
import platform
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from synth import checkpoint, engine, parallel, sampler
from synth.config import Draw
from synth.extras import training_extra

_REPEATS = 5
_SECONDS = 0.4
"""Times that each thing is measured, and for how long: with every instruction set well below two minutes."""
_LEAST = 64
_TORCH_SAMPLES = 1500


def run(name: str, threads: int | None, baseline: str | None) -> dict[str, Any]:
    """What `synth bench --json` reports: the median speed of each thing, and its spread, (most - least) / median."""
    loaded = checkpoint.load(name)
    torch = _baseline() if baseline else None
    cores = threads or os.cpu_count() or 1
    results = [_engine(loaded, "one stream, one thread", 1)]
    if results[0]["engine"] == "native":
        results.append(_engine(loaded, f"{cores} streams, {cores} threads", cores))
        for instruction_set in engine.instruction_sets():
            with _forced(instruction_set):
                results.append(_engine(loaded, f"one stream, {instruction_set}", 1))
        results.append(_engine(loaded, "reference engine", 1, "reference"))
    if torch:
        speeds = [torch(loaded, _TORCH_SAMPLES) for _ in range(3)]
        results.append(_result("PyTorch, one sample at a time, one thread", speeds, 1, "torch", "torch"))
    return {"results": results, "processor": processor()}


def _engine(loaded: checkpoint.Checkpoint, name: str, streams: int, kind: str = "auto") -> dict[str, Any]:
    model = sampler.Model(loaded, kind)
    sources = [model.start(Draw(), seed=number) for number in range(streams)]

    def draw(count: int) -> int:
        parallel.each(lambda source: source.codes(count), sources, streams, threading.Event())
        return count * streams

    speeds = _measure(draw)
    return _result(name, speeds, streams, model.engine.instruction_set, model.engine.name)


def _baseline() -> Callable[[checkpoint.Checkpoint, int], float]:
    """What steps the same network in PyTorch and gives samples a second; SynthError where there is no torch."""
    with training_extra("--baseline torch"):
        from synth import baseline

        return baseline.samples_per_second


def _measure(draw: Callable[[int], int]) -> list[float]:
    """Samples a second, several times, of `draw(count)`, which returns how many samples it made."""
    count = _LEAST
    while (elapsed := _timed(draw, count)[1]) < _SECONDS / 4:
        count *= 2
    count = max(_LEAST, int(count * _SECONDS / elapsed))
    return [made / elapsed for made, elapsed in (_timed(draw, count) for _ in range(_REPEATS))]


def _timed(draw: Callable[[int], int], count: int) -> tuple[int, float]:
    began = time.perf_counter()
    made = draw(count)
    return made, max(time.perf_counter() - began, 1e-9)


def _result(name: str, speeds: list[float], streams: int, instruction_set: str, kind: str) -> dict[str, Any]:
    median = statistics.median(speeds)
    return {
        "name": name,
        "samples_per_second": median,
        "spread": (max(speeds) - min(speeds)) / median,
        "streams": streams,
        "threads": streams,
        "instruction_set": instruction_set,
        "engine": kind,
    }


@contextmanager
def _forced(instruction_set: str) -> Iterator[None]:
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
    return f"{name}, {os.cpu_count()} cores"
