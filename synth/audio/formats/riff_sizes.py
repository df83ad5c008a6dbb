"""The sizes that WAV and AIFF files tell of themselves, and what they mean where a program didn't know them.

A writer to a pipe, and a recorder that was stopped, leave 0, 0xFFFFFFFF or a size of their own where the length of the
samples belongs. A size of 32 bits can't tell of 4 GiB or more: some programs write what is left of it.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from synth.audio.formats.file_view import FileView, ReadAt

UNKNOWN_SIZE = 0x7FFFF000
"""Data sizes from here on are what programs write that do not know the length, where the file is shorter."""
UNKNOWN, SIZE32 = 0xFFFFFFFF, 1 << 32
LEAST_SAMPLES = 1024
"""Bytes after the head of an empty file that are its samples; fewer are what somebody put after it."""
KINDS = (b"WAVE", b"AIFF", b"AIFC")
_STAND_INS = (0x7FFFF000, 0x7FFFFFFF, 0x80000000)
_NAMES = {
    name.ljust(4)
    for name in (
        b"fmt data LIST fact bext JUNK junk cue smpl inst id3 ID3 iXML PAD ds64 FLLR PEAK levl axml chna umid cart "
        b"acid _PMX afsp DISP strc plst note labl "
        b"COMM SSND NAME AUTH ANNO (c) COMT INST MARK FVER CHAN APPL MIDI AESD BODY VHDR"
    ).split()
}
_PAD_AHEAD = 9
_MOST_CHUNKS = 10_000
_MOST_FORM = 4096


def is_unpadded(after: bytes) -> bool:
    """Whether the chunk of odd length before these 9 bytes lacks its byte of padding: a known name begins at once."""
    return after[:4] in _NAMES and after[1:5] not in _NAMES


def samples_size(stated: int, whole: int, at: int, left: int | None, large: int | None = None) -> int | None:
    """Bytes of samples, None where all that follows is.

    `stated`: as their chunk says; `whole`: as the file's first chunk says of what follows its 8 bytes; `at`: the place
    where the samples begin; `left`: bytes from there on, None of a pipe; `large`: as RF64's chunk ds64 says. The result
    is more than `left` where the file was cut short.
    """
    if stated == UNKNOWN and large is not None and 0 < large < 1 << 63:
        return large
    if stated == UNKNOWN or (stated == 0 and whole in (0, UNKNOWN)):
        return None
    if stated == 0 and whole + 8 <= at:  # an empty file's head, perhaps of one that was not finished
        return 0 if left is not None and left < LEAST_SAMPLES else None
    if left is None:
        return None if stated >= UNKNOWN_SIZE else stated
    if stated > left:
        return None if stated >= UNKNOWN_SIZE else stated
    if stated in _STAND_INS and left > stated and whole + 8 <= at + stated:
        return None
    size = at + left
    if size >= SIZE32 and (whole + 8 - size) % SIZE32 in (0, 1, SIZE32 - 1):
        return stated + (left - stated) // SIZE32 * SIZE32
    return stated


@dataclass(frozen=True)
class PcmSpan:
    """Where the samples of a WAV or AIFF file are, and what they are: the body of `fmt ` or `COMM`.

    `name` and `kind`: the file's first 4 bytes, and the 4 after its size. `at`: a place; `length`: bytes, more than
    there are where the file is cut short. `is_plain`: libsndfile finds the same.
    """

    name: bytes
    kind: bytes
    form: bytes
    at: int
    length: int
    is_plain: bool

    def view(self, read: ReadAt) -> FileView:
        """The samples behind a head with their true size."""
        return FileView(read, self._head(), self.at, self.at + self.length)

    def _head(self) -> bytes:
        order = "<" if self.name in (b"RIFF", b"RF64") else ">"
        if self.name == b"FORM":
            channels, bits = struct.unpack(">h4xh", self.form[:8])
            frames = self.length // max(1, channels * ((bits + 7) // 8))
            form = self.form[:2] + struct.pack(">I", frames & UNKNOWN) + self.form[6:]
            data = struct.pack(">4sIII", b"SSND", min(self.length + 8, UNKNOWN), 0, 0)
        else:
            form, data = self.form, struct.pack(f"{order}4sI", b"data", min(self.length, UNKNOWN))
        kind = b"COMM" if self.name == b"FORM" else b"fmt "
        chunks = kind + struct.pack(f"{order}I", len(form)) + form + b"\0" * (len(form) & 1) + data
        whole = 4 + len(chunks) + self.length
        if whole < SIZE32 or order == ">":
            return (
                self.name.replace(b"RF64", b"RIFF") + struct.pack(f"{order}I", min(whole, UNKNOWN)) + self.kind + chunks
            )
        sizes = struct.pack("<4sIQQQI", b"ds64", 28, whole + 36, self.length, 0, 0)
        return b"RF64" + struct.pack("<I", UNKNOWN) + self.kind + sizes + chunks


def find_span(read: ReadAt, size: int, start: int = 0) -> PcmSpan | None:
    """The samples of the WAV or AIFF file that begins at `start` of one of `size` bytes; None where none are."""
    name, whole, kind = struct.unpack("<4sI4s", read(start, 12).ljust(12, b"\0"))
    order = "<" if name in (b"RIFF", b"RF64") else ">"
    whole = whole if order == "<" else int.from_bytes(read(start + 4, 4), "big")
    at, form, large, is_plain = start + 12, b"", None, True
    for _ in range(_MOST_CHUNKS):
        chunk = read(at, 8)
        if len(chunk) < 8:
            return None
        identity, length = struct.unpack(f"{order}4sI", chunk)
        at += 8
        if identity in (b"data", b"SSND", b"BODY"):
            break
        if identity in (b"fmt ", b"COMM", b"VHDR"):
            form = read(at, min(length, _MOST_FORM))
        elif identity == b"ds64" and length >= 16:
            large = int.from_bytes(read(at + 8, 8), "little")
        at += length
        if length & 1:
            unpadded = is_unpadded(read(at, _PAD_AHEAD))
            is_plain, at = is_plain and not unpadded, at + (not unpadded)
    else:
        return None
    if identity == b"SSND":
        offset = int.from_bytes(read(at, 4), "big")
        at, length = at + 8 + offset, length if length == UNKNOWN else max(0, length - 8 - offset)
    left = max(0, size - at)
    large = large if name == b"RF64" else None
    samples = samples_size(length, whole, at - start, left, large)
    samples = left if samples is None else samples
    is_plain = is_plain and samples == (large if large is not None and length == UNKNOWN else length)
    return PcmSpan(name, kind, form, at, samples, is_plain or len(form) < 16 or kind not in KINDS)
