"""The float network that reads the phase of a pitch: its table, gradients, and what the integer network makes of it."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from synth.engine import layout
from synth.engine.config import ModelConfig
from synth.engine.phase import pack, phase_codes
from synth.engine.reference import ReferenceEngine
from synth.nn import quantization
from synth.nn.two_tier import TwoTierNetwork, circular_rows

CONFIG = ModelConfig(8000, frame_units=16, sample_units=32, head_units=16, stride=2, phases=1)
TIME = 96


@pytest.fixture
def network() -> TwoTierNetwork:
    torch.manual_seed(3)
    return TwoTierNetwork(CONFIG)


def test_the_table_begins_smooth_all_the_way_round() -> None:
    torch.manual_seed(0)
    rows = circular_rows(4000, 0.2)
    assert rows.shape == (256, 4000) and float(rows.std()) == pytest.approx(0.2 * 0.5**0.5, rel=0.1)
    steps = (rows - rows.roll(1, 0)).std(1)
    assert float(steps.max()) < 0.03 and float(steps[0]) == pytest.approx(float(steps.mean()), rel=0.2)
    power = torch.fft.rfft(rows, dim=0).abs().mean(1)
    assert float(power[1:7].min()) > 100 * float(torch.cat([power[:1], power[7:]]).max())


def test_a_network_without_phases_begins_as_before_and_the_others_tables_too() -> None:
    tables = {}
    for phases in (0, 1):
        torch.manual_seed(7)
        tables[phases] = TwoTierNetwork(dataclasses.replace(CONFIG, phases=phases)).tables
    assert tables[0].shape == (768, 96) and tables[1].shape == (1024, 96)
    assert torch.equal(tables[1][:768], tables[0])


def test_gradients_reach_the_rows_that_are_read(network: TwoTierNetwork) -> None:
    draw = torch.Generator().manual_seed(4)
    codes, inputs = (torch.randint(0, 256, shape, generator=draw) for shape in ((2, TIME), (2, TIME, 3)))
    inputs[:, :, 2] %= 100
    bits, _ = network(codes, inputs, torch.zeros(2, TIME // 16, 0, dtype=torch.long), network.start(2))
    bits.mean().backward()
    changed = network.tables.grad[768:].abs().amax(1) > 0
    assert torch.equal(changed, torch.isin(torch.arange(256), inputs[:, :, 2]))


def test_the_integer_network_costs_what_the_float_one_does(network: TwoTierNetwork) -> None:
    """With conditioning, reflections of 0 and a pitch that moves; a table at 10 times its scale, so that it counts."""
    with torch.no_grad():
        network.tables[768:] *= 10
        network.tree *= 4
    network.quantized = True
    tensors = quantization.quantize(network, {})
    layout.check(CONFIG, tensors)
    np.testing.assert_array_equal(
        tensors["sample.phase"], quantization.fixed(network.tables[768:].detach().numpy(), 1024)
    )
    random = np.random.default_rng(2)
    stretches, stretch = TIME // 32, 32
    gates = random.integers(-500, 500, (stretches, 48)).astype(np.int16)
    pitch = pack(random.integers(0, 65536, stretches), random.integers(0, 2**28, stretches))
    codes = random.integers(0, 256, TIME).astype(np.uint8)
    engine = ReferenceEngine(CONFIG, tensors)
    state, costs, read = engine.state(), [], []
    for place in range(stretches):
        state.conditioning = np.concatenate([gates[place], np.zeros(16, np.int16), pitch[place]])
        for code in codes[place * stretch :][:stretch]:
            read.append([*engine.inputs(state)[1:], state.phase_code()])
            costs.append(int(engine.teacher_force(state, np.array([code]))[0]) / 65536)
    assert [row[2] for row in read] == phase_codes(pitch, np.arange(stretch)).reshape(-1).tolist()

    def bits(inputs: list[list[int]]) -> np.ndarray:
        told = torch.from_numpy(np.repeat(gates, 2, 0)[:, None] / 1024).float()
        labels = torch.zeros(1, TIME // 16, 0, dtype=torch.long)
        with torch.no_grad():
            rows = torch.from_numpy(codes.astype(np.int64))[None], torch.tensor(inputs)[None]
            return network(*rows, labels, network.start(1), told)[0][0].numpy()

    off = np.sqrt(np.mean((bits(read) - costs) ** 2))
    elsewhere = np.sqrt(np.mean((bits([[*row[:2], (row[2] + 128) % 256] for row in read]) - costs) ** 2))
    assert off < 0.1 and elsewhere > 5 * off
