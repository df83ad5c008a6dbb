#!/usr/bin/env python3
"""Judges what the `digits` generate and writes the table into BENCHMARKS.md: `.ci/evaluate CORPORA [--work FOLDER]`.

CORPORA is a folder with fsdd-8k. Each row is one `synth evaluate` (a minute on one core), whose JSON and page stay in
FOLDER and are not made again.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent.parent
START, END = "<!-- evaluate -->", "<!-- /evaluate -->"
NAMES = ("--labels", "{digit}_{speaker}_{take}", "--split", "test:take=0-4;validation:take=5-6")
ROWS: tuple[tuple[str, str], ...] = (
    ("digits-4", "-d 0.6"),
    ("digits-4", "-d 0.6 -t 0.9"),
    ("digits-4", "-d 0.6 -t 1.1"),
    ("digits-3", "-d 0.6"),
    ("digits-2", "-d 0.6"),
    ("digits-2", "-d 0.6 -t 0.9"),
    ("digits-2", "-d 0.6 -t 0.8"),
    ("digits-2", "-d 0.6 -t 0.7"),
    ("digits-2", "-d 0.6 --top-p 0.9"),
    ("digits-2", "-d 1"),
    ("digits-2", "-d 2"),
    ("digits-1", "-d 0.6"),
)


def judged(work: Path, corpora: Path, name: str, options: str) -> dict[str, Any]:
    """What `synth evaluate --json` says of a row."""
    stem = (name + options).replace(" ", "")
    path = work / f"{stem}.json"
    if not path.exists():
        command = [sys.executable, "-m", "synth", "evaluate", name, "-n", "10", *options.split(), *NAMES]
        command += ["--reference", str(corpora / "fsdd-8k"), "--json", "--report", str(work / f"{stem}.html"), "-f"]
        path.write_text(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def row(name: str, options: str, data: dict[str, Any]) -> str:
    level, copying = data["levels"]["generated"], data["copying"]
    cells = [f"{100 * data['labels'][key]['accuracy']:.1f} %" for key in ("digit", "speaker")]
    passed = "yes" if copying["passed"] else "**no**"
    cells += [f"{data['frechet_distance']:.1f}", *_copied(copying, "generated"), passed, *_levels(level)]
    return f"| `{name} {options}` | {' | '.join(cells)} |"


def real(data: dict[str, Any]) -> str:
    cells = [f"{100 * data['labels'][key]['real_accuracy']:.1f} %" for key in ("digit", "speaker")]
    cells += [f"{data['frechet_floor']:.1f}", *_copied(data["copying"], "real"), ""]
    return f"| test recordings | {' | '.join([*cells, *_levels(data['levels']['real'])])} |"


def _copied(copying: dict[str, Any], who: str) -> list[str]:
    return [f"{copying['embedding'][who]:.2f}", f"{copying['waveform'][who]:.3f}"]


def _levels(level: dict[str, float]) -> list[str]:
    seconds = [f"{level[f'median_{name}_seconds']:.2f}" for name in ("onset", "sounding")]
    return [f"{level['median_rms']:.3f}", *seconds, f"{100 * level['silence']:.0f} %"]


def loudness(data: dict[str, Any], key: str) -> list[str]:
    """Loudness by the values of a label."""
    label = data["labels"][key]
    lines = ["| | " + " | ".join(label["values"]) + " |", "|---" * (len(label["values"]) + 1) + "|"]
    for who in ("generated", "real"):
        cells = [f"{label['median_rms'][value][who]:.3f}" for value in label["values"]]
        lines.append(f"| median RMS, {who} | {' | '.join(cells)} |")
    return lines


def often(data: dict[str, Any], key: str) -> str:
    """What is heard most often, whatever was asked for."""
    found = data["labels"][key]
    heard = [sum(column) / data["files"] for column in zip(*found["confusion"], strict=True)]
    order = sorted(range(len(heard)), key=lambda place: -heard[place])[:3]
    return ", ".join(f"{found['heard'][place]} in {100 * heard[place]:.0f} %" for place in order)


def why(data: dict[str, Any]) -> list[str]:
    """What the report of `digits-2` shows of the reasons."""
    own, true = data["levels"]["generated"], data["levels"]["real"]
    loud = data["labels"]["speaker"]["median_rms"]
    ratio = max(pair["generated"] / pair["real"] for pair in loud.values())
    gain = data["bits_per_sample"] - data["bits_per_sample_labels"]
    return [
        "Why `digits-2` falls short, from the report of its first row; `digits-3` and `digits-4` were made for these reasons:",
        "",
        f"* Confusions: what is heard hardly depends on what is asked for: {often(data, 'digit')} of all files.",
        "  The spectrograms show noise or steady tones without the course of a word, which come nearest to the digits",
        f"  with an s. Of speakers: {often(data, 'speaker')}.",
        f"* Duration: sound lasts as long as it should ({own['median_sounding_seconds']:.2f} s, recordings"
        f" {true['median_sounding_seconds']:.2f}), but begins",
        f"  after {own['median_onset_seconds']:.2f} s of silence (recordings: {true['median_onset_seconds']:.2f}), and"
        f" {100 * own['silence']:.0f} % of the frames are silent (recordings: {100 * true['silence']:.0f} %).",
        f"* Loudness: {own['median_rms'] / true['median_rms']:.1f} times that of recordings in the median, but it does"
        f" not follow the speaker; two of them were recorded",
        f"  quietly and are generated up to {ratio:.0f} times too loud (table below).",
        f"* The labels are worth {gain:.3f} bits per sample on recordings: enough to tell them by Bayes' rule over",
        "  thousands of samples of real sound; after sound of its own the network follows that, it seems, and not the",
        "  label.",
    ]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("corpora", type=Path)
    parser.add_argument("--work", type=Path, default=HERE / "build" / "evaluate")
    given = parser.parse_args()
    given.work.mkdir(parents=True, exist_ok=True)
    found = [(name, options, judged(given.work, given.corpora, name, options)) for name, options in ROWS]
    first = found[0][2]
    plain = next(data for name, _, data in found if name == "digits-2")
    frechet, copying = first["frechet"], first["copying"]
    text = [
        "## Generated digits, judged",
        "",
        "Written by `.ci/evaluate CORPORA`: `synth evaluate NAME OPTIONS -n 10 --reference fsdd-8k --labels",
        f'"{NAMES[1]}" --split "{NAMES[3]}"`. {first["files"]} files a row: 10 digits x 6 speakers x 10 seeds',
        f"(all from {first['seeds'][0]} to {first['seeds'][1]}), from silence, {first['reference']['test']} test files"
        f" beside them; heard by `{first['classifier']}`, which never",
        f"heard generated sound. Fréchet distance between its embeddings, {frechet['files_each']} files in each set",
        "(the estimate is too high by about one over that number; the last row, one half of the test files to the",
        "other, is what this comes to). Copying: 1st",
        f"percentile of distances to the nearest of {copying['training_files']} training files, by embedding and by"
        f" the waveform of the loudest {copying['excerpt_seconds']:g} s;",
        "it must not be below that of the test files. Sound that is unlike any recording passes that easily.",
        "",
        "| what | digit heard | speaker heard | Fréchet | nearest, embedding | nearest, waveform | no copies |"
        " median RMS | seconds until sound | of sound | silent frames |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
        *(row(*each) for each in found),
        real(first),
        "",
        f"Bits per sample of the test files: `digits-2` {plain['bits_per_sample']:.4f}, with labels"
        f" {plain['bits_per_sample_labels']:.4f}; `digits-4`, led by what it hears of each,"
        f" {first['bits_per_sample']:.4f}.",
        "",
        "`digits-4`, loudness by speaker and by digit (the bar of 3 dB is a factor of 1.41):",
        "",
        *loudness(first, "speaker"),
        "",
        *loudness(first, "digit"),
        "",
        *why(plain),
        "",
        "Of what is cheap nothing helps `digits-2`: lower temperatures and top-p slide into silence, longer files hold",
        "more sound and no more words. Between rows of 600 files differences of up to four points (digits), five",
        "(speakers) are chance: two standard errors. The labels are in force from the first sample in all rows.",
        "",
        *loudness(plain, "speaker"),
    ]
    page = HERE / "BENCHMARKS.md"
    before, _, rest = page.read_text().partition(START)
    after = rest.partition(END)[2]
    page.write_text(f"{before.rstrip()}\n\n{START}\n" + "\n".join(text) + f"\n{END}{after or chr(10)}")
    print(json.dumps({"written": str(page)}))


if __name__ == "__main__":
    main()
