"""A step of training and the measuring of a network: what counts, what goes on exactly, what is refused."""

from __future__ import annotations

import dataclasses
import math
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from accelerate import Accelerator
from numpy.typing import NDArray

from synth.common.errors import RunError
from synth.common.labels import LabelSet
from synth.data.corpus import Corpus, Entry
from synth.engine.config import ModelConfig
from synth.nn.two_tier import TREE_LIMIT, TwoTierNetwork
from synth.training.batches import Row, StreamBatch, StreamBatches, validation_rows
from synth.training.config import GeneratorTrainConfig
from synth.training.optimization import TrainState, denormals_flushed, rate_at
from synth.training.predictor_fit import fit_start, predict_codes, predictor_tensors
from synth.training.tasks import generator
from synth.training.tasks.generator import batch_loss, train_step, validate

LABELS = LabelSet((("digit", ("0", "1")),))
MODEL = ModelConfig(8000, frame_units=16, sample_units=16, head_units=16, labels=LABELS)
TRAIN = GeneratorTrainConfig(steps=20, streams=4, span=256, windows=2, window=64, warmup=16, rate=0.05)
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    draw = np.random.default_rng(0)
    lengths, sounds, entries = (700, 450, 900, 333), [], []
    for n, length in enumerate(lengths):
        wave = 5000 * np.sin(np.arange(length) * 0.1 * (n + 1)) + draw.normal(0, 100, length)
        entries.append(Entry(f"{n}.wav", sum(lengths[:n]), length, (1 + n % 2,), "train" if n < 3 else "validation"))
        sounds.append(wave.astype(np.int16))
    return Corpus(Path(), 8000, np.concatenate(sounds), tuple(entries), LABELS, (), "")


@pytest.fixture(scope="module")
def constants(corpus: Corpus) -> dict[str, NDArray[Any]]:
    return predictor_tensors(MODEL, fit_start(corpus, MODEL.order))


@pytest.fixture(scope="module")
def batches(corpus: Corpus) -> StreamBatches:
    c = TRAIN
    return StreamBatches(corpus, "train", c.streams, c.span, c.windows, c.window, 16, c.seed)


def steps(state: TrainState, batches: StreamBatches, constants: dict[str, NDArray[Any]], count: int) -> list[float]:
    accelerator, bits = Accelerator(cpu=True), []
    for _ in range(count):
        batch = batches.batch(state.step)
        bits.append(
            train_step(state, TRAIN, batch, np.stack(predict_codes(batch.input_codes, constants), 2), accelerator)
        )
    return bits


# going on


@pytest.mark.parametrize("at", [1, 3, 5])
def test_n_plus_m_steps_equal_n_a_new_learner_m(at: int, batches: StreamBatches, constants: dict[str, Any]) -> None:
    whole = TrainState.two_tier(MODEL, 5, CPU)
    figures = steps(whole, batches, constants, 6)
    first = TrainState.two_tier(MODEL, 5, CPU)
    parts = steps(first, batches, constants, at)
    saved = first.arrays()
    second = TrainState.two_tier(MODEL, 99, CPU)  # its own weights must not matter
    second.load(saved, at)
    parts += steps(second, batches, constants, 6 - at)
    assert parts == figures
    expected, found = whole.arrays(), second.arrays()
    assert expected.keys() == found.keys() and len(found) == 3 * len(list(whole.network.parameters()))
    for name, value in expected.items():
        np.testing.assert_array_equal(found[name], value, err_msg=name)
    # what was saved is a copy: going on changed none of it
    again = TrainState.two_tier(MODEL, 1, CPU)
    again.load(saved, at)
    steps(again, batches, constants, 6 - at)
    np.testing.assert_array_equal(again.arrays()["exp_avg.tree"], found["exp_avg.tree"])


def test_the_seed_decides_the_first_weights() -> None:
    one, two, other = (TrainState.two_tier(MODEL, seed, CPU).arrays() for seed in (3, 3, 4))
    assert all(np.array_equal(one[name], two[name]) for name in one)
    assert not np.array_equal(one["weight.tables"], other["weight.tables"])


def test_a_state_of_another_network_is_refused() -> None:
    saved = TrainState.two_tier(MODEL, 0, CPU).arrays()
    with pytest.raises(RunError, match="made by other options"):
        TrainState.two_tier(dataclasses.replace(MODEL, head_units=32), 0, CPU).load(saved, 1)
    del saved["weight.tree_bias"]
    with pytest.raises(RunError, match="tree_bias"):
        TrainState.two_tier(MODEL, 0, CPU).load(saved, 1)


# a step


def test_the_loss_falls(batches: StreamBatches, constants: dict[str, Any]) -> None:
    figures = steps(TrainState.two_tier(MODEL, 0, CPU), batches, constants, 20)
    assert np.mean(figures[-3:]) < np.mean(figures[:3]) - 0.3


@pytest.mark.parametrize("poison", [math.nan, math.inf])
def test_a_loss_that_is_no_number_stops_with_the_step_and_changes_nothing(
    poison: float, batches: StreamBatches, constants: dict[str, Any]
) -> None:
    state = TrainState.two_tier(MODEL, 0, CPU)
    steps(state, batches, constants, 2)
    with torch.no_grad():
        state.network.tree_bias[1] = poison
    before = state.arrays()
    with pytest.raises(RunError, match=r"^step 2: the loss is not finite"):
        steps(state, batches, constants, 1)
    assert state.step == 2
    for name, value in state.arrays().items():
        np.testing.assert_array_equal(value, before[name])


def test_a_gradient_that_is_no_number_stops_too(
    batches: StreamBatches, constants: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    state = TrainState.two_tier(MODEL, 0, CPU)
    before = state.arrays()

    def steep(network: TwoTierNetwork, *_: object) -> torch.Tensor:
        return (network.tree_bias * 0).sum().sqrt()  # 0, with a slope without bound

    monkeypatch.setattr(generator, "batch_loss", steep)
    with pytest.raises(RunError, match="step 0"):
        steps(state, batches, constants, 1)
    for name, value in state.arrays().items():
        np.testing.assert_array_equal(value, before[name])


def test_tree_weights_stay_inside_the_engines_format(batches: StreamBatches, constants: dict[str, Any]) -> None:
    state = TrainState.two_tier(MODEL, 0, CPU)
    with torch.no_grad():
        state.network.tree.mul_(1000)
    steps(state, batches, constants, 1)
    assert float(state.network.tree.detach().abs().max()) == pytest.approx(TREE_LIMIT)


def test_the_rate_warms_up_and_falls_to_a_hundredth() -> None:
    config = GeneratorTrainConfig(steps=1000, rate=0.01)
    rates = [rate_at(config, step) for step in range(1000)]
    assert rates[0] == pytest.approx(0.0001) and max(rates) == pytest.approx(0.01, rel=0.03)
    assert rates.index(max(rates)) in range(95, 105) and rates[-1] == pytest.approx(0.0001, rel=0.01)
    assert all(a >= b for a, b in zip(rates[100:-1], rates[101:], strict=True))


def test_denormals_are_flushed_within_training_alone() -> None:
    tiny = np.float64(sys.float_info.min)
    assert tiny / 2 > 0
    with pytest.raises(RunError), denormals_flushed():
        assert tiny / 2 == 0 and float(torch.tensor([1e-38]) * 0.1) == 0
        with denormals_flushed():
            pass
        assert tiny / 2 == 0
        raise RunError("x")
    assert tiny / 2 > 0


# what counts


def batch_of(windows: list[list[int]], first: list[int], span: int = 160, noise: bool = False) -> StreamBatch:
    draw = np.random.default_rng(1)
    codes = draw.integers(0, 256, (len(first), span)).astype(np.uint8)
    labels = draw.integers(0, 3, (len(first), span // 16, 1))
    heard = draw.integers(0, 256, codes.shape).astype(np.uint8) if noise else codes
    return StreamBatch(codes, heard, labels, np.array(windows, np.int64), np.array(first, np.int64))


def forward_bits(network: TwoTierNetwork, batch: StreamBatch, inputs: NDArray[np.uint8]) -> NDArray[Any]:
    codes, given, labels = (torch.from_numpy(a.astype(np.int64)) for a in (batch.codes, inputs, batch.labels))
    with torch.no_grad():
        bits, _ = network(codes, given, labels, network.start(len(codes)))
    return bits.numpy()


def test_a_window_at_the_start_counts_whole_and_equals_the_forward_pass(constants: dict[str, Any]) -> None:
    torch.manual_seed(0)
    network = TwoTierNetwork(MODEL)
    batch = batch_of([[0], [0]], [0, 0])
    inputs = np.stack(predict_codes(batch.codes, constants), 2)
    loss = batch_loss(network, batch, inputs, warmup=32, window=64)
    assert loss.item() == pytest.approx(forward_bits(network, batch, inputs)[:, :64].mean(), abs=1e-4)


@pytest.mark.parametrize("noise", [False, True])
def test_a_later_window_starts_from_an_empty_sample_tier_under_the_streams_own_frames(
    noise: bool, constants: dict[str, Any]
) -> None:
    torch.manual_seed(0)
    network = TwoTierNetwork(MODEL)
    batch = batch_of([[48, 96]], [0], noise=noise)
    inputs = np.stack(predict_codes(batch.input_codes, constants), 2)
    # what is heard may have noise, what is to be predicted has none
    codes, heard = torch.from_numpy(batch.codes).long(), torch.from_numpy(batch.input_codes).long()
    with torch.no_grad():
        condition, _ = network.frames(heard, torch.from_numpy(batch.labels), network.start(1))
        bits = []
        for start in (48, 96):
            previous = heard[:, start - 1 : start + 63, None]
            rows = torch.cat([previous, torch.from_numpy(inputs[:, start : start + 64]).long()], 2).transpose(0, 1)
            logits, _ = network.samples(rows, condition[start // 16 : start // 16 + 4], torch.zeros(1, 16))
            bits.append(network.bits(logits, codes[:, start : start + 64].t())[16:].mean())
    loss = batch_loss(network, batch, inputs, warmup=16, window=64)
    assert loss.item() == pytest.approx(float(sum(bits)) / 2, abs=1e-5)


def counted(batch: StreamBatch, constants: dict[str, Any], warmup: int, window: int) -> set[tuple[int, int]]:
    """Places (stream, sample) whose code length is in the loss: there alone a change of the code moves the target."""
    torch.manual_seed(0)
    network, places = TwoTierNetwork(MODEL), set()

    def note(logits: torch.Tensor, codes: torch.Tensor) -> torch.Tensor:
        flat = torch.zeros(codes.shape, requires_grad=True)
        note.bits = flat  # type: ignore[attr-defined]
        return flat

    network.bits = note  # type: ignore[method-assign]
    inputs = np.stack(predict_codes(batch.codes, constants), 2)
    batch_loss(network, batch, inputs, warmup, window).backward()
    grads = note.bits.grad  # type: ignore[attr-defined]
    rows = [(stream, start) for stream, starts in enumerate(batch.windows) for start in starts]
    for t, row in torch.nonzero(grads).tolist():
        places.add((rows[row][0], int(rows[row][1]) + t))
    assert torch.allclose(grads[grads > 0], torch.tensor(1.0 / len(places)))  # a mean: all count alike
    return places


def test_warm_up_and_what_is_before_first_have_no_loss(constants: dict[str, Any]) -> None:
    batch = batch_of([[0, 96], [32, 80]], [0, 50])
    assert counted(batch, constants, 32, 64) == (
        {(0, t) for t in range(0, 64)}  # from the start of a stream nothing is unknown
        | {(0, t) for t in range(128, 160)}
        | {(1, t) for t in range(64, 96)}
        | {(1, t) for t in range(112, 144)}
    )
    late = batch_of([[0]], [40])
    assert counted(late, constants, 32, 64) == {(0, t) for t in range(40, 64)}


# measuring


def test_measure_counts_every_sample_of_every_file_once(corpus: Corpus, constants: dict[str, Any]) -> None:
    torch.manual_seed(0)
    network = TwoTierNetwork(MODEL)
    rows = validation_rows(corpus, "train") + validation_rows(corpus)
    assert sorted(len(codes) for codes, _ in rows) == [333, 450, 700, 900]
    for labelled in (False, True):
        total = 0.0
        for codes, label in rows:
            padded = -(-len(codes) // 16) * 16
            whole = np.pad(codes, (0, padded - len(codes)), constant_values=7)[None]
            known = np.zeros((1, padded // 16, 1), np.int64) + (np.array(label) if labelled else 0)
            batch = StreamBatch(whole, whole, known, np.zeros((1, 1), np.int64), np.zeros(1, np.int64))
            inputs = np.stack(predict_codes(whole, constants), 2)
            total += forward_bits(network, batch, inputs)[0, : len(codes)].sum(dtype=np.float64)
        found = validate(network, rows, constants, labelled)
        assert found == pytest.approx(total / 2383, abs=1e-4)
    assert validate(network, rows, constants, True) != validate(network, rows, constants, False)


def test_measure_of_a_long_file_carries_its_state_on(constants: dict[str, Any]) -> None:
    torch.manual_seed(0)
    network = TwoTierNetwork(MODEL)
    codes = np.random.default_rng(2).integers(100, 156, 4096 + 500).astype(np.uint8)
    rows: list[Row] = [(codes, (1,)), (codes[:100], (2,))]
    padded = np.pad(codes, (0, 12))[None]
    batch = StreamBatch(
        padded, padded, np.zeros((1, 288, 1), np.int64), np.zeros((1, 1), np.int64), np.zeros(1, np.int64)
    )
    bits = forward_bits(network, batch, np.stack(predict_codes(padded, constants), 2))[0, :4596].astype(np.float64)
    assert validate(network, rows, constants) == pytest.approx((bits.sum() + bits[:100].sum()) / 4696, abs=1e-4)
