"""What is said of sound that was generated: silent, constant, off centre, clipped, or nothing."""

from __future__ import annotations

import numpy as np
import pytest

from synth.audio.sound_check import FULL_SCALE, SoundCheck

RATE = 8000
TONE = (9000 * np.sin(np.arange(RATE) / 7)).astype(np.int16)
BURSTS = np.where(np.arange(RATE) % 400 < 6, FULL_SCALE, TONE // 4).astype(np.int16)
SOUNDS: dict[str, tuple[object, str | None]] = {
    "zeros": (np.zeros(RATE, np.int16), "silent"),
    "the code beside zero": (np.full(RATE, 3, np.int16), "silent"),
    "a click and nothing": (np.where(np.arange(RATE) == 9, 300, 3).astype(np.int16), "silent"),
    "a constant": (np.full(RATE, -9000, np.int16), "constant"),
    "full scale": (np.full(RATE, 32767, np.int16), "constant"),
    "a tone": (TONE, None),
    "a faint tone": (TONE // 200, None),
    "a tone off centre": (TONE + np.int16(2000), None),
    "a faint tone far off centre": (TONE // 2 + np.int16(8000), "offset"),
    "a clipped tone": (BURSTS, "clipped"),
    "a loud tone": ((32000 * np.sin(np.arange(RATE) / 7)).astype(np.int16), None),
    "a moment": (np.zeros(RATE // 8, np.int16), None),
    "nothing": (np.zeros(0, np.int16), None),
}


@pytest.mark.parametrize("name", SOUNDS)
@pytest.mark.parametrize("block", [1 << 14, 333])
def test_what_is_wrong_with_a_sound(name: str, block: int) -> None:
    samples, expected = SOUNDS[name]
    assert isinstance(samples, np.ndarray)
    check = SoundCheck(RATE)
    for start in range(0, len(samples), block):
        check.add(samples[start : start + block])
    assert check.fault == expected
