"""Streams of a voice keep the promises of all streams: seeds, blocks, engines, company, pauses, primes, labels."""

from __future__ import annotations

import functools
import hashlib
from typing import Any

import numpy as np
import pytest
from helpers import voices
from helpers.tools import tiny_checkpoint
from helpers.voices import HOP, PART
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from safetensors.numpy import load
from safetensors.numpy import save as to_bytes

import synth
from synth.audio import mulaw
from synth.common.errors import AudioError, CheckpointError, EngineError, UsageError
from synth.engine.config import SamplingConfig
from synth.generation.stream import Stream
from synth.generation.together import pcm_together, teacher_force_together

COUNT = 1500
LABELS = {"digit": ["3", "1", "4"], "speaker": "bert"}


def start(
    seed: int = 1,
    prime: Any = None,
    engine: str = "auto",
    draw: SamplingConfig | None = None,
    filtered: bool = False,
    **options: Any,
) -> Stream:
    options = {"labels": LABELS, "samples": COUNT, **options}
    codes = None if prime is None else mulaw.encode(prime)
    return voices.load(engine=engine, filtered=filtered).start(
        draw or SamplingConfig(), seed=seed, prompt=codes, **options
    )


def follow(seed: int = 1, engine: str = "auto", frames: int = 9, filtered: bool = False) -> Stream:
    model = voices.load(engine=engine, filtered=filtered)
    return model.follow(voices.vectors(frames), seed=seed, labels={"digit": "7"})


def primed(seed: int = 1, **more: Any) -> Stream:
    return start(seed, voices.sound(700), **more)


KINDS: dict[str, Any] = {"planned": start, "primed": primed, "followed": follow}
KINDS |= {f"{name}, filtered": functools.partial(kind, filtered=True) for name, kind in KINDS.items()}


# what a stream gives


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_seed_gives_the_same_samples_another_seed_others(kind: str) -> None:
    first, again, other = (KINDS[kind](seed=seed).codes(COUNT) for seed in (5, 5, 6))
    np.testing.assert_array_equal(first, again)
    assert (first != other).mean() > 0.5


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("block", [1, 17, 4096])
def test_blocks_change_nothing(kind: str, block: int) -> None:
    whole, stream = KINDS[kind]().codes(4096), KINDS[kind]()
    np.testing.assert_array_equal(np.concatenate([stream.codes(block) for _ in range(-(-4096 // block))])[:4096], whole)


@given(st.lists(st.integers(0, 200), max_size=10), st.integers(0, 3), st.integers(0, 400))
@settings(max_examples=25)
def test_blocks_of_any_kind_change_nothing_under_changing_labels(counts: list[int], seed: int, prime: int) -> None:
    total = sum(counts) + 700
    options: dict[str, Any] = {"seed": seed, "prime": voices.sound(prime), "samples": total}
    stream = start(**options)
    parts = [stream.codes(count) for count in (*counts, 700)]
    np.testing.assert_array_equal(np.concatenate(parts), start(**options).codes(total))


@pytest.mark.parametrize("kind", KINDS)
def test_engines_agree(kind: str) -> None:
    pair = KINDS[kind](engine="native"), KINDS[kind](engine="reference")
    first, second = (stream.codes(330) for stream in pair)
    np.testing.assert_array_equal(first, second)
    assert pair[0].save() == pair[1].save()


@pytest.mark.parametrize("kind", KINDS)
def test_streams_together_give_what_each_gives_alone(kind: str) -> None:
    group, alone = ([KINDS[kind](seed=seed) for seed in (1, 2, 3)] for _ in range(2))
    for count in (1, 60, 130, 400):
        np.testing.assert_array_equal(pcm_together(group, count), [stream.pcm(count) for stream in alone])
    assert [stream.save() for stream in group] == [stream.save() for stream in alone]


def test_streams_of_all_kinds_at_different_places_do_not_disturb_each_other() -> None:
    def make() -> list[Stream]:
        return [KINDS[kind](seed=seed) for seed, kind in enumerate([*KINDS, *KINDS])]

    group, alone = make(), make()
    for place, (one, other) in enumerate(zip(group, alone, strict=True)):
        assert np.array_equal(one.codes(37 * place), other.codes(37 * place))
    for count in (50, 81, 300):
        np.testing.assert_array_equal(pcm_together(group, count), [stream.pcm(count) for stream in alone])


def test_given_samples_cost_streams_together_what_they_cost_each_alone() -> None:
    codes = mulaw.encode(voices.sound(500))
    group, alone = ([follow(seed) for seed in (1, 2)] for _ in range(2))
    assert teacher_force_together(group, codes) == [stream.teacher_force(codes) for stream in alone]
    assert [stream.save() for stream in group] == [stream.save() for stream in alone]


def test_what_a_stream_is_told_changes_what_it_says() -> None:
    one, other = (voices.load().follow(voices.vectors(9, seed), seed=1) for seed in (0, 1))
    assert (one.codes(9 * HOP) != other.codes(9 * HOP)).mean() > 0.5
    assert (start(labels={"digit": "1"}).codes(COUNT) != start(labels={"digit": "2"}).codes(COUNT)).any()


# labels


def test_labels_set_in_the_middle_hold_for_what_is_planned_from_there_on() -> None:
    early, late = start(labels={"digit": "3"}), start(labels={"digit": "3"})
    first = early.codes(1000)
    np.testing.assert_array_equal(late.codes(1000), first)
    early.labels = {"digit": "5", "speaker": "anna"}
    assert early.labels == {"digit": "5", "speaker": "anna"} and late.labels == {"digit": "3"}
    assert (early.codes(COUNT) != late.codes(COUNT)).mean() > 0.3
    # both the network, with its next frame, and the planner, with the next frame that it plans, know of them
    assert early.conditioner is not None and tuple(early.conditioner.source.state.labels) == (6, 1)  # type: ignore[attr-defined]


def test_looking_changes_nothing() -> None:
    looked, plain = start(), start()
    for count in (0, 30, 50, 80, 7, 300):
        np.testing.assert_array_equal(looked.codes(count), plain.codes(count))
        assert looked.labels and looked.distribution().shape == (256,) and looked.save() and looked.position >= 0
        looked.fork(9).codes(100)
        assert looked.save() == plain.save()
    looked.labels = plain.labels = {"digit": "9"}
    np.testing.assert_array_equal(looked.codes(900), plain.codes(900))


def test_the_distribution_is_that_of_the_next_sample() -> None:
    stream = follow()
    for count in (0, 5, 75, 1):  # at the first sample, within a part, at its end
        stream.codes(count)
        share = stream.distribution()
        assert share.sum() == pytest.approx(1, abs=1e-6)
        code = np.array([int(np.argmax(share))], np.uint8)
        assert stream.teacher_force(code) / 65536 == pytest.approx(-np.log2(share.max()), abs=0.01)


def test_what_is_forced_is_not_filtered_and_what_follows_is_from_its_first_frame_on() -> None:
    sound, stream = voices.sound(2000), follow(frames=40, filtered=True)
    assert stream.conditioner is not None
    stream.teacher_force(mulaw.encode(sound))
    assert not stream.conditioner._targets
    found, plain = stream.pcm(3000), follow(frames=40)
    plain.teacher_force(mulaw.encode(sound))
    drawn = np.concatenate([mulaw.decode(mulaw.encode(sound)), plain.pcm(4000)])
    runtime = voices.load(filtered=True).runtime
    assert runtime is not None and runtime.envelope is not None
    expected = runtime.postfilter(2000 - 1200)
    assert expected is not None
    levels = runtime.envelope.target_mel(voices.vectors(40), 0, 40)
    expected.add_target(levels[24:], 24)  # from the token frame on in which the forced samples end
    np.testing.assert_array_equal(found, expected.push(drawn[800:])[1200:][:3000])
    with pytest.raises(EngineError, match="has begun"):
        stream.teacher_force(mulaw.encode(sound))


# pauses


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("before", [0, 1, 16, PART - 1, PART, PART + 7, HOP, HOP + 5, 3 * HOP + 33, 1337])
def test_saved_streams_go_on_exactly(kind: str, before: int) -> None:
    stream = KINDS[kind](draw=SamplingConfig.of(0.8, 100, 0.97)) if "followed" not in kind else KINDS[kind]()
    stream.codes(before)
    saved = stream.save()
    restored = synth.load(voices.path(filtered="filtered" in kind)).restore(saved)
    assert restored.save() == saved
    assert (restored.position, restored.seed) == (stream.position, stream.seed)
    np.testing.assert_array_equal(restored.codes(1200), stream.codes(1200))
    assert restored.labels == stream.labels


def test_saved_streams_of_the_reference_go_on_natively() -> None:
    stream = start(engine="reference", prime=voices.sound(50))
    stream.codes(101)
    restored = voices.load(engine="native").restore(stream.save())
    np.testing.assert_array_equal(restored.codes(200), stream.codes(200))


def test_streams_of_another_voice_are_refused() -> None:
    with pytest.raises(CheckpointError, match="another checkpoint"):
        voices.load(seed=2).restore(start().save())


@given(st.data())
@settings(max_examples=20)
def test_damaged_saved_streams_are_refused(data: st.DataObject) -> None:
    saved = bytearray(start().save())
    saved[data.draw(st.integers(0, len(saved) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(CheckpointError, match="^saved stream: is damaged"):
        voices.load().restore(bytes(saved))


PART_OF = [(0, 0), (1, -1), (1, 2), (2, 40), (4, 1 << 40), (5, 1 << 61), (7, -(1 << 63))]
"""Which of an array's numbers is changed, and by how much."""


@functools.cache
def saved_arrays(filtered: bool) -> tuple[bytes, dict[str, NDArray[Any]]]:
    stream = start(filtered=filtered, prime=voices.sound(1000))
    stream.codes(1337)
    saved = stream.save()
    return saved[32:], load(saved[32:])


def test_forged_saved_streams_are_refused_in_one_line() -> None:
    """With a fitting digest, by somebody who means harm: arrays of other types and shapes, and none."""
    _, arrays = saved_arrays(True)
    for name, array in arrays.items():
        if name == "stream.checkpoint":  # only its bytes count
            continue
        for wrong in (
            array.astype(np.float32),
            array[None],
            array[:0].reshape(0, 1, 7),
            None,
        ):
            forged = {key: value for key, value in arrays.items() if key != name}
            data = to_bytes(forged if wrong is None else forged | {name: np.ascontiguousarray(wrong)})
            with pytest.raises(CheckpointError, match="^saved stream: is ") as error:
                voices.load(filtered=True).restore(hashlib.sha256(data).digest() + data)
            assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["guide.numbers", "postfilter.numbers", "stream.given"])
@pytest.mark.parametrize(("place", "by"), PART_OF)
def test_numbers_of_saved_streams_that_contradict_each_other_are_refused(name: str, place: int, by: int) -> None:
    data, arrays = saved_arrays(True)
    numbers = arrays[name].copy()
    with np.errstate(over="ignore"):
        numbers[place % len(numbers)] += by or 1 << 33
    data = to_bytes(arrays | {name: numbers})
    with pytest.raises(CheckpointError, match="^saved stream: is ") as error:
        voices.load(filtered=True).restore(hashlib.sha256(data).digest() + data)
    assert "\n" not in str(error.value)


# primes and forks


@pytest.mark.parametrize("filtered", [False, True])
@pytest.mark.parametrize("prime", [None, 0, 1, 15, 16, HOP - 1, HOP, HOP + 1, 2 * HOP, 2 * HOP + PART, 1000, 9000])
def test_forks_at_the_start_are_what_their_seed_gives(prime: int | None, filtered: bool) -> None:
    sound = None if prime is None else voices.sound(prime)
    source = start(1, sound, filtered=filtered)
    for seed in (5, 1, 4294967295):
        fork = source.fork(seed)
        assert fork.seed == seed and fork.position == 0
        np.testing.assert_array_equal(fork.codes(600), start(seed, sound, filtered=filtered).codes(600))
    assert source.position == 0


@pytest.mark.parametrize("prime", [1, PART - 1, HOP, 777])
def test_the_network_hears_a_prime_along_its_own_vectors(prime: int) -> None:
    sound, vocoder = voices.sound(prime), voices.vocoder()
    followed = voices.load().follow(
        vocoder.quantize_latents(vocoder.encode_sound(sound)), seed=1, labels={"digit": "3"}
    )
    followed.teacher_force(mulaw.encode(sound))
    state, expected = (one._state.save() for one in (start(1, sound, labels={"digit": "3"}), followed))
    assert state.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_array_equal(state[name], value, err_msg=name)


def test_a_prime_changes_what_follows_and_no_prime_is_an_empty_one() -> None:
    plain = start().codes(600)
    np.testing.assert_array_equal(start(prime=voices.sound(0)).codes(600), plain)
    followed = [start(prime=voices.sound(count)).codes(600) for count in (1, HOP, 1000)]
    assert all((codes != plain).any() for codes in followed)


def test_primes_of_any_rate_and_channels() -> None:
    model, wave = voices.load(), voices.sound(1000)
    stereo = np.stack([wave, wave], 1)
    both = [model.generate(samples=300, seed=1, prime=(each, 8000)) for each in (wave, stereo)]
    np.testing.assert_array_equal(*both)
    assert len(model.generate(samples=300, seed=1, prime=(wave.astype(np.float32) / 32768, 16000))) == 300
    with pytest.raises(AudioError):
        model.generate(samples=300, prime=(np.zeros(0), 8000))


# the model's own calls


def test_generate_is_a_stream_in_one_go() -> None:
    model = voices.load()
    wave = model.generate(samples=COUNT, seed=1, labels=LABELS)
    np.testing.assert_array_equal(wave, start().read(COUNT))
    blocks = model.stream(100, seed=1, labels={"digit": "3"})
    parts = [next(blocks) for _ in range(8)]
    np.testing.assert_array_equal(np.concatenate(parts), model.generate(samples=800, seed=1, labels={"digit": "3"}))


def test_in_the_first_10_ms_only_likely_codes_are_drawn() -> None:
    """As of any network: of the first 80 samples the likeliest codes that hold 90 %."""
    for seed in range(20):
        stream = follow(seed)
        for _ in range(4):
            share = stream.distribution()
            code = stream.codes(1)[0]
            assert share[share > share[code]].sum() < 0.9
            stream.codes(18)


@pytest.mark.parametrize("count", [1, 2, 7, 20])
def test_features_are_spoken(count: int) -> None:
    model = voices.load(0)
    mel = model.features(voices.sound(count * PART), 8000)[:count]
    wave = model.generate(features=mel, seed=3, labels={"digit": "7"})
    assert wave.shape == (count * PART,) and wave.dtype == np.float32
    vocoder = voices.vocoder()
    vectors = vocoder.quantize_latents(vocoder.encode(np.concatenate([mel, mel[-1:]])[: count + count % 2]))
    expected = model.follow(vectors, seed=3, labels={"digit": "7"}).read(count * PART)
    np.testing.assert_array_equal(wave, expected)
    np.testing.assert_array_equal(model.generate(features=mel.tolist(), seed=3, labels={"digit": "7"}), wave)


def test_features_of_a_recording_say_what_the_recording_says() -> None:
    model, sound = voices.load(), voices.sound(9 * HOP + 11)
    mel = model.features(sound, 8000)
    assert mel.shape == (20, 8)
    vocoder = voices.vocoder()
    expected = model.follow(vocoder.quantize_latents(vocoder.encode_sound(sound)), seed=2).read(10 * HOP)
    np.testing.assert_array_equal(model.generate(features=mel, seed=2), expected)


@pytest.mark.parametrize("shape", [(4, 9), (8,), (0, 8), (2, 2, 8)])
def test_features_of_another_shape_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(AudioError, match=r"^features: is float64\["):
        voices.load().generate(features=np.zeros(shape))


def test_features_take_no_length_and_no_prime() -> None:
    for more in ({"seconds": 1}, {"samples": 5}, {"prime": (voices.sound(100), 8000)}):
        with pytest.raises(UsageError, match="^features: their length"):
            voices.load().generate(features=np.full((4, 8), -6.0), **more)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="seed -1"):
        voices.load().generate(features=np.full((4, 8), -6.0), seed=-1)
    with pytest.raises(UsageError, match="label digit=x"):
        voices.load().generate(features=np.full((4, 8), -6.0), labels={"digit": "x"})


def test_streams_at_different_places_are_drawn_as_alone() -> None:
    """Also where their postfilters want as many samples more: the network's codes are not their sound's."""
    together, alone = ([start(seed, filtered=True) for seed in (1, 2)] for _ in range(2))
    for streams in (together, alone):
        streams[1].pcm(3 * PART)
    for count in (400, 3 * PART):
        np.testing.assert_array_equal(pcm_together(together, count), [stream.pcm(count) for stream in alone])


def test_tokens_of_a_recording_are_those_of_its_latents() -> None:
    sound, vocoder = voices.sound(5 * HOP), voices.vocoder()
    tokens = voices.load().tokens(sound, 8000, 2)
    np.testing.assert_array_equal(tokens, vocoder.tokens(vocoder.encode_sound(sound), 2))
    assert voices.load().tokens(sound, 8000).shape == (5, voices.VOCODER.quantisers)
    with pytest.raises(UsageError, match="tokens 5"):
        voices.load().tokens(sound, 8000, 5)


def test_what_a_voice_cannot_do_is_said() -> None:
    with pytest.raises(UsageError, match="no planner"):
        voices.load(0).generate(samples=10)
    with pytest.raises(UsageError, match="no planner"):
        voices.load(0).stream()
    for period in (0, 2):
        with pytest.raises(AttributeError, match="is a voice, .*a plain network scores"):
            voices.load(period).score(voices.sound(100), 8000)


def test_what_only_a_voice_can_do_is_said() -> None:
    from helpers.tools import tiny_checkpoint

    plain = synth.load(tiny_checkpoint())
    assert isinstance(plain, synth.Model) and not isinstance(voices.load(), synth.Model)
    for call in (
        lambda: plain.follow(voices.vectors(2)),
        lambda: plain.features(voices.sound(100), 8000),
        lambda: plain.tokens(voices.sound(100), 8000),
    ):
        with pytest.raises(AttributeError, match="is no voice, it can't follow features or tokens"):
            call()
    with pytest.raises(TypeError, match="features"):
        plain.generate(features=np.full((4, 8), -6.0))


@pytest.mark.parametrize("block", [1, 17, 4096])
def test_features_are_streamed_in_any_blocks(block: int) -> None:
    model, mel = voices.load(), np.random.default_rng(5).normal(-6, 2, (12, 8)).astype(np.float32)
    whole = model.generate(features=mel, seed=4, labels={"digit": "7"})
    stream = model.stream(block, features=mel, seed=4, labels={"digit": "7"})
    blocks = [next(stream) for _ in range(-(-len(whole) // block) + 2)]
    assert all(len(piece) == block for piece in blocks)
    np.testing.assert_array_equal(np.concatenate(blocks)[: len(whole)], whole)
    with pytest.raises(UsageError, match="features: no prime goes before them"):
        model.stream(features=mel, prime=(whole, 8000))
    with pytest.raises(TypeError, match="features"):
        synth.load(tiny_checkpoint()).stream(features=mel)
