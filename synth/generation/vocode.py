"""What `synth vocode` does: says again what a recording, or a file of features, says, by a voice's network."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import IO, Any

import numpy as np

from synth.audio import reader as audio
from synth.audio.writer import format_of
from synth.common import files, input_file
from synth.common.errors import AudioError, UsageError
from synth.common.typing import Float32, Int16
from synth.engine.config import SamplingConfig
from synth.generation import loading, pitch_changes, seeds
from synth.generation.bed_conditioning import BedConditioner
from synth.generation.feature_file import CHANGED, FeatureFile
from synth.generation.speech_output import (
    Progress,
    SpeechOutput,
    check_places,
    source_facts,
    speed_facts,
    write_stream,
)
from synth.generation.voice import Voice
from synth.generation.voice_stream import VoiceStream
from synth.vocoder.vocoder import Vocoder

FEATURES = ".npy"


@dataclass(frozen=True, kw_only=True)
class VocodeRequest(SpeechOutput):
    """The options of the command.

    `source`: a sound file, "-" or a `.npy` of features; `tokens`: how many of the voice's quantizers are used, None for
    latents as they are encoded. `transpose`: semitones that the pitch is moved by; `pitch_of`: a sound or features
    whose pitch it takes instead of its own, brought to its length.
    """

    source: str
    tokens: int | None = None
    labels: Mapping[str, str] | None = None
    transpose: float = 0.0
    pitch_of: str | None = None


def vocode(request: VocodeRequest, progress: Progress) -> dict[str, Any]:
    """Writes the file and returns what `--json` reports."""
    form = format_of(request.out, request.format)
    sources = [request.source] if request.pitch_of is None else [request.source, request.pitch_of]
    if sources == [files.STDOUT] * 2:
        raise UsageError("-: is given twice; standard input can be read once")
    check_places(request, sources)
    sampling = SamplingConfig.of(request.temperature)
    seed = seeds.draw_seed() if request.seed is None else seeds.check_seed(request.seed)
    voice = loading.load_voice(request.checkpoint, request.engine, taker="synth vocode")
    vocoder = voice.runtime.vocoder
    if request.tokens is not None:
        check_tokens(vocoder, request.tokens)
    for option, value in (("--transpose", request.transpose), (pitch_changes.PITCH_OF, request.pitch_of)):
        if value:
            pitch_changes.check_pitch(vocoder, voice.checkpoint.name, option)
    with encoded(voice, request.source) as (pieces, count):
        if request.tokens is not None:
            pieces = (reduced(vocoder, latents, request.tokens) for latents in pieces)
        stream = voice.follow(map(vocoder.quantize_latents, pieces), sampling, seed=seed, labels=request.labels)
        _change_pitch(stream, voice, request, count)
        seconds, fault = write_stream(stream, request, form, samples=count, progress=progress, sources=sources)
    file = {"path": request.out, "samples": count, "seed": seed}
    return {
        **source_facts(voice, [file], count),
        "labels": dict(request.labels or {}),
        "tokens": request.tokens,
        "transpose": request.transpose,
        "pitch_of": request.pitch_of,
        **speed_facts(voice, count / seconds),
        "faults": {request.out: fault} if fault else {},
    }


def _change_pitch(stream: VoiceStream, voice: Voice, request: VocodeRequest, count: int) -> None:
    """Lets a stream of `count` samples have the pitch that is asked for."""
    if not isinstance(stream.conditioner, BedConditioner) or not (request.transpose or request.pitch_of):
        return
    course = None
    if request.pitch_of is not None:
        frames = max(1, -(-count // voice.runtime.vocoder.hop))
        course = pitch_changes.course_of(latents_of(voice, request.pitch_of)[0], frames)
    change = pitch_changes.PitchChange(request.transpose, course)
    stream.conditioner.change_pitch(change)


@contextmanager
def encoded(voice: Voice, source: str) -> Iterator[tuple[Iterator[Float32], int]]:
    """Latents (frames, latent) of a sound file or a `.npy` of features, and how many samples they stand for.

    They come piece by piece, in bounded memory. AudioError for what is wrong with the file comes before the first.
    """
    vocoder = voice.runtime.vocoder
    if source.endswith(FEATURES):
        features = FeatureFile(source, vocoder.config)
        yield vocoder.encode_pieces(features.frames, features.read), features.frames * vocoder.hop // 2
        return
    with ExitStack() as stack:
        file: IO[bytes] | None = None
        if source == files.STDOUT:
            file, _ = stack.enter_context(stack.enter_context(input_file.open_input(source)).seekable())
        count = sum(map(len, _blocks(source, voice.sample_rate, file)))
        if count < vocoder.hop:
            raise AudioError(f"{source}: lasts {count} samples, less than a token frame of {vocoder.hop}")
        yield vocoder.encode_blocks(_blocks(source, voice.sample_rate, file, count)), count


def latents_of(voice: Voice, source: str) -> tuple[Float32, int]:
    """What `encoded` gives, in one."""
    with encoded(voice, source) as (pieces, count):
        return np.concatenate(list(pieces)), count


def _blocks(source: str, rate: int, file: IO[bytes] | None, expected: int | None = None) -> Iterator[Int16]:
    """The samples of a sound file; AudioError when they are not `expected`, as many as there were before."""
    count = 0
    with audio.AudioReader(source, rate, file) as reader:
        for block in reader.blocks():
            count += len(block)
            yield block
    if expected not in (None, count):
        raise AudioError(f"{source}: {CHANGED}")


def check_tokens(vocoder: Vocoder, tokens: int) -> None:
    """UsageError when a voice does not have so many tokens a frame."""
    if not 1 <= tokens <= vocoder.config.quantisers:
        raise UsageError(f"tokens {tokens}: this voice has 1 to {vocoder.config.quantisers} a frame")


def reduced(vocoder: Vocoder, latents: Float32, tokens: int) -> Float32:
    """The latents (frames, latent) that the first `tokens` quantizers make of `latents`."""
    check_tokens(vocoder, tokens)
    return vocoder.dequantize_latents(vocoder.latents(vocoder.tokens(latents, tokens)))
