#!/usr/bin/env python3
"""Writes what `general` is trained on into a folder: .ci/general-corpus CORPORA FOLDER, then

    synth train FOLDER -o run --preset general --split FOLDER/split.csv

Sample for sample as they are, all at one nominal rate, since the codec gives the network a file's samples at whatever
rate the file has. Of picovoice-multispeaker-16k, which has the most speakers, two more copies at other levels.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import soundfile

RATE = 16000
GAINS = {"picovoice-multispeaker-16k": ((0.5, 1.6), (0.1, 0.5))}


def split_of(corpus: str, path: Path, place: int, prompts: list[str]) -> str:
    if corpus == "fsdd-8k":
        number = int(path.stem.split("_")[-1])
        return "test" if number < 5 else "validation" if number < 7 else "train"
    number = prompts.index(path.stem.rpartition("_")[0]) % 20 if corpus.startswith("kathleen") else place % 10
    return {0: "test", 1: "validation"}.get(number, "train")


def main(corpora: str, folder: str) -> None:
    random, rows, out = np.random.default_rng(1), ["file,split"], Path(folder)
    out.mkdir(parents=True, exist_ok=True)

    def emit(name: str, wave: np.ndarray, split: str) -> None:
        soundfile.write(out / f"{name}.wav", wave, RATE)
        rows.append(f"{name}.wav,{split}")

    for corpus in ("fsdd-8k", "kathleen-arctic-16k", "picovoice-multispeaker-16k", "piano-headroom-giantmidi-16k"):
        paths = sorted(Path(corpora, corpus).glob("*.flac"))
        prompts = sorted({path.stem.rpartition("_")[0] for path in paths})
        for place, path in enumerate(paths):
            wave, _ = soundfile.read(path, dtype="int16")
            split = split_of(corpus, path, place, prompts)
            name = f"{corpus.split('-')[0]}--{path.stem}"
            emit(name, wave, split)
            for i, bounds in enumerate(GAINS.get(corpus, ()) if split == "train" else ()):
                gain = np.exp(random.uniform(*np.log(bounds)))
                moved = np.rint(
                    wave * gain + random.uniform(-0.5, 0.5, len(wave))
                )  # no level is left out
                emit(f"{name}--gain{i}", np.clip(moved, -32768, 32767).astype(np.int16), split)
    (out / "split.csv").write_text("\n".join(rows) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
