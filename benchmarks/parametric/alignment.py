"""How late what a coder gives back is, and without that."""

from __future__ import annotations

import numpy as np

from parametric.files import RATE, Wave
from synth.common.typing import Float64

FARTHEST = RATE // 10  # delays are looked for up to this


def envelopes(wave: Float64) -> Float64:
    """Loudness over time in eight bands of what a telephone passes, each of mean 0 and length 1."""
    from scipy import signal

    edges = np.geomspace(150, 3600, 9)
    rows = []
    for low, high in zip(edges, edges[1:], strict=False):
        band = np.abs(signal.sosfilt(signal.butter(2, (low, high), "band", fs=RATE, output="sos"), wave))
        row = np.log(signal.sosfilt(signal.butter(2, 50, fs=RATE, output="sos"), band).clip(0) + 10)
        rows.append((row - row.mean()) / (np.linalg.norm(row - row.mean()) + 1e-9))
    return np.stack(rows)


def delay(pairs: list[tuple[Wave, Wave]]) -> tuple[int, str]:
    """Samples that the second of each pair is late, and what told it: the waveform, or loudness where that is not kept.

    The waveform has to correlate by 0.5 within 2 ms of where loudness does; a vocoder's phases are its own.
    """
    from scipy import signal

    loudness, waves = np.zeros(2 * FARTHEST + 1), np.zeros(2 * FARTHEST + 1)
    for first, second in pairs:
        length = min(len(first), len(second))
        one, two = (np.pad(x[:length].astype(float), FARTHEST) for x in (first, second))
        middle = slice(len(one) - 1 - FARTHEST, len(one) + FARTHEST)
        for a, b in zip(envelopes(one), envelopes(two), strict=True):
            loudness += signal.correlate(b, a, method="fft")[middle] / 8 / len(pairs)
        scale = np.linalg.norm(one) * np.linalg.norm(two) + 1e-9
        waves += signal.correlate(two, one, method="fft")[middle] / scale / len(pairs)
    near = int(loudness.argmax())
    window = slice(max(0, near - RATE // 500), near + RATE // 500 + 1)
    if waves[window].max() >= 0.5:
        return window.start + int(waves[window].argmax()) - FARTHEST, "waveform"
    return near - FARTHEST, "loudness"


def aligned(first: Wave, second: Wave, late: int) -> Wave:
    """The second, earlier by so many samples and as long as the first."""
    second = second[late:] if late >= 0 else np.pad(second, (-late, 0))
    padded: Wave = np.pad(second[: len(first)], (0, max(0, len(first) - len(second))))
    return padded
