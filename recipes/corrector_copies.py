"""Traces of recordings and of copies of them, of which corrector_gpu.py trains.

Copies are at other speeds and levels (16 kHz), or resampled to 1.4 to 3 times the rate with noise, as recordings at
44.1 or 48 kHz are.
"""

from __future__ import annotations

import os
import zlib
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from corpus_split import split_corpus
from synth.training import corrector_traces

LEVELS = ("balanced", "max")
"""Of `synth compress`, at which a corrector can help."""
PIECE = 30 * 16000
SETS = {
    "fsdd-8k": 1.0,
    "picovoice-multispeaker-16k": 1.0,
    "kathleen-arctic-16k": 0.5,
    "piano-headroom-giantmidi-16k": 0.5,
}
"""Which, and the share of the files of which there is a copy at another speed."""
RAISED = {"fsdd-8k": 0.1}
"""The share of which there is one at a higher rate, where it is not RAISED_ELSE."""
RAISED_ELSE = 0.3


def copy_of(path: Path, kind: str, salt: int) -> NDArray[np.int16]:
    """int16 samples of a file as it is, or a copy of it."""
    wave, _ = soundfile.read(path, dtype="int16")
    if kind == "original":
        return wave
    draw = np.random.default_rng([zlib.crc32(f"{path.name}-{kind}".encode()), salt])
    moved = wave.astype(np.float32)
    if kind == "speed":
        moved = soxr.resample(moved, 16000 * np.exp(draw.uniform(np.log(0.72), np.log(1.4))), 16000)
        moved = moved * np.exp(draw.uniform(np.log(0.2), np.log(1.1)))
    elif kind == "up":
        first = int(draw.integers(0, max(1, len(wave) - 5 * 16000)))
        moved = soxr.resample(moved[first : first + 5 * 16000], 16000, 16000 * draw.uniform(1.4, 3.0))
        moved = moved * np.exp(draw.uniform(np.log(0.3), np.log(1.1)))
        moved = moved + draw.standard_normal(len(moved)) * np.exp(draw.uniform(np.log(0.4), np.log(30)))
    else:
        moved = moved * np.exp(draw.uniform(np.log(0.1), np.log(1.6)))
    return np.clip(np.rint(moved + draw.uniform(-0.5, 0.5, len(moved))), -32768, 32767).astype(np.int16)


def write_one(path: Path, kind: str, salt: int, level: str, out: Path) -> int:
    """Traces of one copy at one level; the samples."""
    wave = copy_of(path, kind, salt)
    for at in range(0, len(wave), PIECE):
        records = corrector_traces.trace(wave[at : at + PIECE], level)
        if len(records) >= 256:
            name = f"{kind}-{salt}-{path.stem}-{at // PIECE}.npy"
            np.save(out / f".{name}", records)
            os.replace(out / f".{name}", out / name)
    return len(wave)


def trace(corpora: Path, work: Path, copies: int) -> None:
    """Traces of all training files, in an order by chance."""
    random, tasks = np.random.default_rng(3), []
    for corpus, share in SETS.items():
        for path, split in split_corpus(corpora / corpus):
            if split != "train":
                continue
            kinds = [("original", 0)]
            for salt in range(copies):
                kinds += [("speed", salt)] * (random.random() < share)
                kinds += [("up", salt)] * (random.random() < RAISED.get(corpus, RAISED_ELSE))
                kinds += [("gain", salt)] * corpus.startswith("pico")
            tasks += [(path, *kind, level, work / level) for level in LEVELS for kind in kinds]
    for level in LEVELS:
        (work / level).mkdir(parents=True, exist_ok=True)
    random.shuffle(tasks)
    with ProcessPoolExecutor() as pool:
        print(sum(pool.map(write_one, *zip(*tasks, strict=True), chunksize=4)), "samples")
