"""What a training run is for: the part of it that the loop does not know; what the tasks share."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, ClassVar, Protocol

import torch
from accelerate import Accelerator

from synth.common.errors import RunError, UsageError
from synth.data.corpus import Corpus
from synth.training.export.common import ExportRequest
from synth.training.optimization import TrainState
from synth.training.run_folder import RunFolder

VERSION = 1
"""Of run.json."""


class Schedule(Protocol):
    """How long a run trains: `steps` in all, a validation every `every` steps; `begin`: see `GeneratorTrainConfig`."""

    @property
    def steps(self) -> int: ...
    @property
    def every(self) -> int: ...
    @property
    def begin(self) -> int: ...


class Task(Protocol):
    """A network with its schedule, its batches and its measures; a class of these makes runs and opens them again.

    `name`: of `--task`. `unit`: what its loss is counted in. `accepted_options`: a frozen dataclass of the options of
    `synth train` that it takes, each None unless the user gave it. `run_options` is what run.json holds.
    """

    name: ClassVar[str]
    unit: ClassVar[str]
    accepted_options: ClassVar[type[Any]]

    def __init__(self, folder: RunFolder, run_options: dict[str, Any], device: torch.device) -> None: ...

    config: Any
    """The schedule, a frozen dataclass with what `Schedule` has; another one where the loop plans anew."""

    @property
    def state(self) -> TrainState[Any]: ...

    @staticmethod
    def sample_rate(user_options: Any) -> int:
        """The sample rate (Hz) of a run with these accepted options; UsageError when they can't be used."""
        ...

    @staticmethod
    def new_config(user_options: Any, corpus: Corpus) -> dict[str, Any]:
        """What run.json is to say of such a run, `version` and `given` aside."""
        ...

    @staticmethod
    def resolved_options(run_options: dict[str, Any]) -> dict[str, Any]:
        """The accepted options that a run was made with, defaults included."""
        ...

    def train_step(self, accelerator: Accelerator) -> float:
        """One optimizer step; returns the mean loss of its batch over all processes."""
        ...

    def validate(self) -> dict[str, float]:
        """Figures of the validation files, empty without any; the run keeps the weights of the least `validation`."""
        ...

    def eligible_as_best(self) -> bool:
        """Whether the network of this step may become the best."""
        ...

    def log_validation(self, board: Any, record: dict[str, Any], folder: RunFolder) -> None:
        """Add a validation to TensorBoard's `board`."""
        ...

    @staticmethod
    def export(request: ExportRequest) -> dict[str, Any]:
        """Write the checkpoint of a run's best weights; returns its card."""
        ...


@contextmanager
def reading_run_options() -> Iterator[None]:
    """Within it values of run.json that can't be read raise RunError."""
    try:
        yield
    except (KeyError, TypeError, ValueError, UsageError) as error:
        raise RunError(f"run.json: not the options of a run of this version ({error})") from None


def check_version(run_options: Mapping[str, Any]) -> None:
    """RunError for a run.json of another version; KeyError, TypeError when it says none."""
    if run_options["version"] != VERSION:
        raise RunError(f"run.json: of version {run_options['version']}; this synth goes on with {VERSION}")
    if not isinstance(run_options["given"], dict):
        raise ValueError("its options are not whole")


def resolved(accepted_options: type[Any], run_options: dict[str, Any], **values: Any) -> dict[str, Any]:
    """The accepted options of a run: `values` where they are known, else what the user gave."""
    given = run_options["given"]
    return {**{field.name: given.get(field.name) for field in dataclasses.fields(accepted_options)}, **values}


def log_bits(board: Any, record: dict[str, Any], prefix: str = "bits") -> None:
    """Add the figures of a validation to TensorBoard's `board` as curves."""
    for key, value in record.items():
        if key != "step":
            board.add_scalar(f"{prefix}/{key}", value, record["step"])
