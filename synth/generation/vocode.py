"""What `synth vocode` does: says again what a recording, or a file of features, says, by a voice's network."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from synth.audio import reader as audio
from synth.audio.writer import AudioWriter, format_of
from synth.checkpoint import registry
from synth.common import files, input_file, outputs
from synth.common.errors import AudioError, UsageError
from synth.common.typing import Float32
from synth.engine.config import Draw
from synth.generation import model as sampler
from synth.generation import seeds, stream
from synth.vocoder.vocoder import PIECE, Vocoder, check_shape, checked

FEATURES = ".npy"
BLOCK = 1 << 12
CHANGED = "has changed while it was read"
Progress = Callable[[int | None], AbstractContextManager[Callable[[int], Any]]]


@dataclass(frozen=True)
class Request:
    """The options of the command. `tokens`: how many of the voice's quantisers are used; None: vectors as heard."""

    source: str
    out: str
    checkpoint: str = "speech"
    tokens: int | None = None
    temperature: float = 1.0
    seed: int | None = None
    labels: Mapping[str, str] | None = None
    format: str | None = None
    engine: str = "auto"
    force: bool = False


def vocode(request: Request, progress: Progress) -> dict[str, Any]:
    """Writes the file and returns what `--json` reports."""
    form = format_of(request.out, request.format)
    outputs.check_outputs([request.out], [request.source, registry.file_of(request.checkpoint)], request.force)
    outputs.check_pipe(request.out)
    draw = Draw.of(request.temperature)
    seed = seeds.draw_seed() if request.seed is None else seeds.check_seed(request.seed)
    model = sampler.load_voice(request.checkpoint, request.engine, taker="synth vocode")
    assert model.guides is not None
    vocoder = model.guides.vocoder
    if request.tokens is not None:
        check_tokens(vocoder, request.tokens)
    with heard(model, request.source) as (pieces, count):
        if request.tokens is not None:
            pieces = (quantised(vocoder, vectors, request.tokens) for vectors in pieces)
        spoken = model.follow(map(vocoder.exact, pieces), draw, seed=seed, labels=request.labels)
        began = time.perf_counter()
        speak(spoken, request.out, model.sample_rate, form, request.force, count, progress)
    speed = count / max(time.perf_counter() - began, 1e-9)
    return {
        "files": [{"path": request.out, "samples": count, "seed": seed}],
        "sample_rate": model.sample_rate,
        "seconds": count / model.sample_rate,
        "checkpoint": model.checkpoint.name,
        "checkpoint_sha256": model.checkpoint.sha256,
        "labels": dict(request.labels or {}),
        "tokens": request.tokens,
        "engine": model.engine.name,
        "instruction_set": model.engine.instruction_set,
        "samples_per_second": speed,
        "real_time_factor": speed / model.sample_rate,
    }


def speak(spoken: stream.Stream, out: str, rate: int, form: str, force: bool, count: int, progress: Progress) -> None:
    """Writes `count` samples of a stream."""
    with progress(count) as tick, AudioWriter(out, rate, form, force, count) as writer:
        for start in range(0, count, BLOCK):
            writer.write(spoken.pcm(min(BLOCK, count - start)))
            tick(min(BLOCK, count - start))


@contextmanager
def heard(model: sampler.Model, source: str) -> Iterator[tuple[Iterator[Float32], int]]:
    """Vectors (frames, latent) of a sound file or a `.npy` of features, and how many samples they stand for.

    They come piece by piece, in bounded memory. What is wrong with the file is found before the first.
    """
    assert model.guides is not None
    vocoder = model.guides.vocoder
    if source.endswith(FEATURES):
        given = Features(source, vocoder.config.mels)
        yield vocoder.encoded(given.frames, given.read), given.frames * vocoder.hop // 2
        return
    with ExitStack() as stack:
        file: IO[bytes] | None = None
        if source == files.STDOUT:
            file, _ = stack.enter_context(stack.enter_context(input_file.open_input(source)).seekable())
        count = sum(map(len, _blocks(source, model.sample_rate, file)))
        if count < vocoder.hop:
            raise AudioError(f"{source}: lasts {count} samples, less than a token frame of {vocoder.hop}")
        yield vocoder.heard(_blocks(source, model.sample_rate, file, count)), count


def vectors_of(model: sampler.Model, source: str) -> tuple[Float32, int]:
    """What `heard` gives, in one."""
    with heard(model, source) as (pieces, count):
        return np.concatenate(list(pieces)), count


def _blocks(source: str, rate: int, file: IO[bytes] | None, count: int | None = None) -> Iterator[NDArray[np.int16]]:
    """The samples of a sound file; AudioError when they are not `count`, as they were before."""
    found = 0
    with audio.AudioReader(source, rate, file) as reader:
        for block in reader.blocks():
            found += len(block)
            yield block
    if count not in (None, found):
        raise AudioError(f"{source}: {CHANGED}")


def check_tokens(vocoder: Vocoder, tokens: int) -> None:
    """UsageError when a voice does not have so many tokens a frame."""
    if not 1 <= tokens <= vocoder.config.quantisers:
        raise UsageError(f"tokens {tokens}: this voice has 1 to {vocoder.config.quantisers} a frame")


def quantised(vocoder: Vocoder, vectors: Float32, tokens: int) -> Float32:
    """The vectors that the first `tokens` quantisers make of `vectors`."""
    check_tokens(vocoder, tokens)
    return vocoder.inexact(vocoder.vectors(vocoder.tokens(vectors, tokens)))


class Features:
    """Log-mel features in a `.npy` file, all checked when it is opened; AudioError where they can't be used.

    The file is mapped for a moment at a time: one that is cut short while it is mapped would end the process.
    """

    def __init__(self, path: str, bands: int) -> None:
        self.path, self.bands = path, bands
        mel = read_features(path)
        check_shape(mel, bands, path)
        self.frames, self._state = len(mel), self._now()
        for start in range(0, self.frames, PIECE):
            self.read(start, start + PIECE)

    def read(self, first: int, last: int) -> Float32:
        """Features `first` to `last`; where these are an odd number, the last of them twice."""
        mel = read_features(self.path)
        if self._now() != self._state or len(mel) != self.frames:
            raise AudioError(f"{self.path}: {CHANGED}")
        return checked(np.array(mel[first:last]), self.bands, self.path)

    def _now(self) -> tuple[int, ...]:
        try:
            found = os.stat(self.path)
        except OSError:
            raise AudioError(f"{self.path}: {CHANGED}") from None
        return found.st_ino, found.st_size, found.st_mtime_ns


def read_features(path: str) -> NDArray[Any]:
    """The array in a `.npy` file, mapped; AudioError when there is none that can be used."""
    files.check_input(path)
    try:
        # a header that promises more than the file has is an error, not that much memory
        with np.errstate(all="ignore"):
            return np.lib.format.open_memmap(path, mode="r")
    except OSError as error:
        raise AudioError(f"{path}: can't be read ({error.strerror or error})") from None
    except Exception:  # of NumPy's parser of headers, whatever a stranger's file makes it raise
        raise AudioError(f"{path}: is no NumPy array (.npy, without objects)") from None
