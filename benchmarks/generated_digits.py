#!/usr/bin/env python3
"""Judges what the digits' checkpoints generate, written into docs/benchmarks/generation.md.

    python benchmarks/generated_digits.py CORPORA [--work FOLDER]

CORPORA is a folder with fsdd-8k. Each row is one `synth evaluate` (a minute on one core), whose JSON and page stay in
FOLDER and are not made again.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pages
import splits

VOICE, PLAIN = "digits-5", "digits-plain-1"
ROWS: tuple[tuple[str, str], ...] = (
    (VOICE, "-d 0.6"),
    (VOICE, "-d 0.6 -t 0.9"),
    (VOICE, "-d 0.6 -t 1.1"),
    (PLAIN, "-d 0.6"),
    (PLAIN, "-d 0.6 -t 0.9"),
    (PLAIN, "-d 0.6 -t 0.8"),
    (PLAIN, "-d 0.6 -t 0.7"),
    (PLAIN, "-d 0.6 --top-p 0.9"),
    (PLAIN, "-d 1"),
    (PLAIN, "-d 2"),
)
FORMER = {
    "digits-4 -d 0.6": ("94.2 %", "99.2 %", "20.4", "2.96", "0.346", "yes", "0.041", "0.04", "0.56", "19 %"),
    "digits-3 -d 0.6": ("92.7 %", "97.8 %", "19.1", "3.25", "0.346", "yes", "0.040", "0.04", "0.56", "20 %"),
    "digits-1 -d 0.6": ("15.2 %", "31.5 %", "100.4", "5.35", "0.204", "yes", "0.042", "0.15", "0.42", "39 %"),
}
"""Rows of checkpoints that are not shipped any more, as they were measured."""
HEADS = (
    "what",
    "digit heard",
    "speaker heard",
    "Fréchet",
    "nearest, embedding",
    "nearest, waveform",
    "no copies",
    "median RMS",
    "seconds until sound",
    "of sound",
    "silent frames",
)
Report = dict[str, Any]


def judged(work: Path, corpora: Path, name: str, options: str) -> Report:
    """What `synth evaluate --json` reports for a row."""
    stem = (name + options).replace(" ", "")
    path = work / f"{stem}.json"
    if not path.exists():
        arguments = ("-n", 10, *options.split(), "--labels", splits.FSDD_LABELS, "--split", splits.FSDD_SPLIT)
        files = ("--reference", corpora / "fsdd-8k", "--report", work / f"{stem}.html", "-f")
        path.write_text(pages.synth("evaluate", name, *arguments, *files, "--json"))
    report: Report = json.loads(path.read_text())
    return report


def row(name: str, report: Report) -> list[str]:
    """The cells of one row."""
    copying = report["copying"]
    cells = [pages.percent(report["labels"][key]["accuracy"]) for key in ("digit", "speaker")]
    passed = "yes" if copying["passed"] else "**no**"
    levels = level_cells(report["levels"]["generated"])
    return [name, *cells, f"{report['frechet_distance']:.1f}", *nearest(copying, "generated"), passed, *levels]


def recordings(report: Report) -> list[str]:
    """The same cells of the test recordings."""
    cells = [pages.percent(report["labels"][key]["real_accuracy"]) for key in ("digit", "speaker")]
    distances = [f"{report['frechet_floor']:.1f}", *nearest(report["copying"], "real"), ""]
    return ["test recordings", *cells, *distances, *level_cells(report["levels"]["real"])]


def nearest(copying: Report, whose: str) -> list[str]:
    """Distances to the nearest training file."""
    return [f"{copying['embedding'][whose]:.2f}", f"{copying['waveform'][whose]:.3f}"]


def level_cells(levels: Report) -> list[str]:
    """Loudness and silence."""
    seconds = [f"{levels[f'median_{name}_seconds']:.2f}" for name in ("onset", "sounding")]
    return [f"{levels['median_rms']:.3f}", *seconds, f"{100 * levels['silence']:.0f} %"]


def loudness(report: Report, key: str) -> list[str]:
    """Loudness by the values of a label."""
    label = report["labels"][key]
    lines = ["| | " + " | ".join(label["values"]) + " |", "|---" * (len(label["values"]) + 1) + "|"]
    for whose in ("generated", "real"):
        cells = [f"{label['median_rms'][value][whose]:.3f}" for value in label["values"]]
        lines.append(pages.row([f"median RMS, {whose}", *cells]))
    return lines


def most_often(report: Report, key: str) -> str:
    """What is recognised most often, whatever was asked for."""
    label = report["labels"][key]
    shares = [sum(column) / report["files"] for column in zip(*label["confusion"], strict=True)]
    order = sorted(range(len(shares)), key=lambda place: -shares[place])[:3]
    return ", ".join(f"{label['heard'][place]} in {100 * shares[place]:.0f} %" for place in order)


def why(report: Report) -> list[str]:
    """What the report of the plain network shows of the reasons."""
    own, true = report["levels"]["generated"], report["levels"]["real"]
    ratio = max(pair["generated"] / pair["real"] for pair in report["labels"]["speaker"]["median_rms"].values())
    gain = report["bits_per_sample"] - report["bits_per_sample_labels"]
    return [
        f"Why `{PLAIN}` falls short, from the report of its first row; `digits-3` and the voices after it were made for"
        " these reasons:",
        "",
        f"* Confusions: what is heard hardly depends on what is asked for: {most_often(report, 'digit')} of all files.",
        "  The spectrograms show noise or steady tones without the course of a word, which come nearest to the digits",
        f"  with an s. Of speakers: {most_often(report, 'speaker')}.",
        f"* Duration: sound lasts as long as it should ({own['median_sounding_seconds']:.2f} s, recordings"
        f" {true['median_sounding_seconds']:.2f}), but begins",
        f"  after {own['median_onset_seconds']:.2f} s of silence (recordings: {true['median_onset_seconds']:.2f}), and"
        f" {100 * own['silence']:.0f} % of the frames are silent (recordings: {100 * true['silence']:.0f} %).",
        f"* Loudness: {own['median_rms'] / true['median_rms']:.1f} times that of recordings in the median, but it does"
        " not follow the speaker; two of them were recorded",
        f"  quietly and are generated up to {ratio:.0f} times too loud (table below).",
        f"* The labels are worth {gain:.3f} bits per sample on recordings: enough to tell them by Bayes' rule over",
        "  thousands of samples of real sound; after sound of its own the network follows that, it seems, and not the",
        "  label.",
    ]


def about(report: Report) -> list[str]:
    """How the table's figures came about."""
    copying = report["copying"]
    return [
        f"{report['files']} files a row: 10 digits x 6 speakers x 10 seeds"
        f" (all from {report['seeds'][0]} to {report['seeds'][1]}), from silence,"
        f" {report['reference']['test']} test files beside them; heard by `{report['classifier']}`, which never",
        f"heard generated sound. Fréchet distance between its embeddings, {report['frechet']['files_each']} files in"
        " each set",
        "(the estimate is too high by about one over that number; the last row, one half of the test files to the",
        "other, is what this comes to). Copying: 1st",
        f"percentile of distances to the nearest of {copying['training_files']} training files, by embedding and by"
        f" the waveform of the loudest {copying['excerpt_seconds']:g} s;",
        "it must not be below that of the test files. Sound that is unlike any recording passes that easily.",
    ]


def section(reports: dict[tuple[str, str], Report]) -> list[str]:
    """What the program writes, of the reports by name and options."""
    first, plain = reports[VOICE, "-d 0.6"], reports[PLAIN, "-d 0.6"]
    rows = [row(f"`{name} {options}`", report) for (name, options), report in reports.items()]
    former = [[f"`{name}` (not shipped any more)", *cells] for name, cells in FORMER.items()]
    return [
        *about(first),
        "",
        *pages.table(HEADS, [*rows, *former, recordings(first)]),
        "",
        f"Bits per sample of the test files: `{PLAIN}` {plain['bits_per_sample']:.4f}, with labels"
        f" {plain['bits_per_sample_labels']:.4f}; `{VOICE}`, led by what it hears of each,"
        f" {first['bits_per_sample']:.4f}.",
        "",
        f"`{VOICE}`, loudness by speaker and by digit (the bar of 3 dB is a factor of 1.41):",
        "",
        *loudness(first, "speaker"),
        "",
        *loudness(first, "digit"),
        "",
        *why(plain),
        "",
        *loudness(plain, "speaker"),
    ]


def main() -> None:
    parser = pages.parser(__doc__, "generated-digits")
    parser.add_argument("corpora", type=Path, metavar="CORPORA")
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    reports = {(name, flags): judged(options.work, options.corpora, name, flags) for name, flags in ROWS}
    pages.write_section("generation", "generation", section(reports))


if __name__ == "__main__":
    main()
