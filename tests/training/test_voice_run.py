"""`synth train --task voice`: a folder that is a checkpoint, going on, beginning from a voice, time, refusals."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from helpers import small, sounds
from helpers.tools import tiny_checkpoint

torch = pytest.importorskip("torch")

from helpers import runs

import synth
from synth.common.errors import CheckpointError, RunError, UsageError
from synth.data.corpus import open_cache
from synth.engine.config import ModelConfig
from synth.generation import checkpoint
from synth.training.config import GeneratorTrainConfig
from synth.training.export import export
from synth.training.run_folder import RunFolder
from synth.training.tasks import planner, vocoder
from synth.training.tasks.planner import PlannerTrainConfig
from synth.training.vocoder_config import VocoderTrainConfig
from synth.vocoder.config import VocoderConfig

TESTS = Path(__file__).parents[1]
DECODER = (
    ModelConfig(8000, frame_units=16, sample_units=16, head_units=16),
    GeneratorTrainConfig(steps=6, streams=3, span=592, windows=2, window=64, warmup=16, every=2, fine_steps=2),
    VocoderConfig(mels=8, latent=8, quantisers=3, encoder_units=16, units=16, tones=16),
    VocoderTrainConfig(gain_db=3),
)
PLANNER = (
    ModelConfig(8000, window=16, frame_units=16, sample_units=16, head_units=16, period=2),
    GeneratorTrainConfig(steps=6, streams=3, span=2608, windows=1, every=2, fine_steps=2),
    PlannerTrainConfig(partial=0.5),
)
STEPS = 4


@pytest.fixture(scope="module", autouse=True)
def mini() -> Iterator[None]:
    """The presets `tiny` are smaller still; torch has one thread."""
    threads = torch.get_num_threads()
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(vocoder.PRESETS, "tiny", DECODER)
        for name in ("tiny", "digits"):  # that of a voice at 8 kHz with a tonal bed that begins from another
            patch.setitem(planner.PRESETS, name, PLANNER)
        patch.setitem(vocoder.PRESETS, "digits", DECODER)
        torch.set_num_threads(1)
        yield
    torch.set_num_threads(threads)


def begin(corpus: Path, run: Path, **options: Any) -> list[str]:
    """Trains a voice; what it said."""
    said: list[str] = []
    given = {"task": "voice", "preset": "tiny", "quiet": True, "threads": 1, "steps": STEPS, **options}
    if given["steps"] is None:
        del given["steps"]
    runs.train([corpus], run, said.append, **given)
    return said


def go_on(run: Path, **options: Any) -> list[str]:
    said: list[str] = []
    runs.train([], run, said.append, **{"quiet": True, "threads": 1, **options})
    return said


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small.corpus(tmp_path_factory.mktemp("corpus") / "in", 9, 1500)


@pytest.fixture(scope="module")
def whole(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("voice") / "mine"
    (run.parent / "said.json").write_text(json.dumps(begin(corpus, run, labels=small.PATTERN)))
    return run


@pytest.fixture
def copy(whole: Path, tmp_path: Path) -> Path:
    """The whole run, to be gone on with."""
    return Path(shutil.copytree(whole, tmp_path / "mine"))


# the folder


def test_the_folder_is_a_voice(whole: Path) -> None:
    names = {path.name for path in whole.iterdir()}
    auditions = {"audition.wav", "audition-copy.wav"}
    assert names == {"run.json", "lock", "cache", "decoder", "planner", "voice.safetensors", *auditions}
    voice = synth.load(whole)
    assert isinstance(voice, synth.Voice) and voice.sample_rate == 8000
    wave = voice.generate(0.2, seed=1, labels={"digit": "1", "speaker": "ann"})
    assert len(wave) == 1600 and np.isfinite(wave).all()
    for name in auditions:
        wave, rate = soundfile.read(whole / name, dtype="int16")
        assert rate == 8000 and wave.any(), name
    assert len(soundfile.read(whole / "audition.wav")[0]) == 80000
    options = RunFolder(whole).options()
    assert (options["task"], options["stage"], options["budget"]) == ("voice", "done", None)
    for stage in ("decoder", "planner"):
        assert small.state(whole / stage)[1]["step"] == STEPS and small.records(whole / stage)


def test_it_says_what_it_does(whole: Path) -> None:
    said = "\n".join(json.loads((whole.parent / "said.json").read_text()))
    for text in (
        "corpus: 9 files, 1.9 s, mixed to mono at 8000 Hz",
        "label digit: 0 (3), 1 (3), 2 (3)",
        "split: ",
        "for validation",
        f"generate-audio out.wav -c {whole}",
        f"synth train -o {whole} --minutes 10",
    ):
        assert text in said, text


def test_validation_is_of_stretches_and_nothing_is_for_test(whole: Path) -> None:
    corpus = open_cache(whole / "cache")
    assert {entry.split for entry in corpus.entries} == {"train", "validation"}
    assert 0.04 < corpus.size("validation") / len(corpus.audio) < 0.3
    assert sum(entry.length for entry in corpus.entries) == len(corpus.audio)


def test_export_writes_it_anew(whole: Path, tmp_path: Path) -> None:
    card = export(whole, tmp_path / "out.safetensors", steps=0, quiet=True)
    assert "planner" in card and synth.load(tmp_path / "out.safetensors").generate(0.05, seed=1).size == 400


# going on


@pytest.mark.parametrize("until", [1, 3])
def test_a_stopped_run_goes_on_to_the_same_bytes(until: int, corpus: Path, whole: Path, tmp_path: Path) -> None:
    run = tmp_path / "mine"
    begin(corpus, run, labels=small.PATTERN, until=until)
    with pytest.raises(CheckpointError, match="is the folder of a training run, with no voice.safetensors yet"):
        synth.load(run)
    go_on(run, resume=True)
    for stage in ("decoder", "planner"):
        small.same(whole / stage, run / stage)
    one, other = (checkpoint.load(path) for path in (whole, run))
    assert one.voice is not None and other.voice is not None
    for name, tensor in (one.tensors | one.voice.named()).items():
        np.testing.assert_array_equal(tensor, (other.tensors | other.voice.named())[name], err_msg=name)
    assert "has ended" in go_on(run, resume=True)[-1]


def test_it_is_trained_further_with_the_same_tokens(copy: Path, whole: Path) -> None:
    go_on(copy, steps=3)
    for stage in ("decoder", "planner"):
        assert small.state(copy / stage)[1]["step"] == STEPS + 3
        assert [record["step"] for record in small.records(copy / stage)][-1] == STEPS + 3
    before, after = checkpoint.load(whole).voice, checkpoint.load(copy).voice
    assert before is not None and after is not None and after.planner is not None
    np.testing.assert_array_equal(before.tensors["vocoder.books"], after.tensors["vocoder.books"])
    tree = [small.state(run / "decoder")[0]["weight.network.tree"] for run in (whole, copy)]
    assert not np.array_equal(*tree)
    go_on(copy, steps=2)
    assert small.state(copy / "planner")[1]["step"] == STEPS + 5


def test_a_run_is_not_trained_over(whole: Path, corpus: Path) -> None:
    with pytest.raises(RunError, match="holds a run already; give --resume to finish"):
        begin(corpus, whole, steps=None)
    with pytest.raises(RunError, match="made with preset 'tiny', not 'speech'"):
        begin(corpus, whole, preset="speech")
    with pytest.raises(RunError, match="made with --task voice|made with task 'voice', not 'generate'"):
        go_on(whole, task="generate", steps=9)


def test_files_that_come_and_go_are_named(corpus: Path, tmp_path: Path) -> None:
    place = Path(shutil.copytree(corpus, tmp_path / "in"))
    run = tmp_path / "mine"
    begin(place, run, steps=2)
    sounds.maker(place)("new.wav", small.harmonics(250, 3000))
    (place / "0_bob_0.wav").unlink()
    said = "\n".join(go_on(run, steps=2))
    assert "the corpus has changed (new: new.wav, gone: 0_bob_0.wav): it is read again" in said
    assert "new.wav" in {entry.name for entry in open_cache(run / "cache").entries}
    shutil.rmtree(place)
    assert "going on with the sounds as they were read before" in "\n".join(go_on(run, steps=2))


def test_other_labels_are_refused(corpus: Path, tmp_path: Path) -> None:
    place = Path(shutil.copytree(corpus, tmp_path / "in"))
    run = tmp_path / "mine"
    begin(place, run, steps=2, labels=small.PATTERN)
    sounds.maker(place)("7_ann_1.wav", small.harmonics(250, 3000))
    before = small.state(run / "decoder")[1]
    with pytest.raises(RunError, match=f"other labels, or values of them, than before; .*--from {run}"):
        go_on(run, steps=2)
    assert small.state(run / "decoder")[1] == before and isinstance(synth.load(run), synth.Voice)
    assert not (run / "cache.new").exists() and RunFolder(run).options()["stage"] == "done"


# beginning from a voice


def test_a_voice_begins_from_another(whole: Path, corpus: Path, tmp_path: Path) -> None:
    run = tmp_path / "mine"
    begin(corpus, run, preset=None, base=str(whole), labels=small.PATTERN, steps=2)
    before, after = checkpoint.load(whole), checkpoint.load(run)
    assert before.voice is not None and after.voice is not None
    for name in ("vocoder.books", "vocoder.encoder.out.weight", "vocoder.encoder.out.bias"):
        np.testing.assert_array_equal(before.voice.tensors[name], after.voice.tensors[name])
    near = np.abs(before.tensors["frame.output.bias"].astype(int) - after.tensors["frame.output.bias"])
    assert near.max() < 40  # of 1024 to 1: two steps away
    assert RunFolder(run / "decoder").options()["held"] is True
    assert after.voice.planner == before.voice.planner


def test_labels_that_the_base_lacks(whole: Path, corpus: Path, tmp_path: Path) -> None:
    run = tmp_path / "mine"
    begin(corpus, run, preset=None, base=str(whole), labels="{mood}_{_}_{take}", steps=2)
    loaded = checkpoint.load(run)
    assert list(loaded.config.labels) == ["mood"] and loaded.voice is not None and loaded.voice.planner is not None
    assert synth.load(run).generate(0.1, seed=1, labels={"mood": "1"}).size == 800


def test_what_does_not_fit_a_base(whole: Path, corpus: Path, tmp_path: Path) -> None:
    for options, kind, words in (
        ({"base": str(whole), "rate": 16000}, UsageError, "--rate 16000: .* is a voice at 8000 Hz, .*--from scratch"),
        ({"base": str(whole), "preset": "tiny"}, UsageError, "--preset tiny: a voice that begins from another"),
        ({"base": str(tiny_checkpoint())}, CheckpointError, "is no voice"),
        ({"base": "nobody"}, CheckpointError, "nobody: no such checkpoint"),
        ({"preset": "piano"}, UsageError, "preset piano: must be .*; piano is a preset of --task generate"),
        ({"preset": "tiny", "density": 0.5}, UsageError, "--density: --task voice does not take it"),
        ({"preset": "tiny", "minutes": 1.0}, UsageError, "--steps: is how long to train, as --minutes is"),
        ({"preset": "tiny", "steps": None, "minutes": float("nan")}, UsageError, "--minutes nan: must be a finite"),
        ({"preset": "tiny", "steps": None, "minutes": -1.0}, UsageError, "--minutes -1: must be a finite number"),
        ({"preset": "tiny", "steps": None, "minutes": 1e6}, UsageError, r"--minutes 1e\+06: is more than a week"),
    ):
        with pytest.raises(kind, match=words):
            begin(corpus, tmp_path / "mine", **{"preset": None, **options})
        assert os.listdir(tmp_path) == []


def test_folders_that_are_no_voice(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"is a folder without voice\.safetensors; a checkpoint is"):
        synth.load(tmp_path)


# time


@pytest.mark.slow
def test_the_command_keeps_to_its_time_and_goes_on(tmp_path: Path) -> None:
    place, run = small.corpus(tmp_path / "in", 24, 4000), tmp_path / "mine"
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}

    def command(*words: object) -> float:
        began = time.monotonic()
        line = [sys.executable, "-m", "synth", *map(str, words)]
        done = subprocess.run(line, capture_output=True, text=True, timeout=200, env=environment, cwd=TESTS.parent)
        assert done.returncode == 0, done.stderr[-3000:]
        return time.monotonic() - began

    first = command("train", place, "-o", run, "--minutes", 0.5, "--preset", "tiny", "--threads", 1)
    assert 15 < first < 120  # with what starting Python takes, on a machine that others may have too
    steps = small.state(run / "decoder")[1]["step"]
    command("train", "-o", run, "--minutes", 0.5, "--threads", 1)
    assert small.state(run / "decoder")[1]["step"] > steps
    command("info", run)
    assert synth.load(run).generate(0.2, seed=1).any()
