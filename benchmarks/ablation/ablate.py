#!/usr/bin/env python3
"""Trains one network a row, all for the same steps on the same batches, and writes the table into BENCHMARKS.md.

`python .ci/ablate CORPORA [--steps N] [--only NAME...]` adds to .ci/ablation.jsonl the rows that it lacks;
`python .ci/ablate --speed` measures the native engine with random weights of each shape (.ci/ablation-speed.json) and
writes the table; `--table` only writes it.
CORPORA is a folder with fsdd-8k. Needs the dev extra, the engine built in place, a compiler for other hops.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent.parent
sys.path.insert(0, os.environ.get("SYNTH_ABLATION_SOURCE", str(HERE)))

import ablation  # noqa: E402
import torch  # noqa: E402

from synth.benchmarking.engine import processor  # noqa: E402
from synth.engine.config import Draw  # noqa: E402

RESULTS = HERE / ".ci" / "ablation.jsonl"
SPEEDS = HERE / ".ci" / "ablation-speed.json"
START, END = "<!-- ablation -->", "<!-- /ablation -->"
STEPS, SAMPLES, ROUNDS = 250, 50_000, 25


def results() -> list[dict[str, Any]]:
    return [json.loads(line) for line in RESULTS.read_text().splitlines()] if RESULTS.exists() else []


def in_variant(row: ablation.Row, work: Path, *arguments: str) -> str:
    """This script for one row, with an engine of its hop."""
    place = ablation.variant(HERE, work, row.model["hop"])
    command = [sys.executable, __file__, "--only", row.name, "--work", str(work), *arguments]
    environment = {**os.environ, "PYTHONPATH": str(place), "SYNTH_ABLATION_SOURCE": str(place)}
    return subprocess.run(command, check=True, env=environment, capture_output=True, text=True).stdout


def train(rows: list[ablation.Row], steps: int, corpora: Path, work: Path) -> None:
    for row in rows:
        if any(found["name"] == row.name and found["steps"] == steps for found in results()):
            continue
        if not ablation.built_here(row):
            in_variant(row, work, str(corpora), "--steps", str(steps))
            continue
        line = json.dumps(ablation.run(row, steps, corpora, work))
        print(line, flush=True)
        with open(RESULTS, "a") as file:
            file.write(line + "\n")


def speeds(rows: list[ablation.Row]) -> dict[str, float]:
    """Samples a second of processor time by row, one stream in one thread; the best of rounds over all the rows, since
    a shared machine is slower for seconds at a time."""
    players = {row.name: ablation.random_player(row) for row in rows}
    states = {name: player.state(0) for name, player in players.items()}
    least = dict.fromkeys(players, float("inf"))
    for _ in range(ROUNDS):
        for name, player in players.items():
            began = time.process_time()
            player.generate(states[name], SAMPLES, Draw())
            least[name] = min(least[name], time.process_time() - began)
    return {name: SAMPLES / seconds for name, seconds in least.items()}


def all_speeds(rows: list[ablation.Row], work: Path) -> dict[str, float]:
    """By name; a predictor that the engine lacks has none, states of fewer bits and other seeds neither."""
    fit = [row for row in rows if row.predictor == "least squares" and row.bits is None and not row.seed]
    others = [row for row in fit if not ablation.built_here(row)]
    found = speeds([row for row in fit if ablation.built_here(row)])
    return found | {row.name: float(in_variant(row, work, "--speed", "--bare")) for row in others}


def about(steps: int) -> str:
    """What the table's figures are."""
    s = ablation.SCHEDULE
    text = f"""
    Written by `python .ci/ablate`: {steps} steps of {s.streams} streams x {s.windows} windows x {s.window} samples,
    one seed, the same batches for all, fsdd-8k. Bits per sample are of all validation files, each from a fresh state:
    of the float network with the engine's rounding of weights and states, and of the integer engine, without labels
    and with true ones. Only the rows of 8, 7 and 6 state bits marked so were fine-tuned with rounding,
    {ablation.FINE_STEPS} steps from the base: compare these. The base stands a second time with another seed: that
    much is chance. Few steps favour small and dense networks: a sparse one loses its blocks between 15 and 60 % of
    them. MACs: multiply-accumulates a sample without the predictor's, blocks of zeros left out, two tiles of the tree,
    a frame's shared. Speed: one stream, samples a second of processor time, {processor().split(",")[0]}, random
    weights, best of {ROUNDS} rounds; the engine has no other predictor and no narrower states, so those rows have none.
    In the rows with fewer blocks the recurrent matrix alone was pruned, but for 384 units; training since prunes the
    head's hidden layer too, which makes the last row a third faster, and costs 384 units at 10 % many bits.
    """
    return textwrap.fill(" ".join(text.split()), 120)


def table(steps: int) -> str:
    known = {found["name"]: found for found in results() if found["steps"] == steps}
    fast, lines = json.loads(SPEEDS.read_text()), []
    for row in ablation.ROWS:
        if row.name not in known:
            continue
        found = known[row.name]
        c = row.config() if ablation.built_here(row) else ablation.Row("", {**row.model, "hop": 16}).config()
        sizes = (row.model.get("hop", c.hop), c.frame_units, c.sample_units, c.head_units, f"{100 * row.density:g} %")
        rounding = f"{row.bits or 8}" + (" (fine-tuned)" if row.bits else "")
        predictor = f"{row.predictor} {c.order}" if row.predictor != "none" else "none"
        predictor += f", seed {row.seed}" if row.seed else ""
        shown = f"{fast[row.name]:,.0f}" if row.name in fast else "-"
        integer = f"{found['integer']:.4f} | {found['integer_labels']:.4f}" if "integer" in found else "- | -"
        cells = (*sizes, predictor, rounding, f"{found['parameters']:,}", f"{found['macs']:,}", shown)
        lines.append("| " + " | ".join(map(str, cells)) + f" | {found['rounded']:.4f} | {integer} |")
    return "\n".join(
        [
            "## The network",
            "",
            about(steps),
            "",
            "| hop | frame | sample | head | blocks | predictor | state bits | parameters | MACs | samples/s"
            " | rounded | integer | with labels |",
            "|" + "---|" * 13,
            *lines,
            "",
        ]
    )


def write(text: str) -> None:
    """Put the table between its markers, which come last where there are none yet."""
    path = HERE / "BENCHMARKS.md"
    whole = path.read_text()
    block = f"{START}\n{text}{END}\n"
    pattern = f"{re.escape(START)}.*{re.escape(END)}\n"
    found = re.search(pattern, whole, re.S)
    path.write_text(whole.replace(found[0], block) if found else f"{whole}\n{block}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("corpora", nargs="?", type=Path, metavar="CORPORA")
    parser.add_argument("--steps", type=int, default=STEPS, metavar="N")
    parser.add_argument("--only", nargs="+", default=[row.name for row in ablation.ROWS], metavar="NAME")
    parser.add_argument("--work", type=Path, default=HERE / "build" / "ablation", help="caches and other hops' builds")
    parser.add_argument("--speed", action="store_true", help="measure the engine and write the table")
    parser.add_argument("--table", action="store_true", help="write the table with the speeds of before")
    parser.add_argument("--bare", action="store_true", help="with --speed: print the speed of the one row")
    options = parser.parse_args()
    torch.set_num_threads(1)
    options.work.mkdir(parents=True, exist_ok=True)
    rows = [row for row in ablation.ROWS if row.name in options.only]
    if options.speed and options.bare:
        print(*speeds(rows).values())
    elif options.speed:
        before = json.loads(SPEEDS.read_text()) if SPEEDS.exists() else {}
        SPEEDS.write_text(json.dumps(before | all_speeds(rows, options.work), indent=1) + "\n")
        write(table(options.steps))
    elif options.table:
        write(table(options.steps))
    elif options.corpora is None:
        parser.error("CORPORA: name the folder with fsdd-8k")
    else:
        ablation.learn.steady_memory()
        train(rows, options.steps, options.corpora, options.work)


if __name__ == "__main__":
    main()
