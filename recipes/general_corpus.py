#!/usr/bin/env python3
"""Writes what `general` and the correctors are trained on into a folder.

    python recipes/general_corpus.py CORPORA FOLDER
    synth train FOLDER -o run --task generate --preset general --split FOLDER/split.csv

Sample for sample as they are, all at one nominal rate, since the codec gives the network a file's samples at whatever
rate the file has. Of picovoice-multispeaker-16k, which has the most speakers, two more copies at other levels.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from corpus_split import split_corpus

RATE = 16000
CORPORA = ("fsdd-8k", "kathleen-arctic-16k", "picovoice-multispeaker-16k", "piano-headroom-giantmidi-16k")
GAINS = {"picovoice-multispeaker-16k": ((0.5, 1.6), (0.1, 0.5))}
"""Of each further copy of a training file the least and the greatest gain."""


def at_gain(wave: NDArray[np.int16], bounds: tuple[float, float], random: np.random.Generator) -> NDArray[np.int16]:
    """A copy at another level; half a step of noise, so that no value is left out."""
    gain = np.exp(random.uniform(*np.log(bounds)))
    copy = np.rint(wave * gain + random.uniform(-0.5, 0.5, len(wave)))
    clipped: NDArray[np.int16] = np.clip(copy, -32768, 32767).astype(np.int16)
    return clipped


def write(corpora: Path, out: Path) -> None:
    """All recordings and copies as WAVs, and split.csv beside them."""
    random, rows = np.random.default_rng(1), ["file,split"]
    out.mkdir(parents=True, exist_ok=True)
    for corpus in CORPORA:
        for path, split in split_corpus(corpora / corpus):
            wave, _ = soundfile.read(path, dtype="int16")
            name = f"{corpus.split('-')[0]}--{path.stem}"
            copies = {name: wave}
            for i, bounds in enumerate(GAINS.get(corpus, ()) if split == "train" else ()):
                copies[f"{name}--gain{i}"] = at_gain(wave, bounds, random)
            for copy_name, copy in copies.items():
                soundfile.write(out / f"{copy_name}.wav", copy, RATE)
                rows.append(f"{copy_name}.wav,{split}")
    (out / "split.csv").write_text("\n".join(rows) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpora", type=Path, metavar="CORPORA", help=f"folder with {', '.join(CORPORA)}")
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="to write to")
    options = parser.parse_args()
    write(options.corpora, options.folder)


if __name__ == "__main__":
    main()
