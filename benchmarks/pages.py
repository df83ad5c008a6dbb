"""What the programs of this folder share: where pages and results lie, tables, timing, and calls of `synth`.

A page of docs/benchmarks is written by people; what a program measured stands in it between `<!-- NAME -->` and
`<!-- /NAME -->`, and only that is replaced.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PAGES = ROOT / "docs" / "benchmarks"
RESULTS = ROOT / "benchmarks" / "results"
SAMPLES = ROOT / "samples"
BUILD = ROOT / "build"


def parser(text: str | None, work: str | None = None) -> argparse.ArgumentParser:
    """A parser with a program's docstring as its help; with `work` the option `--work`, by default build/`work`."""
    result = argparse.ArgumentParser(description=text, formatter_class=argparse.RawDescriptionHelpFormatter)
    if work is not None:
        result.add_argument(
            "--work", type=Path, default=BUILD / work, metavar="FOLDER", help=f"(default: build/{work})"
        )
    return result


def write_section(page: str, marker: str, lines: Iterable[str]) -> Path:
    """Replace what stands between the markers of a page (its name without .md) by `lines`; returns the page's path.

    Raises SystemExit where the page lacks one of the markers.
    """
    path = PAGES / f"{page}.md"
    begin, end = f"<!-- {marker} -->", f"<!-- /{marker} -->"
    before, first, rest = path.read_text().partition(begin)
    _, last, after = rest.partition(end)
    if not (first and last):
        raise SystemExit(f"{path}: lacks the markers {begin} and {end}")
    path.write_text("\n".join([before + begin, *lines, end + after]))
    print(f"written: {path}", file=sys.stderr)
    return path


def row(cells: Iterable[object]) -> str:
    """One line of a table."""
    return "| " + " | ".join(map(str, cells)) + " |"


def table(heads: Sequence[str], rows: Iterable[Iterable[object]]) -> list[str]:
    """A table's lines: the headings, the rule, the rows."""
    return [row(heads), "|" + "---|" * len(heads), *map(row, rows)]


def read_results(name: str) -> dict[str, Any]:
    """What results/`name` holds; empty where there is no such file yet."""
    path = RESULTS / name
    results: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    return results


def write_results(name: str, results: dict[str, Any]) -> None:
    """Replace results/`name`."""
    (RESULTS / name).write_text(json.dumps(results, indent=1) + "\n")


def synth(*arguments: object) -> str:
    """Standard output of `synth ARGUMENTS` with this interpreter; SystemExit where it fails, having said why."""
    words = [str(argument) for argument in arguments]
    done = subprocess.run([sys.executable, "-m", "synth", *words], stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise SystemExit(f"synth {' '.join(words)[:200]}: failed ({done.returncode})")
    return done.stdout


def synth_json(*arguments: object) -> dict[str, Any]:
    """What `synth ARGUMENTS --json` reports."""
    report: dict[str, Any] = json.loads(synth(*arguments, "--json"))
    return report


def generate_audio(*arguments: object) -> list[str]:
    """The command line of `generate-audio ARGUMENTS` with this interpreter."""
    program = "import sys; from synth.cli import generate_audio_main as main; sys.exit(main())"
    return [sys.executable, "-c", program, *map(str, arguments)]


@contextmanager
def installed() -> Iterator[dict[str, str]]:
    """An environment in which this source tree starts as an installed package does: its modules are compiled once."""
    with tempfile.TemporaryDirectory() as folder:
        yield {**os.environ, "PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": folder}


def median_seconds(call: Callable[[], object], rounds: int, clock: Callable[[], float] = time.perf_counter) -> float:
    """Median of the seconds that `rounds` calls take, by the wall clock or another."""
    seconds = []
    for _ in range(rounds):
        began = clock()
        call()
        seconds.append(clock() - began)
    return statistics.median(seconds)


def percent(share: float, digits: int = 1) -> str:
    """A share as it stands in tables: "94.2 %"."""
    return f"{100 * share:.{digits}f} %"
