"""Files of 32-bit floats through the codec and back."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.packed import form, packed, tones, unpacked, wav
from numpy.typing import NDArray

from synth import engine

pytestmark = pytest.mark.skipif(not engine.has_native(), reason="takes the compiled engine")
HALVES = np.array([-1, 0.5] * 200)
SOUND = tones(400, 1, 16)[:, 0] / 32768


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("unit", [1, 32768])
@pytest.mark.parametrize(
    "sound",
    [np.append(-1.0, SOUND), np.append(SOUND, -1.0), np.append([0, 0, -1, -1.0], SOUND), HALVES, np.full(100, -1.0)],
)
def test_integers_in_floats_come_back_wherever_the_least_one_is(
    sound: NDArray[np.float64], unit: int, channels: int
) -> None:
    data = np.repeat(sound * unit, channels).astype("<f4").tobytes()
    file = wav(data, form(3, channels, 8000, 4))
    for piped in (False, True):
        made = packed(file, piped=piped)
        assert unpacked(made) == file and made[3] == 1
