"""A whole stream of a small voice with a tonal bed and a guided planner; streamed.hpp makes the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from golden.noise import Noise, mirrored
from numpy.typing import NDArray

from synth import engine
from synth.common.labels import LabelSet
from synth.common.typing import Tensors
from synth.engine.config import ModelConfig, SamplingConfig
from synth.engine.layout import layout
from synth.generation.checkpoint import Checkpoint
from synth.generation.planner import PlannedLatents
from synth.generation.voice_runtime import VoiceRuntime
from synth.generation.voice_stream import VoiceStream
from synth.vocoder.bed_tables import QUARTERS
from synth.vocoder.config import PostfilterConfig, VocoderConfig
from synth.vocoder.voice import VoiceParts

LABELS = LabelSet((("digit", ("0", "1", "2")), ("speaker", ("a", "b"))))
NETWORK = ModelConfig(8000, 16, 16, 32, 48, 32, 16, labels=LABELS, stride=5, phases=1)
PLANNER = ModelConfig(8000, 16, 16, 16, 32, 16, 16, labels=LABELS, period=2)
VOCODER = VocoderConfig(mels=8, latent=9, quantisers=3, encoder_units=16, units=16, tones=16)
COUNTS = (1, 399, 700)
ORDER = (
    *("frame.input", "frame.recurrent", "frame.output", "sample.recurrent", "head.dense", "head.tree"),
    *("frame.input.bias", "frame.recurrent.bias", "frame.output.bias", "sample.recurrent.bias", "head.tree.bias"),
    *("frame.label.0", "frame.label.1", "sample.code", "sample.predicted", "sample.residual", "sample.phase"),
    "head.predicted",
)
"""In which the arrays of a network are made of noise."""


def _linear(noise: Noise, name: str, rows: int, columns: int, shift: int) -> Tensors:
    weight = noise.many((rows, columns), 255, 127, np.int8)
    tensors = {f"{name}.weight": weight, f"{name}.scale": noise.many(rows, 16384, -4096)}
    return tensors | {f"{name}.shift": np.array([shift], np.int32)}


def _tables() -> Tensors:
    upper = 2**31 + np.arange(1024, dtype=np.int64) * 2**20
    place = np.arange(8)
    return {
        "table.probability": np.concatenate([2**32 - upper[::-1], upper]).astype(np.uint32),
        "table.cost": np.zeros(2048, np.uint32),
        "table.sigmoid": np.stack([16384 + 2000 * place, 2000 + 0 * place, -211 + 30 * place]).astype(np.int16),
        "table.tanh": np.stack([4000 * place, 4500 + 0 * place, -500 + 7 * place]).astype(np.int16),
    }


def _network(noise: Noise, config: ModelConfig) -> Tensors:
    tensors, shapes = _tables(), layout(config)
    for name in ORDER:
        if f"{name}.weight" in shapes:
            tensors |= _linear(noise, name, *shapes[f"{name}.weight"][1], 3 if name.startswith("head.") else 4)
        elif name in shapes:
            tensors[name] = noise.many(shapes[name][1], 2000, 1000)
    return tensors


def _layers(noise: Noise, *layers: tuple[str, int, int, bool]) -> Tensors:
    tensors: Tensors = {}
    for name, rows, columns, biased in layers:
        tensors |= _linear(noise, name, rows, columns, 4)
        if biased:
            tensors[f"{name}.bias"] = noise.many(rows, 2000, 1000)
    return tensors


def _postfilter(noise: Noise) -> Tensors:
    return {
        "postfilter.window": noise.many(200, 24576, -8192),
        "postfilter.cosine": mirrored(noise, 256),
        "postfilter.bands": noise.sparse((129, VOCODER.mels), 128),
        "postfilter.shares": noise.sparse((VOCODER.mels, 129), 257),
        "postfilter.logarithm": (4 * np.arange(256)).astype(np.int16),
        "postfilter.power": (32768 + 128 * np.arange(256)).astype(np.int32),
    }


def _bed(noise: Noise) -> Tensors:
    pitches, places = np.arange(2 * QUARTERS + 1), np.arange(1025)
    return {
        "bed.increments": (20000000 + 100000 * pitches).astype(np.uint32),
        "bed.logarithms": (5000 + 2 * pitches).astype(np.int16),
        "bed.places": np.minimum(256 * (VOCODER.tones - 1), 4 * places).astype(np.uint16),
        "bed.gates": np.clip(256 - 2 * (places - 900), 0, 256).astype(np.int16),
        "bed.phases": noise.many((VOCODER.tones, VOCODER.tones), 2000, 1000),
        "bed.power": (32768 + 128 * np.arange(256)).astype(np.int32),
    }


def _voice(noise: Noise) -> tuple[Tensors, VoiceParts]:
    """The network's tensors, and what is around it."""
    units, wide, targets = VOCODER.units, 3 * VOCODER.latent, 2 * VOCODER.targets
    network, planner = _network(noise, NETWORK), _network(noise, PLANNER)
    vocoder = _layers(
        noise,
        ("vocoder.condition.0", units, wide, True),
        ("vocoder.condition.1", units, 3 * units, True),
        ("vocoder.condition.out", VOCODER.parts * 3 * NETWORK.frame_units, units, False),
        ("vocoder.reflect", VOCODER.parts * NETWORK.order, units, True),
    )
    envelope = _layers(
        noise,
        ("postfilter.envelope.0", units, wide, True),
        ("postfilter.envelope.1", units, 3 * units, True),
        ("postfilter.envelope.out", targets, units, True),
        ("postfilter.envelope.linear", targets, wide, True),
    )
    postfilter = _postfilter(noise) | envelope
    vocoder |= _bed(noise)
    vocoder["vocoder.books"] = noise.many((VOCODER.quantisers, 256, VOCODER.latent), 81, 40, np.int8)
    parts = VoiceParts(VOCODER, vocoder, PLANNER, planner, guidance=2.5, postfilter=PostfilterConfig(units, 2))
    return network, VoiceParts(**{**vars(parts), "postfilter_tensors": postfilter})


def stream(prefer: str) -> VoiceStream:
    """The stream, from its first sample on."""
    tensors, voice = _voice(Noise())
    runtime = VoiceRuntime(NETWORK, tensors, voice, prefer)
    network, planner = engine.create(NETWORK, tensors, prefer), runtime.planner
    assert planner is not None
    state, plans = network.state(seed=5, stream=0), planner.state(seed=5, stream=1)
    source = PlannedLatents(runtime.vocoder, planner, plans, SamplingConfig(5000), guidance=voice.guidance)
    schedule = [(0, (1, 2)), (800, (3, 0))]
    source.begin(schedule, np.zeros((0, VOCODER.latent), np.int64), np.zeros((0, 0), np.uint8))
    loaded = Checkpoint("golden", Path("golden"), NETWORK, tensors, {}, "", voice)
    conditioner = runtime.conditioner(source)
    made = VoiceStream(loaded, network, state, SamplingConfig(4500), conditioner=conditioner, runtime=runtime)
    made.begin(schedule, None)
    return made


def streamed(prefer: str) -> list[NDArray[Any]]:
    """Samples, in blocks; led by C++ where it is there."""
    made = stream(prefer)
    assert (made._kernel() is None) == (prefer == "reference")
    return [made.pcm(count) for count in COUNTS]
