"""Compress, decompress and check audio losslessly, segment by segment, in bounded memory.

Segments are coded on threads; the bytes do not depend on how many. `compress_stream` and `decompress_stream` are the
primitives, of file objects; `compress` and `decompress` are of arrays.
"""

from __future__ import annotations

import hashlib
import io
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from synth import chunks, coding, container, parallel, pcm
from synth.container import Header
from synth.errors import AudioError, CodecError
from synth.files import Readable
from synth.unpacking import Unpacker

SECONDS, FRAMES, SAMPLES = 30, 1 << 19, 1 << 21
"""Most of a segment: its length, its frames, its samples of all channels. A segment more costs about 300 bytes."""
_TYPES = {"uint8": "u8", "int8": "s8", "int16": "s16", "int32": "s24"}

if TYPE_CHECKING:
    from synth.flac import Flac

    Sound = chunks.Sound | Flac

Tick = Callable[[int], Any]
Read = Callable[[int], pcm.Samples]


@dataclass(frozen=True)
class Summary:
    """What became of a file: its header, frames, and the bytes of the .syn file."""

    header: Header
    frames: int
    bytes_out: int
    segments: int


def segment_length(rate: int, channels: int, frames: int | None) -> int:
    """Frames of a segment: where the length is known, all are about equal, and an even number of them, if any."""
    most = max(1, min(SECONDS * rate, FRAMES, SAMPLES // channels))
    if frames is None or frames <= most:
        return most
    count = -(-frames // most)
    count += count & 1
    return -(-frames // count)


def open_sound(source: Readable, name: str, size: int | None) -> Sound:
    """The WAV, AIFF or FLAC file that `source` gives, at its first sample; `size`: its bytes, None for a pipe.

    Raises AudioError with `name`.
    """
    magic = b""
    while len(magic) < 12 and (more := source.read(12 - len(magic))):
        magic += more
    if magic[:4] == b"fLaC":
        from synth import flac

        return flac.Flac(source if _on_disk(source, size) else _spooled(magic, source), name)
    if magic[:4] in (b"RIFF", b"RIFX", b"RF64") and magic[8:] == b"WAVE":
        return chunks.Wave(source, name, size, magic)
    if magic[:4] == b"FORM" and magic[8:] in (b"AIFF", b"AIFC"):
        return chunks.Aiff(source, name, size, magic)
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


def compress_stream(
    sound: Sound,
    write: Callable[[bytes], Any],
    *,
    level: str = "balanced",
    suffix: str | None = None,
    threads: int = 1,
    segment: int | None = None,
    tick: Tick = lambda done: None,
) -> Summary:
    """What `open_sound` opened, as a .syn file through `write`.

    `suffix`: the end of its name, to be kept; `segment`: frames of a segment. Raises AudioError and CodecError.
    """
    if suffix is not None and (suffix == f".{sound.kind}" or not container.storable_suffix(suffix)):
        suffix = None
    shape = sound.kind, sound.encoding, sound.channels, sound.rate, level
    header = Header(*shape, sound.frames, sound.big, suffix=suffix)
    if sound.kind == "wav" and not sound.big and sound.frames is not None:
        header = replace(header, plain=sound.head == chunks.plain_head(header, sound.frames))
    writer = container.Writer(write, header)
    if not header.plain:
        writer.raw(sound.head)
    md5 = _compress_samples(sound.read, writer, header, threads, segment, tick)
    sound.check(md5)
    for data in sound.tail():
        writer.raw(data)
    writer.end(md5)
    return Summary(header, writer.frames, writer.size, writer.segments)


def _compress_samples(
    read: Read, writer: container.Writer, header: Header, threads: int, segment: int | None, tick: Tick
) -> bytes:
    """Codes all samples that `read` gives; their MD5."""
    length = segment or segment_length(header.rate, header.channels, header.frames)
    bits = pcm.BITS[header.encoding]
    md5 = hashlib.md5(usedforsecurity=False)
    like: tuple[int, ...] = ()  # what all frames were like that are not written yet
    frames = 0

    def segments() -> Iterator[pcm.Samples]:
        while True:
            samples = read(length)
            if len(samples):
                md5.update(pcm.hashed_bytes(samples, header.encoding))
                yield samples
            if len(samples) < length:
                return

    def work(samples: pcm.Samples) -> tuple[int, bytes, tuple[int, ...]]:
        if (samples == samples[0]).all():
            return len(samples), b"", tuple(int(value) for value in samples[0])
        return len(samples), coding.encode_segment(samples, bits, header.level), ()

    for count, data, values in parallel.ordered(work, segments(), threads):
        if frames and (values != like or frames + count > container.MOST_CONSTANT):
            writer.constant(frames, like)
            frames = 0
        if data:
            writer.coded(count, data)
        else:
            like, frames = values, frames + count
        tick(count)
    if frames:
        writer.constant(frames, like)
    return md5.digest()


def decompress_stream(
    opened: Unpacker, write: Callable[[bytes], Any], part: int | None = None, tick: Tick = lambda done: None
) -> int:
    """The file that a .syn file was made of, through `write`; the frames of it.

    `part`: what `opened.limit` returned; a part has a header of its own. Raises CodecError; OutputError for a FLAC file
    that can't be made.
    """
    if opened.header.kind == "flac":
        return _restore_flac(opened, write, tick)
    header = opened.header
    big = header.big and header.kind != "array"
    frames, head = 0, b""
    if part is None and (header.plain or header.kind == "array"):
        head = chunks.plain_head(header, header.frames)
        write(head)
    for piece in opened.pieces(tick):
        if isinstance(piece, bytes):
            head += piece if part is not None or not head else b""
            if part is None:
                write(piece)
            continue
        if not frames and (part is not None or not head):  # a head is lost only where much is
            write(chunks.part_head(header, part or header.frames or 0, head))
        frames += len(piece)
        write(pcm.pack(piece, header.encoding, big))
    if part is not None and part * header.channels * pcm.WIDTH[header.encoding] & 1:
        write(b"\0")
    return frames


def _restore_flac(opened: Unpacker, write: Callable[[bytes], Any], tick: Tick) -> int:
    from synth import flac

    frames = 0
    maker = flac.FlacMaker(opened.header, opened.name)
    try:
        for piece in opened.pieces(tick):
            if isinstance(piece, bytes):
                maker.head += piece
            else:
                maker.samples(piece)
                frames += len(piece)
        maker.finish(write)
    finally:
        maker.close()
    return frames


def compress(wave: NDArray[Any], rate: int, *, level: str = "balanced", threads: int = 1) -> bytes:
    """A .syn file of an array of integers: (frames,) or (frames, channels), uint8, int8, int16, or int32 of 24 bits.

    `rate` in Hz; `level` is fast, balanced or max. `decompress` gives the same array back. Raises CodecError.
    """
    array = np.asarray(wave)
    kind = _TYPES.get(array.dtype.name)
    if kind is None or array.ndim not in (1, 2):
        raise CodecError(
            f"array of {array.dtype} and shape {array.shape}: must be uint8, int8, int16 or int32 (24 bits), "
            "(frames,) or (frames, channels)"
        )
    channels = 1 if array.ndim == 1 else array.shape[1]
    if not 1 <= channels <= container.MOST_CHANNELS:
        raise CodecError(f"{channels} channels: must be 1 to {container.MOST_CHANNELS}")
    if isinstance(rate, bool) or not isinstance(rate, int | np.integer) or not 1 <= rate <= container.MOST_RATE:
        raise CodecError(f"sample rate {rate!r}: must be a whole number of Hz, 1 to {container.MOST_RATE}")
    if level not in container.LEVELS:
        raise CodecError(f"level {level}: must be {', '.join(container.LEVELS)}")
    if kind == "s24" and array.size and not -(1 << 23) <= int(array.min()) <= int(array.max()) < 1 << 23:
        raise CodecError("array of int32: has values of more than 24 bits")
    samples = array.astype(np.int32).reshape(len(array), channels) - (128 if kind == "u8" else 0)
    header = Header("array", kind, channels, int(rate), level, len(samples), big=array.ndim == 1)
    at = 0

    def read(frames: int) -> pcm.Samples:
        nonlocal at
        at += frames
        return samples[at - frames : at]

    out = io.BytesIO()
    writer = container.Writer(out.write, header)
    writer.end(_compress_samples(read, writer, header, threads, None, lambda done: None))
    return out.getvalue()


def decompress(data: bytes, *, threads: int = 1) -> tuple[NDArray[Any], int]:
    """The array and the rate of a .syn file, of any kind: (frames,) for one channel, else (frames, channels).

    24 bits come as int32, float files as float32, G.711 as its codes (uint8). Raises CodecError.
    """
    opened = Unpacker(io.BytesIO(data), "compressed audio", threads=threads)
    header = opened.header
    empty = np.zeros((0, header.channels), np.int32)
    samples = np.concatenate([empty, *(piece for piece in opened.pieces() if not isinstance(piece, bytes))])
    array = pcm.to_array(samples, header.encoding)
    flat = header.big if header.kind == "array" else header.channels == 1
    return (array[:, 0] if flat else array), header.rate
