"""Block-sparse recurrent weights: the schedule, the masks, a run that goes on exactly, zeros that an export keeps."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import small
from hypothesis import given
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from helpers import runs

from synth.cli import facts as info_facts
from synth.common.errors import RunError, UsageError
from synth.engine.layout import block_density
from synth.generation import checkpoint
from synth.nn import sparsity
from synth.training.config import GeneratorTrainConfig
from synth.training.export import export
from synth.training.run_folder import RunFolder
from synth.training.tasks import generator

MODEL = dataclasses.replace(small.MINI[0], sample_units=32)
SCHEDULE = dataclasses.replace(small.MINI[1], steps=80, every=20, streams=2, windows=1)
DENSITY = 0.25
TINY_RUN = runs.Tiny(generator.PRESETS, (MODEL, SCHEDULE), {"labels": small.PATTERN, "density": DENSITY})
"""Blocks go after steps 20, 40 and 48."""
begin, go_on = TINY_RUN.begin, runs.go_on


def blocks(weight: Any) -> np.ndarray:
    """(tiles, column blocks): where there is anything but zeros."""
    weight = np.asarray(weight)
    rows, columns = weight.shape
    return weight.reshape(rows // 16, 16, columns // 4, 4).any((1, 3))


# schedule


def test_the_schedule_is_dense_then_cubic_then_fixed() -> None:
    assert [sparsity.density_at(step, 1000, 0.2) for step in (0, 100, 150)] == [1.0, 1.0, 1.0]
    assert sparsity.density_at(375, 1000, 0.2) == pytest.approx(0.2 + 0.8 / 8)  # half-way: an eighth is left to go
    assert sparsity.density_at(600, 1000, 0.2) == pytest.approx(0.2)
    assert sparsity.density_at(1000, 1000, 0.2) == 0.2
    assert all(sparsity.density_at(step, 1000, 1.0) == 1.0 for step in range(0, 1001, 50))


@given(st.integers(1, 5000), st.floats(0.01, 1.0))
def test_the_schedule_falls_and_ends_at_its_density(steps: int, final: float) -> None:
    found = [sparsity.density_at(step, steps, final) for step in range(0, steps + 1, max(1, steps // 50))]
    assert all(after <= before for before, after in zip(found, found[1:], strict=False))
    assert all(final <= density <= 1 for density in found)
    due = [step for step in range(1, steps + 1) if sparsity.is_due(step, steps)]
    assert sparsity.density_at(due[-1], steps, final) == pytest.approx(final)
    assert not sparsity.is_settled(due[-1] - 1, steps, 0.5) and sparsity.is_settled(due[-1], steps, 0.5)
    assert all(step % sparsity.EVERY == 0 for step in due[:-1])


# masks


@given(st.integers(1, 4), st.floats(0.01, 1.0), st.integers(0, 2**31))
def test_every_tile_keeps_the_same_number_of_its_largest_blocks(wide: int, density: float, seed: int) -> None:
    units = 16 * wide
    weight = torch.randn(3 * units, units, generator=torch.Generator().manual_seed(seed))
    mask = sparsity.block_mask(weight, density)
    assert mask.shape == weight.shape and mask.dtype == torch.bool
    kept = blocks(mask)
    assert set(kept.sum(1)) == {max(1, round(density * (units // 4)))}
    assert mask.float().mean() == pytest.approx(kept.mean())  # whole blocks only
    energy = (np.asarray(weight, np.float64) ** 2).reshape(3 * wide, 16, units // 4, 4).sum((1, 3))
    least = np.where(kept, energy, np.inf).min(1)
    most = np.where(kept, -np.inf, energy).max(1)
    assert np.all(least >= most * (1 - 1e-5))


@given(st.floats(0.05, 1.0), st.floats(0.05, 1.0), st.integers(0, 2**31))
def test_blocks_never_come_back(one: float, other: float, seed: int) -> None:
    weight = torch.randn(96, 32, generator=torch.Generator().manual_seed(seed))
    first, last = max(one, other), min(one, other)
    before = weight * sparsity.block_mask(weight, first)
    after = before * sparsity.block_mask(before, last)
    assert not np.any(blocks(after) & ~blocks(before))
    np.testing.assert_array_equal(sparsity.zero_mask(after), np.asarray(sparsity.block_mask(after, last)))
    np.testing.assert_array_equal(after, after * sparsity.block_mask(after, last))  # chosen again: nothing changes
    assert block_density(after.numpy()) == blocks(after).mean()


def test_a_block_with_one_weight_is_no_zero_block() -> None:
    weight = torch.zeros(48, 16)
    weight[17, 6] = 1e-30
    mask = np.asarray(sparsity.zero_mask(weight))
    assert mask[16:32, 4:8].all() and mask.sum() == 64


# runs


def test_a_run_ends_with_its_share_of_blocks(whole: Path) -> None:
    arrays, info = small.state(whole)
    kept = blocks(arrays["weight.sample_recurrent"])
    assert info["step"] == 80 and set(kept.sum(1)) == {2}  # of 8 column blocks
    assert set(blocks(arrays["weight.dense"]).sum(1)) == {2}
    assert arrays["exp_avg.sample_recurrent"].any()
    options = RunFolder(whole).options()
    assert options["train"]["density"] == DENSITY and options["given"]["density"] == DENSITY


def test_the_best_network_has_lost_its_blocks(whole: Path) -> None:
    arrays, info = small.state(whole, "best")
    assert info["step"] >= 48 and blocks(arrays["weight.sample_recurrent"]).mean() == DENSITY


@pytest.mark.parametrize("stop", [19, 20, 30, 40, 60])
def test_n_plus_m_steps_equal_n_stop_resume_m(stop: int, whole: Path, sounds_folder: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    begin(sounds_folder, run, until=stop)
    left = blocks(small.state(run)[0]["weight.sample_recurrent"]).mean()
    assert (left == 1.0) == (stop < 20) and (left == DENSITY) == (stop >= 40)
    go_on(run)
    small.same(whole, run)


def test_another_density_on_resume_is_refused_the_same_is_not(whole: Path) -> None:
    with pytest.raises(RunError, match="made with density 0.25, not 0.5; leave it out"):
        go_on(whole, density=0.5)
    go_on(whole, density=DENSITY)


def test_a_run_from_before_there_was_a_density_goes_on_dense(sounds_folder: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    begin(sounds_folder, run, until=1, density=None)
    options = json.loads((run / "run.json").read_text())
    del options["given"]["density"], options["train"]["density"]
    (run / "run.json").write_text(json.dumps(options))
    go_on(run, until=22)
    assert blocks(small.state(run)[0]["weight.sample_recurrent"]).all()
    with pytest.raises(RunError, match="made with density 1.0, not 0.5"):
        go_on(run, density=0.5)


@pytest.mark.parametrize("density", [0.0, -0.5, 1.01, float("nan")])
def test_a_density_out_of_range_is_refused(density: float, sounds_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=f"density {density}: must be above 0, at most 1"):
        GeneratorTrainConfig(density=density)
    with pytest.raises(UsageError, match="density"):
        begin(sounds_folder, tmp_path / "run", density=density)
    assert not (tmp_path / "run").exists()


# export


@pytest.mark.parametrize("steps", [0, 30])
def test_an_export_keeps_zeros_and_says_so(steps: int, whole: Path, tmp_path: Path) -> None:
    facts = export(whole, tmp_path / "a.safetensors", steps=steps, quiet=True)
    loaded = checkpoint.load(tmp_path / "a.safetensors")
    before = blocks(small.state(whole, "best")[0]["weight.sample_recurrent"])
    np.testing.assert_array_equal(blocks(loaded.tensors["sample.recurrent.weight"]), before)
    assert blocks(loaded.tensors["head.dense.weight"]).mean() == DENSITY
    assert facts["density"] == loaded.info["density"] == DENSITY
    data, lines, _ = info_facts.details(str(tmp_path / "a.safetensors"))
    assert "density: 0.25" in lines
    dense = data["multiply_accumulates"] + (3 * 32 * 32 + 32 * 16) * (1 - DENSITY)
    frame = 3 * 16 * (MODEL.window + 16) + 3 * 32 * 16
    assert dense == frame / 16 + 3 * 32 * 32 + 32 * 16 + 8 * 16


def test_an_export_of_a_run_stopped_half_way_takes_no_more_blocks(sounds_folder: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    begin(sounds_folder, run, until=20)
    assert not (run / "best.safetensors").exists()
    left = blocks(small.state(run)[0]["weight.sample_recurrent"])
    facts = export(run, tmp_path / "a.safetensors", steps=30, quiet=True)
    assert DENSITY < left.mean() < 1 and facts["density"] == round(float(left.mean()), 4)


def test_the_card_of_a_dense_network_has_no_density(sounds_folder: Path, tmp_path: Path) -> None:
    begin(sounds_folder, tmp_path / "run", density=None, steps=4)
    assert "density" not in export(tmp_path / "run", tmp_path / "a.safetensors", steps=0, quiet=True)
