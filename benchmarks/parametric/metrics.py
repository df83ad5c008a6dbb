"""What sounds are compared by: PESQ, STOI, ViSQOL, WARP-Q, each of a package of its own, and their means."""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import sys
from collections.abc import Callable
from functools import cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from parametric.files import RATE, Wave
from synth.common.typing import Float64

Floats = Float64


def print_error(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


@cache
def visqol() -> Any:
    from visqol import VisqolApi

    api = VisqolApi()
    api.create(mode="speech", use_lattice_model=True)
    return api


@cache
def warpq() -> Any:
    if not hasattr(np.lib, "pad"):  # pyvad is older than NumPy 2
        vars(np.lib)["pad"] = np.pad
    from warpq.core import warpqMetric

    return warpqMetric(n_jobs=1)


def of_pesq(first: Floats, second: Floats) -> float:
    import pesq

    try:
        return float(pesq.pesq(RATE, first, second, "wb"))
    except (pesq.NoUtterancesError, pesq.BufferTooShortError):
        return math.nan


def of_stoi(first: Floats, second: Floats) -> float:
    from pystoi import stoi

    return float(stoi(first, second, RATE))


def of_visqol(first: Floats, second: Floats) -> float:
    return float(visqol().measure_from_arrays(first, second, RATE).moslqo)


def of_warpq(first: Floats, second: Floats) -> float:
    return float(warpq().evaluate(first, second, arr_sr=RATE)["raw_warpq_score"])


class Metric(NamedTuple):
    """Heading, the packages that it needs (module, distribution), how it compares two sounds at 16 kHz, decimals."""

    heading: str
    packages: tuple[tuple[str, str], ...]
    compare: Callable[[Floats, Floats], float]
    digits: int


METRICS = {
    "pesq": Metric("PESQ-WB", (("pesq", "pesq"),), of_pesq, 2),
    "stoi": Metric("STOI", (("pystoi", "pystoi"),), of_stoi, 3),
    "visqol": Metric("ViSQOL", (("visqol", "visqol-python"), ("ai_edge_litert", "ai-edge-litert")), of_visqol, 2),
    "warpq": Metric("WARP-Q", (("warpq", "warpq"),), of_warpq, 2),
}


def installed() -> list[str]:
    """The metrics whose packages are here; says which are missing, and ends where nothing can be measured without."""
    if not find_spec("scipy"):
        raise SystemExit(f"{sys.executable} lacks scipy: pip install scipy")
    usable = []
    for key, metric in METRICS.items():
        missing = [package for module, package in metric.packages if not find_spec(module)]
        if missing:
            hint = f"{sys.executable} lacks {', '.join(missing)}: pip install {' '.join(missing)}"
            print_error(f"no {metric.heading}: {hint}")
        else:
            usable.append(key)
    return usable


class Scores:
    """Metrics of pairs of samples, each taken once; their key is a digest of the samples."""

    def __init__(self, path: Path | None, metrics: list[str]) -> None:
        self.path, self.known = path, dict[str, float]()
        self.metrics = {key: f"{key} {version(METRICS[key].packages[0][1])}" for key in metrics}
        if path is not None and path.exists():
            for line in path.read_text().splitlines():
                with contextlib.suppress(ValueError):  # a line that was not finished
                    key, value = json.loads(line)
                    self.known[key] = value

    def of(self, first: Wave, second: Wave) -> dict[str, float]:
        digest = hashlib.sha256(first.tobytes() + b"/" + second.tobytes()).hexdigest()[:32]
        scores = {}
        for key, name in self.metrics.items():
            place = f"{digest} {name}"
            if place not in self.known:
                self.known[place] = METRICS[key].compare(first / 32768, second / 32768)
                if self.path is not None:
                    with self.path.open("a") as file:
                        file.write(json.dumps([place, self.known[place]]) + "\n")
            scores[key] = self.known[place]
        return scores


def summary(rows: list[dict[str, float]]) -> dict[str, list[float]]:
    """Mean over files, half of its 95 % interval (Student's), and files, where a metric had something to hear."""
    from scipy import stats

    means = {}
    for key in rows[0] if rows else ():
        values = np.array([row[key] for row in rows if not math.isnan(row[key])])
        half = math.nan
        if len(values) > 1:
            half = float(stats.t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / math.sqrt(len(values)))
        means[key] = [round(float(values.mean()) if len(values) else math.nan, 4), round(half, 4), len(values)]
    return means
