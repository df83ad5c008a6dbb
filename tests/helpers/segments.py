"""Samples for the coder of segments: something like music, and of every shape that it treats in its own way."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from synth.audio import mulaw
from synth.common.typing import Int32


def tune(frames: int, channels: int, bits: int, seed: int = 1) -> Int32:
    """Something like music, from integers alone: resonances struck by noise, louder half-way; channels are alike."""
    state, out = seed, np.zeros((frames, channels), np.int64)
    memory = [[0, 0] for _ in range(channels)]
    for t in range(frames):
        for c in range(channels):
            state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
            noise = (state >> 40) % 2001 - 1000
            noise *= 4 if t > frames // 2 else 1
            y1, y2 = memory[c]
            y = (y1 * (1990 - 3 * c) - y2 * 1004) // 1024 + noise * 8
            memory[c] = [y, y1]
            out[t, c] = y * 16 + (state >> 33) % 16 + (out[t, 0] // 2 if c else 0)
    out >>= 24 - bits
    return np.clip(out, -(1 << (bits - 1)), (1 << (bits - 1)) - 1).astype(np.int32)


def draws(count: int, below: int, seed: int = 1) -> NDArray[np.int64]:
    return np.random.default_rng(seed).integers(0, below, count)


def levels(count: int, bits: int, frames: int) -> Int32:
    """A channel [frames, 1] of so many values."""
    chosen = np.sort(np.random.default_rng(count).choice(1 << bits, count, replace=False)) - (1 << (bits - 1))
    return chosen[draws(frames, count)][:, None].astype(np.int32)


SHAPES: dict[str, tuple[Int32, int]] = {
    "nothing": (np.zeros((0, 2), np.int32), 16),
    "one": (np.array([[-5]], np.int32), 16),
    "plain": (tune(60, 1, 16), 16),
    "stereo": (tune(30, 2, 8), 8),
    "fine": (tune(20, 3, 24), 24),
    "odd bits": (tune(40, 1, 13), 13),
    "low bits": (tune(40, 1, 8) << 8, 16),
    "all bits low": (np.tile([[-32768], [0]], (20, 1)).astype(np.int32), 16),
    "copies": (np.repeat(tune(30, 1, 16), 4, 1) * np.array([1, -1, 1, -1], np.int32), 16),
    "lowest inverted": (np.tile([[-32768, -32768], [5, -5], [9, -9]], (15, 1)).astype(np.int32), 16),
    "inverted zeros": (np.stack([tune(30, 1, 16)[:, 0], np.zeros(30, np.int32), np.zeros(30, np.int32)], 1), 16),
    "silence": (np.zeros((50, 2), np.int32), 16),
    "full scale": (np.full((9, 1), -32768, np.int32), 16),
    "list": (levels(11, 16, 120), 16),
    "fine list": (levels(12, 24, 130), 24),
    "long list": (levels(25, 16, 200), 16),
    "codes": (mulaw.DECODE[draws(90, 256)][:, None].astype(np.int32), 16),
    "few codes": (mulaw.DECODE[110 + draws(120, 30)][:, None].astype(np.int32), 16),
    "codes and copy": (np.repeat(mulaw.DECODE[draws(40, 256)][:, None], 2, 1).astype(np.int32), 16),
    "noise": (draws(80, 1 << 16).astype(np.int32).reshape(-1, 2) - 32768, 16),
}
