"""Where sounds begin and end, and the batches that a planner learns it from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from helpers import voices
from numpy.typing import NDArray

pytest.importorskip("torch")

from synth.common.errors import CorpusError
from synth.common.labels import LabelSet
from synth.data.corpus import Corpus, Entry
from synth.training import token_batches, token_corpus
from synth.training.sound_bounds import bounds_of, step_labels
from synth.training.token_batches import TimedTokens
from synth.training.token_corpus import lengths_of, open_tokens
from synth.vocoder import timing

HOP, PERIOD, EVERY = voices.HOP, 4, 4
LABELS = LabelSet((("digit", ("0", "1", "2")),))


def burst(before: int, length: int, after: int, seed: int = 0) -> NDArray[np.int16]:
    """Noise of `length` token frames in silence."""
    noise = np.random.default_rng(seed).normal(0, 4000, length * HOP)
    return np.concatenate([np.zeros(before * HOP), noise, np.zeros(after * HOP)]).astype(np.int16)


@pytest.mark.parametrize(("before", "length", "after"), [(0, 10, 0), (5, 10, 7), (3, 2, 3), (0, 1, 0)])
def test_a_burst_is_found(before: int, length: int, after: int) -> None:
    begin, count = bounds_of(burst(before, length, after), HOP)
    assert abs(begin - before) <= 1 and abs(begin + count - before - length) <= 1


def test_what_is_faint_belongs_to_a_sound_if_it_is_next_to_it() -> None:
    sound = burst(10, 10, 10).astype(np.float64)
    sound[7 * HOP : 10 * HOP] = burst(0, 3, 0, 1) / 15.0
    assert bounds_of(sound.astype(np.int16), HOP)[0] in (6, 7)
    sound[: 10 * HOP] = burst(0, 10, 0, 1) / 15.0  # not for longer than a fricative is
    assert bounds_of(sound.astype(np.int16), HOP)[0] in (3, 4)
    assert bounds_of(np.zeros(5 * HOP, np.int16), HOP) == (0, 5)
    assert bounds_of(np.ones(1, np.int16), HOP) == (0, 1)


def corpus(folder: Path, count: int = 6) -> Corpus:
    """Bursts of 4 to 9 token frames, the last file for validation."""
    sounds = [burst(2, 4 + n, 1, n) for n in range(count)]
    starts = np.cumsum([0, *map(len, sounds)])
    entries = tuple(
        Entry(f"{n}.wav", int(starts[n]), len(sounds[n]), (1 + n % 3,), "train" if n < count - 1 else "validation")
        for n in range(count)
    )
    return Corpus(folder, voices.RATE, np.concatenate(sounds), entries, LABELS, (), "")


def opened(folder: Path, speed: float = 1.0) -> token_corpus.TokenCorpus:
    return open_tokens(corpus(folder), voices.vocoder(), PERIOD, speed, 2.0)


def test_tokens_are_kept_with_the_places_of_the_sounds(tmp_path: Path) -> None:
    tokens = opened(tmp_path)
    assert len(tokens.split("train")) == 5 * 2 * token_corpus.COPIES and len(tokens.split("validation")) == 1
    assert tokens.tokens.shape == (sum(file.frames for file in tokens.files), PERIOD)
    lengths = {file.label_ids: set[int]() for file in tokens.files}
    for file in tokens.files:
        assert file.begin >= 1 and file.begin + file.length < file.frames
        lengths[file.label_ids].add(file.length)
    assert min(lengths[1,]) in (4, 5, 6) and max(lengths[2,]) in (8, 9, 10)
    again = opened(tmp_path)  # from the cache
    assert again.files == tokens.files and (np.asarray(again.tokens) == tokens.tokens).all()
    with pytest.raises(CorpusError, match="another planner"):
        open_tokens(corpus(tmp_path), voices.vocoder(), 2, 1.0, 2.0)


def test_other_speeds_last_for_other_times(tmp_path: Path) -> None:
    assert len({file.frames - file.begin for file in opened(tmp_path, 1.5).files}) > 6


def test_batches_say_when_sounds_begin_and_end(tmp_path: Path) -> None:
    tokens = opened(tmp_path)
    batches = TimedTokens(tokens, PERIOD, streams=20, frames=64, seed=1)
    codes, labels = batches.batch(3)
    assert codes.shape == (20, 64 * PERIOD) and labels.shape == (20, 16, 3)
    first = [bytes(tokens.tokens[file.start + file.begin]) for file in tokens.files]
    begun = dropped = 0
    for row, ids in zip(codes.reshape(20, 64, PERIOD), labels, strict=True):
        for step, own in enumerate(ids):
            if own[1] == 2:  # nothing has elapsed: the sound begins with the step
                files = [file for file, own in zip(tokens.files, first, strict=True) if own == bytes(row[step * EVERY])]
                lengths = {timing.ids_at(0, EVERY, 0, file.length)[1] for file in files}
                assert own[2] in lengths and own[0] in {0, *(file.label_ids[0] for file in files)}
                begun += 1
            dropped += own[1] == 0
    assert begun > 20 and dropped
    assert ((labels[:, :, 1] == 1) == (labels[:, :, 2] == 1)).all()
    again, _ = batches.batch(3)
    np.testing.assert_array_equal(codes, again)
    halves = [batches.batch(3, rank, 2)[0] for rank in (0, 1)]
    np.testing.assert_array_equal(codes, np.stack(halves, 1).reshape(codes.shape))
    assert (batches.batch(4)[0] != codes).any()


def test_some_sounds_break_off_and_some_silence_is_long(tmp_path: Path) -> None:
    batches = TimedTokens(opened(tmp_path), PERIOD, streams=60, frames=64, seed=1)
    _, labels = batches.batch(0)
    elapsed = labels[:, :, 1]
    follows = (elapsed[:, 1:] == 2) & (elapsed[:, :-1] > 1)
    assert follows.any()
    runs = [len(part) for row in elapsed for part in "".join("_" if one == 1 else "x" for one in row).split("x")]
    assert max(runs) * EVERY > token_corpus.BEFORE[1] + token_corpus.AFTER[1] + 8
    assert token_batches.CUT < 0.5


def test_a_corpus_without_training_files_is_refused(tmp_path: Path) -> None:
    tokens = token_corpus.TokenCorpus((), np.zeros((0, PERIOD), np.uint8))
    with pytest.raises(CorpusError, match="no files for train"):
        TimedTokens(tokens, PERIOD, 2, 64, 0)


def test_lengths_of_the_training_files_go_into_the_checkpoint(tmp_path: Path) -> None:
    rows = lengths_of(corpus(tmp_path), HOP)[timing.ROWS]
    assert rows.shape == (5, 3) and rows[:, 0].tolist() == [1, 1, 2, 2, 3]
    assert set(rows[:, 1].tolist()) <= set(range(4, 11)) and (rows[:, 2] <= 4).all()


def test_labels_of_a_recording_count_up_and_down() -> None:
    labels = step_labels((3,), 1, 9, 4, 4)
    assert labels[:, 0].tolist() == [3] * 4
    assert [tuple(row[1:]) for row in labels] == [timing.ids_at(step, 4, 1, 9) for step in (0, 4, 8, 12)]
    assert labels[3, 1:].tolist() == [1, 1]
