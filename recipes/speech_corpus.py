#!/usr/bin/env python3
"""Writes what `speech` is trained on into a folder: all English speech, about 450 speakers.

    python recipes/speech_corpus.py CORPORA FOLDER
    synth train FOLDER -o run --task vocoder --preset speech --split FOLDER/split.csv

Of kathleen's prompts by id every 20th is test, the one after it validation; of the other corpora as their splits say.
Some of what is trained on is there at other speeds too, and so at other pitches and formants.

With `--split-only FILE.csv` only the split of the corpora as they are is written, for a run on them alone.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import soundfile
import soxr

from corpus_split import split_corpus

RATE = 16000
Speeds = dict[str, tuple[tuple[float, ...], ...]]
SPEEDS: Speeds = {
    "kathleen-arctic-16k": ((),),
    "callie-prompts-16k": ((),),
    "librispeech-manyspeakers-16k": ((), (0.9,), (1.12,)),
    "speechocean762-16k": ((),),
    "picovoice-multispeaker-16k": ((), (0.85,), (1.15,)),
}
"""Speeds beside 1, of the first file, the second ... and over again."""


def write_split(corpora: Path, out: Path) -> None:
    """The corpora's files, each with its split."""
    rows = [f"{path.name},{split}" for corpus in SPEEDS for path, split in split_corpus(corpora / corpus)]
    out.write_text("\n".join(["file,split", *rows]) + "\n")


def write(corpora: Path, out: Path) -> None:
    """All recordings and, of training files, copies at other speeds as WAVs, and split.csv beside them."""
    rows = ["file,split"]
    out.mkdir(parents=True, exist_ok=True)
    for corpus, turns in SPEEDS.items():
        for place, (path, split) in enumerate(split_corpus(corpora / corpus)):
            wave, _ = soundfile.read(path)
            for speed in (1.0, *(turns[place % len(turns)] if split == "train" else ())):
                played = wave if speed == 1 else soxr.resample(wave, RATE * speed, RATE)
                name = f"{path.stem}{'' if speed == 1 else f'--{speed:g}'}.wav"
                soundfile.write(out / name, np.clip(np.rint(played * 32768), -32768, 32767).astype(np.int16), RATE)
                rows.append(f"{name},{split}")
    (out / "split.csv").write_text("\n".join(rows) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpora", type=Path, metavar="CORPORA", help=f"folder with {', '.join(SPEEDS)}")
    parser.add_argument("folder", type=Path, metavar="FOLDER", nargs="?", help="to write to")
    parser.add_argument("--split-only", type=Path, metavar="FILE.csv", help="write only the split, to this file")
    options = parser.parse_args()
    if (options.folder is None) == (options.split_only is None):
        parser.error("give FOLDER or --split-only FILE.csv")
    if options.split_only is not None:
        write_split(options.corpora, options.split_only)
    else:
        write(options.corpora, options.folder)


if __name__ == "__main__":
    main()
