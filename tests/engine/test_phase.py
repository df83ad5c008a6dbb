"""Networks whose sample tier reads the phase of a pitch: the codes, what the tensors and the vector hold, splits."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
from helpers.networks import random_tensors
from hypothesis import given
from hypothesis import strategies as st

from synth import engine
from synth.common.errors import CheckpointError, EngineError, UsageError
from synth.engine.config import ModelConfig, SamplingConfig
from synth.engine.layout import check, conditioning_units, layout, sample_tables
from synth.engine.native import NativeEngine
from synth.engine.phase import PITCH_UNITS, pack, phase_codes
from synth.engine.reference import ReferenceEngine

CONFIG = ModelConfig(8000, frame_units=32, sample_units=48, head_units=32, stride=3, phases=1)
STRETCH = CONFIG.stride * CONFIG.hop


def vector(phase: int, increment: int) -> np.ndarray:
    """A conditioning vector of small numbers and this pitch."""
    rest = np.random.default_rng(1).integers(-2000, 2000, conditioning_units(CONFIG) - PITCH_UNITS)
    return np.concatenate([rest.astype(np.int16), pack(phase, increment)])


@given(st.integers(0, 65535), st.integers(0, 2**32 - 1), st.integers(0, 1023))
def test_codes_are_the_upper_bits_of_the_phase(phase: int, increment: int, offset: int) -> None:
    numbers = pack(phase, increment)
    assert numbers.dtype == np.int16 and numbers.shape == (3,)
    codes = phase_codes(numbers, np.array([offset]))
    assert codes.dtype == np.uint8 and codes.tolist() == [(phase * 65536 + increment * offset) % 2**32 // 2**24]


def test_codes_of_many_stretches_follow_a_pitch() -> None:
    """Stretches that go on from each other are one oscillation, to the rounding of the start to 16 bits."""
    increment = round(2**32 * 220 / 8000)
    starts = np.arange(20, dtype=np.int64) * STRETCH * increment
    codes = phase_codes(pack(starts >> 16, np.full(20, increment)), np.arange(STRETCH)).reshape(-1)
    turns = np.arange(20 * STRETCH) * 220 / 8000 % 1
    off = (codes / 256 - turns + 0.5) % 1 - 0.5
    assert -1 / 256 - 1e-4 < off.min() and off.max() < 1e-4
    np.testing.assert_array_equal(pack(starts >> 16, increment)[:, 1:], pack(0, np.full(20, increment))[:, 1:])


def test_a_config_with_phases_round_trips_and_is_refused_where_nothing_steers() -> None:
    data = json.loads(json.dumps(CONFIG.to_json()))
    assert data["phases"] == 1 and ModelConfig.from_json(data) == CONFIG
    with_none = {name: value for name, value in data.items() if name != "phases"}
    assert ModelConfig.from_json(with_none) == dataclasses.replace(CONFIG, phases=0)
    for wrong, text in (
        ({"phases": 2}, "phases 2: must be 0 or 1"),
        ({"stride": 0}, "only a steered network reads phases, this one is a generator"),
        ({"period": 8}, "only a steered network reads phases, this one is a tokens"),
        ({"stride": 0, "hints": 3}, "only a steered network"),
        ({"phases": True}, "phases must be an integer"),
    ):
        with pytest.raises(UsageError, match=text):
            ModelConfig.from_json({**data, **wrong})


def test_the_layout_has_a_table_and_three_more_numbers() -> None:
    plain = dataclasses.replace(CONFIG, phases=0)
    assert sample_tables(CONFIG) == [*sample_tables(plain), "sample.phase"]
    assert layout(CONFIG).items() - layout(plain).items() == {("sample.phase", ("int16", (256, 3 * 48)))}
    assert conditioning_units(CONFIG) == conditioning_units(plain) + PITCH_UNITS


def test_a_checkpoint_with_a_wrong_table_is_refused() -> None:
    tensors = random_tensors(CONFIG, 1)
    table = tensors["sample.phase"]
    for wrong in (table[:255], table[:, :-1], table.astype(np.int32), table.ravel()):
        with pytest.raises(CheckpointError, match=r"tensor sample\.phase is .* must be int16\[256, 144\]"):
            check(CONFIG, {**tensors, "sample.phase": wrong})
    without = {name: tensor for name, tensor in tensors.items() if name != "sample.phase"}
    with pytest.raises(CheckpointError, match=r"tensor sample\.phase is missing"):
        NativeEngine(CONFIG, without)
    with pytest.raises(CheckpointError, match=r"'sample\.phase' is not one"):
        NativeEngine(dataclasses.replace(CONFIG, phases=0), tensors)
    for kernel in (NativeEngine(CONFIG, tensors), ReferenceEngine(CONFIG, tensors)):
        with pytest.raises(EngineError, match="must be int16"):
            kernel.state().conditioning = vector(0, 0)[:-PITCH_UNITS]


def test_a_table_of_zeros_is_a_network_without_phases() -> None:
    tensors = random_tensors(CONFIG, 2)
    tensors["sample.phase"][:] = 0
    plain = dataclasses.replace(CONFIG, phases=0)
    less = {name: tensor for name, tensor in tensors.items() if name != "sample.phase"}
    with_phases, without = NativeEngine(CONFIG, tensors), NativeEngine(plain, less)
    a, b = with_phases.state(3), without.state(3)
    a.conditioning, b.conditioning = vector(500, 2**27), vector(500, 2**27)[:-PITCH_UNITS]
    codes = with_phases.generate(a, 200, SamplingConfig())
    np.testing.assert_array_equal(codes, without.generate(b, 200, SamplingConfig()))


@pytest.mark.parametrize("name", engine.instruction_sets())
@pytest.mark.parametrize("increment", [0, 1, 2**32 * 220 // 8000, 2**31, 2**32 - 1])
@pytest.mark.parametrize("cuts", [[1], [7, 16], [47, 48, 49], [16, 32, 64, 100], list(range(1, 150, 3))])
def test_blocks_saves_and_forks_within_a_stretch_go_on_in_phase(
    name: str, increment: int, cuts: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SYNTH_ISA", name)
    tensors = random_tensors(CONFIG, 5)
    fast = NativeEngine(CONFIG, tensors)
    whole, state = fast.state(9), fast.state(9)
    whole.conditioning = state.conditioning = vector(40000, increment)
    expected, pieces = fast.generate(whole, 150, SamplingConfig()), []
    for turn, (start, stop) in enumerate(zip([0, *cuts], [*cuts, 150], strict=True)):
        assert int(np.argmax(fast.distribution(state))) == int(np.argmax(fast.distribution(state.copy())))
        pieces.append(fast.generate(state, stop - start, SamplingConfig()))
        state = state.copy() if turn % 2 else fast.restore(state.save())
    np.testing.assert_array_equal(np.concatenate(pieces), expected)
    if len(cuts) < 4:
        slow = ReferenceEngine(CONFIG, tensors)
        reference = slow.state(9)
        reference.conditioning = vector(40000, increment)
        np.testing.assert_array_equal(slow.generate(reference, 150, SamplingConfig()), expected)


@pytest.mark.parametrize("kind", [ReferenceEngine, NativeEngine])
def test_the_pitch_takes_effect_with_the_next_sample(kind: type[ReferenceEngine | NativeEngine]) -> None:
    made = kind(CONFIG, random_tensors(CONFIG, 4))
    codes = np.random.default_rng(0).integers(100, 156, 60).astype(np.uint8)
    costs = []
    for increment in (2**24, 2**29):
        state = made.state()
        state.conditioning = vector(0, 2**24)
        made.teacher_force(state, codes[:20])
        state.conditioning = vector(0, increment)
        costs.append(made.teacher_force(state, codes[20:]))
    assert costs[0][0] != costs[1][0]
