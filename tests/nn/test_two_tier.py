"""The network in float: states carried over splits, the tree's probabilities, rounding as the engine's."""

from __future__ import annotations

import math

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from synth.common.labels import LabelSet
from synth.engine.config import ModelConfig
from synth.engine.integer_layers import eighth
from synth.nn import quantization
from synth.nn.gru import to_eighth
from synth.nn.two_tier import HIDDEN_LIMIT, TwoTierNetwork, rounded

CONFIG = ModelConfig(
    8000, frame_units=16, sample_units=32, head_units=16, labels=LabelSet((("a", ("x", "y")), ("b", ("z",))))
)
BATCH, TIME = 2, 96
HOP, WINDOW = CONFIG.hop, CONFIG.window


@pytest.fixture
def network() -> TwoTierNetwork:
    torch.manual_seed(3)
    network = TwoTierNetwork(CONFIG)
    for name, parameter in network.named_parameters():
        if name.endswith(("bias", "inner")):
            torch.nn.init.normal_(parameter, std=0.3)  # zero at the start: a bias in the wrong place would not show
    return network


def inputs() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    draw = torch.Generator().manual_seed(4)
    codes = torch.randint(0, 256, (BATCH, TIME), generator=draw)
    given = torch.randint(0, 256, (BATCH, TIME, 2), generator=draw)
    labels = torch.stack([torch.randint(0, most, (BATCH, TIME // HOP), generator=draw) for most in (3, 2)], 2)
    return codes, given, labels


@pytest.mark.parametrize("quantized", [False, True])
@pytest.mark.parametrize("cuts", [[at] for at in range(HOP, TIME, HOP)] + [list(range(HOP, TIME, HOP))])
def test_forward_over_time_equals_steps_with_state_at_every_split(
    network: TwoTierNetwork, cuts: list[int], quantized: bool
) -> None:
    network.quantized = quantized
    codes, given, labels = inputs()
    whole, last = network(codes, given, labels, network.start(BATCH))
    state, parts = network.start(BATCH), []
    for start, stop in zip([0, *cuts], [*cuts, TIME], strict=True):
        frames = slice(start // HOP, stop // HOP)
        bits, state = network(codes[:, start:stop], given[:, start:stop], labels[:, frames], state)
        parts.append(bits)
    near = 0.01 if quantized else 1e-4  # the last bit of a float can tip the rounding of a state to 1/128
    torch.testing.assert_close(torch.cat(parts, 1), whole, rtol=0, atol=near)
    torch.testing.assert_close(state.frame, last.frame, rtol=0, atol=near)
    torch.testing.assert_close(state.sample, last.sample, rtol=0, atol=near)
    assert torch.equal(state.codes, last.codes) and torch.equal(state.codes, codes[:, -WINDOW:])


def test_a_sample_depends_on_the_past_alone(network: TwoTierNetwork) -> None:
    codes, given, labels = inputs()
    before, _ = network(codes, given, labels, network.start(BATCH))
    for at in (0, 15, 16, 40):
        other = codes.clone()
        other[:, at:] = (other[:, at:] + 77) % 256
        after, _ = network(other, given, labels, network.start(BATCH))
        assert torch.equal(after[:, :at], before[:, :at]) and not torch.equal(after[:, at:], before[:, at:])


def test_the_frame_tier_reads_the_window_before_each_frame_newest_first(network: TwoTierNetwork) -> None:
    codes, _, labels = inputs()
    got, _ = network.frames(codes, labels, network.start(BATCH))
    past = torch.cat([torch.full((BATCH, WINDOW), 128), codes], 1)
    state = torch.zeros(BATCH, CONFIG.frame_units)
    cell = torch.nn.GRUCell(WINDOW, CONFIG.frame_units)
    cell.weight_ih.data, cell.weight_hh.data = network.frame_input.data, network.frame_recurrent.data
    cell.bias_hh.data = torch.cat([torch.zeros(2 * CONFIG.frame_units), network.frame_inner.data])
    for frame in range(TIME // HOP):
        view = past[:, frame * HOP : frame * HOP + WINDOW].flip(1)
        tables = [table[labels[:, frame, key]] for key, table in enumerate(network.frame_labels)]
        rows = []
        for row in range(BATCH):  # each with its labels in the bias
            cell.bias_ih.data = network.frame_bias.data + sum(table[row].data for table in tables)
            rows.append(cell((view[row : row + 1] - 128) / 128.0, state[row : row + 1]))
        state = torch.cat(rows)
        expected = state @ network.frame_output.t() + network.frame_output_bias
        torch.testing.assert_close(got[frame], expected, rtol=0, atol=1e-5)


def test_path_bits_are_the_multiplied_out_probabilities_and_these_sum_to_one(network: TwoTierNetwork) -> None:
    codes, given, labels = inputs()
    condition, _ = network.frames(codes, labels, network.start(BATCH))
    rows = torch.cat([codes[:, :, None], given], 2).transpose(0, 1)
    logits, _ = network.samples(rows, condition, torch.zeros(BATCH, 32))
    one = logits[5, 1].detach().double() * 4
    bits = network.double().bits(one.expand(256, 256), torch.arange(256))
    leaves = [1.0]
    for level in range(8):
        right = torch.sigmoid(one[1 << level : 2 << level]).tolist()
        leaves = [w for leaf, p in zip(leaves, right, strict=True) for w in (leaf * (1 - p), leaf * p)]
    assert sum(leaves) == pytest.approx(1, abs=1e-12)
    np.testing.assert_allclose(bits.detach().numpy(), [-math.log2(leaf) for leaf in leaves], rtol=1e-9)


def test_the_sample_tier_reads_three_codes_and_its_frames_condition(network: TwoTierNetwork) -> None:
    codes, given, labels = inputs()
    units = CONFIG.sample_units
    got, _ = network(codes, given, labels, network.start(BATCH))
    condition, _ = network.frames(codes, labels, network.start(BATCH))
    cell = torch.nn.GRUCell(3 * units, units)
    cell.weight_ih.data, cell.bias_ih.data = torch.eye(3 * units), torch.zeros(3 * units)
    cell.weight_hh.data = network.sample_recurrent.data
    cell.bias_hh.data = torch.cat([torch.zeros(2 * units), network.sample_inner.data])
    state = torch.zeros(BATCH, units)
    for t in range(TIME):
        previous = codes[:, t - 1] if t else torch.full((BATCH,), 128)
        predicted, residual = given[:, t].unbind(1)
        tables = network.tables[previous] + network.tables[256 + predicted] + network.tables[512 + residual]
        state = cell(condition[t // HOP] + tables, state)
        hidden = (state @ network.dense.t() + network.dense_table[predicted]).clamp(0, HIDDEN_LIMIT)
        logits = hidden @ network.tree.t() + network.tree_bias
        torch.testing.assert_close(got[:, t], network.bits(logits, codes[:, t]), rtol=0, atol=1e-4)


# rounding as the integer engine


def test_rounded_weights_are_the_integers_times_their_steps() -> None:
    torch.manual_seed(0)
    weight = torch.randn(48, 32, dtype=torch.float64) * torch.logspace(-3, 0, 48)[:, None]
    found = quantization.linear("x", weight.numpy(), quantization.STATE, quantization.GATE)
    largest = np.abs(weight.numpy()).max(1)
    step = np.maximum(largest, largest.max() / 4) / 127
    np.testing.assert_allclose(rounded(weight).numpy(), found["x.weight"] * step[:, None], rtol=1e-12)
    parameter = weight.clone().requires_grad_()
    rounded(parameter).sum().backward()
    assert torch.equal(parameter.grad, torch.ones_like(weight))  # straight through


def test_rounded_states_are_the_engines_8_bits() -> None:
    states = np.arange(-32768, 32768)
    np.testing.assert_array_equal(to_eighth(torch.from_numpy(states / 32768)).numpy() * 128, eighth(states))


def test_quantised_hidden_layer_is_on_the_engines_grid(network: TwoTierNetwork) -> None:
    network = network.double()
    states = torch.randn(64, CONFIG.sample_units, dtype=torch.float64).clamp(-1, 1)
    predicted = torch.arange(64)
    network.quantized = True
    with torch.no_grad():
        network.tree.copy_(torch.eye(16, dtype=torch.float64).repeat(16, 1))  # logits show the hidden layer
        network.tree_bias.zero_()
        network.dense_table.mul_(3)
        hidden = network.head(states, predicted)[:, :16]
        dense = to_eighth(states) @ rounded(network.dense).t() + network.dense_table[predicted]
    q10 = np.floor(dense.numpy() * 1024 + 1e-9).astype(np.int64)  # the engine's format before the shift
    expected = np.minimum(np.maximum(q10, 0) >> 5, 127)
    np.testing.assert_array_equal(np.rint(hidden.numpy() * 32), expected)
    assert expected.max() == 127 == HIDDEN_LIMIT * 32 and expected.min() == 0


def test_codes_are_drawn_as_often_as_their_bits_say(network: TwoTierNetwork) -> None:
    draw = torch.Generator().manual_seed(5)
    logits = torch.randn(256, generator=draw)
    logits[1:8] *= 4
    many = 20000
    codes = network.drawn(logits.expand(many, 256), torch.rand(8, many, generator=draw))
    shares = torch.bincount(codes, minlength=256) / many
    expected = 0.5 ** network.bits(logits.expand(256, 256), torch.arange(256))
    torch.testing.assert_close(expected.sum(), torch.tensor(1.0))
    assert float((shares - expected).abs().max()) < 0.012 and float(expected.max()) > 0.05
