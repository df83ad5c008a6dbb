"""The folder of a run: lock, options, state and log, whatever a crash left there."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from synth.common.errors import OutputError, RunError
from synth.training import run_folder
from synth.training.run_folder import RunFolder

ARRAYS = {"weight.a": np.arange(6, dtype=np.float32).reshape(2, 3), "exp_avg.a": np.zeros(3)}


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    info = {"step": 7, "best": float("inf"), "recent": [1 / 3, 0.1]}
    folder.save("last", {**ARRAYS, "turned": ARRAYS["weight.a"].T}, info)
    arrays, back = folder.load("last")
    assert back == info and arrays.keys() == {*ARRAYS, "turned"}
    np.testing.assert_array_equal(arrays["turned"], ARRAYS["weight.a"].T)
    np.testing.assert_array_equal(arrays["weight.a"], ARRAYS["weight.a"])
    assert os.listdir(tmp_path) == ["last.safetensors"]


def test_one_process_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "run"
    with RunFolder(path) as first:
        first.write_options({"a": 1})
        with pytest.raises(RunError, match="run: another process is training in this folder"), RunFolder(path):
            pass
        with RunFolder(path, lock=False) as watcher:
            assert watcher.options() == {"a": 1}
    with RunFolder(path):
        pass  # free again


def test_a_refused_second_process_leaves_the_lock_alone(tmp_path: Path) -> None:
    with RunFolder(tmp_path / "run"):
        for _ in range(2):
            with pytest.raises(RunError, match="another process"), RunFolder(tmp_path / "run"):
                pass


def test_a_folder_in_which_nothing_was_begun_goes_again(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="x"), RunFolder(tmp_path / "run") as folder:
        (folder.path / "cache").mkdir()
        raise RunError("x")
    assert os.listdir(tmp_path) == []
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("keep")
    refused = pytest.raises(RunError, match=r"mine: holds other files \(notes.txt\)")
    with refused, RunFolder(tmp_path / "mine") as folder:
        folder.check_unused()
    assert os.listdir(tmp_path / "mine") == ["notes.txt"]  # no lock
    with RunFolder(tmp_path / "run") as folder:
        folder.write_options({})
    assert (tmp_path / "run" / "run.json").exists()


def test_what_a_killed_run_left_is_no_hindrance_sounds_are(tmp_path: Path) -> None:
    (tmp_path / "cache").mkdir()
    for name in ("lock", ".DS_Store", "cache/index.json"):
        (tmp_path / name).touch()
    with RunFolder(tmp_path) as folder:
        folder.check_unused()
    (tmp_path / "cache" / "a.wav").touch()
    with pytest.raises(RunError, match="holds other files"), RunFolder(tmp_path) as folder:
        folder.check_unused()
    assert (tmp_path / "cache" / "a.wav").exists()


def test_a_run_that_fails_before_its_first_step_is_taken_back(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="x"), RunFolder(tmp_path / "run") as folder:
        folder.write_options({})
        with folder.kept_if_it_begins():
            raise RunError("x")
    assert os.listdir(tmp_path) == []


def test_places_that_cannot_be_a_run_are_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file", tmp_path / "missing" / "run"):
        with pytest.raises(RunError, match=f"^{path}: can't be used as a run folder"), RunFolder(path):
            pass
    assert os.listdir(tmp_path) == ["file"]


def test_a_folder_without_a_run_and_damaged_options_are_named(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no run in this folder"):
        RunFolder(tmp_path).options()
    for content in (b"", b"{", b"[1, 2]", b"7", b"\xff\xfe"):
        (tmp_path / "run.json").write_bytes(content)
        with pytest.raises(RunError, match=r"run\.json: can't be read"):
            RunFolder(tmp_path).options()


def test_a_damaged_state_is_named(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    with pytest.raises(RunError, match="last.safetensors: missing"):
        folder.load("last")
    folder.save("last", ARRAYS, {"step": 1})
    path = tmp_path / "last.safetensors"
    data = path.read_bytes()
    for damaged in (b"", data[:5], data[:50], data[:-1], b"\xff" * 8 + data[8:], data[:8] + b"[" + data[9:]):
        path.write_bytes(damaged)
        with pytest.raises(RunError, match=r"last\.safetensors: damaged"):
            folder.load("last")
    path.write_bytes(data)
    assert folder.load("last")[1] == {"step": 1}


def test_a_state_that_cannot_be_written_leaves_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = RunFolder(tmp_path)
    folder.save("last", ARRAYS, {"step": 1})

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError, match=r"last\.safetensors: .*No space left"):
        folder.save("last", ARRAYS, {"step": 2})
    assert folder.load("last")[1] == {"step": 1}
    assert os.listdir(tmp_path) == ["last.safetensors"]


def test_a_line_that_a_crash_cut_is_forgotten(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    assert folder.records() == []
    folder.log({"step": 4, "validation": 3.5})
    folder.log({"step": 8})
    with open(tmp_path / "log.jsonl", "a") as file:
        file.write('{"step": 12, "vali')
    assert folder.records() == [{"step": 4, "validation": 3.5}, {"step": 8}]
    folder.trim_log(4)
    folder.log({"step": 8, "again": True})
    assert folder.records() == [{"step": 4, "validation": 3.5}, {"step": 8, "again": True}]
    folder.trim_log(0)
    assert folder.records() == []


def test_nothing_of_a_state_is_pickled() -> None:
    source = Path(run_folder.__file__).read_text()
    assert "pickle" not in source.split('"""', 2)[2] and "torch" not in source


def test_a_card_names_no_place(tmp_path: Path) -> None:
    (tmp_path / "split.csv").write_text("file,split\n")
    given = {"corpora": ["/home/me"], "split": str(tmp_path / "split.csv"), "labels": "{digit}_{take}", "rate": 8000}
    assert run_folder.without_paths(given) == {"split": "split.csv", "labels": "{digit}_{take}", "rate": 8000}
