"""What the tests of compressing share: WAV files built by hand, and .syn files made and read in memory."""

from __future__ import annotations

import io
import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synth.codec import decoder, encoder, sources
from synth.codec.decoder import Decoder


def chunk(identity: bytes, body: bytes) -> bytes:
    """A RIFF chunk with its padding."""
    return identity + struct.pack("<I", len(body)) + body + b"\0" * (len(body) & 1)


def form(code: int, channels: int, rate: int, width: int, extensible: bool = False) -> bytes:
    """The body of a WAV's `fmt `."""
    shape = channels, rate, rate * channels * width, channels * width, 8 * width
    if not extensible:
        return struct.pack("<HHIIHH", code, *shape)
    guid = struct.pack("<H", code) + bytes.fromhex("000000001000800000aa00389b71")
    return struct.pack("<HHIIHHHHI", 0xFFFE, *shape, 22, 8 * width, (1 << channels) - 1) + guid


def wav(data: bytes, form: bytes, before: bytes = b"", after: bytes = b"", junk: bytes = b"") -> bytes:
    """A WAV with chunks before and after its samples, and bytes that belong to nothing."""
    body = b"WAVE" + chunk(b"fmt ", form) + before + chunk(b"data", data) + after
    return b"RIFF" + struct.pack("<I", len(body)) + body + junk


def tones(frames: int, channels: int, bits: int, seed: int = 0) -> NDArray[np.int32]:
    """Something to compress: tones and a little noise, [frames, channels]."""
    random = np.random.default_rng(seed)
    t = np.arange(frames)[:, None] / (9 + np.arange(channels))
    samples = (0.7 * np.sin(t) + random.normal(0, 0.02, (frames, channels))) * (1 << (bits - 1))
    return np.clip(samples, -(1 << (bits - 1)), (1 << (bits - 1)) - 1).astype(np.int32)


def wav16(frames: int, channels: int = 1, rate: int = 8000, seed: int = 0) -> bytes:
    """A plain WAV of 16 bits."""
    return wav(tones(frames, channels, 16, seed).astype("<i2").tobytes(), form(1, channels, rate, 2))


def packed(file: bytes, *, piped: bool = False, **options: Any) -> bytes:
    """A sound file as a .syn file."""
    out = io.BytesIO()
    sound = sources.open_sound(io.BytesIO(file), "x.wav", None if piped else len(file))
    done = encoder.compress_stream(sound, out.write, **{"effort": "fast", **options})
    assert done.bytes_out == len(out.getvalue())
    return out.getvalue()


def unpacked(data: bytes, *, threads: int = 1, start: float | None = None, end: float | None = None) -> bytes:
    """The sound file of a .syn file, or a part of it."""
    out = io.BytesIO()
    part = start is not None or end is not None
    opened = Decoder(io.BytesIO(data), "x.syn", seekable=part, threads=threads)
    decoder.decompress_stream(opened, out.write, opened.limit(start, end) if part else None)
    return out.getvalue()


def salvaged(data: bytes) -> tuple[bytes, list[str]]:
    """What can be saved of a .syn file, and what is said of the rest."""
    out = io.BytesIO()
    opened = Decoder(io.BytesIO(data), "x.syn", seekable=True, salvage=True)
    decoder.decompress_stream(opened, out.write)
    return out.getvalue(), opened.damages
