"""Spectrograms as PNG files, without a plotting library."""

from __future__ import annotations

import struct
import zlib

import numpy as np

from synth.common.typing import MonoSamples, UInt8

FLOOR_DB, TOP_DB = -90.0, -10.0
_WINDOW_SECONDS, _HOP_SECONDS = 0.02, 0.004
_COLOURS = np.array(
    [(0, 0, 4), (40, 17, 89), (114, 31, 129), (183, 55, 121), (241, 96, 93), (254, 159, 109), (252, 253, 191)]
)
"""Anchors of a scale from black over violet and orange to a light yellow, even in lightness (after "magma")."""


def image(values: UInt8) -> bytes:
    """The bytes of a PNG of values 0 to 255 (height, width), the first row on top, in the scale's colours."""
    height, width = values.shape
    steps = np.linspace(0, len(_COLOURS) - 1, 256)
    palette = np.stack([np.interp(steps, np.arange(len(_COLOURS)), _COLOURS[:, c]) for c in range(3)], axis=1)
    rows = np.concatenate([np.zeros((height, 1), np.uint8), values], axis=1)  # 0: the row is not filtered
    parts = (
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)),
        (b"PLTE", np.rint(palette).astype(np.uint8).tobytes()),
        (b"IDAT", zlib.compress(rows.tobytes(), 9)),
        (b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in parts)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def spectrogram(samples: MonoSamples, rate: int) -> bytes:
    """A PNG of int16 samples (n,) at `rate`: a column every 4 ms, Hann windows of 20 ms, -90 to -10 dB of full scale.

    0 Hz is at the bottom, half the rate on top.
    """
    window = np.hanning(max(16, round(_WINDOW_SECONDS * rate)))
    hop = max(1, round(_HOP_SECONDS * rate))
    size = 1 << (len(window) - 1).bit_length()
    wave = np.pad(samples / 32768.0, (len(window) // 2, len(window)))
    columns = max(1, -(-len(samples) // hop))
    frames = np.lib.stride_tricks.sliding_window_view(wave, len(window))[: columns * hop : hop]
    strength = np.abs(np.fft.rfft(frames * window, size, axis=1)) / (window.sum() / 2)
    decibels = 20 * np.log10(np.maximum(strength, 1e-9))
    scaled = np.clip((decibels - FLOOR_DB) / (TOP_DB - FLOOR_DB), 0, 1)
    return image(np.rint(255 * scaled).astype(np.uint8).T[::-1])
