"""The reference engine: against the specification in plain Python, published vectors, codes that must never change."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from networks import random_tensors
from numpy.typing import NDArray
from plain import Plain, choose, kept, saved

from synth import engine, mulaw
from synth.config import Draw, ModelConfig
from synth.engine.layout import check, layout
from synth.engine.reference import ReferenceEngine, philox, pick

LABELS = (("digit", ("0", "1", "2")), ("speaker", ("a", "b")))
CONFIG = ModelConfig(8000, frame_units=16, sample_units=16, head_units=16, labels=LABELS)
WIDE = ModelConfig(8000, window=64, frame_units=32, sample_units=48, head_units=32, order=32, decay=0.998)

Tensors = dict[str, NDArray[Any]]


def settled(config: ModelConfig, seed: int) -> Tensors:
    """A random network of which no decision is all but certain."""
    tensors = random_tensors(config, seed)
    tensors["head.tree.scale"] //= 2
    return tensors


@pytest.fixture(scope="module")
def reference() -> ReferenceEngine:
    return ReferenceEngine(CONFIG, settled(CONFIG, 1))


def equal_states(found: dict[str, NDArray[Any]], expected: dict[str, NDArray[Any]]) -> None:
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert found[name].dtype == value.dtype and found[name].shape == value.shape, name
        assert found[name].tobytes() == value.tobytes(), name


# against the specification


@pytest.mark.parametrize(
    ("config", "seed", "wild", "draw"),
    [
        (CONFIG, 1, False, Draw()),
        (CONFIG, 2, True, Draw()),
        (CONFIG, 3, False, Draw.of(0.7)),
        (CONFIG, 4, False, Draw.of(0)),
        (CONFIG, 5, False, Draw.of(1.3, top_k=12)),
        (CONFIG, 6, True, Draw.of(0.9, top_p=0.8)),
        (WIDE, 7, False, Draw.of(1, 40, 0.95)),
        (WIDE, 8, True, Draw()),
    ],
)
def test_equals_the_specification_bit_for_bit_states_included(
    config: ModelConfig, seed: int, wild: bool, draw: Draw
) -> None:
    tensors = random_tensors(config, seed, wild)
    reference, plain = ReferenceEngine(config, tensors), Plain(config, tensors, seed, 5)
    state = reference.state(seed, 5)
    if config.labels:
        state.labels, plain.labels = (2, 1), [2, 1]
    given = np.random.default_rng(seed).integers(0, 256, 21).astype(np.uint8)
    assert reference.force(state, given).tolist() == [plain.cost(int(code)) for code in given]
    equal_states(state.save(), saved(plain))
    codes = reference.generate(state, 30, draw).tolist()
    assert codes == [plain.draw(draw.inverse_temperature, draw.top_k, draw.top_p) for _ in range(30)]
    equal_states(state.save(), saved(plain))


def test_distribution_is_the_tree_multiplied_out(reference: ReferenceEngine) -> None:
    plain, state = Plain(CONFIG, reference.tensors), reference.state()
    for code in (128, 130, 70, 200):
        weights = reference.distribution(state)
        assert weights.dtype == np.uint32 and int(weights.astype(np.int64).sum()) == 2**32 - 1
        p, q7 = plain.begin()
        assert weights.tolist() == plain.leaves(q7)
        plain.take(p, code)
        reference.force(state, np.array([code], np.uint8))


def test_labels_take_effect_with_the_next_frame(reference: ReferenceEngine) -> None:
    codes = np.random.default_rng(0).integers(100, 156, 48).astype(np.uint8)
    plain, state = reference.state(), reference.state()
    state.labels = (0, 0)
    reference.force(plain, codes[:20]), reference.force(state, codes[:20])
    state.labels = (3, 2)
    before, after = (reference.force(s, codes[20:]) for s in (plain, state))
    np.testing.assert_array_equal(before[:12], after[:12])  # up to sample 32
    assert (before[12:] != after[12:]).any()


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
        codes = reference.generate(reference.restore(given), 20, Draw()).tolist()
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
@settings(max_examples=150, deadline=None)
def test_top_k_and_top_p_draw_as_specified(weights: list[int], top_k: int, top_p: int, word: int) -> None:
    found = pick(np.array(weights, np.int64), Draw(4096, top_k, top_p), word)
    assert found == choose(weights, top_k, top_p, word)
    assert weights[found] > 0 and found in kept(weights, top_k, top_p)


@pytest.mark.parametrize(("top_k", "top_p"), [(256, 0.999999), (256, 0.9), (256, 0.3), (40, 1.0), (5, 1.0), (30, 0.7)])
def test_every_code_kept_has_its_share_of_all_random_words(
    top_k: int, top_p: float, reference: ReferenceEngine
) -> None:
    """All 2^32 words, by the places where the code that is drawn changes."""
    state = reference.state()
    reference.force(state, np.arange(100, 137, dtype=np.uint8))
    weights, draw = reference.distribution(state).astype(np.int64), Draw.of(1.0, top_k, top_p)
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
    reference.force(state, np.arange(100, 117, dtype=np.uint8))
    weights = reference.distribution(state).astype(np.float64)
    inverse = Draw.of(temperature).inverse_temperature
    assert inverse == round(4096 / temperature)
    _, hidden = reference._sample_step(reference.restore(state.save()))
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
    for draw in (Draw(0), Draw(0, 3, 1 << 30), Draw.of(0, 1, 0.01)):
        expected, leaves = 0, reference.distribution(state).astype(np.int64)
        for level in range(8):
            halves = leaves.reshape(2 << level, -1).sum(1)
            expected = 2 * expected + int(halves[2 * expected + 1] > halves[2 * expected])
        assert reference.generate(state, 1, draw)[0] == expected


def test_top_k_of_one_takes_the_likeliest_code(reference: ReferenceEngine) -> None:
    state = reference.state(3)
    for _ in range(20):
        likeliest = int(reference.distribution(state).argmax())
        assert reference.generate(state, 1, Draw.of(1.0, top_k=1))[0] == likeliest


# costs


def test_a_codes_cost_is_that_of_its_probability(reference: ReferenceEngine) -> None:
    state = reference.state()
    reference.force(state, np.array([128, 128, 140, 90], np.uint8))
    weights, before = reference.distribution(state).astype(np.float64), state.save()
    costs = np.array([int(reference.force(reference.restore(before), np.array([c], np.uint8))[0]) for c in range(256)])
    assert (2.0 ** (-costs / 65536)).sum() == pytest.approx(1, abs=1e-3)
    sure = weights > 2**16
    assert sure.sum() > 20
    assert np.abs(costs / 65536 + np.log2(weights / 2**32))[sure].max() < 1e-3


def test_what_is_generated_costs_its_entropy(reference: ReferenceEngine) -> None:
    """Codes drawn at temperature 1 have on average the length of the distributions' entropy."""
    state, forced, entropy, cost = reference.state(5), reference.state(), 0.0, 0
    for _ in range(400):
        chances = reference.distribution(state) / 2**32
        chances = chances[chances > 0]
        entropy -= float((chances * np.log2(chances)).sum())
        cost += int(reference.force(forced, reference.generate(state, 1, Draw()))[0])
    assert cost / 65536 == pytest.approx(entropy, rel=0.05)


# states


@pytest.mark.parametrize("at", [0, 1, 15, 16, 17, 40])
def test_a_saved_state_goes_on_exactly(at: int, reference: ReferenceEngine) -> None:
    whole = reference.state(9, 2)
    whole.labels = (1, 2)
    expected = reference.generate(whole, 60, Draw())
    first = reference.state(9, 2)
    first.labels = (1, 2)
    codes = reference.generate(first, at, Draw())
    kept_state = first.save()
    before = {name: value.copy() for name, value in kept_state.items()}
    second = reference.restore(kept_state)
    assert second.position == at and second.labels == (1, 2) and (second.seed, second.stream) == (9, 2)
    rest = reference.generate(second, 60 - at, Draw())
    np.testing.assert_array_equal(np.concatenate([codes, rest]), expected)
    equal_states(second.save(), whole.save())
    equal_states(kept_state, before)  # going on changed nothing that was saved
    equal_states(first.save(), before)


def test_block_sizes_change_nothing(reference: ReferenceEngine) -> None:
    expected = reference.generate(reference.state(4), 50, Draw())
    state = reference.state(4)
    parts = [reference.generate(state, count, Draw()) for count in (0, 1, 16, 3, 17, 13)]
    np.testing.assert_array_equal(np.concatenate(parts), expected)


def test_looking_at_the_distribution_changes_nothing(reference: ReferenceEngine) -> None:
    state = reference.state(4)
    for count in (0, 7, 9):  # in a frame and at its end
        reference.generate(state, count, Draw())
        before = state.save()
        reference.distribution(state)
        equal_states(state.save(), before)


def test_forcing_what_was_generated_gives_the_same_state(reference: ReferenceEngine) -> None:
    one, other = reference.state(6), reference.state(6)
    reference.force(other, reference.generate(one, 37, Draw()))
    equal_states(other.save(), one.save())


def test_nothing_is_generated_or_forced(reference: ReferenceEngine) -> None:
    state = reference.state()
    assert reference.generate(state, 0, Draw()).shape == (0,)
    assert reference.force(state, np.zeros(0, np.uint8)).shape == (0,)
    assert state.position == 0


# the predictor


def test_predicted_codes_are_those_of_the_engine(reference: ReferenceEngine) -> None:
    random = np.random.default_rng(3)
    wave = 8000 * np.sin(np.arange(100) * 0.3) + random.normal(0, 300, 100)
    codes = np.stack([mulaw.encode(wave.astype(np.int16)), random.integers(0, 256, 100).astype(np.uint8)])
    predicted, residual = reference.predict_codes(codes)
    assert predicted.dtype == residual.dtype == np.uint8 and predicted.shape == codes.shape
    for row in range(2):
        plain = Plain(CONFIG, reference.tensors)
        for t, code in enumerate(codes[row].tolist()):
            assert residual[row, t] == plain.residual
            p, _ = plain.begin()
            assert predicted[row, t] == mulaw.encode(np.array([p], np.int16))[0]
            plain.take(p, code)
    np.testing.assert_array_equal(engine.predict_codes(codes, reference.tensors), (predicted, residual))


def test_a_sine_is_predicted_and_a_row_depends_on_its_past_alone(reference: ReferenceEngine) -> None:
    wave = (10000 * np.sin(np.arange(400) * 0.2)).astype(np.int16)
    codes = mulaw.encode(wave)[None]
    predicted, _ = reference.predict_codes(codes)
    error = mulaw.decode(predicted[0]).astype(float) - mulaw.decode(codes[0])
    assert 10 * np.log10(np.mean(wave[100:].astype(float) ** 2) / np.mean(error[100:] ** 2)) > 25
    other = codes.copy()
    other[0, 200:] = 0
    again, _ = reference.predict_codes(np.concatenate([other, codes]))
    np.testing.assert_array_equal(again[0, :201], predicted[0, :201])
    np.testing.assert_array_equal(again[1], predicted[0])


def test_a_predictor_that_explodes_starts_again() -> None:
    tensors = settled(CONFIG, 1)
    tensors["predictor.start"] = np.linspace(-64, 64, 16)
    tensors["predictor.ridge"] = np.array([1e-9, 1e-9])
    reference, plain = ReferenceEngine(CONFIG, tensors), Plain(CONFIG, tensors)
    codes = np.random.default_rng(1).choice([0, 255, 128], 64).astype(np.uint8)
    codes[:15], codes[15] = 128, 255  # all 3, then 32767, which one weight of ten thousand explains
    state = reference.state()
    for at in range(0, 64, 17):
        part = codes[at : at + 17]
        assert reference.force(state, part).tolist() == [plain.cost(int(code)) for code in part]
        equal_states(state.save(), saved(plain))
        if at == 0:
            np.testing.assert_array_equal(state.save()["weights"], tensors["predictor.start"])
    assert np.isfinite(state.save()["weights"]).all()


# golden: what this version makes it must make for ever


def golden_tensors() -> Tensors:
    """A network of numbers that no library's random generator or logarithm decides."""
    tensors: Tensors = {}
    for name, (kind, shape) in layout(CONFIG).items():
        size = int(np.prod(shape))
        digest = b"".join(hashlib.sha256(f"{name} {k}".encode()).digest() for k in range(-(-size // 16)))
        values = np.frombuffer(digest, "<i2")[:size].astype(np.int64).reshape(shape)
        if kind == "int8":
            values = values % 255 - 127
        elif name.endswith(".scale"):
            values = values % 16384 + 4096
        elif name.endswith(".shift"):
            values = values % 2 + 2
        else:
            values = values // (96 if name == "head.tree.bias" else 24)
        tensors[name] = values.astype(kind)
    upper = [2**32 - 2**31 * 511**7 // (512 + x) ** 7 for x in range(1024)]  # rises, and no logarithm is needed
    probability = np.array([2**32 - p for p in reversed(upper)] + upper)
    tensors["table.probability"] = probability.astype(np.uint32)
    bits = [(2**32 // int(p)).bit_length() - 1 for p in probability]
    tensors["table.cost"] = np.array(bits, np.uint32) * 65536
    place = np.arange(8)
    tensors["table.sigmoid"] = np.stack([16384 + 2000 * place, 2000 + 0 * place, 0 * place]).astype(np.int16)
    tensors["table.tanh"] = np.stack([4000 * place, 4500 + 0 * place, -500 + 0 * place]).astype(np.int16)
    start = np.zeros(16)
    start[:3] = 1.5, -0.75, 0.125
    tensors |= {"predictor.start": start, "predictor.powers": np.array([1 - (15 - k) / 128 for k in range(16)])}
    tensors |= {"predictor.decay": np.array([0.875]), "predictor.ridge": np.array([100.0, 1.0])}
    return tensors


# fmt: off
GOLDEN: dict[str, list[int]] = {
    "drawn": [
        85, 174, 94, 65, 180, 75, 177, 83, 178, 86, 54, 38, 187, 2, 137, 70, 178, 175, 180, 183, 171, 173,
        71, 184, 186, 69, 167, 69, 94, 90, 166, 178, 86, 90, 189, 2, 177, 134, 170, 125, 69, 46, 189, 55,
        87, 64, 162, 221, 24, 163, 105, 178, 145, 95, 209, 178, 72, 186, 38, 94, 87, 148, 97, 64, 86, 67,
        182, 65, 61, 12, 68, 69,
    ],
    "labelled": [
        85, 174, 94, 65, 180, 75, 177, 179, 184, 185, 183, 71, 200, 71, 168, 111, 179, 206, 221, 187, 163,
        111, 71, 33, 202, 65, 167, 96, 90, 171, 166, 220, 89, 94, 187, 14, 183, 69, 144, 89, 185, 156, 186,
        125, 179, 116, 69, 69, 33, 163, 122, 122, 147, 95, 86, 86, 72, 210, 14, 89, 221, 134, 167, 70, 86,
        43, 86, 65, 163, 13, 68, 240,
    ],
    "cool": [
        85, 174, 95, 204, 188, 188, 177, 146, 178, 179, 183, 71, 86, 94, 174, 124, 179, 186, 188, 179, 185,
        69, 65, 65, 66, 180, 175, 160, 94, 70, 188, 176, 220, 186, 189, 8, 187, 68, 162, 89, 161, 184, 174,
        187, 185, 26, 69, 204, 90, 163, 187, 187, 95, 86, 86, 94, 76, 146, 174, 89, 219, 140, 71, 221, 182,
        107, 186, 144, 185, 95, 68, 89,
    ],
    "greedy": [
        86, 87, 174, 223, 161, 180, 180, 86, 86, 69, 189, 71, 75, 95, 87, 189, 87, 174, 68, 86, 65, 69, 94,
        245, 183, 86, 69, 90, 68, 65, 95, 65, 86, 87, 91, 183, 94, 86, 94, 86, 87, 94, 94, 174, 174, 174,
        94, 94, 174, 87, 94, 183, 175, 183, 86, 87, 183, 65, 65, 94, 94, 174, 77, 95, 94, 86, 90, 178, 130,
        94, 86, 87,
    ],
    "top": [
        87, 90, 184, 151, 186, 183, 167, 69, 69, 69, 185, 89, 94, 178, 69, 86, 90, 65, 206, 69, 90, 38, 180,
        89, 189, 69, 33, 162, 150, 179, 69, 221, 182, 69, 71, 86, 163, 167, 167, 71, 91, 94, 185, 95, 84,
        179, 94, 167, 33, 69, 183, 94, 69, 87, 95, 69, 91, 90, 89, 204, 107, 179, 69, 126, 183, 110, 85, 91,
        95, 95, 85, 69,
    ],
    "costs": [
        9, 6, 5, 14, 14, 12, 8, 12, 11, 11, 4, 4, 4, 6, 19, 5, 15, 5, 6, 12, 12, 9, 7, 8, 10, 6, 3, 7, 9, 7,
        4, 14, 10, 14, 6, 4, 10,
    ],
}
# fmt: on


@pytest.fixture(params=["reference", *engine.instruction_sets()])
def golden(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The engine of the golden network, in NumPy and with every instruction set of this machine."""
    if request.param != "reference":
        monkeypatch.setenv("SYNTH_ISA", request.param)
    check(CONFIG, golden_tensors())
    return engine.create(CONFIG, golden_tensors(), "reference" if request.param == "reference" else "native")


@pytest.mark.parametrize(
    ("name", "draw", "labels"),
    [
        ("drawn", Draw(), (0, 0)),
        ("labelled", Draw(), (3, 1)),
        ("cool", Draw(5461), (0, 2)),
        ("greedy", Draw(0), (1, 0)),
        ("top", Draw(4096, 20, 3 << 30), (2, 2)),
    ],
)
def test_golden_codes(name: str, draw: Draw, labels: tuple[int, int], golden: Any) -> None:
    state = golden.state(2**32 - 2, 3)
    state.labels = labels
    assert golden.generate(state, 72, draw).tolist() == GOLDEN[name]


def test_golden_costs(golden: Any) -> None:
    costs = golden.force(golden.state(), np.arange(0, 256, 7, dtype=np.uint8))
    assert (costs // 65536).tolist() == GOLDEN["costs"] and not (costs % 65536).any()
