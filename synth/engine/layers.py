"""Layers of 8-bit integers over token frames, as the conditioner and the envelope have them: many frames at once.

csrc/vocoder, or where the engine is not compiled what is specified here, does the work.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np

from synth.common.typing import AnyArray, Float64, Int64, Tensors
from synth.engine import select
from synth.engine.integer_layers import Linear, eighth, multiply, piecewise, saturate


def unfold_time(x: AnyArray, taps: int, step: int = 1) -> AnyArray:
    """What a convolution over time multiplies: of x (time, columns) an array (time / step, taps x columns).

    Each row is every `step`-th frame with its neighbours in the order of time; zeros stand outside.
    """
    before = (taps - 1) // 2
    padded = np.zeros((len(x) + taps - 1, x.shape[1]), x.dtype)
    padded[before : before + len(x)] = x
    return np.concatenate([padded[k : k + len(x) : step] for k in range(taps)], 1)


def slice_padded(x: Int64, first: int, last: int) -> Int64:
    """Rows `first` to `last`, zeros where there are none."""
    inside, before = x[max(0, first) : max(0, last)], max(0, -first)
    rows = np.zeros((last - first, x.shape[1]), x.dtype)
    rows[before : before + len(inside)] = inside
    return rows


class Layer:
    """Weights, scales and, where it has one, the bias `name` of a checkpoint's tensors; "table.tanh" is its curve.

    `prefer`: the engine, as for `engine.create`.
    """

    def __init__(self, tensors: Tensors, name: str, prefer: str = "auto") -> None:
        self._linear = Linear(tensors, name)
        bias = tensors.get(f"{name}.bias")
        self._bias = None if bias is None else bias.astype(np.int64)
        self._tanh = tensors["table.tanh"].astype(np.int64)
        parts = select.parts(prefer)
        self._native = None if parts is None else parts.Layer(name, tensors)

    @functools.cached_property
    def _weight(self) -> Float64:
        """Whole numbers below 2^53: products are exact in doubles, in any order."""
        return self._linear.weight.T.astype(np.float64)

    def values(self, x: Int64) -> Int64:
        """16-bit outputs (n, rows) of 8-bit inputs (n, columns)."""
        if self._native is None:
            return self.values_specified(x)
        values: Int64 = self._native.values(x)
        return values

    def hidden(self, x: Int64) -> Int64:
        """8-bit hidden values (n, rows): the tangent of the outputs."""
        if self._native is None:
            return self.hidden_specified(x)
        hidden: Int64 = self._native.hidden(x)
        return hidden

    def values_specified(self, x: Int64) -> Int64:
        """`values`, slowly."""
        shift = self._linear.shift
        total = (x.astype(np.float64) @ self._weight).astype(np.int64)
        scaled = saturate(multiply(saturate((total + ((1 << shift) >> 1)) >> shift), self._linear.scale))
        return scaled if self._bias is None else saturate(scaled + self._bias)

    def curve(self, x: Int64) -> Int64:
        """The hyperbolic tangent of 16-bit numbers of unit 1024, of unit 32768."""
        y, positive = piecewise(x, self._tanh, 9)
        return np.where(positive, y, -y)

    def hidden_specified(self, x: Int64) -> Int64:
        """`hidden`, slowly."""
        return eighth(self.curve(self.values_specified(x)))


def kernels_of(layers: Sequence[Layer]) -> list[Any] | None:
    """Layers in C++; None where the specification does the work."""
    kernels = [layer._native for layer in layers]
    return None if None in kernels else kernels
