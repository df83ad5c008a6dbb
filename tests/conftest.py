"""Ctrl-C works in the tests' child processes even where a runner in the background has it ignored; machines are shared,
so that no example of a property test has a deadline. Fixtures of modules that train: see `helpers.runs.Tiny`."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

signal.signal(signal.SIGINT, signal.default_int_handler)
settings.register_profile("shared", deadline=None)
settings.load_profile("shared")


@pytest.fixture(scope="module", autouse=True)
def tiny_task(request: pytest.FixtureRequest) -> Iterator[None]:
    """In a module with a TINY_RUN: its preset `mini`, and one thread."""
    tiny = getattr(request.module, "TINY_RUN", None)
    if tiny is None:
        yield
        return
    with tiny.installed():
        yield


@pytest.fixture(scope="module")
def sounds_folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The corpus of a module with a TINY_RUN."""
    from helpers import small

    return small.corpus(
        tmp_path_factory.mktemp("corpus") / "in", request.module.TINY_RUN.files, request.module.TINY_RUN.count
    )


@pytest.fixture(scope="module")
def whole(request: pytest.FixtureRequest, sounds_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished tiny run, without a stop, of a module with a TINY_RUN."""
    run = tmp_path_factory.mktemp("whole") / "run"
    request.module.TINY_RUN.begin(sounds_folder, run)
    return run
