"""Clips are made as each alone, whatever is drawn beside them; silence is taken, and heard as nothing."""

from __future__ import annotations

import numpy as np
from helpers.listeners import tiny_classifier
from helpers.tools import made, tiny_checkpoint
from numpy.typing import NDArray

import synth
from synth.engine.config import SamplingConfig
from synth.evaluation import clips
from synth.evaluation.clips import ClipAnalyzer, ClipJob
from synth.recognition import classifier


def test_pairs_are_what_each_alone_is() -> None:
    model, analyzer = synth.load(tiny_checkpoint()), ClipAnalyzer(None, 8000)
    jobs = [ClipJob((n % 11, n % 3), 10 + n) for n in range(7)]
    sounds: dict[int, NDArray[np.int16]] = {}

    def use(place: int, sound: NDArray[np.int16]) -> clips.Clip:
        sounds[place] = sound
        return analyzer.analyze(sound, jobs[place].label_ids, str(place), True)

    for threads in (1, 2, 16):
        found = clips.generate(model, jobs, SamplingConfig.of(0.9), 300, threads, use)
        assert [clip.name for clip in found] == [str(n) for n in range(7)]
        for place, job in enumerate(jobs):
            labels = model.checkpoint.config.labels.names(job.label_ids)
            alone = made(samples=300, seed=job.seed, temperature=0.9, labels=labels)
            np.testing.assert_array_equal(sounds[place], alone)
            np.testing.assert_array_equal(found[place].sound, alone)


def test_what_cannot_be_heard_is_measured_all_the_same() -> None:
    analyzer = ClipAnalyzer(classifier.load_classifier(tiny_classifier()), 8000)
    for sound in (np.zeros(4000, np.int16), np.full(50, 9000, np.int16)):
        clip = analyzer.analyze(sound, (1,), "x")
        assert clip.predicted is None and clip.embedding is None and clip.sound is None
        assert clip.loudness.rms > 0 or not sound.any()
    assert clips.embeddings([clip]).shape == (0, 0)
    known = analyzer.analyze(np.arange(-2000, 2000, dtype=np.int16), (1,), "x")
    assert known.predicted is not None and clips.embeddings([clip, known]).shape == (1, 8)
