#!/usr/bin/env python3
"""Trains recognisers, measures them and writes the table into BENCHMARKS.md: `.ci/recognise CORPORA [--work FOLDER]`.

CORPORA is a folder with fsdd-8k, kathleen-arctic-16k, piano-headroom-giantmidi-16k, sonic-pi-samples-44k and
maad-soundscape-22k. What is in FOLDER already (runs, checkpoints) is not made again, an unfinished run goes on;
`--table` only measures and writes. `--loso-steps N` is for the six runs without a speaker. Needs the dev extra; cores
that are shared make it slow, one free core takes about half an hour.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import soxr

from synth.audio import reader
from synth.recognition import generative, classifier
from synth.generation import model as sampler

HERE = Path(__file__).resolve().parent.parent
START, END = "<!-- recognise -->", "<!-- /recognise -->"
SPEAKERS = ("george", "jackson", "lucas", "nicolas", "theo", "yweweler")
SVM = {"george": 60, "jackson": 87, "lucas": 77, "nicolas": 65, "theo": 40, "yweweler": 78}
NAMES = ("--labels", "{digit}_{speaker}_{take}")
REPEATS = 9


def synth(*arguments: object) -> str:
    command = [sys.executable, "-m", "synth", *map(str, arguments)]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def made(work: Path, name: str, corpus: Path, table: bool, *options: object) -> Path | None:
    """The checkpoint `name` of a run with these options, trained and exported where it is not there yet."""
    out, run = work / f"{name}.safetensors", work / f"run-{name}"
    if not out.exists() and not table:
        going_on = ("--resume",) if (run / "run.json").exists() else ()
        synth("train", corpus, "-o", run, "--task", "classify", *options, *going_on)
        synth("export", run, out)
    return out if out.exists() else None


def accuracies(path: Path) -> dict[str, dict[str, float]]:
    """What `synth export` measured, with the network in NumPy."""
    found: dict[str, dict[str, float]] = classifier.load(path).info["accuracy"]
    return found


def networks(work: Path, corpora: Path, table: bool) -> list[str]:
    rows = []
    for net in ("cnn", "gru"):
        options = ("--net", net, *NAMES, "--target", "digit", "--target", "speaker")
        split = ("--split", "test:take=0-4;validation:take=5-6")
        path = made(work, net, corpora / "fsdd-8k", table, *options, *split)
        if path is None:
            continue
        found, ear = accuracies(path), classifier.load(path)
        size = sum(tensor.size for tensor in ear.tensors.values())
        pairs = [(target, split) for target in ("digit", "speaker") for split in ("validation", "test")]
        cells = [f"{100 * found[split][f'{target}_accuracy']:.2f} %" for target, split in pairs]
        rows.append(f"| {net} | {size:,} | {ear.info['steps']} | {' | '.join(cells)} |")
    head = "| net | parameters | steps | digit, validation | digit, test | speaker, validation | speaker, test |"
    return [head, "|---|---|---|---|---|---|---|", *rows]


def left_out(work: Path, corpora: Path, table: bool, steps: int) -> list[str]:
    rows, found = [], {}
    for who in SPEAKERS:
        options = (*NAMES, "--target", "digit", "--steps", steps)
        split = ("--split", f"test:speaker={who};validation:take=5-6")
        path = made(work, f"cnn-without-{who}", corpora / "fsdd-8k", table, *options, *split)
        if path is not None:
            found[who] = 100 * accuracies(path)["test"]["digit_accuracy"]
    rows = [f"| {who} | {found[who]:.1f} % | {SVM[who]} % |" for who in found]
    if found:
        rows.append(
            f"| mean | {statistics.mean(found.values()):.1f} % | {statistics.mean(SVM[w] for w in found):.0f} % |"
        )
    return ["| left out | cnn | SVM |", "|---|---|---|", *rows]


def generator(corpora: Path) -> list[str]:
    """Right answers of `digits` by Bayes' rule on the test files."""
    model = sampler.load("digits-plain")
    hits = dict.fromkeys(model.labels, 0)
    files = sorted((corpora / "fsdd-8k").glob("*_[0-4].flac"))
    for path in files:
        samples, _ = reader.read(path, model.sample_rate)
        logs = generative.listen(model, [samples], threads=2)
        truth = dict(zip(("digit", "speaker"), path.stem.split("_"), strict=False))
        for key, values in model.labels.items():
            hits[key] += values[int(logs[key].argmax())] == truth[key]
    cells = ", ".join(f"{key} {100 * count / len(files):.1f} %" for key, count in hits.items())
    return [f"`{model.checkpoint.name}` by code lengths and Bayes' rule, {len(files)} test files: {cells}."]


def cold(corpora: Path, work: Path) -> float:
    """Seconds of a whole `synth classify` of one second of audio, median."""
    path = work / "second.wav"
    wave, rate = soundfile.read(sorted((corpora / "fsdd-8k").glob("7_lucas_*.flac"))[0], dtype="int16")
    soundfile.write(path, np.resize(wave, rate), rate)
    times = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        synth("classify", path)
        times.append(time.perf_counter() - began)
    return statistics.median(times)


def mixtures(corpora: Path, folder: Path) -> Path:
    """Sounds of one to three of five kinds, two seconds each, with a CSV of tags; no test source is in training."""
    table = folder / "tags.csv"
    if table.exists():
        return table
    draw, rate = np.random.default_rng(0), 16000
    pools: dict[str, list[Path]] = {
        "speech": sorted((corpora / "kathleen-arctic-16k").glob("*.flac")),
        "digits": sorted((corpora / "fsdd-8k").glob("*.flac")),
        "piano": sorted((corpora / "piano-headroom-giantmidi-16k").glob("*.flac")),
        "drums": [
            p for p in sorted((corpora / "sonic-pi-samples-44k").glob("*.flac")) if p.stem[:5] in ("drum_", "tabla")
        ],
        "outdoors": sorted((corpora / "maad-soundscape-22k").glob("*.flac")),
    }
    kinds = list(pools)
    folder.mkdir(parents=True, exist_ok=True)
    lines = ["file,kinds"]
    for number in range(700):
        split = "test" if number % 7 == 0 else "validation" if number % 7 == 1 else "train"
        chosen = draw.permutation(len(kinds))[: int(draw.integers(1, 4))]
        mix = np.zeros(2 * rate)
        for kind in chosen:
            pool = pools[kinds[kind]]
            share = {"test": pool[::7], "validation": pool[1::7]}.get(
                split, [p for n, p in enumerate(pool) if n % 7 > 1]
            )
            mix += _cut(draw, share[int(draw.integers(len(share)))], rate, 2 * rate)
        name = f"{split}_{number}.wav"
        soundfile.write(folder / name, np.clip(mix, -1, 1), rate, subtype="PCM_16")
        lines.append(f"{name},{';'.join(kinds[kind] for kind in sorted(chosen))}")
    table.write_text("\n".join(lines) + "\n")
    return table


def _cut(draw: np.random.Generator, path: Path, rate: int, count: int) -> np.ndarray:
    """A stretch of a file at a level of -26 dBFS, 6 dB more or less."""
    with soundfile.SoundFile(path) as file:
        file.seek(int(draw.integers(0, max(0, file.frames - 3 * file.samplerate), endpoint=True)))
        wave = file.read(3 * file.samplerate, always_2d=True).mean(axis=1)
        wave = soxr.resample(wave, file.samplerate, rate)[:count]
    wave = np.pad(wave, (int(draw.integers(0, count - len(wave), endpoint=True)), 0))
    level = np.sqrt(np.mean(wave**2)) + 1e-6
    return np.pad(wave, (0, count - len(wave))) * 10 ** (draw.uniform(-32, -20) / 20) / level


def tags(work: Path, corpora: Path, table: bool) -> list[str]:
    csv = mixtures(corpora, work / "mixtures")
    names = [line.split(",")[0] for line in csv.read_text().splitlines()[1:]]
    split = work / "mixtures-split.csv"
    split.write_text("".join(f"{name},{name.split('_')[0]}\n" for name in names))
    options: tuple[Any, ...] = ("--rate", 16000, "--labels", csv, "--split", split, "--target", "kinds", "--steps", 600)
    path = made(work, "tags", work / "mixtures", table, *options)
    if path is None:
        return []
    found = accuracies(path)
    text = f"validation {found['validation']['kinds_map']:.3f}, test {found['test']['kinds_map']:.3f}"
    return [
        "Tags: 700 mixtures of two seconds of one to three of speech, digits, piano, drums and outdoors, no source",
        f"both in training and test, {classifier.load(path).info['steps']} steps: mean average precision {text}.",
    ]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("corpora", type=Path)
    parser.add_argument("--work", type=Path, default=HERE / "build" / "recognise")
    parser.add_argument("--loso-steps", type=int, default=1000)
    parser.add_argument("--table", action="store_true")
    given = parser.parse_args()
    given.work.mkdir(parents=True, exist_ok=True)
    work, corpora, table = given.work, given.corpora, given.table
    text = [
        "## Recognisers",
        "",
        "Written by `.ci/recognise CORPORA`. fsdd-8k, test is take 0 to 4, validation 5 and 6. `synth train fsdd-8k",
        '--task classify --target digit --target speaker --labels "{digit}_{speaker}_{take}" --split',
        '"test:take=0-4;validation:take=5-6"`; right answers as `synth export` counts them, with the network in NumPy.',
        "Schedule and augmentation were chosen on validation files and on theo, left out. What is heard of a sound was",
        "changed once after figures of test files were known: a first cnn, whose features kept silent ends, had 99.0 %",
        "of the test digits, and 72 % of lucas's, whose recordings end in silence, when he was left out.",
        "",
        *networks(work, corpora, table),
        "",
        f"With a speaker left out of training (`--target digit --steps {given.loso_steps} --split",
        '"test:speaker=NAME;validation:take=5-6"`), right digits of all 500 files of that speaker; the SVM is one on',
        "20 cepstral coefficients resampled to 16 frames.",
        "",
        *left_out(work, corpora, table, given.loso_steps),
        "",
        "Tried, without getting to the aim of 85 %: speeds and mel scales over a range of 1.45 instead of 1.25 and",
        "1500 steps (george 71.8, theo 91.4, nicolas 75.8, yweweler 79.0: no better on the whole); the mean of the",
        "probabilities under nine warped mel scales at once (82.3 %, at nine times the work; five of them 82.0 %).",
        "",
        *generator(corpora),
        "",
        *tags(work, corpora, table),
        "",
        f"`synth classify` of one second of audio, whole process: {cold(corpora, work):.2f} s (median of {REPEATS}).",
    ]
    page = HERE / "BENCHMARKS.md"
    before, _, rest = page.read_text().partition(START)
    after = rest.partition(END)[2]
    page.write_text(f"{before.rstrip()}\n\n{START}\n" + "\n".join(text) + f"\n{END}{after or chr(10)}")
    print(json.dumps({"written": str(page)}))


if __name__ == "__main__":
    main()
