"""The parametric mode of .syn files: the tokens of a voice, coded with its planner, that its network speaks again.

Version 3 of the format: what is kept is what is said and who says it, at 1 to 6 kb/s, not the wave. Everything from the
tokens to the samples is integer arithmetic, so a file gives the same samples on every machine.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from synth import tokencode
from synth.config import Draw
from synth.errors import CodecError, UsageError
from synth.header import RATES, SPOKEN, is_parametric, varint
from synth.sampler import Model

SEGMENT = 1500
"""Token frames of a segment, 30 seconds: what damage costs; the planner begins anew in each."""
MOST_BYTES = 1 << 28
_RATES = 16  # as in the header of the other modes: below this a place in RATES
_BLOCK = 1 << 12


@dataclass(frozen=True)
class Head:
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
        numbers = varint(rate) + varint(self.samples) + bytes([self.count])
        return SPOKEN + numbers + self.digest


def encode(model: Model, samples: NDArray[np.int16], bitrate: float) -> tuple[bytes, int]:
    """A file of int16 samples (n,) at the model's rate, of at most `bitrate` bits a second where that can be.

    Returns it and the tokens a frame that it has: as many as fit. Raises UsageError for a voice without planner.
    """
    guides = model.guides
    if guides is None or guides.planner is None:
        raise UsageError(f"{model.checkpoint.name}: mode parametric takes a voice with a planner, as speech")
    most = min(guides.vocoder.config.quantisers, guides.period)
    heard = guides.vocoder.hear(samples)
    tokens = guides.vocoder.tokens(heard, most)
    budget = bitrate * len(samples) / model.sample_rate
    low, high = 1, most
    while low < high:  # the most tokens that fit: each more costs more
        middle = (low + high + 1) // 2
        low, high = (middle, high) if _cost(model, tokens[:, :middle]) <= budget else (low, middle - 1)
    data = _pack(model, samples, guides.vocoder.searched(heard, low))
    while low > 1 and 8 * len(data) > budget:
        low -= 1
        data = _pack(model, samples, guides.vocoder.searched(heard, low))
    return data, low


def _cost(model: Model, tokens: NDArray[np.uint8]) -> float:
    assert model.guides is not None
    pieces = range(0, len(tokens), SEGMENT)
    return sum(tokencode.bits(model.guides.planner, tokens[at : at + SEGMENT]) for at in pieces)


def _pack(model: Model, samples: NDArray[np.int16], tokens: NDArray[np.uint8]) -> bytes:
    assert model.guides is not None
    digest = bytes.fromhex(model.checkpoint.sha256)[:8]
    head = Head(model.sample_rate, len(samples), tokens.shape[1], digest).pack()
    out = [head]
    for at in range(0, len(tokens), SEGMENT):
        coded = tokencode.encode(model.guides.planner, tokens[at : at + SEGMENT])
        size = b"" if at + SEGMENT >= len(tokens) else varint(len(coded))
        out += [size + coded, zlib.crc32(head + at.to_bytes(8, "little") + coded).to_bytes(4, "little")]
    return b"".join(out)


class Reader:
    """A parametric file in memory, its header checked. Raises CodecError with the name."""

    def __init__(self, data: bytes, name: str) -> None:
        self.name, self._data = name, data
        if not is_parametric(data):
            raise CodecError(f"{name}: is not of mode parametric")
        self._at = 5
        rate, samples = self._number(), self._number()
        rate = RATES[rate] if rate < len(RATES) else rate - _RATES
        count = self._take(1)[0]
        self.head = Head(rate, samples, count, self._take(8))
        self.start = self._at
        if not 1 <= rate <= 10_000_000 or not 1 <= count <= 16 or not 1 <= samples <= 1 << 40:
            raise CodecError(f"{name}: its header is damaged: it has what this version does not know")

    def _take(self, count: int) -> bytes:
        self._at += count
        if self._at > len(self._data):
            raise CodecError(f"{self.name}: is cut short")
        return self._data[self._at - count : self._at]

    def _number(self) -> int:
        value = shift = 0
        while True:
            byte = self._take(1)[0]
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value
            if shift > 56:
                raise CodecError(f"{self.name}: its header is damaged: a number is too long")

    def segments(self, hop: int) -> Iterator[tuple[int, int, bytes | str]]:
        """First frame, frames and coded bytes of each segment, or what is wrong with it; `hop`: samples a frame."""
        head = self._data[: self.start]
        frames, self._at = -(-self.head.samples // hop), self.start
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


def salvaged(reader: Reader, hop: int) -> Iterator[tuple[int, int, int, bytes | str]]:
    """What there is of a file, its silence bounded whatever the header says; CodecError where no segment is whole.

    First frame, frames, and frames that are missing after them, of each segment, with its coded bytes or what is said
    of it. There are no more frames of silence than a segment has for each that is whole, and for one more.
    """
    first = ""
    whole = lost = 0
    for at, frames, coded in reader.segments(hop):
        whole += isinstance(coded, bytes)
        first = first or (_damage(reader, hop, at, frames, coded) if isinstance(coded, str) else "")
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
            instead = "silence is" if left == frames else f"{left * hop / reader.head.rate:.2f} s of silence are"
            text = f"{_damage(reader, hop, at, frames, coded)}; {instead} in its place"
            yield at, min(left, SEGMENT), max(0, left - SEGMENT), text
    if lost:  # in one line, since a forged file may have any number of them
        yield 0, 0, 0, f"{reader.name}: {lost} more damaged segments are left out"


def salvaged_samples(reader: Reader, hop: int) -> tuple[int, int]:
    """Samples of what `salvaged` gives: those that are spoken, and all, with the digital silence after them."""
    heard = missing = 0
    for at, frames, more, _ in salvaged(reader, hop):
        heard += min(reader.head.samples - at * hop, frames * hop)
        missing += min(reader.head.samples - (at + frames) * hop, more * hop) if more else 0
    return heard, heard + missing


def _damage(reader: Reader, hop: int, at: int, frames: int, what: bytes | str) -> str:
    first, last = at * hop / reader.head.rate, min(reader.head.samples, (at + frames) * hop) / reader.head.rate
    return f"{reader.name}: segment {at // SEGMENT + 1} ({first:.2f} s to {last:.2f} s) is damaged: {what!s}"


def hop_of(reader: Reader, model: Model) -> int:
    """Samples of a token frame; CodecError for a voice that can't decode the file."""
    guides, head = model.guides, reader.head
    if guides is None or guides.planner is None or model.sample_rate != head.rate:
        raise CodecError(f"{reader.name}: the voice that it names is none that can decode it")
    if head.count > min(guides.vocoder.config.quantisers, guides.period):
        raise CodecError(f"{reader.name}: its header is damaged: its voice has fewer tokens a frame")
    return guides.vocoder.hop


def pieces(reader: Reader, model: Model, damages: list[str] | None = None) -> Iterator[NDArray[np.int64]]:
    """8-bit vectors (frames, latent) of one segment after the other; CodecError for one that is damaged.

    With `damages` silence is in its place as far as `salvaged` allows, and what was wrong is added to them.
    """
    hop, guides = hop_of(reader, model), model.guides
    assert guides is not None
    segments: Iterator[tuple[int, int, int, bytes | str]]
    if damages is None:
        segments = ((at, frames, 0, coded) for at, frames, coded in reader.segments(hop))
    else:
        segments = salvaged(reader, hop)
    for at, frames, _, coded in segments:
        if isinstance(coded, bytes):
            yield guides.vocoder.vectors(tokencode.decode(guides.planner, coded, frames, reader.head.count))
        elif damages is None:
            raise CodecError(_damage(reader, hop, at, frames, coded))
        else:
            damages.append(coded)
            quiet = guides.vocoder.exact(guides.vocoder.hear(np.zeros(hop, np.int16)))
            yield np.repeat(quiet, frames, 0)


MOST_TOLD = 20  # of a forged file, which may have millions


def problems(reader: Reader, model: Model) -> list[str]:
    """What is wrong with every damaged segment, each decoded that is whole; beyond MOST_TOLD of them how many more."""
    hop, guides, more = hop_of(reader, model), model.guides, 0
    found: list[str] = []
    assert guides is not None
    for at, frames, coded in reader.segments(hop):
        if isinstance(coded, bytes):
            tokencode.decode(guides.planner, coded, frames, reader.head.count)
        elif len(found) < MOST_TOLD:
            text = _damage(reader, hop, at, frames, coded)
            found.append(text.removeprefix(f"{reader.name}: ") if found else text)
        else:
            more += 1
    return [*found, f"and {more} more"] if more else found


def spoken(
    model: Model,
    vectors: NDArray[np.int64] | Iterator[NDArray[np.int64]],
    samples: int,
    first: int = 0,
    heard: int | None = None,
) -> Iterator[NDArray[np.int16]]:
    """The sound of 8-bit vectors, or pieces of them, int16, from sample `first` to `samples`, by blocks.

    From sample `heard` on, if it is given, digital silence.
    """
    stream, heard = model.follow(vectors, Draw(), seed=0), samples if heard is None else min(heard, samples)
    for at in range(0, samples, _BLOCK):
        block = np.zeros(min(_BLOCK, samples - at), np.int16)
        if at < heard:
            block[: heard - at] = stream.pcm(min(len(block), heard - at))
        if at + len(block) > first:
            yield block[max(0, first - at) :]
