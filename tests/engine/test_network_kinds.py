"""Networks with a conditioning vector, and networks of tokens: the compiled engine equals the specification."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import numpy as np
import pytest
from helpers.networks import random_tensors
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from synth import engine
from synth.audio import mulaw
from synth.codec import lossless
from synth.codec.lossless import segment
from synth.common.errors import CheckpointError, EngineError, UsageError
from synth.common.labels import LabelSet
from synth.engine.config import ModelConfig, SamplingConfig
from synth.engine.layout import conditioning_units
from synth.engine.reference import ReferenceEngine
from synth.engine.token_inputs import token_inputs

native = pytest.importorskip("synth.engine.native", reason="the native engine is not built")
SETS = engine.instruction_sets()
LABELS = LabelSet((("digit", ("0", "1", "2")), ("speaker", ("a", "b"))))
SMALL = ModelConfig(8000, frame_units=48, sample_units=48, head_units=32, labels=LABELS)
GIVEN = dataclasses.replace(SMALL, stride=2)
STEERED = dataclasses.replace(GIVEN, order=32)
PHASES = dataclasses.replace(GIVEN, stride=3, phases=1)
TOKENS = dataclasses.replace(SMALL, period=8)
BOTH = dataclasses.replace(SMALL, stride=4, period=4, window=16)
KINDS = [
    GIVEN,
    STEERED,
    PHASES,
    dataclasses.replace(STEERED, phases=1),
    TOKENS,
    BOTH,
    *(dataclasses.replace(TOKENS, period=period) for period in (1, 2, 16)),
]
LEAST_SQUARES = ("covariance", "correlation", "scale", "rows", "targets", "gains")
DRAWS = [SamplingConfig(), SamplingConfig.of(0), SamplingConfig.of(1.3, 20, 0.9)]


def test_a_config_says_its_kind() -> None:
    corrector = dataclasses.replace(SMALL, hints=3, labels=LabelSet())
    kinds = {"generator": SMALL, "steered": GIVEN, "tokens": TOKENS, "corrector": corrector}
    for kind, config in kinds.items():
        assert config.kind == kind and ModelConfig.from_json(config.to_json()).kind == kind
        assert "kind" not in config.to_json()
    assert BOTH.kind == "tokens" and BOTH.is_conditioned and not TOKENS.is_conditioned
    assert [config.codes_are_samples for config in kinds.values()] == [True, True, False, False]


def same(a: dict[str, NDArray[Any]], b: dict[str, NDArray[Any]]) -> bool:
    """Equal names in one order, types, shapes and bytes."""
    return list(a) == list(b) and all(
        a[k].dtype == b[k].dtype and a[k].shape == b[k].shape and a[k].tobytes() == b[k].tobytes() for k in a
    )


def vector(config: ModelConfig, seed: int, most: int = 32767) -> NDArray[np.int16]:
    """A conditioning vector; of length 0 for a network without one."""
    return np.random.default_rng(seed).integers(-most - 1, most + 1, conditioning_units(config)).astype(np.int16)


def both(name: str, config: ModelConfig, seed: int, wild: bool = False) -> tuple[Any, ReferenceEngine]:
    """The engines of a random network."""
    tensors = random_tensors(config, seed, wild)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SYNTH_ISA", name)
        return native.NativeEngine(config, tensors), ReferenceEngine(config, tensors)


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("config", KINDS)
@pytest.mark.parametrize("wild", [False, True])
def test_samples_and_states_equal_the_reference(name: str, config: ModelConfig, wild: bool) -> None:
    fast, slow = both(name, config, 3, wild)
    a, b = fast.state(7, 2), slow.state(7, 2)
    codes = np.random.default_rng(5).integers(0, 256, 21).astype(np.uint8)
    for turn, draw in enumerate(DRAWS * 2):
        a.labels = b.labels = (turn % 4, turn % 3)
        a.conditioning = b.conditioning = vector(config, turn, (300, 32767)[turn % 2])  # in the middle of a frame too
        count = (1, 15, 17, 3, 30, 5)[turn]
        assert np.array_equal(fast.generate(a, count, draw), slow.generate(b, count, draw))
        assert same(a.save(), b.save())
        assert np.array_equal(fast.distribution(a), slow.distribution(b))
        assert same(a.save(), b.save())  # looking changes nothing
    assert np.array_equal(fast.teacher_force(a, codes), slow.teacher_force(b, codes))
    assert same(a.save(), b.save()) and same(a.copy().save(), b.save())


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("config", [GIVEN, PHASES, TOKENS, BOTH])
@pytest.mark.parametrize("streams", [2, 3, 5])
def test_streams_together_equal_each_alone(name: str, config: ModelConfig, streams: int) -> None:
    """At other places of a frame, under other vectors and labels; then the same for given codes."""
    fast, slow = both(name, config, 9)
    together, alone = [fast.state(k) for k in range(streams)], [slow.state(k) for k in range(streams)]
    for k, (a, b) in enumerate(zip(together, alone, strict=True)):
        a.labels = b.labels = (k % 3, 0)
        a.conditioning = b.conditioning = vector(config, k, 2000)
        assert np.array_equal(fast.generate(a, 5 * k, SamplingConfig()), slow.generate(b, 5 * k, SamplingConfig()))
    for turn, draw in enumerate(DRAWS):
        for k, (a, b) in enumerate(zip(together, alone, strict=True)):
            a.conditioning = b.conditioning = vector(config, 10 * turn + k, 2000)
        codes = fast.generate_together(together, 21, draw)
        assert np.array_equal(codes, [slow.generate(state, 21, draw) for state in alone])
    forced = np.random.default_rng(2).integers(0, 256, (streams, 35)).astype(np.uint8)
    costs = fast.teacher_force_together(together, forced)
    assert np.array_equal(costs, [slow.teacher_force(state, row) for state, row in zip(alone, forced, strict=True)])
    assert all(same(a.save(), b.save()) for a, b in zip(together, alone, strict=True))


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("config", [GIVEN, PHASES])
@pytest.mark.parametrize("start", [0, 1, 16])
def test_conditioning_may_change_within_a_call(name: str, config: ModelConfig, start: int) -> None:
    """Several vectors in one call are what one call a vector gives, with either engine."""
    fast, slow = both(name, config, 4)
    period = config.stride * config.hop
    count = 3 * period + 5
    states, alone = [fast.state(k) for k in range(2)], [slow.state(k) for k in range(2)]
    for a, b in zip(states, alone, strict=True):
        a.conditioning = b.conditioning = vector(config, 1, 2000)
        assert np.array_equal(fast.generate(a, start, SamplingConfig()), slow.generate(b, start, SamplingConfig()))
    changes = (start + count - 1) // period - start // period
    vectors = np.stack([[vector(config, 10 * k + n, 2000) for n in range(changes)] for k in range(2)])
    codes = fast.generate_together(states, count, SamplingConfig(), vectors)
    assert np.array_equal(codes, slow.generate_together(alone, count, SamplingConfig(), vectors))
    assert all(same(a.save(), b.save()) for a, b in zip(states, alone, strict=True))


def test_vectors_of_another_shape_are_refused() -> None:
    fast, _ = both(SETS[-1], GIVEN, 4)
    states = [fast.state(0), fast.state(1)]
    good = np.zeros((2, 2, len(vector(GIVEN, 0, 1))), np.int16)
    count = 2 * GIVEN.stride * GIVEN.hop + 1
    for vectors in (good[:1], good[:, :1], good[:, :, 1:]):
        with pytest.raises(ValueError, match="vectors: wrong shape"):
            fast.generate_together(states, count, SamplingConfig(), vectors.copy())
    fast.generate(states[0], 3, SamplingConfig())
    with pytest.raises(ValueError, match="vectors: the streams stand at several samples"):
        fast.generate_together(states, count, SamplingConfig(), good)


@settings(max_examples=15, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.lists(st.integers(0, 60), min_size=1, max_size=5),
    st.sampled_from(SETS),
    st.sampled_from(KINDS),
)
def test_any_split_goes_on_from_what_was_saved(seed: int, parts: list[int], name: str, config: ModelConfig) -> None:
    fast, slow = both(name, config, seed)
    first, state = fast.state(seed), fast.state(seed)
    first.conditioning = state.conditioning = vector(config, seed, 1000)
    whole, pieces = fast.generate(first, sum(parts), SamplingConfig()), []
    for part in parts:
        pieces.append(fast.generate(state, part, SamplingConfig()))
        other = slow.restore(state.save())
        assert same(other.save(), state.save()) and np.array_equal(other.conditioning, state.conditioning)
        state = fast.restore(other.save())
    assert np.array_equal(np.concatenate(pieces), whole)
    assert same(first.save(), state.save())


@pytest.mark.parametrize("period", [1, 2, 4, 8, 16])
def test_token_inputs_are_what_the_engine_reads(period: int) -> None:
    config = dataclasses.replace(TOKENS, period=period, window=16)
    slow = both(SETS[-1], config, 1)[1]
    codes = np.random.default_rng(0).integers(0, 256, (2, 40)).astype(np.uint8)
    predicted, residual = token_inputs(codes, period)
    assert predicted.dtype == residual.dtype == np.uint8 and predicted.shape == residual.shape == codes.shape
    assert np.all(predicted[:, :period] == mulaw.SILENCE)
    for row in range(2):
        state = slow.state()
        for t in range(40):
            assert slow.inputs(state) == (0, predicted[row, t], residual[row, t])
            slow.teacher_force(state, codes[row, t : t + 1])
    for made in both(SETS[-1], config, 1):
        np.testing.assert_array_equal(made.predict_codes(codes), (predicted, residual))
    assert [rows.shape for rows in token_inputs(codes[:, :0], period)] == [(2, 0), (2, 0)]


@pytest.mark.parametrize("which", [0, 1])
def test_a_vector_takes_effect_with_the_next_frame(which: int) -> None:
    made = both(SETS[-1], GIVEN, 4)[which]
    codes = np.random.default_rng(0).integers(100, 156, 48).astype(np.uint8)
    plain, state = made.state(), made.state()
    made.teacher_force(plain, codes[:20]), made.teacher_force(state, codes[:20])
    state.conditioning = vector(GIVEN, 1)
    before, after = (made.teacher_force(s, codes[20:]) for s in (plain, state))
    np.testing.assert_array_equal(before[:12], after[:12])  # up to sample 32
    assert (before[12:] != after[12:]).any()


@pytest.mark.parametrize("which", [0, 1])
def test_a_vector_that_does_not_fit_is_refused(which: int) -> None:
    state = both(SETS[-1], GIVEN, 1)[which].state()
    good = vector(GIVEN, 1)
    state.conditioning = good
    for wrong in (good[:-1], good.astype(np.int32), good.astype(np.float32), good[None], list(good), None):
        with pytest.raises(EngineError, match="given is .* must be int16"):
            state.conditioning = wrong
    assert np.array_equal(state.conditioning, good) and state.conditioning.dtype == np.int16
    good[:] = 0
    state.conditioning[:] = 0
    assert np.any(state.conditioning)  # what was set and what is got are copies
    state.conditioning = vector(GIVEN, 2)[::-1][: len(good)]
    assert np.array_equal(state.conditioning, vector(GIVEN, 2)[::-1])
    without = both(SETS[-1], TOKENS, 1)[which].state()
    assert without.conditioning.shape == (0,)
    with pytest.raises(EngineError, match="given"):
        without.conditioning = good


def test_the_kernel_checks_a_vector_itself() -> None:
    kernel = both(SETS[-1], GIVEN, 1)[0].state().kernel
    for wrong in (vector(GIVEN, 1)[:-1], vector(GIVEN, 1)[:0]):
        with pytest.raises(ValueError, match="given"):
            kernel.given = wrong
    with pytest.raises(TypeError):
        kernel.given = vector(GIVEN, 1)[None]


def test_saved_states_hold_what_their_network_has() -> None:
    audio = list(both(SETS[-1], SMALL, 1)[0].state().save())
    added = list(both(SETS[-1], GIVEN, 1)[0].state().save())
    tokens = list(both(SETS[-1], TOKENS, 1)[0].state().save())
    assert [name for name in added if name != "given"] == [name for name in audio if name not in LEAST_SQUARES]
    assert "given" in added and "given" not in audio
    assert tokens == ["position", "seed", "labels", "codes", "frame", "condition", "sample"]


@pytest.mark.parametrize("config", [GIVEN, BOTH])
def test_a_damaged_state_is_refused(config: ModelConfig) -> None:
    fast = both(SETS[-1], config, 1)[0]
    saved = fast.state(1).save()
    wrong = {"short": saved["given"][:-1], "wide": saved["given"].astype(np.int32), "flat": saved["given"][None]}
    for value in wrong.values():
        with pytest.raises(EngineError, match="given"):
            fast.restore({**saved, "given": value})
    with pytest.raises(EngineError, match="given"):
        fast.restore({name: value for name, value in saved.items() if name != "given"})


def test_a_config_says_what_it_is_only_where_it_is_not_audio() -> None:
    assert not SMALL.to_json().keys() & {"stride", "period", "phases"} and "phases" not in GIVEN.to_json()
    for config in (SMALL, *KINDS):
        assert ModelConfig.from_json(json.loads(json.dumps(config.to_json()))) == config
    assert ModelConfig.from_json({**SMALL.to_json(), "stride": 0, "period": 0}) == SMALL
    for wrong in ({"stride": 65}, {"stride": -1}, {"period": 3}, {"period": 32}, {"period": True}, {"periods": 8}):
        with pytest.raises(UsageError):
            ModelConfig.from_json({**SMALL.to_json(), **wrong})


def test_tokens_have_no_predictor() -> None:
    tensors = random_tensors(TOKENS, 1)
    assert not [name for name in tensors if name.startswith("predictor.")]
    start = {"predictor.start": np.zeros(16)}
    with pytest.raises(CheckpointError, match="predictor.start"):
        native.NativeEngine(TOKENS, {**tensors, **start})
    with pytest.raises(CheckpointError, match="predictor"):
        native.NativeEngine(SMALL, tensors)
    for name in ("sample.predicted", "sample.residual", "head.predicted"):
        with pytest.raises(CheckpointError, match=name):
            native.NativeEngine(TOKENS, {**tensors, name: tensors[name][:16]})


def test_the_kernel_checks_stride_period_and_hints() -> None:
    tensors = random_tensors(TOKENS, 1)
    sizes = TOKENS.window, TOKENS.frame_units, TOKENS.sample_units, TOKENS.head_units
    wrong = [(16, -1, 8, 0), (16, 65, 8, 0), (16, 0, 3, 0), (16, 0, 32, 0), (16, 0, -8, 0), (24, 1, 0, 0)]
    wrong += [(16, 0, 0, 1), (16, 0, 0, 9), (16, 0, 0, -1), (16, 1, 0, 8), (16, 0, 8, 8)]
    for order, stride, period, hints in wrong:
        with pytest.raises(ValueError, match="out of range"):
            native._kernel.network(SETS[-1], *sizes, order, stride, period, hints, [3, 2], tensors)


@pytest.mark.parametrize("config", [GIVEN, PHASES, BOTH])
def test_the_codec_hears_the_same(config: ModelConfig) -> None:
    fast, slow = both(SETS[-1], config, 2)
    samples = np.random.default_rng(1).integers(-3000, 3000, (40, 1)).astype(np.int32)
    assert lossless.encode_segment(samples, 16, "balanced", fast) == segment.encode_segment(
        samples, 16, "balanced", slow
    )
