"""The tables and the picture of parametric_quality.py."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pages
from parametric.files import RATE, SETS
from parametric.measure import CALIBRATION
from parametric.metrics import METRICS

PICTURE = pages.SAMPLES / "parametric.png"


def table(rows: dict[str, Any], order: Iterable[str]) -> list[str]:
    """The table of one set, of the coders that have a row."""
    heads = ["coder", "kb/s", "of packets alone", *(metric.heading for metric in METRICS.values()), "delay, ms"]
    return pages.table(heads, [cells(coder, rows[coder]) for coder in order if coder in rows])


def cells(coder: str, row: dict[str, Any]) -> list[str]:
    """One row of the table."""
    texts = [coder, f"{row['kbps']:.2f}", f"{row['packets']:.2f}" if "packets" in row else "-"]
    for key, metric in METRICS.items():
        if key not in row or math.isnan(row[key][0]):
            texts.append("-")
            continue
        mean, half, count = row[key]
        few = "" if count == row["files"] else f" ({count} files)"
        texts.append(f"{mean:.{metric.digits}f} ± {half:.{metric.digits}f}{few}")
    return [*texts, f"{1000 * row['delay'] / RATE:.1f}"]


def plot(results: dict[str, Any], path: Path) -> None:
    """Each metric against the bit rate, a row of pictures for each set."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    names = [name for name in SETS if results.get(name)]
    figure, axes = pyplot.subplots(len(names), len(METRICS), figsize=(13, 3.1 * len(names)), squeeze=False)
    for line, name in zip(axes, names, strict=True):
        for axis, key in zip(line, METRICS, strict=True):
            curves(axis, results[name], key)
            title = f"{METRICS[key].heading}, {name}" + (" (lower is better)" if key == "warpq" else "")
            axis.set_title(title, fontsize=9)
    axes[0][0].legend(fontsize=8)
    figure.tight_layout()
    figure.savefig(path, dpi=80, metadata={"Software": None})


def curves(axis: Any, rows_of: dict[str, Any], key: str) -> None:
    """One metric on one set: a curve for each kind of coder."""
    for kind, mark in (("synth", "o-"), ("codec2", "s--"), ("Opus", "^--")):
        rows = [row for coder, row in rows_of.items() if coder.split()[0] == kind and key in row]
        rows.sort(key=lambda row: row["kbps"])
        if rows:
            means, halves = zip(*((row[key][0], row[key][1]) for row in rows), strict=True)
            axis.errorbar([row["kbps"] for row in rows], means, halves, fmt=mark, ms=4, capsize=2, label=kind)
    axis.set_xscale("log", base=2)
    axis.set_xticks([1, 2, 4, 8, 16], ["1", "2", "4", "8", "16"])
    axis.set_xlim(0.6, 18)
    axis.grid(alpha=0.3)
    axis.set_xlabel("kb/s, whole files")


def write(results: dict[str, Any], order: list[str], work: Path) -> None:
    """The page's section and the picture: beside the other pictures once there are points of ours."""
    own = any(coder.startswith("synth") for name in SETS for coder in results.get(name, {}))
    plot(results, PICTURE if own else work / PICTURE.name)
    lines = [
        f"A coder's constant delay was measured on {CALIBRATION} validation files of each set, is in the table and was",
        "taken out.",
        "",
    ]
    for name, (heading, _) in SETS.items():
        if rows := results.get(name):
            some = next(iter(rows.values()))
            lines += [f"{heading}, {some['files']} files, {some['seconds']:.0f} s:", "", *table(rows, order), ""]
    if own:
        lines.append(f"![Bit rate against four metrics](../../samples/{PICTURE.name})")
    pages.write_section("parametric", "parametric", lines)
