"""`synth bench`: what it measures, and that its rows say so."""

from __future__ import annotations

import json

import pytest
from helpers import voices
from helpers.tools import tiny_checkpoint

from synth import engine
from synth.benchmarking import engine as bench
from synth.benchmarking import generator, timing
from synth.cli import entry


@pytest.fixture
def brief(monkeypatch: pytest.MonkeyPatch) -> None:
    """Measures for an instant: enough to see that everything runs."""
    monkeypatch.setattr(timing, "SECONDS", 1e-3)
    monkeypatch.setattr(generator, "SIZES", ((32, 32, 1.0), (32, 64, 0.25)))


def test_every_row_is_there(brief: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert entry.main(["bench", "-c", str(tiny_checkpoint()), "--json", "--threads", "2"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["processor"]
    keys = {"name", "samples_per_second", "spread", "streams", "threads", "instruction_set", "engine"}
    assert all(set(row) - keys <= {"ratio", "over", "milliseconds"} and keys <= set(row) for row in report["results"])
    assert all(row["samples_per_second"] > 0 for row in report["results"])
    names = [row["name"] for row in report["results"]]
    assert names[0] == "one stream, one thread" and len(set(names)) == len(names)
    if engine.has_native():
        for name in engine.instruction_sets():
            assert {f"one stream, {name}", f"random weights 32/64, 25% of the blocks, {name}"} <= set(names)
        assert {"8 streams, one thread", "4 streams, 2 threads", "the recurrent product alone"} <= set(names)
        assert "reference engine" in names


def test_ratios_are_of_the_rows_that_they_name(brief: None) -> None:
    rows = bench.run(str(tiny_checkpoint()), 1, None)["results"]
    speed = {row["name"]: row["samples_per_second"] for row in rows}
    compared = [row for row in rows if row.get("over") in speed]
    assert compared
    for row in compared:
        assert row["ratio"] == pytest.approx(row["samples_per_second"] / speed[row["over"]])


def test_a_share_of_the_blocks_is_kept() -> None:
    loaded = generator.checkpoint.load(str(tiny_checkpoint()))
    config = generator.ModelConfig(8000, frame_units=32, sample_units=64, head_units=32)
    weight = generator.random_tensors(config, 0.25, loaded)["sample.recurrent.weight"]
    blocks = (weight.reshape(12, 16, 16, 4) != 0).any((1, 3))
    assert (blocks.sum(1) == 4).all()


def test_torch_is_measured_too(brief: None, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch", reason="torch is not installed")
    from synth.benchmarking import torch_baseline

    monkeypatch.setattr(torch_baseline.torch, "compile", lambda step: step)  # minutes on some machines
    found = torch_baseline.speeds(generator.checkpoint.load(str(tiny_checkpoint())), 20)
    assert [title for title, _ in found] == ["PyTorch eager, one thread", "torch.compile, one thread"]
    assert all(speed > 0 for _, speeds in found for speed in speeds)


def test_a_compiler_that_fails_is_named(brief: None, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch", reason="torch is not installed")
    from synth.benchmarking import torch_baseline

    def broken(step: object) -> object:
        raise RuntimeError("no C++ compiler\nmore")

    monkeypatch.setattr(torch_baseline.torch, "compile", broken)
    assert (
        torch_baseline.speeds(generator.checkpoint.load(str(tiny_checkpoint())), 5)[1][0]
        == "torch.compile: no C++ compiler"
    )


@pytest.mark.parametrize("period", [0, 2])
def test_of_a_voice_all_is_measured_that_its_sound_goes_through(
    period: int, brief: None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert entry.main(["bench", "-c", voices.path(period, filtered=True), "--json", "--threads", "2"]) == 0
    rows = json.loads(capsys.readouterr().out)["results"]
    names = [row["name"] for row in rows]
    assert names[0] == "one stream, one thread" and len(set(names)) == len(names)
    assert all(row["samples_per_second"] > 0 for row in rows)
    assert {"its conditioner alone", "its network alone", "its postfilter alone"} <= set(names)
    assert ("its planner alone" in names) == bool(period)
    assert ("one stream into a file (generate-audio)" in names) == bool(period)


def test_a_baseline_is_of_plain_networks(capsys: pytest.CaptureFixture[str]) -> None:
    assert entry.main(["bench", "-c", "digits", "--baseline", "torch"]) == 2
    assert "PyTorch steps plain networks, as digits-plain" in capsys.readouterr().err
