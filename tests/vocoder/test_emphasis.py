"""Pre-emphasis and de-emphasis: what one does the other undoes, in blocks of any size, as specified."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from helpers import voices
from hypothesis import given, settings
from hypothesis import strategies as st

from synth import engine
from synth.common.errors import EngineError, UsageError
from synth.common.typing import Int16, Int32
from synth.vocoder.emphasis import LIMIT, PRE, DeEmphasis, de_emphasised_specified, pre_emphasised

ENGINES = ["native", "reference"] if engine.has_native() else ["reference"]


def sounds(kind: str, count: int, seed: int) -> Int16:
    random = np.random.default_rng(seed)
    loud = random.integers(-32768, 32768, count)
    square = np.where(np.arange(count) // 7 % 2, 32767, -32768)
    kinds = {"loud": loud, "faint": loud // 9000, "square": square, "least": 0 * loud - 32768, "most": 0 * loud + 32767}
    return kinds[kind].astype(np.int16)


KINDS = ["loud", "faint", "square", "least", "most"]


def de_emphasised(samples: Int16, prefer: str) -> Int32:
    return DeEmphasis(prefer).filter(samples)


def test_pre_emphasis_is_as_specified() -> None:
    x, before = np.random.default_rng(1).integers(-32768, 32768, 2000).astype(np.int32), -12345
    found = pre_emphasised(x, before)
    assert found.dtype == np.int16
    past = before
    for value, emphasised in zip(x.tolist(), found.tolist(), strict=True):
        assert emphasised == max(-32768, min(32767, value - ((PRE * past + (1 << 14)) >> 15)))
        past = value
    assert {32767, -32768} <= set(found.tolist())
    assert pre_emphasised(x[:0], before).shape == (0,)


def test_pre_emphasis_in_blocks_of_any_size() -> None:
    x = voices.sound(1000).astype(np.int32)
    for size in (1, 7, 160):
        starts = range(0, len(x), size)
        blocks = [pre_emphasised(x[at : at + size], int(x[at - 1]) if at else 0) for at in starts]
        np.testing.assert_array_equal(np.concatenate(blocks), pre_emphasised(x, 0))


def test_pre_emphasis_of_samples_beyond_16_bits() -> None:
    limits = np.array([-(2**31), 2**31 - 1, 0], np.int32)
    assert pre_emphasised(limits, 2**31 - 1).tolist() == [-32768, 32767, -32768]


@given(st.sampled_from(KINDS), st.integers(0, 300), st.integers(-LIMIT, LIMIT), st.integers(0, 999))
@settings(max_examples=60, deadline=None)
def test_de_emphasis_is_as_specified(kind: str, count: int, state: int, seed: int) -> None:
    samples, wanted_state = sounds(kind, count, seed), state
    wanted, wanted_state = de_emphasised_specified(samples, state)
    for prefer in ENGINES:
        stage = DeEmphasis(prefer)
        stage.state = state
        filtered = stage.filter(samples)
        assert filtered.dtype == np.int32 and stage.state == wanted_state
        np.testing.assert_array_equal(filtered, wanted)


@pytest.mark.skipif(not engine.has_native(), reason="the native engine is not built")
@pytest.mark.parametrize("state", [2**31 - 1, -(2**31), LIMIT + 1, -LIMIT - 1])
def test_states_beyond_the_limit_saturate(state: int) -> None:
    from synth.engine import _kernel

    samples, out = sounds("loud", 50, 3), np.zeros(50, np.int32)
    wanted, after = de_emphasised_specified(samples, state)
    assert _kernel.de_emphasise(samples, state, out) == after
    np.testing.assert_array_equal(out, wanted)
    with pytest.raises(ValueError, match="de_emphasise: out's shape"):
        _kernel.de_emphasise(samples, state, out[1:])
    assert abs(de_emphasised_specified(samples[:1], 2**31 - 1)[1]) == LIMIT


@pytest.mark.parametrize("prefer", ENGINES)
@pytest.mark.parametrize("size", [1, 2, 7, 160, 999])
def test_blocks_of_any_size_and_a_state_that_is_carried_over(prefer: str, size: int) -> None:
    samples = sounds("loud", 1000, 4)
    stage, blocks = DeEmphasis(prefer), []
    for at in range(0, len(samples), size):
        blocks.append(stage.filter(samples[at : at + size]))
        restored = DeEmphasis("reference")
        restored.state = stage.state
        stage = restored if at % 2 else stage
    np.testing.assert_array_equal(np.concatenate(blocks), de_emphasised(samples, prefer))


@pytest.mark.parametrize("prefer", ENGINES)
def test_one_undoes_the_other(prefer: str) -> None:
    """The rounding of each sample is kept on by the filter: half a step, of which 1 / (1 - 0.85) at the most add up."""
    random = np.random.default_rng(5)
    walk = np.cumsum(random.normal(0, 300, 20000))
    for x in (voices.sound(20000), 9000 * np.sin(walk / 9000), random.normal(0, 3000, 20000)):
        whole = np.rint(x).astype(np.int32)
        error = de_emphasised(pre_emphasised(whole, 0), prefer) - whole
        assert np.abs(error).max() < 4 and (error**2).mean() < 1
    for level in range(-200, 200):  # the worst: the rounding is the same at every sample
        whole = np.full(200, level, np.int32)
        assert np.abs(de_emphasised(pre_emphasised(whole, 0), prefer) - whole).max() < 4


def test_noise_gets_the_slope_of_the_filter() -> None:
    impulse = np.array([10000] + [0] * 30, np.int16)
    wanted = 10000 * 0.85 ** np.arange(31)
    assert np.abs(de_emphasised(impulse, "auto") - wanted).max() < 1


def test_what_does_not_suit_is_refused() -> None:
    stage: Any = DeEmphasis()
    for wrong in (np.zeros(3, np.int32), np.zeros((3, 1), np.int16), np.zeros(3, np.float32)):
        with pytest.raises(UsageError, match=r"^samples: must be int16 \(n,\)"):
            stage.filter(wrong)
    with pytest.raises(UsageError, match=r"^samples: must be int32 \(n,\), are int16 \(3,\)"):
        pre_emphasised(np.zeros(3, np.int16), 0)  # type: ignore[arg-type]
    for state in (LIMIT + 1, -LIMIT - 1):
        with pytest.raises(EngineError, match="^saved stream: "):
            stage.state = state
    assert stage.state == 0
