"""Layers of 8-bit integers over token frames, as the conditioner and the envelope have them: whole tracts at once."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from synth.engine.reference import Linear, eighth, multiply, piecewise, saturate

Ints = NDArray[np.int64]


def around(x: NDArray[Any], taps: int, step: int = 1) -> NDArray[Any]:
    """(time / step, taps x columns): every `step`-th place with its neighbours in the order of time, zeros outside."""
    padded = np.pad(x, (((taps - 1) // 2, taps // 2), (0, 0)))
    return np.concatenate([padded[k : k + len(x) : step] for k in range(taps)], 1)


def cut(x: Ints, first: int, last: int) -> Ints:
    """Rows `first` to `last`, zeros where there are none."""
    inside = x[max(0, first) : max(0, last)]
    return np.pad(inside, ((max(0, -first), last - first - len(inside) - max(0, -first)), (0, 0)))


class Layer:
    """Weights, scales and, where it has one, the bias `name` of a checkpoint's tensors; "table.tanh" is its curve."""

    def __init__(self, tensors: dict[str, NDArray[Any]], name: str) -> None:
        self._linear = Linear(tensors, name)
        # whole numbers below 2^53: products are exact in doubles, in any order
        self._weight = tensors[f"{name}.weight"].T.astype(np.float64)
        bias = tensors.get(f"{name}.bias")
        self._bias = None if bias is None else bias.astype(np.int64)
        self._tanh = tensors["table.tanh"].astype(np.int64)

    def values(self, x: Ints) -> Ints:
        """16-bit outputs (..., rows) of 8-bit inputs (..., columns)."""
        shift = self._linear.shift
        total = (x.astype(np.float64) @ self._weight).astype(np.int64)
        found = saturate(multiply(saturate((total + ((1 << shift) >> 1)) >> shift), self._linear.scale))
        return found if self._bias is None else saturate(found + self._bias)

    def curve(self, x: Ints) -> Ints:
        """The hyperbolic tangent of 16-bit numbers of unit 1024, of unit 32768."""
        y, positive = piecewise(x, self._tanh, 9)
        return np.where(positive, y, -y)

    def hidden(self, x: Ints) -> Ints:
        """8-bit hidden values (..., rows): the tangent of the outputs."""
        return eighth(self.curve(self.values(x)))
