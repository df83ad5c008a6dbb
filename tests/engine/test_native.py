"""The compiled engine equals the specification bit for bit, samples and states, on every instruction set here."""

from __future__ import annotations

import ctypes
import dataclasses
import platform
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from helpers.networks import random_tensors
from hypothesis import given, settings
from hypothesis import strategies as st

from synth import engine
from synth.audio import mulaw
from synth.common.errors import CheckpointError, EngineError
from synth.common.labels import LabelSet
from synth.engine.config import ModelConfig, SamplingConfig
from synth.engine.predictor import predict_codes as specified
from synth.engine.reference import ReferenceEngine

native = pytest.importorskip("synth.engine.native", reason="the native engine is not built")
SETS = engine.instruction_sets()
LABELS = LabelSet((("digit", ("0", "1", "2")), ("speaker", ("a", "b"))))
SMALL = ModelConfig(8000, frame_units=32, sample_units=48, head_units=32, labels=LABELS)
DRAWS = [
    SamplingConfig(),
    SamplingConfig.of(0.7),
    SamplingConfig.of(0),
    SamplingConfig.of(1.3, 20, 0.9),
    SamplingConfig.of(1, 256, 0.5),
    SamplingConfig.of(1, 3),
]


def same(a: dict[str, np.ndarray], b: dict[str, np.ndarray]) -> bool:
    """Equal names, types, shapes and bytes (so that -0.0 differs from 0.0)."""
    return a.keys() == b.keys() and all(
        a[k].dtype == b[k].dtype and a[k].shape == b[k].shape and a[k].tobytes() == b[k].tobytes() for k in a
    )


def forced(monkeypatch: pytest.MonkeyPatch, name: str, config: ModelConfig, tensors: dict) -> native.NativeEngine:
    monkeypatch.setenv("SYNTH_ISA", name)
    made = native.NativeEngine(config, tensors)
    assert made.instruction_set == name
    return made


def test_there_is_a_set_for_every_machine() -> None:
    assert SETS and SETS[0] == "baseline"


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("draw", DRAWS)
def test_samples_and_states_equal_the_reference(
    monkeypatch: pytest.MonkeyPatch, name: str, draw: SamplingConfig
) -> None:
    tensors = random_tensors(SMALL, 3)
    fast, slow = forced(monkeypatch, name, SMALL, tensors), ReferenceEngine(SMALL, tensors)
    a, b = fast.state(7, 2), slow.state(7, 2)
    a.labels = b.labels = (2, 0)
    for count in (1, 15, 17, 60):  # ends within frames and at their ends
        assert np.array_equal(fast.generate(a, count, draw), slow.generate(b, count, draw))
        assert same(a.save(), b.save())
        assert np.array_equal(fast.distribution(a), slow.distribution(b))
        assert same(a.save(), b.save())  # looking changes nothing
        a.labels = b.labels = (0, 1)


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize(
    "sizes",
    [
        (16, 16, 16, 16, 16),
        (64, 128, 256, 64, 32),
        (32, 192, 128, 64, 16),
        (256, 80, 112, 48, 16),
        (48, 176, 208, 16, 32),
    ],
)
def test_sizes(monkeypatch: pytest.MonkeyPatch, name: str, sizes: tuple[int, ...]) -> None:
    window, frame, sample, head, order = sizes
    config = ModelConfig(8000, 16, window, frame, sample, head, order)
    tensors = random_tensors(config, 5)
    fast, slow = forced(monkeypatch, name, config, tensors), ReferenceEngine(config, tensors)
    a, b = fast.state(1), slow.state(1)
    assert np.array_equal(fast.generate(a, 50, SamplingConfig()), slow.generate(b, 50, SamplingConfig()))
    codes = np.random.default_rng(0).integers(0, 256, 40).astype(np.uint8)
    assert np.array_equal(fast.teacher_force(a, codes), slow.teacher_force(b, codes))
    assert same(a.save(), b.save())


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("seed", range(4))
def test_saturation(monkeypatch: pytest.MonkeyPatch, name: str, seed: int) -> None:
    """Weights, scales and tables over their whole ranges: every sum that can saturate does."""
    tensors = random_tensors(SMALL, seed, wild=True)
    fast, slow = forced(monkeypatch, name, SMALL, tensors), ReferenceEngine(SMALL, tensors)
    a, b = fast.state(seed), slow.state(seed)
    a.labels = b.labels = (3, 2)
    codes = np.random.default_rng(seed).integers(0, 256, 70).astype(np.uint8)
    assert np.array_equal(fast.teacher_force(a, codes), slow.teacher_force(b, codes))
    assert np.array_equal(fast.generate(a, 40, SamplingConfig.of(2.5)), slow.generate(b, 40, SamplingConfig.of(2.5)))
    assert same(a.save(), b.save())


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32 - 1), st.lists(st.integers(0, 60), min_size=1, max_size=5), st.sampled_from(SETS))
def test_any_split_and_any_network(seed: int, parts: list[int], name: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        config = dataclasses.replace(SMALL, sample_units=32)
        tensors = random_tensors(config, seed)
        fast = forced(patch, name, config, tensors)
        whole = fast.generate(fast.state(seed), sum(parts), SamplingConfig())
        state, pieces = fast.state(seed), []
        for part in parts:
            pieces.append(fast.generate(state, part, SamplingConfig()))
            state = fast.restore(state.save())
        assert np.array_equal(np.concatenate(pieces), whole)
        assert np.array_equal(
            ReferenceEngine(config, tensors).generate(
                ReferenceEngine(config, tensors).state(seed), min(40, len(whole)), SamplingConfig()
            ),
            whole[:40],
        )


def test_forcing_what_was_drawn_leads_to_the_same_state() -> None:
    tensors = random_tensors(SMALL, 1)
    fast = native.NativeEngine(SMALL, tensors)
    drawn, told = fast.state(5), fast.state(5)
    codes = fast.generate(drawn, 333, SamplingConfig())
    fast.teacher_force(told, codes)
    assert same(drawn.save(), told.save())


def test_a_state_moves_between_the_engines() -> None:
    tensors = random_tensors(SMALL, 2)
    fast, slow = native.NativeEngine(SMALL, tensors), ReferenceEngine(SMALL, tensors)
    a = fast.state(9)
    fast.generate(a, 37, SamplingConfig())
    b = slow.restore(a.save())
    assert np.array_equal(slow.generate(b, 40, SamplingConfig()), fast.generate(a, 40, SamplingConfig()))
    assert same(fast.restore(b.save()).save(), a.save())


def _signals() -> list[np.ndarray]:
    t = np.arange(2000)
    rng = np.random.default_rng(4)
    walk = np.cumsum(rng.normal(size=2000)) * 500
    waves = [np.zeros(2000), np.where(t // 20 % 2, 32767, -32768), np.full(2000, 32767), walk, 9000 * np.sin(t / 7)]
    return [np.clip(wave, -32768, 32767).astype(np.int16) for wave in waves]


@pytest.mark.parametrize("order", [16, 32])
@pytest.mark.parametrize("name", SETS)
def test_the_predictor_on_hard_signals(monkeypatch: pytest.MonkeyPatch, name: str, order: int) -> None:
    monkeypatch.setenv("SYNTH_ISA", name)
    tensors = random_tensors(dataclasses.replace(SMALL, order=order), 1)
    codes = mulaw.encode(np.stack(_signals()))
    for fast, slow in zip(native.predict_codes(codes, tensors), specified(codes, tensors), strict=True):
        assert np.array_equal(fast, slow)


def test_long_silence_stays_sound() -> None:
    """The covariance decays for 300,000 samples without losing itself in denormals."""
    tensors = random_tensors(SMALL, 1)
    codes = np.full((1, 300_000), mulaw.SILENCE, np.uint8)
    predicted, residual = native.predict_codes(codes, tensors)
    assert np.all(np.abs(predicted[0, 1000:].astype(int) - 128) <= 1)
    assert np.all(np.abs(residual[0, 1000:].astype(int) - 128) <= 1)


@pytest.mark.slow
def test_the_predictor_over_long_signals() -> None:
    """100,000 samples of silence, of a square wave at full scale and of a constant, against the specification."""
    tensors = random_tensors(SMALL, 1)
    t = np.arange(100_000)
    waves = [np.zeros(len(t)), np.where(t // 40 % 2, 32767, -32768), np.full(len(t), 20000)]
    codes = mulaw.encode(np.stack(waves).astype(np.int16))
    for fast, slow in zip(native.predict_codes(codes, tensors), specified(codes, tensors), strict=True):
        assert np.array_equal(fast, slow)


@pytest.mark.skipif(platform.machine() != "x86_64" or sys.platform != "linux", reason="knows this system's constants")
def test_the_caller_s_rounding_mode_does_not_matter_and_stays() -> None:
    upward = 0x800
    libm = ctypes.CDLL("libm.so.6")
    tensors = random_tensors(SMALL, 1)
    fast = native.NativeEngine(SMALL, tensors)
    codes = mulaw.encode(np.stack(_signals()))
    usual = native.predict_codes(codes, tensors), fast.generate(fast.state(1), 500, SamplingConfig())
    libm.fesetround(upward)
    try:
        other = native.predict_codes(codes, tensors), fast.generate(fast.state(1), 500, SamplingConfig())
        assert libm.fegetround() == upward
    finally:
        libm.fesetround(0)
    assert np.array_equal(usual[0][0], other[0][0]) and np.array_equal(usual[0][1], other[0][1])
    assert np.array_equal(usual[1], other[1])


def test_threads_share_an_engine() -> None:
    fast = native.NativeEngine(SMALL, random_tensors(SMALL, 4))
    alone = [fast.generate(fast.state(seed), 4000, SamplingConfig()) for seed in range(6)]
    with ThreadPoolExecutor(3) as pool:
        together = list(pool.map(lambda seed: fast.generate(fast.state(seed), 4000, SamplingConfig()), range(6)))
    assert all(np.array_equal(a, b) for a, b in zip(alone, together, strict=True))


def test_a_set_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("neon" if "neon" not in SETS else "avx2", "sse9", ""):
        monkeypatch.setenv("SYNTH_ISA", name)
        if name:
            with pytest.raises(EngineError, match=name):
                native.NativeEngine(SMALL, random_tensors(SMALL, 0))


@pytest.mark.parametrize("name", ["sample.code", "frame.input.weight", "predictor.start", "table.cost"])
def test_tensors_are_checked_before_they_are_used(name: str) -> None:
    tensors = random_tensors(SMALL, 0)
    for wrong in (tensors[name][:1], tensors[name].astype(np.float32)):
        with pytest.raises(CheckpointError, match=name):
            native.NativeEngine(SMALL, {**tensors, name: wrong})
    with pytest.raises(CheckpointError, match=name):
        native.NativeEngine(SMALL, {key: value for key, value in tensors.items() if key != name})


def test_a_damaged_state_is_refused() -> None:
    fast = native.NativeEngine(SMALL, random_tensors(SMALL, 0))
    saved = fast.state(1).save()
    moved = fast.state(1)
    fast.generate(moved, 21, SamplingConfig())
    later = moved.save()
    with pytest.raises(EngineError, match="contradicts"):
        fast.restore({**later, "history": later["history"] + 1})
    for wrong in ({**saved, "codes": saved["codes"][:3]}, {key: saved[key] for key in list(saved)[1:]}):
        with pytest.raises(EngineError):
            fast.restore(wrong)
    state = fast.state(1)
    with pytest.raises(EngineError):
        state.labels = (9, 9)


def thinned(tensors: dict, config: ModelConfig, kept: int, seed: int = 0) -> None:
    """Leaves `kept` of the blocks of 16 rows x 4 columns of each tile of the matrices that read the sample tier."""
    random = np.random.default_rng(seed)
    for weight in (tensors["sample.recurrent.weight"], tensors["head.dense.weight"]):
        for row in range(0, len(weight), 16):
            for column in random.permutation(config.sample_units // 4)[kept:]:
                weight[row : row + 16, 4 * column : 4 * column + 4] = 0


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("kept", [0, 1, 2, 5, 9, 20])
@pytest.mark.parametrize("head", [16, 96, 128])
def test_zero_blocks_are_left_out_without_a_trace(
    monkeypatch: pytest.MonkeyPatch, name: str, kept: int, head: int
) -> None:
    config = dataclasses.replace(SMALL, sample_units=80, head_units=head)
    tensors = random_tensors(config, 8, wild=True)
    thinned(tensors, config, kept)
    tensors["sample.recurrent.weight"][16:48] = 0  # tiles of their own counts
    fast, slow = forced(monkeypatch, name, config, tensors), ReferenceEngine(config, tensors)
    a, b = fast.state(1), slow.state(1)
    assert np.array_equal(fast.generate(a, 40, SamplingConfig()), slow.generate(b, 40, SamplingConfig()))
    assert same(a.save(), b.save())


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("streams", [2, 3, 5])
@pytest.mark.parametrize("kept", [20, 4])
def test_streams_together_equal_each_alone(monkeypatch: pytest.MonkeyPatch, name: str, streams: int, kept: int) -> None:
    """Frames that start at other samples, other labels, every way to draw; then the same for given codes."""
    config = dataclasses.replace(SMALL, sample_units=80)
    tensors = random_tensors(config, 9)
    thinned(tensors, config, kept)
    fast = forced(monkeypatch, name, config, tensors)
    together, alone = [[fast.state(seed) for seed in range(streams)] for _ in range(2)]
    for states in (together, alone):
        for k, state in enumerate(states):
            state.labels = (k % 3, 0)
            fast.generate(state, 5 * (k // 2), SamplingConfig())
    for draw in DRAWS:
        codes = fast.generate_together(together, 37, draw)
        assert np.array_equal(codes, [fast.generate(state, 37, draw) for state in alone])
    given_codes = np.random.default_rng(2).integers(0, 256, (streams, 50)).astype(np.uint8)
    costs = fast.teacher_force_together(together, given_codes)
    assert np.array_equal(
        costs, [fast.teacher_force(state, row) for state, row in zip(alone, given_codes, strict=True)]
    )
    assert all(same(a.save(), b.save()) for a, b in zip(together, alone, strict=True))


def test_streams_together_must_be_different_ones_of_one_network() -> None:
    tensors = random_tensors(SMALL, 1)
    fast, other = native.NativeEngine(SMALL, tensors), native.NativeEngine(SMALL, tensors)
    state = fast.state(1)
    with pytest.raises(ValueError, match="twice"):
        fast.generate_together([state, state], 4, SamplingConfig())
    with pytest.raises(ValueError, match="several networks"):
        fast.generate_together([state, other.state(1)], 4, SamplingConfig())


def test_the_bare_product_changes_nothing() -> None:
    fast = native.NativeEngine(SMALL, random_tensors(SMALL, 1))
    state = fast.state(1)
    before = state.save()
    fast.product(state, 100)
    assert same(before, state.save())
