"""Plays sound while it is made, through sounddevice: the extra `play`."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Any

from synth.common.errors import OutputError, SynthError
from synth.common.typing import MonoSamples


class Player:
    """Mono output at `rate` Hz; use it in a `with` statement. `seconds`: time spent waiting for the device.

    Raises SynthError with what to install, or OutputError when there is no device for it.
    """

    def __init__(self, rate: int) -> None:
        try:
            import sounddevice
        except ImportError:
            raise SynthError('--play needs sounddevice: pip install ".[play]"') from None
        except OSError:  # the Python package is here, the library that it wraps isn't
            raise SynthError("--play needs the PortAudio library: install libportaudio2 (or portaudio)") from None
        self._error: type[Exception] = sounddevice.PortAudioError
        try:
            self._out: Any = sounddevice.RawOutputStream(samplerate=rate, channels=1, dtype="int16")
            self._out.start()
            self.seconds = 0.0
        except self._error as error:
            raise OutputError(f"--play: no sound device takes {rate} Hz ({error})") from None

    def write(self, block: MonoSamples) -> None:
        """Hands over samples, int16 (n,); returns when the device has room for them."""
        began = time.perf_counter()
        try:
            self._out.write(block.tobytes())
        except self._error as error:
            raise OutputError(f"--play: the sound device failed ({error})") from None
        self.seconds += time.perf_counter() - began

    def __enter__(self) -> Player:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        """Lets the rest be heard, or falls silent at once after an error."""
        if kind is None:
            self._out.stop()
        else:
            self._out.abort()
        self._out.close()
