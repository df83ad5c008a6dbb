"""Training runs: what is refused, what becomes of corpora."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import runs, small, sounds

torch = pytest.importorskip("torch")

from synth.common.errors import CorpusError, RunError, UsageError
from synth.common.labels import LabelSet
from synth.data.corpus import open_cache
from synth.training.loop import Trainer
from synth.training.run_folder import RunFolder
from synth.training.tasks import generator

TINY_RUN = runs.Tiny(generator.PRESETS, small.MINI, {"labels": small.PATTERN})
begin, go_on = TINY_RUN.begin, runs.go_on


# what is refused


def test_a_folder_that_holds_a_run_is_left_alone(whole: Path, sounds_folder: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in whole.rglob("*") if path.name != "lock"}
    with pytest.raises(RunError, match=f"^{whole}: holds a run already; give --resume"):
        begin(sounds_folder, whole)
    assert {path: path.stat().st_mtime_ns for path in whole.rglob("*") if path.name != "lock"} == before


@pytest.mark.parametrize(
    ("name", "value"),
    [("preset", "tiny"), ("rate", 16000), ("labels", "{a}"), ("split", "test:every=2")]
    + [("trim", True), ("steps", 9), ("seed", 1), ("density", 0.5)],
)
def test_other_options_on_resume_are_refused(name: str, value: Any, whole: Path) -> None:
    with pytest.raises(RunError, match=f"made with {name} .*not {value!r}; leave it out"):
        go_on(whole, **{name: value})


def test_other_corpora_on_resume_are_refused(whole: Path, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="made with corpora"):
        runs.train([tmp_path], whole, resume=True)


def test_the_runs_own_options_may_be_given_again(whole: Path, sounds_folder: Path) -> None:
    begin(sounds_folder, whole, resume=True, rate=8000, steps=8, seed=0, trim=False)


def test_nothing_to_resume(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no run in this folder to resume"):
        go_on(tmp_path / "run")
    assert os.listdir(tmp_path) == []


def test_a_run_killed_before_its_first_state_starts_over(sounds_folder: Path, whole: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    begin(sounds_folder, run, until=1)
    (run / "last.safetensors").unlink()
    go_on(run)
    small.same(whole, run)


def test_two_runs_into_one_folder(sounds_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    train_step, run, refused = generator.train_step, tmp_path / "run", []

    def meanwhile(*given: Any) -> float:
        for resume in (False, True):
            with pytest.raises(RunError, match="run: another process is training in this folder") as error:
                runs.train([sounds_folder], run, preset="mini", resume=resume)
            refused.append(error)
        return train_step(*given)

    monkeypatch.setattr(generator, "train_step", meanwhile)
    begin(sounds_folder, run, until=1)
    assert len(refused) == 2
    assert small.state(run)[1]["step"] == 1


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"version": 2}, "of version 2"),
        ({"train": {"steps": 8, "speed": 2}}, "not the options of a run"),
        ({"model": {}}, "not the options of a run"),
        ({"start": [1.0]}, "not the options of a run"),
        ({"given": None}, "not the options of a run"),
    ],
)
def test_options_of_another_kind_are_named(change: dict[str, Any], text: str, whole: Path, tmp_path: Path) -> None:
    options = {**RunFolder(whole).options(), **change}
    RunFolder(tmp_path).write_options(options)
    with pytest.raises(RunError, match=rf"^run\.json: .*{text}"):
        go_on(tmp_path)


def test_a_damaged_state_is_named(sounds_folder: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    begin(sounds_folder, run, until=1)
    arrays, info = small.state(run)
    path = run / "last.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(RunError, match=r"last\.safetensors: damaged"):
        go_on(run)
    short = {**arrays, "exp_avg.tree": arrays["exp_avg.tree"][1:]}
    one = {name: array for name, array in arrays.items() if name != "exp_avg_sq.tree"}
    for state in ((arrays, {"step": 1}), (one, info), (short, info), ({}, info)):
        RunFolder(run).save("last", *state)
        with pytest.raises(RunError, match=r"last\.safetensors: not a state|made by other options"):
            go_on(run)


def test_an_unknown_preset(sounds_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="preset huge: must be digits, piano, general, tiny"):
        begin(sounds_folder, tmp_path / "run", preset="huge")
    assert os.listdir(tmp_path) == []


# corpora


def test_stereo_any_rate_and_what_is_skipped(tmp_path: Path) -> None:
    make = sounds.maker(tmp_path / "in")
    make("1_a_1.wav", np.stack([small.harmonics(300, 20000, 44100)] * 2, 1), 44100)
    make("2_b_1.flac", small.harmonics(200, 6000, 16000), 16000)
    make("1_b_2.ogg", small.harmonics(250, 9000, 22050), 22050)
    make("1_b_3.wav", small.harmonics(250, 3000))
    silent = make("0_silent_1.wav", np.zeros(4000, np.int16))
    text = tmp_path / "in" / "2_text_1.wav"
    text.write_text("no sound")
    said: list[str] = []
    begin(tmp_path / "in", tmp_path / "run", until=1, say=said.append)
    corpus = open_cache(tmp_path / "run" / "cache")
    assert corpus.rate == 8000
    assert {entry.name for entry in corpus.entries} == {"1_a_1.wav", "2_b_1.flac", "1_b_2.ogg", "1_b_3.wav"}
    skipped = [line.split(":")[0] for line in said if line.startswith("skipped")]
    assert skipped == [f"skipped {silent}", f"skipped {text}"]
    options = RunFolder(tmp_path / "run").options()
    assert options["model"]["labels"] == [["digit", ["1", "2"]], ["speaker", ["a", "b"]]]


def test_the_rate_may_be_chosen(sounds_folder: Path, tmp_path: Path) -> None:
    begin(sounds_folder, tmp_path / "run", rate=11025, until=1)
    assert RunFolder(tmp_path / "run").options()["model"]["sample_rate"] == 11025
    assert open_cache(tmp_path / "run" / "cache").rate == 11025


def test_labels_are_dropped_at_random_in_training_not_in_validation(whole: Path) -> None:
    from accelerate import Accelerator

    with RunFolder(whole) as folder:
        run = Trainer(folder, folder.options(), Accelerator(cpu=True), True, lambda text: None)
    assert run.task.model.labels == LabelSet((("digit", ("0", "1", "2")), ("speaker", ("ann", "bob"))))
    rows = np.concatenate([run.task.batches.batch(step).labels.reshape(-1, 2) for step in range(40)])
    assert 0.2 < (rows == 0).all(1).mean() < 0.5  # all of a file
    one = (rows == 0).any(1) & ~(rows == 0).all(1)
    assert 0.05 < one.mean() < 0.35
    assert all(0 not in labels for _, labels in run.task.rows)


@pytest.mark.parametrize("kind", ["empty", "text", "silent", "missing"])
def test_a_corpus_without_anything_usable(kind: str, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    if kind != "missing":
        folder.mkdir()
    if kind == "text":
        (folder / "a.wav").write_text("no sound")
    if kind == "silent":
        sounds.maker(folder)("a.wav", np.zeros(4000, np.int16))
    with pytest.raises(CorpusError, match=str(folder)):
        begin(folder, tmp_path / "run", labels=None)
    assert set(os.listdir(tmp_path)) <= {"in"}  # no run was begun: nothing is left
    small.corpus(folder, 4)
    if kind == "empty":
        begin(folder, tmp_path / "run", until=1)  # what failed does not stand in the way


def test_without_validation_files_a_run_goes_by_its_training_bits(tmp_path: Path) -> None:
    small.corpus(tmp_path / "in", 3)
    begin(tmp_path / "in", tmp_path / "run", split="train:every=1+1;validation:every=1+1", until=4)
    record = small.records(tmp_path / "run")[-1]
    assert record["step"] == 4
    assert record.keys() == {"step", "train"}
    assert small.state(tmp_path / "run", "best")[1]["validation"] == record["train"]
