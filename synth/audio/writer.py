"""Write 16-bit audio to a file, which appears whole or not at all, or to standard output."""

from __future__ import annotations

import os
import struct
import sys
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import IO

import numpy as np

from synth.audio.encoder import ENCODINGS, Encoder
from synth.audio.sound_check import SoundCheck
from synth.common import permissions
from synth.common.errors import OutputError, UsageError
from synth.common.files import check_output, output_errors, write_all
from synth.common.limits import MAX_WAV_SAMPLES, OUTPUT_FORMATS
from synth.common.new_file import NewFile
from synth.common.typing import MonoSamples

LOOP_BYTES = 68
"""Of a WAV's chunk that says that it is a loop."""


def loop_chunk(samples: int, rate: int) -> bytes:
    """The `smpl` chunk of a WAV that samplers loop from its first sample to its last, endlessly."""
    period = round(1e9 / rate)  # nanoseconds
    body = struct.pack("<9I", 0, 0, period, 60, 0, 0, 0, 1, 0) + struct.pack("<6I", 0, 0, 0, samples - 1, 0, 0)
    return struct.pack("<4sI", b"smpl", len(body)) + body


def wav_header(samples: int | None, rate: int, loop: bool = False, channels: int = 1) -> bytes:
    """The canonical 44 bytes of a WAV before 16-bit samples at `rate` Hz.

    `samples`: how many there are of each channel; with None both sizes are 0xFFFFFFFF, for a pipe whose end isn't
    known. `loop`: a `loop_chunk` follows them.
    """
    size = 2 * channels * samples if samples is not None else 0xFFFFFFFF
    file_size = size + 36 if samples is not None else size
    file_size += LOOP_BYTES if loop and samples is not None else 0
    return struct.pack(
        "<4sI4s4sIHHIIHH4sI",
        b"RIFF",
        file_size,
        b"WAVE",
        b"fmt ",
        16,
        1,
        channels,
        rate,
        2 * channels * rate,
        2 * channels,
        16,
        b"data",
        size,
    )


def format_of(path: str | os.PathLike[str], format: str | None = None) -> str:
    """The format of an output: its suffix, which `format` may not contradict; "-" is wav unless `format` says raw.

    UsageError for a format or a suffix that is none of `OUTPUT_FORMATS`, and for what can't go to a pipe.
    """
    name = os.fspath(path)
    known = ", ".join(OUTPUT_FORMATS)
    if format is not None and format not in OUTPUT_FORMATS:
        raise UsageError(f"format {format!r}: must be one of {known}")
    if name == "-":
        if format in ENCODINGS:
            raise UsageError(f"format {format}: can't go to a pipe; use wav or raw")
        return format or "wav"
    suffix = Path(name).suffix[1:].lower()
    if suffix not in OUTPUT_FORMATS:
        raise UsageError(f"{name}: its suffix must be one of {known}")
    if format not in (None, suffix):
        raise UsageError(f"{name}: its suffix contradicts the format {format}")
    return suffix


class AudioWriter:
    """`with AudioWriter(path, rate) as out: out.write(samples)`: 16-bit mono audio at `rate` Hz, in blocks of any size.

    The format is `format_of(path, format)`. A file is written under a hidden name in its folder, synced, and renamed
    when the block ends well; when it ends with an exception, Ctrl-C too, nothing is left. An existing file is refused
    when the block is entered and again at the end, unless `force`. "-" is standard output; its WAV header tells
    `samples`, if given, else 0xFFFFFFFF. `like`: what the sound is made of, as for
    `NewFile`; `loop`: a WAV says that it is one; `channels`: more than one are interleaved. Raises UsageError (format,
    more `samples` than a WAV can hold), OutputError (anything that the system refuses) with the path, and lets
    BrokenPipeError through when a pipe's reader has gone.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        rate: int,
        format: str | None = None,
        force: bool = False,
        samples: int | None = None,
        like: Iterable[permissions.Source] = (),
        loop: bool = False,
        channels: int = 1,
    ) -> None:
        self.loop, self.channels = loop, channels
        self._like = tuple(like)
        self.name, self.rate, self.force, self.promised = os.fspath(path), int(rate), force, samples
        self.format = format_of(path, format)
        self.written = 0
        self.check = SoundCheck(self.rate)
        most = (MAX_WAV_SAMPLES - (LOOP_BYTES // 2 if loop else 0)) // channels
        if self.format == "wav" and samples is not None and samples > most:
            raise UsageError(f"{self.name}: {samples} samples are more than a WAV can hold ({most})")
        self._pipe = self.name == "-"
        self._new: NewFile | None = None
        self._file: IO[bytes] | None = None
        self._encoder: Encoder | None = None

    def __enter__(self) -> AudioWriter:
        check_output(self.name, self.force)
        if self._pipe and sys.stdout is None:
            raise OutputError("-: standard output is closed")
        try:
            with output_errors(self.name):
                self._open()
        except BaseException:
            self._abandon()
            raise
        return self

    def write(self, samples: MonoSamples) -> None:
        """Append int16 samples (any number,), of several channels (any number, channels)."""
        if samples.dtype != np.int16 or samples.shape[1:] != ((self.channels,) if self.channels > 1 else ()):
            raise ValueError(f"samples of type {samples.dtype} and shape {samples.shape}: must be int16 (samples,)")
        total, most = self.written + len(samples), MAX_WAV_SAMPLES // self.channels
        if self.format == "wav" and total > most and not (self._pipe and self.promised is None):
            raise OutputError(f"{self.name}: a WAV can't hold more than {most} samples")
        with output_errors(self.name):
            self._put(samples)
        self.check.add(samples.ravel())
        self.written = total

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._pipe:
            if kind is None and self.promised not in (None, self.written):
                raise ValueError(f"{self.written} samples written, the header says {self.promised}")
            if kind is None and self.promised is not None:
                self._mark_loop()
            return
        try:
            if kind is None:
                with output_errors(self.name):
                    self._finish()
        finally:
            self._abandon()

    def _open(self) -> None:
        """Opens the pipe or the hidden file, and the encoder where the format has one."""
        if self._pipe:
            self._file = sys.stdout.buffer
        else:
            self._new = NewFile(self.name, self.force, self._like)
            self._file = self._new.file
        if self.format == "wav":
            write_all(self._file, wav_header(self.promised, self.rate, self.loop, self.channels))
        elif self.format in ENCODINGS:
            self._encoder = Encoder(self._file, self.format, self.rate, self.name, self.channels)

    def _put(self, samples: MonoSamples) -> None:
        """Samples into the file, or to the encoder."""
        assert self._file is not None, "write outside of the with block"
        if self._encoder is not None:
            self._encoder.write(samples)
            return
        write_all(self._file, samples.astype("<i2", copy=False).tobytes())
        if self._pipe:
            self._file.flush()

    def _finish(self) -> None:
        """Complete the hidden file and give it its name."""
        assert self._file is not None
        if self._encoder is not None:
            self._encoder.close()
        else:
            self._mark_loop()
        if self.format == "wav" and self.promised != self.written:
            self._file.seek(0)
            write_all(self._file, wav_header(self.written, self.rate, self.loop, self.channels))
        assert self._new is not None
        self._new.finish()

    def _mark_loop(self) -> None:
        """Writes after the samples of a WAV that they are a loop, where they are."""
        if self.loop and self.format == "wav" and self._file is not None:
            write_all(self._file, loop_chunk(self.written, self.rate))
            if self._pipe:
                self._file.flush()

    def _abandon(self) -> None:
        """Close what is open and remove the hidden file, whatever fails on the way."""
        if self._pipe:
            return
        try:
            if self._encoder is not None:
                self._encoder.abandon()
        finally:
            if self._new is not None:
                self._new.abandon()
