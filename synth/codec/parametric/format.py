"""The bytes of a file of mode parametric (version 3): header, segments of tokens, checksums, and what damage leaves."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace

from synth.checkpoint import fingerprint
from synth.codec import varint
from synth.codec.header import PARAMETRIC_START, RATES
from synth.common.errors import CodecError
from synth.common.limits import MAX_RATE

SEGMENT = 1500
"""Token frames of a segment, 30 seconds: what damage costs; the planner begins anew in each."""
MAX_BYTES = 1 << 28
MAX_HEADER_BYTES = len(PARAMETRIC_START) + 2 * varint.MAX_BYTES + 1 + fingerprint.SHORT
_RATES = 16  # as in the header of the other modes: below this a place in RATES


@dataclass(frozen=True)
class ParametricHeader:
    """Sample rate in Hz, number of samples, tokens a frame, and the digest of the voice's file."""

    rate: int
    samples: int
    tokens_per_frame: int
    digest: bytes

    @property
    def seconds(self) -> float:
        """The length of the sound."""
        return self.samples / self.rate

    def pack(self) -> bytes:
        """The bytes that the file begins with."""
        rate = RATES.index(self.rate) if self.rate in RATES else self.rate + _RATES
        numbers = varint.encode(rate) + varint.encode(self.samples) + bytes([self.tokens_per_frame])
        return PARAMETRIC_START + numbers + self.digest


@dataclass(frozen=True)
class TokenSegment:
    """Token frames from `first` on, with the bytes that code them, or None and what is wrong with them.

    `missing`: frames that are lost after them, for which there are no tokens of silence either.
    """

    first: int
    frames: int
    payload: bytes | None
    damage: str = ""
    missing: int = 0


class ParametricReader:
    """A parametric file in memory, its header checked. Raises CodecError with the name."""

    def __init__(self, data: bytes, name: str) -> None:
        self.name, self._data = name, data
        if not data.startswith(PARAMETRIC_START):
            raise CodecError(f"{name}: is not of mode parametric")
        self._at = len(PARAMETRIC_START)
        rate, samples = self._number(), self._number()
        rate = RATES[rate] if rate < len(RATES) else rate - _RATES
        tokens = self._take(1)[0]
        self.header = ParametricHeader(rate, samples, tokens, self._take(fingerprint.SHORT))
        self.start = self._at
        if not 1 <= rate <= MAX_RATE or not 1 <= tokens <= 16 or not 1 <= samples <= 1 << 40:
            raise CodecError(f"{name}: its header is damaged: it has what this version does not know")

    def _take(self, count: int) -> bytes:
        self._at += count
        if self._at > len(self._data):
            raise CodecError(f"{self.name}: is cut short")
        return self._data[self._at - count : self._at]

    def _number(self) -> int:
        try:
            return varint.read(lambda: self._take(1)[0])
        except varint.TooLongError:
            raise CodecError(f"{self.name}: its header is damaged: a number is too long") from None

    def segments(self, hop: int) -> Iterator[TokenSegment]:
        """All segments, damaged ones marked; one whose end can't be found is the last. `hop`: samples a frame."""
        head = self._data[: self.start]
        frames, self._at = -(-self.header.samples // hop), self.start
        for first in range(0, frames, SEGMENT):
            last = first + SEGMENT >= frames
            try:
                size = len(self._data) - 4 - self._at if last else self._number()
                if size < 0:
                    raise CodecError(f"{self.name}: is cut short")
                payload, crc = self._take(size), self._take(4)
            except CodecError as error:
                yield TokenSegment(first, frames - first, None, str(error).removeprefix(f"{self.name}: "))
                return
            intact = crc == zlib.crc32(head + first.to_bytes(8, "little") + payload).to_bytes(4, "little")
            segment = TokenSegment(first, min(SEGMENT, frames - first), payload)
            yield segment if intact else replace(segment, payload=None, damage="its checksum is wrong")

    def describe_damage(self, segment: TokenSegment, hop: int) -> str:
        """What is wrong with a damaged segment, and where it is, for an error."""
        rate, end = self.header.rate, min(self.header.samples, (segment.first + segment.frames) * hop)
        seconds = f"{segment.first * hop / rate:.2f} s to {end / rate:.2f} s"
        return f"{self.name}: segment {segment.first // SEGMENT + 1} ({seconds}) is damaged: {segment.damage}"


def salvaged(reader: ParametricReader, hop: int) -> Iterator[TokenSegment]:
    """What there is of a file, its silence bounded whatever the header says; CodecError where no segment is whole.

    Of a damaged segment the `damage` says too what is in its place. There are no more frames of silence than a segment
    has for each that is whole, and for one more.
    """
    intact = _count_intact(reader, hop)
    room, left_out = SEGMENT * (intact + 1), 0
    for segment in reader.segments(hop):
        if segment.payload is not None:
            yield segment
            continue
        left = min(segment.frames, room)
        room -= left
        left_out += not left
        if left:
            instead = (
                "silence is" if left == segment.frames else f"{left * hop / reader.header.rate:.2f} s of silence are"
            )
            text = f"{reader.describe_damage(segment, hop)}; {instead} in its place"
            yield TokenSegment(segment.first, min(left, SEGMENT), None, text, max(0, left - SEGMENT))
    if left_out:  # in one line, since a forged file may have any number of them
        yield TokenSegment(0, 0, None, f"{reader.name}: {left_out} more damaged segments are left out")


def _count_intact(reader: ParametricReader, hop: int) -> int:
    """How many segments are whole; CodecError, with what is wrong with the first, where none is."""
    first, intact = "", 0
    for segment in reader.segments(hop):
        intact += segment.payload is not None
        first = first or (reader.describe_damage(segment, hop) if segment.payload is None else "")
    if not intact:
        raise CodecError(f"{first}; no segment is whole, nothing can be salvaged")
    return intact


def salvaged_samples(reader: ParametricReader, hop: int) -> tuple[int, int]:
    """Samples of what `salvaged` gives: those that are decoded, and all, with the digital silence after them."""
    samples, decoded, missing = reader.header.samples, 0, 0
    for segment in salvaged(reader, hop):
        decoded += min(samples - segment.first * hop, segment.frames * hop)
        if segment.missing:
            missing += min(samples - (segment.first + segment.frames) * hop, segment.missing * hop)
    return decoded, decoded + missing
