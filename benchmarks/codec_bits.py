#!/usr/bin/env python3
"""The codec's bits per sample on the corpora's test files: .ci/codec-bits CORPORA [SET ...] [--write].

Every file is made into a WAV of its own, compressed, decompressed, compared. 8 x bytes of the .syn files / samples,
beside the bars that the codec was begun with. --write puts the table into BENCHMARKS.md, rows that were not measured now
staying as they are; --levels and --rows (auto, none, mulaw) choose.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import soundfile

from synth.codec import sources, encoder, decoder, network_choice
from synth.codec.lossless import LEVELS
from synth.codec.decoder import Unpacker

HERE = Path(__file__).resolve().parent
RESULTS, PAGE = HERE / "codec-bits.json", HERE.parent / "BENCHMARKS.md"
MARKS = "<!-- codec -->", "<!-- /codec -->"


def fsdd(folder: Path, nicolas: bool) -> list[Path]:
    names = [(path.stem.split("_"), path) for path in sorted(folder.glob("*.flac"))]
    return [path for (_, speaker, take), path in names if int(take) < 5 and (speaker == "nicolas") == nicolas]


def kathleen(folder: Path) -> list[Path]:
    files = sorted(folder.glob("*.flac"))
    prompts = sorted({path.stem.rpartition("_")[0] for path in files})[::20]
    return [path for path in files if path.stem.rpartition("_")[0] in prompts]


def every(step: int, folder: Path) -> list[Path]:
    return sorted(folder.glob("*.flac"), key=lambda path: path.name)[::step]


SETS = {
    "fsdd": lambda c: fsdd(c / "fsdd-8k", False),
    "nicolas": lambda c: fsdd(c / "fsdd-8k", True),
    "kathleen": lambda c: kathleen(c / "kathleen-arctic-16k"),
    "picovoice": lambda c: every(10, c / "picovoice-multispeaker-16k"),
    "piano": lambda c: every(10, c / "piano-headroom-giantmidi-16k"),
    "maad": lambda c: every(6, c / "maad-soundscape-22k"),
    "sonic-pi": lambda c: every(4, c / "sonic-pi-samples-44k"),
    "opensfx": lambda c: every(3, c / "opensfx-44k"),
    "kathleen-48k": lambda c: every(6, c / "kathleen-arctic-48k"),
}


NAMES = {
    "fsdd": "fsdd-8k without nicolas, 250 files",
    "nicolas": "fsdd-8k, nicolas alone, 50 files",
    "kathleen": "kathleen-arctic-16k, 46 files",
    "picovoice": "picovoice-multispeaker-16k, 17 files",
    "piano": "piano-headroom-giantmidi-16k, 3 files",
    "maad": "maad-soundscape-22k, files 1, 7, 13, ...",
    "sonic-pi": "sonic-pi-samples-44k, files 1, 5, 9, ...",
    "opensfx": "opensfx-44k, files 1, 4, 7, ...",
    "kathleen-48k": "kathleen-arctic-48k, files 1, 7, 13, ...",
}
# bits of flac -8, wavpack -hhx6, sac, sac --high; then the bars of fast, balanced, max
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


def round_trip(path: Path, level: str, row: str) -> tuple[int, int, float, float, str]:
    """Bytes, samples, seconds of the processor for both ways, and the network that was chosen."""
    wave, rate = soundfile.read(path, dtype="int16", always_2d=True)
    file = io.BytesIO()
    soundfile.write(file, wave, rate, "PCM_16", format="WAV")
    mode, network = ("mulaw", row.split()[1]) if row.startswith("mulaw") else ("lossless", row)
    file.seek(0)
    out = io.BytesIO()
    begin = time.thread_time()
    sound = sources.open_sound(file, path.name, len(file.getvalue()))
    done = encoder.compress_stream(sound, out.write, level=level, mode=mode, network=network, suffix=".wav")
    middle = time.thread_time()
    out.seek(0)
    back = io.BytesIO()
    decoder.decompress_stream(Unpacker(out, path.name), back.write)
    end = time.thread_time()
    if mode == "lossless" and back.getvalue() != file.getvalue():
        raise SystemExit(f"{path}: other bytes came back")
    return done.bytes_out, wave.size, middle - begin, end - middle, network_choice.describe(done.header.checkpoint)


def measure(files: list[Path], level: str, row: str, threads: int) -> dict[str, object]:
    with ThreadPoolExecutor(threads) as pool:
        results = list(pool.map(lambda path: round_trip(path, level, row), files))
    sizes, samples, encoding, decoding, names = zip(*results, strict=True)
    chosen = {name: names.count(name) for name in sorted(set(names))}
    return {
        "bits": round(8 * sum(sizes) / sum(samples), 4),
        "encoded": round(sum(samples) / sum(encoding)),
        "decoded": round(sum(samples) / sum(decoding)),
        "chosen": chosen,
    }


def table(results: dict[str, dict[str, object]]) -> list[str]:
    lines = [
        "| set | coding | flac -8 | wavpack -hhx6 | sac | sac --high | fast | balanced | max | networks, balanced |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for (name, row), bars in BARS.items():
        cells = [NAMES[name], row if row.startswith("mulaw") else f"`-c {row}`"]
        others = OTHERS[name] if not row.startswith("mulaw") else (None,) * 4
        cells += ["-" if bits is None else f"{bits:.3f}" for bits in others]
        for level, bar in zip(LEVELS, bars, strict=True):
            found = results.get(f"{name} {row} {level}")
            cells.append("-" if not found else f"{found['bits']:.3f}" + (f" ({bar:.2f})" if bar else ""))
        chosen = results.get(f"{name} {row} balanced", {}).get("chosen", {})
        assert isinstance(chosen, dict)
        cells.append(", ".join(f"{key} {count}" for key, count in chosen.items()) or "-")
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("corpora", type=Path)
    parser.add_argument("names", nargs="*", metavar="SET", help=", ".join(SETS))
    parser.add_argument("--levels", default=",".join(LEVELS))
    parser.add_argument("--rows", default="none,auto,mulaw none,mulaw auto")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    for name, row in BARS:
        if (options.names and name not in options.names) or row not in options.rows.split(","):
            continue
        for level in options.levels.split(","):
            if row == "auto" and level == "fast" and (name, "none") in BARS:
                continue  # no network listens there
            if row.startswith("mulaw") and level != "balanced":
                continue
            key = f"{name} {row} {level}"
            results[key] = measure(SETS[name](options.corpora), level, row, options.threads)
            print(key, results[key], flush=True)
            if options.write:
                RESULTS.write_text(json.dumps(results, indent=1) + "\n")
    if options.write:
        before, _, rest = PAGE.read_text().partition(MARKS[0])
        after = rest.partition(MARKS[1])[2]
        PAGE.write_text("\n".join([before + MARKS[0], *table(results), MARKS[1] + after]))


if __name__ == "__main__":
    main()
