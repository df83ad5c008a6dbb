"""Tokens that cost few bits for how near they come to a sound: a search that weighs both, for voices with a tonal bed.

csrc/codec/tokens.cpp, or where the engine is not compiled what is specified here, does the work. All is whole numbers:
the same tokens on every machine.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from synth.audio.mulaw import SILENCE
from synth.common.typing import Float32, Float64, Int32, Int64, UInt8
from synth.vocoder.config import CODES
from synth.vocoder.vocoder import UNIT, Vocoder

BEAMS = 4
"""Beams that are kept within a frame."""
WEIGHTS = (*range(4, 20), 20, 22, 24, 26, 28, 30, 32, 34, 37, 40, 43, 47, 52, 60, 72)
"""What a bit may weigh, in 1/1024 of the mean distance of a frame; the more, the fewer bits."""


@dataclass(frozen=True)
class _Beam:
    """Some first tokens of a frame: the distance, less the square of the vector's length, bits x 65536, the planner."""

    tokens: tuple[int, ...]
    distance: int
    length: int
    state: Any


class TokenChoice:
    """The search for `count` tokens a frame of latents (frames, latent), as `Vocoder.encode` gives them."""

    def __init__(self, engine: Any, vocoder: Vocoder, latents: Float32, count: int) -> None:
        self.engine, self.vocoder, self.count = engine, vocoder, count
        self._vectors = np.rint(latents * UNIT).astype(np.float64)
        self._books = vocoder.codebooks[:count].astype(np.float64)
        self._first = vocoder.tokens(latents, 1)
        self._pairs = vocoder.pair_products(count)

    def mean_distance(self, tokens: UInt8) -> int:
        """How far, squared, a frame's latents are from what tokens (frames, any count) stand for, in the mean."""
        left = self._vectors - self.vocoder.codebooks[np.arange(tokens.shape[1]), tokens].sum(1)
        return int(np.square(left).sum()) // len(tokens)

    def choose(self, weight: int, segment: int) -> tuple[UInt8, float]:
        """Tokens (frames, count) of least distance plus `weight` times their bits, and their bits in all.

        The first token is the pitch, and always the nearest. The planner begins anew every `segment` frames.
        """
        tokens, bits = np.empty((len(self._vectors), self.count), np.uint8), 0
        for at in range(0, len(tokens), segment):
            part = slice(at, at + segment)
            tokens[part], length = self._segment(self._vectors[part], self._first[part], weight)
            bits += length
        return tokens, bits / 65536

    def _segment(self, vectors: Float64, first: UInt8, weight: int) -> tuple[UInt8, int]:
        own = np.square(self._books).sum(2) - 2.0 * np.einsum("fd,qcd->fqc", vectors, self._books, optimize=True)
        if self.engine.name != "native":
            return choose_specified(self.engine, own.astype(np.int64), self._pairs, first, weight)
        from synth.engine import _kernel

        tokens = np.repeat(first, self.count, 1)
        return tokens, _kernel.choose_tokens(
            self.engine.network, np.ascontiguousarray(own, np.int32), self._pairs, weight, tokens
        )


def choose_specified(engine: Any, own: Int64, pairs: Int32, first: UInt8, weight: int) -> tuple[UInt8, int]:
    """The search in one segment, slowly; `own` (frames, count, codes) and `pairs` as csrc/codec/tokens.hpp says."""
    frames, count = own.shape[:2]
    tokens, length = np.empty((frames, count), np.uint8), 0
    state, rest = engine.state(), np.full(engine.config.period - count, SILENCE, np.uint8)
    for frame in range(frames):
        beams = [_Beam((), 0, 0, state)]
        for quantiser in range(count):
            only = int(first[frame, 0]) if quantiser == 0 else None
            kept = 1 if quantiser + 1 == count else BEAMS
            beams = _passed(engine, beams, own[frame, quantiser], pairs, weight, only)[:kept]
            beams = [_moved(engine, beam) for beam in beams]
        tokens[frame], state = beams[0].tokens, beams[0].state
        length += beams[0].length
        engine.teacher_force(state, rest)
    return tokens, length


def _passed(engine: Any, beams: list[_Beam], own: Int64, pairs: Int32, weight: int, only: int | None) -> list[_Beam]:
    """The cheapest beams with one token more, in order, of equal ones the first; `only`: the token that it must be."""
    options = []
    for number, beam in enumerate(beams):
        lengths, quantiser = engine.code_lengths(beam.state), len(beam.tokens)
        base = quantiser * (quantiser - 1) // 2
        distances = beam.distance + own + sum(pairs[base + p, token] for p, token in enumerate(beam.tokens))
        for code in range(CODES) if only is None else [only]:
            distance, length = int(distances[code]), beam.length + int(lengths[code])
            cost = distance * 65536 + weight * length
            options.append((cost, number, code, _Beam((*beam.tokens, code), distance, length, beam.state)))
    return [option[3] for option in sorted(options, key=lambda option: option[:3])[:BEAMS]]


def _moved(engine: Any, beam: _Beam) -> _Beam:
    """The beam with its planner past its last token."""
    state = engine.restore(beam.state.save())
    engine.teacher_force(state, np.array(beam.tokens[-1:], np.uint8))
    return _Beam(beam.tokens, beam.distance, beam.length, state)
