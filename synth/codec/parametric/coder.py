"""A recording to tokens of a voice and back to sound: what files of mode parametric hold."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from synth.checkpoint import fingerprint
from synth.codec import varint
from synth.codec.parametric import format, token_coding
from synth.codec.parametric.format import ParametricHeader, ParametricReader, damage, salvaged
from synth.common.errors import CodecError, UsageError
from synth.engine.config import SamplingConfig
from synth.generation.voice import Voice

_BLOCK = 1 << 12


def encode(model: Voice, samples: NDArray[np.int16], bitrate: float) -> tuple[bytes, int]:
    """A file of int16 samples (n,) at the model's rate, of at most `bitrate` bits a second where that can be.

    Returns it and the tokens a frame that it has: as many as fit. Raises UsageError for a voice without planner.
    """
    runtime = model.runtime
    if runtime.planner is None:
        raise UsageError(f"{model.checkpoint.name}: mode parametric takes a voice with a planner, as speech")
    most = min(runtime.vocoder.config.quantisers, runtime.planner_tokens)
    heard = runtime.vocoder.encode_sound(samples)
    tokens = runtime.vocoder.tokens(heard, most)
    budget = bitrate * len(samples) / model.sample_rate
    low, high = 1, most
    while low < high:  # the most tokens that fit: each more costs more
        middle = (low + high + 1) // 2
        low, high = (middle, high) if _cost(model, tokens[:, :middle]) <= budget else (low, middle - 1)
    data = _pack(model, samples, runtime.vocoder.beam_search_tokens(heard, low))
    while low > 1 and 8 * len(data) > budget:
        low -= 1
        data = _pack(model, samples, runtime.vocoder.beam_search_tokens(heard, low))
    return data, low


def _cost(model: Voice, tokens: NDArray[np.uint8]) -> float:
    assert model.runtime.planner is not None
    pieces = range(0, len(tokens), format.SEGMENT)
    return sum(token_coding.bits(model.runtime.planner, tokens[at : at + format.SEGMENT]) for at in pieces)


def _pack(model: Voice, samples: NDArray[np.int16], tokens: NDArray[np.uint8]) -> bytes:
    assert model.runtime.planner is not None
    voice = fingerprint.short(model.checkpoint.sha256)
    head = ParametricHeader(model.sample_rate, len(samples), tokens.shape[1], voice).pack()
    out = [head]
    for at in range(0, len(tokens), format.SEGMENT):
        coded = token_coding.encode(model.runtime.planner, tokens[at : at + format.SEGMENT])
        size = b"" if at + format.SEGMENT >= len(tokens) else varint.encode(len(coded))
        out += [size + coded, zlib.crc32(head + at.to_bytes(8, "little") + coded).to_bytes(4, "little")]
    return b"".join(out)


def hop_of(reader: ParametricReader, model: Voice) -> int:
    """Samples of a token frame; CodecError for a voice that can't decode the file."""
    runtime, head = model.runtime, reader.header
    if runtime.planner is None or model.sample_rate != head.rate:
        raise CodecError(f"{reader.name}: the voice that it names is none that can decode it")
    if head.count > min(runtime.vocoder.config.quantisers, runtime.planner_tokens):
        raise CodecError(f"{reader.name}: its header is damaged: its voice has fewer tokens a frame")
    return runtime.vocoder.hop


def pieces(reader: ParametricReader, model: Voice, damages: list[str] | None = None) -> Iterator[NDArray[np.int64]]:
    """8-bit vectors (frames, latent) of one segment after the other; CodecError for one that is damaged.

    With `damages` silence is in its place as far as `salvaged` allows, and what was wrong is added to them.
    """
    hop, runtime = hop_of(reader, model), model.runtime
    assert runtime.planner is not None
    segments: Iterator[tuple[int, int, int, bytes | str]]
    if damages is None:
        segments = ((at, frames, 0, coded) for at, frames, coded in reader.segments(hop))
    else:
        segments = salvaged(reader, hop)
    for at, frames, _, coded in segments:
        if isinstance(coded, bytes):
            yield runtime.vocoder.latents(token_coding.decode(runtime.planner, coded, frames, reader.header.count))
        elif damages is None:
            raise CodecError(damage(reader, hop, at, frames, coded))
        else:
            damages.append(coded)
            quiet = runtime.vocoder.quantize_latents(runtime.vocoder.encode_sound(np.zeros(hop, np.int16)))
            yield np.repeat(quiet, frames, 0)


MAX_REPORTED = 20  # of a forged file, which may have millions


def problems(reader: ParametricReader, model: Voice) -> list[str]:
    """What is wrong with every damaged segment, each decoded that is whole; after MAX_REPORTED how many more."""
    hop, runtime, more = hop_of(reader, model), model.runtime, 0
    found: list[str] = []
    assert runtime.planner is not None
    for at, frames, coded in reader.segments(hop):
        if isinstance(coded, bytes):
            token_coding.decode(runtime.planner, coded, frames, reader.header.count)
        elif len(found) < MAX_REPORTED:
            text = damage(reader, hop, at, frames, coded)
            found.append(text.removeprefix(f"{reader.name}: ") if found else text)
        else:
            more += 1
    return [*found, f"and {more} more"] if more else found


def spoken(
    model: Voice,
    vectors: NDArray[np.int64] | Iterator[NDArray[np.int64]],
    samples: int,
    first: int = 0,
    heard: int | None = None,
) -> Iterator[NDArray[np.int16]]:
    """The sound of 8-bit vectors, or pieces of them, int16, from sample `first` to `samples`, by blocks.

    From sample `heard` on, if it is given, digital silence.
    """
    stream, heard = model.follow(vectors, SamplingConfig(), seed=0), samples if heard is None else min(heard, samples)
    for at in range(0, samples, _BLOCK):
        block = np.zeros(min(_BLOCK, samples - at), np.int16)
        if at < heard:
            block[: heard - at] = stream.pcm(min(len(block), heard - at))
        if at + len(block) > first:
            yield block[max(0, first - at) :]
