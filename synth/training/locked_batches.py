"""Batches of what a voice with a bed learns: a pure function of seed and step, so that a run goes on exactly."""

from __future__ import annotations

import numpy as np

from synth.audio import mulaw
from synth.common.errors import CorpusError
from synth.common.typing import Float32, Int64, MonoSamples, UInt8
from synth.training.batches import DROP_ALL, DROP_ONE, StreamBatch, StreamBatches
from synth.training.locked_corpus import LockedCorpus
from synth.vocoder.config import VocoderConfig
from synth.vocoder.note_analysis import FLOOR
from synth.vocoder.tonal import QUIET

FAINT = 1e-6
"""What is added to mel powers before their logarithm."""


def louder(features: Float32, gain: float, config: VocoderConfig) -> Float32:
    """Features of the same sound times `gain`."""
    rows, mels = features.copy(), config.mels
    power = np.maximum(np.exp(rows[:, :mels]) - np.float32(FAINT), 0) * np.float32(gain * gain)
    rows[:, :mels] = np.log(power + np.float32(FAINT))
    levels = rows[:, mels : mels + config.tones + config.notes]
    least = FLOOR if config.notes else QUIET
    levels[:] = np.where(levels > least, levels + np.float32(2 * np.log(gain)), levels)
    return rows


class LockedBatches(StreamBatches):
    """Streams of locked files one after the other; what else is drawn is as in `StreamBatches`."""

    def __init__(
        self,
        corpus: LockedCorpus,
        config: VocoderConfig,
        keys: int,
        rate: int,
        *,
        streams: int,
        span: int,
        windows: int,
        window: int,
        hop: int,
        seed: int,
        gain_db: float,
        noise: float,
    ) -> None:
        self.locked, self.config, self.keys = corpus, config, keys
        self.files = corpus.split("train")
        if not self.files:
            raise CorpusError("the corpus has no files for train")
        self.gain_db, self.noise, self.label_drop = gain_db, noise, (DROP_ALL, DROP_ONE)
        self._set_sizes(streams, span, windows, window, hop, seed)
        self._weigh([file.length for file in self.files], rate)

    def batch(self, step: int, rank: int = 0, world: int = 1) -> StreamBatch:
        """The batch of `step`; rank r of a world gets the rows r, r + world, ... of the very same batch."""
        rows = range(rank, self.streams, world)
        sound, phases = np.zeros((len(rows), self.span), np.int16), np.zeros((len(rows), self.span), np.uint8)
        features = np.zeros((len(rows), self.span // self.locked.hop, self.config.inputs), np.float32)
        labels = np.zeros((len(rows), self.span // self.hop, self.keys), np.int64)
        windows, first = np.empty((len(rows), self.windows), np.int64), np.zeros(len(rows), np.int64)
        for place, row in enumerate(rows):
            draw = np.random.Generator(np.random.Philox(key=[self.seed, step], counter=[0, 0, 0, row]))
            first[place] = self._fill(draw, sound[place], phases[place], features[place], labels[place])
            windows[place] = self._windows(draw, int(first[place]))
        codes = mulaw.encode(sound)
        input_codes = np.stack([self._with_noise(codes[place], step, row) for place, row in enumerate(rows)])
        return StreamBatch(codes, input_codes, labels, windows, first, features, phases if self.config.tones else None)

    def _fill(
        self, draw: np.random.Generator, sound: MonoSamples, phases: UInt8, features: Float32, labels: Int64
    ) -> int:
        """Fills one row; returns the first sample that has a loss."""
        at = first = 0
        token = 2 * self.locked.hop
        while at < self.span:
            file = self.files[self._file(draw)]
            labels[-(-at // self.hop) :] = self._label_ids(draw, file)
            start = 0
            if self._starts_anywhere(draw, at, file.length):
                start = int(draw.integers(0, (file.length - self.span // 2) // token, endpoint=True)) * token
                first = self._settle
            gain = self._gain(draw)
            count = min(self.span - at, file.length - start)
            low = file.start + start
            piece = self.locked.residual[low : low + count] * gain
            sound[at : at + count] = np.clip(np.rint(piece), -32768, 32767)
            phases[at : at + count] = self.locked.phases[low : low + count]
            hop = self.locked.hop
            rows = np.array(self.locked.features[low // hop : (low + count) // hop])
            features[at // hop : (at + count) // hop] = louder(rows, gain, self.config)
            at += count
        return first
