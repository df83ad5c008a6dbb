"""A run of `synth train --task classify` to a recogniser's checkpoint: its best weights, and how good they are."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synth.common.errors import AudioError
from synth.common.files import check_output
from synth.data.corpus import open_cache
from synth.recognition import classifier
from synth.recognition.classifier import Classifier
from synth.training.run_folder import RunFolder, without_places
from synth.training.tasks.classifier import configs, scores, sounds_of


def export(
    run: str | os.PathLike[str],
    out: str | os.PathLike[str],
    card: dict[str, str] | None = None,
    force: bool = False,
    say: Callable[[str], None] = lambda text: None,
) -> dict[str, Any]:
    """Write the recogniser `out` from the best weights of `run`; returns its card.

    `accuracy` in the card is measured with the NumPy network on the run's validation and test files, whole: the share
    of right answers of each class, the mean average precision of tags. `card` adds facts (corpus, licence, ...). Raises
    RunError, CorpusError, OutputError.
    """
    check_output(out, force)
    folder = RunFolder(run)
    options = folder.options()
    model, config = configs(options)
    corpus = open_cache(folder.path / "cache")
    arrays, info = folder.load_best()
    weights = {name.removeprefix("weight."): value for name, value in arrays.items() if name.startswith("weight.")}
    network = Classifier(model, weights)
    found: dict[str, dict[str, float]] = {}
    for split in ("validation", "test"):
        sounds = sounds_of(corpus, split, model.targets)
        if sounds:
            found[split] = {name: round(value, 4) for name, value in measured(network, sounds).items()}
            say(f"{split}: " + ", ".join(f"{name} {value:.4f}" for name, value in found[split].items()))
    facts: dict[str, Any] = {
        **(card or {}),
        "files": len(corpus.split("train")),
        "seconds_of_audio": round(corpus.size("train") / corpus.rate),
        "steps": int(info["step"]),
        "sounds_seen": int(info["step"]) * config.batch,
        "given": without_places(options["given"]),
        "accuracy": found,
    }
    classifier.save(out, model, weights, facts)
    return facts


def measured(network: Classifier, sounds: list[Any]) -> dict[str, float]:
    """How many answers are right, by `classify_task.scores`; a sound that can't be heard counts as told by chance."""
    logs: list[list[NDArray[Any]]] = [[] for _ in network.targets]
    for samples, _ in sounds:
        try:
            heard = network.hear([samples]).log_probabilities
        except AudioError:
            heard = {target.name: np.zeros(len(target.values), np.float32) for target in network.targets}
        for column, target in zip(logs, network.targets, strict=True):
            column.append(heard[target.name])
    answers = [np.stack(column) for column in zip(*(answer for _, answer in sounds), strict=True)]
    return scores(network.targets, [np.stack(column) for column in logs], answers)
