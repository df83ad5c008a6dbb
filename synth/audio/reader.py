"""Read audio from files and arrays as 16-bit mono samples, block by block, in bounded memory."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import IO

import numpy as np
import soundfile
import soxr

from synth.audio.formats.listening import open_listening
from synth.audio.formats.viewed_sound import reason
from synth.common.errors import AudioError
from synth.common.files import STDOUT, check_input
from synth.common.input_file import open_input
from synth.common.limits import MAX_RATE
from synth.common.typing import AnyArray, Float32, MonoSamples

BLOCK = 1 << 16
"""Samples of the file that are read at a time."""
_MAX_CHANNELS = 64
_CANCELLED = 1e-3
"""Power of the mean of channels, of their own power, below which they cancel; unrelated ones keep 1 / channels."""
_FAINT = 1e-8
"""Power of a sample, of full scale, below which channels are silent themselves: -80 dB."""


def _rounded(wave: AnyArray) -> MonoSamples:
    """Floats of -1 to 1 as 16-bit samples: scaled by 32768, rounded to even, clipped."""
    return np.clip(np.rint(wave * np.float32(32768)), -32768, 32767).astype(np.int16)


class _Converter:
    """Blocks (samples, channels) of float32 in, blocks of int16 mono at another rate out; `name` is for the errors."""

    def __init__(self, name: str, source_rate: int, rate: int, channels: int) -> None:
        self._name, self._channels, self._empty = name, channels, True
        self._power = self._mixed = 0.0  # of all channels, and of their mean
        self._frames = 0
        self._stream = None
        if rate != source_rate:
            self._stream = soxr.ResampleStream(source_rate, rate, 1, dtype="float32", quality="HQ")

    def push(self, block: Float32, last: bool = False) -> MonoSamples:
        """The samples that are ready after `block`; `last` flushes the resampler."""
        if not np.isfinite(block).all():
            raise AudioError(f"{self._name}: holds NaN or infinite samples")
        self._empty = self._empty and not len(block)
        if last and self._empty:
            raise AudioError(f"{self._name}: holds no samples")
        mono = block[:, 0]
        for channel in range(1, self._channels):  # one after the other: a mean's order is NumPy's choice
            mono = mono + block[:, channel]
        if self._channels > 1:
            mono = mono / np.float32(self._channels)
            self._check_phase(block, mono, last)
        if self._stream is not None:
            mono = self._stream.resample_chunk(np.ascontiguousarray(mono), last=last)
        return _rounded(mono)

    def _check_phase(self, block: Float32, mono: Float32, last: bool) -> None:
        """AudioError at the end of a sound whose channels are each other's opposites."""
        self._power += float(np.einsum("ij,ij", block, block)) / self._channels
        self._mixed += float(np.dot(mono, mono))
        self._frames += len(block)
        if last and self._power > _FAINT * self._frames and self._mixed < _CANCELLED * self._power:
            raise AudioError(
                f"{self._name}: its {self._channels} channels cancel when they are mixed to one, they are of opposite "
                "phase; take one of them, like sox IN OUT remix 1"
            )


class AudioReader:
    """An audio file that libsndfile reads, as int16 mono blocks at `rate` Hz (its own rate when None).

    Channels are averaged and other rates resampled by soxr (HQ); samples are rounded to even and clipped. The result
    does not depend on the block size. Use it in a `with` statement. `source_rate` (Hz), `channels` and `frames`
    (samples of each channel, None when the file does not say) describe the file.

    `file`: an open one, which can be sought in, that is read instead; `path` is its name then.

    Raises AudioError, one line with the file's name, when there is no such file or it is a folder, empty, not audio,
    cut short, without samples, holds NaN or infinite samples, or its channels cancel in their mean (the last four while
    it is read).
    """

    def __init__(self, path: str | os.PathLike[str], rate: int | None = None, file: IO[bytes] | None = None) -> None:
        self.name = os.fspath(path)
        self._given = file
        if file is None:
            check_input(self.name)
        elif not file.seek(0, os.SEEK_END):
            raise AudioError(f"{self.name}: is empty")
        self._file = open_listening(self.name, file)
        self._is_begun = False
        self.source_rate, self.channels = int(self._file.samplerate), int(self._file.channels)
        self.frames = int(self._file.frames) if 0 <= self._file.frames < 1 << 48 else None
        self.rate = self.source_rate if rate is None else _check_rate(rate)

    def __enter__(self) -> AudioReader:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def blocks(self, size: int = BLOCK) -> Iterator[MonoSamples]:
        """All samples from the first, int16 (n,), in blocks of about `size` source samples."""
        converter = _Converter(self.name, self.source_rate, self.rate, self.channels)
        done = 0
        try:
            self._rewind()
            while True:
                block = self._file.read(size, dtype="float32", always_2d=True)
                done += len(block)
                last = len(block) < size
                if last:
                    self._check_count(done)
                yield converter.push(block, last)
                if last:
                    return
        except soundfile.SoundFileError as error:
            raise AudioError(f"{self.name}: is damaged or cut short ({reason(error)})") from None

    def _rewind(self) -> None:
        """Stands at the first sample."""
        if self._file.seekable():
            self._file.seek(0)
        elif self._is_begun:
            self._file.close()
            self._file = open_listening(self.name, self._given)
        self._is_begun = True

    def _check_count(self, done: int) -> None:
        """AudioError when the file ended before the samples that it announced."""
        if self.frames is None or done >= self.frames:
            return
        if self._file.format != "MP3" or done < 0.95 * self.frames:  # an MP3's count may be an estimate
            raise AudioError(f"{self.name}: is cut short: {done} of {self.frames} samples")


def read(
    path: str | os.PathLike[str], rate: int | None = None, file: IO[bytes] | None = None
) -> tuple[MonoSamples, int]:
    """A whole file: int16 mono (samples,), resampled to `rate` if one is given, and its rate; errors as AudioReader.

    "-" is standard input, to its end.
    """
    if path == STDOUT and file is None:
        with open_input(STDOUT) as pipe, pipe.seekable() as (copy, _):
            return read(path, rate, copy)
    with AudioReader(path, rate, file) as reader:
        return np.concatenate(list(reader.blocks())), reader.rate


def from_array(wave: AnyArray, rate: int, target_rate: int) -> MonoSamples:
    """An array as int16 mono (samples,) at `target_rate`.

    `wave`: (samples,) or (samples, channels), in any order of bytes or memory, at `rate` Hz: int16, int32 (full scale
    2^31) or floating (full scale 1, clipped). Raises AudioError for another type or shape, no samples, NaN or infinity,
    and for channels that cancel.
    """
    array = np.asarray(wave)
    _check_rate(rate)
    _check_rate(target_rate)
    if array.ndim not in (1, 2) or (array.ndim == 2 and not 1 <= array.shape[1] <= _MAX_CHANNELS):
        raise AudioError(f"audio array of shape {array.shape}: must be (samples,) or (samples, channels)")
    array = array.astype(array.dtype.newbyteorder("="), copy=False)
    if array.dtype == np.int16 and array.ndim == 1 and rate == target_rate and len(array):
        return array.copy()
    if array.dtype in (np.dtype(np.int16), np.dtype(np.int32)):
        array = array * np.float64(2.0 ** (1 - 8 * array.dtype.itemsize))
    elif not np.issubdtype(array.dtype, np.floating):
        raise AudioError(f"audio array of type {array.dtype}: must be int16, int32 or floating")
    block = array.astype(np.float32).reshape(len(array), -1 if len(array) else 1)
    return _Converter("audio array", rate, target_rate, block.shape[1]).push(block, last=True)


def _check_rate(rate: int) -> int:
    """The rate as an int; AudioError for what is none."""
    if isinstance(rate, bool) or not isinstance(rate, int | np.integer) or not 1 <= rate <= MAX_RATE:
        raise AudioError(f"sample rate {rate!r}: must be a whole number of Hz, 1 or more")
    return int(rate)
