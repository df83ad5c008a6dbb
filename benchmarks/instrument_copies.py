#!/usr/bin/env python3
"""How well voices of instruments copy tunes, as judges from outside hear it; writes docs/benchmarks/instruments.md.

    python benchmarks/instrument_copies.py CORPORA --voice guitar=VOICE.safetensors --voice piano=VOICE.safetensors

The voices are trained as docs/voices.md says, at 16 kHz, on all files but the test and validation ones: `--split`
writes the tables for `synth train --split` and ends. Of the test files `synth vocode` makes copies, of 15 s of each
piece of the piano. Judges run in the Python that this is called with:
    pip install torchcrepe basic-pitch mir_eval soundfile soxr
Minutes. Copies stay in the folder --work.
"""

from __future__ import annotations

import argparse
import csv
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import soxr

import judges
import pages
from synth.common.typing import Float32


@dataclass(frozen=True)
class Instrument:
    """A corpus; how its files are split; seconds from `start` to `end` of its test files are judged."""

    corpus: str
    every: int | None
    start: int = 0
    end: int | None = None

    def parts(self, corpora: Path) -> dict[str, list[Path]]:
        """The files of each split: of every so many the first is test, the second validation; or the last two."""
        paths = sorted((corpora / self.corpus).glob("*.flac"))
        if self.every is None:
            return {"test": paths[-1:], "validation": paths[-2:-1], "train": paths[:-2]}
        test, validation = paths[:: self.every], paths[1 :: self.every]
        return {
            "test": test,
            "validation": validation,
            "train": [path for path in paths if path not in (*test, *validation)],
        }


INSTRUMENTS = {
    "guitar": Instrument("guitar-gretsch-tunes-44k", None),
    "piano": Instrument("piano-headroom-giantmidi-16k", 10, 20, 35),
}


def write_split(corpora: Path, name: str) -> None:
    """Writes NAME-split.csv, as `synth train --split` takes it."""
    with open(f"{name}-split.csv", "w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["file", "split"])
        for split, paths in INSTRUMENTS[name].parts(corpora).items():
            table.writerows([path.name, split] for path in paths)


def recordings(options: argparse.Namespace, name: str, folder: Path) -> list[Path]:
    """The judged stretches of an instrument's test files, mono at 16 kHz, as files."""
    instrument, paths = INSTRUMENTS[name], []
    for path in instrument.parts(options.corpora)["test"]:
        wave, rate = soundfile.read(path, dtype="float32", always_2d=True)
        end = None if instrument.end is None else instrument.end * rate
        mono = soxr.resample(wave.mean(1)[instrument.start * rate : end], rate, judges.RATE)
        paths.append(folder / f"{path.stem}.wav")
        soundfile.write(paths[-1], mono, judges.RATE)
    return paths


def copies(options: argparse.Namespace, voice: str, paths: list[Path], folder: Path) -> list[Path]:
    """Copies of recordings by a voice."""
    folder.mkdir(parents=True, exist_ok=True)
    outs = [folder / path.name for path in paths]
    for path, out in zip(paths, outs, strict=True):
        words = ("-m", "synth", "vocode", path, "-o", out, "-c", voice, "-s", "1", "--force")
        subprocess.run([options.python, *map(str, words)], check=True, stdout=subprocess.DEVNULL)
    return outs


def wave_of(path: Path) -> Float32:
    return np.asarray(soundfile.read(path, dtype="float32")[0], np.float32)


def main() -> None:
    parser = pages.parser(__doc__, "instrument-copies")
    parser.add_argument("corpora", type=Path, metavar="CORPORA")
    parser.add_argument("--python", default=sys.executable, help="interpreter that has synth (default: this one)")
    parser.add_argument("--voice", action="append", default=[], metavar="NAME=VOICE", help="a voice of an instrument")
    parser.add_argument("--split", action="store_true", help="write NAME-split.csv for each instrument and end")
    options = parser.parse_args()
    if options.split:
        for name in INSTRUMENTS:
            write_split(options.corpora, name)
        return
    rows = []
    for name, _, voice in (item.partition("=") for item in options.voice):
        folder = options.work / name
        folder.mkdir(parents=True, exist_ok=True)
        paths = recordings(options, name, folder)
        for what, checkpoint in (("speech", "speech"), ("its own voice", voice)):
            outs = copies(options, checkpoint, paths, folder / what.replace(" ", "-"))
            pairs = [(wave_of(path), wave_of(out)) for path, out in zip(paths, outs, strict=True)]
            cells = pages.percent(judges.pitch(pairs)), f"{judges.notes(pairs):.2f}"
            rows.append([INSTRUMENTS[name].corpus, str(len(paths)), what, *cells])
    heads = ("test files", "files", "copied by", "pitch within 50 cents", "note F1")
    pages.write_section("instruments", "copies", pages.table(heads, rows))


if __name__ == "__main__":
    main()
