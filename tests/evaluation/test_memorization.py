"""Copies of training sound are found, at any place, level and sign; what is new is not taken for one."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import sounds

from synth.evaluation import memorization

LENGTH = 500


def distances(clips: list[sounds.Samples], training: list[sounds.Samples], threads: int = 1) -> list[float]:
    excerpts = [memorization.excerpt(clip, LENGTH) for clip in clips]
    return memorization.by_waveform(excerpts, training, threads).tolist()


def slow(clip: sounds.Samples, training: list[sounds.Samples]) -> float:
    """The definition, stretch by stretch."""
    one = memorization.excerpt(clip, LENGTH).astype(np.float64)
    best = 0.0
    for other in training:
        wave = np.pad(other.astype(np.float64), (0, max(0, LENGTH - len(other))))
        for start in range(len(wave) - LENGTH + 1):
            part = wave[start : start + LENGTH] - wave[start : start + LENGTH].mean()
            if np.mean(part**2) > 1:
                best = max(best, abs(one @ part) / np.sqrt(part @ part))
    return 1 - best


def test_equals_the_definition_at_every_cut() -> None:
    # lengths around the excerpt's and the transform's, a silent clip, one that ends in silence
    lengths = (1, 499, 500, 501, 2048, 5000, 1549, 1548, 800)
    training = [sounds.noise(count, seed) for seed, count in enumerate(lengths)]
    training[4][1000:] = 0
    training.append(np.zeros(900, np.int16))
    clips = [sounds.noise(700, 50), sounds.tone(700), training[5][4400:4900] + sounds.noise(500, 51, 300.0)]
    for clip, found in zip(clips, distances(clips, training), strict=True):
        assert found == pytest.approx(slow(clip, training), abs=1e-4)


def test_a_copy_is_at_nothing_wherever_it_is_and_however_loud() -> None:
    training = [sounds.noise(3000, seed) for seed in range(80)]
    copies = [training[at][at * 20 :][:LENGTH] for at in range(0, 80, 9)]
    inside = np.concatenate([sounds.noise(300, 99, 10.0), -copies[3] // 4, sounds.noise(900, 98, 10.0)])
    found = distances([*copies, inside, sounds.noise(900, 97)], training, threads=2)
    assert max(found[:-2]) < 1e-3 and found[-2] < 0.02
    assert found[-1] > 0.5


def test_no_stretch_spans_two_clips() -> None:
    whole = sounds.noise(2 * LENGTH, 5)
    assert distances([whole[250:750]], [whole[:LENGTH], whole[LENGTH:]])[0] > 0.1


def test_excerpt_is_the_loudest_stretch_with_unit_energy() -> None:
    wave = sounds.noise(3000, 1, 50.0)
    wave[1200:1700] = sounds.noise(500, 2)
    found = memorization.excerpt(wave, LENGTH)
    assert np.sum(found**2) == pytest.approx(1, abs=1e-5)
    assert np.corrcoef(found, wave[1200:1700])[0, 1] > 0.9999
    short = memorization.excerpt(wave[:100], LENGTH)
    assert short.shape == (LENGTH,) and not short[100:].any() and np.sum(short**2) == pytest.approx(1, abs=1e-5)
    assert not memorization.excerpt(np.zeros(900, np.int16), LENGTH).any()


def test_by_embedding() -> None:
    training = np.array([[0, 0], [3, 4], [10, 0]], np.float32)
    assert memorization.by_embedding(np.array([[0, 0], [3, 0], [10, 2]], np.float32), training).tolist() == [0, 3, 2]


def test_verdict_compares_first_percentiles() -> None:
    real = np.linspace(0.2, 1, 101)
    assert memorization.verdict(real, real)["passed"]
    near = np.concatenate([np.zeros(3), real])
    found = memorization.verdict(near, real)
    assert not found["passed"] and found["generated"] < found["real"] and found["nearest_generated"] == 0
    assert memorization.verdict(np.concatenate([[0.0], np.full(300, 0.5)]), real)[
        "passed"
    ]  # one in 300 is no percentile
