"""Batches for classifiers, each sound changed at random: a pure function of seed and step, as the generator's are.

Speed (Ko et al., 2015), vocal tract length perturbation by a stretched mel scale (Jaitly and Hinton, 2013), tempo, time
shift, noise, gain, SpecAugment.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import soxr

from synth.audio.features import normalized_features, to_float32
from synth.common.typing import AnyArray, Float32, Int16, Int64
from synth.recognition.config import ClassifierConfig
from synth.training.config import ClassifierTrainConfig

PERTURBED = 0.5  # of the sounds, when a target depends on the speaker
VTLP = 0.7  # the mel scale's stretch, as a share of the speed's in logarithms
TEMPO = 1.3
EDGE_SECONDS = 0.3  # the longest stretch that is added to an end
CUT_SECONDS = 0.03  # the longest that is cut from one
NOISE_DB = (10.0, 40.0)  # from loud to faint, sound over noise
GAIN_DB = 12.0


@dataclass(frozen=True)
class Clips:
    """Sounds as a classifier gets them.

    `features` float32 (sounds, frames, bands), normalized and zero after the end; `lengths` int64 (sounds,) in frames;
    `feature_stats` float32 (sounds, 2 x bands): the means and deviations that normalization removed; `answers`: for
    each target int64 (sounds,), -1 unknown, or for tags float32 (sounds, values), -1 unknown.
    """

    features: Float32
    lengths: Int64
    feature_stats: Float32
    answers: tuple[AnyArray, ...]


Sound = tuple[Int16, tuple[AnyArray, ...]]
"""Samples at the config's rate, and the answer to each target: int64 () or float32 (values,)."""


def collate(sounds: Sequence[tuple[Float32, Float32]], answers: Sequence[tuple[AnyArray, ...]]) -> Clips:
    """One batch of the features and feature statistics of sounds, with their answers."""
    lengths = np.array([len(features) for features, _ in sounds], np.int64)
    padded = np.zeros((len(sounds), int(lengths.max()), sounds[0][0].shape[1]), np.float32)
    for row, (features, _) in zip(padded, sounds, strict=True):
        row[: len(features)] = features
    columns = tuple(np.stack(column) for column in zip(*answers, strict=True))
    return Clips(padded, lengths, np.stack([stats for _, stats in sounds]), columns)


class ClassifierBatches:
    """Batches of `sounds`, drawn evenly, each changed at random."""

    def __init__(self, sounds: Sequence[Sound], config: ClassifierConfig, train: ClassifierTrainConfig) -> None:
        self.sounds, self.config, self.train = sounds, config, train
        self._speaker_dependent = [target.speaker_dependent for target in config.targets]
        self._unknown = [np.full_like(answer, -1) for answer in sounds[0][1]]

    def batch(self, step: int, rank: int = 0, world: int = 1) -> Clips:
        """The batch of `step`; rank r of a world gets the rows r, r + world, ... of the very same batch."""
        sounds, answers = [], []
        for row in range(rank, self.train.batch, world):
            draw = np.random.Generator(np.random.Philox(key=[self.train.seed, step], counter=[0, 0, 2, row]))
            samples, answer = self.sounds[int(draw.integers(len(self.sounds)))]
            perturbed = draw.random() < (PERTURBED if any(self._speaker_dependent) else 1.0)
            sounds.append(self._augmented(draw, to_float32(self._excerpt(draw, samples)), perturbed))
            known = zip(answer, self._unknown, self._speaker_dependent, strict=True)
            answers.append(tuple(none if perturbed and speaker else value for value, none, speaker in known))
        return collate(sounds, answers)

    def _excerpt(self, draw: np.random.Generator, samples: Int16) -> Int16:
        longest = round(self.train.longest * self.config.sample_rate)
        start = int(draw.integers(0, max(0, len(samples) - longest), endpoint=True))
        return samples[start : start + longest]

    def _augmented(self, draw: np.random.Generator, wave: Float32, perturbed: bool) -> tuple[Float32, Float32]:
        """Features and feature statistics of a wave after all changes; `perturbed`: at another speed and pitch too."""
        limit, rate = np.log(self.train.warp), self.config.sample_rate
        vtlp = 1.0
        if perturbed:
            speed = float(np.exp(draw.uniform(-limit, limit)))
            wave = soxr.resample(wave, 1000.0, round(1000.0 / speed), quality="QQ")
            vtlp = round(float(np.exp(draw.uniform(-VTLP * limit, VTLP * limit))), 2)
        wave = self._shifted(draw, wave, rate)
        wave = wave * np.float32(10.0 ** (draw.uniform(-GAIN_DB, GAIN_DB) / 20))
        wave = self._noisy(draw, wave)
        tempo = float(np.exp(draw.uniform(-np.log(TEMPO), np.log(TEMPO)))) if self.train.warp > 1 else 1.0
        features, stats = normalized_features(wave, self.config, self.config.hop * tempo, vtlp)
        return self._masked(draw, features[: round(self.train.longest * rate / self.config.hop)]), stats

    def _shifted(self, draw: np.random.Generator, wave: Float32, rate: int) -> Float32:
        """A little cut from or added to both ends, each in half of the cases."""
        cuts = [int(draw.integers(0, round(CUT_SECONDS * rate), endpoint=True)) * (draw.random() < 0.5) for _ in "ab"]
        if len(wave) > 4 * sum(cuts):
            wave = wave[cuts[0] : len(wave) - cuts[1]]
        pads = [int(draw.integers(0, round(EDGE_SECONDS * rate), endpoint=True)) * (draw.random() < 0.5) for _ in "ab"]
        floor = np.float32(10.0 ** draw.uniform(-1.0, 1.2) / 32768)
        padded: Float32 = np.pad(wave, (pads[0], pads[1]))
        return padded + floor * draw.standard_normal(len(padded), np.float32)

    def _noisy(self, draw: np.random.Generator, wave: Float32) -> Float32:
        """With white, or white to brown, noise."""
        if draw.random() >= self.train.noise:
            return wave
        noise = draw.standard_normal(len(wave), np.float32)
        if draw.random() < 0.5:
            spectrum = np.fft.rfft(noise, 1 << (len(wave) - 1).bit_length())
            shape = np.sqrt(1 + np.arange(len(spectrum))) ** draw.uniform(0, 2)
            noise = np.fft.irfft(spectrum / shape)[: len(wave)].astype(np.float32)
        level = np.sqrt(np.mean(wave**2) / max(1e-12, float(np.mean(noise**2)))) * 10 ** (-draw.uniform(*NOISE_DB) / 20)
        return (wave + noise * level).astype(np.float32)

    def _masked(self, draw: np.random.Generator, features: Float32) -> Float32:
        """SpecAugment: twice a stretch of bands and of frames (a fifth of the sound at most) is hidden."""
        widest = self.train.mask
        if self.config.features == "logmel":  # of cepstra each says something about all bands
            for width in draw.integers(0, widest, 2, endpoint=True):
                start = int(draw.integers(0, max(0, features.shape[1] - int(width)), endpoint=True))
                features[:, start : start + int(width)] = 0
        for width in draw.integers(0, min(widest, len(features) // 5), 2, endpoint=True):
            start = int(draw.integers(0, len(features) - int(width), endpoint=True))
            features[start : start + int(width)] = 0
        return features
