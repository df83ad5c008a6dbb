"""The test files as every coder is given them: 16-bit WAVs at 16 kHz, mono."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import soundfile
import soxr

import pages
import splits
from synth.common.typing import AnyArray, Int16

Wave = Int16
RATE = 16000
AUDIO = {".wav", ".flac", ".aiff", ".aif", ".ogg"}


def unheard(corpora: Path, part: int) -> list[Path]:
    """Two times ten digits of each speaker of fsdd-8k, one after the other, brought to 16 kHz."""
    folder, paths = pages.BUILD / "unheard", []
    folder.mkdir(parents=True, exist_ok=True)
    for speaker in splits.SPEAKERS:
        for take in ((0, 1), (5, 6))[part]:
            paths.append(folder / f"{speaker}-{take}.wav")
            if not paths[-1].exists():
                words = [soundfile.read(corpora / f"fsdd-8k/{digit}_{speaker}_{take}.flac")[0] for digit in range(10)]
                write(paths[-1], resampled(np.concatenate([np.pad(word, (0, 800)) for word in words]), 8000, RATE))
    return paths


SETS: dict[str, tuple[str, Callable[[Path, int], list[Path]]]] = {
    "kathleen": ("kathleen-arctic-16k, test: one speaker", splits.kathleen),
    "picovoice": (
        "picovoice-multispeaker-16k, test: many speakers, short commands",
        lambda corpora, part: splits.every(corpora, "picovoice-multispeaker-16k", 10, part),
    ),
    "unheard": ("fsdd-8k, test takes: six speakers whom `speech` never heard, 8 kHz brought to 16", unheard),
}
"""Of each set its heading, and its files: part 0 is test, 1 validation."""


def resampled(wave: AnyArray, rate: int, to: int) -> Wave:
    """Samples in -1 to 1 at another rate, as int16."""
    return to_int16(soxr.resample(wave, rate, to) * 32768)


def to_int16(wave: AnyArray) -> Wave:
    """Rounded and clipped."""
    samples: Wave = np.clip(np.rint(wave), -32768, 32767).astype(np.int16)
    return samples


def read(path: Path) -> Wave:
    """16-bit samples of a file, mono, at 16 kHz."""
    wave, rate = soundfile.read(path, dtype="int16", always_2d=True)
    if wave.shape[1] == 1 and rate == RATE:
        samples: Wave = wave[:, 0]
        return samples
    return resampled(wave.mean(axis=1) / 32768, rate, RATE)


def write(path: Path, wave: Wave, rate: int = RATE) -> None:
    """A WAV that is there whole or not at all."""
    part = path.with_name(path.name + ".part")
    soundfile.write(part, wave, rate, "PCM_16", format="WAV")
    part.replace(path)


def references(work: Path, name: str, paths: list[Path]) -> list[Path]:
    """The WAVs of a set, made where they are missing."""
    folder = work / name / "reference"
    folder.mkdir(parents=True, exist_ok=True)
    wavs = [folder / f"{path.stem}.wav" for path in paths]
    for path, wav in zip(paths, wavs, strict=True):
        if not wav.exists():
            write(wav, read(path))
    return wavs


def clips(folder: Path) -> list[Path]:
    """The sound files in a folder, by name."""
    return [path for path in sorted(folder.iterdir()) if path.suffix.lower() in AUDIO]
