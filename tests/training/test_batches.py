"""Batches of streams: what is in them, and that they depend on seed and step alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from synth.audio import mulaw
from synth.common.errors import CorpusError
from synth.common.labels import LabelSet
from synth.data.corpus import Corpus, Entry
from synth.training.batches import AT_START, GAP_SIGMA, StreamBatches, validation_rows

RATE, SPAN = 8000, 8192
LABELS = LabelSet((("digit", ("0", "1", "2")), ("speaker", ("ann", "bob"))))


def corpus_of(lengths: list[int], split: str = "train") -> Corpus:
    """Files at a level that tells them apart from each other and from gaps: file n is all 2000 + 1000 n."""
    audio = np.concatenate([np.full(length, 2000 + 1000 * n, np.int16) for n, length in enumerate(lengths)])
    starts = np.cumsum([0, *lengths])
    entries = tuple(
        Entry(f"{n:03}.wav", int(starts[n]), length, (1 + n % 3, 1 + n % 2), split) for n, length in enumerate(lengths)
    )
    return Corpus(Path(), RATE, audio, entries, LABELS, (), "")


def ramp(length: int) -> Corpus:
    """One long file whose samples tell the place."""
    audio = (np.arange(length) // 16 + 100).astype(np.int16)
    return Corpus(Path(), RATE, audio, (Entry("a.wav", 0, length, (1, 2), "train"),), LABELS, (), "")


def runs(row: np.ndarray) -> list[tuple[int, int, int]]:
    """Stretches (level, start, stop) of a decoded stream; level 0 is near-silence."""
    level = np.where(np.abs(row) < 1000, 0, row)
    edges = [0, *(np.flatnonzero(np.diff(level)) + 1), len(level)]
    return [(int(level[a]), int(a), int(b)) for a, b in zip(edges[:-1], edges[1:], strict=True)]


def level_of(n: int) -> int:
    return int(mulaw.decode(mulaw.encode(np.array([2000 + 1000 * n], np.int16)))[0])


def test_shapes_and_types() -> None:
    batch = StreamBatches(corpus_of([3000, 2500, 1800])).batch(0)
    assert batch.codes.shape == (32, SPAN) and batch.codes.dtype == np.uint8
    assert batch.labels.shape == (32, SPAN // 16, 2) and batch.labels.dtype == np.int64
    assert batch.windows.shape == (32, 4) and batch.windows.dtype == np.int64
    assert batch.first.shape == (32,) and batch.first.dtype == np.int64
    assert batch.labels.min() >= 0 and (batch.labels.max(axis=(0, 1)) == [3, 2]).all()


def test_a_stream_is_gap_file_gap_file() -> None:
    lengths = [3000, 2500, 1800]
    batches = StreamBatches(corpus_of(lengths), label_drop=(0.0, 0.0))
    levels = {level_of(n): n for n in range(3)}
    for step in range(5):
        batch = batches.batch(step)
        assert (batch.first == 0).all()
        for row, labels in zip(mulaw.decode(batch.codes), batch.labels, strict=True):
            stretches = runs(row)
            assert stretches[0][0] == 0
            for number, (level, start, stop) in enumerate(stretches):
                whole = stop < SPAN
                assert (level == 0) == (number % 2 == 0)
                if level == 0:
                    assert stop - start <= 1600 and (not whole or stop - start >= 160)
                    named = stretches[max(number - 1, 0) if number else 1][0]
                else:
                    assert stop - start <= lengths[levels[level]]
                    assert not whole or stop - start == lengths[levels[level]]
                    named = level
                frames = labels[-(-start // 16) : -(-stop // 16)]
                # the first gap and the first file are one segment; a gap keeps the labels of the file before it
                assert (frames == [1 + levels[named] % 3, 1 + levels[named] % 2]).all()


def test_gaps_are_quiet_noise_of_many_levels() -> None:
    batch = StreamBatches(corpus_of([3000])).batch(0)
    deviations = []
    for row in mulaw.decode(batch.codes):
        for level, start, stop in runs(row):
            if level == 0 and stop - start > 100:
                assert np.abs(row[start:stop]).max() < 6 * GAP_SIGMA + 8
                deviations.append(float(row[start:stop].std()))
    assert min(deviations) < 4 and max(deviations) > 8


def test_batches_depend_on_seed_and_step_alone() -> None:
    corpus = corpus_of([3000, 2500, 1800])

    def same(one: object, two: object) -> bool:
        return all(np.array_equal(a, b) for a, b in zip(vars(one).values(), vars(two).values(), strict=True))

    batches = StreamBatches(corpus, seed=5)
    seventh = batches.batch(7)
    batches.batch(3)
    assert same(batches.batch(7), seventh) and same(StreamBatches(corpus, seed=5).batch(7), seventh)
    assert not same(batches.batch(8), seventh) and not same(StreamBatches(corpus, seed=6).batch(7), seventh)


@pytest.mark.parametrize("world", [2, 3])
def test_ranks_share_the_batch_of_one_process(world: int) -> None:
    batches = StreamBatches(corpus_of([3000, 2500, 1800]), streams=12)
    whole = batches.batch(4)
    for rank in range(world):
        part = batches.batch(4, rank, world)
        for name in ("codes", "labels", "windows", "first"):
            np.testing.assert_array_equal(getattr(part, name), getattr(whole, name)[rank::world])


def test_windows_lie_in_the_stream_and_some_at_its_start() -> None:
    batches = StreamBatches(corpus_of([3000]), windows=8)
    windows = np.concatenate([batches.batch(step).windows.ravel() for step in range(40)])
    assert (windows % 16 == 0).all() and windows.min() == 0 and windows.max() == SPAN - 256
    share = np.mean(windows == 0)
    assert AT_START * 0.8 < share < AT_START * 1.3
    counts = np.histogram(windows[windows > 0], 8, (0, SPAN - 256))[0]
    assert counts.min() > 0.85 * counts.mean()


def test_labels_are_dropped_file_by_file() -> None:
    batches = StreamBatches(corpus_of([800] * 6))
    rows = np.concatenate([batches.batch(step).labels[:, 64::128].reshape(-1, 2) for step in range(60)])
    none, both = np.mean((rows == 0).all(1)), np.mean((rows > 0).all(1))
    assert none == pytest.approx(0.3 + 0.7 * 0.01, abs=0.03) and both == pytest.approx(0.7 * 0.81, abs=0.03)
    assert np.mean((rows[:, 0] == 0) & (rows[:, 1] > 0)) == pytest.approx(0.7 * 0.09, abs=0.02)


def test_short_files_are_drawn_evenly_and_long_ones_by_length() -> None:
    def share(lengths: list[int]) -> float:
        batches = StreamBatches(corpus_of(lengths), span=1024, streams=400, label_drop=(0.0, 0.0))
        return float(np.mean(batches.batch(0).labels[:, 0, 0] == 1))

    assert share([100, 500]) == pytest.approx(0.5, abs=0.1)
    assert share([3000, 9000]) == pytest.approx(0.25, abs=0.08)


def test_crops_of_a_long_file_start_anywhere() -> None:
    length = 40 * SPAN
    batches = StreamBatches(ramp(length), streams=200)
    batch = batches.batch(0)
    crops = batch.first > 0
    assert 0.65 < crops.mean() < 0.85
    assert (batch.first[crops] == 2000).all()
    assert (batch.windows[crops] >= 2000).all() and (batch.windows + 256 <= SPAN).all()
    sound = mulaw.decode(batch.codes).astype(int)
    starts = (sound[crops, 0] - 100) * 16
    assert starts.min() < 0.1 * length and starts.max() > 0.9 * length
    for row in sound[~crops]:  # a gap, then the file's first samples
        assert np.abs(row[:160]).max() < 90 and row[-1] < 100 + SPAN // 16 + 30


def test_without_labels() -> None:
    corpus = corpus_of([3000])
    bare = Corpus(Path(), RATE, corpus.audio, (Entry("a", 0, 3000, (), "train"),), (), (), "")
    assert StreamBatches(bare).batch(0).labels.shape == (32, SPAN // 16, 0)


def test_the_random_gain_stays_in_its_bounds() -> None:
    batches = StreamBatches(corpus_of([3000]), gain_db=6.0)
    loud = np.abs(mulaw.decode(batches.batch(0).codes).astype(int)).max(axis=1)
    assert 900 < loud.min() < 1600 and 2500 < loud.max() < 4200


def test_files_shorter_than_a_window_and_spans_of_one_window() -> None:
    batch = StreamBatches(corpus_of([400, 500]), span=256).batch(0)
    assert (batch.windows == 0).all() and batch.codes.shape == (32, 256)


def test_what_is_refused() -> None:
    with pytest.raises(CorpusError, match="no files for test"):
        StreamBatches(corpus_of([3000]), "test")
    for span, window in ((8190, 256), (8192, 250), (128, 256)):
        with pytest.raises(ValueError):
            StreamBatches(corpus_of([3000]), span=span, window=window)


def test_validation_rows() -> None:
    corpus = corpus_of([3000, 2500, 1800, 900], "validation")
    rows = validation_rows(corpus)
    assert [len(codes) for codes, _ in rows] == [3000, 2500, 1800, 900] and rows[1][1] == (2, 2)
    assert (rows[2][0] == mulaw.encode(np.array([4000], np.int16))[0]).all() and rows[0][0].dtype == np.uint8
    assert validation_rows(corpus, "test") == []
    assert len(validation_rows(corpus, max_samples=8200)) == 4


def test_validation_rows_are_spread_and_cut() -> None:
    many = corpus_of([100] * 30, "validation")
    rows = validation_rows(many, max_samples=1000)
    assert len(rows) == 10
    levels = [int(mulaw.decode(codes)[0]) for codes, _ in rows]
    assert levels[0] == level_of(1) and levels[-1] >= level_of(27) and levels == sorted(levels)
    long = corpus_of([100_000] * 3, "validation")
    assert [len(codes) for codes, _ in validation_rows(long, max_samples=150_000)] == [50_000] * 3
    assert [len(codes) for codes, _ in validation_rows(long, max_samples=40_000)] == [32_000]
    assert [len(codes) for codes, _ in validation_rows(long, max_samples=1000)] == [1000]


def test_noise_is_in_what_is_heard_of_some_streams_only(tmp_path: Path) -> None:
    corpus = corpus_of([3000])
    clean = StreamBatches(corpus, span=1024, streams=40).batch(3)
    noisy = StreamBatches(corpus, span=1024, streams=40, noise=6.0).batch(3)
    assert np.array_equal(clean.codes, noisy.codes) and np.array_equal(clean.input_codes, clean.codes)
    other = (noisy.input_codes != noisy.codes).any(1)
    assert 8 <= other.sum() <= 32
    assert np.abs(noisy.input_codes.astype(int) - noisy.codes).max() <= 6 * 6
