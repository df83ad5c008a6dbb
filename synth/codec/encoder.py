"""Samples to .syn files, segment by segment, in bounded memory.

Segments are coded on threads; the bytes do not depend on how many. `compress_stream` is of sound files,
`compress_array` of samples; `api` has what is called from Python.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

import numpy as np

from synth.audio.formats import pcm, riff, riff_header
from synth.codec import container, network_choice, segments
from synth.codec.container_writer import ContainerWriter
from synth.codec.header import SURROUNDED_VERSION, WIDE_ENCODINGS, WIDE_VERSION, Header, storable_suffix
from synth.codec.mulaw_source import MulawSource
from synth.codec.network_choice import CodecPredictor
from synth.codec.syn_file import Tick, no_tick
from synth.common import threads as parallel
from synth.common.typing import ChannelSamples

if TYPE_CHECKING:
    from synth.audio.formats.flac import FlacReader

    Sound = riff.PcmReader | FlacReader


SECONDS, FRAMES, SAMPLES = 15, 1 << 18, 1 << 20
"""Most of a segment, unless told: its length, its frames, its samples of all channels.

A segment more costs about 300 bytes, which this makes 0.1 % at most of what a file of music takes. Where the beginning
repeats itself they are of twice the length, which finds periods of twice the length too.
"""


@dataclass(frozen=True)
class Summary:
    """What became of a file: its header, frames, and the bytes of the .syn file."""

    header: Header
    frames: int
    bytes_out: int
    segments: int


def segment_length(
    rate: int, channels: int, frames: int | None, seconds: float | None = None, *, double: bool = False
) -> int:
    """Frames of a segment: where the length is known, all are about equal, and an even number of them, if any.

    `seconds`: most of a segment, as far as a block can hold it. `double`: without `seconds`, twice as long.
    """
    most = min(SECONDS * rate, FRAMES, SAMPLES // channels) << double
    if seconds is not None:
        most = min(round(seconds * rate), container.MAX_SAMPLES // channels)
    most = max(1, most)
    if frames is None or frames <= most:
        return most
    count = -(-frames // most)
    count += count & 1
    return -(-frames // count)


def compress_stream(
    source: Sound,
    write: Callable[[bytes], Any],
    *,
    effort: str = "balanced",
    mode: str = "lossless",
    network: str = network_choice.AUTO,
    suffix: str | None = None,
    threads: int = 1,
    segment: int | None = None,
    seconds: float | None = None,
    tick: Tick = no_tick,
) -> Summary:
    """What `open_sound` opened, as a .syn file through `write`.

    `mode`: "lossless", or "mulaw": the values of 256 mu-law codes alone are kept, in a WAV file of 16 bits.
    `network`: a checkpoint, "none", or "auto": what makes the beginning shortest. `suffix`: the end of the file's name,
    to be kept; `segment`: frames of a segment; `seconds`: most of one, else what costs little. Raises AudioError,
    CheckpointError and CodecError.
    """
    sound = source if mode == "lossless" else MulawSource(source)
    own = source.suffix if suffix is None else suffix  # a name may end in nothing
    header = _header_of(sound, effort=effort, mode=mode, suffix=own if mode == "lossless" else None)
    length = segment or segment_length(header.rate, header.channels, header.frames, seconds, double=True)
    first = sound.read(length)
    length = segment or _length_after(first, header, header.frames, seconds)
    predictor = _choose_predictor(network, first, header)
    writer, md5 = _write_segments(
        _pieces(first, sound.read, length),
        write,
        replace(header, checkpoint=predictor.digest if predictor else b""),
        head=() if header.plain else sound.head_parts(),
        predictor=predictor,
        threads=threads,
        tick=tick,
    )
    sound.check(md5)
    for data in sound.tail():
        writer.raw(data)
    writer.end(md5)
    return Summary(writer.header, writer.frames, writer.size, writer.segments)


def _header_of(sound: Sound | MulawSource, *, effort: str, mode: str, suffix: str | None) -> Header:
    """The header of a sound file; `suffix` is kept where it is not the kind's own."""
    if suffix is not None and (suffix == f".{sound.kind}" or not storable_suffix(suffix)):
        suffix = None
    shape = sound.kind, sound.encoding, sound.channels, sound.rate, effort
    version = WIDE_VERSION if sound.encoding in WIDE_ENCODINGS else SURROUNDED_VERSION if sound.is_surrounded else 1
    header = Header(*shape, sound.frames, sound.big, suffix=suffix, mode=mode, version=version)
    if sound.kind == "wav" and not sound.big and sound.frames is not None:
        plain = riff_header.plain_head(header, sound.frames)
        header = replace(header, plain=b"".join(sound.head_parts()) == plain)
    return header


def _pieces(first: ChannelSamples, read: Callable[[int], ChannelSamples], length: int) -> Iterator[ChannelSamples]:
    """All samples, of which `first` was read, by `length`, the last piece less."""
    at = 0
    while len(first) - at > length:
        yield first[at : at + length]
        at += length
    last = first[at:]
    if 0 < len(last) < length:
        last = np.concatenate([last, read(length - len(last))])
    yield last
    while len(last) == length:
        last = read(length)
        yield last


def _length_after(beginning: ChannelSamples, header: Header, frames: int | None, seconds: float | None) -> int:
    """Frames of a segment of a file of so many frames that begins so: long ones where it repeats itself."""
    repeats = len(beginning) > 0 and not segments.is_constant(beginning) and segments.period(beginning) > 0
    return segment_length(header.rate, header.channels, frames, seconds, double=repeats)


def _choose_predictor(network: str, samples: ChannelSamples, header: Header) -> CodecPredictor | None:
    """The network that helps to code a file that begins with these samples."""
    name = network_choice.resolve(network, header.effort)
    if name == network_choice.AUTO and not (samples == samples[:1]).all():
        return network_choice.choose(*segments.integer_parts(samples, header), header.effort)
    return None if name in (network_choice.AUTO, network_choice.NONE) else network_choice.load_predictor(name)


class _HashedPieces:
    """Pieces of samples up to the first that is empty; `md5` is of those that were taken."""

    def __init__(self, pieces: Iterable[ChannelSamples], encoding: str) -> None:
        self._pieces, self._encoding = pieces, encoding
        self.md5 = hashlib.md5(usedforsecurity=False)

    def __iter__(self) -> Iterator[ChannelSamples]:
        for samples in self._pieces:
            if not len(samples):
                return
            self.md5.update(pcm.hashed_bytes(samples, self._encoding))
            yield samples


def _write_segments(
    pieces: Iterable[ChannelSamples],
    write: Callable[[bytes], Any],
    header: Header,
    *,
    head: Iterable[bytes],
    predictor: CodecPredictor | None,
    threads: int,
    tick: Tick,
) -> tuple[ContainerWriter, bytes]:
    """Codes the pieces, each a segment, up to the first that is empty; the writer of a file begun so, and their MD5.

    `head`: bytes of the sound file before its samples. Whether the file is of version 2 of the format, its first two
    segments decide, for the header comes before them.
    """
    engine = predictor.engine if predictor else None
    hashed = _HashedPieces(pieces, header.encoding)
    source = iter(hashed)
    ahead = list(islice(source, 2))
    repeating = any(not segments.is_constant(samples) and segments.period(samples) for samples in ahead)
    coded = parallel.ordered(
        lambda samples: segments.make(samples, header, engine, repeating), chain(ahead, source), threads
    )
    del ahead
    begun = list(islice(coded, 2))
    if repeating or any(segment.codes for segment in begun):
        header = replace(header, version=max(2, header.version))
    writer = ContainerWriter(write, header)
    for data in head:
        writer.raw(data)
    for frames in segments.write(chain(begun, coded), writer):
        tick(frames)
    return writer, hashed.md5.digest()


def compress_array(
    samples: ChannelSamples,
    header: Header,
    write: Callable[[bytes], Any],
    *,
    network: str,
    threads: int,
    seconds: float | None = None,
) -> None:
    """Samples [frames, channels] that a header of the kind array describes, as a .syn file through `write`.

    `seconds`: most of a segment, else what costs little.
    """
    predictor = _choose_predictor(network, samples, header) if len(samples) else None
    header = replace(header, checkpoint=predictor.digest if predictor else b"")
    longest = segment_length(header.rate, header.channels, len(samples), seconds, double=True)
    length = _length_after(samples[:longest], header, len(samples), seconds)
    pieces = (samples[at : at + length] for at in range(0, len(samples), length))
    writer, md5 = _write_segments(pieces, write, header, head=(), predictor=predictor, threads=threads, tick=no_tick)
    writer.end(md5)
