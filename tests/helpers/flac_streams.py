"""FLAC streams that encoders seldom make, of frames whose samples stand as they are."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Sequence

import numpy as np

from synth.audio.formats.crc16 import crc16
from synth.audio.formats.flac_frames import _crc8
from synth.common.typing import MonoSamples

TITLE = (4, struct.pack("<I5sII7s", 5, b"maker", 1, 7, b"TITLE=a"))
ID3V2 = b"ID3\4\0\0\0\0\0\x0a" + bytes(10)
ID3V1 = b"TAG" + b"title".ljust(125, b"\0")


def coded_number(number: int) -> bytes:
    """A number as a frame's header has it: UTF-8, of up to 36 bits."""
    if number < 128:
        return bytes([number])
    follow: list[int] = []
    room = 6
    while number >= 1 << room:
        follow.insert(0, 0x80 | number & 63)
        number, room = number >> 6, room - 1
    return bytes([(0xFF << room + 1) & 0xFF | number, *follow])


def frame(samples: MonoSamples, number: int, *, variable: bool = False, rate: int = 0) -> bytes:
    """A frame of 16-bit samples; `rate`: a code of the header, 0: as STREAMINFO says."""
    head = bytes([0xFF, 0xF8 | variable, 7 << 4 | rate, 4 << 1]) + coded_number(number)
    head += struct.pack(">H", len(samples) - 1)
    body = head + bytes([_crc8(head)]) + b"\2" + samples.astype(">i2").tobytes()
    return body + struct.pack(">H", crc16(body))


def frames(samples: MonoSamples, size: int = 1000, first: int = 0) -> bytes:
    """All samples in frames of a size, numbered from `first` on."""
    return b"".join(frame(samples[at : at + size], first + at // size) for at in range(0, len(samples), size))


def stream(
    samples: MonoSamples,
    body: bytes | None = None,
    *,
    total: int | None = None,
    md5: bytes | None = None,
    blocks: Sequence[tuple[int, bytes]] = (TITLE,),
) -> bytes:
    """A stream of 8 kHz; `body`: its frames; `total`: samples as STREAMINFO says, 0: unknown."""
    digest = hashlib.md5(samples.astype("<i2").tobytes()).digest() if md5 is None else md5
    told = len(samples) if total is None else total
    info = struct.pack(">HH6x", 16, 65535) + (8000 << 44 | 15 << 36 | told).to_bytes(8, "big") + digest
    data = b"fLaC"
    every = [(0, info), *blocks]
    for place, (kind, block) in enumerate(every):
        data += bytes([kind | (place == len(every) - 1) << 7]) + len(block).to_bytes(3, "big") + block
    return data + (frames(samples) if body is None else body)


def sound(count: int = 8000) -> MonoSamples:
    """A tone with noise."""
    t = np.arange(count) / 8000
    noise = np.random.default_rng(3).normal(0, 150, count)
    return (6000 * np.sin(2 * np.pi * 220 * t) + noise).astype(np.int16)


def metadata_blocks(file: bytes) -> list[tuple[int, bytes]]:
    """Kind and body of each metadata block of a stream."""
    at, blocks, last = 4, [], False
    while not last:
        last, length = bool(file[at] & 128), int.from_bytes(file[at + 1 : at + 4], "big")
        blocks.append((file[at] & 127, file[at + 4 : at + 4 + length]))
        at += 4 + length
    return blocks
