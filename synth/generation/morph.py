"""What `synth morph` does: walks between two sounds in the space of a voice's vectors, stretches them in time."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from synth.audio.writer import format_of
from synth.checkpoint import registry
from synth.common import outputs
from synth.common.errors import UsageError
from synth.common.typing import Float32
from synth.engine.config import Draw
from synth.generation import model as sampler
from synth.generation import seeds
from synth.generation.vocode import Progress, speak, vectors_of
from synth.vocoder import label_means


@dataclass(frozen=True)
class Request:
    """The options of the command. `mix`: share of the second sound at the begin and at the end; `stretch`: of time.

    `mix` of None: half of each, or, where there is no second sound, nothing of it.
    """

    first: str
    second: str | None
    out: str
    checkpoint: str = "speech"
    mix: tuple[float, float] | None = None
    stretch: float = 1.0
    temperature: float = 1.0
    seed: int | None = None
    labels: Mapping[str, str] | None = None
    format: str | None = None
    engine: str = "auto"
    force: bool = False


def morph(request: Request, progress: Progress) -> dict[str, Any]:
    """Writes the file and returns what `--json` reports."""
    form = format_of(request.out, request.format)
    sources = [request.first] if request.second is None else [request.first, request.second]
    if request.second is None and request.mix is not None:
        raise UsageError("--mix: is a share of the second sound, and one alone is given")
    mix = request.mix or ((0.0, 0.0) if request.second is None else (0.5, 0.5))
    if sources == [outputs.STDOUT] * 2:
        raise UsageError("-: is given twice; standard input can be read once")
    outputs.check_outputs([request.out], [*sources, registry.file_of(request.checkpoint)], request.force)
    outputs.check_pipe(request.out)
    draw = Draw.of(request.temperature)
    seed = seeds.draw_seed() if request.seed is None else seeds.check_seed(request.seed)
    model = sampler.load_voice(request.checkpoint, request.engine, taker="synth morph")
    assert model.guides is not None
    heard = [vectors_of(model, source)[0] for source in sources]
    vectors = mixed(heard[0], heard[-1], mix, request.stretch)
    rows = model.checkpoint.config.labels.ids(dict(request.labels or {}))
    vectors = label_means.moved(vectors, rows, model.guides.means)
    vocoder = model.guides.vocoder
    spoken = model.follow(vocoder.exact(vectors), draw, seed=seed, labels=request.labels)
    began, count = time.perf_counter(), len(vectors) * vocoder.hop
    speak(spoken, request.out, model.sample_rate, form, request.force, count, progress)
    speed = count / max(time.perf_counter() - began, 1e-9)
    return {
        "files": [{"path": request.out, "samples": count, "seed": seed}],
        "sample_rate": model.sample_rate,
        "seconds": count / model.sample_rate,
        "checkpoint": model.checkpoint.name,
        "checkpoint_sha256": model.checkpoint.sha256,
        "mix": list(mix),
        "time_stretch": request.stretch,
        "labels": dict(request.labels or {}),
        "engine": model.engine.name,
        "instruction_set": model.engine.instruction_set,
        "samples_per_second": speed,
        "real_time_factor": speed / model.sample_rate,
    }


def stretched(vectors: Float32, frames: int) -> Float32:
    """Vectors (n, latent) at `frames` places evenly from the first to the last, linear in between."""
    places_at = np.linspace(0.0, len(vectors) - 1.0, frames)
    low = np.floor(places_at).astype(np.int64)
    high, share = np.minimum(low + 1, len(vectors) - 1), (places_at - low)[:, None].astype(np.float32)
    found: Float32 = vectors[low] * (1 - share) + vectors[high] * share
    return found


def mixed(first: Float32, second: Float32, mix: tuple[float, float], stretch: float = 1.0) -> Float32:
    """A path from `first` to `second`, vectors (frames, latent): both are brought to one length, then mixed.

    The share of the second goes from mix[0] to mix[1]; the length is that of both in the mean share, times `stretch`.
    """
    share = (mix[0] + mix[1]) / 2
    frames = max(1, round(((1 - share) * len(first) + share * len(second)) * stretch))
    weight = np.linspace(mix[0], mix[1], frames, dtype=np.float32)[:, None]
    found: Float32 = (1 - weight) * stretched(first, frames) + weight * stretched(second, frames)
    return found
