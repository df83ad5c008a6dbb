"""A network that corrects the mixture, as specified.

It hears in which of 256 cells of the mixture's cdf each sample fell, and tells how likely the next one is to fall into
each: were the mixture perfect, that would be the cell's width (probability integral transform; Dawid, JRSS A, 1984).
"""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence

import numpy as np

from synth.audio import mulaw
from synth.codec.lossless.cells import STARTS, cell
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
    """What it is told before a sample.

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

    def listen(self, sizes: Sequence[float], guess: Sequence[float]) -> None:
        """Gets ready for the next sample; see `hints_of`."""
        self.state.hints = hints_of(sizes, guess, self.newest)[: self.engine.config.hints]
        _, self.hidden = self.engine.sample_step(self.state)
        self.tiles: dict[int, list[float]] = {}

    def _ends(self, tile: int) -> list[float]:
        """The cdf at the 16 ends of a tile of the tree, and 1. Tile 0 has the upper levels, 1 + t those below end t."""
        if tile not in self.tiles:
            row = np.arange(1, 16)
            level = np.frexp(row)[1] - 1
            top = 1 if tile == 0 else 15 + tile
            logits = self.engine.logits(self.hidden, (top << level) + row - (1 << level))
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
        at = cell(u)
        tile, within = at >> 4, at & 15
        tops, ends = self._ends(0), self._ends(1 + tile)
        share = (u - STARTS[at]) / (STARTS[at + 1] - STARTS[at])
        place = ends[within] + (ends[within + 1] - ends[within]) * share
        found = tops[tile] + (tops[tile + 1] - tops[tile]) * place
        return found + (u - found) * DOUBT

    def hear(self, low: float, high: float, sample: float) -> None:
        """Goes past a sample, whose interval is from `low` to `high` of the mixture's cdf."""
        self.newest = sample
        self.engine.take(self.state, 0, cell((low + high) * 0.5))
