#!/usr/bin/env python3
"""Measures the codec's speed and writes it into BENCHMARKS.md: .ci/codec-speed CORPORA. Needs a quiet machine.

Of kathleen-arctic-16k, test files one after the other: eight seconds for each level and set, seconds of the processor,
a minute for threads; medians of three rounds.
"""

from __future__ import annotations

import io
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import soundfile

from synth.codec import sources, encoder, decoder, lossless, network_choice
from synth import engine
from synth.benchmarking.engine import processor
from synth.codec.decoder import Unpacker

PAGE = Path(__file__).resolve().parent.parent / "BENCHMARKS.md"
MARKS = "<!-- codec speed -->", "<!-- /codec speed -->"
RATE, SECONDS, SHORT, ROUNDS = 16000, 60, 8, 3
CORRECTORS = {"balanced": ("corrector-2",), "max": ("corrector-large-2",)}


def speech(corpora: Path, length: int) -> bytes:
    files = sorted((corpora / "kathleen-arctic-16k").glob("*.flac"))
    prompts = sorted({path.stem.rpartition("_")[0] for path in files})[::20]
    waves = [soundfile.read(path, dtype="int16")[0] for path in files if path.stem.rpartition("_")[0] in prompts]
    out = io.BytesIO()
    soundfile.write(out, np.concatenate(waves)[: RATE * length], RATE, "PCM_16", format="WAV")
    return out.getvalue()


def compressed(wav: bytes, level: str, network: str, threads: int = 1) -> bytes:
    out = io.BytesIO()
    sound = sources.open_sound(io.BytesIO(wav), "minute.wav", len(wav))
    encoder.compress_stream(sound, out.write, level=level, network=network, threads=threads)
    return out.getvalue()


def decompressed(data: bytes, threads: int = 1) -> bytes:
    out = io.BytesIO()
    decoder.decompress_stream(Unpacker(io.BytesIO(data), "minute.syn", threads=threads), out.write)
    return out.getvalue()


def seconds(work: Callable[[], object], clock: Callable[[], float]) -> float:
    times = []
    for _ in range(ROUNDS):
        begin = clock()
        work()
        times.append(clock() - begin)
    return statistics.median(times)


def speeds(wav: bytes) -> list[str]:
    lines = [
        "| level | network | instructions | encoded | decoded | encoding / decoding |",
        "|---|---|---|---|---|---|",
    ]
    for level in lossless.LEVELS:
        for network in ("none", *CORRECTORS.get(level, ())):
            for chosen in reversed([name for name in engine.instruction_sets() if name != "ssse3"]):
                os.environ["SYNTH_ISA"] = chosen
                network_choice.named.cache_clear()
                data = compressed(wav, level, network)
                ways = seconds(lambda: compressed(wav, level, network), time.process_time)  # noqa: B023
                back = seconds(lambda: decompressed(data), time.process_time)  # noqa: B023
                count = RATE * SHORT
                cells = [level, network, chosen, f"{count / ways:,.0f}", f"{count / back:,.0f}", f"{ways / back:.2f}"]
                lines.append("| " + " | ".join(cells) + " |")
                print(lines[-1], flush=True)
    del os.environ["SYNTH_ISA"]
    return lines


def threads(wav: bytes) -> str:
    data = compressed(wav, "balanced", "none")
    if compressed(wav, "balanced", "none", 2) != data:
        raise SystemExit("two threads write other bytes")
    ways = {count: seconds(lambda: compressed(wav, "balanced", "none", count), time.perf_counter) for count in (1, 2)}  # noqa: B023
    back = {count: seconds(lambda: decompressed(data, count), time.perf_counter) for count in (1, 2)}  # noqa: B023
    return (
        f"Two threads against one, wall clock: encoding {ways[1] / ways[2]:.2f} x, decoding {back[1] / back[2]:.2f} x."
    )


def cold() -> str:
    wave = (np.sin(np.arange(8000) / 9.0) * np.sin(np.arange(8000) / 900.0) * 9000).astype(np.int16)
    wave += np.random.default_rng(1).integers(-40, 41, 8000).astype(np.int16)
    with tempfile.TemporaryDirectory() as folder:
        soundfile.write(f"{folder}/x.wav", wave, 8000)
        times = {}
        for network in ("none", "corrector-2"):
            command = [sys.executable, "-m", "synth"]
            subprocess.run([*command, "compress", f"{folder}/x.wav", "-c", network, "-f", "-q"], check=True)
            decode = [*command, "decompress", f"{folder}/x.syn", "-o", f"{folder}/y.wav", "-f", "-q"]
            times[network] = seconds(lambda: subprocess.run(decode, check=True), time.perf_counter)  # noqa: B023
    found = ", ".join(f"{value:.2f} s with `-c {name}`" for name, value in times.items())
    return f"`synth decompress` of a second of 8 kHz, level balanced, the whole process: {found}."


def main(corpora: str) -> None:
    wav = speech(Path(corpora), SECONDS)
    lines = [f"{processor()}; samples a second of one processor's time, 16 kHz mono.", ""]
    lines += [*speeds(speech(Path(corpora), SHORT)), "", threads(wav), cold()]
    before, _, rest = PAGE.read_text().partition(MARKS[0])
    PAGE.write_text("\n".join([before + MARKS[0], *lines, MARKS[1] + rest.partition(MARKS[1])[2]]))


if __name__ == "__main__":
    main(sys.argv[1])
