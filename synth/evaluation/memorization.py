"""Whether generated sound repeats training sound: distances to the nearest training clip.

By embedding: Euclidean. By waveform: the loudest quarter of a second of a clip is slid along every training clip; the
distance is 1 less the greatest size of the normalised cross-correlation, so that a copied stretch of that length is at
0 whatever its level and sign, also inside of a longer clip, and generated and real clips of any length are compared by
stretches of one length. Correlations are multiplied out as spectra, block by block (overlap-save).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from synth.common import threads as parallel
from synth.common.typing import Float32, Float64, Int16

EXCERPT_SECONDS = 0.25
PERCENTILE = 1.0
_BLOCKS = 32
"""Blocks of training sound that are correlated at once."""
_QUIET = 1.0
"""A training stretch whose RMS is not above this, in 16-bit steps, is silence and has no waveform to repeat."""


def excerpt(samples: Int16, length: int) -> Float32:
    """The loudest `length` samples of int16 (n,), less their mean and with unit energy; zeros follow a shorter clip."""
    wave = samples.astype(np.float64)
    energy = np.concatenate([[0.0], np.cumsum(wave**2)])
    start = int(np.argmax(energy[length:] - energy[:-length])) if len(wave) > length else 0
    part = wave[start : start + length]
    part = part - part.mean()
    norm = np.sqrt(np.sum(part**2))
    padded: Float32 = np.pad(part / norm if norm > 0 else part, (0, length - len(part))).astype(np.float32)
    return padded


def by_embedding(clips: Float32, training: Float32) -> Float64:
    """Distances (n,) of embeddings (n, d) to the nearest of (m, d)."""
    known = training.astype(np.float64)
    nearest = [np.sqrt(np.min(np.sum((known - clip) ** 2, axis=1))) for clip in clips.astype(np.float64)]
    return np.array(nearest)


def by_waveform(
    excerpts: Sequence[Float32],
    training: Iterable[Int16],
    threads: int = 1,
    tick: Callable[[int], Any] = lambda done: None,
) -> Float64:
    """Distances (n,) of excerpts (length,) to the nearest stretch of int16 training clips at the same rate, 0 to 1.

    Memory does not grow with the corpus. `tick` is called with numbers of training samples that are done.
    """
    best = np.zeros(len(excerpts), np.float32)
    if not excerpts:
        return best.astype(np.float64)
    length = len(excerpts[0])
    size = 1 << (4 * length - 1).bit_length()

    def one(part: tuple[Float32, Float32]) -> Float32:
        greatest = _correlations(excerpts, *part, size)
        tick(part[1].size)
        return greatest

    blocks = _blocks(training, length, size - length + 1, size)
    for greatest in parallel.ordered(one, blocks, threads):
        np.maximum(best, greatest, out=best)
    return 1.0 - np.minimum(best.astype(np.float64), 1.0)


def _correlations(excerpts: Sequence[Float32], waves: Float32, weights: Float32, size: int) -> Float32:
    """Greatest sizes (n,) of the correlations with waves (blocks, size), each start weighted by (blocks, starts)."""
    spectra = np.fft.rfft(waves, size, axis=1).astype(np.complex64)
    best = np.zeros(len(excerpts), np.float32)
    for place, each in enumerate(excerpts):
        turned = np.conj(np.fft.rfft(each, size)).astype(np.complex64)
        correlations = np.fft.irfft(spectra * turned, size, axis=1)[:, : weights.shape[1]] * weights
        best[place] = max(correlations.max(), -correlations.min())
    return best


def _blocks(training: Iterable[Int16], length: int, starts: int, size: int) -> Iterator[tuple[Float32, Float32]]:
    """Training sound end to end in blocks: waves (blocks, size), which overlap, and weights (blocks, starts).

    A weight is 1 over the norm of the stretch of `length` that starts there, less its mean (an excerpt has none); 0
    where that is silent or reaches into the next clip.
    """
    waves: list[Float32] = []
    weights: list[Float32] = []
    held, norms = np.zeros(0, np.float32), np.zeros(0, np.float32)

    def cut(count: int) -> None:
        waves.append(np.pad(held[:size], (0, max(0, size - len(held)))))
        weights.append(np.pad(norms[:count], (0, starts - min(count, len(norms)))))

    for clip in training:
        wave = np.pad(clip.astype(np.float32), (0, max(0, length - len(clip))))
        held, norms = np.concatenate([held, wave]), np.concatenate([norms, _inverse_norms(wave, length)])
        while len(held) >= size:
            cut(starts)
            held, norms = held[starts:], norms[starts:]
            if len(waves) == _BLOCKS:
                yield np.stack(waves), np.stack(weights)
                waves, weights = [], []
    if len(held):
        cut(starts)
    if waves:
        yield np.stack(waves), np.stack(weights)


def _inverse_norms(wave: Float32, length: int) -> Float32:
    """Of every stretch of a clip (n,), less its mean, by its start: (n,), 0 for those beyond its end, or silent."""
    sums = np.concatenate([[0.0], np.cumsum(wave, dtype=np.float64)])
    energy = np.concatenate([[0.0], np.cumsum(wave.astype(np.float64) ** 2)])
    energies = energy[length:] - energy[:-length] - (sums[length:] - sums[:-length]) ** 2 / length
    loud = energies > length * _QUIET**2
    inverse = np.where(loud, 1 / np.sqrt(np.where(loud, energies, 1.0)), 0.0)
    return np.pad(inverse, (0, len(wave) - len(inverse))).astype(np.float32)


def verdict(generated: Float64, real: Float64) -> dict[str, Any]:
    """The 1st percentile and the least of both sets of distances; passed when the generated one is not below."""
    low, level = float(np.percentile(generated, PERCENTILE)), float(np.percentile(real, PERCENTILE))
    return {
        "generated": low,
        "real": level,
        "nearest_generated": float(generated.min()),
        "nearest_real": float(real.min()),
        "passed": bool(low >= level),
    }
