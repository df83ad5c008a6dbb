"""Waveform and spectrogram of what is generated, as a PNG; memory doesn't grow with the length.

`Picture` takes the samples block by block as they are made: each of its columns keeps the least and the greatest sample
of its stretch and one Hann-windowed spectrum. Needs matplotlib: the extra `plot`.
"""

from __future__ import annotations

import io
from importlib import import_module
from typing import Any

import numpy as np

from synth.common.errors import SynthError
from synth.common.typing import MonoSamples

_COLUMNS = 1000
_WINDOW_SECONDS = 0.032
_FLOOR_DB = -100.0


def require_matplotlib() -> None:
    """Raises SynthError with what to install when matplotlib can't be imported."""
    try:
        import_module("matplotlib.figure")
    except ImportError:
        raise SynthError('--plot needs matplotlib: pip install ".[plot]"') from None


class Picture:
    """Gathers `samples` int16 samples at `rate` Hz into at most 1000 columns, then draws them.

    The spectrogram has Hann windows of 32 ms or a little more, -100 to 0 dB of full scale.
    """

    def __init__(self, samples: int, rate: int) -> None:
        self._rate = rate
        self._samples = samples
        self._columns = max(1, min(_COLUMNS, samples))
        self._size = 1 << max(4, round(rate * _WINDOW_SECONDS) - 1).bit_length()
        self._window = np.hanning(self._size)
        self._low = np.full(self._columns, 32767, np.int16)
        self._high = np.full(self._columns, -32768, np.int16)
        self._spectra = np.full((self._columns, self._size // 2 + 1), _FLOOR_DB, np.float32)
        self._tail = np.zeros(self._size // 2, np.int16)
        self._done = 0
        self._next = 0

    def add(self, block: MonoSamples) -> None:
        """The next samples: int16 (n,), up to `samples` in all."""
        for start in range(0, len(block), 1 << 16):
            self._add(block[start : start + (1 << 16)])

    def _add(self, block: MonoSamples) -> None:
        """At most 65536 of the next samples."""
        columns = (np.arange(self._done, self._done + len(block)) * self._columns) // self._samples
        np.minimum.at(self._low, columns, block)
        np.maximum.at(self._high, columns, block)
        self._done += len(block)
        self._measure(np.concatenate([self._tail, block]))

    def _measure(self, recent: MonoSamples) -> None:
        """Spectra of the columns whose window (centred on the column) ends within `recent`, the newest samples."""
        first = self._done - len(recent)
        while self._next < self._columns:
            start = (2 * self._next + 1) * self._samples // (2 * self._columns) - self._size // 2
            if start + self._size > self._done:
                break
            spectrum = np.fft.rfft(recent[start - first :][: self._size] / 32768.0 * self._window)
            level = np.abs(spectrum) / (self._window.sum() / 2)
            self._spectra[self._next] = 20 * np.log10(np.maximum(level, 10 ** (_FLOOR_DB / 20)))
            self._next += 1
        self._tail = recent[-self._size :]

    def png(self, title: str) -> bytes:
        """Draws what was gathered: the bytes of a PNG file."""
        self._done += self._size
        self._measure(np.concatenate([self._tail, np.zeros(self._size, np.int16)]))
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        figure = Figure(figsize=(10, 6), layout="constrained")
        FigureCanvasAgg(figure)
        wave, spectrogram = figure.subplots(2, 1, sharex=True)
        seconds = self._samples / self._rate
        self._draw_wave(wave, seconds, title)
        image = spectrogram.imshow(
            self._spectra.T,
            origin="lower",
            aspect="auto",
            extent=(0, seconds, 0, self._rate / 2000),
            vmin=_FLOOR_DB,
            vmax=0,
            cmap="magma",
        )
        spectrogram.set(xlabel="seconds", ylabel="kHz")
        figure.colorbar(image, ax=spectrogram, label="dB of full scale")
        file = io.BytesIO()
        figure.savefig(file, format="png", dpi=100)
        return file.getvalue()

    def _draw_wave(self, axes: Any, seconds: float, title: str) -> None:
        """The waveform over time, with the title above."""
        times = (np.arange(self._columns) + 0.5) * seconds / self._columns
        axes.fill_between(times, self._low / 32768, self._high / 32768, linewidth=0.5, step="mid")
        axes.set(ylim=(-1, 1), xlim=(0, seconds), ylabel="amplitude")
        axes.set_title(title.replace("$", r"\$"), fontsize=10)
