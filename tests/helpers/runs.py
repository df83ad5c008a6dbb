"""Training runs of tests, begun and gone on with by keyword; the task of a module whose fixtures make a tiny run."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import pytest
import torch

from synth.training import train as training

REQUEST = {each.name for each in fields(training.TrainRequest)}


def train(corpora: Sequence[Any], run: Path, say: training.Say = lambda text: None, **options: Any) -> None:
    """`synth.training.train.train` of the options that belong to the request and of those that belong to the task."""
    request = {name: value for name, value in options.items() if name in REQUEST}
    task = {name: value for name, value in options.items() if name not in REQUEST}
    training.train(training.TrainRequest(corpora, run, options=task, **request), say=say)


def go_on(run: Path, **options: Any) -> None:
    """Go on with a run, on one thread."""
    train([], run, **{"resume": True, "quiet": True, "threads": 1, **options})


@dataclass(frozen=True)
class Tiny:
    """The runs of a test module, which names it TINY_RUN: see the fixtures of tests/conftest.py.

    `presets`: of the task's module; `preset`: what is in it as "mini" meanwhile. `options`: of all runs, unless a test
    gives others. `files`, `count`: of the corpus (see `small.corpus`).
    """

    presets: dict[str, Any]
    preset: Any
    options: dict[str, Any] = field(default_factory=dict)
    files: int = 12
    count: int = 1500

    def begin(self, corpus: Path, run: Path, **options: Any) -> None:
        """Train on a folder, to the end unless `until` says where to stop."""
        train([corpus], run, **{"preset": "mini", "quiet": True, "threads": 1, **self.options, **options})

    @contextlib.contextmanager
    def installed(self) -> Iterator[None]:
        """Within it there is the preset, and torch has one thread."""
        threads = torch.get_num_threads()
        with pytest.MonkeyPatch.context() as patch:
            patch.setitem(self.presets, "mini", self.preset)
            torch.set_num_threads(1)
            yield
        torch.set_num_threads(threads)
