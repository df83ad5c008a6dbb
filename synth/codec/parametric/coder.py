"""A recording to tokens of a voice and back to sound: what files of mode parametric hold."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

import numpy as np

from synth.checkpoint import fingerprint
from synth.codec import varint
from synth.codec.parametric import format, token_coding
from synth.codec.parametric.format import ParametricHeader, ParametricReader, salvaged
from synth.codec.parametric.token_choice import WEIGHTS, TokenChoice
from synth.common.errors import CodecError, UsageError
from synth.common.typing import Float32, Int64, MonoSamples, UInt8, UInt32
from synth.engine.config import SamplingConfig
from synth.generation.voice import Voice

_BLOCK = 1 << 12
MAX_REPORTED = 20
"""Damaged segments that an error names: a forged file may have millions."""


def encode(model: Voice, samples: MonoSamples, bitrate: float) -> tuple[bytes, UInt8]:
    """A file of samples (n,) at the model's rate, of at most `bitrate` bits a second where that can be.

    Returns it and its tokens (frames, tokens a frame): as many as fit. Raises UsageError for a voice without planner.
    """
    runtime = model.runtime
    if runtime.planner is None:
        raise UsageError(f"{model.checkpoint.name}: mode parametric takes a voice with a planner, as speech")
    most = min(runtime.vocoder.config.quantisers, runtime.planner_tokens)
    latents = runtime.vocoder.encode_sound(samples)
    budget = bitrate * len(samples) / model.sample_rate
    if not runtime.vocoder.config.tones:
        return _encode_nearest(model, samples, latents, _most_that_fit(model, latents, most, budget), budget)
    costs = _costs(model, runtime.vocoder.beam_search_tokens(latents, most)).sum(0, dtype=np.uint64).cumsum() / 65536
    fitting = max(1, int((costs <= budget).sum()))
    data, tokens = _encode_nearest(model, samples, latents, fitting, budget)
    if 8 * len(data) <= budget and tokens.shape[1] < most:
        return _with_one_more(model, samples, latents, data, tokens, budget)
    return data, tokens


def _most_that_fit(model: Voice, latents: Float32, most: int, budget: float) -> int:
    """The most tokens a frame, each the nearest, that the planner names in `budget` bits, at least one."""
    tokens = model.runtime.vocoder.tokens(latents, most)
    low, high = 1, most
    while low < high:  # each more costs more
        middle = (low + high + 1) // 2
        low, high = (middle, high) if _cost(model, tokens[:, :middle]) <= budget else (low, middle - 1)
    return low


def _encode_nearest(
    model: Voice, samples: MonoSamples, latents: Float32, count: int, budget: float
) -> tuple[bytes, UInt8]:
    """A file of `count` tokens a frame, or of fewer where they take more than `budget` bits, and its tokens."""
    while True:
        tokens = model.runtime.vocoder.beam_search_tokens(latents, count)
        data = _pack(model, samples, tokens)
        if count == 1 or 8 * len(data) <= budget:
            return data, tokens
        count -= 1


def _with_one_more(
    model: Voice, samples: MonoSamples, latents: Float32, data: bytes, tokens: UInt8, budget: float
) -> tuple[bytes, UInt8]:
    """A file of one token a frame more than `tokens`, chosen by their bits too, where it fits and comes nearer.

    Else what there was: `data`, the file of `tokens`.
    """
    runtime = model.runtime
    choice = TokenChoice(runtime.planner, runtime.vocoder, latents, tokens.shape[1] + 1)
    distance, spare = choice.mean_distance(tokens), 8 * len(data) - _cost(model, tokens)
    low, high, best = 0, len(WEIGHTS), None
    while low < high:  # the least weight of bits with which they fit
        middle = (low + high) // 2
        chosen, bits = choice.choose(max(1, distance * WEIGHTS[middle] >> 10), format.SEGMENT)
        if bits + spare <= budget:
            best, high = chosen, middle
        else:
            low = middle + 1
    if best is None or choice.mean_distance(best) >= distance:
        return data, tokens
    more = _pack(model, samples, best)
    return (more, best) if 8 * len(more) <= budget else (data, tokens)


def _costs(model: Voice, tokens: UInt8) -> UInt32:
    """What each of tokens (frames, tokens a frame) costs under the planner, in 1/65536 bit."""
    assert model.runtime.planner is not None
    starts = range(0, len(tokens), format.SEGMENT)
    return np.concatenate(
        [token_coding.lengths(model.runtime.planner, tokens[at : at + format.SEGMENT]) for at in starts]
    )


def _cost(model: Voice, tokens: UInt8) -> float:
    """Bits of tokens (frames, tokens a frame) under the planner."""
    return float(_costs(model, tokens).sum(dtype=np.uint64)) / 65536


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
