"""A sound file's samples at the end of a corpus's cache: resampled, mixed to mono, trimmed, or refused."""

from __future__ import annotations

from pathlib import Path
from typing import IO

import numpy as np

from synth.audio.reader import AudioReader
from synth.common.errors import AudioError
from synth.common.files import write_all

SILENT = 33  # a peak below this, 60 dB under full scale, is silence
_COPY = 1 << 20  # samples a block when a trimmed file is moved up


def append_audio(file: IO[bytes], path: Path, rate: int, trim: bool, min_seconds: float) -> int:
    """Appends a file's samples at `rate` Hz to `file` (int16, little-endian), block by block; how many there are.

    AudioError when they can't be read, or are silent or less than `min_seconds`: the caller cuts off what was appended.
    """
    start, length, peak = file.tell(), 0, 0
    with AudioReader(path, rate) as reader:
        for block in reader.blocks():
            write_all(file, block.astype("<i2", copy=False).tobytes())
            length += len(block)
            peak = max(peak, int(np.abs(block.astype(np.int32)).max(initial=0)))
    if length and peak < SILENT:
        raise AudioError(f"{path}: is silent")
    if trim and length:
        length = _trim(file, start, length, rate)
    if length < max(1, min_seconds * rate):
        raise AudioError(f"{path}: is too short ({1000 * length / rate:.0f} ms)")
    return length


def _trim(file: IO[bytes], start: int, length: int, rate: int) -> int:
    """Cut both ends where 10 ms are 40 dB below the file's loudest 10 ms, less 20 ms; returns the new length."""
    step = max(1, rate // 100)
    file.flush()
    sound = np.memmap(file, "<i2", "r+", offset=start, shape=(length,))
    power = np.zeros(length // step)
    for at in range(0, len(power), 4096):
        frames = sound[at * step : (at + 4096) * step]
        frames = frames[: len(frames) // step * step].reshape(-1, step).astype(np.float64)
        power[at : at + 4096] = np.square(frames).sum(axis=1)
    if not power.any():
        return length
    loud = np.flatnonzero(power >= power.max() * 1e-4)
    begin, end = max(0, (int(loud[0]) - 2) * step), min(length, (int(loud[-1]) + 3) * step)
    if begin:
        for at in range(begin, end, _COPY):
            stop = min(end, at + _COPY)
            sound[at - begin : stop - begin] = sound[at:stop].copy()
    sound.flush()
    del sound
    file.seek(start + 2 * (end - begin))
    file.truncate()
    return end - begin
