"""A training run that takes a second: a corpus of short tones, sizes and a schedule for it, what a run left behind."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from helpers import sounds
from synth.engine.config import ModelConfig
from synth.training.config import GeneratorTrainConfig
from synth.training.run_folder import RunFolder

PATTERN = "{digit}_{speaker}_{take}"
MINI = (
    ModelConfig(8000, frame_units=16, sample_units=16, head_units=16),
    GeneratorTrainConfig(
        steps=8, streams=4, span=512, windows=2, window=64, warmup=16, every=4, fine_steps=4, most_validation=1000
    ),
)
"""A preset for tests; a schedule in which validation is at half and at the end."""


def harmonics(hertz: float, count: int, rate: int = 8000, seed: int = 0) -> sounds.Samples:
    """A tone with overtones and a little noise that dies away."""
    time = np.arange(count) / rate
    wave = sum(np.sin(2 * np.pi * hertz * k * time) / k for k in (1, 2, 3))
    wave = 6000 * wave * np.exp(-3 * time) + sounds.noise(count, seed, 20.0)
    return np.clip(np.rint(wave), -32768, 32767).astype(np.int16)


def corpus(folder: Path, files: int = 12, count: int = 1500) -> Path:
    """A folder of `files` tones with overtones, three pitches by two speakers, named by PATTERN."""
    make = sounds.maker(folder)
    for n in range(files):
        digit, speaker = n % 3, "ann" if n // 3 % 2 else "bob"
        hertz = (220, 330, 495)[digit] * (1.5 if speaker == "ann" else 1)
        make(f"{digit}_{speaker}_{n // 6}.wav", harmonics(hertz, count + 37 * n, seed=n))
    return folder


def state(run: Path, name: str = "last") -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """What a run saved: arrays and facts."""
    return RunFolder(run).load(name)


def records(run: Path) -> list[dict[str, Any]]:
    """The lines of a run's log, which must all be whole."""
    return [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]


def same(one: Path, other: Path) -> None:
    """Two runs ended alike: every array, moments included, every logged figure, the best weights too."""
    for name in ("last", "best"):
        (arrays, info), (others, other_info) = state(one, name), state(other, name)
        assert info == other_info
        assert arrays.keys() == others.keys()
        for key, value in arrays.items():
            np.testing.assert_array_equal(value, others[key], err_msg=f"{name}: {key}")
    assert any(key.startswith("exp_avg_sq.") for key in state(one)[0])
    assert records(one) == records(other)
