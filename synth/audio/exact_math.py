"""Functions that give the same bits on every machine: + - * / of doubles one by one, bits, whole numbers.

Libraries of mathematics, of linear algebra and of Fourier transforms, and sums of floats whose order is left to NumPy,
are another for every processor. None of them is used here, but for products of whole numbers.
"""

from __future__ import annotations

import math
from decimal import Context, Decimal, localcontext

import numpy as np

from synth.common.typing import AnyArray, Float32, Float64

PLACES = 128  # binary ones, of whole numbers that stand for cosines while they are made
KEPT = 64  # of which are left in the end, so that a cosine of 0 is 0
TURN = Decimal("6.2831853071795864769252867665590057683943387987502")
DIGITS = Context(prec=48)
"""For `decimal`, whose logarithms and exponentials are correctly rounded."""
FACTORIALS = (1 / 40320, 1 / 5040, 1 / 720, 1 / 120, 1 / 24, 1 / 6, 0.5, 1.0, 1.0)
"""Coefficients of the exponential, the least first."""
ROUND = 6755399441055744.0
"""1.5 * 2^52: adding it rounds to the nearest whole number, which is in the lowest bits then."""
BITS = 0x4338000000000000 - 1023
"""Those of ROUND, less the exponent of 1."""
ROOT = 0x3FE6A09E667F3BCD
"""The bits of the root of one half."""


def cosines(count: int) -> Float64:
    """cos(2 pi k / count) for k from 0 to count - 1, doubles (count,), from series of whole numbers."""
    with localcontext(DIGITS):
        angle = int(TURN / count * (1 << PLACES))
    term, parts, order = 1 << PLACES, [0, 0, 0, 0], 0
    while term:  # the series of cosine and sine
        parts[order % 4] += term
        order += 1
        term = (term * angle >> PLACES) // order
    step_c, step_s = parts[0] - parts[2], parts[1] - parts[3]
    c, s, values = 1 << PLACES, 0, []
    for _ in range(count):
        kept = (c + (1 << PLACES - KEPT - 1)) >> PLACES - KEPT
        values.append(kept / (1 << KEPT))  # Python rounds a fraction of whole numbers correctly
        c, s = (c * step_c - s * step_s) >> PLACES, (s * step_c + c * step_s) >> PLACES
    return np.array(values)


def log(x: Float64) -> Float64:
    """Natural logarithms of positive, normal doubles of any shape, to about 1e-12.

    The exponent by bits, the rest by the series of 2 artanh((m - 1) / (m + 1)).
    """
    bits = x.view(np.int64)
    whole = (bits - ROOT) >> 52
    m = (bits - (whole << 52)).view(np.float64)
    s = (m - 1.0) / (m + 1.0)
    q = s * s
    p = q * (1 / 13) + (1 / 11)
    for odd in (9, 7, 5, 3):
        p = p * q + (1 / odd)
    p = (s + s) * (p * q + 1.0)
    return whole.astype(np.float64) * 0.6931471805599453 + p


def logistic(x: Float64) -> Float64:
    """1 / (1 + exp(-x)) of doubles of any shape, to about 1e-8; of what is beyond -40 and 40 as of these."""
    x = np.maximum(np.minimum(x, 40.0), -40.0)
    x *= -1.4426950408889634
    moved = x + ROUND
    x -= moved - ROUND
    x *= 0.6931471805599453
    result = x * FACTORIALS[0]
    for c in FACTORIALS[1:-1]:
        result += c
        result *= x
    result += FACTORIALS[-1]
    bits = moved.view(np.int64)
    bits -= BITS
    bits <<= 52
    result *= moved
    result += 1.0
    return np.divide(1.0, result, out=result)


class ExactProduct:
    """Floats of -LIMIT to LIMIT times a matrix (rows, columns), both rounded to whole numbers.

    The absolute products of a row add up to less than 2^53, so that doubles hold every sum of some of them exactly:
    whatever the order that a library adds in, and whether it rounds in between, the same comes out.
    """

    LIMIT, PLACES = 128.0, 16

    def __init__(self, weight: Float32) -> None:
        _, exponent = np.frexp(np.abs(weight).max(initial=0.0))  # all are below 2^exponent
        places = 53 - (7 + self.PLACES) - weight.shape[1].bit_length() - int(exponent)
        self._weight = np.rint(np.ldexp(weight.T.astype(np.float64), places))
        self._unit = math.ldexp(1.0, -places)

    def __call__(self, x: AnyArray) -> Float64:
        """`x` (n, columns) times the transposed matrix: doubles (n, rows)."""
        whole = np.minimum(x, self.LIMIT, dtype=np.float64)
        np.maximum(whole, -self.LIMIT, out=whole)
        whole *= 1 << self.PLACES
        product: Float64 = np.rint(whole, out=whole) @ self._weight
        product *= self._unit / (1 << self.PLACES)
        return product


ARCTANGENT = tuple((-1.0) ** k / (2 * k + 1) / 6.283185307179586 for k in range(13, -1, -1))
"""Coefficients of the arctangent in turns, the least first."""


def turns(y: Float64, x: Float64) -> Float64:
    """The angle of (x, y) in turns, -0.5 to 0.5, to about 1e-9; doubles of one shape."""
    high, low = np.maximum(np.abs(x), np.abs(y)), np.minimum(np.abs(x), np.abs(y))
    t = low / np.maximum(high, 1e-300)
    beyond = t > 0.4142135623730951
    t = np.where(beyond, (t - 1.0) / (t + 1.0), t)
    q = t * t
    p = np.full(t.shape, ARCTANGENT[0])
    for c in ARCTANGENT[1:]:
        p = p * q + c
    angle = p * t + np.where(beyond, 0.125, 0.0)
    angle = np.where(np.abs(y) > np.abs(x), 0.25 - angle, angle)
    angle = np.where(x < 0, 0.5 - angle, angle)
    return np.where(y < 0, -angle, angle)
