"""What `synth classify` does: tells what files are, by a classifier, or by a generator and Bayes' rule."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from synth.audio import reader as audio
from synth.checkpoint import format, registry
from synth.common import files
from synth.common import threads as parallel
from synth.common.errors import AudioError, CheckpointError, SynthError, UsageError
from synth.common.typing import Int16

Blocks = Iterable[Int16]
Probabilities = tuple[tuple[str, tuple[tuple[str, float], ...]], ...]
"""For each target its name and pairs of a value and its probability."""


@dataclass(frozen=True)
class FileClassifier:
    """A checkpoint that classifies sounds.

    `rate`: samples a second of what it takes. `classify(blocks, threads)`: the probabilities of one sound, int16 blocks
    (samples,) at that rate.
    """

    name: str
    rate: int
    classify: Callable[[Blocks, int], Probabilities]


@dataclass(frozen=True)
class Prediction:
    """What a file is: for each target its values with their probabilities, most probable first."""

    path: str
    probabilities: Probabilities


def open_classifier(name_or_path: str, engine: str = "auto") -> FileClassifier:
    """The classifier, or the generator with labels, of a name or path; CheckpointError, UsageError for what is none."""
    path, data = registry.read(name_or_path)
    if format.is_classifier(data):
        return _of_network(path, data)
    if registry.kind_of(path) == "corrector":
        other = registry.instead(path, "classifier")
        raise CheckpointError(
            f"{path.stem}: is a corrector, for synth compress alone; {other} tells what recordings are"
        )
    return _of_generator(name_or_path, engine)


def _of_network(path: Path, data: bytes) -> FileClassifier:
    from synth.recognition import classifier

    network = classifier.from_bytes(path, data)
    values = {target.name: target.values for target in network.targets}

    def classify(blocks: Blocks, threads: int) -> Probabilities:
        return ranked(network.classify_blocks(blocks).log_probabilities, values)

    return FileClassifier(network.name, network.sample_rate, classify)


def _of_generator(name_or_path: str, engine: str) -> FileClassifier:
    from synth.generation.loading import load
    from synth.recognition import generative

    model = generative.need_labels(load(name_or_path, engine))
    labels = model.labels

    def classify(blocks: Blocks, threads: int) -> Probabilities:
        return ranked(generative.classify(model, blocks, threads), labels)

    return FileClassifier(model.checkpoint.name, model.sample_rate, classify)


def ranked(logs: Mapping[str, Any], values: Mapping[str, tuple[str, ...]]) -> Probabilities:
    """Probabilities of log-probabilities (values,) by target, with their values, most probable first."""
    targets = []
    for target, log in logs.items():
        order = np.argsort(-log, kind="stable")
        targets.append((target, tuple((values[target][place], float(np.exp(log[place]))) for place in order)))
    return tuple(targets)


def classify_files(classifier: FileClassifier, paths: Sequence[str], threads: int) -> list[Prediction | SynthError]:
    """What every file is, or why it can't be told."""
    threads_each = threads if len(paths) == 1 else 1

    def one(path: str) -> Prediction | SynthError:
        try:
            return Prediction(path, _classify_file(classifier, path, threads_each))
        except SynthError as error:
            return error

    return parallel.each(one, paths, threads, threading.Event())


def _classify_file(classifier: FileClassifier, path: str, threads: int) -> Probabilities:
    """The probabilities of a file, or of standard input for "-"; AudioError with the path when it can't be read."""
    with _regular(path) as name:
        try:
            with audio.AudioReader(name, classifier.rate) as reader:
                return classifier.classify(reader.blocks(), threads)
        except AudioError as error:
            text = str(error).removeprefix(f"{name}: ")
            raise AudioError(f"{path}: {text}") from None


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


def line(prediction: Prediction, top: int) -> str:
    """A prediction for people: "x.wav: digit 7 (99.8 %), 1 (0.1 %); speaker theo (97.0 %)"."""
    parts = [
        f"{target} " + ", ".join(f"{value} ({100 * probability:.1f} %)" for value, probability in values[:top])
        for target, values in prediction.probabilities
    ]
    return f"{prediction.path}: {'; '.join(parts)}"


def entry(prediction: Prediction, top: int | None) -> dict[str, Any]:
    """A prediction for `--json`."""
    data: dict[str, Any] = {"path": prediction.path}
    for target, values in prediction.probabilities:
        if target in data:
            raise UsageError(f"label {target}: its name is taken in the report")
        data[target] = [{"label": value, "probability": probability} for value, probability in values[:top]]
    return data
