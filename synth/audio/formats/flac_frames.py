"""The frames of a FLAC stream: where each ends, and how many samples they hold (RFC 9639, section 9).

A frame does not say how long it is. It ends where the next one begins; a place is believed to be that when a header
with its CRC-8 and the number that has to come stands there, and the bytes before have the frame's CRC-16. Of any other
frame, the last one among them, the end is read out of its bits.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass

from synth.audio.formats.crc16 import Crc16Sums, crc16
from synth.audio.formats.file_view import ReadAt

MOST = 1 << 24
"""Bytes of a frame are fewer: STREAMINFO has 24 bits for them."""
_BLOCK = 1 << 20
_HEADER = 16  # bytes, at most
_SIZES = {1: 192, **{code: 144 << code for code in range(2, 6)}, **{code: 1 << code for code in range(8, 16)}}
_BITS = {1: 8, 2: 12, 4: 16, 5: 20, 6: 24, 7: 32}


class FrameError(Exception):
    """Bytes that are no frame; `cut`: since they end too soon."""

    def __init__(self, cut: bool) -> None:
        super().__init__("cut short" if cut else "damaged")
        self.cut = cut


@dataclass(frozen=True)
class FrameHeader:
    """What a frame's header says. `number`: of its first sample when `variable`, else of the frame; `bits`: 0: as the
    stream; `length`: the header's bytes."""

    variable: bool
    number: int
    samples: int
    channels: int
    side: int
    bits: int
    length: int

    def comes_before(self, other: FrameHeader) -> bool:
        """Whether `other` has the number that follows."""
        step = self.samples if self.variable else 1
        return self.variable == other.variable and other.number == self.number + step


@dataclass(frozen=True)
class FrameSpan:
    """All frames of a stream: their samples of a channel, and the place after the last."""

    samples: int
    end: int


def parse_header(data: bytes) -> FrameHeader | None:
    """The header that `data` begins with, None where there is none. `side`: the channel with a bit more, -1: none."""
    if len(data) < 6 or data[0] != 0xFF or data[1] & 0xFE != 0xF8:
        return None
    size, rate, channels, bits = data[2] >> 4, data[2] & 15, data[3] >> 4, data[3] >> 1 & 7
    if not size or rate == 15 or channels > 10 or bits == 3 or data[3] & 1:
        return None
    more = (data[4] ^ 0xFF).bit_length()  # 8 less the leading ones
    follow = 7 - more if more < 7 else 0
    if more == 7 or follow > 6 or any(byte & 0xC0 != 0x80 for byte in data[5 : 5 + follow]):
        return None
    number = data[4] & (0x7F if not follow else (1 << more) - 1 >> 1 if more else 0)
    for byte in data[5 : 5 + follow]:
        number = number << 6 | byte & 0x3F
    at = 5 + follow
    wide = {6: 1, 7: 2}.get(size, 0)
    samples = int.from_bytes(data[at : at + wide], "big") + 1 if wide else _SIZES[size]
    at += wide + {12: 1, 13: 2, 14: 2}.get(rate, 0)
    if len(data) <= at or _crc8(data[:at]) != data[at]:
        return None
    side = {8: 1, 9: 0, 10: 1}.get(channels, -1)
    count = channels + 1 if channels < 8 else 2
    return FrameHeader(bool(data[1] & 1), number, samples, count, side, _BITS.get(bits, 0), at + 1)


def span_frames(read: ReadAt, start: int, size: int, bits: int) -> FrameSpan:
    """The frames from `start` on, in a file of `size` bytes whose STREAMINFO says `bits` of a sample.

    What comes after the last is no frame. FrameError where there is none, or one is cut short or damaged.
    """
    first = parse_header(read(start, _HEADER))
    if first is None:
        raise FrameError(start + _HEADER > size)
    at, header, samples, total, end = start, first, 0, None, 0
    for place, other, sum_ in _candidates(read, start, size):
        if total is None:
            total = sum_
            continue
        if place - at > MOST:
            break
        if sum_ != total:
            continue
        if not header.comes_before(other):
            end = end or frame_end(read, at, size, bits, header)
            if end != place:
                continue
        at, samples, header, end = place, samples + header.samples, other, 0
    end = end or frame_end(read, at, size, bits, header)
    if _goes_on(read, end, size, bits, header):
        raise FrameError(False)
    return FrameSpan(samples + header.samples, end)


def _candidates(read: ReadAt, start: int, size: int) -> Iterator[tuple[int, FrameHeader, int]]:
    """Places where a header seems to be, and the sum of CRC-16 before each."""
    sums = Crc16Sums()
    for at in range(start, size, _BLOCK):
        data = read(at, _BLOCK + _HEADER)
        block = data[:_BLOCK]
        headers = {place: header for place in _syncs(data) if (header := parse_header(data[place : place + _HEADER]))}
        places = sorted(place for place in headers if place < len(block))
        for place, sum_ in zip(places, sums.push(block, places), strict=True):
            yield at + place, headers[place], sum_


def _syncs(data: bytes) -> Iterator[int]:
    for word in (b"\xff\xf8", b"\xff\xf9"):
        place = data.find(word)
        while place >= 0:
            yield place
            place = data.find(word, place + 1)


def _goes_on(read: ReadAt, end: int, size: int, bits: int, header: FrameHeader) -> bool:
    """Whether a frame with one of the next numbers comes after something that is none: it was one, and is damaged."""
    data = read(end, min(size - end, _BLOCK))
    data = data[: data.find(b"fLaC")] if b"fLaC" in data else data
    step = header.samples if header.variable else 1
    for place in _syncs(data):
        other = parse_header(data[place : place + _HEADER])
        if other and other.variable == header.variable and 0 < other.number - header.number <= 64 * step:
            try:
                return frame_end(read, end + place, size, bits, other) > 0
            except FrameError:
                continue
    return False


def frame_end(read: ReadAt, at: int, size: int, bits: int, header: FrameHeader) -> int:
    """The place after the frame at `at`, read out of its bits; FrameError where it is cut short or damaged."""
    window = header.samples * header.channels * (bits + 1) // 8 + 4096
    while True:
        data = read(at, min(window, size - at, MOST))
        try:
            length = _length(data, bits, header)
        except FrameError as error:
            if not error.cut or len(data) < window:
                raise
            window *= 4
            continue
        if crc16(data[:length]):
            raise FrameError(False)
        return at + length


def _length(data: bytes, bits: int, header: FrameHeader) -> int:
    """Bytes of the frame that `data` begins with, its CRC-16 among them."""
    reader = _Bits(data, 8 * header.length)
    for channel in range(header.channels):
        _skip_subframe(reader, header.samples, (header.bits or bits) + (channel == header.side))
    length = (reader.place + 7) // 8 + 2
    if length > len(data):
        raise FrameError(True)
    return length


class _Bits:
    """Bits one after the other, from a place on; FrameError where they end."""

    def __init__(self, data: bytes, place: int) -> None:
        self.text = bin(int.from_bytes(b"\1" + data, "big"))[3:]
        self.place = place

    def take(self, count: int) -> int:
        """A number of so many bits."""
        part = self.text[self.place : self.place + count]
        if len(part) < count:
            raise FrameError(True)
        self.place += count
        return int(part, 2) if count else 0

    def skip_zeros(self) -> int:
        """How many zeros come before the next one, which is passed too."""
        begin = self.place
        self.place = self.text.find("1", begin) + 1
        if not self.place:
            raise FrameError(True)
        return self.place - begin - 1

    def skip_rice(self, count: int, parameter: int) -> None:
        """Passes `count` Rice codes."""
        text, place = self.text, self.place
        for _ in range(count):
            place = text.find("1", place) + 1
            if not place:
                raise FrameError(True)
            place += parameter
        self.place = place


def _skip_subframe(reader: _Bits, samples: int, bits: int) -> None:
    """Passes a subframe of so many samples of so many bits."""
    if reader.take(1):
        raise FrameError(False)
    kind = reader.take(6)
    bits -= reader.skip_zeros() + 1 if reader.take(1) else 0
    order = kind - 31 if kind >= 32 else kind - 8 if 8 <= kind <= 12 else 0
    if bits < 1 or order > samples or 1 < kind < 8 or 12 < kind < 32:
        raise FrameError(False)
    if kind < 2:
        reader.place += bits * (samples if kind else 1)
        return
    reader.place += bits * order
    if kind >= 32:
        precision = reader.take(4) + 1
        reader.place += 5 + order * precision
    _skip_residual(reader, samples, order)


def _skip_residual(reader: _Bits, samples: int, order: int) -> None:
    method, parts = reader.take(2), 1 << reader.take(4)
    if method > 1 or samples % parts or samples // parts < order:
        raise FrameError(False)
    width = 4 + method
    for part in range(parts):
        count = samples // parts - (0 if part else order)
        parameter = reader.take(width)
        if parameter == (1 << width) - 1:
            reader.place += reader.take(5) * count
        else:
            reader.skip_rice(count, parameter)


@functools.cache
def _crc8_table() -> bytes:
    table = []
    for value in range(256):
        for _ in range(8):
            value = value << 1 ^ (0x107 if value & 0x80 else 0)
        table.append(value & 0xFF)
    return bytes(table)


def _crc8(data: bytes) -> int:
    table, state = _crc8_table(), 0
    for byte in data:
        state = table[state ^ byte]
    return state
