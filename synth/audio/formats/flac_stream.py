"""A FLAC stream in a file: its metadata blocks, its frames, what is around them; and libsndfile's decoder of it."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from itertools import islice
from typing import IO

import soundfile

from synth.audio.formats.file_view import FileView, ReadAt
from synth.audio.formats.flac_frames import FrameError, FrameSpan, span_frames
from synth.audio.formats.viewed_sound import SequentialSound, reason
from synth.common.errors import AudioError

MAGIC = b"fLaC"
STREAMINFO, SEEKTABLE, FORBIDDEN = 0, 3, 127
_PIECE = 1 << 20
_MOST_BLOCKS = 1 << 18
_INFO = 34
_MOST_TOTAL = (1 << 36) - 1


def blocks_in(read: ReadAt, at: int, size: int) -> Iterator[tuple[int, int, int]]:
    """Kind, place and bytes of each metadata block from `at` on, its 4-byte header among them.

    Ends after the one that is marked as the last, or early where the file does.
    """
    last = False
    while not last and at + 4 <= size:
        start = read(at, 4)
        last, length = bool(start[0] & 128), 4 + int.from_bytes(start[1:], "big")
        yield start[0] & 127, at, length
        at += length


class FlacStream:
    """The stream that begins at `start` (its `fLaC`) in a file of `size` bytes. AudioError with `name`.

    `rate`, `channels` and `bits` as STREAMINFO tells them; `md5` of the samples, zeros where it isn't known. `frames`
    are looked for when they are first asked for.
    """

    def __init__(self, read: ReadAt, size: int, name: str, start: int = 0) -> None:
        self._read, self._size, self._name, self._start = read, size, name, start
        self.blocks = list(islice(blocks_in(read, start + len(MAGIC), size), _MOST_BLOCKS))
        kinds = [kind for kind, _, _ in self.blocks]
        if kinds[:1] != [STREAMINFO] or self.blocks[0][2] != 4 + _INFO:
            raise AudioError(f"{name}: is not FLAC, or is damaged: it does not begin with STREAMINFO")
        _, at, length = self.blocks[-1]
        self.frames_at = at + length
        if len(self.blocks) == _MOST_BLOCKS:
            raise AudioError(f"{name}: has more than {_MOST_BLOCKS} metadata blocks, or is damaged")
        if self.frames_at > size or not read(at, 1)[0] & 128:
            raise AudioError(f"{name}: is cut short: it ends in its metadata")
        if kinds.count(STREAMINFO) > 1 or FORBIDDEN in kinds:
            raise AudioError(f"{name}: is damaged: its metadata have a block that FLAC has not")
        info = read(self.blocks[0][1] + 4, _INFO)
        packed = int.from_bytes(info[10:18], "big")
        self.rate, self.channels, self.bits = packed >> 44, (packed >> 41 & 7) + 1, (packed >> 36 & 31) + 1
        self._info, self._total, self.md5 = info, packed & _MOST_TOTAL, info[18:34]

    @functools.cached_property
    def frames(self) -> FrameSpan:
        """All frames; AudioError where one is damaged, or they hold another number of samples than STREAMINFO says."""
        if self.frames_at == self._size:
            raise AudioError(f"{self._name}: is cut short: no frame follows its metadata")
        try:
            frames = span_frames(self._read, self.frames_at, self._size, self.bits)
        except FrameError as error:
            what = "cut short: its last frame is not whole" if error.cut else "damaged: one of its frames is not whole"
            raise AudioError(f"{self._name}: is {what}") from None
        if self._total and frames.samples < self._total:
            raise AudioError(f"{self._name}: is cut short: {frames.samples} of {self._total} samples")
        if self._total and frames.samples > self._total:
            difference = f"its header tells of {self._total} samples, its frames hold {frames.samples}"
            raise AudioError(f"{self._name}: is damaged: {difference}")
        return frames

    def metadata(self) -> Iterator[bytes]:
        """The metadata without STREAMINFO and SEEKTABLE, in pieces of 1 MiB; "last" bits are 0."""
        rest = bytearray()
        for kind, at, length in self.blocks:
            if kind in (STREAMINFO, SEEKTABLE):
                continue
            rest += bytes([kind]) + self._read(at + 1, length - 1)
            while len(rest) >= _PIECE:
                yield bytes(rest[:_PIECE])
                del rest[:_PIECE]
        if rest:
            yield bytes(rest)

    def before(self) -> bytes:
        """What stands before the stream."""
        return self._read(0, self._start)

    def after(self) -> Iterator[bytes]:
        """What comes after the last frame, in pieces of 1 MiB."""
        for at in range(self.frames.end, self._size, _PIECE):
            yield self._read(at, min(_PIECE, self._size - at))

    @property
    def is_surrounded(self) -> bool:
        """Whether something stands before the stream or comes after it."""
        return self._start > 0 or self.frames.end < self._size

    def decoder(self, keep: IO[bytes] | None = None) -> SequentialSound:
        """libsndfile's decoder: of STREAMINFO, with the number of samples where it was missing, and the frames alone.

        `keep`: a file to close with it.
        """
        frames = self.frames
        packed = int.from_bytes(self._info[10:18], "big") & ~_MOST_TOTAL | min(frames.samples, _MOST_TOTAL)
        info = self._info[:10] + packed.to_bytes(8, "big") + self._info[18:]
        head = MAGIC + bytes([STREAMINFO | 128]) + len(info).to_bytes(3, "big") + info
        view = FileView(self._read, head, self.frames_at, frames.end, keep)
        try:
            return SequentialSound(view)
        except (soundfile.SoundFileError, OSError, TypeError) as error:
            raise AudioError(f"{self._name}: is not FLAC that libsndfile reads ({reason(error)})") from None
