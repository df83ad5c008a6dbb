"""The vocoder without torch: what it hears, tokens, vectors, and what it tells the network."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest
from helpers import voices
from helpers.voices import HOP, NETWORK, VOCODER
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from synth.audio import mulaw
from synth.audio.features import features
from synth.common.errors import AudioError, CheckpointError, UsageError
from synth.engine.integer_layers import Gru, Linear, eighth, saturate
from synth.vocoder import vocoder as module
from synth.vocoder.config import LOOKAHEAD, features_of
from synth.vocoder.mel import MAX_LOG_MEL, MIN_LOG_MEL, checked_mel, mel_of
from synth.vocoder.tensors import check_vocoder, layout
from synth.vocoder.vocoder import Vocoder

TENSORS = voices.vocoder_tensors(11)


# what is heard


@pytest.mark.parametrize("count", [1, 159, 160, 161, 1000, 1600])
def test_features_are_those_of_the_sound_as_the_network_hears_it(count: int) -> None:
    sound = voices.sound(count)
    frames = -(-count // HOP)
    mel = mel_of(sound, VOCODER, 8000)
    assert mel.shape == (2 * frames, VOCODER.mels) and mel.dtype == np.float32
    wave = np.zeros(frames * HOP + 200, np.float32)
    wave[:count] = mulaw.decode(mulaw.encode(sound)) / 32768
    heard = features(wave, features_of(VOCODER, 8000))
    near_end = 2 if count > HOP else 1  # the last window is mirrored at the end
    np.testing.assert_allclose(mel[:-near_end], heard[: 2 * frames - near_end], atol=1e-4)
    assert MIN_LOG_MEL <= mel.min() and mel.max() <= MAX_LOG_MEL


def test_features_of_the_loudest_sound_are_in_range() -> None:
    for rate in (8000, 16000, 48000):
        for sound in (np.full(rate // 5, 32767, np.int16), np.tile(np.int16([-32768, 32767]), rate // 10)):
            checked_mel(mel_of(sound, VOCODER, rate), VOCODER.mels)


def test_one_frame_and_no_sound() -> None:
    vocoder = voices.vocoder()
    assert vocoder.encode_sound(voices.sound(1)).shape == (1, VOCODER.latent)
    with pytest.raises(AudioError, match="no samples"):
        vocoder.encode_sound(np.zeros(0, np.int16))


@pytest.mark.parametrize("piece", [1, 3, 7])
def test_hearing_in_pieces_is_hearing_at_once(piece: int, monkeypatch: pytest.MonkeyPatch) -> None:
    vocoder = voices.vocoder()
    monkeypatch.setattr(module, "PIECE", piece)
    for count in (1, HOP - 1, piece * HOP, piece * HOP + 1, 2 * piece * HOP - 1, 20 * HOP + 37):
        sound = voices.sound(count, seed=count)
        whole = vocoder.encode(mel_of(sound, VOCODER, 8000))
        np.testing.assert_array_equal(vocoder.encode_sound(sound), whole)


@pytest.mark.parametrize("size", [1, 97, 5 * HOP, 10000])
@pytest.mark.parametrize("piece", [1, 7, 1000])
def test_blocks_and_features_in_pieces_are_heard_as_the_whole(
    piece: int, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    vocoder, sound = voices.vocoder(), voices.sound(30 * HOP + 37)
    whole = vocoder.encode_sound(sound)
    mel = mel_of(sound, VOCODER, 8000)
    monkeypatch.setattr(module, "PIECE", piece)
    found = list(vocoder.encode_blocks(sound[at : at + size] for at in range(0, len(sound), size)))
    assert {len(vectors) for vectors in found[:-1]} <= {piece}
    np.testing.assert_array_equal(np.concatenate(found), whole)
    np.testing.assert_array_equal(vocoder.encode(mel), whole)
    assert vocoder.encode(mel[:0]).shape == (0, VOCODER.latent) and not list(vocoder.encode_blocks([sound[:0]]))


def test_vectors_are_within_their_bound() -> None:
    extreme = np.where(np.random.default_rng(0).random((40, VOCODER.mels)) < 0.5, MIN_LOG_MEL, MAX_LOG_MEL)
    vectors = voices.vocoder().encode(extreme.astype(np.float32))
    assert np.abs(vectors).max() <= module.BOUND and np.abs(voices.vocoder().quantize_latents(vectors)).max() <= 127


def test_unquantised_vectors_go_to_8_bits_and_back() -> None:
    vocoder = voices.vocoder()
    vectors = vocoder.encode_sound(voices.sound(3000))
    exact = vocoder.quantize_latents(vectors)
    assert exact.dtype == np.int64
    np.testing.assert_allclose(vocoder.dequantize_latents(exact), vectors, atol=0.5 / module.UNIT + 1e-6)
    np.testing.assert_array_equal(vocoder.quantize_latents(vocoder.dequantize_latents(exact)), exact)


# tokens


def test_tokens_are_the_nearest_codes_one_after_the_other() -> None:
    vocoder = voices.vocoder()
    vectors = vocoder.encode_sound(voices.sound(2000))
    tokens = vocoder.tokens(vectors)
    assert tokens.shape == (13, VOCODER.quantisers) and tokens.dtype == np.uint8
    left = np.rint(vectors * 32).astype(int)
    for q, book in enumerate(TENSORS["vocoder.books"].astype(int)):
        distance = ((left[:, None] - book[None]) ** 2).sum(2)
        np.testing.assert_array_equal(tokens[:, q], distance.argmin(1))
        left = left - book[tokens[:, q]]


def test_tokens_of_long_sound_take_no_more_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """The distances of all frames to all codes would be 2 kB a frame."""
    vocoder, frames = voices.vocoder(), 12 * module.PIECE + 5
    vectors = np.random.default_rng(5).normal(0, 1, (frames, VOCODER.latent)).astype(np.float32)
    tracemalloc.start()
    found = vocoder.tokens(vectors)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < found.nbytes + 4 * 8 * 256 * module.PIECE
    monkeypatch.setattr(module, "PIECE", 1 << 20)
    np.testing.assert_array_equal(found, vocoder.tokens(vectors))


def test_of_codes_that_are_as_near_the_first_is_taken() -> None:
    books = TENSORS["vocoder.books"][:, np.arange(256) % 100]
    table = {"table.tanh": voices.network()["table.tanh"]}
    vocoder = Vocoder(VOCODER, NETWORK, TENSORS | table | {"vocoder.books": books})
    assert vocoder.tokens(vocoder.encode_sound(voices.sound(4000))).max() < 100


def test_fewer_tokens_are_the_first_ones() -> None:
    vocoder = voices.vocoder()
    vectors = vocoder.encode_sound(voices.sound(2000))
    whole = vocoder.tokens(vectors)
    for count in range(1 + VOCODER.quantisers):
        np.testing.assert_array_equal(vocoder.tokens(vectors, count), whole[:, :count])
    for count in (-1, VOCODER.quantisers + 1):
        with pytest.raises(UsageError, match=f"tokens {count}: this voice has 1 to 4"):
            vocoder.tokens(vectors, count)


@given(st.integers(0, 2**32 - 1), st.integers(0, 6), st.integers(0, VOCODER.quantisers))
@settings(max_examples=30)
def test_tokens_stand_for_the_sum_of_their_codes(seed: int, frames: int, count: int) -> None:
    tokens = np.random.default_rng(seed).integers(0, 256, (frames, count)).astype(np.uint8)
    vectors = voices.vocoder().latents(tokens)
    expected = np.zeros((frames, VOCODER.latent), np.int64)
    for frame in range(frames):
        for q in range(count):
            expected[frame] += TENSORS["vocoder.books"][q, tokens[frame, q]]
    np.testing.assert_array_equal(vectors, np.clip(expected, -127, 127))
    np.testing.assert_array_equal(voices.vocoder().latents(tokens), vectors)


def test_what_one_quantiser_made_is_quantised_to_itself() -> None:
    vocoder = voices.vocoder()
    tokens = vocoder.tokens(vocoder.encode_sound(voices.sound(5000)), 1)
    again = vocoder.tokens(vocoder.dequantize_latents(vocoder.latents(tokens)), 1)
    np.testing.assert_array_equal(vocoder.latents(again), vocoder.latents(tokens))


@pytest.mark.parametrize(
    "tokens",
    [
        np.zeros(4, np.uint8),
        np.zeros((2, 5), np.uint8),
        np.zeros((1, 1, 1), np.uint8),
        np.full((2, 2), 256),
        np.full((2, 2), -1),
        np.zeros((2, 2), np.float32),
    ],
)
def test_tokens_of_another_shape_or_type_are_refused(tokens: NDArray[Any]) -> None:
    with pytest.raises(UsageError, match=r"^tokens are .*must be uint8\[frames, at most 4\]$"):
        voices.vocoder().latents(tokens)


# what the network is told


def told(vectors: NDArray[np.int64]) -> NDArray[np.int16]:
    """`condition` of all frames, row by row as it is specified, with the engine's own product and curve."""
    tensors = TENSORS | {"table.tanh": voices.network()["table.tanh"]}
    curve = Gru(voices.network(), "sample.recurrent")._tanh
    hidden = vectors
    for name in ("0", "1"):
        layer, bias = Linear(tensors, f"vocoder.condition.{name}"), tensors[f"vocoder.condition.{name}.bias"]
        padded = np.pad(hidden, ((1, 1), (0, 0)))
        rows = [layer(padded[t : t + 3].reshape(-1)) + bias for t in range(len(vectors))]
        hidden = np.array([eighth(curve(saturate(row))) for row in rows])
    gates, reflect = Linear(tensors, "vocoder.condition.out"), Linear(tensors, "vocoder.reflect")
    found = []
    for row in hidden:
        both = gates(row), curve(saturate(reflect(row) + tensors["vocoder.reflect.bias"]))
        for part in range(VOCODER.parts):
            found.append(np.concatenate([np.split(x, VOCODER.parts)[part] for x in both]))
    return np.array(found).astype(np.int16)


@pytest.mark.parametrize("frames", [1, 2, 3, 12])
def test_what_the_network_is_told_is_as_specified(frames: int) -> None:
    vectors = voices.vectors(frames, seed=frames)
    found = voices.vocoder().condition(vectors)
    assert found.dtype == np.int16 and found.shape == (2 * frames, 3 * 16 + 16)
    np.testing.assert_array_equal(found, told(vectors))


WHOLE = voices.vectors(9, seed=5)


@given(st.integers(0, 9), st.integers(0, 9), st.integers(0, 9))
@settings(max_examples=80)
def test_slices_are_of_the_whole(a: int, b: int, length: int) -> None:
    vocoder, vectors = voices.vocoder(), WHOLE[:length]
    first, last = sorted(min(x, length) for x in (a, b))
    whole = vocoder.condition(vectors)
    np.testing.assert_array_equal(vocoder.condition(vectors, first, last), whole[2 * first : 2 * last])
    low, high = max(0, first - LOOKAHEAD), min(length, last + LOOKAHEAD)  # no more is looked at
    part = vocoder.condition(vectors[low:high], first - low, last - low)
    np.testing.assert_array_equal(part, whole[2 * first : 2 * last])


def test_a_frame_is_told_of_its_neighbours_and_of_no_others() -> None:
    vocoder, vectors = voices.vocoder(), voices.vectors(9)
    changed = vectors.copy()
    changed[4] += np.where(changed[4] > 0, -90, 90)
    differs = (vocoder.condition(vectors) != vocoder.condition(changed)).reshape(9, -1).any(1)
    np.testing.assert_array_equal(np.flatnonzero(differs), np.arange(4 - LOOKAHEAD, 4 + LOOKAHEAD + 1))


# features from elsewhere


def test_features_come_back_even_and_as_float32() -> None:
    mel = np.random.default_rng(0).normal(-6, 3, (5, 8))
    found = checked_mel(mel, 8)
    assert found.shape == (6, 8) and found.dtype == np.float32
    np.testing.assert_array_equal(found[5], found[4])
    np.testing.assert_array_equal(checked_mel(mel[:4].astype(np.float16), 8), mel[:4].astype(np.float16))


FAULTS: dict[str, tuple[Any, str]] = {
    "too few bands": (np.zeros((4, 7)), r"float64\[4, 7\], must be floats \[frames, 8\]"),
    "one dimension": (np.zeros(8), "must be floats"),
    "three dimensions": (np.zeros((1, 4, 8)), "must be floats"),
    "no frames": (np.zeros((0, 8)), "must be floats"),
    "integers": (np.zeros((4, 8), np.int16), "int16"),
    "complex": (np.zeros((4, 8), complex), "complex128"),
    "objects": (np.full((4, 8), None), "object"),
    "texts": (np.full((4, 8), "x"), "must be floats"),
    "NaN": (np.full((4, 8), np.nan), "finite"),
    "infinity": (np.full((4, 8), -np.inf), "finite"),
    "too large": (np.full((4, 8), 16.1), "-16 to 16"),
    "too small": (np.full((4, 8), -16.1), "-16 to 16"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_features_that_are_none_are_refused(fault: str) -> None:
    mel, words = FAULTS[fault]
    with pytest.raises(AudioError, match=f"^x.npy: .*{words}") as error:
        checked_mel(mel, 8, "x.npy")
    assert "\n" not in str(error.value)


# tensors


def put(name: str, place: Any, value: Any) -> dict[str, NDArray[Any]]:
    copy = TENSORS[name].copy()
    copy[place] = value
    return TENSORS | {name: copy}


WRONG = {
    "vocoder.encoder.0.weight": TENSORS | {"vocoder.encoder.0.weight": np.zeros((16, 23), np.float32)},
    "vocoder.encoder.out.bias": TENSORS | {"vocoder.encoder.out.bias": np.zeros(8)},
    "vocoder.encoder.1.weight": put("vocoder.encoder.1.weight", (0, 0), np.nan),
    "vocoder.encoder.2.bias": put("vocoder.encoder.2.bias", 3, np.inf),
    "vocoder.books": put("vocoder.books", (1, 2, 3), -128),
    "vocoder.books ": TENSORS | {"vocoder.books": TENSORS["vocoder.books"][:3]},
    "vocoder.condition.0.weight": put("vocoder.condition.0.weight", (0, 0), -128),
    "vocoder.condition.1.scale": put("vocoder.condition.1.scale", 5, -1),
    "vocoder.condition.out.shift": put("vocoder.condition.out.shift", 0, 13),
    "vocoder.reflect.shift": put("vocoder.reflect.shift", 0, -1),
    "vocoder.reflect.bias": {name: tensor for name, tensor in TENSORS.items() if name != "vocoder.reflect.bias"},
    "vocoder.more": TENSORS | {"vocoder.more": np.zeros(1)},
}


@pytest.mark.parametrize("name", WRONG)
def test_a_tensor_that_does_not_fit_is_named(name: str) -> None:
    check_vocoder(VOCODER, NETWORK, TENSORS)
    with pytest.raises(CheckpointError, match=f"^tensor '?{name.strip()}'? ?"):
        check_vocoder(VOCODER, NETWORK, WRONG[name])


def test_every_tensor_is_missed() -> None:
    for name in layout(VOCODER, NETWORK):
        with pytest.raises(CheckpointError, match=f"^tensor {name} is missing$"):
            check_vocoder(VOCODER, NETWORK, {other: tensor for other, tensor in TENSORS.items() if other != name})


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_searched_tokens_are_nearer_and_as_good_as_any_that_two_quantisers_have(count: int) -> None:
    vocoder = voices.vocoder()
    vectors = vocoder.encode_sound(voices.sound(9000))

    def distance(tokens: Any) -> Any:
        total = sum(vocoder.codebooks[q][tokens[:, q]] for q in range(tokens.shape[1]))
        return np.square(np.rint(vectors * 32) - total).sum(1)

    greedy, found = vocoder.tokens(vectors, count), vocoder.beam_search_tokens(vectors, count)
    assert found.shape == greedy.shape and found.dtype == np.uint8
    assert distance(found).sum() < distance(greedy).sum() or count == 1
    np.testing.assert_array_equal(vocoder.beam_search_tokens(vectors[7:8], count)[0], found[7])
    if count == 1:
        np.testing.assert_array_equal(found, greedy)
    if count == 2:  # the best of all pairs that begin with one of the four nearest codes
        left = np.rint(vectors[3] * 32)
        first = np.square(left - vocoder.codebooks[0]).sum(1).argsort(kind="stable")[:4]
        rest = (left - vocoder.codebooks[0][first])[:, None] - vocoder.codebooks[1]
        assert distance(found)[3] == np.square(rest).sum(2).min()


def test_more_tokens_than_are_searched_are_the_nearest(monkeypatch: pytest.MonkeyPatch) -> None:
    vocoder = voices.vocoder()
    vectors = vocoder.encode_sound(voices.sound(3000))
    monkeypatch.setattr("synth.vocoder.vocoder.SEARCHED", 2)
    np.testing.assert_array_equal(vocoder.beam_search_tokens(vectors, 3), vocoder.tokens(vectors, 3))
