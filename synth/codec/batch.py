"""What `synth compress`, `decompress` and `verify` do with their files: on threads, and what to report."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from threading import Event
from typing import IO, TYPE_CHECKING, Any

from synth.codec import decoder, encoder, network_choice, sources
from synth.codec.decoder import Decoder
from synth.codec.header import PARAMETRIC, Header, is_parametric
from synth.codec.job_plan import SOUNDS, SUFFIX, Job, check_suffix
from synth.common import input_file, new_file, outputs
from synth.common import threads as parallel
from synth.common.errors import AudioError, CodecError, SynthError

if TYPE_CHECKING:
    from synth.codec.parametric.format import ParametricHeader

Tick = Callable[[int], Any]
Progress = Callable[[int | None], AbstractContextManager[Tick]]


@dataclass(frozen=True)
class FileResult:
    """What became of a file, or of several. `damages`: what `--salvage` passed over; `count`: samples of all channels.

    `channels` is None where several files do not have the same; `checkpoint`: the network's name, or its digest.
    """

    path: str
    out: str
    bytes_in: int
    bytes_out: int
    samples: int
    channels: int | None
    rate: int
    damages: Sequence[str] = ()
    count: int = 0
    checkpoint: str = "none"

    @property
    def bits_per_sample(self) -> float:
        """8 times the compressed bytes over frames times channels; 0 without samples."""
        count = self.count or self.samples * (self.channels or 0)
        return 8 * self.bytes_out / count if count else 0.0


@dataclass(frozen=True)
class CodecOptions:
    """What the commands share; `effort`, `mode` and `verify` are of compressing, the three last of decompressing.

    `bitrate`: of mode parametric. `checkpoint`: what compressing is to use, or where decompressing may find what a file
    names.
    """

    threads: int
    effort: str = "balanced"
    mode: str = "lossless"
    checkpoint: str | None = None
    bitrate: float | None = None
    force: bool = False
    verify: bool = False
    salvage: bool = False
    start: float | None = None
    end: float | None = None


def together(done: Sequence[FileResult]) -> FileResult:
    """The totals of several files."""
    channels = done[0].channels if len({one.channels for one in done}) == 1 else None
    sums = [sum(sizes) for sizes in zip(*((one.bytes_in, one.bytes_out, one.samples) for one in done), strict=True)]
    count = sum(one.samples * (one.channels or 0) for one in done)
    return FileResult("", "", sums[0], sums[1], sums[2], channels, 0, count=count)


def work(
    jobs: Sequence[Job | SynthError],
    one: Callable[[Job, CodecOptions, int, Tick], FileResult],
    options: CodecOptions,
    progress: Progress,
) -> tuple[list[FileResult], list[SynthError]]:
    """`one(job, options, threads, tick)` of every job: files side by side where there are several, else segments."""
    stop = Event()
    threads = 1 if len(jobs) > 1 else options.threads

    def attempt(job: Job | SynthError) -> FileResult | SynthError:
        if isinstance(job, SynthError):
            return job
        try:
            if job.folder:
                os.makedirs(job.folder, exist_ok=True)
            return one(job, options, threads, beat)
        except SynthError as error:
            return error

    with progress(None) as tick:

        def beat(done: int) -> None:
            if stop.is_set():
                raise parallel.Stopped
            tick(done)

        results = parallel.each(attempt, jobs, options.threads, stop)
    failures = [result for result in results if isinstance(result, SynthError)]
    return [result for result in results if not isinstance(result, SynthError)], failures


def compress_one(job: Job, options: CodecOptions, threads: int, tick: Tick) -> FileResult:
    """Compresses a file."""
    if options.mode == PARAMETRIC:
        from synth.codec.parametric import files as parametric_files

        with input_file.open_input(job.path) as source:
            sizes = parametric_files.compress(
                source, job.path, job.out, options.checkpoint, options.bitrate, options.force, options.verify
            )
        tick(sizes[0].samples)
        return _spoken(job, *sizes)
    suffix = None if job.path == outputs.STDOUT else os.path.splitext(job.path)[1]
    with input_file.open_input(job.path) as source:
        before = source.state()
        sound = sources.open_sound(source, job.path, source.size)
        with new_file.open_output(job.out, options.force) as (write, file):
            done = encoder.compress_stream(
                sound,
                write,
                effort=options.effort,
                mode=options.mode,
                network=options.checkpoint or network_choice.AUTO,
                suffix=suffix,
                threads=threads,
                tick=tick,
            )
            if source.state() != before:
                raise AudioError(f"{job.path}: has changed while it was read")
            if options.verify and file is not None:
                same = done.header.kind != "flac" and options.mode == "lossless"
                _verify_written(job, file, source.digest() if same else b"", options, threads)
    return _done(job, source, done.header, done.frames, done.bytes_out)


def decompress_one(job: Job, options: CodecOptions, threads: int, tick: Tick) -> FileResult:
    """Decompresses a file."""
    part = options.start is not None or options.end is not None
    with input_file.open_input(job.path, whole=part or options.salvage) as source:
        if is_parametric(source.peek(5)):
            from synth.codec.parametric import files as parametric_files

            bounds, given = (options.start, options.end), [options.checkpoint] if options.checkpoint else []
            head, damages = parametric_files.decompress(
                source, job.path, job.out, given, options.force, options.salvage, bounds, tick
            )
            return replace(_spoken(job, head, source.size or source.count), damages=damages)
        seekable = part or options.salvage
        opened = Decoder(
            source,
            job.path,
            seekable=seekable,
            salvage=options.salvage,
            threads=threads,
            checkpoint=options.checkpoint,
        )
        frames = opened.limit(options.start, options.end) if part else None
        with new_file.open_output(job.out, options.force) as (write, _):
            done = decoder.decompress_stream(opened, write, frames, tick)
    return _done(job, source, opened.header, done, damages=opened.damages)


def _done(
    job: Job, source: input_file.InputFile, header: Header, frames: int, bytes_out: int = 0, damages: Sequence[str] = ()
) -> FileResult:
    size = source.count if source.size is None else source.size
    network = network_choice.describe(header.checkpoint)
    return FileResult(
        job.path, job.out, size, bytes_out, frames, header.channels, header.rate, damages, checkpoint=network
    )


def _spoken(job: Job, head: ParametricHeader, bytes_in: int, bytes_out: int = 0) -> FileResult:
    voice = network_choice.describe(head.digest)
    return FileResult(job.path, job.out, bytes_in, bytes_out, head.samples, 1, head.rate, checkpoint=voice)


def verify_one(job: Job, options: CodecOptions, threads: int, tick: Tick) -> FileResult:
    """Decodes a file and checks all that can be checked."""
    with input_file.open_input(job.path) as source:
        if is_parametric(source.peek(5)):
            from synth.codec.parametric import files as parametric_files

            head = parametric_files.verify(source, job.path, [options.checkpoint] if options.checkpoint else [])
            return _spoken(job, head, source.size or source.count)
        opened = Decoder(source, job.path, threads=threads, checkpoint=options.checkpoint)
        frames = sum(len(piece) for piece in opened.pieces(tick) if not isinstance(piece, bytes))
    return _done(job, source, opened.header, frames)


def _path(checkpoint: str | None) -> str | None:
    return None if checkpoint in (network_choice.AUTO, network_choice.NONE) else checkpoint


def original_name(path: str, name: str) -> str:
    """The name of the file that `path` was made of: the stem, and the suffix that its header tells."""
    with input_file.open_input(path) as source:
        header = None if is_parametric(source.peek(5)) else Decoder(source, path).header
    stem = name[: -len(SUFFIX)] if name.lower().endswith(SUFFIX) and len(name) > len(SUFFIX) else name
    return stem + (header.name_suffix if header else ".wav")


def check_kind(job: Job) -> None:
    """UsageError when the output's suffix is that of another kind of file than the one that comes back."""
    suffix = os.path.splitext(job.out)[1].lower()
    kind = next((kind for kind, suffixes in SOUNDS.items() if suffix in suffixes), None)
    if kind is None or job.path == outputs.STDOUT:
        return
    try:
        with input_file.open_input(job.path) as source:
            spoken = is_parametric(source.peek(5))
            header = None if spoken else Decoder(source, job.path).header
    except SynthError:
        return  # to be told when it is decompressed
    found = "wav" if header is None or header.kind == "array" else header.kind
    if kind != found and (header is None or suffix != header.name_suffix.lower()):
        check_suffix(job.out, SOUNDS[found])


def _verify_written(job: Job, file: IO[bytes], digest: bytes, options: CodecOptions, threads: int) -> None:
    """CodecError unless what is in `file` gives the samples, and the bytes where there is a digest of them."""
    file.seek(0)
    opened = Decoder(file, job.out, threads=threads, checkpoint=_path(options.checkpoint))
    md5 = hashlib.md5(usedforsecurity=False)
    if not digest:
        for _ in opened.pieces():
            pass
        return
    decoder.decompress_stream(opened, md5.update)
    if md5.digest() != digest:
        raise CodecError(f"{job.path}: what was written does not give it back; please report this")
