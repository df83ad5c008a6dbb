"""FLAC and Ogg Vorbis by libsndfile, into a file whose errors and whose Ctrl-C arrive as they would without it."""

from __future__ import annotations

import functools
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import IO, Any

import soundfile

from synth.common.errors import OutputError
from synth.common.files import write_all
from synth.common.typing import MonoSamples

ENCODINGS = {"flac": ("FLAC", "PCM_16"), "ogg": ("OGG", "VORBIS")}
"""libsndfile's format and subtype of each output format that is encoded."""
MAX_VORBIS_RATE = 200_000
"""Hz; libvorbis has no mode above, and libsndfile ends the process where it is asked for one."""
_CHUNK = 1 << 14  # samples that go to an encoder at a time


class Target:
    """An unbuffered file for libsndfile's callbacks, which can't raise: the error waits for `check`."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.seek, self.tell, self.read = file.seek, file.tell, file.read
        self._error: OSError | None = None

    def write(self, data: bytes) -> int:
        """How many bytes were written: all, or none after an error."""
        try:
            write_all(self._file, data)
        except OSError as error:
            self._error = self._error or error
            return 0
        return len(data)

    def check(self) -> None:
        """Raises the first error of the file, if there was one."""
        if self._error is not None:
            raise self._error


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Hold Ctrl-C back for a moment: cffi would swallow it inside a callback."""
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield
        return
    caught: list[tuple[int, FrameType | None]] = []
    signal.signal(signal.SIGINT, lambda number, frame: caught.append((number, frame)))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        if caught:
            before(*caught[0])


class Encoder:
    """16-bit audio at `rate` Hz in a format of `ENCODINGS`, into an open, unbuffered file.

    OutputError with `name` for what libsndfile refuses; the file's own OSErrors come as they are.
    """

    def __init__(self, file: IO[bytes], format: str, rate: int, name: str, channels: int = 1) -> None:
        self._name, self._target = name, Target(file)
        kind, subtype = ENCODINGS[format]
        if subtype == "VORBIS" and rate > MAX_VORBIS_RATE:
            raise OutputError(f"{name}: {format} can't be written at {rate} Hz, at most at {MAX_VORBIS_RATE}")
        try:
            with _uninterrupted():
                self._sound = soundfile.SoundFile(self._target, "w", rate, channels, subtype, format=kind)
        except soundfile.SoundFileError:
            self._target.check()
            raise OutputError(f"{name}: {format} can't be written at {rate} Hz") from None

    def write(self, samples: MonoSamples) -> None:
        """Append int16 samples (n,)."""
        for at in range(0, len(samples), _CHUNK):
            self._run(functools.partial(self._sound.write, samples[at : at + _CHUNK]))

    def close(self) -> None:
        """Complete the file, which stays open."""
        self._run(self._sound.close)

    def abandon(self) -> None:
        """Give up, whatever fails on the way."""
        with suppress(soundfile.SoundFileError, OSError), _uninterrupted():
            self._sound.close()

    def _run(self, action: Callable[[], Any]) -> None:
        """Run `action` of libsndfile; what went wrong in the file comes first, then what libsndfile says."""
        try:
            with _uninterrupted():
                action()
        except (soundfile.SoundFileError, AssertionError) as error:  # soundfile asserts that all was written
            self._target.check()
            raise OutputError(f"{self._name}: can't be written ({' '.join(str(error).split())})") from None
        self._target.check()
