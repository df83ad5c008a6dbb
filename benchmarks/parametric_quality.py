#!/usr/bin/env python3
"""Compares speech codecs at low bit rates and writes the table into BENCHMARKS.md: `.ci/parametric CORPORA`.

    .ci/parametric CORPORA [--work FOLDER] [--table] [--only NAME ...] [--set NAME ...] [--files N]
    .ci/parametric CORPORA --clips FOLDER     the same for any folder of speech: printed, nothing written
    .ci/parametric --pairs REF DEG [--align]  means of two folders of equally named sound files: printed

Test splits of kathleen-arctic-16k, picovoice-multispeaker-16k and fsdd-8k (speakers whom `speech` never heard); codec2, Opus (`c2enc`, `opusenc` and their decoders:
Debian's codec2 and opus-tools) and `synth compress --mode parametric` of the interpreter `--python`, skipped with the
reason where it refuses. Whole files count. A coder's constant delay is measured on validation files and taken out.

The metrics run in the Python that this is called with, best one of their own (the project does not depend on them):
    python3 -m venv VENV
    VENV/bin/pip install pesq pystoi visqol-python ai-edge-litert warpq soundfile soxr matplotlib
What other coders made and all scores stay in FOLDER; results stay in parametric.json, so that `--table` can write the
table and the plot again, and rows that were not measured now stay as they are.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import math
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable
from functools import cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"):  # before they are imported
    os.environ.setdefault(_name, "1")

HERE = Path(__file__).resolve().parent
RESULTS, PAGE, PICTURE = HERE / "parametric.json", HERE.parent / "BENCHMARKS.md", HERE.parent / "samples/parametric.png"
START, END = "<!-- parametric -->", "<!-- /parametric -->"
RATE = 16000
FARTHEST = RATE // 10  # delays are looked for up to this
CALIBRATION = 8  # validation files of each set for that


# ---- files


def kathleen(folder: Path, part: int) -> list[Path]:
    files = sorted(folder.glob("*.flac"))
    prompts = sorted({path.stem.rpartition("_")[0] for path in files})[part::20]
    return [path for path in files if path.stem.rpartition("_")[0] in prompts]


def unheard(corpora: Path, part: int) -> list[Path]:
    """Two times ten digits of each speaker of fsdd-8k, one after the other, brought to 16 kHz."""
    import numpy as np
    import soundfile
    import soxr

    folder, found = HERE.parent / "build" / "unheard", []
    folder.mkdir(parents=True, exist_ok=True)
    for speaker in ("george", "jackson", "lucas", "nicolas", "theo", "yweweler"):
        for take in ((0, 1), (5, 6))[part]:
            found.append(folder / f"{speaker}-{take}.wav")
            if not found[-1].exists():
                words = [soundfile.read(corpora / f"fsdd-8k/{digit}_{speaker}_{take}.flac")[0] for digit in range(10)]
                whole = np.concatenate([np.pad(word, (0, 800)) for word in words])
                wide = soxr.resample(whole, 8000, RATE)
                write(found[-1], np.clip(np.rint(wide * 32768), -32768, 32767).astype(np.int16))
    return found


SETS: dict[str, Callable[[Path, int], list[Path]]] = {  # part 0 is test, 1 validation
    "kathleen": lambda c, part: kathleen(c / "kathleen-arctic-16k", part),
    "picovoice": lambda c, part: sorted((c / "picovoice-multispeaker-16k").glob("*.flac"))[part::10],
    "unheard": unheard,
}
NAMES = {
    "kathleen": "kathleen-arctic-16k, test: one speaker",
    "picovoice": "picovoice-multispeaker-16k, test: many speakers, short commands",
    "unheard": "fsdd-8k, test takes: six speakers whom `speech` never heard, 8 kHz brought to 16",
}
AUDIO = {".wav", ".flac", ".aiff", ".aif", ".ogg"}


def read(path: Path) -> Any:
    """16-bit samples of a file, mono, at 16 kHz."""
    import numpy as np
    import soundfile
    import soxr

    wave, rate = soundfile.read(path, dtype="int16", always_2d=True)
    if wave.shape[1] == 1 and rate == RATE:
        return wave[:, 0]
    mixed = soxr.resample(wave.mean(axis=1) / 32768, rate, RATE)
    return np.clip(np.rint(mixed * 32768), -32768, 32767).astype(np.int16)


def write(path: Path, wave: Any, rate: int = RATE) -> None:
    """A WAV that is there whole or not at all."""
    import soundfile

    part = path.with_name(path.name + ".part")
    soundfile.write(part, wave, rate, "PCM_16", format="WAV")
    part.replace(path)


def references(work: Path, name: str, files: list[Path]) -> list[Path]:
    folder = work / name / "reference"
    folder.mkdir(parents=True, exist_ok=True)
    found = []
    for path in files:
        found.append(folder / f"{path.stem}.wav")
        if not found[-1].exists():
            write(found[-1], read(path))
    return found


# ---- coders: WAVs into a folder, bytes of the coded file and of its packets alone


class Refused(Exception):
    """A coder is not there, or will not do it; the reason."""


def run(*command: object, **more: Any) -> None:
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, **more)
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        raise Refused(lines[-1])


def wanted(*programs: str) -> None:
    if missing := [name for name in programs if not shutil.which(name)]:
        raise Refused(f"not installed: {', '.join(missing)}")


def codec2(mode: str, files: list[Path], folder: Path) -> Iterable[tuple[Path, int, int]]:
    """At 8 kHz; the bare stream of bits is counted. What is coded ends with silence, for whole frames and the delay."""
    import numpy as np
    import soxr

    wanted("c2enc", "c2dec")
    for path in files:
        out, bits = folder / path.name, folder / f"{path.stem}.bit"
        if not out.exists():
            low = np.clip(np.rint(soxr.resample(read(path) / 32768, RATE, 8000) * 32768), -32768, 32767)
            raw = folder / f"{path.stem}.raw"
            raw.write_bytes(np.pad(low, (0, -len(low) % 320 + 320)).astype("<i2").tobytes())
            run("c2enc", mode, raw, bits)
            run("c2dec", mode, bits, raw)
            high = soxr.resample(np.frombuffer(raw.read_bytes(), "<i2") / 32768, 8000, RATE)
            write(out, np.clip(np.rint(high * 32768), -32768, 32767).astype(np.int16))
            raw.unlink()
        size = bits.stat().st_size - 40 * int(mode) // 8000  # 40 ms of silence, which a stream does not need
        yield out, size, size


def opus(rate: str, files: list[Path], folder: Path) -> Iterable[tuple[Path, int, int]]:
    """opusenc's defaults, but no comments and no 512 bytes kept for later ones; opusdec takes the pre-skip out."""
    wanted("opusenc", "opusdec")
    for path in files:
        out, coded = folder / path.name, folder / f"{path.stem}.opus"
        if not out.exists():
            part = folder / f"part-{os.getpid()}.wav"
            run("opusenc", "--quiet", "--bitrate", rate, "--discard-comments", "--padding", 0, path, coded)
            run("opusdec", "--quiet", "--rate", RATE, "--no-dither", coded, part)
            part.replace(out)
        yield out, coded.stat().st_size, packets(coded.read_bytes())


def packets(data: bytes) -> int:
    """Bytes of an Ogg stream's packets after the two of its head."""
    at, sizes, going = 0, [], 0
    while at < len(data):
        count = data[at + 26]
        table = data[at + 27 : at + 27 + count]
        for lacing in table:
            going += lacing
            if lacing < 255:
                sizes.append(going)
                going = 0
        at += 27 + count + sum(table)
    return sum(sizes[2:])


def ours(rate: str, files: list[Path], folder: Path, python: str, checkpoint: str) -> Iterable[tuple[Path, int, None]]:
    """Always anew: the checkpoint may be another one."""
    for old in [*folder.glob("*.syn"), *folder.glob("*.wav")]:
        old.unlink()
    compress = (python, "-m", "synth", "compress", "--mode", "parametric", "--bitrate", rate, "-c", checkpoint)
    # a checkpoint that is a file has to be named to the decoder as well
    named = ("-c", checkpoint) if Path(checkpoint).suffix else ()
    for many in (files[:1], files[1:]):  # one first: where the command refuses, it does so soon
        if many:
            coded = [folder / f"{path.stem}.syn" for path in many]
            target = folder if len(many) > 1 else coded[0]
            run(*compress, "-q", "-f", "-o", target, *many)
            back = folder if len(many) > 1 else folder / many[0].name
            run(python, "-m", "synth", "decompress", *named, "-q", "-f", "-o", back, *coded)
    for path in files:
        yield folder / path.name, (folder / f"{path.stem}.syn").stat().st_size, None


def coders(python: str, checkpoint: str) -> dict[str, Callable[[list[Path], Path], Iterable[tuple[Path, int, Any]]]]:
    found: dict[str, Any] = {}
    for rate in ("0.8k", "1.6k", "3.2k", "6.4k"):
        found[f"synth {rate}"] = lambda files, folder, rate=rate: ours(rate, files, folder, python, checkpoint)
    for mode in ("1600", "3200"):
        found[f"codec2 {mode}"] = lambda files, folder, mode=mode: codec2(mode, files, folder)
    for rate in ("6", "9", "12"):
        found[f"Opus {rate}k"] = lambda files, folder, rate=rate: opus(rate, files, folder)
    return found


# ---- time


def envelopes(wave: Any) -> Any:
    """Loudness over time in eight bands of what a telephone passes, each of mean 0 and length 1."""
    import numpy as np
    from scipy import signal

    edges = np.geomspace(150, 3600, 9)
    rows = []
    for low, high in zip(edges, edges[1:], strict=False):
        band = np.abs(signal.sosfilt(signal.butter(2, (low, high), "band", fs=RATE, output="sos"), wave))
        row = np.log(signal.sosfilt(signal.butter(2, 50, fs=RATE, output="sos"), band).clip(0) + 10)
        rows.append((row - row.mean()) / (np.linalg.norm(row - row.mean()) + 1e-9))
    return np.stack(rows)


def delay(pairs: list[tuple[Any, Any]]) -> tuple[int, str]:
    """Samples that the second of each pair is late, and how it was seen: by the waveform if that is kept, or loudness.

    The waveform has to correlate by 0.5 within 2 ms of where loudness does; a vocoder's phases are its own.
    """
    import numpy as np
    from scipy import signal

    loudness, waves = np.zeros(2 * FARTHEST + 1), np.zeros(2 * FARTHEST + 1)
    for first, second in pairs:
        length = min(len(first), len(second))
        one, two = (np.pad(x[:length].astype(float), FARTHEST) for x in (first, second))
        middle = slice(len(one) - 1 - FARTHEST, len(one) + FARTHEST)
        for a, b in zip(envelopes(one), envelopes(two), strict=True):
            loudness += signal.correlate(b, a, method="fft")[middle] / 8 / len(pairs)
        scale = np.linalg.norm(one) * np.linalg.norm(two) + 1e-9
        waves += signal.correlate(two, one, method="fft")[middle] / scale / len(pairs)
    near = int(loudness.argmax())
    window = slice(max(0, near - RATE // 500), near + RATE // 500 + 1)
    if waves[window].max() >= 0.5:
        return window.start + int(waves[window].argmax()) - FARTHEST, "waveform"
    return near - FARTHEST, "loudness"


def aligned(first: Any, second: Any, late: int) -> Any:
    """The second, earlier by so many samples and as long as the first."""
    import numpy as np

    second = second[late:] if late >= 0 else np.pad(second, (-late, 0))
    return np.pad(second[: len(first)], (0, max(0, len(first) - len(second))))


# ---- metrics


@cache
def visqol() -> Any:
    from visqol import VisqolApi

    api = VisqolApi()
    api.create(mode="speech", use_lattice_model=True)
    return api


@cache
def warpq() -> Any:
    import numpy as np

    if not hasattr(np.lib, "pad"):  # pyvad is older than NumPy 2
        np.lib.pad = np.pad  # type: ignore[attr-defined]
    from warpq.core import warpqMetric

    return warpqMetric(n_jobs=1)


def of_pesq(first: Any, second: Any) -> float:
    import pesq

    try:
        return float(pesq.pesq(RATE, first, second, "wb"))
    except (pesq.NoUtterancesError, pesq.BufferTooShortError):
        return math.nan


def of_stoi(first: Any, second: Any) -> float:
    from pystoi import stoi

    return float(stoi(first, second, RATE))


def of_visqol(first: Any, second: Any) -> float:
    return float(visqol().measure_from_arrays(first, second, RATE).moslqo)


def of_warpq(first: Any, second: Any) -> float:
    return float(warpq().evaluate(first, second, arr_sr=RATE)["raw_warpq_score"])


# key: heading, packages (module, distribution), the function, decimals
METRICS: dict[str, tuple[str, tuple[tuple[str, str], ...], Callable[[Any, Any], float], int]] = {
    "pesq": ("PESQ-WB", (("pesq", "pesq"),), of_pesq, 2),
    "stoi": ("STOI", (("pystoi", "pystoi"),), of_stoi, 3),
    "visqol": ("ViSQOL", (("visqol", "visqol-python"), ("ai_edge_litert", "ai-edge-litert")), of_visqol, 2),
    "warpq": ("WARP-Q", (("warpq", "warpq"),), of_warpq, 2),
}


def usable() -> list[str]:
    """The metrics whose packages are here; those that are missing are said, or nothing goes without."""
    every = (("numpy", "numpy"), ("scipy", "scipy"), ("soundfile", "soundfile"), ("soxr", "soxr"))
    if missing := [package for module, package in every if not find_spec(module)]:
        raise SystemExit(f"{sys.executable} lacks {', '.join(missing)}: pip install {' '.join(missing)}")
    found = []
    for key, (heading, needs, _, _) in METRICS.items():
        missing = [package for module, package in needs if not find_spec(module)]
        if missing:
            say(f"no {heading}: {sys.executable} lacks {', '.join(missing)}: pip install {' '.join(missing)}")
        else:
            found.append(key)
    return found


class Scores:
    """Metrics of pairs of samples, each taken once; they are found again by the samples themselves."""

    def __init__(self, path: Path | None, metrics: list[str]) -> None:
        self.path, self.known = path, dict[str, float]()
        self.metrics = {key: f"{key} {version(METRICS[key][1][0][1])}" for key in metrics}
        if path is not None and path.exists():
            for line in path.read_text().splitlines():
                with contextlib.suppress(ValueError):  # a line that was not finished
                    key, value = json.loads(line)
                    self.known[key] = value

    def of(self, first: Any, second: Any) -> dict[str, float]:
        digest = hashlib.sha256(first.tobytes() + b"/" + second.tobytes()).hexdigest()[:32]
        found = {}
        for key, name in self.metrics.items():
            place = f"{digest} {name}"
            if place not in self.known:
                self.known[place] = METRICS[key][2](first / 32768, second / 32768)
                if self.path is not None:
                    with self.path.open("a") as file:
                        file.write(json.dumps([place, self.known[place]]) + "\n")
            found[key] = self.known[place]
        return found


def summary(rows: list[dict[str, float]]) -> dict[str, list[float]]:
    """Mean over files, half of its 95 % interval (Student's), and files, where a metric had something to hear."""
    import numpy as np
    from scipy import stats

    found = {}
    for key in rows[0] if rows else ():
        values = np.array([row[key] for row in rows if not math.isnan(row[key])])
        half = math.nan
        if len(values) > 1:
            half = float(stats.t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / math.sqrt(len(values)))
        found[key] = [round(float(values.mean()) if len(values) else math.nan, 4), round(half, 4), len(values)]
    return found


# ---- measuring


def measure(work: Path, name: str, files: list[Path], coder: str, code: Any, late: int, scores: Scores) -> Any:
    folder = work / name / coder.replace(" ", "-")
    folder.mkdir(parents=True, exist_ok=True)
    whole = inside = seconds = 0.0
    rows = []
    refs = references(work, name, files)
    for ref, (path, size, payload) in zip(refs, code(refs, folder), strict=True):
        first = read(ref)
        rows.append(scores.of(first, aligned(first, read(path), late)))
        whole, seconds = whole + size, seconds + len(first) / RATE
        inside = inside + payload if payload is not None else math.nan
    found: dict[str, Any] = {"files": len(rows), "seconds": round(seconds, 2), "kbps": round(whole / seconds / 125, 3)}
    if not math.isnan(inside):
        found["packets"] = round(inside / seconds / 125, 3)
    return found | {"delay": late} | summary(rows)


def calibrated(work: Path, corpora: Path, coder: str, code: Any) -> tuple[int, str]:
    """The coder's delay on validation files."""
    pairs = []
    for name, of in SETS.items():
        folder = work / f"{name}-validation" / coder.replace(" ", "-")
        folder.mkdir(parents=True, exist_ok=True)
        refs = references(work, f"{name}-validation", of(corpora, 1)[:CALIBRATION])
        pairs += [(read(ref), read(path)) for ref, (path, _, _) in zip(refs, code(refs, folder), strict=True)]
    return delay(pairs)


def kept(name: str, coder: str, row: dict[str, Any], order: Iterable[str]) -> dict[str, Any]:
    """All results, with this one, as they now are in the file."""
    results: dict[str, Any] = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    rows = results.get(name, {}) | {coder: row}
    results[name] = {coder: rows[coder] for coder in order if coder in rows}
    RESULTS.write_text(json.dumps(results, indent=1) + "\n")
    return results


def clips(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.iterdir()) if path.suffix.lower() in AUDIO]


def compare(first: Path, second: Path, align: bool) -> None:
    """The metrics of two folders of files with the same names."""
    scores = Scores(None, usable())
    others = {path.stem: path for path in clips(second)}
    pairs = [(read(path), read(others[path.stem])) for path in clips(first) if path.stem in others]
    if not pairs:
        raise SystemExit(f"no sound files of the same names in {first} and {second}")
    late, how = delay(pairs)
    say(f"{len(pairs)} pairs; the second is late by {1000 * late / RATE:.1f} ms ({how}), taken out: {align}")
    for key, (mean, half, count) in summary(
        [scores.of(a, aligned(a, b, late if align else 0)) for a, b in pairs]
    ).items():
        more = "" if count == len(pairs) else f", {count} files"
        print(f"{METRICS[key][0]:8} {mean:.4f} +- {half:.4f}{more}")


# ---- what is said of it


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def table(rows: dict[str, Any], order: Iterable[str]) -> list[str]:
    heads = ["coder", "kb/s", "of packets alone", *(heading for heading, *_ in METRICS.values()), "delay, ms"]
    lines = ["| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
    for coder in order:
        if coder not in rows:
            continue
        row = rows[coder]
        cells = [coder, f"{row['kbps']:.2f}", f"{row['packets']:.2f}" if "packets" in row else "-"]
        for key, (_, _, _, digits) in METRICS.items():
            if key not in row or math.isnan(row[key][0]):
                cells.append("-")
                continue
            mean, half, count = row[key]
            few = "" if count == row["files"] else f" ({count} files)"
            cells.append(f"{mean:.{digits}f} ± {half:.{digits}f}{few}")
        lines.append("| " + " | ".join([*cells, f"{1000 * row['delay'] / RATE:.1f}"]) + " |")
    return lines


def plot(results: dict[str, Any], path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    names = [name for name in SETS if results.get(name)]
    figure, axes = pyplot.subplots(len(names), len(METRICS), figsize=(13, 3.1 * len(names)), squeeze=False)
    for line, name in zip(axes, names, strict=True):
        for axis, (key, (heading, *_)) in zip(line, METRICS.items(), strict=True):
            for kind, mark in (("synth", "o-"), ("codec2", "s--"), ("Opus", "^--")):
                rows = [row for coder, row in results[name].items() if coder.split()[0] == kind and key in row]
                rows.sort(key=lambda row: row["kbps"])
                if rows:
                    means, halves = zip(*((row[key][0], row[key][1]) for row in rows), strict=True)
                    axis.errorbar([row["kbps"] for row in rows], means, halves, fmt=mark, ms=4, capsize=2, label=kind)
            axis.set_xscale("log", base=2)
            axis.set_xticks([1, 2, 4, 8, 16], ["1", "2", "4", "8", "16"])
            axis.set_xlim(0.6, 18)
            axis.grid(alpha=0.3)
            axis.set_xlabel("kb/s, whole files")
            axis.set_title(f"{heading}, {name}" + (" (lower is better)" if key == "warpq" else ""), fontsize=9)
    axes[0][0].legend(fontsize=8)
    figure.tight_layout()
    figure.savefig(path, dpi=80, metadata={"Software": None})


def page(results: dict[str, Any], order: list[str], work: Path) -> None:
    """The section of BENCHMARKS.md, and the plot: beside the other pictures once there are points of ours."""
    own = any(coder.startswith("synth") for name in SETS for coder in results.get(name, {}))
    picture = PICTURE if own else work / PICTURE.name
    plot(results, picture)
    text = [
        "## Speech at low bit rates",
        "",
        "Written by `.ci/parametric CORPORA`. Means over test files and their 95 % intervals (Student's, over",
        "files); kb/s are 8 x bytes of the whole files / seconds, then the same of the packets alone. PESQ-WB, STOI",
        "and ViSQOL (speech mode, lattice model) are against the 16 kHz recording, higher is better; WARP-Q is its",
        "raw score, lower is better. codec2 (1.0.5) works at 8 kHz, soxr resamples its input and output, and its",
        "stream has no container. Opus is opusenc 0.2 with libopus 1.3.1, variable bit rate, without comments and",
        "without the 512 bytes that opusenc keeps for later ones; both are its default and 618 bytes a file more,",
        f"1.6 kb/s here. A coder's constant delay was measured on {CALIBRATION} validation files of each set, is in",
        "the table and was taken out.",
        "",
    ]
    for name in SETS:
        if rows := results.get(name):
            some = next(iter(rows.values()))
            text += [f"{NAMES[name]}, {some['files']} files, {some['seconds']:.0f} s:", "", *table(rows, order), ""]
    if own:
        text += [f"![Bit rate against four metrics](samples/{PICTURE.name})", ""]
    before, _, rest = PAGE.read_text().partition(START)
    after = rest.partition(END)[2]
    PAGE.write_text(f"{before.rstrip()}\n\n{START}\n" + "\n".join(text).rstrip() + f"\n{END}{after or chr(10)}")
    say(f"written: {PAGE}, {picture}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpora", type=Path, nargs="?")
    parser.add_argument("--work", type=Path, default=HERE.parent / "build" / "parametric")
    parser.add_argument("--table", action="store_true", help="measure nothing, write what is known")
    parser.add_argument("--only", action="append", metavar="NAME", help="coders that begin so, as 'synth' or 'Opus 6k'")
    parser.add_argument("--set", action="append", choices=SETS, help="(default: all)")
    parser.add_argument("--files", type=int, metavar="N", help="the first N of each set; printed, nothing written")
    parser.add_argument("--clips", type=Path, metavar="FOLDER", help="files of speech in place of the test splits")
    parser.add_argument("--pairs", type=Path, nargs=2, metavar=("REF", "DEG"), help="compare two folders, no coder")
    parser.add_argument("--align", action="store_true", help="of --pairs: take a constant delay out")
    parser.add_argument("--python", default=sys.executable, help="interpreter that has synth (default: this one)")
    parser.add_argument("-c", "--checkpoint", default="speech", help="of synth (default: speech)")
    given = parser.parse_args()
    if given.pairs:
        return compare(*given.pairs, given.align)
    work = given.work
    work.mkdir(parents=True, exist_ok=True)
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    every = coders(given.python, given.checkpoint)
    if given.table:
        return page(results, [*every], work)
    if given.corpora is None or not given.corpora.is_dir():
        parser.error("CORPORA: a folder with the corpora")
    metrics = usable()
    scores = Scores(work / "scores.jsonl", metrics)
    if given.clips:
        found = clips(given.clips)
        state = [(str(path.resolve()), path.stat().st_size, path.stat().st_mtime_ns) for path in found]
        sets = {"clips-" + hashlib.sha256(repr(state).encode()).hexdigest()[:12]: found}
    else:
        sets = {name: SETS[name](given.corpora, 0) for name in given.set or SETS}
    sets = {name: files[: given.files] for name, files in sets.items()}
    if empty := [name for name, files in sets.items() if not files]:
        raise SystemExit(f"no files: {', '.join(empty)}")
    keep = not given.clips and not given.files and len(metrics) == len(METRICS)
    measured: dict[str, Any] = {name: {} for name in sets}
    for coder, code in every.items():
        if given.only and not any(coder.startswith(name) for name in given.only):
            continue
        try:
            late, how = calibrated(work, given.corpora, coder, code)
            say(f"{coder}: late by {1000 * late / RATE:.1f} ms ({how})")
            for name, files in sets.items():
                row = measure(work, name, files, coder, code, late, scores)
                measured[name][coder] = row | ({"checkpoint": given.checkpoint} if coder.startswith("synth") else {})
                say(f"{coder}, {name}: {json.dumps(measured[name][coder])}")
                if keep:
                    results = kept(name, coder, measured[name][coder], every)
        except Refused as reason:
            say(f"skipped: {coder}: {reason}")
    for name, rows in measured.items():
        print(f"\n{name}, {len(sets[name])} files\n\n" + "\n".join(table(rows, every)))
    if not any(measured.values()):
        raise SystemExit("nothing was measured")
    if given.clips or given.files:
        return None
    if not keep:
        raise SystemExit("not written: some metrics are missing")
    page(results, [*every], work)
    return None


if __name__ == "__main__":
    main()
