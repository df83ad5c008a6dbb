#!/usr/bin/env python3
"""Writes what `speech` is trained on into a folder: .ci/speech-corpus CORPORA FOLDER, then

    synth train FOLDER -o run --task vocoder --preset speech --split FOLDER/split.csv

Of kathleen's prompts by id every 20th is test, the one after it validation; of picovoice's files by name every 10th.
What is trained on is there at other speeds too, and so at other pitches and formants: fifty voices become many.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import soundfile
import soxr

RATE = 16000
SPLITS = {0: "test", 1: "validation"}
SPEEDS = {"kathleen-arctic-16k": ((), (0.88,), (1.14,)), "picovoice-multispeaker-16k": ((0.82, 0.9, 1.1, 1.22),)}
"""Speeds beside 1, of the first file, the second ... and over again."""


def main(corpora: str, folder: str) -> None:
    rows, out = ["file,split"], Path(folder)
    out.mkdir(parents=True, exist_ok=True)
    for corpus, every in (("kathleen-arctic-16k", 20), ("picovoice-multispeaker-16k", 10)):
        paths = sorted(Path(corpora, corpus).glob("*.flac"))
        keys = [path.stem.rpartition("_")[0] if every == 20 else path.stem for path in paths]
        order = sorted(set(keys))
        for place, (path, key) in enumerate(zip(paths, keys, strict=True)):
            split = SPLITS.get(order.index(key) % every, "train")
            speeds = SPEEDS[corpus][place % len(SPEEDS[corpus])] if split == "train" else ()
            wave, _ = soundfile.read(path)
            for speed in (1.0, *speeds):
                played = wave if speed == 1 else soxr.resample(wave, RATE * speed, RATE)
                name = f"{path.stem}{'' if speed == 1 else f'--{speed:g}'}.wav"
                soundfile.write(out / name, np.clip(np.rint(played * 32768), -32768, 32767).astype(np.int16), RATE)
                rows.append(f"{name},{split}")
    (out / "split.csv").write_text("\n".join(rows) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
