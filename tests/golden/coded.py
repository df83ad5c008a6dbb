"""The segments that the golden test codes, without a network; coded.hpp makes the same. Integers alone decide them."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synth.audio import mulaw
from synth.codec import lossless
from synth.codec.lossless import residuals, segment
from synth.common import limits

NAME = "codec"
"""Stands where hashes of networks have the network's name."""
# kind: frames, channels, bits
CASES: dict[str, tuple[int, int, int]] = {
    "mono": (80, 1, 16),
    "stereo": (36, 2, 8),
    "three": (24, 3, 24),
    "silence": (50, 2, 16),
    "square": (150, 1, 16),
    "list": (140, 1, 16),
    "codes": (60, 1, 16),
    "copies": (30, 4, 16),
    "low": (60, 1, 24),
    "noise": (30, 2, 16),
    "long": (400, 1, 16),
}
RESIDUALS = {"residuals-one": (400, 1), "residuals-three": (120, 3)}
"""Of samples of 32 bits: residuals and channels."""
SLOW = ("long",)
"""Too long for the specification."""


def samples(kind: str) -> NDArray[np.int32]:
    """A segment [frames, channels]."""
    frames, channels, bits = CASES[kind]
    bound, state = 1 << (bits - 1), 1
    memory = [[0, 0] for _ in range(channels)]
    out = np.zeros((frames, channels), np.int32)
    for t in range(frames):
        for c in range(channels):
            state = (state * 1103515245 + 12345) % 2**31
            noise = state >> 4
            y1, y2 = memory[c]
            y = (y1 * (1990 - 3 * c) - y2 * 1004 >> 10) + (noise % 2001 - 1000) * (32 if 2 * t > frames else 8)
            memory[c] = [y, y1]
            value = y * 16 + noise % 16 >> 24 - bits
            value = min(max(value, 1 - bound), bound - 1)
            if kind == "silence":
                value = 0
            elif kind == "square":
                value = bound - 1 if t // 9 % 2 else -bound
            elif kind == "list":
                value = (noise % 11 - 5) ** 3 * 37
            elif kind == "codes":
                value = int(mulaw.DECODE[noise % 256])
            elif kind == "copies" and c:
                value = int(out[t, 0]) * (-1 if c % 2 else 1)
            elif kind == "low":
                value = value >> 6 << 6
            elif kind == "noise":
                value = noise % (2 * bound) - bound
            out[t, c] = value
    return out


def residuals_of(count: int) -> tuple[NDArray[np.int32], NDArray[np.uint8]]:
    """Residuals (count,) of all sizes, and their classes."""
    state, values, classes = 1, [], []
    for _ in range(count):
        drawn = []
        for _ in range(3):
            state = (state * 1103515245 + 12345) % 2**31
            drawn.append(state >> 8)
        which = drawn[0] % 33
        size = min(max(which + drawn[0] // 33 % 4 - 2, 0), 32)
        value = ((drawn[1] & 65535) << 16 | drawn[2] & 65535) >> 32 - size if size else 0
        values.append(-value & 0xFFFFFFFF if drawn[0] >> 16 & 1 else value)
        classes.append(which)
    return np.array(values, np.uint32).view(np.int32), np.array(classes, np.uint8)


def names() -> list[str]:
    """What is coded: each kind at each level, and residuals."""
    return [*(f"{kind}-{level}" for kind in CASES for level in limits.LEVELS), *RESIDUALS]


def digest(name: str, engine: str) -> str:
    """The hash of one segment's bytes, by the compiled codec ("native") or by the specification."""
    if name in RESIDUALS:
        return _residuals_digest(*RESIDUALS[name], engine)
    kind, _, level = name.partition("-")
    made: Any = samples(kind)
    bits = CASES[kind][2]
    encode = lossless.encode_segment if engine == "native" else segment.encode_segment
    data = encode(made, bits, level)
    if engine == "native":
        assert np.array_equal(lossless.decode_segment(data, *made.shape, bits, level), made)
    return hashlib.sha256(data).hexdigest()[:32]


def _residuals_digest(count: int, channels: int, engine: str) -> str:
    values, classes = residuals_of(count)
    if engine == "native":
        from synth.engine import _kernel

        data, back = _kernel.encode_residuals(values, classes, channels), np.zeros_like(values)
        _kernel.decode_residuals(data, classes, channels, back)
    else:
        data = residuals.encode_residuals(values, classes, channels)
        back = residuals.decode_residuals(data, classes, channels)
    assert np.array_equal(back, values)
    return hashlib.sha256(data).hexdigest()[:32]
