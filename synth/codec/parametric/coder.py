"""A recording to tokens of a voice and back to sound: what files of mode parametric hold."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

import numpy as np

from synth.checkpoint import fingerprint
from synth.codec import varint
from synth.codec.parametric import format, token_coding
from synth.codec.parametric.format import ParametricHeader, ParametricReader, salvaged
from synth.common.errors import CodecError, UsageError
from synth.common.typing import Int64, MonoSamples, UInt8
from synth.engine.config import SamplingConfig
from synth.generation.voice import Voice

_BLOCK = 1 << 12
MAX_REPORTED = 20
"""Damaged segments that an error names: a forged file may have millions."""


def encode(model: Voice, samples: MonoSamples, bitrate: float) -> tuple[bytes, int]:
    """A file of samples (n,) at the model's rate, of at most `bitrate` bits a second where that can be.

    Returns it and the tokens a frame that it has: as many as fit. Raises UsageError for a voice without planner.
    """
    runtime = model.runtime
    if runtime.planner is None:
        raise UsageError(f"{model.checkpoint.name}: mode parametric takes a voice with a planner, as speech")
    most = min(runtime.vocoder.config.quantisers, runtime.planner_tokens)
    latents = runtime.vocoder.encode_sound(samples)
    tokens = runtime.vocoder.tokens(latents, most)
    budget = bitrate * len(samples) / model.sample_rate
    low, high = 1, most
    while low < high:  # the most tokens that fit: each more costs more
        middle = (low + high + 1) // 2
        low, high = (middle, high) if _cost(model, tokens[:, :middle]) <= budget else (low, middle - 1)
    data = _pack(model, samples, runtime.vocoder.beam_search_tokens(latents, low))
    while low > 1 and 8 * len(data) > budget:
        low -= 1
        data = _pack(model, samples, runtime.vocoder.beam_search_tokens(latents, low))
    return data, low


def _cost(model: Voice, tokens: UInt8) -> float:
    """Bits of tokens (frames, tokens a frame) under the planner."""
    assert model.runtime.planner is not None
    starts = range(0, len(tokens), format.SEGMENT)
    return sum(token_coding.bits(model.runtime.planner, tokens[at : at + format.SEGMENT]) for at in starts)


def _pack(model: Voice, samples: MonoSamples, tokens: UInt8) -> bytes:
    """The file of tokens (frames, tokens a frame)."""
    assert model.runtime.planner is not None
    voice = fingerprint.short(model.checkpoint.sha256)
    head = ParametricHeader(model.sample_rate, len(samples), tokens.shape[1], voice).pack()
    parts = [head]
    for at in range(0, len(tokens), format.SEGMENT):
        payload = token_coding.encode(model.runtime.planner, tokens[at : at + format.SEGMENT])
        size = b"" if at + format.SEGMENT >= len(tokens) else varint.encode(len(payload))
        parts += [size + payload, zlib.crc32(head + at.to_bytes(8, "little") + payload).to_bytes(4, "little")]
    return b"".join(parts)


def hop_of(reader: ParametricReader, model: Voice) -> int:
    """Samples of a token frame; CodecError for a voice that can't decode the file."""
    runtime, header = model.runtime, reader.header
    if runtime.planner is None or model.sample_rate != header.rate:
        raise CodecError(f"{reader.name}: the voice that it names is none that can decode it")
    if header.tokens_per_frame > min(runtime.vocoder.config.quantisers, runtime.planner_tokens):
        raise CodecError(f"{reader.name}: its header is damaged: its voice has fewer tokens a frame")
    return runtime.vocoder.hop


def decode_latents(reader: ParametricReader, model: Voice, damages: list[str] | None = None) -> Iterator[Int64]:
    """8-bit latents (frames, latent) of one segment after the other; CodecError for one that is damaged.

    With `damages` silence is in its place as far as `salvaged` allows, and what was wrong is added to them.
    """
    hop, runtime = hop_of(reader, model), model.runtime
    assert runtime.planner is not None
    tokens = reader.header.tokens_per_frame
    for segment in reader.segments(hop) if damages is None else salvaged(reader, hop):
        if segment.payload is not None:
            decoded = token_coding.decode(runtime.planner, segment.payload, segment.frames, tokens)
            yield runtime.vocoder.latents(decoded)
        elif damages is None:
            raise CodecError(reader.describe_damage(segment, hop))
        else:
            damages.append(segment.damage)
            silence = runtime.vocoder.quantize_latents(runtime.vocoder.encode_sound(np.zeros(hop, np.int16)))
            yield np.repeat(silence, segment.frames, 0)


def find_problems(reader: ParametricReader, model: Voice) -> list[str]:
    """What is wrong with every damaged segment, each decoded that is whole; after MAX_REPORTED how many more."""
    hop, runtime, more = hop_of(reader, model), model.runtime, 0
    problems: list[str] = []
    assert runtime.planner is not None
    for segment in reader.segments(hop):
        if segment.payload is not None:
            token_coding.decode(runtime.planner, segment.payload, segment.frames, reader.header.tokens_per_frame)
        elif len(problems) < MAX_REPORTED:
            text = reader.describe_damage(segment, hop)
            problems.append(text.removeprefix(f"{reader.name}: ") if problems else text)
        else:
            more += 1
    return [*problems, f"and {more} more"] if more else problems


def decode_audio(
    model: Voice, latents: Int64 | Iterator[Int64], samples: int, *, first: int = 0, decoded: int | None = None
) -> Iterator[MonoSamples]:
    """The sound of 8-bit latents, or pieces of them, from sample `first` to `samples`, by blocks (n,).

    From sample `decoded` on, if there is one, it is digital silence.
    """
    stream, end = model.follow(latents, SamplingConfig(), seed=0), samples if decoded is None else min(decoded, samples)
    for at in range(0, samples, _BLOCK):
        block = np.zeros(min(_BLOCK, samples - at), np.int16)
        if at < end:
            block[: end - at] = stream.pcm(min(len(block), end - at))
        if at + len(block) > first:
            yield block[max(0, first - at) :]
