"""The codec as Python calls it: arrays, and whole files by their paths or as binary file objects."""

from __future__ import annotations

import io
import os
from typing import IO, Any, overload

import numpy as np

from synth.codec import encoder, network_choice, sources
from synth.codec.api_arguments import (
    Place,
    check_coding,
    check_decoding,
    check_places,
    describe,
    describe_array,
    open_place,
    output_place,
    readable,
    writable,
)
from synth.codec.header import PARAMETRIC
from synth.codec.job_plan import check_suffix_of
from synth.codec.opened import open_syn
from synth.common import new_file
from synth.common.errors import UsageError
from synth.common.typing import AnyArray


@overload
def compress(
    wave: AnyArray,
    rate: int,
    *,
    out: None = None,
    level: str = ...,
    mode: str = ...,
    checkpoint: str = ...,
    threads: int = ...,
    bitrate: float | None = ...,
    segment: float | None = ...,
) -> bytes: ...


@overload
def compress(
    wave: AnyArray,
    rate: int,
    *,
    out: IO[bytes],
    level: str = ...,
    mode: str = ...,
    checkpoint: str = ...,
    threads: int = ...,
    bitrate: float | None = ...,
    segment: float | None = ...,
) -> None: ...


def compress(
    wave: AnyArray,
    rate: int,
    *,
    out: IO[bytes] | None = None,
    level: str = "balanced",
    mode: str = "lossless",
    checkpoint: str = network_choice.AUTO,
    threads: int = 1,
    bitrate: float | None = None,
    segment: float | None = None,
) -> bytes | None:
    """Compress an array of samples to a .syn file, which `decompress` gives back.

    Parameters
    ----------
    wave
        (frames,) or (frames, up to 8 channels): uint8, int8, int16, float32 (every bit comes back), or wider integers
        with values of 32 bits, which come back as int32. Mode "parametric" takes floating samples of any type.
    rate, out
        Sample rate in Hz; a binary file to write to, instead of returning the bytes.
    level
        Effort: "fast", "balanced" or "max": the smallest files, which take longest, in decompressing too.
    mode
        "lossless"; "mulaw": the nearest of 256 values (mu = 255), as int16; "parametric": what a voice can say again.
    checkpoint
        What helps to predict: a name, a path, "none", or "auto", a short trial; of mode "parametric" the voice.
    threads, bitrate, segment
        Threads, which change no byte; of mode "parametric" the most bits a second, 100 to 100000 (None: 1600); of the
        others the most seconds of a segment, 0.1 to 600 (None: 15): what damage costs, and a thread's share.

    Returns
    -------
    The .syn file; None where it went to `out`.

    Raises
    ------
    CodecError, AudioError, CheckpointError, UsageError, OutputError
        An argument can't be used, or `out` can't be written to.

    Examples
    --------
    >>> import numpy as np, synth
    >>> wave = (9000 * np.sin(np.arange(800) / 9)).astype(np.int16)
    >>> np.array_equal(synth.decompress(synth.compress(wave, 8000, level="fast"))[0], wave)
    True
    """
    if isinstance(wave, str | bytes | os.PathLike) or hasattr(wave, "read"):
        raise UsageError(
            f"wave is {describe(wave)}: compress takes an array; compress_file takes paths and binary files"
        )
    check_coding(level, mode, checkpoint, threads, bitrate, segment)
    buffer = io.BytesIO()
    with new_file.open_output(buffer if out is None else writable(out)) as (write, _):
        if mode == PARAMETRIC:
            write(_parametric(wave, rate, checkpoint, bitrate))
        else:
            samples, header = describe_array(np.asarray(wave), rate, level, mode)
            encoder.compress_array(samples, header, write, network=checkpoint, threads=threads, seconds=segment)
    return buffer.getvalue() if out is None else None


def _parametric(wave: AnyArray, rate: int, checkpoint: str, bitrate: float | None) -> bytes:
    from synth.audio import reader
    from synth.codec.parametric.encoder import encode
    from synth.codec.parametric.voice_choice import choose_voice

    model = choose_voice(checkpoint)
    samples = reader.from_array(wave, rate, model.sample_rate)
    return encode(model, samples, bitrate=bitrate, name="audio array")


def decompress(data: bytes | IO[bytes], *, checkpoint: str | None = None, threads: int = 1) -> tuple[AnyArray, int]:
    """Decompress a .syn file of any kind to an array.

    Parameters
    ----------
    data
        The file's bytes, or a binary file that is read from where it stands.
    checkpoint
        A path of the checkpoint that the file was made with, where it is none of those that come with synth.
    threads
        Threads to use.

    Returns
    -------
    wave : numpy.ndarray
        The array that was compressed. Of a sound file (frames,) for one channel, else (frames, channels): the integers
        of its samples (24 bits as int32), float32 of a file of floats, uint8 of the codes of G.711.
    rate : int
        Sample rate in Hz.

    Raises
    ------
    CodecError
        The file is no .syn file, or is damaged.
    CheckpointError
        The checkpoint that it was made with is not here.
    UsageError
        An argument can't be used.
    AudioError
        The file can't be read.

    Examples
    --------
    >>> import numpy as np, synth
    >>> stereo = np.arange(200, dtype=np.int32).reshape(100, 2) * 1000
    >>> again, rate = synth.decompress(synth.compress(stereo, 48000, level="fast"))
    >>> again.dtype.name, again.shape, rate
    ('int32', (100, 2), 48000)
    """
    check_decoding(checkpoint, threads)
    if isinstance(data, str | os.PathLike):
        raise UsageError(f"data is {describe(data)}: decompress takes bytes and binary files; decompress_file paths")
    if isinstance(data, bytes | bytearray | memoryview):
        data = io.BytesIO(data)
    source = readable(data)
    opened = open_syn(source, source.name, threads=threads, checkpoint=checkpoint)
    return opened.array(), opened.rate


def compress_file(
    source: Place,
    out: Place,
    *,
    level: str = "balanced",
    mode: str = "lossless",
    checkpoint: str = network_choice.AUTO,
    threads: int = 1,
    bitrate: float | None = None,
    force: bool = False,
    segment: float | None = None,
) -> None:
    """Compress a WAV, AIFF or FLAC file to a .syn file, as `synth compress` does.

    Parameters
    ----------
    source
        The sound file: a path, or a binary file that is read from where it stands.
    out
        Where the .syn file goes: a path or a binary file.
    level, mode, checkpoint, threads, bitrate, segment
        As in `compress`. Mode "parametric" takes any file that libsndfile reads.
    force
        Whether a file at the path `out` is replaced, once the new one is whole.

    Raises
    ------
    AudioError, CodecError, CheckpointError, UsageError, OutputError
        The sound file, the coding, the checkpoint, another argument or `out` can't be used; `out` is there already and
        `force` is not set.

    Examples
    --------
    >>> import io, numpy as np, soundfile, synth
    >>> wav, syn = io.BytesIO(), io.BytesIO()
    >>> soundfile.write(wav, np.zeros(8000, np.int16), 8000, format="WAV")
    >>> _ = wav.seek(0)
    >>> synth.compress_file(wav, syn)
    >>> len(syn.getvalue()) < 40
    True
    """
    check_coding(level, mode, checkpoint, threads, bitrate, segment)
    path = check_places(
        source, out, network_choice.file_of(checkpoint, network_choice.AUTO, network_choice.NONE), force
    )
    place = output_place(out)
    if mode == PARAMETRIC:
        from synth.codec.parametric import encoder as parametric

        with open_place(source, "sound file") as opened:
            parametric.compress(opened, opened.name, out=place, checkpoint=checkpoint, bitrate=bitrate, force=force)
        return
    with open_place(source, "sound file") as opened, new_file.open_output(place, force, [opened]) as (write, _):
        sound = sources.open_sound(opened, opened.name, opened.size)
        suffix = os.path.splitext(path)[1] if path is not None else None
        options: dict[str, Any] = {"suffix": suffix, "threads": threads, "seconds": segment}
        encoder.compress_stream(sound, write, effort=level, mode=mode, network=checkpoint, **options)


def decompress_file(
    source: Place, out: Place, *, checkpoint: str | None = None, threads: int = 1, force: bool = False
) -> None:
    """Give back the sound file that a .syn file was made of, as `synth decompress` does.

    Of modes other than "lossless", and of arrays, it is a WAV file.

    Parameters
    ----------
    source
        The .syn file: a path, or a binary file that is read from where it stands.
    out
        Where the sound file goes: a path or a binary file.
    checkpoint, threads
        As in `decompress`.
    force
        Whether a file at the path `out` is replaced, once the new one is whole.

    Raises
    ------
    AudioError
        The file can't be read.
    CodecError
        The file is no .syn file, or is damaged.
    CheckpointError
        The checkpoint that it was made with is not here.
    OutputError
        `out` can't be written to, or is there already and `force` is not set.
    UsageError
        An argument can't be used; the suffix of the path `out` is that of another format.

    Examples
    --------
    >>> import io, numpy as np, synth
    >>> syn, wav = io.BytesIO(synth.compress(np.arange(100, dtype=np.int16), 8000)), io.BytesIO()
    >>> synth.decompress_file(syn, wav)
    >>> wav.getvalue()[:4], len(wav.getvalue())
    (b'RIFF', 244)
    """
    check_decoding(checkpoint, threads)
    check_places(source, out, network_choice.file_of(checkpoint), force)
    place = output_place(out)
    with open_place(source, "compressed audio") as opened:
        file = open_syn(opened, opened.name, threads=threads, checkpoint=checkpoint)
        if isinstance(place, str):
            check_suffix_of(place, file)
        file.decode_to(place, force=force, like=[opened])
