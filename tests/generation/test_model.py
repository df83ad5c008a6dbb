"""The Python interface: models, streams, labels, primes, scores."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest
from helpers.tools import tiny_checkpoint
from hypothesis import given, settings
from hypothesis import strategies as st

import synth
from synth.audio import mulaw
from synth.common.errors import AudioError, CheckpointError, SynthError, UsageError
from synth.common.typing import Float32
from synth.engine.config import SamplingConfig
from synth.generation.base import sample_count
from synth.generation.model import Model


@pytest.fixture(scope="module")
def model() -> Model:
    return synth.load(tiny_checkpoint())


def sine(count: int, rate: int = 8000, hertz: float = 300.0) -> Float32:
    return (0.4 * np.sin(2 * np.pi * hertz / rate * np.arange(count))).astype(np.float32)


# ---- generate


def test_generate_gives_16_bit_values_as_float32(model: Model) -> None:
    wave = model.generate(seconds=0.1, seed=1)
    assert wave.shape == (800,) and wave.dtype == np.float32
    codes = mulaw.encode((wave * 32768).astype(np.int16))
    np.testing.assert_array_equal(mulaw.decode(codes) / np.float32(32768), wave)
    assert len(np.unique(wave)) > 10


def test_default_length_is_two_seconds(model: Model) -> None:
    assert len(model.generate(seed=1, temperature=0)) == 2 * model.sample_rate


def test_same_seed_same_samples_another_seed_others(model: Model) -> None:
    first, again, other = (model.generate(samples=400, seed=seed) for seed in (5, 5, 6))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_no_seed_draws_one(model: Model) -> None:
    streams = [model.stream() for _ in range(2)]
    assert streams[0].seed != streams[1].seed
    np.testing.assert_array_equal(streams[0].read(200), model.generate(samples=200, seed=streams[0].seed))


def test_engines_agree(model: Model) -> None:
    reference = synth.load(tiny_checkpoint(), engine="reference")
    options: dict[str, Any] = {"samples": 150, "seed": 3, "temperature": 0.8, "labels": {"digit": ["1", "2"]}}
    np.testing.assert_array_equal(model.generate(**options), reference.generate(**options))
    assert model.score(sine(200), 8000) == reference.score(sine(200), 8000)


def test_streams_do_not_disturb_each_other(model: Model) -> None:
    alone = [model.generate(samples=3000, seed=seed) for seed in range(4)]
    together: dict[int, Float32] = {}

    def work(seed: int) -> None:
        stream = model.stream(seed=seed)
        together[seed] = np.concatenate([stream.read(100) for _ in range(30)])

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for seed in range(4):
        np.testing.assert_array_equal(together[seed], alone[seed])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"seconds": 0}, "duration 0"),
        ({"seconds": -1}, "duration -1"),
        ({"seconds": float("nan")}, "duration nan"),
        ({"seconds": 1e300}, "duration 1e+300"),
        ({"seconds": 1e-9}, "less than one sample"),
        ({"samples": 0}, "samples 0"),
        ({"samples": 1 << 40}, "samples 1099511627776"),
        ({"seconds": 1, "samples": 1}, "not both"),
        ({"temperature": -1}, "temperature -1"),
        ({"temperature": float("nan")}, "temperature nan"),
        ({"top_k": 0}, "top-k 0"),
        ({"top_k": 257}, "top-k 257"),
        ({"top_p": 0}, "top-p 0"),
        ({"top_p": 1.5}, "top-p 1.5"),
        ({"seed": -1}, "seed -1"),
        ({"seed": 1 << 32}, "seed 4294967296"),
        ({"seed": 1.5}, "seed 1.5"),
        ({"labels": {"digit": "x"}}, "known values: 0, 1, 2"),
        ({"labels": {"pitch": "1"}}, "known keys: digit, speaker"),
        ({"labels": {"digit": 7}}, "label digit"),
        ({"labels": {"digit": []}}, "label digit"),
        ({"labels": {"digit": ["1", "2", "3"]}, "samples": 47}, "3 values"),
    ],
)
def test_what_is_out_of_range_is_named(model: Model, options: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words.replace("+", r"\+")):
        model.generate(**options)


def test_longest_is_what_a_wav_holds() -> None:
    most = ((1 << 32) - 1 - 36) // 2
    assert sample_count(None, most, 8000) == most
    assert sample_count(268435.4, None, 8000) == 2147483200
    with pytest.raises(UsageError):
        sample_count(None, most + 1, 8000)
    with pytest.raises(UsageError, match="at most 268435 seconds at 8000 Hz"):
        sample_count(268436, None, 8000)


def test_unknown_engine_is_refused() -> None:
    with pytest.raises(SynthError, match="fast"):
        synth.load(tiny_checkpoint(), engine="fast")


# ---- streams


@pytest.mark.parametrize("block", [1, 17, 4096])
def test_blocks_equal_one_shot(model: Model, block: int) -> None:
    whole = model.generate(samples=5000, seed=9, labels={"speaker": "bert"})
    stream = model.stream(block, seed=9, labels={"speaker": "bert"})
    parts = [next(stream) for _ in range(-(-5000 // block))]
    assert all(part.shape == (block,) for part in parts)
    np.testing.assert_array_equal(np.concatenate(parts)[:5000], whole)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 120), min_size=1, max_size=12), st.integers(0, 1000), st.integers(0, 3))
def test_label_changes_do_not_depend_on_blocks(counts: list[int], seed: int, prime: int) -> None:
    model = synth.load(tiny_checkpoint())
    total = 320 + sum(counts)
    options: dict[str, Any] = {"labels": {"digit": ["3", "1", "4"], "speaker": ["anna", "bert"]}, "samples": total}
    codes = np.arange(7 * prime).astype(np.uint8)
    whole = model.start(SamplingConfig(), seed=seed, prompt=codes, **options).codes(total)
    stream = model.start(SamplingConfig(), seed=seed, prompt=codes, **options)
    parts = [stream.codes(count) for count in (*counts, 320)]
    np.testing.assert_array_equal(np.concatenate(parts), whole)


def test_labels_change_at_equal_parts_with_the_next_frame(model: Model) -> None:
    whole = model.generate(samples=1000, seed=2, labels={"digit": ["3", "1", "4"]})
    stream = model.stream(seed=2, labels={"digit": "3"})
    parts = [stream.read(336)]  # a third is 333: the next frame begins at 336
    stream.labels = {"digit": "1"}
    parts.append(stream.read(672 - 336))  # two thirds are 667
    stream.labels = {"digit": "4"}
    parts.append(stream.read(1000 - 672))
    np.testing.assert_array_equal(np.concatenate(parts), whole)
    assert (model.generate(samples=1000, seed=2, labels={"digit": "3"}) != whole).any()


def test_labels_set_in_a_frame_begin_with_the_next(model: Model) -> None:
    early, late = (model.stream(seed=2, labels={"digit": "3"}) for _ in range(2))
    first, second = early.read(20), late.read(32)
    early.labels = late.labels = {"digit": "5", "speaker": "anna"}
    assert early.labels == {"digit": "5", "speaker": "anna"}
    np.testing.assert_array_equal(np.concatenate([first, early.read(80)]), np.concatenate([second, late.read(68)]))


def test_a_stream_takes_one_label_a_key(model: Model) -> None:
    with pytest.raises(UsageError, match="takes one value"):
        model.stream(labels={"digit": ["1", "2"]})  # type: ignore[dict-item]
    with pytest.raises(UsageError, match="block 0"):
        model.stream(0)
    with pytest.raises(UsageError, match="known values"):
        model.stream().labels = {"digit": "x"}


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 400), st.integers(0, 60))
def test_saved_streams_go_on_exactly(before: int, prime: int) -> None:
    model = synth.load(tiny_checkpoint())
    options: dict[str, Any] = {"labels": {"digit": ["3", "1", "4"]}, "samples": 700, "seed": 4}
    stream = model.start(SamplingConfig.of(0.7, 90, 0.9), prompt=np.full(prime, 130, np.uint8), **options)
    stream.codes(before)
    restored = synth.load(tiny_checkpoint()).restore(stream.save())
    assert (restored.position, restored.seed, restored.labels) == (stream.position, stream.seed, stream.labels)
    np.testing.assert_array_equal(restored.codes(300), stream.codes(300))


def test_saving_changes_nothing(model: Model) -> None:
    stream = model.stream(seed=1)
    parts = []
    for _ in range(5):
        parts.append(stream.read(37))
        assert stream.save() == stream.save()
    np.testing.assert_array_equal(np.concatenate(parts), model.generate(samples=185, seed=1))


def test_forks_are_what_their_seed_gives(model: Model) -> None:
    options: dict[str, Any] = {"labels": {"digit": ["3", "1"]}, "samples": 300, "prompt": np.full(37, 140, np.uint8)}
    source = model.start(SamplingConfig(), seed=1, **options)
    for seed in (5, 1, 4294967295):
        fork = source.fork(seed)
        assert fork.seed == seed
        np.testing.assert_array_equal(fork.codes(300), model.start(SamplingConfig(), seed=seed, **options).codes(300))
    assert source.position == 0


def test_a_stream_of_another_checkpoint_is_refused(model: Model) -> None:
    with pytest.raises(CheckpointError, match="another checkpoint"):
        synth.load(tiny_checkpoint(2)).restore(model.stream().save())


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_damaged_saved_streams_are_refused(data: st.DataObject) -> None:
    model = synth.load(tiny_checkpoint())
    saved = bytearray(model.stream(seed=1).save())
    if data.draw(st.booleans()):
        del saved[data.draw(st.integers(0, len(saved) - 1)) :]
    else:
        at = data.draw(st.one_of(st.integers(0, 2000), st.integers(0, len(saved) - 1)))
        saved[at] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(CheckpointError, match="saved stream: is damaged"):
        model.restore(bytes(saved))


@pytest.mark.parametrize("saved", [b"", b"nonsense", b"\xff" * 64])
def test_what_is_no_saved_stream_is_refused(model: Model, saved: bytes) -> None:
    with pytest.raises(CheckpointError, match="saved stream"):
        model.restore(saved)


# ---- primes


@pytest.mark.parametrize("cut", [1, 5, 16, 200])
def test_a_prime_is_gone_on_from(model: Model, cut: int) -> None:
    """Random numbers belong to positions, so a stream primed with its own beginning makes its own rest."""
    whole = model.generate(samples=600, seed=8)
    rest = model.generate(samples=600 - cut, seed=8, prime=(whole[:cut], model.sample_rate))
    np.testing.assert_array_equal(rest, whole[cut:])


def test_primes_are_resampled_and_mixed_down(model: Model) -> None:
    mono = sine(1600, 16000)
    stereo = np.stack([mono, mono], 1)
    first = model.generate(samples=200, seed=1, prime=(mono, 16000))
    np.testing.assert_array_equal(first, model.generate(samples=200, seed=1, prime=(stereo, 16000)))
    assert (first != model.generate(samples=200, seed=1)).any()


def test_primes_that_are_no_sound_are_refused(model: Model) -> None:
    with pytest.raises(AudioError, match="NaN"):
        model.generate(prime=(np.array([0.0, np.nan]), 8000))
    with pytest.raises(AudioError):
        model.generate(prime=(np.zeros(0), 8000))
    with pytest.raises(AudioError):
        model.generate(prime=(np.zeros((2, 2, 2)), 8000))


# ---- score


def test_score_is_the_code_length_under_the_distribution(model: Model) -> None:
    samples = (model.generate(samples=300, seed=3) * 32768).astype(np.int16)
    stream, bits = model.start(SamplingConfig(), seed=0), 0.0
    for code in mulaw.encode(samples):
        bits -= np.log2(stream.distribution()[code])
        stream.teacher_force(np.array([code], np.uint8))
    score = model.score(samples, 8000)
    assert score.samples == 300
    assert score.bits_per_sample == pytest.approx(bits / 300, rel=1e-3)


def test_score_takes_labels_and_any_sound(model: Model) -> None:
    wave = np.stack([sine(4000, 44100)] * 2, 1)
    plain = model.score(wave, 44100)
    assert plain.samples == pytest.approx(4000 * 8000 / 44100, abs=2)
    assert model.score(wave, 44100, labels={"digit": "7"}) != plain
    assert model.score(wave, 44100, labels={"digit": ["7", "8"]}) != model.score(wave, 44100, labels={"digit": "7"})


def test_score_of_nothing_is_refused(model: Model) -> None:
    with pytest.raises(AudioError):
        model.score(np.zeros(0, np.int16), 8000)


def test_names_are_there_without_numpy() -> None:
    assert {"load", "Model", "Stream", "Score", "SynthError"} <= set(dir(synth))
    assert synth.SynthError is SynthError
    with pytest.raises(AttributeError, match="nothing"):
        _ = synth.nothing
