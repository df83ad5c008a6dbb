"""Voices with a bed of either kind: the same sound whatever the blocks, engine and pauses; prompts; features."""

from __future__ import annotations

from types import ModuleType

import numpy as np
import pytest
from helpers import note_voices, tonal_voices

from synth.common.typing import Int64
from synth.generation.follow_sound import follow_sound
from synth.generation.together import pcm_together

HOP = tonal_voices.HOP
pytestmark = pytest.mark.parametrize("kind", [tonal_voices, note_voices], ids=["tonal", "notes"])


def latents(kind: ModuleType, frames: int, seed: int = 0) -> Int64:
    random = np.random.default_rng(seed)
    return random.integers(-100, 101, (frames, kind.VOCODER.latent)).astype(np.int64)


@pytest.mark.parametrize("block", [1, 7, 160, 1000])
def test_blocks_of_any_size_give_the_same(kind: ModuleType, block: int) -> None:
    voice = kind.load()
    whole = voice.follow(latents(kind, 14), seed=3).read(14 * HOP)
    stream = voice.follow(latents(kind, 14), seed=3)
    count = 14 * HOP if block > 1 else 400
    parts = [stream.read(min(block, count - at)) for at in range(0, count, block)]
    np.testing.assert_array_equal(np.concatenate(parts), whole[:count])


def test_both_engines_give_the_same(kind: ModuleType) -> None:
    fast, slow = (kind.load(engine).follow(latents(kind, 5), seed=3).read(700) for engine in ("auto", "reference"))
    np.testing.assert_array_equal(fast, slow)


@pytest.mark.parametrize("at", [0, 1, 79, 80, 161, 500, 1337])
def test_saved_streams_go_on(kind: ModuleType, at: int) -> None:
    voice = kind.load()
    for stream in (voice.follow(latents(kind, 14), seed=3), voice.stream(seed=5, labels={"digit": "3"})):
        stream.read(at)
        saved = stream.save()
        np.testing.assert_array_equal(voice.restore(saved).read(600), stream.read(600))


def test_a_fork_with_the_same_seed_goes_on_the_same(kind: ModuleType) -> None:
    stream = kind.load().stream(seed=5)
    stream.read(333)
    other = stream.fork(5)
    np.testing.assert_array_equal(other.read(900), stream.read(900))


def test_a_prompt_is_continued_with_its_phases(kind: ModuleType) -> None:
    voice, prime = kind.load(), (kind.sound(1800), kind.RATE)
    first = voice.stream(seed=1, prime=prime).read(900)
    np.testing.assert_array_equal(voice.generate(samples=900, seed=1, prime=prime), first)
    np.testing.assert_array_equal(voice.restore(voice.stream(seed=1, prime=prime).save()).read(900), first)


def test_a_recording_costs_bits_by_its_own_residual(kind: ModuleType) -> None:
    stream, codes = follow_sound(kind.load(), kind.sound(1610))
    assert len(codes) == 1610
    assert 0 < stream.teacher_force(codes) / 65536 / len(codes) < 30


def test_features_are_spoken(kind: ModuleType) -> None:
    voice, sound = kind.load(), kind.sound(1610)
    features = voice.features(sound, kind.RATE)
    assert features.shape == (22, kind.VOCODER.inputs)
    spoken = voice.generate(features=features, seed=2)
    assert len(spoken) == 11 * HOP
    latent = voice.runtime.vocoder.quantize_latents(voice.runtime.vocoder.encode_sound(sound))
    np.testing.assert_array_equal(voice.follow(latent, seed=2).read(11 * HOP), spoken)


def test_streams_together_are_as_alone(kind: ModuleType) -> None:
    voice = kind.load()
    alone = [voice.follow(latents(kind, 9, seed), seed=seed).read(1200) for seed in range(3)]
    streams = [voice.follow(latents(kind, 9, seed), seed=seed) for seed in range(3)]
    together = np.concatenate([pcm_together(streams, 500), pcm_together(streams, 700)], 1)
    np.testing.assert_array_equal(together, np.rint(np.stack(alone) * 32768))
