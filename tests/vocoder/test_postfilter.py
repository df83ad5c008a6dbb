"""The postfilter: what it does to sound, exactly, in any pieces; and the envelope that tells it what to do."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import pytest
from helpers import voices
from helpers.voices import NETWORK, POSTFILTER, RATE, VOCODER
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from synth.audio.features import features
from synth.common.errors import CheckpointError, EngineError, UsageError
from synth.common.typing import Int64
from synth.generation import checkpoint
from synth.vocoder import frame_filter, postfilter_tables
from synth.vocoder.config import PostfilterConfig, features_of
from synth.vocoder.envelope import UNIT, Envelope
from synth.vocoder.frame_filter import NEUTRAL, FrameFilter
from synth.vocoder.postfilter import Postfilter

HEARD = features_of(VOCODER, RATE)
OWN = postfilter_tables.new_tables(VOCODER, RATE)
TABLES = {passes: FrameFilter(VOCODER, PostfilterConfig(16, passes), RATE, OWN) for passes in (1, 2)}
FRAMES = 60
SOUND = voices.sound(FRAMES * HEARD.hop)


def levels_of(samples: NDArray[np.int16]) -> NDArray[np.float64]:
    """Binary logarithms of mel powers, as `synth.audio.features` hears them."""
    return features(samples.astype(np.float32) / 32768, HEARD).astype(np.float64) / np.log(2)


def asked(seed: int = 0, frames: int = FRAMES) -> Int64:
    """Levels that ask for a lot: those of the sound, moved by up to 24 dB."""
    moved = np.random.default_rng(seed).uniform(-8, 8, (frames, VOCODER.mels))
    return np.rint((levels_of(SOUND)[:frames] + moved) * UNIT).astype(np.int64)


def run(passes: int, levels: Int64, samples: NDArray[np.int16] = SOUND, start: int = 0) -> NDArray[np.int16]:
    found = Postfilter(TABLES[passes], start)
    found.add_target(levels, start // HEARD.hop)
    return np.asarray(found.push(samples), np.int16)


def in_floats(samples: NDArray[np.int16], levels: Int64) -> NDArray[np.float64]:
    """One pass by its definition, in floating point: windows, spectra, gains by band, overlap-add."""
    hop, fft, count = HEARD.hop, HEARD.fft, len(levels)
    window = np.zeros(fft)
    left = (fft - HEARD.window) // 2
    window[left : left + HEARD.window] = np.hanning(HEARD.window + 1)[:-1]
    bands, shares = OWN["postfilter.bands"] / 256, OWN["postfilter.shares"] / 256
    padded = np.pad(samples / 32768, (hop + fft // 2, fft + hop))
    total, weight = np.zeros(len(padded)), np.zeros(len(padded))
    for k in range(-1, count):
        at = (k + 1) * hop
        spectrum = np.fft.rfft(padded[at : at + fft] * window)
        if k >= 0:
            heard = np.log2(np.abs(spectrum) ** 2 @ bands + 1e-6)
            spectrum = spectrum * 2 ** (np.clip(levels[k] / UNIT - heard, -10, 10) @ shares / 2)
        total[at : at + fft] += np.fft.irfft(spectrum, fft)
        weight[at : at + fft] += window
    inside = slice(hop + fft // 2, hop + fft // 2 + (count - 2) * hop)
    return total[inside] / weight[inside] * 32768


# what it does


def test_it_is_what_it_says_it_is() -> None:
    levels = asked()
    found, expected = run(1, levels), in_floats(SOUND, levels)
    count = min(len(found), len(expected))
    error = found[:count] - np.clip(expected[:count], -32768, 32767)
    assert count > 50 * HEARD.hop
    assert np.mean(error**2) < 1e-4 * np.mean(expected[:count] ** 2)


@pytest.mark.parametrize("passes", [1, 2])
def test_nothing_asked_for_is_nothing_done(passes: int) -> None:
    found = run(passes, np.zeros((0, VOCODER.mels), np.int64))
    assert len(found) > 50 * HEARD.hop
    assert np.abs(found.astype(int) - SOUND[: len(found)]).max() <= passes


@pytest.mark.parametrize(("passes", "most"), [(1, 0.2), (2, 0.15)])
def test_bands_come_to_their_levels(passes: int, most: float) -> None:
    """Half of the bands 12 dB louder, half as much fainter, and the other way round after 0.3 s."""
    tilt = np.where(np.arange(VOCODER.mels) < VOCODER.mels // 2, 4, -4)
    moved = np.where(np.arange(FRAMES)[:, None] < FRAMES // 2, tilt, -tilt)
    levels = np.rint((levels_of(SOUND)[:FRAMES] + moved) * UNIT).astype(np.int64)
    after = levels_of(run(passes, levels))
    count = len(after) - 3
    assert np.abs(after[:count] - levels[:count] / UNIT).mean() < most * 4


def test_silence_stays_finite_and_loud_sound_is_cut_off() -> None:
    loud = np.full((FRAMES, VOCODER.mels), 20 * UNIT, np.int64)
    assert not run(2, loud, np.zeros_like(SOUND)).any()
    square = np.where(np.arange(len(SOUND)) // 40 % 2, 32767, -32768).astype(np.int16)
    found = run(2, loud, square)
    assert found.max() == 32767 and found.min() == -32768


# exactly


def test_products_are_exact_whatever_their_order() -> None:
    """The same in whole numbers of any size, for the loudest sound and the greatest gains."""
    tables = TABLES[1]
    square = np.where(np.arange(HEARD.window) // 7 % 2, 32767, -32768)
    frames = np.stack([square, SOUND[: HEARD.window], np.random.default_rng(1).integers(-9, 9, HEARD.window)])
    levels = np.full((3, VOCODER.mels), 20 * UNIT, np.int64)
    found = tables.filtered(frames.astype(np.int64), levels)

    def product(a: Any, b: Any) -> Any:
        whole = np.array([[int(value) for value in row] for row in a], dtype=object)
        return whole @ np.array([[int(value) for value in row] for row in b], dtype=object)

    shaped = (frames.astype(np.int64) * tables._shape + (1 << 14)) >> 15
    half = HEARD.window // 2
    after, before = shaped[:, half:], shaped[:, half:0:-1]
    spectrum = []
    for part, matrix in zip((after + before, after - before), tables._forward, strict=True):
        part[:, 0] = shaped[:, half] if not spectrum else 0
        exact = product(part, matrix)
        assert np.abs(exact).max() < 2**53
        order = np.random.default_rng(2).permutation(half)  # another order of the same sums
        np.testing.assert_array_equal(part[:, order].astype(float) @ matrix[order], exact.astype(np.float64))
        spectrum.append(np.rint(exact.astype(np.float64) / 2.0**14))
    powers = np.floor(sum(part * part for part in spectrum) / 256)
    assert product(powers, tables._bands).max() < 2**53
    most = np.full((1, len(tables._bands)), int(frame_filter.MAX_SPECTRUM), dtype=object)
    assert 2 * max((most @ np.abs(m).astype(np.int64).astype(object)).max() for m in tables._back) < 2**53
    assert found.dtype == np.int64 and np.abs(found).max() > 2**40


def test_the_sound_is_the_same_for_ever() -> None:
    digests = [hashlib.sha256(run(passes, asked()).tobytes()).hexdigest()[:16] for passes in (1, 2)]
    assert digests == GOLDEN


GOLDEN = ["2d6a2de110a33958", "128e7050bdd2c3a8"]


# in any pieces


@given(st.lists(st.integers(0, 700), max_size=12), st.sampled_from([1, 2]), st.booleans())
@settings(max_examples=30)
def test_pieces_and_pauses_change_nothing(pieces: list[int], passes: int, pause: bool) -> None:
    whole, stage, at, found = run(passes, asked()), Postfilter(TABLES[passes], 0), 0, []
    stage.add_target(asked(), 0)
    for count in [*pieces, len(SOUND)]:
        found.append(stage.push(SOUND[at : at + count]))
        at += count
        stage = Postfilter.restored(TABLES[passes], stage.save()) if pause else stage.copy()
    np.testing.assert_array_equal(np.concatenate(found), whole)


@pytest.mark.parametrize("passes", [1, 2])
@pytest.mark.parametrize("position", [1, 79, 80, 81, 500, 1111])
def test_it_needs_what_it_says_it_needs(passes: int, position: int) -> None:
    stage = Postfilter(TABLES[passes], 0)
    enough = stage.needed(position)
    assert len(stage.copy().push(SOUND[: enough - 1])) < position <= len(stage.copy().push(SOUND[:enough]))
    assert enough - position <= passes * (HEARD.window // 2 + HEARD.fft // 2 + HEARD.hop)


def test_levels_that_come_twice_or_late_count_once() -> None:
    levels, stage = asked(), Postfilter(TABLES[2], 0)
    for first in range(0, FRAMES, 2):
        stage.add_target(levels[first : first + 6], first)
    np.testing.assert_array_equal(stage.push(SOUND), run(2, levels))
    assert (levels != NEUTRAL).all()


def test_what_another_voice_saved_is_refused() -> None:
    with pytest.raises(EngineError, match="another voice"):
        Postfilter.restored(TABLES[1], Postfilter(TABLES[2], 0).save())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("numbers", np.zeros(5, np.int32)),
        ("numbers", np.full(5, 1 << 50)),
        ("numbers", np.zeros((5, 1), np.int64)),
        ("levels", np.zeros((1, VOCODER.mels), np.float32)),
        ("levels", np.zeros(VOCODER.mels, np.int32)),
        ("samples.0", np.zeros((3, 2), np.int16)),
        ("total.0", np.zeros(HEARD.fft, np.int32)),
        ("total.0", np.zeros((HEARD.fft, 1), np.int64)),
    ],
)
def test_forged_arrays_are_refused(name: str, value: Any) -> None:
    stage = Postfilter(TABLES[1], 0)
    stage.add_target(asked(), 0)
    stage.push(SOUND[:1000])
    saved = stage.save()
    with pytest.raises(EngineError, match="another voice"):
        Postfilter.restored(TABLES[1], saved | {name: value})


# the envelope


def envelope() -> Envelope:
    return Envelope(VOCODER, voices.postfilter_tensors(31) | {"table.tanh": voices.network()["table.tanh"]})


@pytest.mark.parametrize(("first", "last"), [(0, 1), (0, 11), (2, 3), (3, 9), (10, 11)])
def test_a_part_of_an_envelope_needs_two_frames_around_it(first: int, last: int) -> None:
    vectors, found = voices.vectors(11), envelope()
    whole = found.target_mel(vectors, 0, 11)
    assert whole.shape == (22, VOCODER.mels) and len(np.unique(whole)) > 50
    low = max(0, first - 2)
    part = found.target_mel(vectors[low : last + 2], first - low, last - low)
    np.testing.assert_array_equal(part, whole[2 * first : 2 * last])


# in a checkpoint


def packed(**changes: Any) -> bytes:
    voice = voices.voice(filtered=True)
    voice.postfilter_tensors.update(changes.pop("tensors", {}))
    return checkpoint.encode(NETWORK, voices.network(), {}, voice)


def test_a_checkpoint_holds_it_and_older_ones_do_not() -> None:
    _, _, _, found = checkpoint.decode(packed())
    assert found is not None and found.postfilter == POSTFILTER
    assert found.postfilter_tensors.keys() == voices.postfilter_tensors(31).keys()
    assert voices.load(filtered=False).checkpoint.voice.postfilter is None  # type: ignore[union-attr]
    assert b'"version":"3"' in packed()[:200000] and b'"version":"2"' in open(voices.path(), "rb").read()


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("window", np.full(200, -1, np.int16), "postfilter.window: values must be 0 to 32767"),
        ("window", np.zeros(200, np.int16), "leaves a gap"),
        ("cosine", np.full(256, 20000, np.int16), "postfilter.cosine: values must be -16384 to 16384"),
        ("cosine", np.arange(256, dtype=np.int16), "postfilter.cosine: lacks the symmetries of a cosine"),
        ("shares", np.zeros((8, 3), np.int16), "postfilter.shares is int16"),
        ("power", np.zeros(256, np.int32), "postfilter.power: values"),
        ("bands", np.full((129, 8), 256, np.int16), "a band's weights are too many"),
    ],
)
def test_tables_that_would_break_the_arithmetic_are_refused(name: str, value: Any, words: str) -> None:
    with pytest.raises(CheckpointError, match=words):
        packed(tensors={f"postfilter.{name}": value})


def test_a_rate_whose_window_is_odd_is_refused() -> None:
    with pytest.raises(CheckpointError, match="sample rate 8030: a postfilter's window can't be an odd number"):
        postfilter_tables.check_tables(VOCODER, 8030, postfilter_tables.new_tables(VOCODER, 8030))


@pytest.mark.parametrize("data", [{"units": 16}, {"units": 16, "passes": 5}, {"units": "16", "passes": 1}, None, []])
def test_configs_that_are_none_are_refused(data: Any) -> None:
    with pytest.raises(UsageError, match="postfilter"):
        PostfilterConfig.from_json(data)
