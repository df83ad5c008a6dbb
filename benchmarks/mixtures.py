"""Mixtures of sounds of several kinds, for recognisers that tell which of them are in a file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soundfile
import soxr

import splits
from synth.common.typing import Float64

RATE, SECONDS, COUNT = 16000, 2, 700
CORPORA = {
    "speech": "kathleen-arctic-16k",
    "digits": "fsdd-8k",
    "piano": "piano-headroom-giantmidi-16k",
    "drums": "sonic-pi-samples-44k",
    "outdoors": "maad-soundscape-22k",
}
"""The kinds, and where sounds of each come from."""


def pool(corpora: Path, kind: str) -> list[Path]:
    """All sounds of a kind."""
    paths = splits.flacs(corpora / CORPORA[kind])
    return [path for path in paths if path.stem.startswith(("drum_", "tabla"))] if kind == "drums" else paths


def share_of(paths: Sequence[Path], split: str) -> Sequence[Path]:
    """The sounds of a pool that a split may use: none is in two."""
    shares = {"test": paths[::7], "validation": paths[1::7]}
    return shares.get(split) or [path for place, path in enumerate(paths) if place % 7 > 1]


def write(corpora: Path, folder: Path) -> tuple[Path, Path]:
    """Sounds of one to three of five kinds, two seconds each; returns a CSV of their tags and one of their splits.

    What is there already is not made again.
    """
    tags, split_of = folder / "tags.csv", folder.with_name(f"{folder.name}-split.csv")
    if tags.exists() and split_of.exists():
        return tags, split_of
    draw, pools, kinds = np.random.default_rng(0), {kind: pool(corpora, kind) for kind in CORPORA}, list(CORPORA)
    folder.mkdir(parents=True, exist_ok=True)
    lines, rows = ["file,kinds"], []
    for number in range(COUNT):
        split = "test" if number % 7 == 0 else "validation" if number % 7 == 1 else "train"
        chosen = draw.permutation(len(kinds))[: int(draw.integers(1, 4))]
        mix = np.zeros(SECONDS * RATE)
        for kind in chosen:
            paths = share_of(pools[kinds[kind]], split)
            mix += cut(draw, paths[int(draw.integers(len(paths)))])
        name = f"{split}_{number}.wav"
        soundfile.write(folder / name, np.clip(mix, -1, 1), RATE, subtype="PCM_16")
        lines.append(f"{name},{';'.join(kinds[kind] for kind in sorted(chosen))}")
        rows.append(f"{name},{split}\n")
    split_of.write_text("".join(rows))
    tags.write_text("\n".join(lines) + "\n")
    return tags, split_of


def cut(draw: np.random.Generator, path: Path) -> Float64:
    """A stretch of a file as long as a mixture, at a loudness of -26 dBFS, 6 dB more or less."""
    count = SECONDS * RATE
    with soundfile.SoundFile(path) as file:
        file.seek(int(draw.integers(0, max(0, file.frames - 3 * file.samplerate), endpoint=True)))
        wave = file.read(3 * file.samplerate, always_2d=True).mean(axis=1)
        wave = soxr.resample(wave, file.samplerate, RATE)[:count]
    wave = np.pad(wave, (int(draw.integers(0, count - len(wave), endpoint=True)), 0))
    rms = np.sqrt(np.mean(wave**2)) + 1e-6
    scaled: Float64 = np.pad(wave, (0, count - len(wave))) * 10 ** (draw.uniform(-32, -20) / 20) / rms
    return scaled
