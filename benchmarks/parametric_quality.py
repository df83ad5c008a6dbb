#!/usr/bin/env python3
"""Compares speech codecs at low bit rates; writes docs/benchmarks/parametric.md.

    python benchmarks/parametric_quality.py CORPORA [--work FOLDER] [--table] [--only NAME] [--set NAME] [--files N]
    python benchmarks/parametric_quality.py CORPORA --clips FOLDER     any folder of speech: printed, nothing written
    python benchmarks/parametric_quality.py --pairs REF DEG [--align]  means of two folders of equally named files

Test splits of kathleen-arctic-16k, picovoice-multispeaker-16k and fsdd-8k (speakers whom `speech` never heard);
codec2, Opus (`c2enc`, `opusenc` and their decoders: Debian's codec2 and opus-tools) and `synth compress --mode
parametric` of the interpreter `--python`, skipped with the reason where it refuses. Whole files count. A coder's
constant delay is measured on validation files and taken out. An hour, most of it the metrics.

The metrics run in the Python that this is called with, best one of their own (the project does not depend on them):
    python3 -m venv VENV
    VENV/bin/pip install pesq pystoi visqol-python ai-edge-litert warpq soundfile soxr matplotlib
What other coders made and all scores stay in the folder --work; results stay in results/parametric.json, so that
`--table` can write the table and the plot again, and rows that were not measured now stay as they are.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
from pathlib import Path
from typing import Any

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"):  # before they are imported
    os.environ.setdefault(_name, "1")

import pages
from parametric import page
from parametric.alignment import aligned, delay
from parametric.coders import Coder, Refused, coders
from parametric.files import RATE, SETS, clips, read
from parametric.measure import RESULTS, calibrated, keep, measure
from parametric.metrics import METRICS, Scores, installed, print_error, summary


def compare(first: Path, second: Path, align: bool) -> None:
    """Print the metrics of two folders of files with the same names."""
    scores = Scores(None, installed())
    others = {path.stem: path for path in clips(second)}
    pairs = [(read(path), read(others[path.stem])) for path in clips(first) if path.stem in others]
    if not pairs:
        raise SystemExit(f"no sound files of the same names in {first} and {second}")
    late, how = delay(pairs)
    print_error(f"{len(pairs)} pairs; the second is late by {1000 * late / RATE:.1f} ms ({how}), taken out: {align}")
    rows = [scores.of(a, aligned(a, b, late if align else 0)) for a, b in pairs]
    for key, (mean, half, count) in summary(rows).items():
        more = "" if count == len(pairs) else f", {count} files"
        print(f"{METRICS[key].heading:8} {mean:.4f} +- {half:.4f}{more}")


def parser() -> argparse.ArgumentParser:
    result = pages.parser(__doc__, "parametric")
    result.add_argument("corpora", type=Path, nargs="?", metavar="CORPORA")
    result.add_argument("--table", action="store_true", help="measure nothing, write what is known")
    result.add_argument("--only", action="append", metavar="NAME", help="coders that begin so, as 'synth' or 'Opus 6k'")
    result.add_argument("--set", action="append", choices=SETS, help="(default: all)")
    result.add_argument("--files", type=int, metavar="N", help="the first N of each set; printed, nothing written")
    result.add_argument("--clips", type=Path, metavar="FOLDER", help="files of speech in place of the test splits")
    result.add_argument("--pairs", type=Path, nargs=2, metavar=("REF", "DEG"), help="compare two folders, no coder")
    result.add_argument("--align", action="store_true", help="of --pairs: take a constant delay out")
    result.add_argument("--python", default=sys.executable, help="interpreter that has synth (default: this one)")
    result.add_argument("-c", "--checkpoint", default="speech", help="of synth (default: speech)")
    return result


def sets_of(options: argparse.Namespace) -> dict[str, list[Path]]:
    """The files to measure, by set; SystemExit for an empty one."""
    if options.clips:
        paths = clips(options.clips)
        state = [(str(path.resolve()), path.stat().st_size, path.stat().st_mtime_ns) for path in paths]
        sets = {"clips-" + hashlib.sha256(repr(state).encode()).hexdigest()[:12]: paths}
    else:
        sets = {name: SETS[name][1](options.corpora, 0) for name in options.set or SETS}
    if empty := [name for name, paths in sets.items() if not paths]:
        raise SystemExit(f"no files: {', '.join(empty)}")
    return {name: paths[: options.files] for name, paths in sets.items()}


def measure_coder(
    options: argparse.Namespace, name: str, code: Coder, sets: dict[str, list[Path]], scores: Scores
) -> dict[str, Any]:
    """The rows of one coder by set; none where it refuses."""
    rows: dict[str, Any] = {}
    try:
        late, how = calibrated(options.work, options.corpora, name, code)
        print_error(f"{name}: late by {1000 * late / RATE:.1f} ms ({how})")
        for set_name, paths in sets.items():
            row = measure(options.work, set_name, paths, name, code, late, scores)
            rows[set_name] = row | ({"checkpoint": options.checkpoint} if name.startswith("synth") else {})
            print_error(f"{name}, {set_name}: {json.dumps(rows[set_name])}")
    except Refused as reason:
        print_error(f"skipped: {name}: {reason}")
    return rows


def run(options: argparse.Namespace, every: dict[str, Coder]) -> None:
    """Measure, print, and keep and write what is of whole test sets and all metrics."""
    metrics = installed()
    scores, sets = Scores(options.work / "scores.jsonl", metrics), sets_of(options)
    partial = bool(options.clips or options.files)
    kept = not partial and len(metrics) == len(METRICS)
    measured: dict[str, dict[str, Any]] = {name: {} for name in sets}
    for name, code in every.items():
        if options.only and not name.startswith(tuple(options.only)):
            continue
        for set_name, row in measure_coder(options, name, code, sets, scores).items():
            measured[set_name][name] = row
            if kept:
                keep(set_name, name, row, every)
    for set_name, rows in measured.items():
        print(f"\n{set_name}, {len(sets[set_name])} files\n\n" + "\n".join(page.table(rows, every)))
    if not any(measured.values()):
        raise SystemExit("nothing was measured")
    if kept:
        page.write(pages.read_results(RESULTS), [*every], options.work)
    elif not partial:
        raise SystemExit("not written: some metrics are missing")


def main() -> None:
    options = parser().parse_args()
    if options.pairs:
        first, second = options.pairs
        compare(first, second, options.align)
        return
    options.work.mkdir(parents=True, exist_ok=True)
    every = coders(options.python, options.checkpoint)
    if options.table:
        page.write(pages.read_results(RESULTS), [*every], options.work)
        return
    if options.corpora is None or not options.corpora.is_dir():
        parser().error("CORPORA: a folder with the corpora")
    run(options, every)


if __name__ == "__main__":
    main()
