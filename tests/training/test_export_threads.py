"""`synth export --threads`: how many threads of the CPU torch computes on."""

from __future__ import annotations

from pathlib import Path

import pytest

from synth.cli import entry

torch = pytest.importorskip("torch")


def export(*arguments: object) -> int:
    """`synth export` in this process."""
    return entry.main(["export", *map(str, arguments)])


@pytest.mark.parametrize("count", [1, 2])
def test_threads_are_those_that_torch_uses(
    count: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    asked: list[int] = []
    monkeypatch.setattr(torch, "set_num_threads", asked.append)
    run = tmp_path / "run"  # is not there: it is looked for once the threads are set
    assert export(run, tmp_path / "x.safetensors", "--threads", count) == 1
    assert asked == [count] and "run" in capfd.readouterr().err


@pytest.mark.parametrize("count", ["0", "-1", "1.5", "many"])
def test_wrong_numbers_are_refused(count: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert export("run", tmp_path / "x.safetensors", "--threads", count) == 2
    assert "--threads" in capfd.readouterr().err
