"""What sound files of other formats say of their own length: libsndfile reads a file that was cut as a shorter one.

Each function takes the file's bytes at any place, and gives the place where its samples end by its header, None where
it does not tell. Of PAF, IRCAM, PVF, MAT4, MAT5 and MPC2K none is here: a cut one passes as a shorter sound.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable

from synth.audio.formats.file_view import ReadAt

_W64_RIFF = b"riff.\x91\xcf\x11\xa5\xd6(\xdb\x04\xc1\0\0"
_MOST_CHUNKS = 10_000


def declared_end(read: ReadAt) -> int | None:
    """The place where the samples end as the header says; None where it does not say, or the format is another."""
    start = read(0, 16)
    reader = next((reader for magic, reader in _READERS if start.startswith(magic)), None)
    try:
        return reader(read) if reader else None
    except (struct.error, ValueError):
        return None


def _w64(read: ReadAt) -> int | None:
    """Sony Wave64: sizes of 64 bits, which count their own 24 bytes; chunks at multiples of 8."""
    at = 40
    for _ in range(_MOST_CHUNKS):
        name, size = struct.unpack("<4s12xQ", read(at, 24))
        if name == b"data":
            return at + size if 24 < size < 1 << 62 else None
        if size < 24:
            return None
        at += (size + 7) & ~7
    return None


def _au(read: ReadAt) -> int | None:
    order = ">" if read(0, 4) == b".snd" else "<"
    offset, size = struct.unpack(f"{order}II", read(4, 8))
    return offset + size if size != 0xFFFFFFFF else None


def _caf(read: ReadAt) -> int | None:
    """Core Audio: chunks with a size of 64 bits, -1 of the last where it isn't known."""
    at = 8
    for _ in range(_MOST_CHUNKS):
        name, size = struct.unpack(">4sq", read(at, 12))
        at += 12
        if name == b"data" or size < 0:
            return at + int(size) if size > 0 else None
        at += int(size)
    return None


def _nist(read: ReadAt) -> int | None:
    """NIST SPHERE, that is not compressed within."""
    text = read(0, 4096).decode("latin-1")
    if "shorten" in text or "wavpack" in text:
        return None
    sizes = [re.search(rf"{name} -i (\d+)", text) for name in ("sample_count", "sample_n_bytes", "channel_count")]
    if not sizes[0] or not sizes[1]:
        return None
    product = int(sizes[0][1]) * int(sizes[1][1]) * (int(sizes[2][1]) if sizes[2] else 1)
    return int(text.split("\n")[1]) + product


def _avr(read: ReadAt) -> int | None:
    mono, bits = struct.unpack(">HH", read(12, 4))
    frames = struct.unpack(">I", read(26, 4))[0]
    return int(128 + frames * (bits // 8) * (2 if mono else 1))


def _wve(read: ReadAt) -> int | None:
    return 32 + int(struct.unpack(">I", read(18, 4))[0])


def _voc(read: ReadAt) -> int | None:
    """Creative Voice: blocks with a size of 24 bits."""
    at = struct.unpack("<H", read(20, 2))[0]
    for _ in range(_MOST_CHUNKS):
        block = read(at, 4)
        if not block or not block[0]:
            return int(at) if at > 26 else None
        if len(block) < 4:
            return int(at) + 4
        at += 4 + int.from_bytes(block[1:], "little")
    return None


_READERS: tuple[tuple[bytes, Callable[[ReadAt], int | None]], ...] = (
    (_W64_RIFF, _w64),
    (b".snd", _au),
    (b"dns.", _au),
    (b"caff", _caf),
    (b"NIST_1A\n", _nist),
    (b"2BIT", _avr),
    (b"ALawSoundFile**", _wve),
    (b"Creative Voice", _voc),
)
