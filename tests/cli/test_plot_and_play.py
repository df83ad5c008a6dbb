"""What `generate-audio` shows and plays: progress, pictures, sound."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from helpers import voices
from helpers.tools import call, command, samples, tiny_checkpoint


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_progress_is_shown_on_a_terminal_only() -> None:
    import fcntl
    import pty
    import termios

    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("4H", 24, 100, 0, 0))
    arguments = command("generate-audio", "-c", tiny_checkpoint(), "x.wav", "-s", "1")
    process = subprocess.Popen(arguments, stderr=theirs, stdout=subprocess.DEVNULL)
    os.close(theirs)
    shown = b""
    try:
        while block := os.read(ours, 4096):
            shown += block
    except OSError:  # the terminal is gone
        pass
    assert process.wait() == 0
    os.close(ours)
    assert b"samples/s" in shown and b"x.wav: 2 s at 8000 Hz, seed 1" in shown


@pytest.mark.parametrize(
    "arguments", ["generate-audio -", "synth vocode a.wav -o -", "synth morph a.wav -o -", "synth compress a.wav -o -"]
)
def test_sound_is_not_written_to_a_terminal(arguments: str) -> None:
    import pty

    soundfile.write("a.wav", voices.sound(900), 8000)
    ours, theirs = pty.openpty()
    name, *rest = arguments.split()
    done = subprocess.run(command(name, *rest, "-c", voices.path()), stdout=theirs, stderr=subprocess.PIPE, timeout=60)
    os.close(theirs)
    assert done.returncode == 2 and b"standard output is a terminal" in done.stderr and done.stderr.count(b"\n") == 1
    with suppress(OSError):  # what Linux says when nobody writes to it any more
        assert os.read(ours, 4096) == b""
    os.close(ours)


@pytest.mark.parametrize("length", [1, 50, 4000, 80000])
def test_plot_draws_a_png(length: int) -> None:
    pytest.importorskip("matplotlib")
    assert call("x$1_.wav", "--plot", "x.png", "--samples", length, "-s", 1) == 0
    assert Path("x.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    assert sorted(os.listdir()) == ["x$1_.wav", "x.png"]


def test_plots_of_several_files_are_numbered() -> None:
    pytest.importorskip("matplotlib")
    assert call("x.wav", "-n", 2, "--plot", "y.png", "--samples", 800, "-s", 1) == 0
    assert sorted(os.listdir()) == ["x-1.wav", "x-2.wav", "y-1.png", "y-2.png"]


def test_a_picture_does_not_depend_on_blocks() -> None:
    pytest.importorskip("matplotlib")
    from synth.audio.plot import Picture

    sound = (8000 * np.sin(2 * np.pi * 1000 / 8000 * np.arange(9000))).astype(np.int16)
    whole, parts = Picture(9000, 8000), Picture(9000, 8000)
    whole.add(sound)
    for start in range(0, 9000, 77):
        parts.add(sound[start : start + 77])
    assert whole.png("a") == parts.png("a")
    peak = whole._spectra[500].argmax() * 8000 / whole._size
    assert peak == pytest.approx(1000, abs=40)
    assert whole._spectra[500].max() == pytest.approx(20 * np.log10(8000 / 32768), abs=1)


class FakeDevice:
    """Stands in for sounddevice, as a module and as its stream."""

    PortAudioError = RuntimeError
    heard = b""

    def __init__(self, **options: Any) -> None:
        assert options == {"samplerate": 8000, "channels": 1, "dtype": "int16"}
        FakeDevice.heard = b""

    def write(self, data: bytes) -> None:
        FakeDevice.heard += data

    def start(self) -> None: ...

    stop = abort = close = start


def test_play_plays_what_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FakeDevice, "RawOutputStream", FakeDevice, raising=False)
    monkeypatch.setitem(sys.modules, "sounddevice", FakeDevice)
    assert call("x.wav", "-n", 2, "--play", "--samples", 3000, "-s", 1) == 0
    assert FakeDevice.heard == samples("x-1.wav").tobytes() + samples("x-2.wav").tobytes()
