"""WAV and AIFF files taken apart as they are read: what comes before the samples, the samples, what comes after."""

from __future__ import annotations

import struct
from abc import ABC, abstractmethod
from collections.abc import Iterator

import numpy as np

from synth.audio.formats import pcm
from synth.audio.formats.look_ahead import LookAhead
from synth.audio.formats.riff_sizes import LEAST_SAMPLES, UNKNOWN, is_unpadded, samples_size
from synth.common.errors import AudioError, CodecError
from synth.common.files import Readable
from synth.common.limits import MAX_CHANNELS, MAX_RATE
from synth.common.typing import ChannelSamples

_MAX_HEAD = 1 << 26
_REPAIR = "convert it with another program (ffmpeg -i IN OUT.wav) to have what is there"
_BLOCK = 1 << 18
_MAX_AHEAD = 1 << 24
_AIFC = {b"NONE": "", b"twos": "", b"sowt": "little", b"raw ": "u8", b"in24": "", b"in32": "", b"fl32": "f32"}
_AIFC |= {b"FL32": "f32", b"alaw": "alaw", b"ALAW": "alaw", b"ulaw": "mulaw", b"ULAW": "mulaw"}
_WIDE = {"f32": "float32", "f32i": "float32", "s32": "int32"}
"""What stands for encodings of 24 bits where a sample has more."""


class PcmReader(ABC):
    """A file at its first sample. `size`: its bytes, None for a pipe; `magic`: what was read of it so far, which
    ends with the 12 bytes of the format.

    `kind` ("wav" or "aiff"), `encoding` (a key of `pcm.BITS`), `big` (endian), `channels`, `rate` in Hz; `head`: the
    bytes before the samples; `frames`: samples of each channel, None when only the end of the pipe will tell. Raises
    AudioError with `name` for what is no sound that can be compressed.
    """

    kind, encoding, big = "wav", "s16", False
    suffix: str | None = None
    """Of files whose name is not known, where it is not the kind's."""
    channels = rate = 0
    is_surrounded = False
    """Whether a .syn file needs places of its own for what is around the sound: the head and tail have all of it."""

    def __init__(self, file: Readable, name: str, size: int | None, magic: bytes) -> None:
        self.name, self._file = name, file
        self._later: LookAhead | None = None
        self.head, self._magic = magic, magic[-12:]
        self._before, self._size = len(magic) - 12, size
        self._ahead = self._rest = b""
        self._read_head()
        if not 1 <= self.channels <= MAX_CHANNELS:
            raise AudioError(f"{name}: has {self.channels} channels: must be 1 to {MAX_CHANNELS}")
        if not 1 <= self.rate <= MAX_RATE:
            raise AudioError(f"{name}: has a sample rate of {self.rate} Hz")
        self.frame_bytes = self.channels * pcm.WIDTH[self.encoding]
        left = None if size is None else size - len(self.head)
        if self._length is None:
            self._length = left
        elif left is not None and self._length > left:
            raise AudioError(f"{name}: is cut short: {left} of {self._length} bytes of audio; {_REPAIR}")
        self.frames = None if self._length is None else self._length // self.frame_bytes
        self._left = self.frames
        if self.encoding == "f32":
            self._find_unit()
        if self.encoding in _WIDE:
            self._find_bits(size)

    def read(self, frames: int) -> ChannelSamples:
        """The next `frames` samples (n, channels), fewer at the end; AudioError where the file is cut short.

        CodecError for samples that are no integers of 24 bits.
        """
        if self._left is not None:
            frames = min(frames, self._left)
            self._left -= frames
        data = self._take(frames * self.frame_bytes)
        end = len(data) // self.frame_bytes * self.frame_bytes
        if self.frames is not None and len(data) < frames * self.frame_bytes:
            raise AudioError(f"{self.name}: is cut short: its samples end before its header says; {_REPAIR}")
        self._rest = data[end:]
        try:
            return pcm.unpack(data[:end], self.encoding, self.big, self.channels)
        except CodecError as error:
            raise CodecError(f"{self.name}: {error}") from None

    def head_parts(self) -> Iterator[bytes]:
        """The bytes before the samples, in pieces."""
        yield self.head

    def tail(self) -> Iterator[bytes]:
        """The bytes after the samples, in blocks."""
        if self._rest:
            yield self._rest
        while data := self._take(_BLOCK):
            yield data

    def check(self, md5: bytes) -> None:
        """These files don't know the MD5 of their samples."""
        del md5  # nothing to compare it with

    _length: int | None

    @abstractmethod
    def _read_head(self) -> None:
        """Reads up to the first sample; `WaveReader` and `AiffReader` do it, each in its way."""

    def _take(self, count: int) -> bytes:
        """The next bytes, fewer at the end of the file."""
        parts = [self._ahead[:count]] if self._ahead else []
        self._ahead = self._ahead[count:]
        count -= sum(map(len, parts))
        while count:
            data = (self._later or self._file).read(count)
            if not data:
                break
            parts.append(data)
            count -= len(data)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _find_unit(self) -> None:
        """Floats are of full scale 1, or integers as they are: the first sample that can be of one alone tells.

        That is neither 0 nor -1. Where there is none, -1 is an integer.
        """
        parts: list[bytes] = []
        size, order, unit = 0, ">f4" if self.big else "<f4", None
        while unit is None and size < _MAX_AHEAD and (data := self._take(_BLOCK)):
            parts.append(data)
            size += len(data)
            values = np.frombuffer(data, order, len(data) // 4)  # a file's end alone may leave a block of other length
            telling = values[(values != 0) & (values != -1)]
            if len(telling):
                unit = "f32i" if abs(telling[0]) >= 1 else "f32"
            elif (values == -1).any():
                self.encoding = "f32i"
        self.encoding = unit or self.encoding
        self._ahead = b"".join(parts)

    def _find_bits(self, size: int | None) -> None:
        """Samples of 32 bits of which one is no integer of 24 bits are taken as they are."""
        self._later, self._ahead = LookAhead(self._file, self._ahead, size), b""
        if not self._later.fits(self.encoding, self.big, self._length):
            self.encoding = _WIDE[self.encoding]

    def _grow(self, count: int, place: str) -> bytes:
        """The next bytes of the head; `place`: where the file ends when it is too short for them."""
        left = None if self._size is None else self._size - len(self.head)
        if left is not None and count > left:
            raise AudioError(f"{self.name}: is cut short or damaged: it ends {place}")
        if len(self.head) + count > _MAX_HEAD:
            raise AudioError(f"{self.name}: has more than {_MAX_HEAD >> 20} MiB before its samples, or is damaged")
        data = self._take(count)
        self.head += data
        if len(data) < count:
            raise AudioError(f"{self.name}: is cut short: it ends {place}")
        return data

    def _chunk(self, order: str) -> tuple[bytes, int]:
        """Name and bytes of the next chunk."""
        identity, length = struct.unpack(f"{order}4sI", self._grow(8, "before its samples"))
        return identity, length

    def _body(self, identity: bytes, length: int) -> bytes:
        """The body of a chunk, with the byte of padding that an odd one has, or should have."""
        place = f"in its chunk {identity.decode('latin-1')!r}"
        body = self._grow(length, place)
        if length & 1:
            after = self._take(9)
            self._ahead = after + self._ahead
            body += b"" if is_unpadded(after) else self._grow(1, place)
        return body

    def _set_length(self, stated: int, whole: int, large: int | None = None) -> None:
        """Sets the bytes of samples, None where all that follows is, from the sizes that the file tells."""
        left = None if self._size is None else self._size - len(self.head)
        if left is None and stated == 0:
            self._ahead = self._take(LEAST_SAMPLES)
            left = len(self._ahead) if len(self._ahead) < LEAST_SAMPLES else None
        self._length = samples_size(stated, whole, len(self.head) - self._before, left, large)

    def _no_format(self) -> AudioError:
        return AudioError(f"{self.name}: has no format before its samples")

    def _refuse(self, what: str) -> AudioError:
        """The error for samples of another kind."""
        return AudioError(f"{self.name}: holds {what}, which can't be compressed; convert it to PCM or 32-bit float")


class WaveReader(PcmReader):
    """WAV: RIFF, big-endian RIFX, and RF64 of more than 4 GiB (EBU Tech 3306)."""

    def _read_head(self) -> None:
        self.big = self._magic[:4] == b"RIFX"
        order = ">" if self.big else "<"
        file_size = struct.unpack(f"{order}I", self._magic[4:8])[0]
        form, large = b"", None
        while True:
            identity, length = self._chunk(order)
            if identity == b"data":
                break
            body = self._body(identity, length)
            if identity == b"fmt ":
                form = body
            elif identity == b"ds64" and len(body) >= 16:
                large = struct.unpack("<Q", body[8:16])[0]
        if len(form) < 16:
            raise self._no_format()
        self._set_format(form, order)
        self._set_length(length, file_size, large if self._magic[:4] == b"RF64" else None)

    def _set_format(self, form: bytes, order: str) -> None:
        """Encoding, channels and rate of the body of the chunk "fmt "."""
        code, self.channels, self.rate, _, align, bits = struct.unpack(f"{order}HHIIHH", form[:16])
        if code == 0xFFFE and len(form) >= 40:
            code = struct.unpack(f"{order}H", form[24:26])[0]
        width = align // self.channels if self.channels and align % self.channels == 0 else 0
        names = {
            (1, 1): "u8",
            (1, 2): "s16",
            (1, 3): "s24",
            (1, 4): "s32",
            (3, 4): "f32",
            (6, 1): "alaw",
            (7, 1): "mulaw",
        }
        if (code, width) not in names or not 0 < bits <= 8 * width:
            raise self._refuse(f"samples of format {code}, {bits} bits in {width} bytes")
        self.encoding = names[code, width]


class AiffReader(PcmReader):
    """AIFF and AIFF-C."""

    kind, big = "aiff", True

    def _read_head(self) -> None:
        form = b""
        while True:
            identity, length = self._chunk(">")
            if identity == b"SSND":
                break
            body = self._body(identity, length)
            if identity == b"COMM":
                form = body
        if len(form) < 18:
            raise self._no_format()
        channels, _, bits, exponent, mantissa = struct.unpack(">hIhHQ", form[:18])
        packing = form[18:22] if self._magic[8:12] == b"AIFC" else b"NONE"
        encoding = _AIFC.get(packing)
        if encoding is None or not 0 < bits <= 32:
            raise self._refuse(f"samples of format {packing!r}, {bits} bits"[:60])
        self.channels = channels
        self.rate = round(mantissa * 2.0 ** (exponent - 16383 - 63)) if exponent < 16383 + 32 else 0
        width = (bits + 7) // 8
        self.encoding = {1: "s8", 2: "s16", 3: "s24", 4: "s32"}[width] if encoding in ("", "little") else encoding
        self.big = encoding != "little"
        offset = struct.unpack(">II", self._grow(8, "before its samples"))[0]
        self._grow(offset, "before its samples")
        stated = length if length == UNKNOWN else max(0, length - 8 - offset)
        self._set_length(stated, struct.unpack(">I", self._magic[4:8])[0])
