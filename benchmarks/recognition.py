#!/usr/bin/env python3
"""Trains and measures recognisers, written into docs/benchmarks/recognition.md.

    python benchmarks/recognition.py CORPORA [--work FOLDER] [--table] [--loso-steps N]

CORPORA is a folder with fsdd-8k, kathleen-arctic-16k, piano-headroom-giantmidi-16k, sonic-pi-samples-44k and
maad-soundscape-22k. What is in FOLDER already (runs, checkpoints) is not made again, an unfinished run goes on;
`--table` only measures and writes. `--loso-steps N` is for the six runs without a speaker. Needs the dev extra; cores
that are shared make it slow, one free core takes about half an hour.
"""

from __future__ import annotations

import argparse
import statistics
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

import mixtures
import pages
import splits

PLAIN = "digits-plain-1"
SVM = {"george": 60, "jackson": 87, "lucas": 77, "nicolas": 65, "theo": 40, "yweweler": 78}
NAMES = ("--labels", splits.FSDD_LABELS)
REPEATS = 9


class Recognisers:
    """Checkpoints of recognisers in a folder, trained where they are missing."""

    def __init__(self, work: Path, train: bool) -> None:
        self.work, self.train = work, train
        work.mkdir(parents=True, exist_ok=True)

    def trained(self, name: str, corpus: Path, *options: object) -> dict[str, Any] | None:
        """What `synth info` reports of the recogniser `name`; None where it may not be trained and is not there."""
        out, run = self.work / f"{name}.safetensors", self.work / f"run-{name}"
        if not out.exists() and self.train:
            going_on = ("--resume",) if (run / "run.json").exists() else ()
            pages.synth("train", corpus, "-o", run, "--task", "classify", *options, *going_on)
            pages.synth("export", run, out)
        return pages.synth_json("info", out) if out.exists() else None


def networks(recognisers: Recognisers, corpora: Path) -> list[str]:
    """The table of both networks, all speakers in training."""
    pairs = [(target, split) for target in ("digit", "speaker") for split in ("validation", "test")]
    rows = []
    for net in ("cnn", "gru"):
        targets = ("--target", "digit", "--target", "speaker")
        facts = recognisers.trained(
            net, corpora / "fsdd-8k", "--net", net, *NAMES, *targets, "--split", splits.FSDD_SPLIT
        )
        if facts is not None:
            accuracy = facts["info"]["accuracy"]
            cells = [pages.percent(accuracy[split][f"{target}_accuracy"], 2) for target, split in pairs]
            rows.append([net, f"{facts['parameters']:,}", facts["info"]["steps"], *cells])
    return pages.table(("net", "parameters", "steps", *(f"{target}, {split}" for target, split in pairs)), rows)


def speaker_left_out(recognisers: Recognisers, corpora: Path, steps: int) -> list[str]:
    """The table of right digits of a speaker who is in no training file."""
    shares = {}
    for who in splits.SPEAKERS:
        split = f"test:speaker={who};validation:take=5-6"
        options = (*NAMES, "--target", "digit", "--steps", steps, "--split", split)
        facts = recognisers.trained(f"cnn-without-{who}", corpora / "fsdd-8k", *options)
        if facts is not None:
            shares[who] = 100 * facts["info"]["accuracy"]["test"]["digit_accuracy"]
    rows = [(who, f"{share:.1f} %", f"{SVM[who]} %") for who, share in shares.items()]
    if shares:
        means = statistics.mean(shares.values()), statistics.mean(SVM[who] for who in shares)
        rows.append(("mean", f"{means[0]:.1f} %", f"{means[1]:.0f} %"))
    return pages.table(("left out", "cnn", "SVM"), rows)


def generator(corpora: Path) -> str:
    """Right answers of the plain network by Bayes' rule on the test files."""
    paths = splits.fsdd(corpora, range(5))
    report = pages.synth_json("classify", "-q", "-c", PLAIN, "--top", 1, *paths)
    cells = []
    for place, key in enumerate(("digit", "speaker")):
        labels = [file[key][0]["label"] for file in report["files"]]
        right = [path.stem.split("_")[place] == label for path, label in zip(paths, labels, strict=True)]
        cells.append(f"{key} {pages.percent(statistics.mean(right))}")
    return f"`{PLAIN}` by code lengths and Bayes' rule, {len(paths)} test files: {', '.join(cells)}."


def cold_start(corpora: Path, work: Path) -> float:
    """Seconds of a whole `synth classify` of one second of audio, median."""
    path = work / "second.wav"
    wave, rate = soundfile.read(corpora / "fsdd-8k" / "7_lucas_0.flac", dtype="int16")
    soundfile.write(path, np.resize(wave, rate), rate)
    return pages.median_seconds(partial(pages.synth, "classify", path), REPEATS)


def tags(recognisers: Recognisers, corpora: Path) -> list[str]:
    """How well a classifier tells which kinds of sound are in a mixture."""
    folder = recognisers.work / "mixtures"
    labels, split = mixtures.write(corpora, folder)
    options = ("--rate", mixtures.RATE, "--labels", labels, "--split", split, "--target", "kinds", "--steps", 600)
    facts = recognisers.trained("tags", folder, *options)
    if facts is None:
        return []
    accuracy = facts["info"]["accuracy"]
    text = f"validation {accuracy['validation']['kinds_map']:.3f}, test {accuracy['test']['kinds_map']:.3f}"
    return [
        "Tags: 700 mixtures of two seconds of one to three of speech, digits, piano, drums and outdoors, no source",
        f"both in training and test, {facts['info']['steps']} steps: mean average precision {text}.",
    ]


def options() -> argparse.Namespace:
    parser = pages.parser(__doc__, "recognition")
    parser.add_argument("corpora", type=Path, metavar="CORPORA")
    parser.add_argument("--loso-steps", type=int, default=1000, metavar="N", help="(default: %(default)s)")
    parser.add_argument("--table", action="store_true", help="train nothing, write what is there")
    return parser.parse_args()


def main() -> None:
    arguments = options()
    recognisers = Recognisers(arguments.work, not arguments.table)
    text = [
        *networks(recognisers, arguments.corpora),
        "",
        f"With a speaker left out of training (`--target digit --steps {arguments.loso_steps} --split",
        '"test:speaker=NAME;validation:take=5-6"`), right digits of all 500 files of that speaker; the SVM is one on',
        "20 cepstral coefficients resampled to 16 frames.",
        "",
        *speaker_left_out(recognisers, arguments.corpora, arguments.loso_steps),
        "",
        generator(arguments.corpora),
        "",
        *tags(recognisers, arguments.corpora),
        "",
        "`synth classify` of one second of audio, whole process:"
        f" {cold_start(arguments.corpora, arguments.work):.2f} s (median of {REPEATS}).",
    ]
    pages.write_section("recognition", "recognition", text)


if __name__ == "__main__":
    main()
