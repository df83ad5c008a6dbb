"""FLAC files: their samples and their metadata, and both made into a file again; libsndfile decodes and encodes."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import soundfile

from synth.audio.formats import pcm
from synth.common.errors import AudioError, OutputError
from synth.common.files import Readable
from synth.common.limits import MAX_CHANNELS
from synth.common.typing import ChannelSamples

MAGIC = b"fLaC"
_STREAMINFO, _SEEKTABLE = 0, 3
_SUBTYPES = {"PCM_S8": "s8", "PCM_16": "s16", "PCM_24": "s24"}
_MAX_HEAD = 1 << 26
_BLOCK = 1 << 16


def _metadata(file: Readable) -> Iterator[tuple[int, bytes]]:
    """Type and body of the blocks before the frames; ends early where the file does."""
    file.seek(len(MAGIC))
    last, total = False, 0
    while not last:
        start = file.read(4)
        if len(start) < 4:
            return
        last, length = bool(start[0] & 128), int.from_bytes(start[1:], "big")
        total += length
        if total > _MAX_HEAD:
            return
        yield start[0] & 127, file.read(length)


class FlacReader:
    """A FLAC file at its first sample, with the members of `riff.PcmReader`; AudioError with `name`.

    `head`: its metadata without STREAMINFO and SEEKTABLE, which speak of the frames and are made anew.
    """

    kind, big = "flac", False

    def __init__(self, file: Readable, name: str) -> None:
        self.name = name
        self._file = file  # kept: libsndfile's descriptor has its offset, which closing it would move
        blocks = list(_metadata(file))
        kept = [(kind, body) for kind, body in blocks if kind not in (_STREAMINFO, _SEEKTABLE)]
        self.head = b"".join(bytes([kind]) + len(body).to_bytes(3, "big") + body for kind, body in kept)
        info = blocks[0][1] if blocks else b""
        self._md5 = info[18:34]
        self._check_bits(info)
        os.lseek(file.fileno(), 0, os.SEEK_SET)  # where libsndfile begins; a buffered seek may not move it
        try:
            self._sound = soundfile.SoundFile(os.dup(file.fileno()), closefd=True)
        except (soundfile.SoundFileError, OSError, TypeError) as error:
            raise AudioError(f"{name}: is not FLAC that libsndfile reads ({_reason(error)})") from None
        subtype = self._sound.subtype
        if self._sound.format != "FLAC" or subtype not in _SUBTYPES or self._sound.channels > MAX_CHANNELS:
            raise AudioError(f"{name}: holds {subtype} of {self._sound.channels} channels, which can't be compressed")
        self.encoding, self.channels, self.rate = _SUBTYPES[subtype], self._sound.channels, self._sound.samplerate
        self.frames = int.from_bytes(info[13:18], "big") & (1 << 36) - 1 or None
        self._done = 0

    def _check_bits(self, info: bytes) -> None:
        """AudioError for bits per sample that the codec has no encoding for."""
        bits = ((info[12] & 1) << 4 | info[13] >> 4) + 1 if len(info) > 13 else 8
        if bits not in (8, 16, 24):
            instead = 16 if bits < 16 else 24
            raise AudioError(
                f"{self.name}: is FLAC of {bits} bits: 8, 16 and 24 are taken; convert it to {instead} bits"
            )

    def read(self, frames: int) -> ChannelSamples:
        """The next `frames` samples (n, channels), fewer at the end; AudioError where the file is damaged."""
        bits = pcm.BITS[self.encoding]
        try:
            block = self._sound.read(frames, dtype="int32" if bits == 24 else "int16", always_2d=True)
        except soundfile.SoundFileError as error:
            raise AudioError(f"{self.name}: is damaged or cut short ({_reason(error)})") from None
        self._done += len(block)
        if len(block) < frames and self.frames is not None and self._done < self.frames:
            raise AudioError(f"{self.name}: is cut short: {self._done} of {self.frames} samples")
        return block.astype(np.int32) >> (16 - bits if bits < 16 else 32 - bits if bits == 24 else 0)

    def tail(self) -> Iterator[bytes]:
        """Nothing comes after the samples."""
        return iter(())

    def check(self, md5: bytes) -> None:
        """AudioError when the file says that its samples have another MD5."""
        if any(self._md5) and md5 != self._md5:
            raise AudioError(f"{self.name}: is damaged: its samples don't have the MD5 that it gives")


class FlacWriter:
    """Makes a FLAC file: set `head` (metadata), add `samples` in blocks, then `finish`; OutputError with `name`."""

    def __init__(self, encoding: str, channels: int, rate: int, name: str) -> None:
        self._name, self._bits, self.head = name, pcm.BITS[encoding], b""
        self._file = tempfile.TemporaryFile()
        subtype = next(subtype for subtype, of in _SUBTYPES.items() if of == encoding)
        shape = rate, channels, subtype
        try:
            self._sound = soundfile.SoundFile(os.dup(self._file.fileno()), "w", *shape, format="FLAC", closefd=True)
        except soundfile.SoundFileError as error:
            raise OutputError(f"{name}: can't be written as FLAC ({_reason(error)})") from None

    def samples(self, block: ChannelSamples) -> None:
        """Append samples (frames, channels)."""
        for at in range(0, len(block), _BLOCK):
            part = block[at : at + _BLOCK] << (32 - self._bits)
            try:
                self._sound.write(part if self._bits > 16 else (part >> 16).astype(np.int16))
            except (soundfile.SoundFileError, AssertionError) as error:
                raise OutputError(f"{self._name}: can't be written ({_reason(error)})") from None

    def finish(self, write: Callable[[bytes], Any]) -> None:
        """The whole file through `write`."""
        self._sound.close()
        blocks = list(_metadata(self._file))
        if not blocks:
            raise OutputError(f"{self._name}: can't be written as FLAC (it has no samples)")
        frames_at = self._file.tell()
        head = bytes([_STREAMINFO]) + len(blocks[0][1]).to_bytes(3, "big") + blocks[0][1] + self.head
        starts, at = [], 0
        while at + 4 <= len(head):
            starts.append(at)
            at += 4 + int.from_bytes(head[at + 1 : at + 4], "big")
        marked = bytearray(head)
        for start in starts:
            marked[start] &= 127
        marked[starts[-1]] |= 128
        write(MAGIC + marked)
        self._file.seek(frames_at)
        while data := self._file.read(1 << 18):
            write(data)

    def close(self) -> None:
        """Give up what is on the disk."""
        self._sound.close()
        self._file.close()


def _reason(error: BaseException) -> str:
    """What libsndfile says, in one line."""
    return " ".join(str(getattr(error, "error_string", None) or error).split()).rstrip(".") or "unknown error"
