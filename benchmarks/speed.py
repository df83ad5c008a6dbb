#!/usr/bin/env python3
"""How fast the engine generates, starts, and how much memory it takes, written into docs/benchmarks/speed.md.

    python benchmarks/speed.py [--checkpoint NAME]

Needs a quiet machine and, for the rows of PyTorch, the dev extra. A few minutes on one core.
"""

from __future__ import annotations

import math
import subprocess
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import pages
import synth

REPEATS, SEEDS = 7, 100
CHECKPOINT, OTHER = "digits-plain-1", "piano"


def against(row: dict[str, Any]) -> str:
    """What a row of `synth bench` is compared with."""
    ratio = row.get("ratio", 0)
    text = f"{f'{ratio:.2f}' if ratio > 0.1 else f'1/{1 / ratio:.0f}'} x {row['over']}" if ratio else ""
    return text + (f"{row['milliseconds']:.2f} ms" if "milliseconds" in row else "")


def bench(checkpoint: str) -> list[str]:
    """The table of `synth bench --baseline torch`."""
    report = pages.synth_json("bench", "-c", checkpoint, "--baseline", "torch")
    rows = [
        (row["name"], f"{row['samples_per_second']:,.0f}", f"{100 * row['spread']:.0f} %", against(row))
        for row in report["results"]
    ]
    return [report["processor"], "", *pages.table(("what", "samples a second", "spread", "against"), rows)]


def cold_start(checkpoint: str) -> float:
    """Seconds of a whole `generate-audio -d 1`, median."""
    with tempfile.TemporaryDirectory() as folder:
        out = ("-d", 1, "-s", 1, "-q", "-f", f"{folder}/cold.wav")
        command = pages.generate_audio("-c", checkpoint, *out)
        return pages.median_seconds(partial(subprocess.run, command, check=True, capture_output=True), REPEATS)


def hour(checkpoint: str) -> tuple[float, float]:
    """Megabytes resident and samples a second of an hour into a pipe."""
    began = time.perf_counter()
    command = pages.generate_audio("-", "-c", checkpoint, "-d", 3600, "-s", 1, "-q", "--format", "raw")
    size = peak = 0
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout
        while block := process.stdout.read(1 << 16):
            size += len(block)
            if size % (1 << 22) < 1 << 16:
                text = Path(f"/proc/{process.pid}/status").read_text()
                peak = max(peak, int(text.partition("VmHWM:")[2].split()[0]) if "VmHWM:" in text else 0)
    return peak / 1024, size / 2 / (time.perf_counter() - began)


def label_choices(labels: dict[str, list[str]]) -> Iterator[dict[str, str]]:
    """No labels, each value by itself, and, of two keys, each pair of values."""
    yield {}
    yield from ({key: value} for key, values in labels.items() for value in values)
    if len(labels) == 2:
        (a, first), (b, second) = labels.items()
        yield from ({a: x, b: y} for x in first for y in second)


def loudest_begin(checkpoints: tuple[str, ...]) -> tuple[float, int]:
    """The loudest first 10 ms in dBFS over seeds 0 to 99 and all choices of labels, and how many streams there were."""
    worst, count = -math.inf, 0
    for name in checkpoints:
        model = synth.load(name)
        for labels in label_choices(pages.synth_json("info", name)["labels"]):
            for seed in range(SEEDS):
                wave = model.generate(samples=model.sample_rate // 100, seed=seed, labels=labels)
                loudness = 20 * np.log10(np.sqrt(np.mean(wave.astype(np.float64) ** 2)) + 1e-9)
                worst, count = max(worst, float(loudness)), count + 1
    return worst, count


def single_figures(checkpoint: str) -> list[str]:
    """The table of what is one figure each."""
    megabytes, rate = hour(checkpoint)
    worst, streams = loudest_begin((checkpoint, OTHER))
    command, pipe = (
        f"`generate-audio -c {checkpoint} -d 1 -s 1`",
        f"`generate-audio - -c {checkpoint} -d 3600 \\| ...`",
    )
    rows = [
        (f"cold start, whole process, median of {REPEATS}", f"{cold_start(checkpoint):.2f} s", command),
        ("an hour into a pipe, largest resident size", f"{megabytes:.0f} MB", pipe),
        ("the same, samples a second", f"{rate:,.0f}", ""),
        (f"loudest first 10 ms of {streams} streams", f"{worst:.1f} dBFS", "seeds 0 to 99, all labels, both"),
    ]
    return pages.table(("what", "figure", "command"), rows)


def main() -> None:
    parser = pages.parser(__doc__)
    parser.add_argument("-c", "--checkpoint", default=CHECKPOINT, metavar="NAME", help="(default: %(default)s)")
    checkpoint = parser.parse_args().checkpoint
    pages.write_section("speed", "speed", [*bench(checkpoint), "", *single_figures(checkpoint)])


if __name__ == "__main__":
    main()
