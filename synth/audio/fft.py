"""Power spectra of many frames at once, by + - * alone in a written order: the same bits on every machine.

A Fourier transform that sorts itself (Stockham), four or two parts at a time, over real and imaginary parts apart:
NumPy multiplies complex numbers with other roundings on other processors. What a frame gives does not depend on those
beside it.
"""

from __future__ import annotations

import functools

import numpy as np

from synth.audio.exact_math import cosines
from synth.common.typing import Float64


@functools.lru_cache(maxsize=64)
def _turns(count: int, share: int) -> tuple[Float64, Float64]:
    """Cosines and sines of the first `count / share` of `count` (a multiple of 4) parts of a turn, (n, 1, 1) each."""
    c = cosines(count)
    s = np.roll(c, count // 4)
    return c[: count // share, None, None], s[: count // share, None, None]


def _turned(re: Float64, im: Float64, turns: tuple[Float64, Float64], out: tuple[Float64, Float64]) -> None:
    """Numbers turned back by an angle each, written to `out`."""
    c, s = turns
    np.add(re * c, im * s, out=out[0])
    np.subtract(im * c, re * s, out=out[1])


def _pairs(re: Float64, im: Float64) -> tuple[Float64, Float64]:
    """The last step, where two are left: sums and differences of (2, 1, done, frames)."""
    return np.stack([re[0] + re[1], re[0] - re[1]], 1), np.stack([im[0] + im[1], im[0] - im[1]], 1)


def _fours(re: Float64, im: Float64) -> tuple[Float64, Float64]:
    """A step over the four parts of (4, parts, done, frames); (parts, 4, done, frames)."""
    _, parts, done, frames = re.shape
    out_re, out_im = (np.empty((parts, 4, done, frames)) for _ in range(2))
    even_re, even_im, odd_re, odd_im = re[0] + re[2], im[0] + im[2], re[1] + re[3], im[1] + im[3]
    np.add(even_re, odd_re, out=out_re[:, 0])
    np.add(even_im, odd_im, out=out_im[:, 0])
    even_re -= odd_re
    even_im -= odd_im
    left_re, left_im, right_re, right_im = re[0] - re[2], im[0] - im[2], re[1] - re[3], im[1] - im[3]
    ways = (left_re + right_im, left_im - right_re), (even_re, even_im), (left_re - right_im, left_im + right_re)
    c, s = _turns(4 * parts, 1)
    for k, (way_re, way_im) in enumerate(ways, 1):
        _turned(way_re, way_im, (c[: k * parts : k], s[: k * parts : k]), (out_re[:, k], out_im[:, k]))
    return out_re, out_im


def transform(re: Float64, im: Float64) -> tuple[Float64, Float64]:
    """Discrete Fourier transforms (real, imaginary) of the columns of doubles (n, frames), n a power of two."""
    n, frames = re.shape
    left, done = n, 1
    while left > 1:
        radix = 4 if left % 4 == 0 else 2
        left //= radix
        shape = radix, left, done, frames
        re, im = (_fours if radix == 4 else _pairs)(re.reshape(shape), im.reshape(shape))
        done *= radix
    return re.reshape(n, frames), im.reshape(n, frames)


def power(frames: Float64) -> Float64:
    """Power spectra (fft // 2 + 1, frames) of the columns of doubles (fft, frames), fft a power of two, 4 or more.

    A transform of real numbers by a complex one of half the length: samples of even places are the real parts, those of
    odd ones the imaginary parts. Powers are squares of absolute values, without a scale.
    """
    half = len(frames) // 2
    re, im = transform(frames[0::2].copy(), frames[1::2].copy())
    # the other way round; the spectrum of either half of the samples follows
    back_re, back_im = (np.concatenate([x[:1], x[:0:-1]]) for x in (re, im))
    odd_re, odd_im = im + back_im, back_re - re
    even_re, even_im = re + back_re, im - back_im
    c, s = (x[:, 0] for x in _turns(len(frames), 2))
    powers = np.empty((half + 1, frames.shape[1]))
    last = even_re[0] - odd_re[0]
    even_re += odd_re * c + odd_im * s
    even_im += odd_im * c - odd_re * s
    np.add(even_re * even_re, even_im * even_im, out=powers[:half])
    powers[half] = last * last
    powers *= 0.25
    return powers
