"""Training a vocoder and making a voice of it: going on exactly, figures, what is refused."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import small, voices

torch = pytest.importorskip("torch")

from helpers import runs

import synth
from synth.audio import mulaw
from synth.audio.nearness import SoundFigures, distance
from synth.common.errors import OutputError, RunError, UsageError
from synth.data.corpus import open_cache
from synth.data.sound_figures import figures_of_corpus
from synth.engine.config import ModelConfig
from synth.engine.layout import block_density
from synth.generation import checkpoint
from synth.nn.code_order import ordered
from synth.training.config import GeneratorTrainConfig
from synth.training.export import export
from synth.training.run_folder import RunFolder
from synth.training.tasks import vocoder as vocoder_task
from synth.training.vocoder_config import VocoderTrainConfig
from synth.vocoder.config import VocoderConfig

MINI = (
    ModelConfig(8000, frame_units=16, sample_units=16, head_units=16),
    GeneratorTrainConfig(steps=6, streams=3, span=592, windows=2, window=64, warmup=16, every=3, fine_steps=2),
)
MINI = (
    *MINI,
    VocoderConfig(mels=8, latent=8, quantisers=3, encoder_units=16, units=16),
    VocoderTrainConfig(gain_db=3),
)


TINY_RUN = runs.Tiny(vocoder_task.PRESETS, MINI, {"task": "vocoder", "labels": small.PATTERN}, 9, 900)
begin, go_on = TINY_RUN.begin, runs.go_on


def test_figures_are_finite_and_logged(whole: Path) -> None:
    log = small.records(whole)
    assert [record["step"] for record in log] == [3, 6]
    for record in log:
        assert record.keys() == {"step", "train", "validation", "validation_free", "spectral"}
        assert all(np.isfinite(value) for value in record.values()) and 4 < record["validation"] < 10
    arrays, info = small.state(whole)
    assert info["step"] == 6 and info["best"] == min(record["validation"] for record in log)
    assert all(np.isfinite(array).all() for array in arrays.values())
    assert {"weight.quantisers.books", "weight.quantisers.sums", "weight.quantisers.counts"} <= arrays.keys()
    options = RunFolder(whole).options()
    assert options["task"] == "vocoder" and options["model"]["stride"] == 5
    assert options["train"]["span"] == 640  # whole token frames


def test_all_of_it_learns(whole: Path, sounds_folder: Path, tmp_path: Path) -> None:
    begin(sounds_folder, tmp_path / "run", until=1)
    before, after = small.state(tmp_path / "run")[0], small.state(whole)[0]
    for name, value in before.items():
        if name.startswith("weight.") and "label" not in name:
            assert not np.array_equal(value, after[name]), name
    books = after["weight.quantisers.books"]
    assert all(len(np.unique(book, axis=0)) >= 12 for book in books)  # a step has 12 vectors


@pytest.mark.parametrize("stops", [[2], [3], [1, 4]])
def test_n_plus_m_steps_equal_n_stop_resume_m(
    stops: list[int], whole: Path, sounds_folder: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    begin(sounds_folder, run, until=stops[0])
    for until in [*stops[1:], None]:
        go_on(run, until=until)
    small.same(whole, run)


def test_another_seed_makes_another_run(whole: Path, sounds_folder: Path, tmp_path: Path) -> None:
    begin(sounds_folder, tmp_path / "run", seed=1, until=1)
    arrays, other = small.state(tmp_path / "run")[0], small.state(whole)[0]
    assert not np.array_equal(arrays["weight.quantisers.books"], other["weight.quantisers.books"])


# export


@pytest.fixture(scope="module")
def exported(whole: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("voice") / "mini.safetensors"
    export(whole, out, card={"licence": "CC0"}, quiet=True)
    return out


def test_an_export_is_a_voice_that_speaks(exported: Path, whole: Path) -> None:
    model = synth.load(exported)
    voice = model.checkpoint.voice
    assert voice is not None and voice.planner is None and voice.config == MINI[2]
    assert model.labels == {"digit": ("0", "1", "2"), "speaker": ("ann", "bob")}
    sound = voices.sound(1000)
    wave = model.generate(features=model.features(sound, 8000), seed=1, labels={"digit": "1"})
    assert wave.shape == (1120,) and wave.any()
    with pytest.raises(UsageError, match="no planner"):
        model.generate(samples=10)
    info = model.checkpoint.info
    assert info["licence"] == "CC0" and info["steps"] in (3, 6) and info["fine_steps"] == 2
    assert info["given"]["preset"] == "mini" and "corpora" not in info["given"]
    assert os.fspath(whole.parent.parent) not in str(info)
    corpus = open_cache(whole / "cache")
    assert distance(SoundFigures.from_json(info["corpus_sound"], 8000), figures_of_corpus(corpus)) < 0.02


def test_the_cards_bits_are_those_of_the_engine(exported: Path, whole: Path) -> None:
    model, corpus = synth.load(exported), open_cache(whole / "cache")
    assert model.runtime is not None
    vocoder, info = model.runtime.vocoder, model.checkpoint.info["bits_per_sample"]
    assert info.keys() == {split for split in ("validation", "test") if corpus.split(split)} and info
    for split, bits in info.items():
        cost = count = 0
        for entry in corpus.split(split):
            sound = mulaw.decode(mulaw.encode(np.array(corpus.samples(entry))))
            cost += model.follow(vocoder.quantize_latents(vocoder.encode_sound(sound))).teacher_force(
                mulaw.encode(sound)
            )
            count += len(sound)
        assert cost / 65536 / count == pytest.approx(bits, abs=1e-4)


def test_encoder_and_codebooks_stay_as_they_were(exported: Path, whole: Path) -> None:
    voice, best = checkpoint.load(exported).voice, small.state(whole, "best")[0]
    assert voice is not None
    np.testing.assert_array_equal(voice.tensors["vocoder.encoder.1.weight"], best["weight.encoder_1"])
    rows = np.stack([ordered(torch.from_numpy(book)).numpy() for book in best["weight.quantisers.books"]])
    books = np.clip(np.rint(rows * 32), -127, 127)
    np.testing.assert_array_equal(voice.tensors["vocoder.books"], books)


def test_the_same_run_exports_the_same_bytes(exported: Path, whole: Path, tmp_path: Path) -> None:
    out = tmp_path / "mini.safetensors"
    export(whole, out, card={"licence": "CC0"}, quiet=True)
    assert out.read_bytes() == exported.read_bytes()
    with pytest.raises(OutputError, match="exists already"):
        export(whole, out, quiet=True)


def test_exports_that_are_refused(whole: Path, tmp_path: Path) -> None:
    out = tmp_path / "x.safetensors"
    with pytest.raises(UsageError, match="--noise: a run of --task vocoder has its own"):
        export(whole, out, noise=2.0)
    with pytest.raises(UsageError, match="--temperatures: is for a run of --task planner"):
        export(whole, out, temperatures=(1.0, 0.9))
    assert not out.exists()


# what is refused


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"preset": "piano"}, "preset piano: must be digits, speech, notes, tiny, mini with --task vocoder"),
        ({"rate": 11025}, "rate 11025: a vocoder's token frame"),
        ({"target": ["digit"]}, "--target: --task vocoder does not take it"),
        ({"vocoder": "x.safetensors"}, "--vocoder: --task vocoder does not take it"),
        ({"task": "sing"}, "task sing: must be voice or generate or classify or vocoder or planner"),
    ],
)
def test_options_that_do_not_fit(options: dict[str, Any], words: str, sounds_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=words):
        begin(sounds_folder, tmp_path / "run", **options)
    assert os.listdir(tmp_path) == []


def test_pruned_matrices_stay_pruned(sounds_folder: Path, tmp_path: Path) -> None:
    begin(sounds_folder, tmp_path / "run", density=0.5)
    assert RunFolder(tmp_path / "run").options()["train"]["density"] == 0.5
    export(tmp_path / "run", tmp_path / "v.safetensors", steps=2, quiet=True)
    tensors = checkpoint.load(tmp_path / "v.safetensors").tensors
    assert block_density(tensors["sample.recurrent.weight"]) == block_density(tensors["head.dense.weight"]) == 0.5


@pytest.mark.parametrize(("name", "value"), [("task", "generate"), ("steps", 9), ("rate", 16000), ("density", 0.5)])
def test_other_options_on_resume_are_refused(name: str, value: Any, whole: Path) -> None:
    with pytest.raises(RunError, match=f"made with .*not {value!r}; leave it out"):
        go_on(whole, **{name: value})
    go_on(whole, task="vocoder", preset="mini", rate=8000, steps=6, seed=0)


@pytest.mark.parametrize(
    "change",
    [{"vocoder": {}}, {"vocoder_train": {"free": 2}}, {"vocoder_train": None}, {"version": 9}, {"given": None}],
)
def test_options_of_another_kind_are_named(change: dict[str, Any], whole: Path, tmp_path: Path) -> None:
    RunFolder(tmp_path).write_options({**RunFolder(whole).options(), **change})
    with pytest.raises(RunError, match=r"^run\.json: "):
        go_on(tmp_path)


@pytest.mark.slow
def test_the_preset_tiny_learns(tmp_path: Path) -> None:
    corpus = small.corpus(tmp_path / "in")
    begin(corpus, tmp_path / "run", preset="tiny", steps=150)
    record = small.records(tmp_path / "run")[-1]
    assert record["validation"] < 6.6 and record["spectral"] < 0.45  # 6.1 and 0.37 where this was written


def test_training_options_have_ranges() -> None:
    for name, value in (("spectral", -1), ("free", 1.1), ("free", float("nan")), ("noise", 101), ("gain_db", -0.1)):
        with pytest.raises(UsageError, match=f"^{name} {value}"):
            VocoderTrainConfig(**{name: value})
