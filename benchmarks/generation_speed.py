#!/usr/bin/env python3
"""How fast `generate-audio` makes sound and how much memory it takes, written into docs/generate.md.

    python benchmarks/generation_speed.py

Two lengths of sound go into a pipe; what the longer one takes more is free of the start. CPU seconds of one thread, the
least of three; the largest resident size is the longer one's. Needs a quiet machine; four minutes.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import time
from collections.abc import Mapping

import pages

CHECKPOINTS = ("digits-plain", "digits", "piano", "speech")
SHORT, LONG, REPEATS, STARTS = 10, 40, 3, 9


def run(checkpoint: str, seconds: int, settings: Mapping[str, str]) -> tuple[float, float]:
    """CPU seconds and largest resident megabytes of one `generate-audio` into a pipe."""
    output = ("-q", "--format", "raw", "--threads", 1)
    command = pages.generate_audio("-", "-c", checkpoint, "-d", seconds, "-s", 1, *output)
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", **settings}
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=environment)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{checkpoint}: generate-audio failed ({status})")
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def measure(checkpoint: str, settings: Mapping[str, str]) -> tuple[float, float]:
    """Seconds of sound that a second of one thread makes, and megabytes."""
    short = min(run(checkpoint, SHORT, settings)[0] for _ in range(REPEATS))
    runs = [run(checkpoint, LONG, settings) for _ in range(REPEATS)]
    return (LONG - SHORT) / (min(seconds for seconds, _ in runs) - short), max(size for _, size in runs)


def rows(sets: list[str]) -> list[tuple[object, ...]]:
    """A row for each checkpoint: its name, samples a second for each instruction set, times real time, megabytes."""
    table: list[tuple[object, ...]] = []
    for checkpoint in CHECKPOINTS:
        facts = pages.synth_json("info", checkpoint)
        results = [measure(checkpoint, {"SYNTH_ISA": name}) for name in sets]
        speeds = [f"{1000 * round(times * facts['sample_rate'] / 1000):,}" for times, _ in results]
        times, megabytes = results[-1]
        table.append((f"`{facts['name']}`", *speeds, f"{times:.0f}", f"{megabytes:.0f} MB"))
    return table


def cold_start(checkpoint: str) -> tuple[float, float]:
    """Seconds of a whole `generate-audio -d 1` by the wall clock and of CPU time, medians."""
    walls, seconds = [], []
    with pages.installed() as environment:
        run(checkpoint, 1, environment)  # compiles the modules
        for _ in range(STARTS):
            began = time.perf_counter()
            seconds.append(run(checkpoint, 1, environment)[0])
            walls.append(time.perf_counter() - began)
    return statistics.median(walls), statistics.median(seconds)


def main() -> None:
    pages.parser(__doc__).parse_args()
    report = pages.synth_json("info")
    sets = [name for name in report["instruction_sets"] if name in ("baseline", "avx2", "avx512vnni")]
    heads = ("checkpoint", *(f"samples a second, {name}" for name in sets), f"times real time, {sets[-1]}", "memory")
    lines = pages.table(heads, rows(sets))
    wall, seconds = cold_start("digits")
    start = f"`generate-audio -d 1`, the whole process: {wall:.2f} s, of which {seconds:.2f} s of CPU time (`digits`)."
    lines += ["", start]
    pages.write_section("../generate", "speed and memory", lines)


if __name__ == "__main__":
    main()
