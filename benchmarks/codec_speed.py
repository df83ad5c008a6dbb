#!/usr/bin/env python3
"""How fast the lossless codec is, written into docs/benchmarks/codec-speed.md. Needs a quiet machine.

    python benchmarks/codec_speed.py CORPORA

Of kathleen-arctic-16k, test files one after the other: eight seconds for each level and instruction set, in seconds of
the processor; a minute for threads, by the clock on the wall; medians of three rounds.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

import numpy as np
import soundfile

import pages
import splits
import synth
from synth import engine
from synth.benchmarking.engine import processor
from synth.codec import network_choice
from synth.common.limits import LEVELS
from synth.common.typing import Int16

Wave = Int16
RATE, SECONDS, SHORT, ROUNDS = 16000, 60, 8, 3
CORRECTORS = {"balanced": ("corrector-2",), "max": ("corrector-large-2",)}


def speech(corpora: Path, seconds: int) -> Wave:
    """The first seconds of kathleen's test files, one after the other: int16 (n,) at 16 kHz."""
    waves = [soundfile.read(path, dtype="int16")[0] for path in splits.kathleen(corpora, 0)]
    whole: Wave = np.concatenate(waves)[: RATE * seconds]
    return whole


def compressed(wave: Wave, level: str, network: str, threads: int = 1) -> bytes:
    return synth.compress(wave, RATE, level=level, checkpoint=network, threads=threads)


def speeds(wave: Wave) -> list[str]:
    """A table of samples a second by level, network and instruction set."""
    heads = ["level", "network", "instructions", "encoded", "decoded", "encoding / decoding"]
    rows = []
    for level in LEVELS:
        for network in ("none", *CORRECTORS.get(level, ())):
            for instructions in reversed([name for name in engine.instruction_sets() if name != "ssse3"]):
                os.environ["SYNTH_ISA"] = instructions
                network_choice.load_predictor.cache_clear()  # an engine keeps the instructions that it was made with
                data = compressed(wave, level, network)
                there = pages.median_seconds(partial(compressed, wave, level, network), ROUNDS, time.process_time)
                back = pages.median_seconds(partial(synth.decompress, data), ROUNDS, time.process_time)
                figures = (f"{len(wave) / there:,.0f}", f"{len(wave) / back:,.0f}", f"{there / back:.2f}")
                rows.append([level, network, instructions, *figures])
                print(pages.row(rows[-1]), flush=True)
    del os.environ["SYNTH_ISA"]
    return pages.table(heads, rows)


def threads(wave: Wave) -> str:
    """How much faster two threads are than one."""
    data = compressed(wave, "balanced", "none")
    if compressed(wave, "balanced", "none", 2) != data:
        raise SystemExit("two threads write other bytes")
    one, two = (pages.median_seconds(partial(compressed, wave, "balanced", "none", n), ROUNDS) for n in (1, 2))
    back_one, back_two = (pages.median_seconds(partial(synth.decompress, data, threads=n), ROUNDS) for n in (1, 2))
    return f"Two threads against one, wall clock: encoding {one / two:.2f} x, decoding {back_one / back_two:.2f} x."


def cold() -> str:
    """How long `synth decompress` of one second takes, the whole process."""
    wave = (np.sin(np.arange(8000) / 9.0) * np.sin(np.arange(8000) / 900.0) * 9000).astype(np.int16)
    wave += np.random.default_rng(1).integers(-40, 41, 8000).astype(np.int16)
    seconds = {}
    with tempfile.TemporaryDirectory() as folder:
        soundfile.write(f"{folder}/x.wav", wave, 8000)
        for network in ("none", "corrector-2"):
            pages.synth("compress", f"{folder}/x.wav", "-c", network, "-f", "-q")
            words = ("decompress", f"{folder}/x.syn", "-o", f"{folder}/y.wav", "-f", "-q")
            command = [sys.executable, "-m", "synth", *words]
            seconds[network] = pages.median_seconds(partial(subprocess.run, command, check=True), ROUNDS)
    times = ", ".join(f"{value:.2f} s with `-c {name}`" for name, value in seconds.items())
    return f"`synth decompress` of a second of 8 kHz, level balanced, the whole process: {times}."


def main() -> None:
    parser = pages.parser(__doc__)
    parser.add_argument("corpora", type=Path, metavar="CORPORA")
    options = parser.parse_args()
    about = f"{processor()}; samples a second of one processor's time, 16 kHz mono."
    table = speeds(speech(options.corpora, SHORT))
    minute = speech(options.corpora, SECONDS)
    pages.write_section("codec-speed", "codec speed", [about, "", *table, "", threads(minute), cold()])


if __name__ == "__main__":
    main()
