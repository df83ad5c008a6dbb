"""Measures of a voice's checkpoint by the integer engine, for the model card and the checkpoint itself."""

from __future__ import annotations

import os

import numpy as np

from synth.audio.mulaw import decode
from synth.common.labels import LabelIds
from synth.common.typing import Int64, Tensors, UInt8
from synth.data.corpus import Corpus
from synth.engine.config import ModelConfig
from synth.generation import checkpoint
from synth.generation.follow_sound import follow_sound
from synth.generation.voice import Voice
from synth.training.batches import Row
from synth.training.sound_bounds import bounds_of, step_labels
from synth.vocoder import label_means
from synth.vocoder.vocoder import Vocoder

MAX_FILES_OF_MEANS = 3000  # files that the means of labels are of


def means_of_labels(voice: str | os.PathLike[str], corpus: Corpus) -> Tensors:
    """Where the labels of the training files lie among the latents of a voice: tensors of its checkpoint."""
    model = Voice(checkpoint.load(voice))
    assert model.runtime is not None
    entries = [entry for entry in corpus.split("train") if entry.length]
    every = -(-len(entries) // MAX_FILES_OF_MEANS)
    encode = model.runtime.vocoder.encode_sound
    latents = [(entry.label_ids, encode(np.array(corpus.samples(entry)))) for entry in entries[::every]]
    return label_means.measure(model.checkpoint.config.labels, latents)


def bits_per_sample(voice: str | os.PathLike[str], splits: dict[str, list[Row]]) -> dict[str, float]:
    """Bits a sample of the files of each split along their own latents."""
    model, figures = Voice(checkpoint.load(voice)), {}
    assert model.runtime is not None
    for split, rows in splits.items():
        total = count = 0
        for codes, _ in rows:
            stream, own = follow_sound(model, decode(codes))
            total += stream.teacher_force(own)
            count += len(codes)
        figures[split] = total / 65536 / count
    return figures


def bits_per_token(voice: str | os.PathLike[str], splits: dict[str, list[Row]]) -> dict[str, float]:
    """Bits a token of the files of each split with their labels, by the voice's planner."""
    model, figures = Voice(checkpoint.load(voice)), {}
    assert model.runtime is not None and model.runtime.planner is not None
    planner = model.runtime.planner
    for split, rows in splits.items():
        total = count = 0
        for codes, label_ids in rows:
            state = planner.state()
            tokens = tokens_of(model.runtime.vocoder, codes, model.runtime.planner_tokens)
            labels = planner_labels(planner.config, codes, label_ids, model.runtime.vocoder.hop)
            for step, own in enumerate(labels):
                state.labels = tuple(int(label) for label in own)
                part = tokens[step * planner.config.hop : (step + 1) * planner.config.hop]
                total += int(planner.teacher_force(state, part).astype(np.uint64).sum())
            count += len(tokens)
        figures[split] = total / 65536 / count
    return figures


def planner_labels(config: ModelConfig, codes: UInt8, label_ids: LabelIds, hop: int) -> Int64:
    """Label ids int64 (steps, keys) of a planner of `config` along codes (samples,); `hop`: samples a token frame.

    They say when the sound begins and ends, where the planner is told.
    """
    every = config.hop // config.period
    steps = -(-len(codes) // (hop * every))
    if len(config.labels) == len(label_ids):
        return np.broadcast_to(np.array(label_ids, np.int64), (steps, len(label_ids))).copy()
    begin, length = bounds_of(decode(codes), hop)
    return step_labels(label_ids, begin, length, every, steps)


def tokens_of(vocoder: Vocoder, codes: UInt8, period: int) -> UInt8:
    """Tokens (frames x period,) of mu-law codes (samples,), the first `period` of each token frame."""
    return vocoder.tokens(vocoder.encode_sound(decode(codes)), period).reshape(-1)
