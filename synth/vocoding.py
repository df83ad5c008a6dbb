"""What `synth vocode` does: says again what a recording, or a file of features, says, by a voice's network."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synth import audio, checkpoint, files, places, sampler, stream
from synth.config import Draw
from synth.errors import AudioError, UsageError
from synth.vocoder import checked
from synth.writer import AudioWriter, format_of

FEATURES = ".npy"
BLOCK = 1 << 12
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
    places.check_outputs([request.out], [request.source, checkpoint.file_of(request.checkpoint)], request.force)
    places.check_pipe(request.out)
    draw = Draw.of(request.temperature)
    seed = stream.draw_seed() if request.seed is None else stream.check_seed(request.seed)
    model = sampler.load_voice(request.checkpoint, request.engine, taker="synth vocode")
    assert model.guides is not None
    vectors, count = vectors_of(model, request.source)
    if request.tokens is not None:
        vectors = quantised(model, vectors, request.tokens)
    spoken = model.follow(model.guides.vocoder.exact(vectors), draw, seed=seed, labels=request.labels)
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


def vectors_of(model: sampler.Model, source: str) -> tuple[NDArray[np.float32], int]:
    """Vectors (frames, latent) of a sound file or a `.npy` of features, and how many samples they stand for."""
    assert model.guides is not None
    vocoder = model.guides.vocoder
    if source.endswith(FEATURES):
        mel = read_features(source)
        return vocoder.encode(checked(mel, vocoder.config.mels, source)), len(mel) * vocoder.hop // 2
    samples, _ = audio.read(source, model.sample_rate)
    if len(samples) < vocoder.hop:
        raise AudioError(f"{source}: lasts {len(samples)} samples, less than a token frame of {vocoder.hop}")
    return vocoder.hear(samples), len(samples)


def quantised(model: sampler.Model, vectors: NDArray[np.float32], tokens: int) -> NDArray[np.float32]:
    """The vectors that the first `tokens` quantisers make of `vectors`."""
    assert model.guides is not None
    vocoder = model.guides.vocoder
    if not 1 <= tokens <= vocoder.config.quantisers:
        raise UsageError(f"tokens {tokens}: this voice has 1 to {vocoder.config.quantisers} a frame")
    return vocoder.inexact(vocoder.vectors(vocoder.tokens(vectors, tokens)))


def read_features(path: str) -> NDArray[Any]:
    """The array in a `.npy` file; AudioError when there is none that can be used."""
    files.check_input(path)
    try:
        # mapped: a header that promises more than the file has is an error, not that much memory
        with np.errstate(all="ignore"):
            return np.array(np.load(path, mmap_mode="r", allow_pickle=False))
    except OSError as error:
        raise AudioError(f"{path}: can't be read ({error.strerror or error})") from None
    except Exception:  # of NumPy's parsers of headers and archives, whatever a stranger's file makes them raise
        raise AudioError(f"{path}: is no NumPy array (.npy, without objects)") from None
