"""Training a planner for a voice and putting it in: going on exactly, figures, what is refused."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import small, voices
from helpers.tools import tiny_checkpoint

torch = pytest.importorskip("torch")

from helpers import runs

import synth
from synth.audio import mulaw
from synth.common.errors import CheckpointError, RunError, UsageError
from synth.common.labels import LabelSet
from synth.data.corpus import open_cache
from synth.engine.config import ModelConfig
from synth.generation import checkpoint
from synth.nn.quantization import quantize
from synth.nn.two_tier import TwoTierNetwork
from synth.training.batches import validation_rows
from synth.training.config import GeneratorTrainConfig
from synth.training.export import export
from synth.training.run_folder import RunFolder
from synth.training.sound_bounds import bounds_of
from synth.training.tasks import planner
from synth.training.tasks.planner import PlannerTrainConfig, bits_of, tokens_of
from synth.vocoder import timing
from synth.vocoder.voice import VoiceParts

LABELS = LabelSet((("digit", ("0", "1", "2")), ("speaker", ("ann", "bob"))))
MINI = (
    ModelConfig(8000, window=16, frame_units=16, sample_units=16, head_units=16, period=2),
    GeneratorTrainConfig(steps=6, streams=3, span=2608, windows=1, every=3, fine_steps=2),
    PlannerTrainConfig(partial=0.5),
)


TINY_RUN = runs.Tiny(planner.PRESETS, MINI, {"task": "planner", "labels": small.PATTERN}, 9, 900)
go_on = runs.go_on


def voice_with(labels: LabelSet, path: Path) -> Path:
    config = replace(voices.NETWORK, labels=labels)
    own = VoiceParts(voices.VOCODER, voices.vocoder_tensors(11))
    checkpoint.save(path, config, voices.uneven(config, 1), {"licence": "none"}, own)
    return path


@pytest.fixture(scope="module")
def voice(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A voice without a planner, with the labels of the corpus."""
    return voice_with(LABELS, tmp_path_factory.mktemp("voice") / "v.safetensors")


def begin(corpus: Path, run: Path, voice: Path | str | None, **options: Any) -> None:
    TINY_RUN.begin(corpus, run, vocoder=voice and str(voice), **options)


@pytest.fixture(scope="module")
def whole(sounds_folder: Path, voice: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of 6 steps without a stop."""
    run = tmp_path_factory.mktemp("whole") / "run"
    begin(sounds_folder, run, voice)
    return run


def test_figures_are_finite_and_logged(whole: Path, voice: Path) -> None:
    log = small.records(whole)
    assert [record["step"] for record in log] == [3, 6]
    for record in log:
        assert record.keys() == {"step", "train", "validation"}
        assert all(np.isfinite(value) for value in record.values()) and 4 < record["validation"] < 10
    assert all(np.isfinite(array).all() for array in small.state(whole)[0].values())
    assert (whole / "vocoder.safetensors").read_bytes() == voice.read_bytes()
    options = RunFolder(whole).options()
    assert options["task"] == "planner" and options["model"]["labels"] == timing.timed(LABELS).to_json()
    assert options["train"]["span"] == 3840  # whole frames of 16 tokens


@pytest.mark.parametrize("stops", [[2], [3], [1, 4]])
def test_n_plus_m_steps_equal_n_stop_resume_m(
    stops: list[int], whole: Path, voice: Path, sounds_folder: Path, tmp_path: Path
) -> None:
    """The voice may go meanwhile: the run has its own."""
    run, mine = tmp_path / "run", tmp_path / "mine.safetensors"
    mine.write_bytes(voice.read_bytes())
    begin(sounds_folder, run, mine, until=stops[0])
    mine.unlink()
    for until in [*stops[1:], None]:
        go_on(run, until=until)
    small.same(whole, run)


@pytest.mark.parametrize("period", [1, 2, 4, 16])
def test_training_counts_what_the_engine_counts(period: int) -> None:
    """Bits of tokens by the network with rounded weights and by the integer engine, at every place of a frame."""
    config = replace(voices.planner(period), sample_units=32)
    torch.manual_seed(period)
    network = TwoTierNetwork(config)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if name.endswith(("bias", "inner")):
                parameter.normal_(0, 0.3)
        network.tree.mul_(12).clamp_(-1.9, 1.9)
    network.quantized = True
    tokens = np.random.default_rng(0).integers(0, 256, (2, 160)).astype(np.uint8)
    labels = np.broadcast_to(np.array([[[3, 1]], [[0, 2]]]), (2, 10, 2)).astype(np.int64)
    with torch.no_grad():
        floats = bits_of(network, tokens, tokens, labels).numpy()
    player = synth.engine.create(config, quantize(network, {}))
    for row, known in enumerate(((3, 1), (0, 2))):
        state = player.state()
        state.labels = known
        costs = player.teacher_force(state, tokens[row]) / 65536
        assert costs.mean() == pytest.approx(floats[row].mean(), rel=0.01)
        assert np.corrcoef(costs, floats[row])[0, 1] > 0.99


# export


@pytest.fixture(scope="module")
def exported(whole: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("voice") / "mini.safetensors"
    export(whole, out, temperatures=(0.9, 0.8), card={"note": "x"}, quiet=True)
    return out


def test_an_export_is_the_voice_with_a_planner(exported: Path, voice: Path, whole: Path) -> None:
    before, after = checkpoint.load(voice), checkpoint.load(exported)
    assert before.voice is not None and after.voice is not None
    assert (after.config, after.voice.config) == (before.config, before.voice.config)
    for name, tensor in (before.tensors | before.voice.tensors).items():
        np.testing.assert_array_equal((after.tensors | after.voice.tensors)[name], tensor)
    assert after.voice.planner == replace(MINI[0], labels=timing.timed(LABELS)) and after.voice.temperatures == (
        0.9,
        0.8,
    )
    info = after.info
    assert info["licence"] == "none" and info["note"] == "x" and info["planner"]["fine_steps"] == 2
    assert info["planner"]["given"]["vocoder"] == "v.safetensors"
    assert info["corpus_sound"]["rate"] == after.config.sample_rate
    assert os.fspath(whole.parent.parent) not in str(info)


def test_it_speaks_by_itself(exported: Path) -> None:
    model = synth.load(exported)
    assert model.runtime is not None and model.runtime.temperatures == (0.9, 0.8)
    options: dict[str, Any] = {"samples": 700, "labels": {"digit": ["1", "2"], "speaker": "ann"}}
    first, again, other = (model.generate(seed=seed, **options) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_the_cards_bits_are_those_of_the_engine(exported: Path, whole: Path) -> None:
    model, corpus = synth.load(exported), open_cache(whole / "cache")
    assert model.runtime is not None and model.runtime.planner is not None
    figures = model.checkpoint.info["planner"]["bits_per_token"]
    assert figures
    for split, bits in figures.items():
        cost = count = 0
        for codes, rows in validation_rows(corpus, split):
            state = model.runtime.planner.state()
            tokens = tokens_of(model.runtime.vocoder, codes, 2)
            begin, length = bounds_of(mulaw.decode(codes), voices.HOP)
            for step, at in enumerate(range(0, len(tokens), 16)):
                state.labels = (*rows, *timing.ids_at(8 * step, 8, begin, length))
                cost += int(model.runtime.planner.teacher_force(state, tokens[at : at + 16]).astype(np.uint64).sum())
            count += len(tokens)
        assert cost / 65536 / count == pytest.approx(bits, abs=1e-4)


# what is refused


def test_voices_that_do_not_fit(sounds_folder: Path, voice: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    cases: list[tuple[Any, dict[str, Any], type[Exception], str]] = [
        (None, {}, UsageError, "--task planner: needs --vocoder"),
        (tiny_checkpoint(), {}, CheckpointError, "is no voice; synth train --task vocoder and synth export make one"),
        (tmp_path / "missing", {}, CheckpointError, "no such checkpoint"),
        (voice, {"preset": "speech"}, UsageError, "preset speech: plans 16 tokens a frame, the voice has fewer"),
        (voice, {"preset": "piano"}, UsageError, "preset piano: must be digits, speech, notes, tiny, mini with --task"),
        (voice, {"labels": None}, UsageError, "labels are digit .3., speaker .2., the corpus's none; they must be the"),
        (voice, {"labels": "{digit}_{who}_{take}"}, UsageError, "they must be the same"),
        (voice, {"rate": 8000}, UsageError, "--rate: --task planner does not take it"),
        (voice, {"density": 0.5}, UsageError, "--density: --task planner does not take it"),
    ]
    for place, options, kind, words in cases:
        with pytest.raises(kind, match=words):
            begin(sounds_folder, run, place, **options)
        assert not run.exists(), words


def test_labels_with_other_values_do_not_fit(sounds_folder: Path, tmp_path: Path) -> None:
    other = voice_with(LabelSet((("digit", ("0", "1", "3")), LABELS.pairs[1])), tmp_path / "v.safetensors")
    with pytest.raises(UsageError, match="they must be the same"):
        begin(sounds_folder, tmp_path / "run", other)
    assert os.listdir(tmp_path) == ["v.safetensors"]


def test_another_voice_on_resume_is_refused(whole: Path, tmp_path: Path) -> None:
    other = voice_with(LABELS, tmp_path / "v.safetensors")
    with pytest.raises(RunError, match="made with vocoder .*leave it out"):
        go_on(whole, vocoder=str(other))


def test_exports_that_are_refused(whole: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--noise: a run of --task planner has its own"):
        export(whole, tmp_path / "x.safetensors", noise=2.0)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("change", [{"planner_train": {}}, {"planner_train": {"gap": [2, 1]}}, {"model": {}}])
def test_options_of_another_kind_are_named(change: dict[str, Any], whole: Path, tmp_path: Path) -> None:
    RunFolder(tmp_path).write_options({**RunFolder(whole).options(), **change})
    with pytest.raises(RunError, match=r"^run\.json: "):
        go_on(tmp_path)


def test_a_share_of_what_is_read_is_the_planners_own(whole: Path) -> None:
    draw = np.random.default_rng(0)
    torch.manual_seed(0)
    network = TwoTierNetwork(replace(MINI[0], labels=LabelSet()))
    tokens = draw.integers(0, 256, (8, 64)).astype(np.uint8)
    counted = np.arange(64) % 2 < np.array([2, 2, 2, 2, 2, 2, 1, 1])[:, None]
    labels = np.zeros((8, 4, 0), np.int64)
    own = planner._with_own(network, tokens, labels, counted, 1.0, np.random.default_rng(1))
    changed = own != tokens
    assert 0.2 < changed[:6].mean() < 0.8 and not changed[~counted].any()
    assert len(set(np.round(changed[:6].mean(1), 2))) > 3  # each stream has a share of its own
    np.testing.assert_array_equal(
        own, planner._with_own(network, tokens, labels, counted, 1.0, np.random.default_rng(1))
    )


@pytest.mark.parametrize("name", ["own", "heard_wrong", "partial"])
def test_shares_are_shares(name: str) -> None:
    with pytest.raises(UsageError, match="a share must be 0 to 1"):
        PlannerTrainConfig(**{name: 1.5})
