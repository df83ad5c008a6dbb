"""Sound files of any format as libsndfile reads them, whole or not at all.

libsndfile takes a file that was cut for a shorter one, a length that is missing for none, and trusts the numbers of
FLAC's frames. What it would not read as it is, it gets as a view of the file with a head that is right.
"""

from __future__ import annotations

import os
from typing import IO

import soundfile

from synth.audio.formats import riff_sizes
from synth.audio.formats.declared import declared_end
from synth.audio.formats.file_view import FileView, ReadAt, read_at
from synth.audio.formats.flac_stream import MAGIC, FlacStream
from synth.audio.formats.id3 import HEADER, tag_length
from synth.audio.formats.viewed_sound import ViewedSound, reason
from synth.common.errors import AudioError

_RIFF = (b"RIFF", b"RIFX", b"RF64", b"FORM")
_BEHIND_TAGS = (*_RIFF, MAGIC, b"OggS", b"caff", b"riff", b".snd")
_TAIL = 1 << 17


def open_listening(name: str, file: IO[bytes] | None = None) -> soundfile.SoundFile:
    """The file `name`, or an open one that can be sought in, at its first sample.

    ID3v2 tags before it are passed over. The sound of a FLAC file can't be sought in. Raises AudioError with `name`
    when it is not audio, damaged, or shorter than it says.
    """
    try:
        opened = file or open(name, "rb")
    except OSError as error:
        raise AudioError(f"{name}: can't be read ({error.strerror or error})") from None
    keep = None if file else opened
    try:
        sound = _open(name, opened, keep)
    except BaseException:
        if keep:
            keep.close()
        raise
    return sound


def _open(name: str, file: IO[bytes], keep: IO[bytes] | None) -> soundfile.SoundFile:
    size, read = file.seek(0, os.SEEK_END), read_at(file)
    file.seek(0)
    start = _after_tags(read)
    magic = read(start, 4)
    if magic == MAGIC:
        return FlacStream(read, size, name, start).decoder(keep)
    view = None
    if magic in _RIFF:
        view = _pcm_view(name, read, size, start)
    elif magic == b"OggS":
        _check_ogg(name, read, size)
    elif not start:
        end = declared_end(read)
        if end is not None and end > size:
            raise AudioError(f"{name}: is cut short: {size} of {end} bytes")
    if view is None and start:
        view = FileView(read, b"", start, size)
    try:
        if view or keep is None:
            view = view or FileView(read, b"", 0, size)
            view.keep = keep
            return ViewedSound(view)
        keep.close()
        return soundfile.SoundFile(os.fsencode(name) if os.name == "posix" else name)
    except (soundfile.SoundFileError, TypeError, OSError) as error:
        raise AudioError(f"{name}: is not audio that libsndfile reads ({reason(error)})") from None


def _after_tags(read: ReadAt) -> int:
    """The place after the ID3v2 tags before a sound; 0 before one whose decoder knows them itself (MP3)."""
    at = 0
    while length := tag_length(read(at, HEADER)):
        at += length
    return at if at and read(at, 4) in _BEHIND_TAGS else 0


def _pcm_view(name: str, read: ReadAt, size: int, start: int) -> FileView | None:
    """A view of a WAV or AIFF file whose sizes mislead libsndfile; AudioError where it is cut short."""
    span = riff_sizes.find_span(read, size, start)
    if span is None:
        return None
    left = max(0, size - span.at)
    if span.length > left:
        raise AudioError(f"{name}: is cut short: {left} of {span.length} bytes of audio")
    return None if span.is_plain else span.view(read)


def _check_ogg(name: str, read: ReadAt, size: int) -> None:
    tail = read(max(0, size - _TAIL), _TAIL)
    page = tail.rfind(b"OggS")
    head = tail[page : page + 27] if page >= 0 else b""
    is_last = len(head) == 27 and head[5] & 4
    lacing = tail[page + 27 : page + 27 + head[26]] if is_last else b""
    if not is_last or len(lacing) < head[26] or page + 27 + len(lacing) + sum(lacing) > len(tail):
        raise AudioError(f"{name}: is cut short: its last page is missing or not whole")
