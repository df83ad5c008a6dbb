"""What stands before the samples of WAV and AIFF files, made anew: for mu-law sounds, and for parts of a file."""

from __future__ import annotations

import struct
from typing import Protocol

from synth.audio.formats import pcm
from synth.audio.formats.id3 import tag_length

_WAV_CODES = {
    "u8": 1,
    "s16": 1,
    "s24": 1,
    "s32": 1,
    "f32": 3,
    "f32i": 3,
    "float32": 3,
    "int32": 1,
    "alaw": 6,
    "mulaw": 7,
}


class PcmFormat(Protocol):
    """What the samples of a file are: a codec's header, a reader, or anything else that says so."""

    @property
    def kind(self) -> str: ...
    @property
    def encoding(self) -> str: ...
    @property
    def channels(self) -> int: ...
    @property
    def rate(self) -> int: ...
    @property
    def big(self) -> bool: ...


def plain_head(header: PcmFormat, frames: int | None) -> bytes:
    """The 44 bytes before the samples of a WAV; sizes of 0xFFFFFFFF where they don't fit or aren't known."""
    width = pcm.WIDTH[header.encoding]
    align = width * header.channels
    form = (
        _WAV_CODES[header.encoding],
        header.channels,
        header.rate,
        header.rate * align & 0xFFFFFFFF,
        align,
        8 * width,
    )
    return _wave_head(struct.pack("<HHIIHH", *form), align, frames, "<")


def _wave_head(form: bytes, align: int, frames: int | None, order: str) -> bytes:
    """A RIFF or RIFX head with the body of a chunk "fmt "; `align`: bytes of a frame."""
    size = 0xFFFFFFFF if frames is None else frames * align
    file_size = size + (size & 1) + 20 + len(form)
    size, file_size = (size, file_size) if file_size < 1 << 32 else (0xFFFFFFFF, 0xFFFFFFFF)
    start = b"RIFX" if order == ">" else b"RIFF"
    head = start + struct.pack(f"{order}I4s4sI", file_size, b"WAVE", b"fmt ", len(form)) + form
    return head + struct.pack(f"{order}4sI", b"data", size)


def part_head(header: PcmFormat, frames: int, head: bytes) -> bytes:
    """The head of a file with `frames` of the samples of a file with `head`; damaged heads (empty) give a plain one."""
    align = header.channels * pcm.WIDTH[header.encoding]
    if header.kind == "aiff":
        return _aiff_head(header, frames, align)
    order = ">" if header.big and header.kind == "wav" else "<"
    if head[:4] == b"riff":  # W64: a part of it is a WAV
        head = b""
    at = 12
    while length := tag_length(head[at - 12 : at]):
        at += length
    while at + 8 <= len(head):
        length = struct.unpack(f"{order}I", head[at + 4 : at + 8])[0]
        if head[at : at + 4] == b"fmt ":
            return _wave_head(head[at + 8 : at + 8 + length], align, frames, order)
        at += 8 + length + (length & 1)
    form = struct.unpack("<HHIIHH", plain_head(header, frames)[20:36])
    return _wave_head(struct.pack(f"{order}HHIIHH", *form), align, frames, order)


def _aiff_head(header: PcmFormat, frames: int, align: int) -> bytes:
    """An AIFF head, or where the samples are not big-endian PCM an AIFF-C head."""
    width = pcm.WIDTH[header.encoding]
    packing = {
        "f32": b"fl32",
        "f32i": b"fl32",
        "float32": b"fl32",
        "u8": b"raw ",
        "alaw": b"alaw",
        "mulaw": b"ulaw",
    }.get(header.encoding, b"")
    packing = packing or (b"" if header.big else b"sowt")
    size = header.rate.bit_length()
    form = struct.pack(">hIhHQ", header.channels, frames, 8 * width, 16383 + size - 1, header.rate << (64 - size))
    chunks = struct.pack(">4sII", b"FVER", 4, 0xA2805140) if packing else b""
    form += packing + b"\0\0" if packing else b""
    chunks += struct.pack(">4sI", b"COMM", len(form)) + form
    data = frames * align
    chunks += struct.pack(">4sIII", b"SSND", min(data + 8, 0xFFFFFFFF), 0, 0)
    file_size = min(4 + len(chunks) + data + (data & 1), 0xFFFFFFFF)
    return struct.pack(">4sI4s", b"FORM", file_size, b"AIFC" if packing else b"AIFF") + chunks
