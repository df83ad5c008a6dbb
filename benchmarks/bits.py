#!/usr/bin/env python3
"""Bits per sample of the generators' integer engine, written into docs/benchmarks/bits.md.

    python benchmarks/bits.py CORPORA

CORPORA is a folder with fsdd-8k and piano-headroom-giantmidi-16k.
"""

from __future__ import annotations

from pathlib import Path

import pages
import splits

DIGITS = "digits-plain-1"
PIANO = "piano-1"


def score(paths: list[Path], checkpoint: str, *options: str) -> float:
    """Bits per sample of the files, as `synth score` reports them."""
    return float(pages.synth_json("score", "-q", "-c", checkpoint, *options, *paths)["bits_per_sample"])


def rounding(checkpoint: str, name: str) -> list[tuple[str, str]]:
    """Rows of what `synth export` printed: the float network beside the integer engine."""
    measured = pages.synth_json("info", checkpoint)["info"]["float_and_integer"]
    rows = []
    for split, (before, after) in measured.items():
        text = f"`{name}`, {split}: float network {before:.4f}, integer engine {after:.4f} on the same files"
        rows.append((f"{text} (printed by `synth export`)", f"{100 * (after / before - 1):+.2f} %"))
    return rows


def table(corpora: Path) -> list[str]:
    """The table of the page."""
    labels = ("--labels", splits.FSDD_LABELS)
    test, validation = splits.fsdd(corpora, range(5)), splits.fsdd(corpora, range(5, 7))
    piano = [splits.every(corpora, "piano-headroom-giantmidi-16k", 10, first) for first in (0, 1)]
    rows = [
        (f"`{DIGITS}`, fsdd-8k test (take 0 to 4), no labels", score(test, DIGITS)),
        (f"`{DIGITS}`, fsdd-8k test, true labels", score(test, DIGITS, *labels)),
        (f"`{DIGITS}`, fsdd-8k validation (take 5, 6), no labels", score(validation, DIGITS)),
        (f"`{DIGITS}`, fsdd-8k validation, true labels", score(validation, DIGITS, *labels)),
        ("`piano`, test (files 1, 11, 21)", score(piano[0], PIANO)),
        ("`piano`, validation (files 2, 12, 22)", score(piano[1], PIANO)),
    ]
    figures = [(name, f"{value:.4f}") for name, value in rows]
    return pages.table(("what", "bits per sample"), [*figures, *rounding(DIGITS, DIGITS), *rounding(PIANO, "piano")])


def main() -> None:
    parser = pages.parser(__doc__)
    parser.add_argument("corpora", type=Path, metavar="CORPORA")
    pages.write_section("bits", "bits", table(parser.parse_args().corpora))


if __name__ == "__main__":
    main()
