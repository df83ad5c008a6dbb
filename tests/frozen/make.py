"""Makes the .syn files of this folder, once for each version of the format: python tests/frozen/make.py

Files that are there stay: they are what earlier versions wrote, and must decode for ever to what digests.txt says.
"""

from __future__ import annotations

import hashlib
import io
import struct
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from synth.audio.formats import pcm, riff_header
from synth.codec import decoder, encoder, sources
from synth.codec.decoder import Decoder
from synth.codec.header import Header

HERE = Path(__file__).resolve().parent
DIGESTS = HERE / "digests.txt"
OLDER = {"fast-alaw", "balanced-ulaw"}
"""What is made shorter now: noise in G.711, which version 1 can't hold in its bytes."""


def tune(frames: int, channels: int, bits: int, seed: int = 1) -> NDArray[np.int32]:
    """Something like music, from integers alone: resonances struck by noise, louder half-way."""
    state, out = seed, np.zeros((frames, channels), np.int64)
    memory = [[0, 0] for _ in range(channels)]
    for t in range(frames):
        for c in range(channels):
            state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
            noise = ((state >> 40) % 2001 - 1000) * (4 if t > frames // 2 else 1)
            y1, y2 = memory[c]
            memory[c] = [(y1 * (1990 - 3 * c) - y2 * 1004) // 1024 + noise * 8, y1]
            out[t, c] = memory[c][0] * 16 + (state >> 33) % 16 + (out[t, 0] // 2 if c else 0)
    out >>= 24 - bits
    return np.clip(out, -(1 << (bits - 1)), (1 << (bits - 1)) - 1).astype(np.int32)


def sound(samples: NDArray[np.int32], encoding: str, rate: int = 16000) -> bytes:
    """A WAV of these samples (of 24 bits)."""
    samples = samples.astype(np.int32) >> 24 - pcm.BITS[encoding]
    if encoding in ("alaw", "mulaw"):
        samples = pcm.unpack((samples & 255).astype(np.uint8).tobytes(), encoding, False, samples.shape[1])
    header = Header("wav", encoding, samples.shape[1], rate, "fast")
    return riff_header.plain_head(header, len(samples)) + pcm.pack(samples, encoding, False)


def aiff(samples: NDArray[np.int32]) -> bytes:
    """An AIFF of 24 bits at 44100 Hz."""
    data = pcm.pack(samples, "s24", True)
    shape = struct.pack(">hIhHQ", samples.shape[1], len(samples), 24, 0x400E, 44100 << 48)
    parts = (
        b"AIFF" + b"COMM" + struct.pack(">I", 18) + shape + b"SSND" + struct.pack(">III", len(data) + 8, 0, 0) + data
    )
    return b"FORM" + struct.pack(">I", len(parts)) + parts


def floats(samples: NDArray[np.float64] | NDArray[np.float32]) -> bytes:
    """A WAV of 32-bit floats at 44100 Hz."""
    header = Header("wav", "float32", samples.shape[1], 44100, "fast")
    return riff_header.plain_head(header, len(samples)) + samples.astype("<f4").tobytes()


def sound_of_integers(samples: NDArray[np.int32]) -> bytes:
    """A WAV of 32-bit integers at 44100 Hz."""
    header = Header("wav", "int32", samples.shape[1], 44100, "fast")
    return riff_header.plain_head(header, len(samples)) + (samples * 200 + 77).astype("<i4").tobytes()


def aiff_of_floats(samples: NDArray[np.int32]) -> bytes:
    """An AIFF-C of 32-bit floats at 44100 Hz."""
    header = Header("aiff", "float32", samples.shape[1], 44100, "fast", big=True)
    data = (samples / 2.0**22 * 0.3).astype(">f4").tobytes()
    return riff_header.part_head(header, len(samples), b"") + data


def chunked(file: bytes) -> bytes:
    """A WAV with a chunk before its samples, one after, and a byte too many."""
    note = b"note" + struct.pack("<I", 6) + b"hello!"
    body = file[8:36] + note + file[36:] + note + b"?"
    return file[:4] + struct.pack("<I", len(body) - 1) + body


def files() -> dict[str, tuple[bytes, dict[str, object]]]:
    """Name, the sound file, and how it is compressed."""
    mono, stereo = tune(1500, 1, 24), tune(900, 2, 24, 2)
    steps = np.repeat(tune(40, 1, 24, 3), 25, 0) // 65536 * 65536
    noise = (tune(300, 1, 24, 4) * 40503) % (1 << 24) - (1 << 23)
    both = np.concatenate([tune(400, 2, 24, 5), np.zeros((500, 2), np.int32), tune(300, 2, 24, 6)])
    repeated = np.concatenate([np.resize(stereo[:77], (7000, 2)), np.zeros((4000, 2), np.int32), stereo, stereo[:77]])
    odd = mono / 2.0**24 * 0.9
    odd[100:900:50, 0] = np.resize([np.nan, np.inf, -np.inf, -0.0, 1e-41, -3e38, 1.0, 0.0], 16)
    bits = (noise.astype(np.int64) * 2654435761 % 2**32).astype(np.uint32)
    none = {"network": "none"}
    found: dict[str, tuple[bytes, dict[str, object]]] = {
        "fast-16": (sound(mono, "s16"), {"effort": "fast"}),
        "balanced-24-stereo": (sound(stereo, "s24"), none),
        "max-16": (sound(mono, "s16"), {"effort": "max", **none}),
        "max-16-stereo": (sound(stereo, "s16"), {"effort": "max", **none}),
        "balanced-u8": (sound(mono, "u8"), none),
        "balanced-float": (sound(stereo, "f32"), none),
        "fast-alaw": (sound(mono, "alaw", 8000), {"effort": "fast"}),
        "balanced-ulaw": (sound(mono, "mulaw", 8000), none),
        "balanced-aiff": (aiff(stereo), none),
        "fast-chunks": (chunked(sound(mono, "s16")), {"effort": "fast"}),
        "balanced-list": (sound(steps, "s16"), none),
        "balanced-shift": (sound(mono // 4096 * 4096, "s24"), none),
        "balanced-stored": (sound(noise, "s24"), none),
        "fast-copies": (sound(np.repeat(mono // 512 * 256, 3, 1) * [1, 1, -1], "s16"), {"effort": "fast"}),
        "balanced-segments": (sound(both, "s16"), {"segment": 100, **none}),
        "fast-empty": (sound(mono[:0], "s16"), {"effort": "fast"}),
        "balanced-digits-plain-1": (sound(mono, "s16", 8000), {"network": "digits-plain-1"}),
        "max-piano-1-stereo": (sound(stereo[:400], "s16"), {"effort": "max", "network": "piano-1"}),
        "balanced-general-1": (sound(mono, "s24"), {"network": "general-1"}),
        "mulaw": (sound(mono, "s16"), {"mode": "mulaw", **none}),
        "2-fast-alaw": (sound(mono, "alaw", 8000), {"effort": "fast"}),
        "2-balanced-ulaw": (sound(mono, "mulaw", 8000), none),
        "2-mulaw": (sound(noise, "mulaw"), {"mode": "mulaw", "segment": 150, **none}),
        "2-repeated": (sound(repeated, "s16"), {"effort": "fast", "segment": 2000}),
        "2-repeated-general-1": (chunked(sound(repeated[:5000], "s24")), {"network": "general-1"}),
        "2-repeated-alaw": (sound(np.resize(noise, (4000, 1)), "alaw"), {"effort": "fast"}),
        "5-float-gain": (floats(mono[:, :1] / 2**15 * 0.0123 // 1 * 0.7), {"effort": "fast"}),
        "5-float-stereo": (floats(stereo / 2.0**23 * [1.7, 0.3] + 1e-3), none),
        "5-float-odd": (floats(odd), {"effort": "fast", "segment": 400}),
        "5-integers": (sound_of_integers(stereo), none),
        "5-aiff": (aiff_of_floats(mono[:300]), {"effort": "fast"}),
        "5-stored": (floats(bits.view(np.float32)), {"effort": "fast"}),
        "5-float-corrector-2": (floats(mono / 2.0**20 * 0.77), {"network": "corrector-2"}),
        "5-repeated": (floats(np.resize(mono[:90], (3000, 1)) / 2.0**24 * 1.1), {"effort": "fast"}),
        "balanced-corrector-2-stereo": (sound(stereo, "s24"), {"network": "corrector-2"}),
        "max-corrector-large-2": (sound(mono[:700], "s16"), {"effort": "max", "network": "corrector-large-2"}),
        "mulaw-corrector-2": (sound(mono, "s16"), {"mode": "mulaw", "network": "corrector-2"}),
        "balanced-corrector-2": (sound(mono, "s16", 8000), {"network": "corrector-2"}),
        "max-corrector-large-2-stereo": (sound(stereo[:400], "s16"), {"effort": "max", "network": "corrector-large-2"}),
        "mulaw-general-1-stereo": (sound(stereo, "s24"), {"mode": "mulaw", "network": "general-1"}),
    }
    return found


def decoded(data: bytes) -> bytes:
    """The file that a .syn file was made of."""
    out = io.BytesIO()
    decoder.decompress_stream(Decoder(io.BytesIO(data), "frozen"), out.write)
    return out.getvalue()


def main() -> int:
    known = DIGESTS.read_text() if DIGESTS.exists() else ""
    for name, (file, options) in files().items():  # the options are of several types, which mypy can't match
        path = HERE / f"{name}.syn"
        if path.exists():
            continue
        out = io.BytesIO()
        encoder.compress_stream(sources.open_sound(io.BytesIO(file), name, len(file)), out.write, **options)  # type: ignore[arg-type]
        if options.get("mode") is None and decoded(out.getvalue()) != file:
            raise SystemExit(f"{name}: does not come back")
        path.write_bytes(out.getvalue())
        known += f"{hashlib.sha256(decoded(out.getvalue())).hexdigest()}  {name}.syn\n"
    DIGESTS.write_text(known)
    return 0


if __name__ == "__main__":
    sys.exit(main())
