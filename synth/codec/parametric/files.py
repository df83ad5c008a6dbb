"""What `synth compress`, `decompress`, `verify` and `info` do with files of the mode parametric."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from synth.audio import reader as audio
from synth.audio.writer import wav_header
from synth.checkpoint import registry
from synth.codec import network_choice
from synth.codec.parametric import coder, format
from synth.codec.parametric.format import ParametricHeader, ParametricReader
from synth.common import input_file, new_file
from synth.common.errors import AudioError, CheckpointError, CodecError, OutputError
from synth.common.limits import MAX_WAV_SAMPLES
from synth.generation.model import load_voice
from synth.generation.voice import Voice

VOICE, BITRATE = "speech", 1600.0
Tick = Callable[[int], Any]


@functools.lru_cache(maxsize=2)
def voice(name_or_path: str) -> Voice:
    """The voice of a bundled name or a path; CheckpointError for what is none."""
    return load_voice(name_or_path, taker="mode parametric")


def named(checkpoint_name: str | None) -> Voice:
    """The voice that `-c` means."""
    if checkpoint_name == network_choice.NONE:
        raise CheckpointError("none: mode parametric is nothing without a voice")
    name = VOICE if checkpoint_name in (None, network_choice.AUTO) else checkpoint_name
    model = voice(name)
    if model.runtime.planner is None:
        raise CheckpointError(f"{name}: has no planner; mode parametric takes a voice with one, as {VOICE}")
    return model


def by_digest(digest: bytes, given: Iterable[str], name: str) -> Voice:
    """The voice that a file names, of the paths `given` and of those that are bundled."""
    given = list(given)
    for one in (*given, *registry.names()):
        path = registry.find(one)
        if network_choice.digest_of(path) == digest:
            return voice(str(path))
    raise CheckpointError(f"{name}: was made with the voice {network_choice.describe_missing(digest, given)}")


def open_reader(source: input_file.InputFile, name: str) -> ParametricReader:
    """The file that `source` gives, in memory."""
    data = b""
    while len(data) < format.MAX_BYTES and (more := source.read(format.MAX_BYTES - len(data))):
        data += more
    if len(data) == format.MAX_BYTES:
        raise CodecError(f"{name}: is larger than a file of mode parametric can be")
    return ParametricReader(data, name)


def encoded(model: Voice, samples: NDArray[np.int16], bitrate: float | None, name: str) -> bytes:
    """A file of samples at the model's rate; CodecError where its least is more than the `bitrate` that is asked for.

    None: BITRATE, which a sound of a tenth of a second may exceed: there the file's head is the larger part.
    """
    data, _ = coder.encode(model, samples, BITRATE if bitrate is None else bitrate)
    least = 8 * len(data) * model.sample_rate / len(samples)
    if bitrate is not None and least > bitrate:
        raise CodecError(f"{name}: can't be had at {bitrate:g} bits a second, the least is {math.ceil(least)}")
    return data


def compress(
    source: input_file.InputFile,
    path: str,
    out: str | IO[bytes],
    name: str | None,
    bitrate: float | None,
    force: bool,
    verify: bool,
) -> tuple[ParametricHeader, int, int]:
    """Compresses a sound file; its head, and the bytes read and written."""
    model = named(name)
    before = source.state()
    with source.seekable() as (file, size):
        samples = audio.read(path, model.sample_rate, file)[0]
    if source.state() != before:
        raise AudioError(f"{path}: has changed while it was read")
    if not len(samples):
        raise AudioError(f"{path}: has no samples")
    data = encoded(model, samples, bitrate, path)
    reader = ParametricReader(data, path)
    if verify:
        found = np.concatenate(list(coder.pieces(reader, model)))
        vocoder = model.runtime.vocoder
        if not np.array_equal(
            found, vocoder.latents(vocoder.beam_search_tokens(vocoder.encode_sound(samples), reader.header.count))
        ):
            raise CodecError(f"{path}: what was written does not give it back; please report this")
    with new_file.open_output(out, force) as (write, _):
        write(data)
    return reader.header, size, len(data)


def decompress(
    source: input_file.InputFile,
    path: str,
    out: str | IO[bytes],
    given: Iterable[str],
    force: bool,
    salvage: bool,
    part: tuple[float | None, float | None],
    tick: Tick,
) -> tuple[ParametricHeader, list[str]]:
    """Speaks a file, or a part of it (seconds), into a WAV file; its head and what was damaged."""
    reader = open_reader(source, path)
    head = reader.header
    model = by_digest(head.digest, given, path)
    heard = head.samples
    if salvage:  # the header may claim any length
        heard, samples = format.salvaged_samples(reader, coder.hop_of(reader, model))
        head = replace(head, samples=samples)
    first, last = bounds(head, part, path)
    name = out if isinstance(out, str) else path
    if last - first > MAX_WAV_SAMPLES:
        raise OutputError(f"{name}: a WAV file can't hold {last - first} samples; take parts with --start and --end")
    damages: list[str] = []
    vectors = coder.pieces(reader, model, damages if salvage else None)
    with new_file.open_output(out, force) as (write, _):
        write(wav_header(last - first, head.rate))
        for block in coder.spoken(model, vectors, last, first, heard):
            write(block.astype("<i2").tobytes())
            tick(len(block))
    return replace(head, samples=last - first), damages


def speak(source: input_file.InputFile, given: Iterable[str]) -> tuple[NDArray[np.int16], int]:
    """The sound of a file: int16 (samples,), and its rate."""
    reader = open_reader(source, source.name)
    model = by_digest(reader.header.digest, given, reader.name)
    vectors = coder.pieces(reader, model)
    return np.concatenate(list(coder.spoken(model, vectors, reader.header.samples))), reader.header.rate


def bounds(head: ParametricHeader, part: tuple[float | None, float | None], name: str) -> tuple[int, int]:
    """First and last sample of a part; CodecError when nothing is there."""
    start, end = part
    first = round((start or 0) * head.rate)
    last = head.samples if end is None else min(head.samples, round(end * head.rate))
    if first >= last:
        raise CodecError(f"{name}: has nothing from {start or 0:g} s to {last / head.rate:g} s")
    return first, last


def verify(source: input_file.InputFile, path: str, given: Iterable[str]) -> ParametricHeader:
    """Decodes a file's tokens and checks every checksum."""
    reader = open_reader(source, path)
    problems = coder.problems(reader, by_digest(reader.header.digest, given, path))
    if problems:
        raise CodecError("; ".join(problems))
    return reader.header


def facts(file: IO[bytes] | input_file.InputFile, path: str, size: int) -> dict[str, Any]:
    """What `synth info` tells of a file."""
    head = ParametricReader(file.read(format.MAX_BYTES), path).header
    return {
        "path": path,
        "format": "wav",
        "channels": 1,
        "sample_rate": head.rate,
        "samples": head.samples,
        "seconds": head.seconds,
        "mode": "parametric",
        "tokens": head.count,
        "checkpoint": network_choice.describe(head.digest),
        "bytes": size,
        "bits_per_second": 8 * size / head.seconds,
    }
