#!/usr/bin/env python3
"""How much of what is generated is silent at temperatures, top-k and top-p, written into docs/benchmarks/knobs.md.

    python benchmarks/knobs.py [CHECKPOINT ...] [--seeds N] [--seconds S] [--write]

A file is silent or otherwise faulty as `generate-audio` says it of it; of quarters of a second those below -66 dB of
full scale are counted. Without --write the table is printed.
"""

from __future__ import annotations

import statistics
from typing import Any

import numpy as np

import pages
import synth
from synth.audio.sound_check import SILENT, SoundCheck
from synth.common.typing import Float64, Int16

PLAIN, VOICES = ("digits-plain-1", "general-1", "piano-1"), ("digits-5", "speech-4")
KNOBS: list[dict[str, Any]] = [
    {},
    *({"temperature": value} for value in (0.9, 0.8, 0.7, 0.5, 0.0)),
    *({"top_p": value} for value in (0.999, 0.98, 0.95, 0.9)),
    *({"top_k": value} for value in (64, 20, 8, 4, 2, 1)),
]
_SHORT = {"temperature": "-t", "top_p": "--top-p", "top_k": "--top-k"}


def quarters(pcm: Int16, rate: int) -> Float64:
    """Standard deviation of each whole quarter of a second, of 32768."""
    size = rate // 4
    deviations: Float64 = pcm[: len(pcm) // size * size].reshape(-1, size).std(1, dtype=np.float64)
    return deviations


def measure(model: Any, knob: dict[str, Any], seconds: float, seeds: int) -> tuple[str, ...]:
    """Cells of a row: silent files, other faults, share of silent quarters, median level and the lowest, in dB."""
    faults, parts, decibels = [], [], []
    for seed in range(seeds):
        pcm = np.round(model.generate(seconds, seed=seed, **knob) * 32768).astype(np.int16)
        check = SoundCheck(model.sample_rate)
        check.add(pcm)
        faults.append(check.fault or "")
        parts.append(float((quarters(pcm, model.sample_rate) < SILENT).mean()))
        decibels.append(20 * float(np.log10(max(pcm.std(dtype=np.float64), 1e-3) / 32768)))
    others = sorted({fault for fault in faults if fault not in ("", "silent")})
    return (
        f"{faults.count('silent')} of {seeds}",
        ", ".join(f"{faults.count(fault)} {fault}" for fault in others) or "-",
        pages.percent(statistics.mean(parts), 0),
        f"{statistics.median(decibels):.0f} dB",
        f"{min(decibels):.0f} dB",
    )


def table(names: list[str], seconds: float, seeds: int) -> list[str]:
    """The table: each checkpoint with each knob."""
    rows = []
    for name in names:
        model = synth.load(name)
        for knob in KNOBS:
            text = " ".join(f"{_SHORT[key]} {value:g}" for key, value in knob.items()) or "none"
            rows.append((f"`{name}`", f"`{text}`" if knob else text, *measure(model, knob, seconds, seeds)))
            print(*rows[-1], flush=True)
    heads = ("checkpoint", "knob", "silent files", "other faults", "silent quarters", "median level", "lowest")
    return pages.table(heads, rows)


def main() -> None:
    parser = pages.parser(__doc__)
    parser.add_argument("names", nargs="*", metavar="CHECKPOINT", default=[*PLAIN, *VOICES])
    parser.add_argument("--seeds", type=int, default=8, metavar="N", help="files of each row (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=4, metavar="S", help="length of a file (default: %(default)s)")
    parser.add_argument("--write", action="store_true", help="write the page")
    options = parser.parse_args()
    lines = table(options.names, options.seconds, options.seeds)
    if options.write:
        pages.write_section("knobs", "knobs", lines)


if __name__ == "__main__":
    main()
