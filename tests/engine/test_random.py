"""Random numbers and what is made of them: the published vectors, temperature, top-k and top-p, counted exactly."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.networks import random_tensors
from helpers.plain import Plain, choose, kept
from hypothesis import example, given, settings
from hypothesis import strategies as st

from synth.engine.config import ModelConfig, SamplingConfig
from synth.engine.reference import ReferenceEngine
from synth.engine.sampling import philox, pick

CONFIG = ModelConfig(8000, frame_units=16, sample_units=16, head_units=16)


@pytest.fixture(scope="module")
def reference() -> ReferenceEngine:
    tensors = random_tensors(CONFIG, 1)
    tensors["head.tree.scale"] //= 2  # no decision is all but certain
    return ReferenceEngine(CONFIG, tensors)


# random numbers


@pytest.mark.parametrize(
    ("counter", "key", "words"),
    [  # Random123, kat_vectors, philox4x32 with 10 rounds
        ("00000000 00000000 00000000 00000000", "00000000 00000000", "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
        ("ffffffff ffffffff ffffffff ffffffff", "ffffffff ffffffff", "408f276d 41c83b0e a20bc7c6 6d5451fd"),
        ("243f6a88 85a308d3 13198a2e 03707344", "a4093822 299f31d0", "d16cfe09 94fdcceb 5001e420 24126ea1"),
    ],
)
def test_philox_gives_the_published_words(counter: str, key: str, words: str) -> None:
    a, b, c, d = (int(word, 16) for word in counter.split())
    k0, k1 = (int(word, 16) for word in key.split())
    assert philox((a, b, c, d), (k0, k1)) == [int(word, 16) for word in words.split()]


@pytest.mark.parametrize("position", [0, 2**32 - 16, 2**32, 2**40 + 32])
def test_draws_depend_on_seed_stream_and_place_alone(position: int, reference: ReferenceEngine) -> None:
    fresh = {**reference.state().save(), "position": np.array([position], np.uint64)}
    found = {}
    for seed, stream in ((0, 0), (1, 0), (0, 1), (2**32 - 1, 2**32 - 1)):
        given = {**fresh, "seed": np.array([seed, stream], np.uint32)}
        codes = reference.generate(reference.restore(given), 20, SamplingConfig()).tolist()
        plain = Plain(CONFIG, reference.tensors, seed, stream)
        if position:  # the update of the frame before, of which nothing was taken
            plain.position = position
        assert codes == [plain.draw() for _ in range(20)]
        found[tuple(codes)] = (seed, stream)
    assert len(found) == 4


# drawing

weights_of_256 = st.lists(st.integers(0, 2**32 // 300), min_size=256, max_size=256) | st.lists(
    st.sampled_from([0, 1, 7, 2**23]), min_size=256, max_size=256
)


@given(
    weights_of_256.filter(any),
    st.integers(1, 256),
    st.integers(1, 2**32) | st.sampled_from([1, 2**31, 2**32]),
    st.integers(0, 2**32 - 1) | st.sampled_from([0, 2**32 - 1]),
)
@example([1] * 256, 256, 2**31, 2**32 - 1)
@example([3, 1] * 128, 200, 2**31, 2**32 - 1)
@settings(max_examples=80, deadline=None)
def test_top_k_and_top_p_draw_as_specified(weights: list[int], top_k: int, top_p: int, word: int) -> None:
    found = pick(np.array(weights, np.int64), SamplingConfig(4096, top_k, top_p), word)
    assert found == choose(weights, top_k, top_p, word)
    assert weights[found] > 0 and found in kept(weights, top_k, top_p)


@pytest.mark.parametrize(("top_k", "top_p"), [(256, 0.999999), (256, 0.9), (256, 0.3), (40, 1.0), (5, 1.0), (30, 0.7)])
def test_every_code_kept_has_its_share_of_all_random_words(
    top_k: int, top_p: float, reference: ReferenceEngine
) -> None:
    """All 2^32 words, by the places where the code that is drawn changes."""
    state = reference.state()
    reference.teacher_force(state, np.arange(100, 137, dtype=np.uint8))
    weights, draw = reference.distribution(state).astype(np.int64), SamplingConfig.of(1.0, top_k, top_p)
    order = np.argsort(-weights, kind="stable")[:top_k]
    share = weights[order] / weights[order].sum()
    count = min(len(order), int(np.searchsorted(np.cumsum(share), draw.top_p / 2**32)) + 1)
    order = order[:count]  # the fewest that hold top_p of what top-k left
    share, begin = weights[order] / weights[order].sum(), 0
    for place, code in enumerate(order):
        assert pick(weights, draw, begin) == code
        low, high = begin, 1 << 32  # the first word that gives another code
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if pick(weights, draw, middle) == code else (low, middle)
        assert (high - begin) / 2**32 == pytest.approx(share[place], abs=1e-9)
        begin = high
    assert begin == 1 << 32


@pytest.mark.parametrize("temperature", [0.25, 0.7, 1.0, 1.5, 4.0])
def test_temperature_divides_every_logit(temperature: float, reference: ReferenceEngine) -> None:
    """The distribution of draws: each node's share of all random words, against its tempered logit."""
    state = reference.state()
    reference.teacher_force(state, np.arange(100, 117, dtype=np.uint8))
    weights = reference.distribution(state).astype(np.float64)
    inverse = SamplingConfig.of(temperature).inverse_temperature
    assert inverse == round(4096 / temperature)
    _, hidden = reference.sample_step(reference.restore(state.save()))
    tempered = reference._leaves(hidden, inverse).astype(np.float64)
    for level in range(8):
        whole, sharp = (leaves.reshape(1 << level, 2, -1).sum(2) for leaves in (weights, tempered))
        sure = (whole.min(1) > 2**12) & (sharp.min(1) > 2**12)
        before, after = (np.log(leaves[sure, 1] / leaves[sure, 0]) for leaves in (whole, sharp))
        within = np.abs(before) / min(temperature, 1.0) < 15  # the table ends at 16
        step = 1 / 128 * (1 + 1 / temperature) + 0.002  # steps of 1/64 before and after
        assert np.abs(after - before / temperature)[within].max(initial=0) < step


def test_greedy_takes_the_likelier_branch_whatever_else_is_asked(reference: ReferenceEngine) -> None:
    state = reference.state(7)
    for draw in (SamplingConfig(0), SamplingConfig(0, 3, 1 << 30), SamplingConfig.of(0, 1, 0.01)):
        expected, leaves = 0, reference.distribution(state).astype(np.int64)
        for level in range(8):
            halves = leaves.reshape(2 << level, -1).sum(1)
            expected = 2 * expected + int(halves[2 * expected + 1] > halves[2 * expected])
        assert reference.generate(state, 1, draw)[0] == expected


def test_top_k_of_one_takes_the_likeliest_code(reference: ReferenceEngine) -> None:
    state = reference.state(3)
    for _ in range(20):
        likeliest = int(reference.distribution(state).argmax())
        assert reference.generate(state, 1, SamplingConfig.of(1.0, top_k=1))[0] == likeliest
