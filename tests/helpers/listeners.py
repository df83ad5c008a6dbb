"""Small random recognisers for tests: tensors that fit a config, no training, no torch."""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synth.recognition import classifier
from synth.recognition.config import ClassifierConfig, Target, shapes

DIGIT = Target("digit", "class", tuple("0123456789"))
SPEAKER = Target("speaker", "class", ("ann", "bob"), True)
TAGS = Target("sounds", "tags", ("bell", "rain", "wind"))
TINY = ClassifierConfig(8000, mels=16, coefficients=8, units=8, embedding=8, targets=(DIGIT, SPEAKER, TAGS))


def random_tensors(config: ClassifierConfig, seed: int = 0) -> dict[str, NDArray[Any]]:
    """Every tensor of a classifier of this config."""
    draw = np.random.default_rng(seed)
    return {name: draw.normal(0, 0.4, shape).astype(np.float32) for name, shape in shapes(config).items()}


@functools.cache
def tiny_classifier(seed: int = 1) -> str:
    """The path of a classifier of random weights; removed when the tests end."""
    path = Path(_folder().name) / f"ear-{seed}.safetensors"
    classifier.save(path, TINY, random_tensors(TINY, seed), {"licence": "none", "corpus": "noise"})
    return str(path)


@functools.cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory()
