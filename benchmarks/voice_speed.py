#!/usr/bin/env python3
"""Measures how fast voices speak and writes it into BENCHMARKS.md: `.ci/voice-speed CORPORA`.

CPU seconds of one thread on files of kathleen-arctic-16k, least of three; cold starts are medians of wall clock.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

import numpy as np  # noqa: E402 - after the threads are settled

from synth.audio import reader as audio  # noqa: E402
from synth.codec.parametric import format, coder  # noqa: E402
from synth.generation import model as sampler  # noqa: E402

HERE = Path(__file__).resolve().parent.parent
START, END = "<!-- voice-speed -->", "<!-- /voice-speed -->"
SECONDS, REPEATS = 60, 3


def least(action: Callable[[], Any]) -> tuple[Any, float]:
    """What it returns, and its CPU seconds."""
    found, best = None, float("inf")
    for _ in range(REPEATS):
        began = time.thread_time()
        found = action()
        best = min(best, time.thread_time() - began)
    return found, best


def cold(*arguments: str) -> float:
    """Seconds of a whole `generate-audio`, median of nine."""
    times = []
    program = "import sys; from synth.cli.entry import generate_audio_main as main; sys.exit(main())"
    for _ in range(9):
        began = time.perf_counter()
        subprocess.run([sys.executable, "-c", program, *arguments], check=True, capture_output=True)
        times.append(time.perf_counter() - began)
    return statistics.median(times)


def main() -> None:
    corpus = Path(sys.argv[1], "kathleen-arctic-16k")
    model = sampler.load("speech")
    assert model.guides is not None
    vocoder, rate = model.guides.vocoder, model.sample_rate
    sounds = [audio.read(str(path), rate)[0] for path in sorted(corpus.glob("*.flac"))[::20]]
    sound = np.concatenate(sounds)[: SECONDS * rate]
    vectors, heard = least(lambda: vocoder.hear(sound))
    rows = [("encoder: features and vectors", heard), ("tokens, 16 a frame", least(lambda: vocoder.tokens(vectors))[1])]
    _, spoken = least(lambda: model.follow(vocoder.exact(vectors)).pcm(len(sound)))
    rows.append(("`synth vocode`: conditioner and network", spoken))
    for bitrate in (1600, 3200, 6400):
        (data, count), made = least(lambda b=bitrate: coder.encode(model, sound, b))
        rows.append((f"`compress --mode parametric --bitrate {bitrate}` ({count} tokens a frame)", made))
        reader = format.Reader(data, "x")
        rows.append(
            (
                f"its `decompress`, tokens to samples ({8 * len(data) / SECONDS:.0f} b/s)",
                least(lambda r=reader: list(coder.spoken(model, coder.pieces(r, model), len(sound))))[1],
            )
        )
    first = cold("-", "-d", "1", "--label", "digit=7")
    text = [
        "## Voices, speed",
        "",
        f"Written by `.ci/voice-speed CORPORA`: {SECONDS} s of kathleen-arctic-16k at 16 kHz by `speech`, one thread,",
        f"CPU time, {model.engine.instruction_set}. Latency: the two token frames that the conditioner",
        "looks ahead, 40 ms, and 28.5 ms for each of the postfilter's passes (speech-2: three); in encoding the frames",
        "and half a window that the encoder looks ahead, 50 ms more.",
        "",
        "| what | times real time |",
        "|---|---|",
        *(f"| {name} | {SECONDS / seconds:.0f} |" for name, seconds in rows),
        "",
        f"`generate-audio -d 1 --label digit=7`, which plans and speaks, the whole process: {first:.2f} s (no torch).",
    ]
    page = HERE / "BENCHMARKS.md"
    before, _, rest = page.read_text().partition(START)
    after = rest.partition(END)[2]
    page.write_text(f"{before.rstrip()}\n\n{START}\n" + "\n".join(text) + f"\n{END}{after or chr(10)}")


if __name__ == "__main__":
    main()
