#!/usr/bin/env python3
"""The lossless codec's bits per sample on the corpora's test files, written into docs/benchmarks/codec.md.

    python benchmarks/codec_bits.py CORPORA [SET ...] [--levels L,...] [--rows R,...] [--write]

Every file is made into a WAV of its own, compressed, decompressed and compared: 8 x bytes of the .syn files / samples,
beside the bars that the codec was begun with. --write keeps the figures in results/codec-bits.json and puts the table
into the page; rows that were not measured now stay as they are.
"""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import soundfile

import pages
import splits
from synth.codec import decoder, encoder, network_choice, sources
from synth.codec.decoder import Decoder
from synth.common.cpus import available_cpus
from synth.common.limits import LEVELS

RESULTS = "codec-bits.json"
ROWS = ("none", "auto", "mulaw none", "mulaw auto")


def fsdd(corpora: Path, nicolas: bool) -> list[Path]:
    """Test recordings of nicolas, whose files are much quieter than the others', or of the other five."""
    return [path for path in splits.fsdd(corpora, range(5)) if (path.stem.split("_")[1] == "nicolas") == nicolas]


SETS: dict[str, tuple[str, Callable[[Path], list[Path]]]] = {
    "fsdd": ("fsdd-8k without nicolas, 250 files", lambda c: fsdd(c, False)),
    "nicolas": ("fsdd-8k, nicolas alone, 50 files", lambda c: fsdd(c, True)),
    "kathleen": ("kathleen-arctic-16k, 46 files", lambda c: splits.kathleen(c, 0)),
    "picovoice": (
        "picovoice-multispeaker-16k, 17 files",
        lambda c: splits.every(c, "picovoice-multispeaker-16k", 10),
    ),
    "piano": ("piano-headroom-giantmidi-16k, 3 files", lambda c: splits.every(c, "piano-headroom-giantmidi-16k", 10)),
    "maad": ("maad-soundscape-22k, files 1, 7, 13, ...", lambda c: splits.every(c, "maad-soundscape-22k", 6)),
    "sonic-pi": ("sonic-pi-samples-44k, files 1, 5, 9, ...", lambda c: splits.every(c, "sonic-pi-samples-44k", 4)),
    "opensfx": ("opensfx-44k, files 1, 4, 7, ...", lambda c: splits.every(c, "opensfx-44k", 3)),
    "kathleen-48k": (
        "kathleen-arctic-48k, files 1, 7, 13, ...",
        lambda c: splits.every(c, "kathleen-arctic-48k", 6),
    ),
}
"""Of each set its heading and its files."""
OTHERS = {
    "fsdd": (9.711, 9.213, 9.279, 9.159),
    "nicolas": (3.261, 3.251, 3.721, 3.665),
    "kathleen": (8.250, 7.889, 7.413, 7.375),
    "picovoice": (9.030, 8.545, 7.915, 7.754),
    "piano": (6.960, 6.868, 5.130, 4.998),
    "maad": (6.249, 6.236, 6.008, None),
    "sonic-pi": (6.847, 6.853, 6.317, None),
    "opensfx": (7.272, 7.229, 6.762, None),
    "kathleen-48k": (7.353, 7.253, 6.901, None),
}
"""Bits per sample of flac -8, wavpack -hhx6, sac and sac --high, run once."""
BARS = {
    ("fsdd", "none"): (8.57, 8.47, 8.46),
    ("fsdd", "auto"): (None, 8.35, 8.30),
    ("nicolas", "auto"): (3.10, 2.85, 2.85),
    ("kathleen", "none"): (7.40, 7.31, 7.30),
    ("kathleen", "auto"): (None, 7.26, 7.24),
    ("picovoice", "auto"): (7.85, 7.70, 7.68),
    ("piano", "auto"): (5.22, 5.03, 4.91),
    ("maad", "auto"): (6.02, 5.98, 5.97),
    ("sonic-pi", "auto"): (6.36, 6.26, 6.23),
    ("opensfx", "auto"): (6.78, 6.71, 6.69),
    ("kathleen-48k", "auto"): (6.90, 6.86, 6.85),
    ("fsdd", "mulaw none"): (None, 4.18, None),
    ("fsdd", "mulaw auto"): (None, 4.08, None),
    ("kathleen", "mulaw none"): (None, 3.30, None),
    ("kathleen", "mulaw auto"): (None, 3.26, None),
}
"""The table's rows, a set and a coding each, and the bars of fast, balanced and max."""


def round_trip(path: Path, level: str, coding: str) -> tuple[int, int, float, float, str]:
    """Bytes, samples, seconds of the processor for both ways, and the network that was chosen."""
    wave, rate = soundfile.read(path, dtype="int16", always_2d=True)
    file, out, back = io.BytesIO(), io.BytesIO(), io.BytesIO()
    soundfile.write(file, wave, rate, "PCM_16", format="WAV")
    mode, network = ("mulaw", coding.split()[1]) if coding.startswith("mulaw") else ("lossless", coding)
    file.seek(0)
    begin = time.thread_time()
    sound = sources.open_sound(file, path.name, len(file.getvalue()))
    done = encoder.compress_stream(sound, out.write, effort=level, mode=mode, network=network, suffix=".wav")
    middle = time.thread_time()
    out.seek(0)
    decoder.decompress_stream(Decoder(out, path.name), back.write)
    end = time.thread_time()
    if mode == "lossless" and back.getvalue() != file.getvalue():
        raise SystemExit(f"{path}: other bytes came back")
    return done.bytes_out, wave.size, middle - begin, end - middle, network_choice.describe(done.header.checkpoint)


def measure(paths: list[Path], level: str, coding: str, threads: int) -> dict[str, Any]:
    """Bits per sample over all files, samples a second of a processor's time, and how often each network was chosen."""
    with ThreadPoolExecutor(threads) as pool:
        trips = list(pool.map(lambda path: round_trip(path, level, coding), paths))
    sizes, samples, encoding, decoding, names = zip(*trips, strict=True)
    return {
        "bits": round(8 * sum(sizes) / sum(samples), 4),
        "encoded": round(sum(samples) / sum(encoding)),
        "decoded": round(sum(samples) / sum(decoding)),
        "chosen": {name: names.count(name) for name in sorted(set(names))},
    }


def wanted(name: str, coding: str, level: str) -> bool:
    """Whether the table has such a figure."""
    if coding.startswith("mulaw"):
        return level == "balanced"
    return not (coding == "auto" and level == "fast" and (name, "none") in BARS)  # no network is used at fast


def table(results: dict[str, Any]) -> list[str]:
    """The table of all figures that are known."""
    heads = ["set", "coding", "flac -8", "wavpack -hhx6", "sac", "sac --high", *LEVELS, "networks, balanced"]
    rows = []
    for (name, coding), bars in BARS.items():
        mulaw = coding.startswith("mulaw")
        cells = [SETS[name][0], coding if mulaw else f"`-c {coding}`"]
        cells += ["-" if bits is None or mulaw else f"{bits:.3f}" for bits in OTHERS[name]]
        for level, bar in zip(LEVELS, bars, strict=True):
            figure = results.get(f"{name} {coding} {level}")
            cells.append("-" if not figure else f"{figure['bits']:.3f}" + (f" ({bar:.2f})" if bar else ""))
        chosen = results.get(f"{name} {coding} balanced", {}).get("chosen", {})
        rows.append([*cells, ", ".join(f"{key} {count}" for key, count in chosen.items()) or "-"])
    return pages.table(heads, rows)


def main() -> None:
    parser = pages.parser(__doc__)
    parser.add_argument("corpora", type=Path, metavar="CORPORA")
    parser.add_argument("names", nargs="*", metavar="SET", help=", ".join(SETS))
    parser.add_argument("--levels", default=",".join(LEVELS), help="(default: %(default)s)")
    parser.add_argument("--rows", default=",".join(ROWS), help="(default: %(default)s)")
    parser.add_argument("--threads", type=int, default=available_cpus())
    parser.add_argument("--write", action="store_true", help="keep the figures and write the page")
    options = parser.parse_args()
    results = pages.read_results(RESULTS)
    for name, coding in BARS:
        if (options.names and name not in options.names) or coding not in options.rows.split(","):
            continue
        paths = SETS[name][1](options.corpora)
        for level in [level for level in options.levels.split(",") if wanted(name, coding, level)]:
            key = f"{name} {coding} {level}"
            results[key] = measure(paths, level, coding, options.threads)
            print(key, results[key], flush=True)
            if options.write:
                pages.write_results(RESULTS, results)
    if options.write:
        pages.write_section("codec", "codec", table(results))


if __name__ == "__main__":
    main()
