"""The arguments of the codec's public functions, checked: options, arrays, and the places of files."""

from __future__ import annotations

import math
import os
from contextlib import AbstractContextManager, nullcontext
from typing import IO, Any, cast

import numpy as np

from synth.audio.formats import pcm
from synth.codec import network_choice
from synth.codec.header import MODES, PARAMETRIC, WIDE_ENCODINGS, WIDE_VERSION, Header
from synth.codec.mulaw_source import quantize
from synth.common import files, input_file, outputs
from synth.common.errors import AudioError, CodecError, UsageError
from synth.common.limits import (
    LEVELS,
    MAX_BITRATE,
    MAX_CHANNELS,
    MAX_RATE,
    MAX_SEGMENT,
    MAX_THREADS,
    MIN_BITRATE,
    MIN_SEGMENT,
)
from synth.common.typing import AnyArray, ChannelSamples

Place = str | os.PathLike[str] | IO[bytes]
"""A file: its path, or an open one, binary, that is read from or written to where it stands, and stays open."""
_TYPES = {"uint8": "u8", "int8": "s8", "int16": "s16", "float32": "float32"}


def check_coding(
    level: str, mode: str, checkpoint: str, threads: int, bitrate: float | None, segment: float | None = None
) -> None:
    """CodecError or UsageError for options of compressing that can't be."""
    if level not in LEVELS:
        raise CodecError(f"level {level}: must be {', '.join(LEVELS)}")
    if mode not in (*MODES, PARAMETRIC):
        raise CodecError(f"mode {mode}: must be {', '.join(MODES)} or {PARAMETRIC}")
    if not isinstance(checkpoint, str):
        raise UsageError(
            f"checkpoint {checkpoint!r}: must be a name, a path, {network_choice.AUTO} or {network_choice.NONE}"
        )
    check_decoding(checkpoint, threads)
    if bitrate is not None:
        if mode != PARAMETRIC:
            raise UsageError(f"bitrate {bitrate!r}: is for mode {PARAMETRIC}")
        _check_real("bitrate", bitrate, "bits a second", MIN_BITRATE, MAX_BITRATE)
    if segment is not None:
        if mode == PARAMETRIC:
            raise UsageError(f"segment {segment!r}: is not for mode {PARAMETRIC}, whose segments are of 30 seconds")
        _check_real("segment", segment, "seconds", MIN_SEGMENT, MAX_SEGMENT)


def _check_real(name: str, value: object, unit: str, least: float, most: float) -> None:
    """UsageError for an argument that is no number in its bounds."""
    real = isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)
    number = float(cast(float, value)) if real else math.nan
    if not least <= number <= most:  # not NaN either
        raise UsageError(f"{name} {value!r}: must be {unit}, {least} to {most}")


def check_decoding(checkpoint: str | None, threads: int) -> None:
    """UsageError for options of decompressing that can't be."""
    if not (checkpoint is None or isinstance(checkpoint, str)):
        raise UsageError(f"checkpoint {checkpoint!r}: must be a name or a path, as a string")
    if isinstance(threads, bool) or not isinstance(threads, int) or not 1 <= threads <= MAX_THREADS:
        raise UsageError(f"threads {threads!r}: must be an integer from 1 to {MAX_THREADS}")


def check_places(source: Place, out: Place, network: str | None, force: bool) -> str | None:
    """The path of the source, if it has one; UsageError where the output is at the same, or at the network's file.

    OutputError where it can't be written, or is there already without `force`.
    """
    path = None if hasattr(source, "read") else os.fsdecode(path_of(source, "source"))
    if not hasattr(out, "write"):
        name = os.fsdecode(path_of(out, "out"))
        outputs.check_names([name], [path, network])
        files.check_output(name, force)
    return path


def output_place(out: Any) -> str | IO[bytes]:
    """A path as text, or a binary file that can be written to; UsageError for what is neither."""
    return writable(out) if hasattr(out, "write") else os.fsdecode(path_of(out, "out"))


def path_of(place: Any, what: str) -> str | os.PathLike[str]:
    """`place`, if it is a path; UsageError with the argument's name, `what`, if it is not."""
    if isinstance(place, str | os.PathLike):
        return place
    raise UsageError(f"{what} is {describe(place)}: must be a path or a binary file")


def open_place(place: Place, unnamed: str) -> AbstractContextManager[input_file.InputFile]:
    """A path, or a binary file, as an input; `unnamed`: what errors call a file without a name."""
    if hasattr(place, "read"):
        return nullcontext(readable(place, unnamed))
    return input_file.open_input(os.fsdecode(path_of(place, "source")))


def readable(file: Any, unnamed: str = "compressed audio") -> input_file.InputFile:
    """A binary file as what is read here; UsageError for what is none."""
    name = getattr(file, "name", None)
    source = input_file.InputFile(name if isinstance(name, str) else unnamed, file, None)
    try:
        binary = isinstance(file.read(0), bytes)
    except (AttributeError, TypeError):
        binary = False
    except (OSError, ValueError) as error:
        raise AudioError(f"{source.name}: can't be read ({error})") from None
    if not binary:
        raise UsageError(f"data is {describe(file)}: must be bytes or a file that is open for reading in binary mode")
    return source


def writable(file: Any) -> IO[bytes]:
    """`file`; UsageError unless it can be written to as a binary file."""
    try:
        file.write(b"")
    except (AttributeError, TypeError, OSError, ValueError):
        raise UsageError(f"out is {describe(file)}: must be a file that is open for writing in binary mode") from None
    return file


def describe(what: object) -> str:
    """What an argument is, for an error."""
    return f"the path {os.fspath(what)!r}" if isinstance(what, str | os.PathLike) else f"of type {type(what).__name__}"


def describe_array(array: AnyArray, rate: int, level: str, mode: str) -> tuple[ChannelSamples, Header]:
    """The samples [frames, channels] of an array and the header that tells of it; CodecError for what can't be one."""
    kind = _TYPES.get(array.dtype.name, _kind_of_integers(array) if np.issubdtype(array.dtype, np.integer) else None)
    if kind is None or array.ndim not in (1, 2):
        raise CodecError(
            f"array of {array.dtype} and shape {array.shape}: must be uint8, int8, int16, wider integers of 32 bits or "
            "float32, (frames,) or (frames, channels)"
        )
    channels = 1 if array.ndim == 1 else array.shape[1]
    if not 1 <= channels <= MAX_CHANNELS:
        raise CodecError(f"{channels} channels: must be 1 to {MAX_CHANNELS}")
    if isinstance(rate, bool) or not isinstance(rate, int | np.integer) or not 1 <= rate <= MAX_RATE:
        raise CodecError(f"sample rate {rate!r}: must be a whole number of Hz, 1 to {MAX_RATE}")
    samples = _as_coded(array, kind).reshape(len(array), channels)
    if mode != "lossless":
        if kind in WIDE_ENCODINGS:
            samples, kind = pcm.to_24_bits(samples, kind), "s24"
        samples, kind = quantize(samples, pcm.BITS[kind]), "s16"
    version = WIDE_VERSION if kind in WIDE_ENCODINGS else 1
    one_axis = array.ndim == 1
    header = Header("array", kind, channels, int(rate), level, len(samples), big=one_axis, mode=mode, version=version)
    return samples, header


def _kind_of_integers(array: AnyArray) -> str:
    """The encoding of integers wider than 16 bits; CodecError for values beyond 32 bits."""
    least, most = (int(array.min()), int(array.max())) if array.size else (0, 0)
    if not -(1 << 31) <= least <= most < 1 << 31:
        raise CodecError(f"array of {array.dtype}: has values of more than 32 bits")
    return "s24" if -(1 << 23) <= least and most < 1 << 23 else "int32"


def _as_coded(array: AnyArray, kind: str) -> ChannelSamples:
    """The samples as the codec takes them, int32: unsigned ones around 0, of floats the bits."""
    if kind == "float32":
        return np.ascontiguousarray(array, np.float32).view(np.int32)
    return array.astype(np.int32) - (128 if kind == "u8" else 0)
