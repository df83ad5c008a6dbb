"""The bytes of a file of mode parametric (version 3): header, segments of tokens, checksums, and what damage leaves."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from synth.codec import varint
from synth.codec.header import RATES, SPOKEN, is_parametric
from synth.common.errors import CodecError
from synth.common.limits import MAX_RATE

SEGMENT = 1500
"""Token frames of a segment, 30 seconds: what damage costs; the planner begins anew in each."""
MAX_BYTES = 1 << 28
_RATES = 16  # as in the header of the other modes: below this a place in RATES


@dataclass(frozen=True)
class ParametricHeader:
    """What a parametric file tells: rate and number of samples, tokens a frame, the digest of the voice's file."""

    rate: int
    samples: int
    count: int
    digest: bytes

    @property
    def seconds(self) -> float:
        """Its length."""
        return self.samples / self.rate

    def pack(self) -> bytes:
        """The bytes that the file begins with."""
        rate = RATES.index(self.rate) if self.rate in RATES else self.rate + _RATES
        numbers = varint.encode(rate) + varint.encode(self.samples) + bytes([self.count])
        return SPOKEN + numbers + self.digest


class ParametricReader:
    """A parametric file in memory, its header checked. Raises CodecError with the name."""

    def __init__(self, data: bytes, name: str) -> None:
        self.name, self._data = name, data
        if not is_parametric(data):
            raise CodecError(f"{name}: is not of mode parametric")
        self._at = 5
        rate, samples = self._number(), self._number()
        rate = RATES[rate] if rate < len(RATES) else rate - _RATES
        count = self._take(1)[0]
        self.header = ParametricHeader(rate, samples, count, self._take(8))
        self.start = self._at
        if not 1 <= rate <= MAX_RATE or not 1 <= count <= 16 or not 1 <= samples <= 1 << 40:
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

    def segments(self, hop: int) -> Iterator[tuple[int, int, bytes | str]]:
        """First frame, frames and coded bytes of each segment, or what is wrong with it; `hop`: samples a frame."""
        head = self._data[: self.start]
        frames, self._at = -(-self.header.samples // hop), self.start
        for at in range(0, frames, SEGMENT):
            last = at + SEGMENT >= frames
            try:
                size = len(self._data) - 4 - self._at if last else self._number()
                if size < 0:
                    raise CodecError(f"{self.name}: is cut short")
                coded, crc = self._take(size), self._take(4)
            except CodecError as error:
                yield at, frames - at, str(error).removeprefix(f"{self.name}: ")
                return
            good = crc == zlib.crc32(head + at.to_bytes(8, "little") + coded).to_bytes(4, "little")
            yield at, min(SEGMENT, frames - at), coded if good else "its checksum is wrong"


def salvaged(reader: ParametricReader, hop: int) -> Iterator[tuple[int, int, int, bytes | str]]:
    """What there is of a file, its silence bounded whatever the header says; CodecError where no segment is whole.

    First frame, frames, and frames that are missing after them, of each segment, with its coded bytes or what is said
    of it. There are no more frames of silence than a segment has for each that is whole, and for one more.
    """
    first = ""
    whole = lost = 0
    for at, frames, coded in reader.segments(hop):
        whole += isinstance(coded, bytes)
        first = first or (damage(reader, hop, at, frames, coded) if isinstance(coded, str) else "")
    if not whole:
        raise CodecError(f"{first}; no segment is whole, nothing can be salvaged")
    room = SEGMENT * (whole + 1)
    for at, frames, coded in reader.segments(hop):
        if isinstance(coded, bytes):
            yield at, frames, 0, coded
            continue
        left = min(frames, room)
        room -= left
        lost += not left
        if left:
            instead = "silence is" if left == frames else f"{left * hop / reader.header.rate:.2f} s of silence are"
            text = f"{damage(reader, hop, at, frames, coded)}; {instead} in its place"
            yield at, min(left, SEGMENT), max(0, left - SEGMENT), text
    if lost:  # in one line, since a forged file may have any number of them
        yield 0, 0, 0, f"{reader.name}: {lost} more damaged segments are left out"


def salvaged_samples(reader: ParametricReader, hop: int) -> tuple[int, int]:
    """Samples of what `salvaged` gives: those that are spoken, and all, with the digital silence after them."""
    heard = missing = 0
    for at, frames, more, _ in salvaged(reader, hop):
        heard += min(reader.header.samples - at * hop, frames * hop)
        missing += min(reader.header.samples - (at + frames) * hop, more * hop) if more else 0
    return heard, heard + missing


def damage(reader: ParametricReader, hop: int, at: int, frames: int, what: bytes | str) -> str:
    first, last = at * hop / reader.header.rate, min(reader.header.samples, (at + frames) * hop) / reader.header.rate
    return f"{reader.name}: segment {at // SEGMENT + 1} ({first:.2f} s to {last:.2f} s) is damaged: {what!s}"
