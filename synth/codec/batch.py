"""What `synth compress`, `decompress` and `verify` do with their files: on threads, and what to report."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from itertools import chain
from threading import Event
from typing import IO, Any, Protocol

from synth.codec import encoder, network_choice, sources
from synth.codec.decoder import Decoder, decompress_stream
from synth.codec.header import PARAMETRIC
from synth.codec.job_plan import SUFFIX, Job, check_suffix_of, names_a_format
from synth.codec.opened import open_syn
from synth.codec.syn_file import SynFile, Tick
from synth.common import new_file, outputs, threads
from synth.common.errors import AudioError, CodecError, SynthError
from synth.common.input_file import InputFile, open_input

Progress = Callable[[int | None], AbstractContextManager[Callable[[int], Any]]]


@dataclass(frozen=True)
class FileResult:
    """What became of a file, or of several.

    `samples`: of one channel. `channels` is None where several files do not have the same; `values`: samples of all
    channels together, of several files. `damages`: what `--salvage` passed over; `checkpoint`: its name, or its digest.
    `notes`: what a person should know of it.
    """

    path: str
    out: str
    bytes_in: int
    bytes_out: int
    samples: int
    channels: int | None
    rate: int
    damages: Sequence[str] = ()
    values: int = 0
    checkpoint: str = "none"
    notes: Sequence[str] = ()

    @property
    def bits_per_sample(self) -> float:
        """8 times the compressed bytes over frames times channels; 0 without samples."""
        values = self.values or self.samples * (self.channels or 0)
        return 8 * self.bytes_out / values if values else 0.0


@dataclass(frozen=True)
class CodecOptions:
    """What the commands share; `effort`, `mode` and `verify` are of compressing, the last three of decompressing.

    `bitrate`: of mode parametric. `segment`: most seconds of a segment of the others. `checkpoint`: what compressing is
    to use, or where decompressing may find the one that a file names. `start`, `end`: seconds.
    """

    threads: int
    effort: str = "balanced"
    mode: str = "lossless"
    checkpoint: str | None = None
    bitrate: float | None = None
    segment: float | None = None
    force: bool = False
    verify: bool = False
    salvage: bool = False
    start: float | None = None
    end: float | None = None

    @property
    def is_part(self) -> bool:
        """Whether a part of each file is asked for."""
        return self.start is not None or self.end is not None

    @property
    def checkpoint_path(self) -> str | None:
        """The checkpoint's name or path, None for a word that stands for none."""
        return None if self.checkpoint in (network_choice.AUTO, network_choice.NONE) else self.checkpoint


class Work(Protocol):
    """What is done with one file; `threads`: of this file, `tick`: called with the frames that are done."""

    def __call__(self, job: Job, options: CodecOptions, *, threads: int, tick: Tick) -> FileResult: ...


def totals(results: Sequence[FileResult]) -> FileResult:
    """The sums of several files."""
    return FileResult(
        path="",
        out="",
        bytes_in=sum(result.bytes_in for result in results),
        bytes_out=sum(result.bytes_out for result in results),
        samples=sum(result.samples for result in results),
        channels=results[0].channels if len({result.channels for result in results}) == 1 else None,
        rate=0,
        values=sum(result.samples * (result.channels or 0) for result in results),
    )


def run_jobs(
    jobs: Sequence[Job | SynthError], work: Work, options: CodecOptions, progress: Progress
) -> tuple[list[FileResult], list[SynthError]]:
    """`work` of every job: files side by side where there are several, else the segments of the one file.

    Returns what became of those that went well, and the errors of the others, among them those that `jobs` holds.
    """
    stop = Event()
    threads_each = 1 if len(jobs) > 1 else options.threads

    def attempt(job: Job | SynthError) -> FileResult | SynthError:
        if isinstance(job, SynthError):
            return job
        try:
            if job.folder:
                os.makedirs(job.folder, exist_ok=True)
            return work(job, options, threads=threads_each, tick=tick_unless_stopped)
        except SynthError as error:
            return error

    with progress(None) as tick:

        def tick_unless_stopped(frames: int) -> None:
            if stop.is_set():
                raise threads.Stopped
            tick(frames)

        results = threads.each(attempt, jobs, options.threads, stop)
    failures = [result for result in results if isinstance(result, SynthError)]
    return [result for result in results if not isinstance(result, SynthError)], failures


def compress_one(job: Job, options: CodecOptions, *, threads: int, tick: Tick) -> FileResult:
    """Compress a file."""
    compress = _compress_parametric if options.mode == PARAMETRIC else _compress_samples
    return compress(job, options, threads=threads, tick=tick)


def _compress_parametric(job: Job, options: CodecOptions, *, threads: int, tick: Tick) -> FileResult:
    from synth.codec.parametric import encoder as parametric

    with open_input(job.path) as source:
        summary = parametric.compress(
            source,
            job.path,
            out=job.out,
            checkpoint=options.checkpoint,
            bitrate=options.bitrate,
            force=options.force,
            verify=options.verify,
        )
    header = summary.header
    tick(header.samples)
    sizes = job.path, job.out, summary.bytes_in, summary.bytes_out, header.samples
    return FileResult(*sizes, 1, header.rate, checkpoint=network_choice.describe(header.digest), notes=summary.notes)


def _compress_samples(job: Job, options: CodecOptions, *, threads: int, tick: Tick) -> FileResult:
    """Compress a file in mode lossless or mulaw."""
    suffix = None if job.path == outputs.STDOUT else os.path.splitext(job.path)[1]
    with open_input(job.path) as source:
        before = source.state()
        sound = sources.open_sound(source, job.path, source.size)
        with new_file.open_output(job.out, options.force, [source]) as (write, file):
            summary = encoder.compress_stream(
                sound,
                write,
                effort=options.effort,
                mode=options.mode,
                network=options.checkpoint or network_choice.AUTO,
                suffix=suffix,
                threads=threads,
                seconds=options.segment,
                tick=tick,
            )
            if source.state() != before:
                raise AudioError(f"{job.path}: has changed while it was read")
            if options.verify and file is not None:
                digest = b""
                if options.mode == "lossless":
                    digest = _digest_around(sound) if sound.kind == "flac" else source.digest()
                _verify_written(job, file, digest, options, threads)
    header = summary.header
    sizes = job.path, job.out, _size(source), summary.bytes_out, summary.frames
    network = network_choice.describe(header.checkpoint)
    return FileResult(*sizes, header.channels, header.rate, checkpoint=network)


def _digest_around(sound: sources.Sound) -> bytes:
    """MD5 of all bytes of a FLAC file that are kept beside its samples."""
    md5 = hashlib.md5(usedforsecurity=False)
    for part in chain(sound.head_parts(), sound.tail()):
        md5.update(part)
    return md5.digest()


def _verify_written(job: Job, file: IO[bytes], digest: bytes, options: CodecOptions, threads: int) -> None:
    """CodecError unless what is in `file` gives the samples, and the bytes where there is a digest of them.

    The digest is of the whole file; of FLAC, whose frames are made anew, of what is beside its samples.
    """
    file.seek(0)
    decoder = Decoder(file, job.out, threads=threads, checkpoint=options.checkpoint_path)
    md5 = hashlib.md5(usedforsecurity=False)
    if digest and decoder.header.kind != "flac":
        decompress_stream(decoder, md5.update)
    else:
        for piece in decoder.pieces():
            if isinstance(piece, bytes):
                md5.update(piece)
    if digest and md5.digest() != digest:
        raise CodecError(f"{job.path}: what was written does not give it back; please report this")


def decompress_one(job: Job, options: CodecOptions, *, threads: int, tick: Tick) -> FileResult:
    """Decompress a file, or the part of it that is asked for."""
    seekable = options.is_part or options.salvage
    with open_input(job.path, whole=seekable) as source:
        opened = open_syn(
            source,
            job.path,
            seekable=seekable,
            salvage=options.salvage,
            threads=threads,
            checkpoint=options.checkpoint,
        )
        if options.is_part:
            opened.limit(options.start, options.end)
        frames = opened.decode_to(job.out, force=options.force, tick=tick, like=[source])
    return _decoded(job, source, opened, frames)


def verify_one(job: Job, options: CodecOptions, *, threads: int, tick: Tick) -> FileResult:
    """Decode a file and check all that can be checked."""
    with open_input(job.path) as source:
        opened = open_syn(source, job.path, threads=threads, checkpoint=options.checkpoint)
        frames = opened.verify(tick)
    return _decoded(job, source, opened, frames)


def _decoded(job: Job, source: InputFile, opened: SynFile, frames: int) -> FileResult:
    checkpoint = network_choice.describe(opened.checkpoint_digest)
    shape = frames, opened.channels, opened.rate, opened.damages
    return FileResult(job.path, job.out, _size(source), 0, *shape, checkpoint=checkpoint)


def _size(source: InputFile) -> int:
    """Bytes of an input that was read to its end."""
    return source.count if source.size is None else source.size


def packed_name(name: str) -> str:
    """The name of the .syn file for a sound file: x.syn for x.wav, x.wav.wav.syn for x.wav.wav."""
    stem, suffix = os.path.splitext(name)
    return (name if _ends_in(stem, suffix) else stem) + SUFFIX


def _ends_in(stem: str, suffix: str) -> bool:
    """Whether a name has a suffix and something before it."""
    return bool(suffix) and stem.lower().endswith(suffix.lower()) and len(stem) > len(suffix)


def original_name(path: str, name: str) -> str:
    """The name of the file that `path` was made of: the stem, and the suffix that its header tells.

    The suffix is there already in the name that a .syn file gets where x.wav and x.flac are in one folder: x.wav.syn.
    """
    with open_input(path) as source:
        suffix = open_syn(source, path).name_suffix
    stem = name[: -len(SUFFIX)] if name.lower().endswith(SUFFIX) and len(name) > len(SUFFIX) else name
    return stem if _ends_in(stem, suffix) else stem + suffix


def check_kind(job: Job) -> None:
    """UsageError when the output's suffix is that of another kind of file than the one that comes back."""
    if not names_a_format(job.out) or job.path == outputs.STDOUT:
        return
    try:
        with open_input(job.path) as source:
            opened = open_syn(source, job.path)
    except SynthError:
        return  # is reported when the file is decompressed
    check_suffix_of(job.out, opened)
