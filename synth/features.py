"""Mel features in NumPy, as torchaudio's `MelSpectrogram` and `MFCC` define them.

Power spectra of periodic Hann windows in the middle of zero-padded frames, mirrored at the ends (`center=True`,
`pad_mode="reflect"`); triangular filters on the HTK mel scale without norm; log of the power plus 1e-6
(`MFCC(log_mels=True)`); an orthonormal DCT-II. Waves are of full scale 1.
"""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray

from synth.hearing import HearConfig

Floats = NDArray[np.float32]

LOG_OFFSET = 1e-6
SPAN = 10.0
"""Powers below this (43 dB) under the sound's loudest are raised to it: what is left of them is the recorder's hiss."""
ACTIVE, AROUND = 5.0, 10
"""A frame is active when its mean over the bands is at most this (22 dB) below the loudest frame's; of what lies before
the first and after the last active frame this many frames are heard."""
STEADY = 0.05
"""Added to deviations, so that bands that never change are not blown up."""


def mel_filters(rate: int, fft: int, mels: int, warp: float = 1.0) -> Floats:
    """Triangles (fft // 2 + 1, mels) from 0 to rate / 2; `warp` stretches the frequencies below 4/5 of the range.

    Warping as in vocal tract length normalisation (Jaitly and Hinton, 2013): from there on a line leads to rate / 2.
    """
    top = rate / 2
    edges = 700.0 * (10.0 ** (np.linspace(0.0, 2595.0 * np.log10(1.0 + top / 700.0), mels + 2) / 2595.0) - 1.0)
    if warp != 1.0:
        knee = 0.8 * top * min(1.0, 1.0 / warp)
        upper = top - (top - edges) * (top - knee * warp) / (top - knee)
        edges = np.where(edges <= knee, edges * warp, upper)
    bins = np.linspace(0.0, rate // 2, fft // 2 + 1)
    widths = np.diff(edges)
    slopes = edges[None, :] - bins[:, None]
    rising, falling = -slopes[:, :-2] / widths[:-1], slopes[:, 2:] / widths[1:]
    return np.maximum(0.0, np.minimum(rising, falling)).astype(np.float32)


def dct(coefficients: int, mels: int) -> Floats:
    """The orthonormal DCT-II as a matrix (mels, coefficients)."""
    places, orders = np.arange(mels) + 0.5, np.arange(coefficients)
    matrix = np.cos(np.pi / mels * places[:, None] * orders[None, :]) * np.sqrt(2.0 / mels)
    matrix[:, 0] *= np.sqrt(0.5)
    return matrix.astype(np.float32)


@functools.lru_cache(maxsize=256)
def _filters(rate: int, fft: int, mels: int, warp: float) -> Floats:
    return mel_filters(rate, fft, mels, warp)


@functools.lru_cache(maxsize=8)
def _dct(coefficients: int, mels: int) -> Floats:
    return dct(coefficients, mels)


@functools.lru_cache(maxsize=8)
def _window(length: int, fft: int) -> Floats:
    """A periodic Hann window in the middle of `fft` samples."""
    window = np.zeros(fft, np.float32)
    left = (fft - length) // 2
    window[left : left + length] = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(length) / length)
    return window


def powers(wave: Floats, config: HearConfig, hop: float | None = None) -> Floats:
    """Power spectra (frames, fft // 2 + 1) of a wave (samples,), frames at 0, hop, 2 hop, ... (the config's hop)."""
    step, fft = config.hop if hop is None else hop, config.fft
    padded = np.pad(np.asarray(wave, np.float32), fft // 2, mode="reflect")
    starts = np.rint(np.arange(int(len(wave) / step) + 1) * step).astype(np.int64)
    starts = starts[starts <= len(wave)]
    frames = np.lib.stride_tricks.sliding_window_view(padded, fft)[starts]
    spectrum = np.fft.rfft(frames * _window(config.window, fft), axis=1)
    power: Floats = (spectrum.real**2 + spectrum.imag**2).astype(np.float32)
    return power


def features(
    wave: Floats, config: HearConfig, hop: float | None = None, warp: float = 1.0, span: float | None = None
) -> Floats:
    """Features (frames, bands) of a wave (samples,) at the config's rate, with `config.shortest` samples or more.

    `hop` (samples) and `warp` (of the mel scale) are for augmentation. Logarithms are at least the greatest less
    `span`, as with `AmplitudeToDB(top_db=...)`.
    """
    mel = powers(wave, config, hop) @ _filters(config.sample_rate, config.fft, config.mels, warp)
    log = np.log(mel + np.float32(LOG_OFFSET))
    if span is not None:
        log = np.maximum(log, log.max() - np.float32(span))
    return log if config.features == "logmel" else log @ _dct(config.coefficients, config.mels)


def floats(samples: NDArray[np.int16]) -> Floats:
    """16-bit samples as float32 of full scale 1."""
    return samples.astype(np.float32) / np.float32(32768)


def lengthened(wave: Floats, shortest: int) -> Floats:
    """`wave`, with zeros after it where it has fewer samples than that."""
    return wave if len(wave) >= shortest else np.pad(wave, (0, shortest - len(wave)))


def normalised(found: Floats, config: HearConfig) -> tuple[Floats, Floats]:
    """Features (frames, bands) without silent ends, less their mean over deviation, and both of these (2 x bands,).

    Mean and deviation are those of the active frames. The loudness and colour of a microphone, a room and much of a
    voice are in what is taken out.
    """
    loudness = found.mean(axis=1) if config.features == "logmel" else found[:, 0] / np.float32(np.sqrt(config.mels))
    active = np.flatnonzero(loudness >= loudness.max() - ACTIVE)
    mean, deviation = found[active].mean(axis=0), found[active].std(axis=0)
    inside = found[max(0, int(active[0]) - AROUND) : int(active[-1]) + 1 + AROUND]
    return (inside - mean) / (deviation + np.float32(STEADY)), np.concatenate([mean, deviation])


def heard(wave: Floats, config: HearConfig, hop: float | None = None, warp: float = 1.0) -> tuple[Floats, Floats]:
    """What a recogniser hears of a wave (samples,) of any length: `normalised` features."""
    return normalised(features(lengthened(wave, config.shortest), config, hop, warp, SPAN), config)
