"""Training a corrector: going on exactly, what it gains, its checkpoint, what is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import small

torch = pytest.importorskip("torch")

from helpers import runs

import synth
from synth import engine
from synth.codec import lossless
from synth.common.errors import RunError, UsageError
from synth.data.corpus import open_cache
from synth.engine.config import ModelConfig
from synth.generation import checkpoint
from synth.training import corrector_traces
from synth.training.config import GeneratorTrainConfig
from synth.training.export import export
from synth.training.run_folder import RunFolder
from synth.training.tasks import corrector

pytestmark = pytest.mark.skipif(not engine.has_native(), reason="needs the compiled engine")
MINI = (
    ModelConfig(8000, window=16, frame_units=16, sample_units=16, head_units=16, hints=lossless.HINTS),
    GeneratorTrainConfig(steps=8, streams=4, span=512, windows=2, window=64, warmup=16, every=4, fine_steps=2),
)


TINY_RUN = runs.Tiny(corrector.PRESETS, MINI, {"task": "corrector"})
begin = TINY_RUN.begin


def test_a_run_that_was_stopped_goes_on_exactly(whole: Path, sounds_folder: Path, tmp_path: Path) -> None:
    begin(sounds_folder, tmp_path / "run", until=3)
    runs.go_on(tmp_path / "run")
    small.same(whole, tmp_path / "run")


def test_it_begins_without_an_opinion() -> None:
    found = corrector.new_state(MINI[0], 0, torch.device("cpu")).network
    rows = np.zeros(300, corrector_traces.RECORD)
    rows["hints"], rows["bin"] = 128, np.arange(300) % 256
    rows["low"] = rows["high"] = rows["bin"].astype(np.uint16) * 256 + 128
    assert abs(corrector.validate(found, [rows, rows[:40]])) < 0.05


def test_it_learns_what_the_mixture_does_not_know(tmp_path: Path) -> None:
    """Noise whose every eighth sample is large: no adaptive predictor of the codec knows when."""
    from helpers.sounds import maker, noise

    make = maker(tmp_path / "in")
    loud = np.where(np.arange(8000) % 8 == 0, 8, 1)
    for n in range(24):
        make(f"{n}.wav", (noise(8000, n, 300.0) * loud).astype(np.int16))
    config = replace(MINI[1], steps=240, streams=16, every=60, rate=0.01)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(corrector.PRESETS, "mini", (replace(MINI[0], sample_units=32), config))
        begin(tmp_path / "in", tmp_path / "run", split="test:every=8+1;validation:every=8+2")
    facts = export(tmp_path / "run", tmp_path / "out.safetensors", quiet=True)
    bits = facts["lossless_bits_per_sample"]
    assert facts["gain_of_validation"] > 0.1
    assert bits["validation"] < bits["validation, none"] - 0.05 and bits["test"] < bits["test, none"] - 0.05
    loaded = checkpoint.load(tmp_path / "out.safetensors")
    assert loaded.config.hints == lossless.HINTS and loaded.info["steps"] % 60 == 0
    fresh = (noise(8000, 99, 300.0) * loud)[:3000].astype(np.int16)
    sizes = [len(synth.compress(fresh, 8000, checkpoint=name)) for name in ("none", str(loaded.path))]
    assert sizes[1] < sizes[0] - 20
    assert np.array_equal(synth.decompress(synth.compress(fresh, 8000, checkpoint=str(loaded.path)),
                                           checkpoint=str(loaded.path))[0], fresh)  # fmt: skip


def test_traces_are_made_once_and_cut_where_the_codec_cuts(
    whole: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    corpus = open_cache(whole / "cache")
    found = corrector_traces.of(corpus, "train", "balanced")
    assert len(found.records) == corpus.size("train") and len(found) == len(corpus.split("train"))
    made: list[int] = []
    monkeypatch.setattr(
        corrector_traces,
        "trace",
        lambda sound, level: made.append(len(sound)) or np.zeros(len(sound), corrector_traces.RECORD),
    )
    assert len(corrector_traces.of(corpus, "train", "balanced").records) == len(found.records) and not made
    monkeypatch.setattr(corrector_traces, "SECONDS", 1)
    elsewhere = replace(corpus, folder=tmp_path, rate=1000)
    again = corrector_traces.of(elsewhere, "train", "balanced")
    assert max(made) == 1000 and sum(made) == len(found.records) and len(again) == len(made)
    assert all(len(again.piece(n)) == length for n, length in enumerate(made))
    before = len(made)
    corrector_traces.of(elsewhere, "train", "max")
    assert len(made) == 2 * before


def test_batches_are_a_function_of_the_step_and_of_nothing_else(whole: Path) -> None:
    found, config = corrector_traces.of(open_cache(whole / "cache"), "train", "balanced"), MINI[1]
    one, again, other = (corrector.batch(found, config, 16, step) for step in (5, 5, 6))
    assert np.array_equal(one.targets, again.targets) and not np.array_equal(one.targets, other.targets)
    half = corrector.batch(found, config, 16, 5, 1, 2)
    assert np.array_equal(half.bins, one.bins[1::2]) and np.array_equal(half.windows, one.windows[1::2])
    assert (one.windows % 16 == 0).all() and (one.windows + 64 <= 512 + 16).all() and (one.targets < 256).all()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"preset": "digits"}, "preset digits: a corrector's must be small or large"),
        ({"density": 0.5}, "--density: --task corrector does not take it"),
        ({"labels": "{digit}_{speaker}_{take}"}, "--labels: --task corrector does not take it"),
    ],
)
def test_what_it_does_not_take(options: dict[str, Any], words: str, sounds_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=words):
        begin(sounds_folder, tmp_path / "run", **options)
    assert not (tmp_path / "run").exists()


def test_export_says_what_it_needs(whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="--noise: a run of --task corrector has no use for it"):
        export(whole, tmp_path / "out.safetensors", noise=3.0)
    monkeypatch.setattr(engine, "has_native", lambda: False)
    with pytest.raises(RunError, match="measured with the native engine: install a C"):
        export(whole, tmp_path / "out.safetensors", quiet=True)
    options = RunFolder(whole).options()
    with pytest.raises(RunError, match="not the options of a run"):
        corrector.configs({**options, "train": {"steps": "x"}})
