"""Sony Wave64 and Sun AU files, taken apart as `riff` takes WAV and AIFF apart.

A .syn file keeps W64 as a WAV and AU as an AIFF whose head is other bytes.
"""

from __future__ import annotations

import struct

from synth.audio.formats.riff import PcmReader, WaveReader

W64_START = b"riff.\x91\xcf\x11\xa5\xd6(\xdb"
"""The first 12 bytes of a W64 file."""
AU_STARTS = (b".snd", b"dns.")
"""What AU files begin with, big-endian and little-endian."""
_GUID_ENDS = b"\xf3\xac\xd3\x11\x8c\xd1\0\xc0O\x8e\xdb\x8a"
_UNKNOWN = 1 << 62
_AU = {1: "mulaw", 2: "s8", 3: "s16", 4: "s24", 5: "s32", 6: "f32", 27: "alaw"}


class W64Reader(WaveReader):
    """W64: sizes of 64 bits, which count their own 24 bytes; chunks at multiples of 8."""

    suffix = ".w64"

    def _read_head(self) -> None:
        self._grow(28, "before its samples")
        form = b""
        while True:
            name, size = struct.unpack("<16sQ", self._grow(24, "before its samples"))
            if name == b"data" + _GUID_ENDS:
                break
            body = self._w64_body(name, size)
            if name == b"fmt " + _GUID_ENDS:
                form = body
        if len(form) < 16:
            raise self._no_format()
        self._set_format(form, "<")
        self._length = size - 24 if 24 < size < _UNKNOWN else None

    def _w64_body(self, name: bytes, size: int) -> bytes:
        """The body of a chunk with what pads it to 8 bytes."""
        if size < 24:
            raise self._no_format()
        return self._grow((size + 7 & ~7) - 24, f"in its chunk {name[:4].decode('latin-1')!r}")


class AuReader(PcmReader):
    """AU: a head of 24 bytes and an annotation, then the samples."""

    kind, suffix = "aiff", ".au"

    def _read_head(self) -> None:
        self.big = self._magic[:4] == AU_STARTS[0]
        order = ">" if self.big else "<"
        offset, size = struct.unpack(f"{order}II", self._magic[4:])
        code, self.rate, self.channels = struct.unpack(f"{order}III", self._grow(12, "before its samples"))
        if offset < 24:
            raise self._no_format()
        self._grow(offset - 24, "before its samples")
        if code not in _AU:
            raise self._refuse(f"samples of format {code}")
        self.encoding = _AU[code]
        self._length = None if size in (0, 0xFFFFFFFF) else size
