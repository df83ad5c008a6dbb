"""A segment as bytes, as specified: what its channels are made of, then the range coder's stream; or the samples as
they are where that is shorter. segment.cpp writes the same bytes and refuses the same."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from synth.audio import mulaw
from synth.codec import varint
from synth.codec.lossless import model
from synth.codec.lossless.distributions import Grid
from synth.codec.lossless.presets import PRESETS
from synth.codec.lossless.value_lists import MAX_VALUES, decode_values, encode_values
from synth.common.errors import CodecError
from synth.common.typing import Int32
from synth.engine.reference import ReferenceEngine

PLAIN, LIST, COPY, INVERSE = range(4)
STORED, ALL_PLAIN = 255, 128
FEW_CODES = 64
"""Fewer values than these are listed, mu-law codes or not."""
MIN_TRIED = 16384
"""Frames of a segment on which the variants are tried, if it has so many."""
_LIST_SIZE_BYTES = 4
CODES = [int(value) for value in mulaw.DECODE]


@dataclass
class ChannelLayout:
    """What is written of a channel. `shift`: low bits that no sample uses; `like`: the channel of which this is a copy;
    `codes`: the list is that of the mu-law codes' values, and is not written."""

    kind: int = PLAIN
    shift: int = 0
    like: int = 0
    codes: bool = False
    values: Sequence[int] = field(default_factory=list)

    @property
    def is_copy(self) -> bool:
        return self.kind in (COPY, INVERSE)

    @property
    def is_coded(self) -> bool:
        return not self.is_copy and (self.kind != LIST or len(self.values) > 1)

    def grid(self, bits: int) -> Grid:
        """The values that samples can take."""
        plain = model.plain_grid(bits, self.shift)
        if self.kind != LIST:
            return plain
        unit = math.ldexp(1.0, 16 - bits)
        return Grid(len(self.values), plain.first, plain.unit, plain.starts, [value * unit for value in self.values])


def _damaged() -> CodecError:
    return CodecError("segment: damaged")


def _least(bits: int) -> int:
    return -(1 << (bits - 1))


def _about_log2(x: float) -> float:
    """log2, to a few bits: of the encoder's choice alone."""
    whole = 0
    while x >= 2.0:
        x, whole = x * 0.5, whole + 1
    return whole + (x - 1.0) * (1.0 + 0.34 * (2.0 - x))


def _copied(samples: Int32, layouts: Sequence[ChannelLayout], bits: int) -> ChannelLayout | None:
    """The last channel as a copy of another one."""
    mine = samples[:, -1]
    for like, layout in enumerate(layouts):
        other = samples[:, like]
        if layout.is_copy:
            continue
        if np.array_equal(other, mine):
            return ChannelLayout(COPY, like=like)
        if np.array_equal(other, -mine) and not (other == _least(bits)).any():
            return ChannelLayout(INVERSE, like=like)
    return None


def _listed(samples: Int32, shift: int, bits: int) -> list[int]:
    """The channel's values where the gaps between them save clearly more than the list costs, else none."""
    values, places = np.unique(samples, return_inverse=True)
    count = len(values)
    if count > MAX_VALUES or (count - 1) * 8 > len(samples) + 64:
        return []
    saved = np.full(count, 8.0)
    for i in range(1, count - 1):
        saved[i] = _about_log2(float(values[i + 1] - values[i - 1]) / float(2 << shift))
    if count > 2:
        saved[0] = saved[-1] = 0.0
    total = float(np.add.accumulate(saved[places.reshape(-1)])[-1])  # one after the other
    listed = [int(value) for value in values]
    return listed if total * 0.5 > len(encode_values(listed, _least(bits))) * 8 + 24 else []


def _are_codes(samples: Int32, bits: int) -> bool:
    return bits == 16 and np.array_equal(mulaw.DECODE[mulaw.ENCODE[samples + 32768]], samples)


def analyse(samples: Int32, bits: int) -> list[ChannelLayout]:
    """The layouts of samples [frames, channels], of which there are some."""
    layouts: list[ChannelLayout] = []
    for c in range(samples.shape[1]):
        mine = samples[:, c]
        layout = _copied(samples[:, : c + 1], layouts, bits)
        if layout is None:
            used, shift = int(np.bitwise_or.reduce(mine)), 0
            while shift < bits - 1 and not used >> shift & 1:
                shift += 1
            values = _listed(mine, shift, bits)
            layout = ChannelLayout(LIST, values=values) if values else ChannelLayout(shift=shift)
            if _are_codes(mine, bits) and (not values or len(values) >= FEW_CODES):
                layout = ChannelLayout(LIST, codes=True, values=CODES)
        layouts.append(layout)
    return layouts


def write_layouts(layouts: Sequence[ChannelLayout], variant: int, bits: int) -> bytes:
    """The layouts as bytes."""
    if all(layout.kind == PLAIN and layout.shift == 0 for layout in layouts):
        return bytes([variant | ALL_PLAIN])
    out = bytes([variant])
    for layout in layouts:
        detail = layout.shift if layout.kind == PLAIN else layout.codes if layout.kind == LIST else layout.like
        out += bytes([layout.kind | detail << 2])
        if layout.kind == LIST and not layout.codes:
            values = encode_values(layout.values, _least(bits))
            out += varint.encode(len(values)) + values
    return out


def read_layouts(data: bytes, channels: int, bits: int, variants: int) -> tuple[int, list[ChannelLayout], bytes]:
    """The variant, the layouts, and what follows them; CodecError for what `write_layouts` never writes."""
    variant = data[0] & 127
    if variant >= variants:
        raise _damaged()
    if data[0] & ALL_PLAIN:
        return variant, [ChannelLayout() for _ in range(channels)], data[1:]
    layouts: list[ChannelLayout] = []
    at = 1
    for _ in range(channels):
        if at == len(data):
            raise _damaged()
        kind, detail = data[at] & 3, data[at] >> 2
        at += 1
        if kind == PLAIN and detail < bits:
            layouts.append(ChannelLayout(shift=detail))
        elif kind == LIST and detail == 1 and bits == 16:
            layouts.append(ChannelLayout(LIST, codes=True, values=CODES))
        elif kind == LIST and detail == 0:
            values, at = _read_list(data, at, bits)
            layouts.append(ChannelLayout(LIST, values=values))
        elif kind in (COPY, INVERSE) and detail < len(layouts) and not layouts[detail].is_copy:
            layouts.append(ChannelLayout(kind, like=detail))
        else:
            raise _damaged()
    return variant, layouts, data[at:]


def _read_list(data: bytes, at: int, bits: int) -> tuple[list[int], int]:
    places = iter(range(at, len(data)))
    try:
        size = varint.read(lambda: data[next(places)], _LIST_SIZE_BYTES)
    except (StopIteration, varint.TooLongError):
        raise _damaged() from None
    at = next(places, len(data))
    values = decode_values(data[at : at + size], _least(bits), -_least(bits) - 1) if size <= len(data) - at else None
    if values is None:
        raise _damaged()
    return values, at + size


def _ranks(samples: Int32, layouts: Sequence[ChannelLayout], bits: int) -> Int32:
    """Of the coded channels [frames, coded]."""
    out = [
        np.searchsorted(layout.values, samples[:, c])
        if layout.kind == LIST
        else (samples[:, c] - _least(bits)) >> layout.shift
        for c, layout in enumerate(layouts)
        if layout.is_coded
    ]
    return np.stack(out, 1).astype(np.int32) if out else np.zeros((len(samples), 0), np.int32)


def _samples(ranks: Int32, layouts: Sequence[ChannelLayout], bits: int) -> Int32:
    """The samples again."""
    samples = np.zeros((len(ranks), len(layouts)), np.int32)
    place = 0
    for c, layout in enumerate(layouts):
        if layout.is_copy:
            other = samples[:, layout.like]
            samples[:, c] = other if layout.kind == COPY else np.where(other == _least(bits), other, -other)
            continue
        mine = ranks[:, place] if layout.is_coded else np.zeros(len(ranks), np.int32)
        place += layout.is_coded
        if layout.kind == LIST:
            samples[:, c] = np.array(layout.values, np.int32)[mine]
        else:
            samples[:, c] = (mine << layout.shift) + _least(bits)
    return samples


def encode_segment(samples: Int32, bits: int, effort: str, network: ReferenceEngine | None = None) -> bytes:
    """The bytes of samples [frames, channels], each of `bits` bits."""
    if not samples.size:
        return b""
    layouts = analyse(samples, bits)
    grids = [layout.grid(bits) for layout in layouts if layout.is_coded]
    ranks, presets = _ranks(samples, layouts, bits), PRESETS[effort]
    frames, variant, streams = len(samples), 0, []
    tried = min(frames, max(frames // 16, MIN_TRIED))
    if len(presets) > 1:
        first = (frames - tried) // 2
        streams = [model.encode(preset, grids, ranks[first : first + tried], network) for preset in presets]
        variant = min(range(len(streams)), key=lambda i: len(streams[i]))
    whole = streams and tried == frames
    stream = streams[variant] if whole else model.encode(presets[variant], grids, ranks, network)
    data = write_layouts(layouts, variant, bits) + stream
    width = (bits + 7) // 8
    if len(data) <= samples.size * width + 1:
        return data
    stored = samples.astype("<i4").reshape(-1, 1).view(np.uint8)[:, :width]
    return bytes([STORED]) + stored.tobytes()


def decode_segment(
    data: bytes, frames: int, channels: int, bits: int, effort: str, network: ReferenceEngine | None = None
) -> Int32:
    """The samples (int32 [frames, channels]) again; CodecError where the bytes can't be a segment of them."""
    if bool(data) != bool(frames * channels):
        raise _damaged()
    if not data:
        return np.zeros((frames, channels), np.int32)
    if data[0] == STORED:
        return _read_stored(data[1:], frames, channels, bits)
    variant, layouts, stream = read_layouts(data, channels, bits, len(PRESETS[effort]))
    grids = [layout.grid(bits) for layout in layouts if layout.is_coded]
    return _samples(model.decode(PRESETS[effort][variant], grids, stream, frames, network), layouts, bits)


def _read_stored(data: bytes, frames: int, channels: int, bits: int) -> Int32:
    width, spare = (bits + 7) // 8, 32 - bits
    if len(data) != frames * channels * width:
        raise _damaged()
    wide = np.zeros((frames * channels, 4), np.uint8)
    wide[:, :width] = np.frombuffer(data, np.uint8).reshape(-1, width)
    values = wide.view("<i4").astype(np.int32).reshape(frames, channels)
    return (values << spare) >> spare
