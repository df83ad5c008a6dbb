"""The compiled parts of voices: postfilter, layers and search equal their specifications, bit for bit."""

from __future__ import annotations

import functools
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import networks, voices
from helpers.voices import VOCODER
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from synth import engine
from synth.codec.lossless import HINTS
from synth.common.errors import CheckpointError
from synth.common.typing import Int64
from synth.engine.config import ModelConfig
from synth.engine.layers import Layer
from synth.generation import checkpoint
from synth.vocoder import postfilter_tables
from synth.vocoder.config import PostfilterConfig, VocoderConfig
from synth.vocoder.envelope import UNIT
from synth.vocoder.frame_filter import NEUTRAL, FrameFilter
from synth.vocoder.oscillators import Oscillators
from synth.vocoder.postfilter import Postfilter
from synth.vocoder.vocoder import Vocoder

pytest.importorskip("synth.engine._kernel", reason="the native engine is not built")
SETS = engine.instruction_sets()
FOLDER = Path(__file__).parents[2] / "checkpoints"
BUNDLED = sorted(path.stem for path in FOLDER.glob("*.safetensors") if "postfilter" in str(path.read_bytes()[:20000]))
RATES = (1200, 2000, 8000, 48000)
"""Transforms of 32, 64, 256 and 2048."""


@functools.cache
def bundled(name: str) -> Any:
    return checkpoint.load(str(FOLDER / f"{name}.safetensors"))


def tables_of(what: Any, prefer: str = "auto") -> FrameFilter:
    """A bundled voice's postfilter, or one of a rate."""
    if isinstance(what, str):
        loaded = bundled(what)
        voice = loaded.voice
        return FrameFilter(voice.config, voice.postfilter, loaded.config.sample_rate, voice.postfilter_tensors, prefer)
    return FrameFilter(VOCODER, PostfilterConfig(16, 2), what, postfilter_tables.new_tables(VOCODER, what), prefer)


def scrambled(rate: int, seed: int) -> dict[str, NDArray[Any]]:
    """Tables of any values that the kernel takes: a cosine that is none but for its symmetries, weights everywhere."""
    random, found = np.random.default_rng(seed), dict(postfilter_tables.new_tables(VOCODER, rate))
    fft = len(found["postfilter.cosine"])
    quarter = random.integers(-16384, 16385, fft // 4 + 1)
    quarter[-1] = 0
    half = np.concatenate([quarter, -quarter[-2::-1]])
    found["postfilter.cosine"] = np.concatenate([half, half[-2:0:-1]]).astype(np.int16)
    found["postfilter.window"] = random.integers(9000, 32768, len(found["postfilter.window"])).astype(np.int16)
    most = min(257, (1 << 15) // (fft // 2 + 1))
    for name, limit in (("bands", most), ("shares", 257)):
        shape = found[f"postfilter.{name}"].shape
        found[f"postfilter.{name}"] = random.integers(0, limit, shape).astype(np.int16)
    found["postfilter.logarithm"] = random.integers(0, UNIT + 1, 256).astype(np.int16)
    found["postfilter.power"] = random.integers(1 << 15, (2 << 15) + 1, 256).astype(np.int32)
    return found


def sounds(random: np.random.Generator, count: int, kind: str) -> NDArray[np.int16]:
    loud = random.integers(-32768, 32768, count)
    square = np.where(np.arange(count) // 7 % 2, 32767, -32768)
    kinds = {"loud": loud, "faint": loud // 4000, "silence": 0 * loud, "square": square, "least": 0 * loud - 32768}
    return kinds[kind].astype(np.int16)


def assert_as_specified(tables: FrameFilter, frames: int, kind: str, seed: int) -> None:
    random = np.random.default_rng(seed)
    samples = sounds(random, (frames - 1) * tables.hop + tables.window + int(random.integers(0, tables.hop)), kind)
    levels = random.integers(-12, 20, (frames, tables.mels)) * UNIT + random.integers(0, UNIT, (frames, tables.mels))
    levels[random.random(levels.shape) < 0.1] = NEUTRAL
    levels[:, :2] = random.choice([NEUTRAL, NEUTRAL + 1, NEUTRAL - 1, (1 << 31) - 1, -(1 << 31)], (frames, 2))
    before = random.integers(-(1 << 48), 1 << 48, frames * tables.hop + tables.fft)
    before[frames * tables.hop :] = 0
    totals, first = (before.copy(), before.copy()), int(random.integers(-999, 999))
    found = tables.add(samples, levels, totals[0], first)
    np.testing.assert_array_equal(found, tables.add_specified(samples, levels, totals[1], first))
    np.testing.assert_array_equal(*totals)
    assert found.dtype == np.int16


KINDS = ["loud", "faint", "silence", "square", "least"]


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("what", [*RATES, *BUNDLED])
def test_the_postfilter_is_as_specified(name: str, what: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SYNTH_ISA", name)
    tables = tables_of(what)
    assert tables._native is not None
    for seed, kind in enumerate(KINDS):
        for frames in (1, 7, 8, 19):
            assert_as_specified(tables, frames, kind, seed)


@given(
    st.sampled_from(SETS), st.sampled_from(RATES[:3]), st.integers(1, 20), st.sampled_from(KINDS), st.integers(0, 99)
)
@settings(max_examples=60, deadline=None)
def test_the_postfilter_of_any_tables_is_as_specified(name: str, rate: int, frames: int, kind: str, seed: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SYNTH_ISA", name)
        tables = FrameFilter(VOCODER, PostfilterConfig(16, 1), rate, scrambled(rate, seed))
    assert_as_specified(tables, frames, kind, seed)


def test_both_bundled_voices_with_a_postfilter_are_tested() -> None:
    assert {"digits-5", "speech-4"} <= set(BUNDLED)


@pytest.mark.parametrize("block", [1, 50, 160, 1111])
def test_streams_are_filtered_alike(block: int) -> None:
    random, made = np.random.default_rng(block), [Postfilter(tables_of(8000, p), 0) for p in ("native", "reference")]
    levels = random.integers(-9 * UNIT, 9 * UNIT, (30, VOCODER.mels))
    sound = voices.sound(2400)
    for stage in made:
        stage.add_target(levels, 0)
    for at in range(0, len(sound), block):
        fast, slow = (stage.push(sound[at : at + block]) for stage in made)
        np.testing.assert_array_equal(fast, slow)
    fast, slow = (stage.save() for stage in made)
    assert fast.keys() == slow.keys() and all(np.array_equal(fast[name], slow[name]) for name in fast)


def test_threads_share_a_postfilter() -> None:
    tables, sound = tables_of("speech-4"), sounds(np.random.default_rng(3), 9000, "loud")
    levels = np.zeros((50, tables.mels), np.int64)

    def filtered(_: int) -> bytes:
        return tables.add(sound, levels, np.zeros(50 * tables.hop + tables.fft, np.int64), 0).tobytes()

    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(filtered, range(16)))) == 1


def test_the_reference_is_used_where_it_is_asked_for() -> None:
    voice = voices.load(engine="reference", filtered=True)
    assert voice.runtime._filter is not None
    assert voice.runtime._filter._native is None and voice.runtime.vocoder._native is None
    assert voice.runtime.vocoder._gates._native is None


# what the kernel refuses by itself


@pytest.mark.parametrize(
    ("samples", "levels", "total", "place", "out"),
    [
        (199, (1, 8), 336, 0, 80),
        (279, (2, 8), 416, 0, 160),
        (200, (2, 8), 336, 0, 80),
        (200, (1, 7), 336, 0, 80),
        (200, (1, 8), 335, 0, 80),
        (200, (1, 8), 336, 80, 80),
        (200, (1, 8), 336, 0, 79),
        (200, (0, 8), 256, 0, 0),
    ],
)
def test_the_kernel_checks_sizes_itself(samples: int, levels: Any, total: int, place: int, out: int) -> None:
    native: Any = tables_of(8000)._native
    arrays = np.zeros(samples, np.int16), np.zeros(levels, np.int32), np.zeros(total, np.int64)
    with pytest.raises(ValueError, match="^postfilter: "):
        native._kernel.filter(*arrays, place, np.zeros(out, np.int16))


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("cosine", np.arange(256) - 128, "symmetries"),
        ("cosine", np.zeros(250), "wrong shape"),
        ("window", np.full(199, 9999), "wrong shape"),
        ("window", np.zeros(200), "leaves a gap"),
        ("bands", np.zeros((128, 8)), "wrong shape"),
        ("shares", np.full((8, 129), -1), "out of range"),
        ("power", np.zeros(256), "out of range"),
        ("logarithm", None, "missing"),
    ],
)
def test_the_kernel_checks_tables_itself(name: str, value: Any, words: str) -> None:
    own = dict(postfilter_tables.new_tables(VOCODER, 8000))
    kind = own.pop(f"postfilter.{name}").dtype
    if value is not None:
        own[f"postfilter.{name}"] = value.astype(kind)
    from synth.engine import native_vocoder

    with pytest.raises((CheckpointError, KeyError), match=f"postfilter.{name}: .*{words}"):
        native_vocoder.Postfilter(80, 8, own)


# layers and search


def layer_tensors(rows: int, columns: int, shift: int, bias: bool, seed: int) -> dict[str, NDArray[Any]]:
    random = np.random.default_rng(seed)
    found: dict[str, NDArray[Any]] = {
        "x.weight": random.integers(-127, 128, (rows, columns)).astype(np.int8),
        "x.scale": random.integers(0, 32768, rows).astype(np.int16),
        "x.shift": np.array([shift], np.int32),
        "table.tanh": random.integers(-32768, 32768, (3, 8)).astype(np.int16),
    }
    if bias:
        found["x.bias"] = random.integers(-32768, 32768, rows).astype(np.int16)
    if seed % 3 == 0:  # all the same way: sums that saturate
        found["x.weight"][:] = np.where(found["x.weight"] < 0, -127, 127)
    return found


@given(
    st.sampled_from(SETS),
    st.tuples(st.integers(1, 40), st.integers(1, 200), st.integers(0, 9)),
    st.integers(0, 12),
    st.booleans(),
    st.integers(0, 999),
)
@settings(max_examples=80, deadline=None)
def test_layers_are_as_specified(name: str, sizes: tuple[int, int, int], shift: int, bias: bool, seed: int) -> None:
    rows, columns, count = sizes
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SYNTH_ISA", name)
        layer = Layer(layer_tensors(rows, columns, shift, bias, seed), "x")
    random = np.random.default_rng(seed)
    x: Int64 = (
        random.choice([-128, -127, 127], (count, columns)) if seed % 2 else random.integers(-9, 9, (count, columns))
    )
    np.testing.assert_array_equal(layer.values(x), layer.values_specified(x))
    np.testing.assert_array_equal(layer.hidden(x), layer.hidden_specified(x))
    assert layer.hidden(x).dtype == np.int64 == layer.values(x).dtype


@pytest.mark.parametrize("name", SETS)
def test_layers_of_bundled_voices_are_as_specified(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SYNTH_ISA", name)
    loaded = bundled("speech-4")
    tensors = loaded.voice.named() | {"table.tanh": loaded.tensors["table.tanh"]}
    names = [name.removesuffix(".weight") for name in tensors if name.endswith(".weight") and "encoder" not in name]
    layers = [name for name in names if name.startswith(("vocoder.", "postfilter."))]
    assert len(layers) == 8
    for made in (Layer(tensors, layer) for layer in layers):
        x = np.random.default_rng(1).integers(-127, 128, (11, len(made._weight)))
        np.testing.assert_array_equal(made.values(x), made.values_specified(x))
        np.testing.assert_array_equal(made.hidden(x), made.hidden_specified(x))


def test_layers_check_sizes_themselves() -> None:
    native: Any = Layer(layer_tensors(4, 6, 2, True, 1), "x")._native
    for shape, out in (((3, 5), (3, 4)), ((3, 6), (3, 5)), ((3, 6), (2, 4))):
        with pytest.raises(ValueError, match="layer: wrong shape"):
            native._kernel.values(np.zeros(shape, np.int8), np.zeros(out, np.int16))
        with pytest.raises(ValueError, match="layer: wrong shape"):
            native._kernel.hidden(np.zeros(shape, np.int8), np.zeros(out, np.int8))
    with pytest.raises(CheckpointError, match=r"x\.shift: out of range"):
        Layer(layer_tensors(4, 6, 2, True, 1) | {"x.shift": np.array([13], np.int32)}, "x")


def searcher(latent: int, kind: str, seed: int) -> Vocoder:
    """A vocoder with codebooks of a kind: random ones, of few values so that many ways cost the same, or extreme."""
    config = VocoderConfig(mels=8, latent=latent, quantisers=8, encoder_units=16, units=16)
    tensors, random = voices.vocoder_tensors(seed, config), np.random.default_rng(seed)
    shape = tensors["vocoder.books"].shape
    books = {
        "random": random.integers(-60, 61, shape),
        "ties": random.integers(-1, 2, shape),
        "extreme": random.choice([-127, 127], shape),
    }
    tensors["vocoder.books"] = books[kind].astype(np.int8)
    return Vocoder(config, voices.NETWORK, tensors | {"table.tanh": voices.network()["table.tanh"]})


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("kind", ["random", "ties", "extreme"])
@pytest.mark.parametrize("latent", [4, 7, 32, 256])
def test_tokens_are_searched_as_specified(name: str, kind: str, latent: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SYNTH_ISA", name)
    vocoder, random = searcher(latent, kind, 3), np.random.default_rng(4)
    few = np.rint(random.normal(0, 1, (23, latent)))
    for whole in (random.integers(-127, 128, (23, latent)), few, random.choice([-127, 127], (23, latent))):
        vectors = (whole / 32).astype(np.float32)
        for count in (1, 2, 8):
            found = vocoder.beam_search_tokens(vectors, count)
            assert found.dtype == np.uint8
            np.testing.assert_array_equal(found, vocoder.beam_search_tokens_specified(vectors, count))


def test_what_the_encoder_does_not_give_is_searched_all_the_same() -> None:
    vocoder = searcher(8, "random", 5)
    vectors = np.full((3, 8), 5.0, np.float32)
    np.testing.assert_array_equal(
        vocoder.beam_search_tokens(vectors, 3), vocoder.beam_search_tokens_specified(vectors, 3)
    )
    assert vocoder.beam_search_tokens(vectors[:0], 3).shape == (0, 3)
    with pytest.raises(ValueError, match="search: wrong shape"):
        vocoder._native._kernel.search(np.zeros((3, 7), np.int8), np.zeros((3, 2), np.uint8))
    with pytest.raises(ValueError, match="search: wrong shape"):
        vocoder._native._kernel.search(np.zeros((3, 8), np.int8), np.zeros((3, 9), np.uint8))


# what the kernel writes into


def kernel_calls() -> dict[str, tuple[Any, list[Any]]]:
    """The kernel's calls that take arrays, each with arguments that suit it."""
    from synth.engine import _kernel

    post: Any = tables_of(8000)._native
    layer: Any = Layer(layer_tensors(4, 6, 2, True, 1), "x")._native
    books: Any = searcher(8, "random", 5)._native
    planner: Any = voices.load(engine="native").runtime.planner.network  # type: ignore[union-attr]
    tensors = networks.random_tensors(ModelConfig(8000, frame_units=16, sample_units=16, head_units=16), 1)
    codes, tokens = np.arange(40, dtype=np.uint8).reshape(2, 20), np.arange(8, dtype=np.uint8).reshape(4, 2)
    sound = (np.arange(60) ** 2 % 1000).astype(np.int32)
    traced = [np.zeros((60, HINTS), np.uint8), np.zeros(60, np.uint8), np.zeros((60, 2), np.uint16)]
    bank: Any = Oscillators(80)._native
    partials = [np.zeros((2, 3), np.uint32), *(np.zeros((rows, 3), np.int32) for rows in (2, 2, 3))]
    frames = [np.zeros(200, np.int16), np.zeros((1, 8), np.int32), np.zeros(336, np.int64)]
    return {
        "filter": (post._kernel.filter, [*frames, 0, np.zeros(80, np.int16)]),
        "values": (layer._kernel.values, [np.zeros((3, 6), np.int8), np.zeros((3, 4), np.int16)]),
        "hidden": (layer._kernel.hidden, [np.zeros((3, 6), np.int8), np.zeros((3, 4), np.int8)]),
        "search": (books._kernel.search, [np.zeros((3, 8), np.int8), np.zeros((3, 2), np.uint8)]),
        "render": (bank._kernel.render, [*partials, np.zeros(160, np.int32)]),
        "de_emphasise": (_kernel.de_emphasise, [np.zeros(9, np.int16), 0, np.zeros(9, np.int32)]),
        "trace": (_kernel.trace, [SETS[0], sound, 16, 1, *traced]),
        "encode_segment": (_kernel.encode_segment, [SETS[0], sound[:, None].copy(), 16, 1, None]),
        "predict_codes": (_kernel.predict_codes, [SETS[0], tensors, codes, codes.copy(), codes.copy()]),
        "encode_tokens": (_kernel.encode_tokens, [planner, tokens]),
        "decode_tokens": (_kernel.decode_tokens, [planner, bytes(20), tokens]),
    }


CALLS = [
    *"filter values hidden search render de_emphasise trace encode_segment".split(),
    *"predict_codes encode_tokens decode_tokens".split(),
]


@pytest.mark.parametrize("name", CALLS)
def test_arrays_of_another_type_or_stride_are_refused_and_never_copied(name: str) -> None:
    """What is written into a copy that a binding made would be lost without a word."""
    assert kernel_calls().keys() == set(CALLS)
    call, arguments = kernel_calls()[name]
    call(*arguments)
    places = [place for place, value in enumerate(arguments) if isinstance(value, np.ndarray)]
    assert places
    for place in places:
        array = arguments[place]
        strided = np.repeat(array, 2, array.ndim - 1)[..., ::2]
        other = np.int32 if array.dtype == np.uint32 else np.uint32
        for wrong in (array.astype(np.float64), array.astype(other), strided):
            with pytest.raises(TypeError, match="incompatible function arguments"):
                call(*arguments[:place], wrong, *arguments[place + 1 :])


@pytest.mark.parametrize("name", SETS)
def test_sums_that_a_forged_state_brings_near_the_limit_wrap(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in NumPy; in C++ without signed overflow, which a build with -fsanitize=undefined would tell."""
    monkeypatch.setenv("SYNTH_ISA", name)
    tables, sound = tables_of(8000), sounds(np.random.default_rng(3), 9 * 80 + 200, "loud")
    levels = np.full((9, tables.mels), 20 * UNIT, np.int64)
    for limit in ((1 << 63) - 1, -(1 << 63)):
        fast, slow = (np.full(9 * tables.hop + tables.fft, limit) for _ in range(2))
        found = tables.add(sound, levels, fast, 0)
        np.testing.assert_array_equal(found, tables.add_specified(sound, levels, slow, 0))
        np.testing.assert_array_equal(fast, slow)
        assert (np.sign(fast) != np.sign(limit)).any()
