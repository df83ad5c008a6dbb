"""What the sounds of a corpus are like together (`audio.nearness`): of a run's cache, or of files."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from synth.audio.nearness import STRETCH_SECONDS, SoundFigures, SoundMeter
from synth.audio.reader import BLOCK, AudioReader
from synth.common.errors import AudioError, CorpusError
from synth.data.audio_files import AudioFile
from synth.data.corpus import Corpus

CARD_KEY = "corpus_sound"
"""Of a checkpoint's card, under which the figures of its corpus are."""
MOST_SECONDS = 100
"""Of a corpus that are measured, in stretches from all of it: a second or two of work."""


def figures_of_corpus(corpus: Corpus) -> SoundFigures:
    """The figures of the training files in a cache."""
    entries = [entry for entry in corpus.split("train") if entry.length]
    share = _share([entry.length / corpus.rate for entry in entries])
    meter = SoundMeter(corpus.rate, share=share)
    for entry in entries:
        for start in range(0, entry.length, BLOCK):
            meter.add(np.array(corpus.samples(entry, start, start + BLOCK)))
        meter.end()
    return meter.figures()


def _share(seconds: Sequence[float]) -> float:
    """Of the stretches of sounds that last so long: as many as are to be measured."""
    return MOST_SECONDS / max(MOST_SECONDS, sum(-(-each // STRETCH_SECONDS) for each in seconds))


@dataclass
class FileFigures:
    """Figures of sound files, `seconds` long in all, and path and reason of those that could not be used."""

    figures: SoundFigures
    files: int
    seconds: float
    skipped: list[tuple[str, str]] = field(default_factory=list)


def figures_of_files(files: Sequence[AudioFile], rate: int, most_bandwidth: float) -> FileFigures:
    """The figures of files, mixed to mono and resampled to `rate` Hz, as in training.

    They are of the frequencies that at least one of the files can hold, up to `most_bandwidth` Hz. AudioError for a
    file that is the only one and can't be used; CorpusError where none of several can.
    """
    lengths, bandwidth, skipped = dict[str, float](), 0.0, list[tuple[str, str]]()
    for file in files:
        try:
            with AudioReader(file.path) as reader:
                lengths[os.fspath(file.path)] = (reader.frames or 0) / reader.rate
                bandwidth = max(bandwidth, reader.rate / 2)
        except AudioError as error:
            _skip(files, file, error, skipped)
    meter = SoundMeter(rate, min(bandwidth, most_bandwidth), _share(list(lengths.values())))
    used, seconds = 0, 0.0
    for file in files:
        if os.fspath(file.path) not in lengths:
            continue
        own = meter.beside()
        try:
            seconds += _hear(file, own)
        except AudioError as error:
            _skip(files, file, error, skipped)
            continue
        meter.include(own)
        used += 1
    if not used:
        raise CorpusError(f"none of {len(files)} files can be used; the first: {skipped[0][0]}: {skipped[0][1]}")
    return FileFigures(meter.figures(), used, seconds, skipped)


def _hear(file: AudioFile, meter: SoundMeter) -> float:
    """Measures a whole file; its seconds. What is measured of a file that turns out to be damaged is not to count."""
    count = 0
    with AudioReader(file.path, meter.config.sample_rate) as reader:
        for block in reader.blocks():
            meter.add(block)
            count += len(block)
    meter.end()
    return count / meter.config.sample_rate


def _skip(files: Sequence[AudioFile], file: AudioFile, error: AudioError, skipped: list[tuple[str, str]]) -> None:
    """Notes that a file can't be used; raises the error where there is no other."""
    if len(files) == 1:
        raise error
    skipped.append((os.fspath(file.path), str(error).removeprefix(f"{file.path}: ")))
