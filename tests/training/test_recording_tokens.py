"""Tokens of unlabelled recordings for the planner of a voice with a bed: the codec's, made once, in exact batches."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from helpers import tonal_voices

pytest.importorskip("torch")

from synth.common.errors import CorpusError
from synth.common.labels import LabelSet
from synth.data.corpus import Corpus, Entry
from synth.training import recording_tokens
from synth.training.locked_corpus import open_locked
from synth.training.recording_tokens import RecordingTokens, open_recording_tokens
from synth.training.token_corpus import TokenCorpus
from synth.vocoder.vocoder import Vocoder

HOP, PERIOD = tonal_voices.RATE // 50, 2


def corpus(folder: Path) -> Corpus:
    """Three vowels, the last for validation."""
    sounds = [tonal_voices.vowel(count, pitch) for count, pitch in ((4000, 120.0), (9000, 180.0), (3200, 240.0))]
    starts = np.cumsum([0, *map(len, sounds)])
    splits = ("train", "train", "validation")
    entries = tuple(Entry(f"{n}.wav", int(starts[n]), len(sound), (), splits[n]) for n, sound in enumerate(sounds))
    return Corpus(folder, tonal_voices.RATE, np.concatenate(sounds), entries, LabelSet(), (), "")


@pytest.fixture(scope="module")
def vocoder() -> Vocoder:
    curves = {"table.tanh": tonal_voices.network()["table.tanh"]}
    return Vocoder(tonal_voices.VOCODER, tonal_voices.NETWORK, tonal_voices.vocoder_tensors(1) | curves)


def opened(folder: Path, vocoder: Vocoder, search: bool = False) -> TokenCorpus:
    return open_recording_tokens(corpus(folder), vocoder, PERIOD, 60.0, search)


@pytest.mark.parametrize("search", [False, True])
def test_tokens_are_those_of_the_recordings_and_of_louder_ones(tmp_path: Path, vocoder: Vocoder, search: bool) -> None:
    tokens = opened(tmp_path, vocoder, search)
    locked = open_locked(corpus(tmp_path), vocoder.config)
    assert [file.split for file in tokens.files] == ["train"] * 4 + ["validation"]
    tokens_of = vocoder.beam_search_tokens if search else vocoder.tokens
    for file, source in zip((tokens.files[0], tokens.files[2], tokens.files[4]), locked.files, strict=True):
        rows = np.array(locked.features[source.start // locked.hop : (source.start + source.length) // locked.hop])
        own = tokens.tokens[file.start : file.start + file.frames]
        np.testing.assert_array_equal(own, tokens_of(vocoder.encode(rows), PERIOD))
    first, louder = tokens.files[2:4]
    assert first.frames == louder.frames
    pair = [tokens.tokens[file.start : file.start + file.frames] for file in (first, louder)]
    np.testing.assert_array_equal(pair[0][:, 0], pair[1][:, 0])  # the pitch is the same
    assert (pair[0] != pair[1]).any()


def test_the_cache_is_made_once_and_for_one_planner(
    tmp_path: Path, vocoder: Vocoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = opened(tmp_path, vocoder)
    monkeypatch.setattr(recording_tokens, "_make", None)  # would be called
    np.testing.assert_array_equal(opened(tmp_path, vocoder).tokens, whole.tokens)
    with pytest.raises(CorpusError, match="cache of another planner; delete it"):
        open_recording_tokens(corpus(tmp_path), vocoder, PERIOD + 1, 6.0, False)


def test_batches_are_pieces_of_recordings(tmp_path: Path, vocoder: Vocoder) -> None:
    tokens = opened(tmp_path, vocoder)
    frames = 16
    batches = [RecordingTokens(tokens, PERIOD, 6, frames, seed=3) for _ in range(2)]
    one, labels = batches[0].batch(4)
    np.testing.assert_array_equal(one, batches[1].batch(4)[0])
    assert one.shape == (6, frames * PERIOD) and labels.shape == (6, frames * PERIOD // 16, 0)
    assert (one != batches[0].batch(5)[0]).any()
    halves = [batches[0].batch(4, rank, 2)[0] for rank in range(2)]
    np.testing.assert_array_equal(np.stack(halves, 1).reshape(one.shape), one)
    trained = {bytes(row) for file in tokens.split("train") for row in tokens.tokens[file.start :][: file.frames]}
    assert {bytes(row) for row in one.reshape(-1, PERIOD)} <= trained


def test_a_corpus_without_files_to_train_on_is_refused(tmp_path: Path, vocoder: Vocoder) -> None:
    tokens = opened(tmp_path, vocoder)
    with pytest.raises(CorpusError, match="no files for train"):
        RecordingTokens(TokenCorpus(tokens.files[4:], tokens.tokens), PERIOD, 2, 16, 0)
