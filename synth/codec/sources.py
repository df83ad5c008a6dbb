"""A sound file that is to be compressed, opened at its first sample whatever its format."""

from __future__ import annotations

import shutil
import tempfile
from typing import TYPE_CHECKING

from synth.audio.formats import riff
from synth.common.errors import AudioError
from synth.common.files import Readable

if TYPE_CHECKING:
    from synth.audio.formats.flac import FlacReader

    Sound = riff.PcmReader | FlacReader


def open_sound(source: Readable, name: str, size: int | None) -> Sound:
    """The WAV, AIFF or FLAC file that `source` gives, at its first sample; `size`: its bytes, None for a pipe.

    Raises AudioError with `name`.
    """
    magic = b""
    while len(magic) < 12 and (more := source.read(12 - len(magic))):
        magic += more
    if magic[:4] == b"fLaC":
        from synth.audio.formats import flac

        return flac.FlacReader(source if _on_disk(source, size) else _spooled(magic, source), name)
    if magic[:4] in (b"RIFF", b"RIFX", b"RF64") and magic[8:] == b"WAVE":
        return riff.WaveReader(source, name, size, magic)
    if magic[:4] == b"FORM" and magic[8:] in (b"AIFF", b"AIFC"):
        return riff.AiffReader(source, name, size, magic)
    raise AudioError(f"{name}: is {'not WAV, AIFF or FLAC' if magic else 'empty'}")


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
