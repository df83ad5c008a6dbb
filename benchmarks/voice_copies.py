#!/usr/bin/env python3
"""How well a voice copies speech, as judges from outside hear it; writes docs/benchmarks/voices.md.

    python benchmarks/voice_copies.py CORPORA [--work FOLDER] [-c VOICE] [-t TEMPERATURE]

Test files of kathleen-arctic-16k, and of librispeech-manyspeakers-16k, whose speakers no voice has heard. `synth
vocode` of the interpreter `--python` makes the copies. The judges run in the Python that this is called with, best one
of their own:
    pip install torchcrepe distillmos resemblyzer pesq jiwer num2words moonshine-voice soundfile soxr
Half an hour, most of it the judges. Copies stay in the folder --work.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

import numpy as np
import soundfile

import judges
import pages
import splits
from synth.common.typing import Float32

NATURAL = 16
"""Files of different prompts that naturalness is judged of, where there are more."""


def wave_of(path: Path) -> Float32:
    """A mono recording at 16 kHz as float32."""
    wave, rate = soundfile.read(path, dtype="float32")
    assert rate == judges.RATE and wave.ndim == 1, path
    return np.asarray(wave, np.float32)


def texts_of(folder: Path) -> dict[str, str]:
    """What is said in each file of a corpus, by stem; empty where nobody wrote it down."""
    table = folder / "metadata.csv"
    lines = table.read_text("utf-8").splitlines() if table.exists() else []
    return {Path(line.split("|")[0]).stem: line.split("|")[-1] for line in lines if "|" in line}


def copies(options: argparse.Namespace, name: str, paths: list[Path]) -> list[Path]:
    """The copies of a set's files, made where they are not there yet."""
    folder = options.work / f"{name}-{Path(options.checkpoint).stem}-{options.temperature or 'own'}"
    folder.mkdir(parents=True, exist_ok=True)
    made = []
    for path in paths:
        out = folder / f"{path.stem}.wav"
        if not out.exists():
            own = ("-t", str(options.temperature)) if options.temperature else ()
            words = ("-m", "synth", "vocode", path, "-o", out, "-c", options.checkpoint, "-s", "1", *own)
            subprocess.run([options.python, *map(str, words)], check=True, stdout=subprocess.DEVNULL)
        made.append(out)
    return made


def judged(options: argparse.Namespace, folder: Path, paths: list[Path], made: list[Path]) -> list[str]:
    """The cells of a row: pitch, naturalness, speaker, PESQ, word errors."""
    pairs = [(wave_of(path), wave_of(copy)) for path, copy in zip(paths, made, strict=True)]
    prompts = {path.stem.rpartition("_")[0]: place for place, path in reversed(list(enumerate(paths)))}
    chosen = sorted(prompts.values())[:NATURAL] if len(prompts) > NATURAL else range(len(paths))
    texts = texts_of(folder)
    said = [place for place, path in enumerate(paths) if path.stem in texts]
    errors = judges.word_errors([texts[paths[k].stem] for k in said], [pairs[k][1] for k in said]) if said else None
    return [
        pages.percent(judges.pitch(pairs)),
        f"{judges.naturalness([pairs[place] for place in chosen]):.2f}",
        f"{judges.speaker(pairs):.2f}",
        f"{judges.closeness(pairs):.2f}",
        "-" if errors is None else pages.percent(errors),
    ]


def main() -> None:
    parser = pages.parser(__doc__, "voice-copies")
    parser.add_argument("corpora", type=Path, metavar="CORPORA")
    parser.add_argument("--python", default=sys.executable, help="interpreter that has synth (default: this one)")
    parser.add_argument("-c", "--checkpoint", default="speech", help="(default: speech)")
    parser.add_argument("-t", "--temperature", type=float, help="(default: the voice's own)")
    options = parser.parse_args()
    sets = {
        "kathleen-arctic-16k": splits.kathleen(options.corpora, 0),
        "librispeech-manyspeakers-16k": splits.every(options.corpora, "librispeech-manyspeakers-16k", 10),
    }
    rows: list[list[str]] = []
    for name, paths in sets.items():
        folder = options.corpora / name
        rows.append([f"{name}: recordings", str(len(paths)), *judged(options, folder, paths, paths)])
        made = copies(options, name, paths)
        rows.append([f"{name}: copies", str(len(paths)), *judged(options, folder, paths, made)])
    heads = ("test files", "files", "pitch within 50 cents", "DistillMOS", "speaker", "PESQ-WB", "word errors")
    pages.write_section("voices", "copies", pages.table(heads, rows))


if __name__ == "__main__":
    main()
