"""Float weights to integers: products, curves, tables, a whole network, an export."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import small
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from accelerate import Accelerator
from helpers import runs
from numpy.typing import NDArray

from synth import engine
from synth.common.errors import OutputError, RunError
from synth.common.labels import LabelSet
from synth.data.build import build
from synth.data.corpus import Corpus
from synth.engine import (
    config,
    layout,
)
from synth.engine.config import ModelConfig
from synth.engine.integer_layers import Linear, piecewise
from synth.engine.reference import ReferenceEngine
from synth.generation import checkpoint
from synth.nn import quantization
from synth.nn.two_tier import HIDDEN_LIMIT, TREE_LIMIT, TwoTierNetwork
from synth.training.batches import StreamBatches, validation_rows
from synth.training.config import GeneratorTrainConfig
from synth.training.export import export
from synth.training.optimization import TrainState
from synth.training.predictor_fit import fit_start, predict_codes, predictor_tensors
from synth.training.tasks import generator
from synth.training.tasks.generator import integer_bits, train_step, validate

ALL = np.arange(-32768, 32768)
TABLES = quantization.tables()
UNITS = {"state": (quantization.STATE, quantization.GATE), "hidden": (quantization.HIDDEN, quantization.LOGIT)}


# products


@given(st.integers(0, 2**32 - 1), st.sampled_from(["state", "hidden"]), st.floats(-4, 0.8), st.floats(0, 2))
@settings(max_examples=60, deadline=None)
def test_a_product_is_the_float_product_within_its_steps(seed: int, kind: str, size: float, spread: float) -> None:
    unit_in, unit_out = UNITS[kind]
    draw = np.random.default_rng(seed)
    rows, columns = int(draw.integers(1, 20)), int(draw.integers(1, 12)) * 16
    weight = draw.normal(0, 1, (rows, columns)) * 10.0 ** -draw.uniform(0, spread, (rows, 1))
    weight *= 10.0**size / np.abs(weight).max()
    x = draw.integers(0, 128, columns) if kind == "hidden" else draw.integers(-128, 128, columns)
    tensors = quantization.linear("x", weight, unit_in, unit_out)
    got = Linear(tensors, "x")(x)
    exact = weight @ (x / unit_in) * unit_out
    step = np.maximum(np.abs(weight).max(1), np.abs(weight).max() / 4) / 127
    gain, shift = step * unit_out / unit_in, int(tensors["x.shift"][0])
    scale = tensors["x.scale"].astype(np.float64)
    total = tensors["x.weight"].astype(np.int64) @ x
    room = np.abs(total) < (32766 << shift)
    error = gain * np.abs(x).sum() / 2  # each weight is off by half a step at most
    error += np.abs(total) * np.abs(gain - scale / 32768 / 2.0**shift)  # the scale by half of one
    error += gain * 2.0**shift / 2 + 0.5 + 1e-6  # two roundings
    assert np.all(np.abs(got - exact)[room] <= error[room])
    assert np.all(np.abs(gain * 2.0**shift * 32768 - scale) <= 0.5)
    full = (32767 * scale.astype(np.int64) + 16384) >> 15
    assert np.all(np.abs(np.abs(got) - full)[~room] <= 1) and np.all(np.sign(got)[~room] == np.sign(total)[~room])


def test_all_that_training_allows_fits_without_saturation() -> None:
    weight = np.full((256, 64), TREE_LIMIT)
    product = Linear(quantization.linear("x", weight, quantization.HIDDEN, quantization.LOGIT), "x")
    x = np.zeros(64, np.int64)
    x[:4] = 127
    assert product(x)[0] / quantization.LOGIT == pytest.approx(4 * TREE_LIMIT * HIDDEN_LIMIT, rel=0.001)
    product = Linear(quantization.linear("x", np.full((4, 16), -15.0), quantization.STATE, quantization.GATE), "x")
    assert product(np.eye(16, dtype=np.int64)[0] * 128)[0] == pytest.approx(-15 * quantization.GATE, rel=0.001)


def test_a_row_of_zeros_and_a_matrix_of_zeros() -> None:
    for weight in (np.zeros((2, 16)), np.array([[0.0] * 16, [1.0] * 16])):
        found = quantization.linear("x", weight, quantization.STATE, quantization.GATE)
        assert Linear(found, "x")(np.full(16, 100))[0] == 0
        assert 0 <= int(found["x.shift"][0]) <= 12 and found["x.scale"].min() >= 0


def test_fixed_rounds_and_saturates() -> None:
    found = quantization.fixed(np.array([0.0004, 0.0006, -1.0, 40.0, -40.0]), 1024)
    assert found.dtype == np.int16 and found.tolist() == [0, 1, -1024, 32767, -32768]


# curves and tables


def curve_of(name: str) -> NDArray[np.int64]:
    """The engine's curve over all 65536 inputs."""
    y, positive = piecewise(ALL, TABLES[f"table.{name}"].astype(np.int64), 10 if name == "sigmoid" else 9)
    return np.where(positive, y, 32768 - y if name == "sigmoid" else -y)


def test_sigmoid_is_the_formula() -> None:
    y = curve_of("sigmoid")
    assert np.abs(y / 32768 - 1 / (1 + np.exp(-ALL / 1024))).max() < 2.5e-3
    assert y[32768] == 16384 and y.min() >= 0 and y.max() <= 32767
    np.testing.assert_array_equal(y[1:32768], 32768 - y[:32768:-1])
    assert y[0] == y[1]  # -32768 is taken for -32767
    assert y[-1] > 32768 * 0.9975 and np.diff(y).min() > -50  # small steps down between segments


def test_tanh_is_the_formula() -> None:
    y = curve_of("tanh")
    assert np.abs(y / 32768 - np.tanh(ALL / 1024)).max() < 2.5e-3
    assert y[32768] == 0 and np.abs(y).max() <= 32767
    np.testing.assert_array_equal(y[1:32768], -y[:32768:-1])
    assert y[0] == y[1]
    assert y[-1] > 32768 * 0.9975 and np.diff(y).min() > -50  # small steps down between segments


def test_probabilities_are_symmetric_and_the_formulas() -> None:
    p = TABLES["table.probability"].astype(np.int64)
    np.testing.assert_array_equal(p[::-1], 2**32 - p)
    assert (np.diff(p) >= 0).all() and p.min() >= 1
    logits = (np.arange(2048) - 1024 + 0.5) / 64
    np.testing.assert_allclose(p / 2.0**32, 1 / (1 + np.exp(-logits)), rtol=0, atol=2.0**-32)


def test_code_lengths_are_those_of_the_probabilities() -> None:
    p = TABLES["table.probability"].astype(np.float64) / 2**32
    cost = TABLES["table.cost"].astype(np.float64)
    assert np.abs(cost + 65536 * np.log2(p)).max() <= 0.5
    assert np.abs(2 ** (-cost / 65536) + 2 ** (-cost[::-1] / 65536) - 1).max() < 1e-5
    assert 8 * cost.max() < 2**32


# a network

LABELS = LabelSet((("a", ("x", "y")), ("b", ("z",))))


def test_every_weight_finds_its_tensor() -> None:
    torch.manual_seed(1)
    sizes = ModelConfig(8000, window=48, frame_units=16, sample_units=32, head_units=64, labels=LABELS)
    network = TwoTierNetwork(sizes)
    with torch.no_grad():
        for place, parameter in enumerate(network.parameters()):
            parameter.normal_(std=0.2).add_(place / 100)
        network.tables[700, 5] = 99.0
    tensors = quantization.quantize(network, predictor_tensors(sizes, np.zeros(16)))
    layout.check(sizes, tensors)
    w = {name: value.detach().double().numpy() for name, value in network.named_parameters()}
    w["tree"][0] = 0
    for name, weight, unit_in, unit_out in (
        ("frame.input", w["frame_input"], 128, 1024),
        ("frame.recurrent", w["frame_recurrent"], 128, 1024),
        ("frame.output", w["frame_output"], 128, 1024),
        ("sample.recurrent", w["sample_recurrent"], 128, 1024),
        ("head.dense", w["dense"], 128, 1024),
        ("head.tree", w["tree"], 32, quantization.LOGIT),
    ):
        gain = tensors[f"{name}.scale"] / 32768 / 2.0 ** tensors[f"{name}.shift"]
        back = tensors[f"{name}.weight"] * gain[:, None] * unit_in / unit_out
        assert np.abs(back - weight).max() < 1.02 * np.abs(weight).max() / 254, name
    for name, values, unit in (
        ("frame.input.bias", w["frame_bias"], 1024),
        ("frame.recurrent.bias", w["frame_inner"], 1024),
        ("frame.output.bias", w["frame_output_bias"], 1024),
        ("sample.recurrent.bias", w["sample_inner"], 1024),
        ("head.tree.bias", w["tree_bias"], quantization.LOGIT),
        ("head.predicted", w["dense_table"], 1024),
        ("frame.label.0", w["frame_labels.0"], 1024),
        ("frame.label.1", w["frame_labels.1"], 1024),
        ("sample.code", w["tables"][:256], 1024),
        ("sample.predicted", w["tables"][256:512], 1024),
        ("sample.residual", w["tables"][512:], 1024),
    ):
        np.testing.assert_array_equal(tensors[name], np.clip(np.rint(values * unit), -32768, 32767), err_msg=name)
    assert tensors["sample.residual"][700 - 512, 5] == 32767  # saturated, not wrapped
    assert not tensors["head.tree.weight"][0].any()


@pytest.fixture(scope="module")
def tones(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    folder = tmp_path_factory.mktemp("tones")
    return build([small.corpus(folder / "in", 12, 3000)], folder / "cache", 8000, small.PATTERN)


@pytest.fixture(scope="module")
def trained(tones: Corpus) -> tuple[TwoTierNetwork, dict[str, NDArray[Any]]]:
    """A network after 80 steps, and its predictor's constants."""
    sizes = ModelConfig(8000, frame_units=32, sample_units=32, head_units=16, labels=tones.labels)
    c = GeneratorTrainConfig(steps=80, streams=6, span=768, windows=2, window=80, warmup=16, rate=0.03)
    constants = predictor_tensors(sizes, fit_start(tones, sizes.order))
    state, accelerator = TrainState.two_tier(sizes, 0, torch.device("cpu")), Accelerator(cpu=True)
    batches = StreamBatches(tones, "train", c.streams, c.span, c.windows, c.window)
    for step in range(c.steps):
        batch = batches.batch(step)
        train_step(state, c, batch, np.stack(predict_codes(batch.codes, constants), 2), accelerator)
    return state.network, constants


@pytest.mark.parametrize("labelled", [False, True])
def test_integer_code_length_is_within_one_percent_of_the_float_networks(
    labelled: bool, trained: tuple[TwoTierNetwork, dict[str, NDArray[Any]]], tones: Corpus
) -> None:
    network, constants = trained
    rows = validation_rows(tones, "train", 12_000)
    bits = validate(network, rows, constants, labelled)
    player = engine.create(network.config, quantization.quantize(network, constants))
    if player.name == "reference":
        rows = [(codes[:1000], label) for codes, label in rows[:2]]
        bits = validate(network, rows, constants, labelled)
    assert 2 < bits < 6.5  # trained enough for the figure to mean something
    assert integer_bits(player, rows, labelled) == pytest.approx(bits, rel=0.01)


def test_the_networks_quantised_mode_is_nearer_to_the_engine_sample_by_sample(
    trained: tuple[TwoTierNetwork, dict[str, NDArray[Any]]], tones: Corpus
) -> None:
    network, constants = trained
    player = ReferenceEngine(network.config, quantization.quantize(network, constants))
    codes, _ = validation_rows(tones, "train")[0]
    codes = codes[:640]
    engine_bits = player.teacher_force(player.state(), codes) / 65536
    given = [
        torch.from_numpy(a.astype(np.int64)) for a in (codes[None], np.stack(predict_codes(codes[None], constants), 2))
    ]
    off = {}
    for quantized in (False, True):
        network.quantized = quantized
        with torch.no_grad():
            bits, _ = network(*given, torch.zeros(1, 40, 2, dtype=torch.long), network.start(1))
        off[quantized] = float(np.sqrt(np.mean((bits[0].numpy() - engine_bits) ** 2)))
    network.quantized = False
    assert off[True] < 0.1 and off[True] < off[False]


def test_nothing_to_measure() -> None:
    with pytest.raises(RunError, match="no samples"):
        integer_bits(None, [], False)


# export


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("run")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(generator.PRESETS, "mini", small.MINI)
        runs.train([small.corpus(folder / "in")], folder / "run", preset="mini", labels=small.PATTERN, quiet=True)
    yield folder / "run"


def test_export_writes_a_checkpoint_with_its_card(run: Path, tmp_path: Path) -> None:
    said: list[str] = []
    facts = export(run, tmp_path / "a.safetensors", card={"licence": "CC0"}, quiet=True, say=said.append)
    loaded = checkpoint.load(tmp_path / "a.safetensors")
    assert loaded.info == facts and loaded.config.labels == LabelSet(
        (("digit", ("0", "1", "2")), ("speaker", ("ann", "bob")))
    )
    assert facts["licence"] == "CC0" and facts["steps"] in (4, 8) and facts["fine_steps"] == 4
    assert facts["given"]["preset"] == "mini" and "corpora" not in facts["given"]  # no paths of this machine
    bits = facts["bits_per_sample"]
    assert {"validation", "validation, labels"} <= bits.keys()
    before, after = facts["float_and_integer"]["validation"]
    assert after == pytest.approx(before, rel=0.02)
    assert said[0] == f"validation: {bits['validation']} bits per sample"
    assert np.float64(5e-324) * 1 > 0  # denormals are as they were
    player = engine.create(loaded.config, loaded.tensors)
    corpus = config_corpus(run)
    assert bits["validation"] == round(integer_bits(player, validation_rows(corpus), False), 4)
    assert player.generate(player.state(1), 50, config.SamplingConfig()).shape == (50,)


def config_corpus(run: Path) -> Corpus:
    from synth.data.corpus import open_cache

    return open_cache(run / "cache")


def test_export_is_the_same_each_time_and_fine_tuning_moves_it(run: Path, tmp_path: Path) -> None:
    paths = [tmp_path / f"{name}.safetensors" for name in "abc"]
    for path, steps in zip(paths, (2, 2, 0), strict=True):
        export(run, path, steps=steps, quiet=True)
    first, again, plain = (path.read_bytes() for path in paths)
    assert first == again != plain
    tensors = quantization.quantize(best_network(run), constants_of(run))
    for name, tensor in checkpoint.load(paths[2]).tensors.items():
        np.testing.assert_array_equal(tensor, tensors[name])


def best_network(run: Path) -> TwoTierNetwork:
    sizes = ModelConfig.from_json(small.RunFolder(run).options()["model"])
    state = TrainState.two_tier(sizes, 9, torch.device("cpu"))
    state.load(small.state(run, "best")[0], 0)
    return state.network


def constants_of(run: Path) -> dict[str, NDArray[Any]]:
    from synth.training.tasks.generator import configs

    return configs(small.RunFolder(run).options())[2]


def test_export_changes_nothing_in_the_run(run: Path, tmp_path: Path) -> None:
    before = {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in run.rglob("*")}
    export(run, tmp_path / "a.safetensors", steps=1, quiet=True)
    assert {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in run.rglob("*")} == before


def test_export_names_what_is_in_its_way_before_any_work(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("synth.training.tasks.generator.TrainState", None)  # whoever gets so far fails otherwise
    out = tmp_path / "a.safetensors"
    out.write_text("mine")
    with pytest.raises(OutputError, match=f"^{out}: exists already"):
        export(run, out)
    assert out.read_text() == "mine"
    with pytest.raises(OutputError, match="does not exist"):
        export(run, tmp_path / "missing" / "a.safetensors")
    with pytest.raises(OutputError, match="is a folder"):
        export(run, tmp_path, force=True)
    with pytest.raises(RunError, match="no run in this folder"):
        export(tmp_path, tmp_path / "b.safetensors")
    assert os.listdir(tmp_path) == ["a.safetensors"]


def test_export_of_a_run_without_a_state(run: Path, tmp_path: Path) -> None:
    bare = tmp_path / "run"
    bare.mkdir()
    (bare / "run.json").write_bytes((run / "run.json").read_bytes())
    (bare / "cache").symlink_to(run / "cache")
    with pytest.raises(RunError, match="last.safetensors: missing"):
        export(bare, tmp_path / "a.safetensors", quiet=True)
    (bare / "last.safetensors").write_bytes((run / "last.safetensors").read_bytes())
    facts = export(bare, tmp_path / "a.safetensors", steps=0, quiet=True)  # no best one yet: the last will do
    assert facts["steps"] == 8 and dataclasses.asdict(small.MINI[1])["steps"] == 8
