"""A segment as a file holds it: coded, or the frames that it repeats, or codes of a byte a sample as they are.

The second and the third are of version 2 of the format.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from synth.audio import mulaw
from synth.audio.formats import pcm
from synth.codec import container, lossless
from synth.codec.container_writer import ContainerWriter
from synth.codec.header import Header
from synth.codec.lossless import wide
from synth.common.errors import CodecError
from synth.common.typing import ChannelSamples

if TYPE_CHECKING:
    from synth.engine import Engine

CODES = 254
"""The first byte of a segment of codes: no coded one begins with it."""
MIN_SAVED = 1024
"""Frames that a segment must repeat: with fewer it is coded, as in version 1."""
_FACTOR = np.uint64(0x9E3779B97F4A7C15)
_PROBES = 16
_EXPANDED = 1 << 17
"""Frames that are repeated at a time."""


@dataclass(frozen=True)
class Segment:
    """So many frames: `pattern` again and again where there is one, with its last time cut, else what `payload` codes.

    `payload` is that of the pattern then; of a constant segment, whose pattern is one frame, there is none. `codes`:
    what can stand for `payload` in a file of version 2, where it is shorter.
    """

    frames: int
    payload: bytes = b""
    codes: bytes = b""
    pattern: ChannelSamples | None = None


def make(samples: ChannelSamples, header: Header, network: Engine | None, repeating: bool) -> Segment:
    """The segment of samples [frames, channels]; `repeating`: the file may have segments that repeat something."""
    if is_constant(samples):
        return Segment(len(samples), pattern=samples[:1])
    length = period(samples) if repeating else 0
    pattern = samples[:length].copy() if length else None
    coded = samples if pattern is None else pattern
    bits = pcm.BITS[header.encoding]
    if bits == wide.BITS:
        data = wide.encode_segment(coded, header.encoding == "float32", header.effort, network)
    else:
        data = lossless.encode_segment(coded, bits, header.effort, network)
    codes = _codes(coded, header) if _of_codes(header) and len(data) > coded.size + 1 else b""
    return Segment(len(samples), data, codes, pattern)


def decode(data: bytes, frames: int, header: Header, network: Engine | None) -> ChannelSamples:
    """The samples of what codes so many frames; CodecError where it can't be."""
    bits = pcm.BITS[header.encoding]
    if bits == wide.BITS:
        floats = header.encoding == "float32"
        return wide.decode_segment(data, frames, header.channels, floats, header.effort, network)
    if header.version < 2 or data[:1] != bytes([CODES]) or not _of_codes(header):
        return lossless.decode_segment(data, frames, header.channels, bits, header.effort, network)
    if len(data) != 1 + frames * header.channels:
        raise CodecError("segment: damaged")
    if header.mode == "lossless":
        return pcm.unpack(data[1:], header.encoding, False, header.channels)
    codes = np.frombuffer(data, np.uint8, offset=1)
    return mulaw.decode(codes).astype(np.int32).reshape(frames, header.channels)


def integer_parts(samples: ChannelSamples, header: Header) -> tuple[ChannelSamples, int]:
    """The integers that a network helps to predict, and their bits: the samples, or what stands for those of 32."""
    if pcm.BITS[header.encoding] != wide.BITS:
        return samples, pcm.BITS[header.encoding]
    parts, bits, _ = wide.split(samples, header.encoding == "float32")
    return parts, bits


def _of_codes(header: Header) -> bool:
    """Whether a sample is one of 256."""
    return header.encoding in ("alaw", "mulaw") or header.mode == "mulaw"


def _codes(samples: ChannelSamples, header: Header) -> bytes:
    codes = (
        pcm.pack(samples, header.encoding, False)
        if header.mode == "lossless"
        else mulaw.encode(samples.astype(np.int16)).tobytes()
    )
    return bytes([CODES]) + codes


def is_constant(samples: ChannelSamples) -> bool:
    """Whether all frames are the same."""
    return bool((samples == samples[0]).all())


def period(samples: ChannelSamples) -> int:
    """The fewest frames of which samples [frames, channels], not all the same, are exact repetitions, or 0.

    At most half of the frames, so that a segment alone shows it.
    """
    frames, one = len(samples), samples[:, 0]
    half = min(frames // 2, frames - MIN_SAVED, container.MAX_SAMPLES // samples.shape[1])
    if half < 2:
        return 0
    periods = 2 + np.flatnonzero(one[2 : half + 1] == one[0])
    for at in np.linspace(half, frames - 1, _PROBES, dtype=np.int64):  # of most sounds nothing is left soon
        periods = periods[one[at - periods] == one[at]]
    if not len(periods):
        return 0
    # Sums of the first i frames, each times its power of a factor: two stretches are equal if their sums are, shifted.
    powers = np.multiply.accumulate(np.full(frames + 1, _FACTOR))
    weights = np.multiply.accumulate(np.full(samples.shape[1], _FACTOR + np.uint64(2)))
    sums = np.zeros(frames + 1, np.uint64)
    np.add.accumulate((samples.astype(np.uint64) @ weights) * powers[:-1], out=sums[1:])
    periods = periods[sums[-1:] - sums[periods] == powers[periods - 1] * sums[frames - periods]]
    length = int(periods[0]) if len(periods) else 0
    return length if length and np.array_equal(samples[length:], samples[:-length]) else 0


def write(segments: Iterable[Segment], writer: ContainerWriter) -> Iterator[int]:
    """Writes segments, with neighbours that repeat the same as one; gives the frames of each when it is taken in."""
    held: Segment | None = None
    frames = 0
    for segment in segments:
        if held and (not _continues(held, frames, segment) or frames + segment.frames > container.MAX_CONSTANT):
            _put(held, frames, writer)
            held, frames = None, 0
        if segment.pattern is None:
            _put(segment, segment.frames, writer)
        else:
            held, frames = held or segment, frames + segment.frames
        yield segment.frames
    if held:
        _put(held, frames, writer)


def _continues(held: Segment, frames: int, segment: Segment) -> bool:
    """Whether what `held` repeats, for so many frames till now, goes on in the next segment."""
    first, second = held.pattern, segment.pattern
    if first is None or second is None or first.shape != second.shape:
        return False
    return np.array_equal(np.roll(first, -(frames % len(first)), 0), second)


def _put(segment: Segment, frames: int, writer: ContainerWriter) -> None:
    data = segment.codes if segment.codes and writer.version > 1 else segment.payload
    if segment.pattern is None:
        writer.coded(frames, data)
    elif len(segment.pattern) == 1:
        writer.constant(frames, tuple(int(value) for value in segment.pattern[0]))
    else:
        writer.repeated(frames, len(segment.pattern), data)


def repeated(pattern: ChannelSamples, first: int, last: int) -> Iterator[ChannelSamples]:
    """The frames from `first` to `last` of a pattern again and again."""
    length = len(pattern)
    several = np.tile(pattern, (-(-min(_EXPANDED, last - first) // length) + 1, 1)) if length > 1 else pattern
    for at in range(first, last, _EXPANDED):
        count, start = min(_EXPANDED, last - at), at % length
        yield several[start : start + count] if length > 1 else np.broadcast_to(pattern, (count, pattern.shape[1]))
