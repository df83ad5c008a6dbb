"""Batches for recognisers: a pure function of seed and step, changed sounds, answers that still hold."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from helpers import listeners, sounds

from synth.training import augmentation
from synth.training.augmentation import ClassifierBatches, Clips
from synth.training.config import ClassifierTrainConfig

TRAIN = ClassifierTrainConfig(batch=6, longest=0.3)
SOUNDS = [
    (sounds.noise(1200 + 700 * n, n), (np.int64(n), np.int64(n % 2), np.array([1, 0, n % 2], np.float32)))
    for n in range(4)
]


def _same(one: Clips, other: Clips) -> bool:
    pairs = [(one.features, other.features), (one.lengths, other.lengths), (one.feature_stats, other.feature_stats)]
    pairs += list(zip(one.answers, other.answers, strict=True))
    return all(np.array_equal(a, b) for a, b in pairs)


def test_a_batch_depends_on_seed_and_step_alone() -> None:
    batches = ClassifierBatches(SOUNDS, listeners.TINY, TRAIN)
    first = batches.batch(3)
    batches.batch(7)
    assert _same(first, batches.batch(3)) and _same(first, ClassifierBatches(SOUNDS, listeners.TINY, TRAIN).batch(3))
    assert not _same(first, batches.batch(4))
    other = ClassifierBatches(SOUNDS, listeners.TINY, dataclasses.replace(TRAIN, seed=1))
    assert not _same(first, other.batch(3))


def test_processes_share_the_very_same_batch() -> None:
    batches = ClassifierBatches(SOUNDS, listeners.TINY, TRAIN)
    whole = batches.batch(2)
    for rank in (0, 1):
        part = batches.batch(2, rank, 2)
        assert np.array_equal(part.lengths, whole.lengths[rank::2])
        assert np.array_equal(part.features, whole.features[rank::2, : part.features.shape[1]])
        assert np.array_equal(part.answers[0], whole.answers[0][rank::2])


def test_shapes_and_ends() -> None:
    clips = ClassifierBatches(SOUNDS, listeners.TINY, TRAIN).batch(0)
    assert clips.features.dtype == np.float32 and clips.features.shape == (6, clips.lengths.max(), 16)
    assert clips.feature_stats.shape == (6, 32) and clips.lengths.max() <= 30  # 0.3 s
    assert np.isfinite(clips.features).all() and np.isfinite(clips.feature_stats).all()
    for row, length in zip(clips.features, clips.lengths, strict=True):
        assert not row[length:].any() and row[:length].any()


def test_a_changed_voice_is_nobodys_and_half_are_changed() -> None:
    """Digits and tags stay known whatever is done; a speaker is unknown where speed or pitch changed."""
    batches = ClassifierBatches(SOUNDS, listeners.TINY, dataclasses.replace(TRAIN, batch=100))
    digit, speaker, tags = batches.batch(0).answers
    assert (digit >= 0).all() and (tags >= 0).all()
    known = speaker >= 0
    assert 0.3 < known.mean() < 0.7 and np.array_equal(speaker[known], digit[known] % 2)


def test_speed_and_tempo_change_the_length(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(augmentation, "EDGE_SECONDS", 0.0)
    monkeypatch.setattr(augmentation, "CUT_SECONDS", 0.0)
    config = dataclasses.replace(listeners.TINY, targets=(listeners.DIGIT,))
    sound = [(samples, answers[:1]) for samples, answers in SOUNDS[:1]]
    lengths = []
    for warp in (1.0, 1.25):
        train = dataclasses.replace(TRAIN, batch=30, longest=2.0, warp=warp)
        lengths.append(ClassifierBatches(sound, config, train).batch(0).lengths)
    assert set(lengths[0].tolist()) == {16}  # 1200 samples
    assert lengths[1].min() < 14 and lengths[1].max() > 19


def test_silence_and_a_few_samples_pass() -> None:
    short = [(np.zeros(3, np.int16), SOUNDS[0][1]), (np.zeros(900, np.int16), SOUNDS[1][1])]
    clips = ClassifierBatches(short, listeners.TINY, TRAIN).batch(0)
    assert np.isfinite(clips.features).all() and np.isfinite(clips.feature_stats).all()
