"""Sounds that the tests of reading, writing and training data make for themselves."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import soundfile

from synth.common.typing import MonoSamples

Make = Callable[..., Path]


def tone(count: int = 4000, rate: int = 8000, hertz: float = 440.0, amplitude: float = 0.5) -> MonoSamples:
    """A sine."""
    return (amplitude * 32767 * np.sin(2 * np.pi * hertz * np.arange(count) / rate)).astype(np.int16)


def noise(count: int, seed: int = 0, sigma: float = 3000.0) -> MonoSamples:
    """White noise of standard deviation `sigma`."""
    return np.random.default_rng(seed).normal(0, sigma, count).astype(np.int16)


def maker(folder: Path) -> Make:
    """A function that writes a sound (noise, if none is given) to a file below `folder` and returns its path."""

    def make(name: str, sound: MonoSamples | None = None, rate: int = 8000) -> Path:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, noise(1000, zlib.crc32(name.encode())) if sound is None else sound, rate)
        return path

    return make
