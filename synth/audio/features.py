"""Mel features in NumPy, as torchaudio's `MelSpectrogram` and `MFCC` define them.

Power spectra of periodic Hann windows in the middle of zero-padded frames, mirrored at the ends (`center=True`,
`pad_mode="reflect"`); triangular filters on the HTK mel scale without norm; log of the power plus 1e-6
(`MFCC(log_mels=True)`); an orthonormal DCT-II. Waves are of full scale 1. `features` gives the same bits on every
machine.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal, localcontext

import numpy as np

from synth.audio.exact_math import DIGITS, cosines, log
from synth.audio.fft import power
from synth.common.errors import require
from synth.common.limits import MAX_NETWORK_RATE, MIN_NETWORK_RATE
from synth.common.typing import Float32, Float64, Int64, MonoSamples

LOG_OFFSET = 1e-6
CHUNK_SAMPLES = 1 << 15
"""Samples of the frames that are transformed at once."""
DYNAMIC_RANGE = 10.0
"""Natural logarithms of powers that are further than this (43 dB) under the sound's loudest are raised to it: what is
lower is the recorder's hiss."""
ACTIVE_RANGE = 5.0
"""A frame is active when its mean over the bands is at most this (22 dB) below the loudest frame's."""
CONTEXT_FRAMES = 10
"""Frames that are kept before the first and after the last active one."""
DEVIATION_OFFSET = 0.05
"""Added to deviations, so that bands that never change are not blown up."""
KINDS = ("logmel", "mfcc")


@dataclass(frozen=True)
class FeatureConfig:
    """Which features, at which sample rate (Hz); UsageError for what is out of range.

    `features`: "logmel" (`mels` bands) or "mfcc" (`coefficients` of as many bands). Windows are of 25 ms, a feature
    frame comes every 10 ms.
    """

    sample_rate: int = 8000
    features: str = "logmel"
    mels: int = 40
    coefficients: int = 20

    def __post_init__(self) -> None:
        bounds = f"must be {MIN_NETWORK_RATE} to {MAX_NETWORK_RATE}"
        require(MIN_NETWORK_RATE <= self.sample_rate <= MAX_NETWORK_RATE, f"sample rate {self.sample_rate}: {bounds}")
        require(self.features in KINDS, f"features {self.features}: must be {' or '.join(KINDS)}")
        require(8 <= self.mels <= 128, f"mels {self.mels}: must be 8 to 128")
        require(8 <= self.coefficients <= self.mels, f"coefficients {self.coefficients}: must be 8 to {self.mels}")

    @property
    def window(self) -> int:
        """Samples of a window, 25 ms."""
        return round(0.025 * self.sample_rate)

    @property
    def hop(self) -> int:
        """Samples from one feature frame to the next, 10 ms."""
        return round(0.01 * self.sample_rate)

    @property
    def fft(self) -> int:
        """Length of the Fourier transform: the least power of two that holds a window."""
        return 1 << (self.window - 1).bit_length()

    @property
    def bands(self) -> int:
        """Features of a frame: bands or coefficients."""
        return self.mels if self.features == "logmel" else self.coefficients

    @property
    def min_samples(self) -> int:
        """Fewest samples that have features: a window, or what is mirrored at the ends."""
        return max(self.window, self.fft // 2 + 1)


@functools.lru_cache(maxsize=8)
def mel_edges(rate: int, mels: int) -> Float64:
    """Frequencies (mels + 2) that are evenly apart on the HTK scale, from 0 to rate / 2."""
    with localcontext(DIGITS):
        whole = (1 + Decimal(int(rate)) / 1400).ln()
        return np.array([float(700 * ((whole * k / (mels + 1)).exp() - 1)) for k in range(mels + 2)])


def mel_filters(rate: int, fft: int, mels: int, warp: float = 1.0) -> Float32:
    """Triangular filters (fft // 2 + 1, mels) from 0 to rate / 2 Hz, as `torchaudio.functional.melscale_fbanks`.

    `warp` stretches the frequencies below 4/5 of the range, from where a line leads to rate / 2: vocal tract length
    perturbation (Jaitly and Hinton, 2013).
    """
    top, edges = rate / 2, mel_edges(rate, mels)
    if warp != 1.0:
        knee = 0.8 * top * min(1.0, 1.0 / warp)
        upper = top - (top - edges) * (top - knee * warp) / (top - knee)
        edges = np.where(edges <= knee, edges * warp, upper)
    bins = np.arange(fft // 2 + 1) * float(rate // 2) / (fft // 2)
    widths = edges[1:] - edges[:-1]
    slopes = edges[None, :] - bins[:, None]
    rising, falling = -slopes[:, :-2] / widths[:-1], slopes[:, 2:] / widths[1:]
    return np.maximum(0.0, np.minimum(rising, falling)).astype(np.float32)


def dct(coefficients: int, mels: int) -> Float32:
    """The orthonormal DCT-II as a matrix (mels, coefficients), as `torchaudio.functional.create_dct`."""
    odd, orders = 2 * np.arange(mels) + 1, np.arange(coefficients)
    matrix = cosines(4 * mels)[odd[:, None] * orders[None, :] % (4 * mels)] * np.sqrt(2.0 / mels)
    matrix[:, 0] *= np.sqrt(0.5)
    return matrix.astype(np.float32)


@functools.lru_cache(maxsize=256)
def _filters(rate: int, fft: int, mels: int, warp: float) -> list[tuple[Int64, Int64, Float64]]:
    """The filters, one bin of each band after the other: bands that have one more, which it is, its weight (n, 1)."""
    weights = mel_filters(rate, fft, mels, warp).astype(np.float64)
    inside = weights > 0
    first, counts = inside.argmax(0), np.where(inside.any(0), len(weights) - inside[::-1].argmax(0), 0)
    counts = np.maximum(counts - first, 0)
    steps = []
    for k in range(int(counts.max())):
        bands = np.flatnonzero(counts > k)
        bins = first[bands] + k
        steps.append((bands, bins, weights[bins, bands][:, None]))
    return steps


@functools.lru_cache(maxsize=8)
def _dct(coefficients: int, mels: int) -> Float64:
    """`dct` as doubles."""
    return dct(coefficients, mels).astype(np.float64)


@functools.lru_cache(maxsize=8)
def _window(length: int) -> Float64:
    """A periodic Hann window (length, 1)."""
    return (0.5 - 0.5 * cosines(length))[:, None]


def _powers(wave: Float32, config: FeatureConfig, hop: float | None) -> Iterator[Float64]:
    """Power spectra (fft // 2 + 1, frames) of a wave, some frames at a time: as many as a processor's cache holds."""
    step, fft, window = config.hop if hop is None else hop, config.fft, config.window
    left = (fft - window) // 2
    padded = np.pad(np.asarray(wave, np.float32), fft // 2, mode="reflect")
    starts = np.rint(np.arange(int(len(wave) / step) + 1) * step).astype(np.int64)
    starts = starts[starts <= len(wave)]
    count = max(1, CHUNK_SAMPLES // fft)
    for at in range(0, len(starts), count):
        places = np.arange(left, left + window)[:, None] + starts[at : at + count]
        frames = np.zeros((fft, places.shape[1]))
        np.multiply(padded[places], _window(window), out=frames[left : left + window])
        yield power(frames)


def powers(wave: Float32, config: FeatureConfig, hop: float | None = None) -> Float64:
    """Power spectra (frames, fft // 2 + 1) of a wave (samples,) of full scale 1.

    The middles of the frames are at 0, hop, 2 hop, ... samples (default: the config's hop).
    """
    return np.concatenate(list(_powers(wave, config, hop)), 1).T


def _mels(spectra: Float64, filters: list[tuple[Int64, Int64, Float64]], mels: int) -> Float64:
    """Logarithms of mel powers (mels, frames)."""
    mel_powers = np.zeros((mels, spectra.shape[1]))
    for bands, bins, weights in filters:
        mel_powers[bands] += spectra[bins] * weights
    return log(mel_powers + LOG_OFFSET)


def _cepstra(logs: Float64, matrix: Float64) -> Float64:
    """Cepstral coefficients (frames, coefficients) of log-mels (frames, mels), added band by band."""
    cepstra = np.zeros((len(logs), matrix.shape[1]))
    for band, row in enumerate(matrix):
        cepstra += logs[:, band : band + 1] * row
    return cepstra


def features(
    wave: Float32, config: FeatureConfig, hop: float | None = None, warp: float = 1.0, span: float | None = None
) -> Float32:
    """Log-mels or MFCCs (frames, bands), float32, as torchaudio's `MelSpectrogram` and `MFCC(log_mels=True)`.

    `wave`: (samples,) float32 of full scale 1 at the config's rate, with `config.min_samples` samples or more. `hop`
    (samples, may be a fraction) and `warp` (of the mel scale) are for augmentation. `span`: natural logarithms are at
    least the sound's greatest less this, as with `AmplitudeToDB(top_db=...)`.
    """
    filters = _filters(config.sample_rate, config.fft, config.mels, warp)
    pieces = [_mels(spectra, filters, config.mels).T.astype(np.float32) for spectra in _powers(wave, config, hop)]
    logs = np.concatenate(pieces)
    if span is not None:
        logs = np.maximum(logs, logs.max() - np.float32(span))
    if config.features == "logmel":
        return logs
    return _cepstra(logs.astype(np.float64), _dct(config.coefficients, config.mels)).astype(np.float32)


def spectral_frames(wave: Float32, config: FeatureConfig, bins: int) -> tuple[Float32, Float64, Float64]:
    """Log-mels (frames, mels) as of `features`, and of each frame (frames,) its spectral flatness and its power.

    Flatness is the mean of the natural logarithms of powers plus 1e-6 of the `bins` lowest above 0 Hz, less the
    logarithm of their mean: 0 for a flat spectrum. Power is the mean square, of full scale 1.
    """
    filters = _filters(config.sample_rate, config.fft, config.mels, 1.0)
    logs, flatness, power_means = [], [], []
    for spectra in _powers(wave, config, None):
        logs.append(_mels(spectra, filters, config.mels).T.astype(np.float32))
        lowest = spectra[1 : 1 + bins] + LOG_OFFSET
        flatness.append(log(lowest).mean(0) - log(lowest.mean(0)))
        both_sides = 2 * spectra.sum(0) - spectra[0] - spectra[-1]
        power_means.append(both_sides / (config.fft * 0.375 * config.window))
    return np.concatenate(logs), np.concatenate(flatness), np.concatenate(power_means)


def to_float32(samples: MonoSamples) -> Float32:
    """16-bit samples (n,) as float32 (n,) of full scale 1."""
    return samples.astype(np.float32) / np.float32(32768)


def padded_to(wave: Float32, samples: int) -> Float32:
    """`wave` (n,), with zeros after it where n is less than `samples`."""
    return wave if len(wave) >= samples else np.pad(wave, (0, samples - len(wave)))


def normalized(x: Float32, config: FeatureConfig) -> tuple[Float32, Float32]:
    """Features normalized by cepstral mean and variance (CMVN), and the statistics that this takes out.

    `x`: features (frames, bands). Gives them without silent ends, less the mean and over the deviation of the active
    frames, and mean and deviation (2 x bands,). The loudness and colour of a microphone, a room and much of a voice are
    in these.
    """
    loudness = x.mean(axis=1) if config.features == "logmel" else x[:, 0] / np.float32(np.sqrt(config.mels))
    active = np.flatnonzero(loudness >= loudness.max() - ACTIVE_RANGE)
    mean, deviation = x[active].mean(axis=0), x[active].std(axis=0)
    inside = x[max(0, int(active[0]) - CONTEXT_FRAMES) : int(active[-1]) + 1 + CONTEXT_FRAMES]
    return (inside - mean) / (deviation + np.float32(DEVIATION_OFFSET)), np.concatenate([mean, deviation])


def normalized_features(
    wave: Float32, config: FeatureConfig, hop: float | None = None, warp: float = 1.0
) -> tuple[Float32, Float32]:
    """`normalized` features and their statistics, for a classifier, of a wave (samples,) of any length.

    Arguments as of `features`; sounds shorter than `config.min_samples` get zeros.
    """
    return normalized(features(padded_to(wave, config.min_samples), config, hop, warp, DYNAMIC_RANGE), config)
