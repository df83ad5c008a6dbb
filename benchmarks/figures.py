#!/usr/bin/env python3
"""Measures what BENCHMARKS.md says and writes it: `python .ci/figures CORPORA`, in an environment with the dev extra.

CORPORA is a folder with fsdd-8k and piano-headroom-giantmidi-16k. Every table names the command that makes its figures.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

import synth

HERE = Path(__file__).resolve().parent.parent
REPEATS = 7


def out(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def score(files: list[Path], checkpoint: str, *more: str) -> float:
    return float(
        json.loads(out("synth", "score", "--json", "-c", checkpoint, *more, *map(str, files)))["bits_per_sample"]
    )


def every(files: list[Path], first: int) -> list[Path]:
    return sorted(files)[first - 1 :: 10]


def bits(corpora: Path) -> list[str]:
    digits = sorted((corpora / "fsdd-8k").glob("*.flac"))
    test = [path for path in digits if int(path.stem.split("_")[2]) <= 4]
    validation = [path for path in digits if int(path.stem.split("_")[2]) in (5, 6)]
    names = ("--labels", "{digit}_{speaker}_{take}")
    pieces = sorted((corpora / "piano-headroom-giantmidi-16k").glob("*.flac"))
    rows = [
        ("`digits`, fsdd-8k test (take 0 to 4), no labels", score(test, "digits")),
        ("`digits`, fsdd-8k test, true labels", score(test, "digits", *names)),
        ("`digits`, fsdd-8k validation (take 5, 6), no labels", score(validation, "digits")),
        ("`digits`, fsdd-8k validation, true labels", score(validation, "digits", *names)),
        ("`piano`, test (files 1, 11, 21)", score(every(pieces, 1), "piano")),
        ("`piano`, validation (files 2, 12, 22)", score(every(pieces, 2), "piano")),
    ]
    lines = [f"| {name} | {value:.4f} |" for name, value in rows]
    for name in ("digits", "piano"):
        for split, (before, after) in synth.load(name).checkpoint.info["float_and_integer"].items():
            text = f"`{name}`, {split}: float network {before:.4f}, integer engine {after:.4f} on the same files"
            lines.append(f"| {text} (printed by `synth export`) | {100 * (after / before - 1):+.2f} % |")
    return ["| what | bits per sample |", "|---|---|", *lines]


def speed() -> list[str]:
    data = json.loads(out("synth", "bench", "--json", "--baseline", "torch"))
    lines = [data["processor"], "", "| what | samples a second | spread | against |", "|---|---|---|---|"]
    for row in data["results"]:
        ratio = row.get("ratio", 0)
        against = f"{f'{ratio:.2f}' if ratio > 0.1 else f'1/{1 / ratio:.0f}'} x {row['over']}" if ratio else ""
        against += f"{row['milliseconds']:.2f} ms" if "milliseconds" in row else ""
        cells = (row["name"], f"{row['samples_per_second']:,.0f}", f"{100 * row['spread']:.0f} %", against)
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def start() -> float:
    times = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        out("generate-audio", "-d", "1", "-s", "1", "-q", "-f", "/tmp/cold.wav")
        times.append(time.perf_counter() - began)
    return statistics.median(times)


def hour() -> tuple[float, float]:
    """Megabytes resident and samples a second of an hour into a pipe."""
    began = time.perf_counter()
    command = ["generate-audio", "-", "-d", "3600", "-s", "1", "-q", "--format", "raw"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout
        total = 0
        peak = 0
        while block := process.stdout.read(1 << 16):
            total += len(block)
            if total % (1 << 22) < 1 << 16:
                text = Path(f"/proc/{process.pid}/status").read_text()
                peak = max(peak, int(text.partition("VmHWM:")[2].split()[0]) if "VmHWM:" in text else 0)
    return peak / 1024, total / 2 / (time.perf_counter() - began)


def quiet() -> tuple[float, int]:
    """The loudest first 10 ms in dBFS over seeds 0 to 99, without labels, with each value, with pairs."""
    worst, count = -200.0, 0
    for name in ("digits", "piano"):
        model = synth.load(name)
        known = dict(model.checkpoint.config.labels)
        cases: list[dict[str, str]] = [{}]
        cases += [{key: value} for key, values in known.items() for value in values]
        if len(known) == 2:
            (a, first), (b, second) = known.items()
            cases += [{a: x, b: y} for x in first for y in second]
        for labels in cases:
            for seed in range(100):
                wave = model.generate(samples=model.sample_rate // 100, seed=seed, labels=labels)
                level = 20 * np.log10(np.sqrt(np.mean(wave.astype(np.float64) ** 2)) + 1e-9)
                worst, count = max(worst, float(level)), count + 1
    return worst, count


def ablation() -> str:
    """The table that `.ci/ablate` wrote, as it stands."""
    _, marker, rest = (HERE / "BENCHMARKS.md").read_text().partition("<!-- ablation -->")
    return f"\n{marker}{rest}" if marker else ""


def main() -> None:
    corpora = Path(sys.argv[1])
    megabytes, rate = hour()
    worst, streams = quiet()
    text = [
        "# Figures",
        "",
        "Written by `python .ci/figures CORPORA`; machines are shared and noisy, so compare within a table.",
        "",
        "## Bits per sample",
        "",
        "Integer engine, file by file from a fresh state, every sample counted: `synth score -c NAME FILES...`, with",
        '`--labels "{digit}_{speaker}_{take}"` for the true labels.',
        "",
        *bits(corpora),
        "",
        "The piano test files' mu-law codes for comparison: `xz -9e` 4.72, `zpaq -m5` 3.49.",
        "",
        "## Speed",
        "",
        "`synth bench --baseline torch`:",
        "",
        *speed(),
        "",
        "| what | figure | command |",
        "|---|---|---|",
        f"| cold start, whole process, median of {REPEATS} | {start():.2f} s | `generate-audio -d 1 -s 1` |",
        f"| an hour into a pipe, largest resident size | {megabytes:.0f} MB | `generate-audio - -d 3600 \\| ...` |",
        f"| the same, samples a second | {rate:,.0f} | |",
        f"| loudest first 10 ms of {streams} streams | {worst:.1f} dBFS | seeds 0 to 99, all labels, both |",
        "",
    ]
    (HERE / "BENCHMARKS.md").write_text("\n".join(text) + ablation())


if __name__ == "__main__":
    main()
