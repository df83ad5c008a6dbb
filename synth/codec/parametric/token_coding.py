"""Tokens of a voice to bytes and back: arithmetic coding with the probabilities of the voice's planner.

csrc/codec/tokens.cpp, or where the engine is not compiled what is specified here, does the work.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from synth.audio.mulaw import SILENCE
from synth.codec.lossless.rangecoder import RangeDecoder, RangeEncoder
from synth.common.errors import UsageError
from synth.common.typing import UInt8, UInt32

PRECISION = 16


def encode(engine: Any, tokens: UInt8) -> bytes:
    """The bytes of tokens (frames, count), count at most the planner's period; its other tokens are known as 128."""
    _check(engine, tokens.shape)
    return encode_native(engine, tokens) if engine.name == "native" else encode_specified(engine, tokens)


def decode(engine: Any, data: bytes, frames: int, count: int) -> UInt8:
    """The tokens (frames, count) that `encode` made these bytes of; damaged bytes give other tokens."""
    _check(engine, (frames, count))
    if engine.name == "native":
        return decode_native(engine, data, frames, count)
    return decode_specified(engine, data, frames, count)


def encode_native(engine: Any, tokens: UInt8) -> bytes:
    """`encode` with the native engine."""
    from synth.engine import _kernel

    return _kernel.encode_tokens(engine.network, np.ascontiguousarray(tokens, np.uint8))


def decode_native(engine: Any, data: bytes, frames: int, count: int) -> UInt8:
    """`decode` with the native engine."""
    from synth.engine import _kernel

    tokens = np.zeros((frames, count), np.uint8)
    _kernel.decode_tokens(engine.network, bytes(data), tokens)
    return tokens


def encode_specified(engine: Any, tokens: UInt8) -> bytes:
    """`encode` with any engine, slowly."""
    coder = RangeEncoder()
    for state, row in _frames(engine, tokens):
        for token in row:
            _walk(coder, engine, state, int(token))
    return coder.finish()


def decode_specified(engine: Any, data: bytes, frames: int, count: int) -> UInt8:
    """`decode` with any engine, slowly."""
    coder, tokens = RangeDecoder(data), np.zeros((frames, count), np.uint8)
    for state, row in _frames(engine, tokens):
        for place in range(count):
            row[place] = _walk(coder, engine, state, 0)
    return tokens


def lengths(engine: Any, tokens: UInt8) -> UInt32:
    """What each of tokens (frames, count) costs under the planner, without coding them, in 1/65536 bit."""
    period = engine.config.period
    padded = np.full((len(tokens), period), SILENCE, np.uint8)
    padded[:, : tokens.shape[1]] = tokens
    costs: UInt32 = engine.teacher_force(engine.state(), padded.reshape(-1)).reshape(-1, period)
    return costs[:, : tokens.shape[1]]


def bits(engine: Any, tokens: UInt8) -> float:
    """What tokens (frames, count) cost under the planner, without coding them."""
    return float(lengths(engine, tokens).sum(dtype=np.uint64)) / 65536


def _check(engine: Any, shape: tuple[int, ...]) -> None:
    if len(shape) != 2 or shape[1] > engine.config.period:
        raise UsageError(f"tokens of shape {list(shape)}: must be [frames, at most {engine.config.period}]")


def _frames(engine: Any, tokens: UInt8) -> Any:
    """The planner's state before each frame, and the frame's row; past what a frame has not, the state moves on."""
    state = engine.state()
    rest = np.full(engine.config.period - tokens.shape[1], SILENCE, np.uint8)
    for row in tokens:
        yield state, row
        if len(rest):
            engine.teacher_force(state, rest)


def _walk(coder: RangeEncoder | RangeDecoder, engine: Any, state: Any, token: int) -> int:
    """One token, by the eight decisions of the tree; moves the state past it."""
    running = engine.distribution(state).astype(np.uint64).cumsum()
    low, high, below, up_to = 0, 256, 0, int(running[255])  # of weights: below the codes that are left, and with them
    while high - low > 1:
        middle = (low + high) // 2
        half = int(running[middle - 1])
        share = ((up_to - half) << PRECISION) // max(1, up_to - below)
        if coder.code(token >= middle, min(max(share, 1), (1 << PRECISION) - 1)):
            low, below = middle, half
        else:
            high, up_to = middle, half
    engine.teacher_force(state, np.array([low], np.uint8))
    return low
