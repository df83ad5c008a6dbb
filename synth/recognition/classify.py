"""What `synth classify` does: hears files with a recogniser, or with a generator by Bayes' rule."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synth.audio import reader as audio
from synth.checkpoint import format, registry
from synth.common import files
from synth.common import threads as parallel
from synth.common.errors import AudioError, SynthError, UsageError

Blocks = Iterable[NDArray[np.int16]]
Probabilities = tuple[tuple[str, tuple[tuple[str, float], ...]], ...]


@dataclass(frozen=True)
class FileClassifier:
    """A checkpoint that tells what sounds are: `hear` int16 blocks at `rate`, on threads, into `Probabilities`."""

    name: str
    rate: int
    hear: Callable[[Blocks, int], Probabilities]


@dataclass(frozen=True)
class Prediction:
    """What a file is: for each target its values with their probabilities, most probable first."""

    path: str
    shares: Probabilities


def open_classifier(name_or_path: str, engine: str = "auto") -> FileClassifier:
    """The recogniser, or the generator with labels, of a name or path; CheckpointError, UsageError for what is none."""
    path, data = registry.read(name_or_path)
    if format.is_recogniser(data):
        from synth.recognition import classifier

        found = classifier.opened(path, data)
        values = {target.name: target.values for target in found.targets}
        return FileClassifier(
            found.name, found.sample_rate, lambda blocks, _: ranked(found.hear(blocks).log_probabilities, values)
        )
    from synth.generation.loading import load
    from synth.recognition import generative

    model = generative.need_labels(load(name_or_path, engine))
    labels = model.labels
    return FileClassifier(
        model.checkpoint.name, model.sample_rate, lambda blocks, n: ranked(generative.listen(model, blocks, n), labels)
    )


def ranked(logs: dict[str, Any], values: dict[str, tuple[str, ...]]) -> Probabilities:
    """Probabilities of log-probabilities (values,) by target, with their values, most probable first."""
    found = []
    for target, log in logs.items():
        order = np.argsort(-log, kind="stable")
        found.append((target, tuple((values[target][place], float(np.exp(log[place]))) for place in order)))
    return tuple(found)


def classify_files(judge: FileClassifier, paths: list[str], threads: int) -> list[Prediction | SynthError]:
    """What every file is, or why it can't be told."""

    def one(path: str) -> Prediction | SynthError:
        try:
            with _regular(path) as name:
                try:
                    with audio.AudioReader(name, judge.rate) as reader:
                        return Prediction(path, judge.hear(reader.blocks(), threads if len(paths) == 1 else 1))
                except AudioError as error:
                    text = str(error).removeprefix(f"{name}: ")
                    raise AudioError(f"{path}: {text}") from None
        except SynthError as error:
            return error

    return parallel.each(one, paths, threads, threading.Event())


@contextmanager
def _regular(path: str) -> Iterator[str]:
    """A file that can be read anywhere in it: standard input is put on the disk."""
    if path != files.STDOUT:
        yield path
        return
    if sys.stdin is None:
        raise AudioError("-: standard input is closed")
    with tempfile.TemporaryDirectory() as folder:
        name = os.path.join(folder, "stdin")
        with open(name, "wb") as file:
            shutil.copyfileobj(sys.stdin.buffer, file, 1 << 18)
        yield name


def line(verdict: Prediction, top: int) -> str:
    """A verdict for people: "x.wav: digit 7 (99.8 %), 1 (0.1 %); speaker theo (97.0 %)"."""
    parts = [
        f"{target} " + ", ".join(f"{value} ({100 * share:.1f} %)" for value, share in shares[:top])
        for target, shares in verdict.shares
    ]
    return f"{verdict.path}: {'; '.join(parts)}"


def entry(verdict: Prediction, top: int | None) -> dict[str, Any]:
    """A verdict for `--json`."""
    found: dict[str, Any] = {"path": verdict.path}
    for target, shares in verdict.shares:
        if target in found:
            raise UsageError(f"label {target}: its name is taken in the report")
        found[target] = [{"label": value, "probability": share} for value, share in shares[:top]]
    return found
