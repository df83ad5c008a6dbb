#!/usr/bin/env python3
"""Trains one network a row, all for the same steps on the same batches; writes docs/benchmarks/ablation.md.

    python benchmarks/ablate.py CORPORA [--steps N] [--only NAME ...]   adds the rows that results/ablation.jsonl lacks
    python benchmarks/ablate.py --speed    measures the engine with random weights of each shape and writes the table
    python benchmarks/ablate.py --table    writes the table alone

CORPORA is a folder with fsdd-8k. Needs the dev extra, the engine built in place, a compiler for other hops. A row takes
a few minutes on one core.
"""

from __future__ import annotations

import argparse
import json
import textwrap
import time
from pathlib import Path
from typing import Any

import torch

import pages
from ablation import training, variants
from ablation.rows import ROWS, Row
from synth.benchmarking.engine import processor
from synth.engine.config import SamplingConfig
from synth.training.optimization import steady_memory

ROWS_FILE = pages.RESULTS / "ablation.jsonl"
SPEEDS_FILE = "ablation-speed.json"
STEPS, SAMPLES, ROUNDS = 250, 50_000, 25
HEADS = (
    "hop",
    "frame",
    "sample",
    "head",
    "blocks",
    "predictor",
    "state bits",
    "parameters",
    "MACs",
    "samples/s",
    "rounded",
    "integer",
    "with labels",
)


def results() -> list[dict[str, Any]]:
    """All rows that were trained, with what was measured of them."""
    return [json.loads(line) for line in ROWS_FILE.read_text().splitlines()] if ROWS_FILE.exists() else []


def train(rows: list[Row], steps: int, corpora: Path, work: Path) -> None:
    """Train the rows that have no result of so many steps, and add theirs to the file."""
    for row in rows:
        if any(result["name"] == row.name and result["steps"] == steps for result in results()):
            continue
        if not row.built_here:
            variants.run_in(pages.ROOT, work, row, __file__, corpora, "--steps", steps)
            continue
        line = json.dumps(training.run(row, steps, corpora, work))
        print(line, flush=True)
        with ROWS_FILE.open("a") as file:
            file.write(line + "\n")


def speeds(rows: list[Row]) -> dict[str, float]:
    """Samples a second of processor time by row, one stream in one thread; the best of rounds over all the rows, since
    a shared machine is slower for seconds at a time."""
    players = {row.name: training.random_player(row) for row in rows}
    states = {name: player.state(0) for name, player in players.items()}
    least = dict.fromkeys(players, float("inf"))
    for _ in range(ROUNDS):
        for name, player in players.items():
            began = time.process_time()
            player.generate(states[name], SAMPLES, SamplingConfig())
            least[name] = min(least[name], time.process_time() - began)
    return {name: SAMPLES / seconds for name, seconds in least.items()}


def all_speeds(rows: list[Row], work: Path) -> dict[str, float]:
    """By name; a predictor that the engine lacks has none, states of fewer bits and other seeds neither."""
    fit = [row for row in rows if row.predictor == "least squares" and row.bits is None and not row.seed]
    others = [row for row in fit if not row.built_here]
    here = speeds([row for row in fit if row.built_here])
    bare = ("--speed", "--bare")
    return here | {row.name: float(variants.run_in(pages.ROOT, work, row, __file__, *bare)) for row in others}


def about(steps: int) -> str:
    """What the table's figures are."""
    s = training.SCHEDULE
    text = f"""
    {steps} steps of {s.streams} streams x {s.windows} windows x {s.window} samples,
    one seed, the same batches for all, fsdd-8k. Bits per sample are of all validation files, each from a fresh state:
    of the float network with the engine's rounding of weights and states, and of the integer engine, without labels
    and with true ones. Only the rows of 8, 7 and 6 state bits marked so were fine-tuned with rounding,
    {training.FINE_STEPS} steps from the base: compare these. The base stands a second time with another seed: that
    much is chance. Few steps favour small and dense networks: a sparse one loses its blocks between 15 and 60 % of
    them. MACs: multiply-accumulates a sample without the predictor's, blocks of zeros left out, two tiles of the tree,
    a frame's shared. Speed: one stream, samples a second of processor time, {processor().split(",")[0]}, random
    weights, best of {ROUNDS} rounds; the engine has no other predictor and no narrower states, so those rows have none.
    In the rows with fewer blocks the recurrent matrix alone was pruned, but for 384 units; training since prunes the
    head's hidden layer too, which makes the last row a third faster, and costs 384 units at 10 % many bits.
    """
    return textwrap.fill(" ".join(text.split()), 120)


def cells(row: Row, result: dict[str, Any], speed: float | None) -> list[object]:
    """One row of the table."""
    c = (row if row.built_here else Row("", {**row.model, "hop": 16})).config()
    sizes = (row.model.get("hop", c.hop), c.frame_units, c.sample_units, c.head_units, f"{100 * row.density:g} %")
    predictor = f"{row.predictor} {c.order}" if row.predictor != "none" else "none"
    predictor += f", seed {row.seed}" if row.seed else ""
    rounding = f"{row.bits or 8}" + (" (fine-tuned)" if row.bits else "")
    counts = (f"{result['parameters']:,}", f"{result['macs']:,}", "-" if speed is None else f"{speed:,.0f}")
    integer = [f"{result[key]:.4f}" if key in result else "-" for key in ("integer", "integer_labels")]
    return [*sizes, predictor, rounding, *counts, f"{result['rounded']:.4f}", *integer]


def section(steps: int) -> list[str]:
    """What the program writes: the text and the table of all rows with so many steps."""
    trained = {result["name"]: result for result in results() if result["steps"] == steps}
    speed = pages.read_results(SPEEDS_FILE)
    rows = [cells(row, trained[row.name], speed.get(row.name)) for row in ROWS if row.name in trained]
    return [about(steps), "", *pages.table(HEADS, rows)]


def build_parser() -> argparse.ArgumentParser:
    parser = pages.parser(__doc__, "ablation")
    parser.add_argument("corpora", nargs="?", type=Path, metavar="CORPORA")
    parser.add_argument("--steps", type=int, default=STEPS, metavar="N", help="(default: %(default)s)")
    parser.add_argument("--only", nargs="+", default=[row.name for row in ROWS], metavar="NAME", help="rows")
    parser.add_argument("--speed", action="store_true", help="measure the engine and write the table")
    parser.add_argument("--table", action="store_true", help="write the table with the speeds of before")
    parser.add_argument("--bare", action="store_true", help="with --speed: print the speed of the one row")
    return parser


def main() -> None:
    parser = build_parser()
    options = parser.parse_args()
    torch.set_num_threads(1)
    options.work.mkdir(parents=True, exist_ok=True)
    rows = [row for row in ROWS if row.name in options.only]
    if options.speed and options.bare:
        print(*speeds(rows).values())
    elif options.speed:
        pages.write_results(SPEEDS_FILE, pages.read_results(SPEEDS_FILE) | all_speeds(rows, options.work))
        pages.write_section("ablation", "ablation", section(options.steps))
    elif options.table:
        pages.write_section("ablation", "ablation", section(options.steps))
    elif options.corpora is None:
        parser.error("CORPORA: name the folder with fsdd-8k")
    else:
        steady_memory()
        train(rows, options.steps, options.corpora, options.work)


if __name__ == "__main__":
    main()
