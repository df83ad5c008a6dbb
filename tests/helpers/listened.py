"""What a voice hears of sounds that are whole numbers, as hashes: the same on every machine. Also a program.

`python tests/helpers/listened.py` prints them, one a line; what it prints is EXPECTED, to be changed only when hearing
is.
"""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

import synth
from synth.audio.features import features, powers, to_float32
from synth.recognition.config import ClassifierConfig
from synth.vocoder import note_tables
from synth.vocoder.config import VocoderConfig
from synth.vocoder.note_locking import NoteLocker

CHECKPOINTS = {"speech-4": 16000, "digits-5": 8000}
SECONDS = 3
NOTES = VocoderConfig(mels=64, latent=128, notes=96)
EXPECTED = {
    "speech-4 features": "ba9f0903c0a586ee898a989aa5a996ed",
    "speech-4 vectors": "717dbf1a145c11d814fea916e9ddcaca",
    "speech-4 tokens": "fec4044a630db6e5ca856a16ff77297d",
    "digits-5 features": "14151209203ea75014926eb63de1fced",
    "digits-5 vectors": "e72079b1bca46d19a44708565055e2b0",
    "digits-5 tokens": "1401417c1b7f47192cacb800406d3538",
    "16000 notes": "60963993a36d7f5d289b04bc10c8324b",
    "16000 note bed": "0b7933714e9d67d6335c74cd021591d9",
    "44100 notes": "c5c5a4ba0429362b8e821f488920c454",
    "44100 note bed": "65b5621acbcc95d429158db35d8dd163",
    "1000 powers": "18b133b24ec96cbf4331dc08b6df873c",
    "1000 cepstra": "b4784363af9382f2cb6bcf0f450de2f8",
    "11025 powers": "25ef578b948bccfe8d86048a7ae619fe",
    "11025 cepstra": "a482e9c15374c58ba9e796e50edc70ec",
    "48000 powers": "c40d66b3de704ce5420dbcd91a3fd3cc",
    "48000 cepstra": "e4894b5cf7573362979bf355e897aaeb",
}


def sound(rate: int, count: int) -> NDArray[np.int16]:
    """Two gliding triangles in noise, from faint to clipped and back, with silence: integers alone, no NumPy draws."""
    found, noise, first, second = [], 1, 0, 0
    for n in range(count):
        noise = (noise * 1103515245 + 12345) % 2**31
        first, second = (first + 7_000_000 // rate + n % 4001) % 65536, (second + 40_000_000 // rate) % 65536
        wave = abs(first - 32768) + abs(second - 32768) // 3 - 21845
        loud = n * 16 // count
        value = (wave * 2 + ((noise >> 12) % 16384 - 8192) // 8) >> abs(8 - loud)
        found.append(0 if loud == 11 else max(-32768, min(32767, value)))
    return np.array(found, np.int16)


def _hash(array: NDArray[Any]) -> str:
    kind = array.dtype.newbyteorder("<")
    return hashlib.sha256(np.ascontiguousarray(array, kind).tobytes()).hexdigest()[:32]


def hashes() -> dict[str, str]:
    """What is heard, by name."""
    found = {}
    for name, rate in CHECKPOINTS.items():
        runtime = synth.load(name).runtime
        assert runtime is not None
        heard = sound(rate, SECONDS * rate)
        vectors = runtime.vocoder.encode_sound(heard)
        found[f"{name} features"] = _hash(runtime.vocoder.features(heard))
        found[f"{name} vectors"] = _hash(vectors)
        found[f"{name} tokens"] = _hash(runtime.vocoder.tokens(vectors))
    for rate in (16000, 44100):
        locker = NoteLocker(NOTES, rate, note_tables.new_tables(rate))
        locked = locker.lock(sound(rate, rate))
        found[f"{rate} notes"] = _hash(locked.rows)
        found[f"{rate} note bed"] = _hash(np.concatenate([locked.bed, locked.residual]))
    for rate in (1000, 11025, 48000):  # transforms of 32, 512 and 2048
        wave, config = to_float32(sound(rate, rate // 2)), ClassifierConfig(rate, features="mfcc", mels=24)
        found[f"{rate} powers"] = _hash(powers(wave, config, 0.011 * rate))
        found[f"{rate} cepstra"] = _hash(features(wave, config, warp=1.07, span=10.0))
    return found


if __name__ == "__main__":
    for name, value in hashes().items():
        print(f'    "{name}": "{value}",')
