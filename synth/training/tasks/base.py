"""What a training run is for: the part of it that the loop in `train` does not know."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Protocol

import torch
from accelerate import Accelerator

from synth.common.errors import UsageError
from synth.data.corpus import Corpus
from synth.training.config import ClassifierTrainConfig, GeneratorTrainConfig
from synth.training.optimization import TrainState
from synth.training.run_folder import RunFolder

VERSION = 1
"""Of run.json."""


class Task(Protocol):
    """A network with its schedule, its batches and its measures; a class of these makes runs and opens them again.

    `unit`: what its loss is counted in. `given`: the options of `synth train` that it takes.
    """

    name: ClassVar[str]
    unit: ClassVar[str]
    given: ClassVar[tuple[str, ...]]

    def __init__(self, folder: RunFolder, options: dict[str, Any], device: torch.device) -> None: ...

    @property
    def config(self) -> GeneratorTrainConfig | ClassifierTrainConfig: ...

    @property
    def learner(self) -> TrainState[Any]: ...

    @staticmethod
    def rate(given: dict[str, Any]) -> int:
        """The sample rate of a run with these options; UsageError when they can't be used."""
        ...

    @staticmethod
    def begin(given: dict[str, Any], corpus: Corpus) -> dict[str, Any]:
        """What run.json is to say of such a run, `version` and `given` aside."""
        ...

    @staticmethod
    def made_with(options: dict[str, Any]) -> dict[str, Any]:
        """The options that a run was made with, defaults included, of those that `given` names."""
        ...

    def step(self, accelerator: Accelerator) -> float:
        """One step of the learner; returns its loss."""
        ...

    def measure(self) -> dict[str, float]:
        """Figures of the validation files, empty without any; the run keeps the weights of the least `validation`."""
        ...

    def settled(self) -> bool:
        """Whether the network of this step may become the best."""
        ...

    def show(self, board: Any, record: dict[str, Any], folder: RunFolder) -> None:
        """Add a validation to TensorBoard's `board`."""
        ...


def check_given(given: dict[str, Any], known: Sequence[str], task: str) -> None:
    """UsageError when an option was given that this task has no use for."""
    for name, value in given.items():
        if value is not None and name not in known:
            raise UsageError(f"--{name}: --task {task} does not take it")


def show_bits(board: Any, record: dict[str, Any]) -> None:
    """Add the figures of a validation to TensorBoard's `board` as curves."""
    for key, value in record.items():
        if key != "step":
            board.add_scalar(f"bits/{key}", value, record["step"])
