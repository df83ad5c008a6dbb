"""The layers of a network in integers, as specified: fixed-point products, piecewise curves, a gated recurrent unit.

Formats: gate inputs int16 with 10 fractional bits, states and gate outputs int16 with 15. Values are held in int64
arrays between the saturations that are written out here; csrc/engine/kernel.cpp equals this bit for bit.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from synth.common.typing import Bools, Int64, Tensors


def saturate(x: Int64) -> Int64:
    """Clamp to 16 bits."""
    return np.clip(x, -32768, 32767)


def multiply(a: Int64, b: Int64) -> Int64:
    """Product of two 16-bit numbers, the right one of 15 fractional bits, rounded half up."""
    return (a * b + 16384) >> 15


def eighth(h: Int64) -> Int64:
    """A 16-bit state as the 8 bits that enter a product."""
    return saturate(h + 128) >> 8


class Linear:
    """int8 weights (rows, columns), a shift for all and a 16-bit scale a row."""

    def __init__(self, tensors: Tensors, name: str) -> None:
        self.weight = tensors[f"{name}.weight"].astype(np.int64)
        self.scale = tensors[f"{name}.scale"].astype(np.int64)
        self.shift = int(tensors[f"{name}.shift"][0])

    def __call__(self, x: Int64, rows: Any = slice(None)) -> Int64:
        total = self.weight[rows] @ x
        return multiply(saturate((total + ((1 << self.shift) >> 1)) >> self.shift), self.scale[rows])


def piecewise(x: Int64, table: Int64, segment: int) -> tuple[Int64, Bools]:
    """Quadratic of |x| in 8 segments of 2^segment, and x >= 0; `table` (3, 8): constant, linear, quadratic terms."""
    size = np.minimum(np.abs(np.maximum(x, -32767)), (8 << segment) - 1)
    place, within = size >> segment, (size & ((1 << segment) - 1)) << (15 - segment)
    inner = table[1][place] + multiply(within, table[2][place])
    return table[0][place] + multiply(within, inner), x >= 0


class Gru:
    """A gated recurrent unit; gate blocks stand in the order reset, update, candidate."""

    def __init__(self, tensors: Tensors, name: str) -> None:
        self.product = Linear(tensors, name)
        self.inner = tensors[f"{name}.bias"].astype(np.int64)
        self.curves = tensors["table.sigmoid"].astype(np.int64), tensors["table.tanh"].astype(np.int64)

    def _sigmoid(self, x: Int64) -> Int64:
        y, positive = piecewise(x, self.curves[0], 10)
        return np.where(positive, y, 32768 - y)

    def _tanh(self, x: Int64) -> Int64:
        y, positive = piecewise(x, self.curves[1], 9)
        return np.where(positive, y, -y)

    def __call__(self, gates: Int64, state: Int64) -> Int64:
        units = len(state)
        product = self.product(eighth(state))
        opened = self._sigmoid(saturate(gates[: 2 * units] + product[: 2 * units]))
        reset, update = opened[:units], opened[units:]
        inner = saturate(product[2 * units :] + self.inner)
        new = self._tanh(saturate(gates[2 * units :] + multiply(reset, inner)))
        return saturate(multiply(update, state) + multiply(32767 - update, new))


def place_of(logits: Int64) -> Int64:
    """Where logits stand in the table of probabilities: steps of 1/64, from -16 to 16."""
    return (np.clip(logits, -8192, 8191) >> 3) + 1024
