"""FLAC files: their samples and their metadata, and both made into a file again; libsndfile decodes and encodes."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from itertools import chain
from typing import Any

import numpy as np
import soundfile

from synth.audio.formats import pcm
from synth.audio.formats.file_view import read_at, read_by_seeking
from synth.audio.formats.flac_stream import MAGIC, FlacStream, blocks_in
from synth.audio.formats.id3 import HEADER, tag_length
from synth.audio.formats.viewed_sound import reason
from synth.common.errors import AudioError, OutputError
from synth.common.files import Readable
from synth.common.limits import MAX_CHANNELS
from synth.common.typing import ChannelSamples

_SUBTYPES = {"PCM_S8": "s8", "PCM_16": "s16", "PCM_24": "s24"}
_MAX_RATE = 655_350
"""Of what libFLAC encodes; from 65536 Hz on multiples of 10 alone."""
_BLOCK = 1 << 16
_PIECE = 1 << 18


class FlacReader:
    """A FLAC file at its first sample, with the members of `riff.PcmReader`; AudioError with `name`.

    Of its metadata all is kept but STREAMINFO and SEEKTABLE, which speak of the frames and are made anew. `start`:
    bytes that stand before the stream, ID3v2 tags; they and what comes after the last frame are kept too.
    """

    kind, big = "flac", False
    suffix: str | None = None

    def __init__(self, file: Readable, name: str, start: int = 0) -> None:
        self.name = name
        self._file = file  # kept: the last who knows it closes it
        self._stream = FlacStream(read_at(file), os.fstat(file.fileno()).st_size, name, start)
        self._check_bits(self._stream.bits)
        rate = self._stream.rate
        if not 1 <= rate <= _MAX_RATE or (rate >> 16 and rate % 10):
            raise AudioError(f"{name}: has a sample rate of {rate} Hz, with which no FLAC file can be written again")
        self._sound = self._stream.decoder()
        subtype = self._sound.subtype
        if self._sound.format != "FLAC" or subtype not in _SUBTYPES or self._sound.channels > MAX_CHANNELS:
            raise AudioError(f"{name}: holds {subtype} of {self._sound.channels} channels, which can't be compressed")
        self.encoding, self.channels, self.rate = _SUBTYPES[subtype], self._sound.channels, self._sound.samplerate
        self.frames = self._stream.frames.samples
        self.is_surrounded = self._stream.is_surrounded
        self._done = 0

    def _check_bits(self, bits: int) -> None:
        if bits not in (8, 16, 24):
            instead = 16 if bits < 16 else 24
            raise AudioError(
                f"{self.name}: is FLAC of {bits} bits: 8, 16 and 24 are taken; convert it to {instead} bits"
            )

    def read(self, frames: int) -> ChannelSamples:
        """The next samples, as many as there still are."""
        bits = pcm.BITS[self.encoding]
        frames = min(frames, self.frames - self._done)
        try:
            block = self._sound.read(frames, dtype="int32" if bits == 24 else "int16", always_2d=True)
        except soundfile.SoundFileError as error:
            raise AudioError(f"{self.name}: is damaged or cut short ({reason(error)})") from None
        self._done += len(block)
        if len(block) < frames:
            raise AudioError(f"{self.name}: is cut short: {self._done} of {self.frames} samples")
        return block.astype(np.int32) >> (16 - bits if bits < 16 else 32 - bits if bits == 24 else 0)

    def head_parts(self) -> Iterator[bytes]:
        """The metadata as a .syn file holds it; before it, in a file that `is_surrounded`, what stands before it."""
        start = self._stream.before() + MAGIC if self.is_surrounded else b""
        return chain([start], self._stream.metadata())

    def tail(self) -> Iterator[bytes]:
        """What comes after the last frame, in pieces."""
        return self._stream.after()

    def check(self, md5: bytes) -> None:
        """AudioError when the file says that its samples have another MD5."""
        if any(self._stream.md5) and md5 != self._stream.md5:
            raise AudioError(f"{self.name}: is damaged: its samples don't have the MD5 that it gives")


class FlacWriter:
    """Makes a FLAC file of samples and metadata: `metadata` and `samples` in pieces, then `finish` into a file.

    `is_surrounded`: the metadata begin with what is to stand before the stream, and with the stream's `fLaC`.
    """

    def __init__(self, encoding: str, channels: int, rate: int, name: str, is_surrounded: bool = False) -> None:
        self._name, self._bits, self._is_surrounded = name, pcm.BITS[encoding], is_surrounded
        self._head = tempfile.SpooledTemporaryFile(max_size=1 << 20)
        self._file = tempfile.TemporaryFile()
        subtype = next(subtype for subtype, of in _SUBTYPES.items() if of == encoding)
        shape = rate, channels, subtype
        try:
            self._sound = soundfile.SoundFile(os.dup(self._file.fileno()), "w", *shape, format="FLAC", closefd=True)
        except soundfile.SoundFileError as error:
            raise OutputError(f"{name}: can't be written as FLAC ({reason(error)})") from None

    def metadata(self, data: bytes) -> None:
        """Append bytes of metadata blocks."""
        self._head.write(data)

    def samples(self, block: ChannelSamples) -> None:
        """Append samples."""
        for at in range(0, len(block), _BLOCK):
            part = block[at : at + _BLOCK] << (32 - self._bits)
            try:
                self._sound.write(part if self._bits > 16 else (part >> 16).astype(np.int16))
            except (soundfile.SoundFileError, AssertionError) as error:
                raise OutputError(f"{self._name}: can't be written ({reason(error)})") from None

    def finish(self, write: Callable[[bytes], Any]) -> None:
        """The whole file through `write`."""
        self._sound.close()
        size = self._file.seek(0, os.SEEK_END)
        made = list(blocks_in(read_at(self._file), len(MAGIC), size))
        if not made:
            raise OutputError(f"{self._name}: can't be written as FLAC (it has no samples)")
        head_size = self._head.seek(0, os.SEEK_END)
        self._head.seek(0)
        at = self._write_before(write) if self._is_surrounded else 0
        read = read_by_seeking(self._head)
        last = max((place for place, _ in _lenient_blocks(read, at, head_size)), default=-1)
        write(MAGIC + self._marked(read_at(self._file)(made[0][1], made[0][2]), last < 0))
        for place, length in _lenient_blocks(read, at, head_size):
            write(self._marked(read(place, length), place == last))
        self._file.seek(made[-1][1] + made[-1][2])
        while data := self._file.read(_PIECE):
            write(data)

    def _write_before(self, write: Callable[[bytes], Any]) -> int:
        """What stands before the stream, up to its `fLaC`; the place after that in the metadata."""
        read, at = read_by_seeking(self._head), 0
        while length := tag_length(read(at, HEADER)):
            for place in range(at, at + length, _PIECE):
                write(read(place, min(_PIECE, at + length - place)))
            at += length
        if read(at, len(MAGIC)) != MAGIC:
            raise OutputError(f"{self._name}: can't be written as FLAC (what is before its samples is damaged)")
        return at + len(MAGIC)

    @staticmethod
    def _marked(block: bytes, last: bool) -> bytes:
        return bytes([block[0] & 127 | last << 7]) + block[1:]

    def close(self) -> None:
        """Give up what is on the disk."""
        self._sound.close()
        self._file.close()
        self._head.close()


def _lenient_blocks(read: Callable[[int, int], bytes], at: int, size: int) -> Iterator[tuple[int, int]]:
    """Places and bytes of metadata blocks that have no "last" bit, the last one cut off where they end."""
    while at + 4 <= size:
        length = 4 + int.from_bytes(read(at + 1, 3), "big")
        yield at, min(length, size - at)
        at += length
