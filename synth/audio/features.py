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
FRAMES = 1 << 15
"""Samples of the frames that are transformed at once."""
SPAN = 10.0
"""Powers below this (43 dB) under the sound's loudest are raised to it: what is left of them is the recorder's hiss."""
ACTIVE, AROUND = 5.0, 10
"""A frame is active when its mean over the bands is at most this (22 dB) below the loudest frame's; of what lies before
the first and after the last active frame this many frames are heard."""
STEADY = 0.05
"""Added to deviations, so that bands that never change are not blown up."""
KINDS = ("logmel", "mfcc")


@dataclass(frozen=True)
class FeatureConfig:
    """Which features: `features` "logmel" (`mels` bands) or "mfcc" (`coefficients` of as many bands).

    Windows of 25 ms, a feature frame every 10 ms.
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
        """Samples from one frame to the next, 10 ms."""
        return round(0.01 * self.sample_rate)

    @property
    def fft(self) -> int:
        """Length of the Fourier transform: the least power of two that holds a window."""
        return 1 << (self.window - 1).bit_length()

    @property
    def bands(self) -> int:
        """Features of a frame."""
        return self.mels if self.features == "logmel" else self.coefficients

    @property
    def shortest(self) -> int:
        """Fewest samples that have features: a window, or what is mirrored at the ends; shorter sounds get zeros."""
        return max(self.window, self.fft // 2 + 1)


@functools.lru_cache(maxsize=8)
def _edges(rate: int, mels: int) -> Float64:
    """Frequencies (mels + 2) that are evenly apart on the HTK scale, from 0 to rate / 2."""
    with localcontext(DIGITS):
        whole = (1 + Decimal(int(rate)) / 1400).ln()
        return np.array([float(700 * ((whole * k / (mels + 1)).exp() - 1)) for k in range(mels + 2)])


def mel_filters(rate: int, fft: int, mels: int, warp: float = 1.0) -> Float32:
    """Triangles (fft // 2 + 1, mels) from 0 to rate / 2; `warp` stretches the frequencies below 4/5 of the range.

    Warping as in vocal tract length normalisation (Jaitly and Hinton, 2013): from there on a line leads to rate / 2.
    """
    top, edges = rate / 2, _edges(rate, mels)
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
    """The orthonormal DCT-II as a matrix (mels, coefficients)."""
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
    found = []
    for k in range(int(counts.max())):
        bands = np.flatnonzero(counts > k)
        bins = first[bands] + k
        found.append((bands, bins, weights[bins, bands][:, None]))
    return found


@functools.lru_cache(maxsize=8)
def _dct(coefficients: int, mels: int) -> Float64:
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
    some = max(1, FRAMES // fft)
    for at in range(0, len(starts), some):
        places = np.arange(left, left + window)[:, None] + starts[at : at + some]
        frames = np.zeros((fft, places.shape[1]))
        np.multiply(padded[places], _window(window), out=frames[left : left + window])
        yield power(frames)


def powers(wave: Float32, config: FeatureConfig, hop: float | None = None) -> Float64:
    """Power spectra (frames, fft // 2 + 1) of a wave (samples,), frames at 0, hop, 2 hop, ... (the config's hop)."""
    return np.concatenate(list(_powers(wave, config, hop)), 1).T


def _mels(spectra: Float64, filters: list[tuple[Int64, Int64, Float64]], mels: int) -> Float64:
    """Logarithms of mel powers (mels, frames)."""
    found = np.zeros((mels, spectra.shape[1]))
    for bands, bins, weights in filters:
        found[bands] += spectra[bins] * weights
    return log(found + LOG_OFFSET)


def _cepstra(logs: Float64, matrix: Float64) -> Float64:
    """(frames, coefficients) of (frames, mels), band by band."""
    found = np.zeros((len(logs), matrix.shape[1]))
    for band, row in enumerate(matrix):
        found += logs[:, band : band + 1] * row
    return found


def features(
    wave: Float32, config: FeatureConfig, hop: float | None = None, warp: float = 1.0, span: float | None = None
) -> Float32:
    """Features (frames, bands) of a wave (samples,) at the config's rate, with `config.shortest` samples or more.

    `hop` (samples) and `warp` (of the mel scale) are for augmentation. Logarithms are at least the greatest less
    `span`, as with `AmplitudeToDB(top_db=...)`.
    """
    filters = _filters(config.sample_rate, config.fft, config.mels, warp)
    pieces = [_mels(spectra, filters, config.mels).T.astype(np.float32) for spectra in _powers(wave, config, hop)]
    found = np.concatenate(pieces)
    if span is not None:
        found = np.maximum(found, found.max() - np.float32(span))
    if config.features == "logmel":
        return found
    return _cepstra(found.astype(np.float64), _dct(config.coefficients, config.mels)).astype(np.float32)


def floats(samples: MonoSamples) -> Float32:
    """16-bit samples as float32 of full scale 1."""
    return samples.astype(np.float32) / np.float32(32768)


def lengthened(wave: Float32, shortest: int) -> Float32:
    """`wave`, with zeros after it where it has fewer samples than that."""
    return wave if len(wave) >= shortest else np.pad(wave, (0, shortest - len(wave)))


def normalised(found: Float32, config: FeatureConfig) -> tuple[Float32, Float32]:
    """Features (frames, bands) without silent ends, less their mean over deviation, and both of these (2 x bands,).

    Mean and deviation are those of the active frames. The loudness and colour of a microphone, a room and much of a
    voice are in what is taken out.
    """
    loudness = found.mean(axis=1) if config.features == "logmel" else found[:, 0] / np.float32(np.sqrt(config.mels))
    active = np.flatnonzero(loudness >= loudness.max() - ACTIVE)
    mean, deviation = found[active].mean(axis=0), found[active].std(axis=0)
    inside = found[max(0, int(active[0]) - AROUND) : int(active[-1]) + 1 + AROUND]
    return (inside - mean) / (deviation + np.float32(STEADY)), np.concatenate([mean, deviation])


def heard(wave: Float32, config: FeatureConfig, hop: float | None = None, warp: float = 1.0) -> tuple[Float32, Float32]:
    """What a recogniser hears of a wave (samples,) of any length: `normalised` features."""
    return normalised(features(lengthened(wave, config.shortest), config, hop, warp, SPAN), config)
