"""PNG files of spectrograms: whole, and with the sound where it belongs."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from helpers import sounds
from numpy.typing import NDArray

from synth.audio import spectrogram_png


def decoded(data: bytes) -> NDArray[np.uint8]:
    """The levels (height, width) of what `png.image` made, every checksum looked at."""
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    file, found = io.BytesIO(data[8:]), {}
    while head := file.read(8):
        length, kind = struct.unpack(">I4s", head)
        found[kind] = file.read(length)
        assert struct.unpack(">I", file.read(4))[0] == zlib.crc32(kind + found[kind])
    assert list(found) == [b"IHDR", b"PLTE", b"IDAT", b"IEND"] and len(found[b"PLTE"]) == 768
    width, height, *form = struct.unpack(">IIBBBBB", found[b"IHDR"])
    assert form == [8, 3, 0, 0, 0]
    rows = np.frombuffer(zlib.decompress(found[b"IDAT"]), np.uint8).reshape(height, width + 1)
    assert not rows[:, 0].any()
    return rows[:, 1:]


def test_image_keeps_every_level() -> None:
    levels = np.arange(256, dtype=np.uint8).reshape(8, 32)
    np.testing.assert_array_equal(decoded(spectrogram_png.image(levels)), levels)


@pytest.mark.parametrize("rate", [8000, 44100])
def test_a_tone_is_a_line_at_its_frequency_while_it_sounds(rate: int) -> None:
    wave = np.concatenate([np.zeros(rate // 2, np.int16), sounds.tone(rate // 2, rate, 0.25 * rate)])
    levels = decoded(spectrogram_png.spectrogram(wave, rate))
    assert levels.shape[1] == pytest.approx(250, abs=1)
    loudest = levels[:, 150:240].argmax(axis=0)
    assert np.all(np.abs(loudest - levels.shape[0] // 2) <= 1)  # a quarter of the rate is half way up
    assert levels[:, :110].max() == 0 and levels[:, 150:].max() > 200


def test_low_is_at_the_bottom_and_short_sounds_have_a_picture() -> None:
    levels = decoded(spectrogram_png.spectrogram(sounds.tone(8000, hertz=200), 8000))
    assert levels[:, 100].argmax() > 0.9 * len(levels)
    assert decoded(spectrogram_png.spectrogram(np.ones(1, np.int16), 8000)).shape[1] == 1
