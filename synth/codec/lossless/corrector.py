"""A network that corrects the mixture, as specified in NumPy.

Its input is the number of the bin, of 256 of the mixture's cdf, that each sample fell into; its output how likely the
next sample is to fall into each. Were the mixture perfect, that would be the bin's width (probability integral
transform; Dawid, JRSS A, 1984).
"""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence

import numpy as np

from synth.audio import mulaw
from synth.codec.lossless.cdf_bins import BIN_STARTS, bin_of
from synth.codec.lossless.float_math import limited, squash
from synth.codec.lossless.presets import FINAL, OLS_A, OLS_B, OLS_C, SLOW
from synth.engine.reference import ReferenceEngine

DOUBT = 1.0 / 1024.0
"""What is left of the mixture as it was."""
_STRETCH = np.float32(11)


def sixteenths(x: float, first: int) -> int:
    """A positive number's logarithm in 1/16 of an octave, linear within an octave, 0 at `first` octaves."""
    return int(struct.unpack("<q", struct.pack("<d", x))[0] >> 48) - (1023 + first) * 16


def code_of(x: float) -> int:
    """The mu-law code of a number, as a 16-bit sample."""
    return int(mulaw.ENCODE[math.floor(min(max(x, -32768.0), 32767.0)) + 32768])


def hints_of(sizes: Sequence[float], guess: Sequence[float], newest: float) -> tuple[int, ...]:
    """The network's other inputs (hints) before a sample, eight numbers from 0 to 255.

    The last sample and its prediction as mu-law codes; how large errors are, in sixteenths of octaves; where other
    predictions lie, against that, as mu-law codes; how large errors are over short and long times. `sizes`: mean errors
    over 2^3, 2^4 and 2^7 samples.
    """
    scale, at = 512.0 / sizes[1], guess[FINAL]
    first, size, last = (sixteenths(value, 0) for value in sizes)
    longer, shorter = limited((size - last + 34) >> 2, 15), limited((first - size + 34) >> 2, 15)
    others = [code_of((guess[source] - at) * scale) for source in (SLOW, OLS_A, OLS_B, OLS_C)]
    return code_of(newest), code_of(at), limited(sixteenths(sizes[1], -2), 255), *others, longer * 16 + shorter


class Corrector:
    """A fresh stream of the network that follows a channel sample by sample."""

    def __init__(self, engine: ReferenceEngine) -> None:
        self.engine, self.state, self.newest = engine, engine.state(), 0.0

    def predict(self, sizes: Sequence[float], guess: Sequence[float]) -> None:
        """Computes what `corrected` needs for the next sample; the arguments are those of `hints_of`."""
        self.state.hints = hints_of(sizes, guess, self.newest)[: self.engine.config.hints]
        _, self.hidden = self.engine.sample_step(self.state)
        self.tiles: dict[int, list[float]] = {}

    def _ends(self, tile: int) -> list[float]:
        """The cdf at the 16 leaves of a tile of the tree, and 1. Tile 0 is the upper half, 1 + t is below leaf t."""
        if tile not in self.tiles:
            row = np.arange(1, 16)
            depth = np.frexp(row)[1] - 1
            top = 1 if tile == 0 else 15 + tile
            logits = self.engine.logits(self.hidden, (top << depth) + row - (1 << depth))
            x = logits.astype(np.float32) * np.float32(1 / 512)
            right = squash(np.minimum(np.maximum(x, -_STRETCH), _STRETCH))
            ends, node = [0.0] * 16 + [1.0], 0
            for half in (8, 4, 2, 1):
                for i in range(half, 16, 2 * half):
                    ends[i] = ends[i + half] - (ends[i + half] - ends[i - half]) * float(right[node])
                    node += 1
            self.tiles[tile] = ends
        return self.tiles[tile]

    def corrected(self, u: float) -> float:
        """The mixture's cdf value as corrected."""
        if not 0.0 < u < 1.0:
            return u
        number = bin_of(u)
        tile, within = number >> 4, number & 15
        tops, ends = self._ends(0), self._ends(1 + tile)
        share = (u - BIN_STARTS[number]) / (BIN_STARTS[number + 1] - BIN_STARTS[number])
        place = ends[within] + (ends[within + 1] - ends[within]) * share
        by_network = tops[tile] + (tops[tile + 1] - tops[tile]) * place
        return by_network + (u - by_network) * DOUBT

    def update(self, low: float, high: float, sample: float) -> None:
        """Moves the stream past a sample, whose interval is from `low` to `high` of the mixture's cdf."""
        self.newest = sample
        self.engine.take(self.state, 0, bin_of((low + high) * 0.5))
