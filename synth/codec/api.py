"""The codec as Python calls it: arrays, and whole files by their paths or as binary file objects."""

from __future__ import annotations

import io
import os
from contextlib import AbstractContextManager, nullcontext
from typing import IO, Any, overload

import numpy as np
from numpy.typing import NDArray

from synth.audio.formats import pcm
from synth.codec import decoder, encoder, network_choice, sources
from synth.codec.decoder import Decoder
from synth.codec.header import MODES, PARAMETRIC, Header, is_parametric
from synth.codec.mulaw_source import quantize
from synth.common import input_file, new_file, outputs
from synth.common.errors import AudioError, CodecError, UsageError
from synth.common.limits import LEVELS, MAX_BITRATE, MAX_CHANNELS, MAX_RATE, MAX_THREADS, MIN_BITRATE
from synth.common.typing import ChannelSamples

Place = str | os.PathLike[str] | IO[bytes]
"""A file: its path, or an open one, binary, that is read from or written to where it stands, and stays open."""
_TYPES = {"uint8": "u8", "int8": "s8", "int16": "s16", "int32": "s24"}


@overload
def compress(
    wave: NDArray[Any],
    rate: int,
    *,
    out: None = None,
    level: str = ...,
    mode: str = ...,
    checkpoint: str = ...,
    threads: int = ...,
    bitrate: float | None = ...,
) -> bytes: ...


@overload
def compress(
    wave: NDArray[Any],
    rate: int,
    *,
    out: IO[bytes],
    level: str = ...,
    mode: str = ...,
    checkpoint: str = ...,
    threads: int = ...,
    bitrate: float | None = ...,
) -> None: ...


def compress(
    wave: NDArray[Any],
    rate: int,
    *,
    out: IO[bytes] | None = None,
    level: str = "balanced",
    mode: str = "lossless",
    checkpoint: str = network_choice.AUTO,
    threads: int = 1,
    bitrate: float | None = None,
) -> bytes | None:
    """A .syn file of an array of integers: (frames,) or (frames, channels), uint8, int8, int16, or int32 of 24 bits.

    `out`: a binary file to write it to; None is returned then. `rate` in Hz; `level` is fast, balanced or max;
    `checkpoint` a name, a path, "auto" or "none". `decompress` gives the same array back; with the mode "mulaw" an
    array of int16 that holds the values of mu-law codes (mu = 255); with "parametric" what a voice (`checkpoint`;
    "auto" means speech) says again in mono at its own rate, from at most `bitrate` bits a second (100 to 100000;
    without it 1600, where that can be). Raises CodecError, CheckpointError, UsageError, and OutputError where `out`
    can't be written.
    """
    if isinstance(wave, str | bytes | os.PathLike) or hasattr(wave, "read"):
        raise UsageError(f"wave is {_shown(wave)}: compress takes an array; compress_file takes paths and binary files")
    _check(level, mode, checkpoint, threads, bitrate)
    made = io.BytesIO()
    with new_file.open_output(made if out is None else _writable(out)) as (write, _):
        if mode == PARAMETRIC:
            from synth.audio import reader
            from synth.codec.parametric import files as parametric_files

            model = parametric_files.named(checkpoint)
            samples = reader.from_array(wave, rate, model.sample_rate)
            write(parametric_files.encoded(model, samples, bitrate, "audio array"))
        else:
            pieces, header = _described(np.asarray(wave), rate, level, mode)
            encoder.compress_array(pieces, header, write, checkpoint, threads)
    return made.getvalue() if out is None else None


def _described(array: NDArray[Any], rate: int, level: str, mode: str) -> tuple[ChannelSamples, Header]:
    """The samples [frames, channels] of an array and the header that tells of it; CodecError for what can't be one."""
    kind = _TYPES.get(array.dtype.name)
    if kind is None or array.ndim not in (1, 2):
        raise CodecError(
            f"array of {array.dtype} and shape {array.shape}: must be uint8, int8, int16 or int32 (24 bits), "
            "(frames,) or (frames, channels)"
        )
    channels = 1 if array.ndim == 1 else array.shape[1]
    if not 1 <= channels <= MAX_CHANNELS:
        raise CodecError(f"{channels} channels: must be 1 to {MAX_CHANNELS}")
    if isinstance(rate, bool) or not isinstance(rate, int | np.integer) or not 1 <= rate <= MAX_RATE:
        raise CodecError(f"sample rate {rate!r}: must be a whole number of Hz, 1 to {MAX_RATE}")
    if kind == "s24" and array.size and not -(1 << 23) <= int(array.min()) <= int(array.max()) < 1 << 23:
        raise CodecError("array of int32: has values of more than 24 bits")
    samples = array.astype(np.int32).reshape(len(array), channels) - (128 if kind == "u8" else 0)
    if mode != "lossless":
        samples, kind = quantize(samples, pcm.BITS[kind]), "s16"
    return samples, Header("array", kind, channels, int(rate), level, len(samples), big=array.ndim == 1, mode=mode)


def decompress(data: bytes | IO[bytes], *, checkpoint: str | None = None, threads: int = 1) -> tuple[NDArray[Any], int]:
    """The array and the rate of a .syn file, of any kind: (frames,) for one channel, else (frames, channels).

    `data`: its bytes, or a binary file that is read from where it stands. `checkpoint`: where the file's is, if it
    isn't one that comes with synth; CheckpointError where it is nowhere. 24 bits come as int32, float files as
    float32, G.711 as its codes (uint8). Raises CodecError, UsageError, and AudioError where a file can't be read.
    """
    _check_found(checkpoint, threads)
    if isinstance(data, str | os.PathLike):
        raise UsageError(f"data is {_shown(data)}: decompress takes bytes and binary files; decompress_file paths")
    if isinstance(data, bytes | bytearray | memoryview):
        data = io.BytesIO(data)
    source = _readable(data)
    if is_parametric(source.peek(5)):
        from synth.codec.parametric import files as parametric_files

        return parametric_files.speak(source, [checkpoint] if checkpoint else [])
    opened = Decoder(source, source.name, threads=threads, checkpoint=checkpoint)
    header = opened.header
    empty = np.zeros((0, header.channels), np.int32)
    samples = np.concatenate([empty, *(piece for piece in opened.pieces() if not isinstance(piece, bytes))])
    array = pcm.to_array(samples, header.encoding)
    flat = header.big if header.kind == "array" else header.channels == 1
    return (array[:, 0] if flat else array), header.rate


def compress_file(
    source: Place,
    out: Place,
    *,
    level: str = "balanced",
    mode: str = "lossless",
    checkpoint: str = network_choice.AUTO,
    threads: int = 1,
    bitrate: float | None = None,
) -> None:
    """A WAV, AIFF or FLAC file as a .syn file, as `synth compress` makes it; the options are those of `compress`.

    `source` and `out` are paths or binary files; a file at `out` is replaced, once the new one is whole. Raises
    AudioError, CodecError, CheckpointError, OutputError and UsageError.
    """
    _check(level, mode, checkpoint, threads, bitrate)
    path = _distinct(source, out, network_choice.file_of(checkpoint, network_choice.AUTO, network_choice.NONE))
    place = _place(out)
    if mode == PARAMETRIC:
        from synth.codec.parametric import files as parametric_files

        with _source(source, "sound file") as opened:
            parametric_files.compress(opened, opened.name, place, checkpoint, bitrate, True, False)
        return
    with _source(source, "sound file") as opened, new_file.open_output(place, True) as (write, _):
        sound = sources.open_sound(opened, opened.name, opened.size)
        suffix = os.path.splitext(path)[1] if path is not None else None
        encoder.compress_stream(
            sound, write, effort=level, mode=mode, network=checkpoint, suffix=suffix, threads=threads
        )


def decompress_file(source: Place, out: Place, *, checkpoint: str | None = None, threads: int = 1) -> None:
    """The sound file that a .syn file was made of, as `synth decompress` gives it back.

    `source` and `out` are paths or binary files; a file at `out` is replaced, once the new one is whole. `checkpoint`
    as of `decompress`. Raises AudioError, CodecError, CheckpointError, OutputError and UsageError.
    """
    _check_found(checkpoint, threads)
    _distinct(source, out, network_choice.file_of(checkpoint))
    place = _place(out)
    with _source(source, "compressed audio") as opened:
        if is_parametric(opened.peek(5)):
            from synth.codec.parametric import files as parametric_files

            given, whole = [checkpoint] if checkpoint else [], (None, None)
            parametric_files.decompress(opened, opened.name, place, given, True, False, whole, lambda done: None)
            return
        unpacker = Decoder(opened, opened.name, threads=threads, checkpoint=checkpoint)
        with new_file.open_output(place, True) as (write, _):
            decoder.decompress_stream(unpacker, write)


def _check(level: str, mode: str, checkpoint: str, threads: int, bitrate: float | None) -> None:
    """CodecError or UsageError for options of compressing that can't be."""
    if level not in LEVELS:
        raise CodecError(f"level {level}: must be {', '.join(LEVELS)}")
    if mode not in (*MODES, PARAMETRIC):
        raise CodecError(f"mode {mode}: must be {', '.join(MODES)} or {PARAMETRIC}")
    if not isinstance(checkpoint, str):
        raise UsageError(
            f"checkpoint {checkpoint!r}: must be a name, a path, {network_choice.AUTO} or {network_choice.NONE}"
        )
    _check_found(checkpoint, threads)
    if bitrate is None:
        return
    if mode != PARAMETRIC:
        raise UsageError(f"bitrate {bitrate!r}: is for mode {PARAMETRIC}")
    real = isinstance(bitrate, int | float | np.integer | np.floating) and not isinstance(bitrate, bool)
    if not (real and MIN_BITRATE <= bitrate <= MAX_BITRATE):  # not NaN either
        raise UsageError(f"bitrate {bitrate!r}: must be bits a second, {MIN_BITRATE} to {MAX_BITRATE}")


def _check_found(checkpoint: str | None, threads: int) -> None:
    if not (checkpoint is None or isinstance(checkpoint, str)):
        raise UsageError(f"checkpoint {checkpoint!r}: must be a name or a path, as a string")
    if isinstance(threads, bool) or not isinstance(threads, int) or not 1 <= threads <= MAX_THREADS:
        raise UsageError(f"threads {threads!r}: must be an integer from 1 to {MAX_THREADS}")


def _distinct(source: Place, out: Place, network: str | None) -> str | None:
    """The path of the source, if it has one; UsageError where the output is at the same, or at the network's file."""
    path = None if hasattr(source, "read") else os.fsdecode(_path(source, "source"))
    if not hasattr(out, "write"):
        outputs.check_names([os.fsdecode(_path(out, "out"))], [path, network])
    return path


def _place(out: Any) -> str | IO[bytes]:
    return _writable(out) if hasattr(out, "write") else os.fsdecode(_path(out, "out"))


def _path(place: Any, what: str) -> str | os.PathLike[str]:
    if isinstance(place, str | os.PathLike):
        return place
    raise UsageError(f"{what} is {_shown(place)}: must be a path or a binary file")


def _source(place: Place, unnamed: str) -> AbstractContextManager[input_file.InputFile]:
    if hasattr(place, "read"):
        return nullcontext(_readable(place, unnamed))
    return input_file.open_input(os.fsdecode(_path(place, "source")))


def _readable(file: Any, unnamed: str = "compressed audio") -> input_file.InputFile:
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
        raise UsageError(f"data is {_shown(file)}: must be bytes or a file that is open for reading in binary mode")
    return source


def _writable(file: Any) -> IO[bytes]:
    """`file`; UsageError unless it can be written to as a binary file."""
    try:
        file.write(b"")
    except (AttributeError, TypeError, OSError, ValueError):
        raise UsageError(f"out is {_shown(file)}: must be a file that is open for writing in binary mode") from None
    return file


def _shown(what: object) -> str:
    return f"the path {os.fspath(what)!r}" if isinstance(what, str | os.PathLike) else f"of type {type(what).__name__}"
