#!/usr/bin/env python3
"""Writes what `sounds` is trained on into a folder: drums, electric guitar, piano, samples of many kinds, at 32 kHz.

    python recipes/sounds_corpus.py CORPORA FOLDER
    synth train FOLDER -o run --task vocoder --preset notes --rate 32000 --split FOLDER/split.csv

Of drums and guitar the last file by name is test, the one before validation; of the piano of every 10 files the first
and the second; the samples have no test part. All that is trained on is there at other speeds too: faster, what was
recorded at 16 kHz reaches higher.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soundfile
import soxr

from corpus_split import split_corpus

RATE = 32000
SPEEDS = {
    "drums-muldjord-groove-44k": (1.0, 0.85, 1.2, 1.4),
    "guitar-gretsch-tunes-44k": (1.0, 0.75, 1.33),
    "sonic-pi-samples-44k": (1.0, 0.8, 1.25),
    "piano-headroom-giantmidi-16k": (1.0, 1.0, 1.5),
}
"""Speeds of what is trained on; of the piano each file has one of them in turn."""


def splits(folder: Path) -> list[tuple[Path, str]]:
    """The files of a corpus, each with its split."""
    files = split_corpus(folder)
    if folder.name.startswith(("drums", "guitar")):
        names = ["train"] * (len(files) - 2) + ["validation", "test"]
        return [(path, name) for (path, _), name in zip(files, names, strict=True)]
    return [(path, "train") for path, _ in files] if folder.name.startswith("sonic") else files


def versions(corpus: str, place: int, split: str) -> Iterator[float]:
    """The speeds at which a file is written."""
    speeds = SPEEDS[corpus]
    if split != "train":
        yield 1.0
    elif corpus.startswith("piano"):
        yield speeds[place % len(speeds)]
    else:
        yield from speeds


def write(corpora: Path, out: Path) -> None:
    """All recordings as WAVs, those that are trained on at their speeds, and split.csv beside them."""
    rows = ["file,split"]
    out.mkdir(parents=True, exist_ok=True)
    for corpus in SPEEDS:
        for place, (path, split) in enumerate(splits(corpora / corpus)):
            wave, rate = soundfile.read(path, always_2d=True)
            for speed in versions(corpus, place, split):
                played = soxr.resample(wave.mean(1), rate * speed, RATE)
                name = f"{corpus.split('-')[0]}-{path.stem}{'' if speed == 1 else f'--{speed:g}'}.wav"
                soundfile.write(out / name, np.clip(np.rint(played * 32768), -32768, 32767).astype(np.int16), RATE)
                rows.append(f"{name},{split}")
    (out / "split.csv").write_text("\n".join(rows) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpora", type=Path, metavar="CORPORA", help=f"folder with {', '.join(SPEEDS)}")
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="to write to")
    options = parser.parse_args()
    write(options.corpora, options.folder)


if __name__ == "__main__":
    main()
