"""The header of a .syn file, as docs/format.md has it: it describes the sound file that was compressed."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from synth.checkpoint import fingerprint
from synth.codec import varint
from synth.common.errors import CodecError
from synth.common.limits import LEVELS, MAX_RATE

MAGIC = b"\xb5SY"
PARAMETRIC_VERSION = 3
"""Of the mode parametric alone; the others are of files with this header. Of these the lowest is written that has all
that a file needs."""
SURROUNDED_VERSION = 4
"""Of a FLAC file that has something before its stream or after its frames."""
WIDE_VERSION = 5
"""Of samples of 32 bits, and of nothing else."""
NEWEST = 5
"""The newest that is read."""
KINDS = ("wav", "aiff", "flac", "array")
ENCODINGS = ("u8", "s8", "s16", "s24", "s32", "f32", "alaw", "mulaw", "f32i", "float32", "int32")
WIDE_ENCODINGS = ENCODINGS[9:]
"""The encodings of files of version 5, which has no others."""
ENCODINGS_OF_KIND = {
    "wav": {"u8", "s16", "s24", "s32", "f32", "alaw", "mulaw", "f32i", "float32", "int32"},
    "aiff": set(ENCODINGS),
    "flac": {"s8", "s16", "s24"},
    "array": {"u8", "s8", "s16", "s24", "float32", "int32"},
}
"""The encodings that files of a kind can have."""
MODES = ("lossless", "mulaw")
PARAMETRIC = "parametric"
PARAMETRIC_START = MAGIC + bytes([PARAMETRIC_VERSION, 2])
"""What files of the mode parametric begin with, which have nothing else in common with those of the others."""
RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000, 64000, 88200, 96000, 176400, 192000)
_SUFFIX = re.compile(r"(\.[A-Za-z0-9]{1,15})?", re.ASCII)
_COMMON_RATES = 16


@dataclass(frozen=True)
class Header:
    """The sound file, or array, that was compressed, and how.

    `rate` in Hz. `frames`: as far as it was known when the file was begun; `suffix`: of the file's name, None where it
    is the kind's. `big`: samples are big-endian (kind array: the array has one axis). `plain`: the file begins with the
    44 bytes of `plain_head`. `checkpoint`: its 8-byte digest, or nothing. `version`: of the format.
    """

    kind: str
    encoding: str
    channels: int
    rate: int
    effort: str
    frames: int | None = None
    big: bool = False
    plain: bool = False
    suffix: str | None = None
    mode: str = "lossless"
    checkpoint: bytes = b""
    version: int = 1

    @property
    def name_suffix(self) -> str:
        """The end of the name that the file had."""
        return self.suffix if self.suffix is not None else ".wav" if self.kind == "array" else f".{self.kind}"


def storable_suffix(suffix: str) -> bool:
    """Whether a file name's end can be kept."""
    return _SUFFIX.fullmatch(suffix) is not None


def pack_header(header: Header) -> bytes:
    """The bytes that a file begins with."""
    encoding = ENCODINGS.index(header.encoding)
    what = KINDS.index(header.kind) | (encoding & 7) << 2
    what |= header.big << 5 | header.plain << 6 | (header.suffix is not None) << 7
    how = header.channels - 1 | LEVELS.index(header.effort) << 3 | MODES.index(header.mode) << 5
    how |= bool(header.checkpoint) << 6 | encoding >> 3 << 7
    data = MAGIC + bytes([header.version, what, how])
    data += varint.encode(RATES.index(header.rate) if header.rate in RATES else header.rate + _COMMON_RATES)
    data += varint.encode(0 if header.frames is None else header.frames + 1)
    if header.suffix is not None:
        data += varint.encode(len(header.suffix)) + header.suffix.encode("ascii")
    return data + header.checkpoint


def unpack_header(read: Callable[[int], bytes], number: Callable[[], int]) -> Header:
    """The header after the magic: `read` gives so many bytes, `number` a varint. CodecError for what can't be."""
    version = read(1)[0]
    if version > NEWEST:
        raise CodecError(
            f"is of version {version} of the format; this synth reads up to {NEWEST}: it takes a newer one"
        )
    if version == PARAMETRIC_VERSION:
        raise CodecError(f"its header is damaged: version {version} of the format is of mode {PARAMETRIC} alone")
    what, how = read(2)
    rate, frames = number(), number()
    suffix = read(min(number(), 16)).decode("latin-1") if what & 128 else None
    checkpoint = read(fingerprint.SHORT) if how & 64 else b""
    effort, rate = how >> 3 & 3, RATES[rate] if rate < len(RATES) else rate - _COMMON_RATES
    packed = what >> 2 & 7 | how >> 7 << 3
    if (
        version < 1
        or effort >= len(LEVELS)
        or packed >= len(ENCODINGS)
        or (ENCODINGS[packed] in WIDE_ENCODINGS) != (version == WIDE_VERSION)
        or ENCODINGS[packed] not in ENCODINGS_OF_KIND[KINDS[what & 3]]
        or (what & 64 and KINDS[what & 3] != "wav")
        or not 1 <= rate <= MAX_RATE
        or not storable_suffix(suffix or "")
    ):
        raise CodecError("its header is damaged: it has what this version does not know")
    return Header(
        kind=KINDS[what & 3],
        encoding=ENCODINGS[packed],
        channels=(how & 7) + 1,
        rate=rate,
        effort=LEVELS[effort],
        frames=frames - 1 if frames else None,
        big=bool(what & 32),
        plain=bool(what & 64),
        suffix=suffix,
        mode=MODES[how >> 5 & 1],
        checkpoint=checkpoint,
        version=version,
    )
