"""Sound files and arrays as files of mode parametric."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

import numpy as np

from synth.audio import reader as audio
from synth.codec.parametric import coder
from synth.codec.parametric.format import ParametricHeader, ParametricReader
from synth.codec.parametric.voice_choice import choose_voice
from synth.common import new_file
from synth.common.errors import AudioError, CodecError
from synth.common.input_file import InputFile
from synth.common.typing import MonoSamples, UInt8
from synth.generation.voice import Voice

DEFAULT_BITRATE = 1600.0


@dataclass(frozen=True)
class Summary:
    """What became of a sound file: the header, the bytes read and written, what a person should know."""

    header: ParametricHeader
    bytes_in: int
    bytes_out: int
    notes: tuple[str, ...] = ()


def encode(model: Voice, samples: MonoSamples, *, bitrate: float | None, name: str) -> bytes:
    """A file of samples at the model's rate; CodecError, with `name`, where its least is more than `bitrate`.

    `bitrate`: most bits a second; None: DEFAULT_BITRATE, which a sound of a tenth of a second may exceed, where the
    file's header is the larger part.
    """
    return _encoded(model, samples, bitrate=bitrate, name=name)[0]


def _encoded(model: Voice, samples: MonoSamples, *, bitrate: float | None, name: str) -> tuple[bytes, UInt8]:
    """`encode`, and the tokens (frames, tokens a frame) of the file."""
    data, tokens = coder.encode(model, samples, DEFAULT_BITRATE if bitrate is None else bitrate)
    least = 8 * len(data) * model.sample_rate / len(samples)
    if bitrate is not None and least > bitrate:
        raise CodecError(f"{name}: can't be had at {bitrate:g} bits a second, the least is {math.ceil(least)}")
    return data, tokens


def compress(
    source: InputFile,
    name: str,
    *,
    out: str | IO[bytes],
    checkpoint: str | None,
    bitrate: float | None = None,
    force: bool = False,
    verify: bool = False,
) -> Summary:
    """Compress the sound file that `source` gives; `name` is for errors.

    `out`: a path, which is replaced with `force` alone, or a binary file. `checkpoint`: the voice, "auto" or None for
    the default one. `verify`: decode what was coded before it is written. Raises AudioError, CheckpointError,
    CodecError, OutputError.
    """
    model = choose_voice(checkpoint)
    before = source.state()
    with source.seekable() as (file, size):
        with audio.AudioReader(name, model.sample_rate, file) as sound:
            samples = np.concatenate(list(sound.blocks()))
    if source.state() != before:
        raise AudioError(f"{name}: has changed while it was read")
    if not len(samples):
        raise AudioError(f"{name}: has no samples")
    data, tokens = _encoded(model, samples, bitrate=bitrate, name=name)
    reader = ParametricReader(data, name)
    if verify:
        _check_decoded(reader, model, tokens)
    with new_file.open_output(out, force, [source]) as (write, _):
        write(data)
    return Summary(reader.header, size, len(data), tuple(_notes(sound, model, reader.header, bitrate)))


def _notes(sound: audio.AudioReader, model: Voice, header: ParametricHeader, bitrate: float | None) -> Iterator[str]:
    """What does not come back of a sound, and that a bitrate is more than the voice can use."""
    if sound.source_rate > model.sample_rate or sound.channels > 1:
        channels = f"{sound.channels} channels" if sound.channels > 1 else "1 channel"
        yield (
            f"what comes back is speech in mono at {model.sample_rate} Hz, of {channels} at {sound.source_rate} Hz; "
            "mode lossless keeps everything"
        )
    most = min(model.runtime.vocoder.config.quantisers, model.runtime.planner_tokens)
    ceiling = 8 * most * model.sample_rate / model.runtime.vocoder.hop
    if bitrate is not None and header.tokens_per_frame == most and bitrate > ceiling:
        yield f"--bitrate {bitrate:g} is more than this voice can use: it takes at most about {ceiling:g} bits a second"


def _check_decoded(reader: ParametricReader, model: Voice, tokens: UInt8) -> None:
    """CodecError unless a file decodes to its tokens (frames, tokens a frame)."""
    decoded = np.concatenate(list(coder.decode_latents(reader, model)))
    if not np.array_equal(decoded, model.runtime.vocoder.latents(tokens)):
        raise CodecError(f"{reader.name}: what was written does not give it back; please report this")
