"""What the exports of all tasks share: the request, the run that is opened, fine-tuning, facts of the model card."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from accelerate import Accelerator
from tqdm import tqdm

from synth.common.typing import Tensors
from synth.data.corpus import Corpus, open_cache
from synth.data.sound_figures import CARD_KEY, figures_of_corpus
from synth.training.batches import Row, validation_rows
from synth.training.config import GeneratorTrainConfig
from synth.training.run_folder import RunFolder, without_paths

FINE_RATE = 0.3
"""The learning rate of fine-tuning, as a share of the run's."""
Say = Callable[[str], None]


@dataclass(frozen=True)
class ExportRequest:
    """What `synth export` is asked for.

    `run`: folder of a run. `out`: checkpoint to write. `steps` of quantization-aware fine-tuning (None: the preset's).
    `envelope_steps`: of the fit of a voice's postfilter, None for as many as it takes.
    `measured_seconds`: of each split that is measured, None for all of it.
    `noise`: deviation, in mu-law codes, of what is added to half of the streams while a generator is fine-tuned.
    `temperatures` (planner, network) and `guidance`: of a planner's voice. `card`: more facts for the model card.
    `threads`: of the CPU, as of `use_threads`. `force`: replace a file. `quiet`: no progress. `say`: called with each
    line for people.
    """

    run: str | os.PathLike[str]
    out: str | os.PathLike[str]
    steps: int | None = None
    envelope_steps: int | None = None
    measured_seconds: float | None = None
    noise: float = 0.0
    temperatures: tuple[float, ...] | None = None
    guidance: float | None = None
    card: dict[str, str] | None = None
    threads: int | None = None
    force: bool = False
    quiet: bool = False
    say: Say = lambda text: None


@dataclass(frozen=True)
class FinishedRun:
    """A run with its corpus and its best weights (or the last ones, before the first validation).

    `options`: of run.json. `weights`: arrays by their names in the run's state. `step`: of these weights.
    """

    folder: RunFolder
    options: dict[str, Any]
    corpus: Corpus
    weights: Tensors
    step: int

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> FinishedRun:
        """The run in a folder; RunError, CorpusError when it can't be read."""
        folder = RunFolder(path)
        options, corpus = folder.options(), open_cache(folder.cache)
        arrays, info = folder.load_best()
        weights = {name: value for name, value in arrays.items() if name.startswith("weight.")}
        return cls(folder, options, corpus, weights, int(info["step"]))

    def card(self, request: ExportRequest, **facts: Any) -> dict[str, Any]:
        """The model card: what the request adds, corpus, steps, `facts`, and the options that the user gave."""
        return {
            **(request.card or {}),
            "files": len(self.corpus.split("train")),
            "seconds_of_audio": round(self.corpus.size("train") / self.corpus.rate),
            "steps": self.step,
            **facts,
            "given": without_paths(self.options["given"]),
        }

    def sound(self) -> dict[str, Any]:
        """What the training files sound like, for the card: `generate-audio --best` compares with it."""
        return {CARD_KEY: figures_of_corpus(self.corpus).to_json()}

    def measured_rows(self, seconds: float | None = None) -> dict[str, list[Row]]:
        """Codes and labels of the validation and test files, where there are any; about so many `seconds` at most."""
        most = None if seconds is None else round(seconds * self.corpus.rate)
        rows = {split: validation_rows(self.corpus, split, most) for split in ("validation", "test")}
        return {split: files for split, files in rows.items() if files}


def fine_tuning(config: GeneratorTrainConfig, steps: int, **changes: Any) -> GeneratorTrainConfig:
    """The schedule of `steps` of fine-tuning after a run of `config`, with other `changes` to it."""
    return dataclasses.replace(config, steps=max(1, steps), begin=0, rate=config.rate * FINE_RATE, **changes)


def fine_tune(steps: int, step: Callable[[int, Accelerator], object], quiet: bool) -> None:
    """Calls `step(number, accelerator)` for each number below `steps`, on the CPU, with a progress bar."""
    accelerator = Accelerator(cpu=True)
    for number in tqdm(range(steps), desc="fine-tuning", unit="step", disable=True if quiet else None):
        step(number, accelerator)
