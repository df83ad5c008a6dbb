"""Runs coders over sets of files and keeps what was measured."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pages
from parametric.alignment import aligned, delay
from parametric.coders import Coder
from parametric.files import RATE, SETS, read, references
from parametric.metrics import Scores, summary

RESULTS = "parametric.json"
CALIBRATION = 8  # validation files of each set, on which a coder's delay is measured
Row = dict[str, Any]


def _folder(work: Path, name: str, coder: str) -> Path:
    folder = work / name / coder.replace(" ", "-")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def measure(work: Path, name: str, paths: list[Path], coder: str, code: Coder, late: int, scores: Scores) -> Row:
    """Bit rates and scores of one coder on one set, its delay of `late` samples taken out."""
    size = payload = seconds = 0.0
    rows = []
    wavs = references(work, name, paths)
    for wav, (decoded, whole, inside) in zip(wavs, code(wavs, _folder(work, name, coder)), strict=True):
        first = read(wav)
        rows.append(scores.of(first, aligned(first, read(decoded), late)))
        size, seconds = size + whole, seconds + len(first) / RATE
        payload = payload + inside if inside is not None else math.nan
    row: Row = {"files": len(rows), "seconds": round(seconds, 2), "kbps": round(size / seconds / 125, 3)}
    if not math.isnan(payload):
        row["packets"] = round(payload / seconds / 125, 3)
    return row | {"delay": late} | summary(rows)


def calibrated(work: Path, corpora: Path, coder: str, code: Coder) -> tuple[int, str]:
    """The coder's delay in samples on validation files, and what told it."""
    pairs = []
    for name, (_, files) in SETS.items():
        name = f"{name}-validation"
        wavs = references(work, name, files(corpora, 1)[:CALIBRATION])
        decoded = code(wavs, _folder(work, name, coder))
        pairs += [(read(wav), read(path)) for wav, (path, _, _) in zip(wavs, decoded, strict=True)]
    return delay(pairs)


def keep(name: str, coder: str, row: Row, order: Iterable[str]) -> None:
    """Put a row into the results, coders in their order."""
    results = pages.read_results(RESULTS)
    rows = results.get(name, {}) | {coder: row}
    results[name] = {coder: rows[coder] for coder in order if coder in rows}
    pages.write_results(RESULTS, results)
