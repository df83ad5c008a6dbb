"""A sound file that is to be compressed, opened at its first sample whatever its format."""

from __future__ import annotations

import shutil
import tempfile
from typing import TYPE_CHECKING

from synth.audio.formats import riff, w64_au
from synth.audio.formats.id3 import tag_length
from synth.common.errors import AudioError
from synth.common.files import Readable

if TYPE_CHECKING:
    from synth.audio.formats.flac import FlacReader

    Sound = riff.PcmReader | FlacReader

_MAGIC = 12
_BLOCK = 1 << 18


def open_sound(source: Readable, name: str, size: int | None) -> Sound:
    """The WAV, AIFF, FLAC, W64 or AU file that `source` gives, at its first sample; `size`: its bytes, None for a pipe.

    ID3v2 tags may stand before it. Raises AudioError with `name`.
    """
    start = _read(source, b"", _MAGIC)
    tags = 0
    while length := tag_length(start[tags:]):
        if size is not None and tags + length > size:
            raise AudioError(f"{name}: is cut short: it ends in the ID3v2 tag before its sound")
        tags += length
        start = _read(source, start, tags + _MAGIC)
    magic = start[tags:]
    if magic[:4] == b"fLaC":
        from synth.audio.formats import flac

        return flac.FlacReader(source if _on_disk(source, size) else _spooled(start, source), name, tags)
    if magic[:4] in (b"RIFF", b"RIFX", b"RF64") and magic[8:] == b"WAVE":
        return riff.WaveReader(source, name, size, start)
    if magic[:4] == b"FORM" and magic[8:] in (b"AIFF", b"AIFC"):
        return riff.AiffReader(source, name, size, start)
    if magic == w64_au.W64_START:
        return w64_au.W64Reader(source, name, size, start)
    if magic[:4] in w64_au.AU_STARTS and len(magic) == _MAGIC:
        return w64_au.AuReader(source, name, size, start)
    behind = " behind its ID3v2 tag" if tags else ""
    raise AudioError(f"{name}: is {f'not WAV, AIFF or FLAC{behind}, nor W64 or AU' if start else 'empty'}")


def _read(source: Readable, start: bytes, count: int) -> bytes:
    """`start` and what follows it, up to `count` bytes of both."""
    parts, have = [start], len(start)
    while have < count and (more := source.read(min(count - have, _BLOCK))):
        parts.append(more)
        have += len(more)
    return b"".join(parts)


def _on_disk(source: Readable, size: int | None) -> bool:
    try:
        return size is not None and source.fileno() >= 0
    except (AttributeError, OSError):
        return False


def _spooled(start: bytes, source: Readable) -> Readable:
    """What a pipe gives, as a file on the disk."""
    file = tempfile.TemporaryFile()
    file.write(start)
    shutil.copyfileobj(source, file, 1 << 18)
    file.flush()
    return file
