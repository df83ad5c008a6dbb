"""What steers a stream: vectors ahead of the sound, from tokens, a recording or a planner, in bounded memory."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from helpers import voices
from helpers.voices import HOP, NETWORK, PART, VOCODER
from numpy.typing import NDArray

from synth.common.errors import EngineError, UsageError
from synth.engine.config import SamplingConfig
from synth.generation.conditioning import Conditioner
from synth.generation.latent_sources import FixedLatents
from synth.generation.voice_runtime import VoiceRuntime, scale_temperature

NONE = (0, 0)
OTHER = (4, 2)


def runtime(period: int = 2) -> VoiceRuntime:
    return voices.load(period).runtime


def given(conditioner: Conditioner, frames: int, first: int = 0) -> NDArray[np.int16]:
    """All vectors (2 x frames, conditioning units) of frames from `first` on, part by part."""
    return np.stack([conditioner.vector_at(first * HOP + k * PART) for k in range(2 * frames)])


def planned(seed: int = 1, prime: Any = None, changes: Any = None, draw: SamplingConfig | None = None) -> Conditioner:
    return runtime().plan(draw or SamplingConfig(), seed, changes or [(0, NONE)], prime)


# known vectors


@pytest.mark.parametrize("frames", [1, 2, 3, 4, 5, 11])
def test_known_vectors_are_what_the_conditioner_makes_of_the_whole(frames: int) -> None:
    vectors = voices.vectors(frames)
    found = given(runtime().along(vectors), frames + 4)
    np.testing.assert_array_equal(found[: 2 * frames], voices.vocoder().condition(vectors))
    np.testing.assert_array_equal(found[2 * frames :], np.zeros_like(found[2 * frames :]))


@pytest.mark.parametrize("first", [1, 2, 3, 6, 10, 11, 12, 20])
def test_a_guide_that_begins_later_says_the_same(first: int) -> None:
    vectors = voices.vectors(11)
    whole = given(runtime().along(vectors), 25)
    np.testing.assert_array_equal(given(runtime().along(vectors), 25 - first, first), whole[2 * first :])


def test_no_more_is_held_than_the_conditioner_looks_at() -> None:
    conditioner = runtime().along(voices.vectors(3000))
    for frame in (0, 1, 2, 3, 2500, 2501):
        conditioner.vector_at(frame * HOP)
        assert len(conditioner._latents) <= conditioner.source.ahead + 4
        assert conditioner._latents.base is None or len(conditioner._latents.base) <= conditioner.source.ahead + 5
    np.testing.assert_array_equal(
        conditioner.vector_at(2502 * HOP), voices.vocoder().condition(conditioner.source.latents)[5004]
    )


def test_a_source_is_asked_once_and_in_order() -> None:
    asked: list[int] = []

    class Counting(FixedLatents):
        def next(self, frame: int) -> Any:
            asked.append(frame)
            return super().next(frame)

    conditioner = Conditioner(voices.vocoder(), Counting(voices.vectors(6)))
    given(conditioner, 10)
    assert asked == [*range(6), 6]


def test_a_recording_is_followed_as_it_is_heard() -> None:
    vocoder, sound = voices.vocoder(), voices.sound(5 * HOP + 3)
    found = given(runtime().along_sound(sound)[0], 6)
    np.testing.assert_array_equal(found, vocoder.condition(vocoder.quantize_latents(vocoder.encode_sound(sound))))


@pytest.mark.parametrize(
    ("vectors", "words"),
    [
        (np.zeros((3, 7), np.int64), "must be integers"),
        (np.zeros(8, np.int64), "must be integers"),
        (np.zeros((3, 8)), "must be integers"),
        (np.full((3, 8), 128), "-127 to 127"),
        (np.full((3, 8), -128), "-127 to 127"),
    ],
)
def test_vectors_of_another_kind_are_refused(vectors: NDArray[Any], words: str) -> None:
    with pytest.raises(UsageError, match=f"^vectors.*{words}"):
        voices.load().follow(vectors)


# planned


def tokens_of(seed: int, frames: int, rows: tuple[int, ...] = NONE, forced: Any = None) -> NDArray[np.uint8]:
    """What the planner draws by itself with this seed, after tokens that are forced."""
    engine = runtime().planner
    assert engine is not None
    state = engine.state(seed=seed, stream=1)
    state.labels = rows
    if forced is not None and forced.size:
        engine.teacher_force(state, forced.reshape(-1))
    return engine.generate(state, 2 * frames, SamplingConfig()).reshape(frames, 2)


@pytest.mark.parametrize("rows", [NONE, OTHER])
def test_a_plan_is_the_planners_tokens(rows: tuple[int, ...]) -> None:
    vocoder = voices.vocoder()
    tokens = tokens_of(7, 12, rows)
    found = given(planned(7, changes=[(0, rows)]), 10)
    np.testing.assert_array_equal(found, vocoder.condition(vocoder.latents(tokens))[:20])


@pytest.mark.parametrize("count", [0, 1, HOP - 1, HOP, 2 * HOP - 1, 2 * HOP, 5 * HOP + 90])
def test_a_plan_goes_on_from_a_prime(count: int) -> None:
    vocoder, prime = voices.vocoder(), voices.sound(count)
    whole = max(0, count // HOP - 1)
    heard = vocoder.encode_sound(prime)[:whole] if count else np.zeros((0, VOCODER.latent), np.float32)
    drawn = vocoder.latents(tokens_of(7, 12, OTHER, vocoder.tokens(heard, 2)))
    vectors = np.concatenate([vocoder.quantize_latents(heard), drawn])
    first = count // HOP
    found = given(planned(7, prime, [(0, OTHER)]), 5, first)
    np.testing.assert_array_equal(found, vocoder.condition(vectors)[2 * first : 2 * first + 10])


@pytest.mark.parametrize("prime", [0, 50, 1000])
def test_labels_of_a_plan_change_where_they_should(prime: int) -> None:
    """At the first token frame that begins no sooner, counted from the prime's end."""
    vocoder, sound = voices.vocoder(), voices.sound(prime)
    heard = (
        vocoder.encode_sound(sound)[: max(0, prime // HOP - 1)] if prime else np.zeros((0, VOCODER.latent), np.float32)
    )
    engine = runtime().planner
    assert engine is not None
    state = engine.state(seed=3, stream=1)
    if len(heard):
        engine.teacher_force(state, vocoder.tokens(heard, 2).reshape(-1))
    frames = []
    for frame in range(len(heard), 60):
        state.labels = NONE if frame * HOP < prime + 5000 else OTHER
        frames.append(engine.generate(state, 2, SamplingConfig()))
    vectors = np.concatenate([vocoder.quantize_latents(heard), vocoder.latents(np.stack(frames))])
    found = given(planned(3, sound, [(0, NONE), (5000, OTHER)]), 58)
    np.testing.assert_array_equal(found, vocoder.condition(vectors)[: 2 * 58])
    assert (found != given(planned(3, sound), 58)).any()


def test_a_fork_has_the_draws_of_its_seed() -> None:
    prime, changes = voices.sound(700), [(0, NONE), (4000, OTHER)]
    source = planned(1, prime, changes)
    expected = given(planned(9, prime, changes), 40, 4)
    np.testing.assert_array_equal(given(source.fork(9), 40, 4), expected)
    own = given(source, 20, 4)
    assert (own != expected[:40]).any()
    fork = source.fork(1)  # of the same seed in the middle: as if nothing had happened
    np.testing.assert_array_equal(given(fork, 20, 24), given(source, 20, 24))


def test_a_seed_and_a_temperature_of_its_own() -> None:
    plans = [given(planned(seed), 6) for seed in (1, 1, 2)]
    np.testing.assert_array_equal(plans[0], plans[1])
    assert (plans[0] != plans[2]).any()
    greedy = [given(planned(seed, draw=SamplingConfig.of(0)), 6) for seed in (1, 2)]
    np.testing.assert_array_equal(*greedy)


def test_temperatures_of_a_voice_are_what_one_stands_for() -> None:
    assert scale_temperature(SamplingConfig(), 1.0) == SamplingConfig()
    assert scale_temperature(SamplingConfig.of(1.0, 50, 0.9), 0.5) == SamplingConfig.of(0.5, 50, 0.9)
    assert scale_temperature(SamplingConfig.of(0), 0.5) == SamplingConfig.of(0)
    assert scale_temperature(SamplingConfig.of(1e-9), 0.05).inverse_temperature == 1 << 24
    assert scale_temperature(SamplingConfig.of(1e9), 4.0).inverse_temperature == 1
    warm = voices.voice(2, 1, (0.5, 0.8))
    made = VoiceRuntime(NETWORK, voices.network(), warm)
    assert made.network_sampling(SamplingConfig()) == SamplingConfig.of(0.8)
    found = given(made.plan(SamplingConfig(), 4, [(0, NONE)], None), 8)
    np.testing.assert_array_equal(found, given(planned(4, draw=SamplingConfig.of(0.5)), 8))


def test_a_voice_without_a_planner_plans_nothing() -> None:
    assert runtime(0).planner_tokens == 0 and runtime(2).planner_tokens == 2 and runtime(4).planner_tokens == 4
    with pytest.raises(UsageError, match="has no planner: .*synth vocode"):
        runtime(0).plan(SamplingConfig(), 1, [(0, NONE)], None)


# saved


@pytest.mark.parametrize("frames", [0, 1, 2, 7])
def test_saved_guides_go_on(frames: int) -> None:
    for make in (
        lambda: planned(5, voices.sound(500), [(0, NONE), (900, OTHER), (2000, NONE)]),
        lambda: runtime().along(voices.vectors(9)),
    ):
        conditioner = make()
        if frames:
            given(conditioner, frames, 3)
        saved = conditioner.save()
        again = runtime().restore(saved)
        assert all(np.array_equal(saved[name], value) for name, value in again.save().items())
        np.testing.assert_array_equal(given(again, 20, 3 + frames), given(conditioner, 20, 3 + frames))


def test_guides_of_other_voices_are_refused() -> None:
    saved = planned().save()
    with pytest.raises(EngineError, match="another voice"):
        runtime().restore({**saved, "held": np.zeros((2, 9), np.int8)})
    with pytest.raises(EngineError, match="a voice with a planner"):
        runtime(0).restore(saved)
