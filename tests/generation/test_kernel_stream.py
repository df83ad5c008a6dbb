"""A voice's stream in C++ gives what its parts in Python give, wherever one takes over from the other."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from helpers import note_voices, tonal_voices, voices
from helpers.voices import HOP, PART
from hypothesis import given, settings
from hypothesis import strategies as st

import synth
from synth import engine
from synth.audio import mulaw
from synth.common.errors import EngineError
from synth.common.typing import Int64
from synth.engine.config import SamplingConfig
from synth.generation.bed_conditioning import BedConditioner
from synth.generation.kernel_stream import KernelStream
from synth.generation.pitch_changes import PitchChange
from synth.generation.together import pcm_together
from synth.generation.tonal_conditioning import TonalConditioner
from synth.generation.voice import Voice
from synth.generation.voice_stream import VoiceStream

pytestmark = pytest.mark.skipif(not engine.has_native(), reason="needs the compiled engine")

LABELS = {"digit": ["3", "1", "4"], "speaker": "bert"}


def tonal_latents(frames: int, seed: int = 0) -> Int64:
    random = np.random.default_rng(seed)
    return random.integers(-100, 101, (frames, tonal_voices.VOCODER.latent)).astype(np.int64)


def note_latents(frames: int, seed: int = 0) -> Int64:
    random = np.random.default_rng(seed)
    return random.integers(-100, 101, (frames, note_voices.VOCODER.latent)).astype(np.int64)


def moved_notes(seed: int) -> VoiceStream:
    stream = note_voices.load().follow(note_latents(14, seed), seed=seed)
    assert isinstance(stream.conditioner, BedConditioner)
    stream.conditioner.change_pitch(PitchChange(-3.5))
    return stream


def pieces(latents: Int64, size: int) -> Iterator[Int64]:
    return (latents[at : at + size] for at in range(0, len(latents), size))


def planned(voice: Voice, seed: int, prompt: int = 0, draw: SamplingConfig | None = None) -> VoiceStream:
    codes = mulaw.encode(voices.sound(prompt)) if prompt else None
    return voice.start(draw or SamplingConfig(), seed=seed, labels=LABELS, samples=4000, prompt=codes)


def changed_pitch(course: Int64 | None, seed: int) -> VoiceStream:
    stream = tonal_voices.load().follow(tonal_latents(14, seed), seed=seed)
    assert isinstance(stream.conditioner, TonalConditioner)
    stream.conditioner.change_pitch(PitchChange(23, course))
    return stream


def guided(seed: int) -> VoiceStream:
    return planned(load(voices.timed(4, 2.5)), seed)


@functools.cache
def load(path: str) -> Voice:
    voice = synth.load(path)
    assert isinstance(voice, Voice)
    return voice


COURSE = np.random.default_rng(5).integers(-100, 101, (9, 2)).astype(np.int64)
DRAW = SamplingConfig.of(0.7, 90, 0.95)
KINDS: dict[str, Callable[[int], VoiceStream]] = {
    "planned": lambda seed: planned(voices.load(), seed),
    "planned, filtered": lambda seed: planned(voices.load(filtered=True), seed),
    "planned behind a prompt": lambda seed: planned(voices.load(filtered=True), seed, prompt=777),
    "planned, drawn otherwise": lambda seed: planned(voices.load(filtered=True), seed, draw=DRAW),
    "planned by a clock": lambda seed: planned(load(voices.timed(4, 1.0)), seed),
    "planned by a clock, guided": guided,
    "guided, greedy": lambda seed: planned(load(voices.timed(4, 2.5)), seed, draw=SamplingConfig.of(0)),
    "guided, hot": lambda seed: planned(load(voices.timed(4, 2.5)), seed, draw=SamplingConfig.of(1.7)),
    "followed": lambda seed: voices.load(0).follow(voices.vectors(21, seed), seed=seed),
    "followed, filtered": lambda seed: voices.load(filtered=True).follow(voices.vectors(21, seed), seed=seed),
    "followed, in pieces": lambda seed: voices.load(filtered=True).follow(pieces(voices.vectors(21), 4), seed=seed),
    "followed, of nothing": lambda seed: voices.load(filtered=True).follow(voices.vectors(0), seed=seed),
    "tonal, planned": lambda seed: planned(tonal_voices.load(), seed),
    "tonal, followed": lambda seed: tonal_voices.load().follow(tonal_latents(14, seed), seed=seed),
    "tonal, in pieces": lambda seed: tonal_voices.load().follow(pieces(tonal_latents(25), 7), seed=seed),
    "tonal, behind a prompt": lambda seed: tonal_voices.load().stream(
        seed=seed, prime=(tonal_voices.vowel(1800), tonal_voices.RATE)
    ),
    "notes, planned": lambda seed: planned(note_voices.load(), seed),
    "notes, followed": lambda seed: note_voices.load().follow(note_latents(14, seed), seed=seed),
    "notes, behind a prompt": lambda seed: planned(note_voices.load(), seed, prompt=1700),
    "notes, moved": lambda seed: moved_notes(seed),
    "tonal, moved": lambda seed: changed_pitch(None, seed),
    "tonal, on a course": lambda seed: changed_pitch(COURSE, seed),
}
SAVED = [kind for kind in KINDS if "pieces" not in kind and "moved" not in kind and "course" not in kind]


def in_python(make: Callable[[], VoiceStream], monkeypatch: pytest.MonkeyPatch) -> VoiceStream:
    """A stream that its parts in Python lead, which are the specification."""
    stream = make()
    monkeypatch.setattr(stream, "_kernel", lambda: None)
    return stream


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_as_specified(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = KINDS[kind](3), in_python(lambda: KINDS[kind](3), monkeypatch)
    assert first._kernel() is not None and second._kernel() is None
    for count in (0, 1, PART - 1, HOP, 7, 3 * HOP + 5, 1000, 0, 2200):
        np.testing.assert_array_equal(first.pcm(count), second.pcm(count))
        assert first.position == second.position and first.labels == second.labels
        if kind in SAVED:
            assert first.save() == second.save()


@pytest.mark.parametrize("kind", SAVED)
def test_labels_are_changed_anywhere(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if not KINDS[kind](3).labels:
        pytest.skip("follows latents")
    for before in (0, 1, 100, HOP, HOP + PART, 5 * HOP + 9):
        first, second = KINDS[kind](3), in_python(lambda: KINDS[kind](3), monkeypatch)
        for stream in (first, second):
            stream.pcm(before)
            stream.pcm(0)  # plans nothing ahead
            stream.labels = {"digit": "5", "speaker": "anna"}
        np.testing.assert_array_equal(first.pcm(2000), second.pcm(2000))
        assert first.labels == {"digit": "5", "speaker": "anna"} and first.save() == second.save()


@given(st.sampled_from(SAVED), st.lists(st.tuples(st.integers(0, 700), st.sampled_from("pkfls")), max_size=6))
@settings(max_examples=60)
def test_python_and_kernel_take_over_from_each_other(kind: str, steps: list[tuple[int, str]]) -> None:
    """Led by one or the other, forked, looked at and saved in between."""
    whole, stream = KINDS[kind](3), KINDS[kind](3)
    for count, what in steps:
        if what == "p":
            missing = stream._missing(count)
            codes = np.concatenate([np.zeros(0, np.uint8), *(_drawn(stream, missing))])
            given_samples = stream._finish(codes, count)
        else:
            given_samples = stream.pcm(count)
        np.testing.assert_array_equal(given_samples, whole.pcm(count))
        if what == "f":
            stream = stream.fork(3)
        elif what == "l":
            assert stream.distribution().shape == (256,) and stream.conditioner is not None
        elif what == "s":
            model = stream.checkpoint.name
            assert model and stream.save()
    np.testing.assert_array_equal(stream.pcm(900), whole.pcm(900))


def _drawn(stream: VoiceStream, count: int) -> list[Any]:
    from synth.generation.together import codes_together

    return [codes_together([stream], count)[0]]


@pytest.mark.parametrize("kind", ["planned", "planned, filtered", "tonal, planned", "tonal, followed", "followed"])
def test_streams_together_are_as_alone(kind: str) -> None:
    group, alone = ([KINDS[kind](seed) for seed in range(5)] for _ in range(2))
    for count in (100, 1, 1500):
        np.testing.assert_array_equal(pcm_together(group, count), [stream.pcm(count) for stream in alone])
    group[2].pcm(13), alone[2].pcm(13)  # at another place than the others
    np.testing.assert_array_equal(pcm_together(group, 300), [stream.pcm(300) for stream in alone])
    if kind in SAVED:
        assert [stream.save() for stream in group] == [stream.save() for stream in alone]


def test_codes_and_samples_are_of_the_same_stream() -> None:
    one, other = KINDS["planned"](3), KINDS["planned"](3)
    codes = np.concatenate([one.codes(333), one.codes(1000)])
    np.testing.assert_array_equal(mulaw.decode(codes), other.pcm(1333))


def test_threads_read_at_once() -> None:
    """Two threads, ten streams each, in blocks of 20 ms: as one thread reads them in one go."""
    model = load(voices.timed(4, 2.5))
    expected = [planned(model, seed).pcm(20 * HOP) for seed in range(20)]
    blocks: dict[int, list[Any]] = {seed: [] for seed in range(20)}
    streams = {seed: planned(model, seed) for seed in range(20)}

    def read(seeds: range) -> None:
        for _ in range(20):
            for seed in seeds:
                blocks[seed].append(streams[seed].pcm(HOP))

    threads = [threading.Thread(target=read, args=(range(k, 20, 2),)) for k in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for seed in range(20):
        np.testing.assert_array_equal(np.concatenate(blocks[seed]), expected[seed])


def test_a_source_that_fails_is_named_and_what_it_gave_stays() -> None:
    def broken() -> Iterator[Int64]:
        yield voices.vectors(30)
        raise EngineError("the file is damaged")

    stream = voices.load(filtered=True).follow(broken(), seed=1)
    whole = voices.load(filtered=True).follow(voices.vectors(30), seed=1)
    np.testing.assert_array_equal(stream.pcm(8 * HOP), whole.pcm(8 * HOP))
    with pytest.raises(EngineError, match="the file is damaged"):
        stream.pcm(40 * HOP)
    np.testing.assert_array_equal(stream.pcm(20 * HOP), whole.pcm(20 * HOP))


def test_what_is_locked_to_a_recording_stays_in_python() -> None:
    voice = tonal_voices.load()
    conditioner = voice.runtime.along_sound(tonal_voices.vowel(1600))[0]
    assert not KernelStream.takes(conditioner)


def test_arrays_of_another_kind_are_refused() -> None:
    """By the extension module itself, whoever calls it."""
    from synth.engine import native_vocoder

    stream = KINDS["planned, filtered"](1)
    stream.pcm(1000)
    kernel = stream._kernel()
    assert kernel is not None
    arrays, sampling, state = kernel.save(), SamplingConfig(), stream._state

    def make(**changed: Any) -> None:
        native_vocoder.VoiceStream(kernel.voice.model, state, sampling, None, 1, {**arrays, **changed})

    arrays |= {"pitch": np.zeros(2, np.int64), "course": np.zeros((0, 2), np.int8)}
    make()
    for name, wrong in {
        "held": np.zeros((3, 7), np.int8),
        "numbers": np.zeros(6, np.int64),
        "phases": np.zeros(1, np.int64),
        "ready": np.zeros(4, np.int32),
        "changes": np.zeros((1, 2), np.int64),
        "pitch": np.array([0, 99], np.int64),
        "postfilter.levels": np.zeros((0, 8), np.int32),
        "postfilter.samples.1": np.zeros(9999, np.int16),
        "postfilter.total.0": np.zeros(3, np.int64),
    }.items():
        with pytest.raises(ValueError):
            make(**{name: wrong})
    with pytest.raises(ValueError, match="no such row"):
        kernel.kernel.relabel((99, 0))
    with pytest.raises(ValueError, match="no such latents"):
        kernel.kernel.push(np.zeros((1, 8), np.int8), False)
