"""A few seconds to listen to of a voice that trains: a copy of a validation recording, and sound that is generated."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from synth.audio.writer import AudioWriter
from synth.common.typing import MonoSamples
from synth.data.corpus import Corpus, Entry
from synth.engine.config import SamplingConfig
from synth.generation.loading import load_voice
from synth.generation.voice import Voice

SECONDS = 10.0
COPY, GENERATED = "audition-copy.wav", "audition.wav"
MOST_LABELLED = 5
"""Sets of labels that the generated sound goes through."""
SEED = 1


def write_copy(checkpoint: Path, corpus: Corpus, folder: Path) -> Path | None:
    """Writes what the voice makes of validation recordings, 10 s of them at most; None where there are none."""
    voice = load_voice(str(checkpoint), taker="an audition")
    entries = corpus.split("validation") or corpus.split("train")
    parts: list[MonoSamples] = []
    left = round(SECONDS * corpus.rate)
    for entry in sorted(entries, key=lambda entry: -entry.length):
        if left < voice.runtime.vocoder.hop:
            break
        parts.append(_copied(voice, corpus, entry, left))
        left -= len(parts[-1])
    if not parts:
        return None
    _write(folder / COPY, np.concatenate(parts), corpus.rate)
    return folder / COPY


def _copied(voice: Voice, corpus: Corpus, entry: Entry, most: int) -> MonoSamples:
    sound = np.array(corpus.samples(entry, 0, most))
    vocoder = voice.runtime.vocoder
    labels = corpus.labels.names(entry.label_ids)
    latents = vocoder.quantize_latents(vocoder.encode_sound(sound))
    stream = voice.follow(iter([latents]), SamplingConfig(), seed=SEED, labels=labels)
    return _integers(stream.read(len(sound)))


def write_generated(checkpoint: Path, corpus: Corpus, folder: Path, seconds: float = SECONDS) -> Path:
    """Writes so much sound that the voice generates; with labels as several of the corpus's files have them."""
    voice = load_voice(str(checkpoint), taker="an audition")
    sets = list(dict.fromkeys(entry.label_ids for entry in corpus.split("train")))
    chosen = [sets[(2 * k + 1) * len(sets) // (2 * MOST_LABELLED)] for k in range(MOST_LABELLED)] if sets else []
    labels = {
        key: [values[ids[place] - 1] for ids in chosen]
        for place, (key, values) in enumerate(corpus.labels.items())
        if all(ids[place] for ids in chosen)
    }
    _write(folder / GENERATED, _integers(voice.generate(seconds, seed=SEED, labels=labels)), corpus.rate)
    return folder / GENERATED


def _integers(wave: np.ndarray[tuple[int], np.dtype[np.float32]]) -> MonoSamples:
    return np.clip(np.rint(wave * 32768), -32768, 32767).astype(np.int16)


def _write(path: Path, samples: MonoSamples, rate: int) -> None:
    with AudioWriter(path, rate, force=True) as out:
        out.write(samples)
