"""What `synth morph` does: walks between two sounds in the space of a voice's latents, stretches them in time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from synth.audio.writer import format_of
from synth.common import outputs
from synth.common.errors import UsageError
from synth.common.typing import Float32
from synth.engine.config import SamplingConfig
from synth.generation import loading, seeds
from synth.generation.speech_output import (
    Progress,
    SpeechOutput,
    check_places,
    source_facts,
    speed_facts,
    write_stream,
)
from synth.generation.vocode import latents_of
from synth.vocoder import label_means


@dataclass(frozen=True, kw_only=True)
class MorphRequest(SpeechOutput):
    """The options of the command.

    `first`, `second`: sound files, "-" or `.npy` files of features. `mix`: share of the second sound at the begin and
    at the end; None: half of each, or, where there is no second sound, nothing of it. `stretch`: of time.
    """

    first: str
    second: str | None = None
    mix: tuple[float, float] | None = None
    stretch: float = 1.0
    labels: Mapping[str, str] | None = None


def morph(request: MorphRequest, progress: Progress) -> dict[str, Any]:
    """Writes the file and returns what `--json` reports."""
    form = format_of(request.out, request.format)
    sources, mix = _sources(request), _mix(request)
    check_places(request, sources)
    sampling = SamplingConfig.of(request.temperature)
    seed = seeds.draw_seed() if request.seed is None else seeds.check_seed(request.seed)
    voice = loading.load_voice(request.checkpoint, request.engine, taker="synth morph")
    sounds = [latents_of(voice, source)[0] for source in sources]
    latents = mixed(sounds[0], sounds[-1], mix, request.stretch)
    label_ids = voice.checkpoint.config.labels.ids(dict(request.labels or {}))
    vocoder = voice.runtime.vocoder
    latents = label_means.moved(latents, label_ids, voice.runtime.means, vocoder.config.tones > 0)
    stream = voice.follow(vocoder.quantize_latents(latents), sampling, seed=seed, labels=request.labels)
    count = len(latents) * vocoder.hop
    seconds, fault = write_stream(stream, request, form, samples=count, progress=progress, sources=sources)
    return {
        **source_facts(voice, [{"path": request.out, "samples": count, "seed": seed}], count),
        "mix": list(mix),
        "time_stretch": request.stretch,
        "labels": dict(request.labels or {}),
        **speed_facts(voice, count / seconds),
        "faults": {request.out: fault} if fault else {},
    }


def _sources(request: MorphRequest) -> list[str]:
    sources = [request.first] if request.second is None else [request.first, request.second]
    if request.second is None and request.mix is not None:
        raise UsageError("--mix: is a share of the second sound, and one alone is given")
    if sources == [outputs.STDOUT] * 2:
        raise UsageError("-: is given twice; standard input can be read once")
    return sources


def _mix(request: MorphRequest) -> tuple[float, float]:
    return request.mix or ((0.0, 0.0) if request.second is None else (0.5, 0.5))


def stretched(latents: Float32, frames: int) -> Float32:
    """Latents (n, latent) at `frames` places evenly from the first to the last, linear in between."""
    places = np.linspace(0.0, len(latents) - 1.0, frames)
    low = np.floor(places).astype(np.int64)
    high, share = np.minimum(low + 1, len(latents) - 1), (places - low)[:, None].astype(np.float32)
    interpolated: Float32 = latents[low] * (1 - share) + latents[high] * share
    return interpolated


def mixed(first: Float32, second: Float32, mix: tuple[float, float], stretch: float = 1.0) -> Float32:
    """A path from `first` to `second`, latents (frames, latent): both are brought to one length, then mixed.

    The share of the second goes from mix[0] to mix[1]; the length is that of both in the mean share, times `stretch`.
    """
    share = (mix[0] + mix[1]) / 2
    frames = max(1, round(((1 - share) * len(first) + share * len(second)) * stretch))
    weight = np.linspace(mix[0], mix[1], frames, dtype=np.float32)[:, None]
    path: Float32 = (1 - weight) * stretched(first, frames) + weight * stretched(second, frames)
    return path
