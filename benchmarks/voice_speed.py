#!/usr/bin/env python3
"""How fast a voice encodes, decodes and speaks, written into docs/benchmarks/voice-speed.md.

    python benchmarks/voice_speed.py CORPORA

CPU seconds of one thread on files of kathleen-arctic-16k, least of three; the cold start is a median of wall clock.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

import numpy as np
import soundfile

import pages
import splits
import synth
from synth.codec.parametric import coder, format
from synth.common.typing import Int16

CHECKPOINT, RATE, SECONDS, REPEATS, STARTS = "speech-4", 16000, 60, 3, 9
BITRATES = (1600, 3200, 6400)
T = TypeVar("T")


def least(action: Callable[[], T]) -> tuple[T, float]:
    """What an action returns, and the least of the CPU seconds that it took."""
    best = float("inf")
    for _ in range(REPEATS):
        began = time.thread_time()
        result = action()
        best = min(best, time.thread_time() - began)
    return result, best


def speech(corpora: Path) -> Int16:
    """A minute of kathleen's files, one after the other: int16 at 16 kHz."""
    waves = [soundfile.read(path, dtype="int16")[0] for path in splits.every(corpora, "kathleen-arctic-16k", 20)]
    whole: Int16 = np.concatenate(waves)[: SECONDS * RATE]
    return whole


def decoded(model: synth.Voice, data: bytes, samples: int) -> int:
    """Decode a parametric file; the samples that came."""
    pieces = coder.decode_latents(format.ParametricReader(data, "speech.syn"), model)
    return sum(map(len, coder.decode_audio(model, pieces, samples)))


def measure(model: synth.Voice, sound: Int16) -> list[tuple[str, float]]:
    """What was done, and its CPU seconds."""
    vocoder = model.runtime.vocoder
    latents, encoding = least(partial(vocoder.encode_sound, sound))
    rows = [("encoder: features and vectors", encoding)]
    rows.append(("tokens, 16 a frame", least(partial(vocoder.tokens, latents))[1]))
    speaking = least(lambda: model.follow(vocoder.quantize_latents(latents)).pcm(len(sound)))[1]
    rows.append(("`synth vocode`: conditioner and network", speaking))
    for bitrate in BITRATES:
        (data, tokens), seconds = least(partial(coder.encode, model, sound, bitrate))
        rows.append((f"`compress --mode parametric --bitrate {bitrate}` ({tokens.shape[1]} tokens a frame)", seconds))
        name = f"its `decompress`, tokens to samples ({8 * len(data) / SECONDS:.0f} b/s)"
        rows.append((name, least(partial(decoded, model, data, len(sound)))[1]))
    return rows


def main() -> None:
    parser = pages.parser(__doc__)
    parser.add_argument("corpora", type=Path, metavar="CORPORA")
    options = parser.parse_args()
    model = synth.load(CHECKPOINT)
    assert isinstance(model, synth.Voice)
    rows = measure(model, speech(options.corpora))
    command = pages.generate_audio("-", "-d", 1, "--label", "digit=7")
    with pages.installed() as environment:
        start = partial(subprocess.run, command, check=True, capture_output=True, env=environment)
        start()
        first = pages.median_seconds(start, STARTS)
    lines = [
        f"{SECONDS} s of kathleen-arctic-16k at 16 kHz by `{CHECKPOINT}`, one thread, CPU time,"
        f" {model.engine.instruction_set}.",
        "",
        *pages.table(("what", "times real time"), [(name, f"{SECONDS / seconds:.0f}") for name, seconds in rows]),
        "",
        f"`generate-audio -d 1 --label digit=7`, which plans and speaks, the whole process: {first:.2f} s (no torch).",
    ]
    pages.write_section("voice-speed", "voice speed", lines)


if __name__ == "__main__":
    main()
