"""Numbers that are the same everywhere; voiced.hpp makes the same."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


class Noise:
    """A generator of them."""

    def __init__(self) -> None:
        self.state = 1

    def next(self, below: int) -> int:
        """The next one, 0 to below - 1."""
        self.state = (self.state * 1103515245 + 12345) % 2**31
        return (self.state >> 8) % below

    def many(self, shape: int | tuple[int, ...], below: int, less: int, kind: Any = np.int16) -> NDArray[Any]:
        """An array of them, less `less`."""
        count = int(np.prod(shape))
        return np.array([self.next(below) - less for _ in range(count)]).astype(kind).reshape(shape)

    def sparse(self, shape: tuple[int, ...], below: int) -> NDArray[np.int16]:
        """About a third of them not zero."""
        pairs = [(self.next(3), self.next(below)) for _ in range(int(np.prod(shape)))]
        return np.array([0 if zero else value for zero, value in pairs], np.int16).reshape(shape)


def mirrored(noise: Noise, fft: int) -> NDArray[np.int16]:
    """A table with the symmetries of a cosine."""
    quarter = noise.many(fft // 4, 32769, 16384)
    half = np.concatenate([quarter, np.zeros(1, np.int16), -quarter[:0:-1]])
    return np.concatenate([half, -half])
