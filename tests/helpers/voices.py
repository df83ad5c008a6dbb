"""A small voice of random weights for tests: network, vocoder and planner, in a file and loaded; without torch."""

from __future__ import annotations

import functools
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import synth
from helpers import networks
from synth.common.labels import LabelSet
from synth.engine.config import ModelConfig
from synth.generation import checkpoint
from synth.generation.voice import Voice
from synth.vocoder import envelope, label_means, postfilter_tables, timing
from synth.vocoder.config import PostfilterConfig, VocoderConfig, stride_of
from synth.vocoder.tensors import layout
from synth.vocoder.vocoder import Vocoder
from synth.vocoder.voice import VoiceParts

LABELS = LabelSet((("digit", tuple("0123456789")), ("speaker", ("anna", "bert"))))
VOCODER = VocoderConfig(mels=8, latent=8, quantisers=4, encoder_units=16, units=16)
NETWORK = ModelConfig(8000, frame_units=16, sample_units=16, head_units=16, labels=LABELS)
NETWORK = replace(NETWORK, stride=stride_of(VOCODER, NETWORK))
POSTFILTER = PostfilterConfig(units=16, passes=2)
HOP, PART = 160, 80
"""Samples of a token frame, and of a part of it that one conditioning vector lasts."""
RATE = NETWORK.sample_rate


def planner(period: int = 2, labels: LabelSet = LABELS) -> ModelConfig:
    """A network over tokens with the labels of NETWORK."""
    return ModelConfig(8000, window=16, frame_units=16, sample_units=16, head_units=16, labels=labels, period=period)


def uneven(config: ModelConfig, seed: int) -> networks.Tensors:
    """Random tensors of a network in which no code is certain, and much depends on what it is told and has said."""
    tensors = networks.random_tensors(config, seed)
    tensors["head.tree.shift"][:], tensors["head.tree.scale"][1:] = 3, 30000
    tensors["head.tree.bias"][1:] = np.random.default_rng(seed).normal(0, 300, 255)
    tensors["head.dense.shift"][:], tensors["frame.output.shift"][:] = 3, 2
    return tensors


def vocoder_tensors(seed: int, config: VocoderConfig = VOCODER, model: ModelConfig = NETWORK) -> networks.Tensors:
    """Random tensors of a vocoder that hears differences and passes them on without saturating everywhere."""
    random = np.random.default_rng(seed)
    tensors: networks.Tensors = {}
    for name, (kind, shape) in layout(config, model).items():
        if kind == "float32":
            scale = 0.1 if name.endswith(".bias") else 1.5 * shape[-1] ** -0.5
            tensors[name] = random.normal(0, scale, shape).astype(np.float32)
        elif name.endswith(".shift"):
            tensors[name] = np.array([4], np.int32)
        elif name.endswith(".scale"):
            most = 8000 if name.startswith("vocoder.reflect") else 30000
            tensors[name] = random.integers(2000, most, shape).astype(np.int16)
        elif name.endswith(".books"):
            sizes = 40 // 2 ** np.arange(shape[0])[:, None, None]
            tensors[name] = np.clip(np.rint(random.normal(0, 1, shape) * sizes), -127, 127).astype(np.int8)
        elif kind == "int8":
            tensors[name] = random.integers(-127, 128, shape).astype(np.int8)
        else:
            tensors[name] = random.normal(0, 300, shape).astype(np.int16)
    return tensors


def postfilter_tensors(seed: int, config: VocoderConfig = VOCODER) -> networks.Tensors:
    """A postfilter's tables, and an envelope of random levels around those of sound, mostly voiced."""
    random = np.random.default_rng(seed)
    tensors: networks.Tensors = postfilter_tables.new_tables(config, RATE)
    for name, (kind, shape) in envelope.layout(config, POSTFILTER).items():
        if name.endswith(".shift"):
            tensors[name] = np.array([4], np.int32)
        elif kind == "int8":
            tensors[name] = random.integers(-127, 128, shape).astype(np.int8)
        elif name.endswith(".scale"):
            tensors[name] = random.integers(2000, 9000 if "out" in name else 30000, shape).astype(np.int16)
        else:
            tensors[name] = random.normal(0, 300, shape).astype(np.int16)
    bias = random.normal(1000, 300, (2, config.targets))
    if config.tones:
        bias[:, -1] = 900  # of the voicing
    tensors["postfilter.envelope.out.bias"] = bias.reshape(-1).astype(np.int16)
    return tensors


def voice(
    period: int = 2, seed: int = 1, temperatures: tuple[float, float] = (1.0, 1.0), filtered: bool = False
) -> VoiceParts:
    """What a voice has beside its network; no planner with `period` 0."""
    found = VoiceParts(VOCODER, vocoder_tensors(seed + 10), temperatures=temperatures)
    if period:
        found = replace(found, planner=planner(period), planner_tensors=uneven(planner(period), seed + 20))
    if filtered:
        random = np.random.default_rng(seed + 40)
        heard = [((1 + n % 10, 1 + n % 2), random.normal(n % 3, 1, (5, VOCODER.latent))) for n in range(40)]
        means = label_means.measure(LABELS, [(rows, vectors.astype(np.float32)) for rows, vectors in heard])
        found = replace(found, postfilter=POSTFILTER, postfilter_tensors=postfilter_tensors(seed + 30), means=means)
    return found


LENGTHS = {(1 + digit, 1 + speaker): 3 + digit + 4 * speaker for digit in range(10) for speaker in range(2)}
"""Token frames of the sound with these label ids that `timed` has."""


@functools.cache
def timed(period: int = 4, guidance: float = 1.0) -> str:
    """The file of a filtered voice whose planner is told when sounds end: the same length twice for each label."""
    config = planner(period, timing.timed(LABELS))
    own = replace(voice(0, filtered=True), planner=config, planner_tensors=uneven(config, 25), guidance=guidance)
    lengths = [(length, 2) for length in LENGTHS.values() for _ in range(2)]
    own = replace(own, timing=timing.rows_of([ids for ids in LENGTHS for _ in range(2)], lengths))
    place = Path(_folder().name) / f"timed-{period}-{guidance:g}.safetensors"
    checkpoint.save(place, NETWORK, network(), {"licence": "none"}, own)
    return str(place)


def network(seed: int = 1) -> networks.Tensors:
    """The network's tensors."""
    return uneven(NETWORK, seed)


@functools.cache
def vocoder() -> Vocoder:
    """The vocoder of the voice of seed 1."""
    return Vocoder(VOCODER, NETWORK, vocoder_tensors(11) | {"table.tanh": network()["table.tanh"]})


@functools.cache
def path(period: int = 2, seed: int = 1, temperatures: tuple[float, float] = (1.0, 1.0), filtered: bool = False) -> str:
    """The file of a voice with the labels digit and speaker; removed when the tests end."""
    name = f"voice-{period}-{seed}-" + "-".join(f"{value:g}" for value in temperatures)
    place = Path(_folder().name) / f"{name}{'-filtered' if filtered else ''}.safetensors"
    checkpoint.save(place, NETWORK, network(seed), {"licence": "none"}, voice(period, seed, temperatures, filtered))
    return str(place)


@functools.cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory()


@functools.cache
def load(period: int = 2, seed: int = 1, engine: str = "auto", filtered: bool = False) -> Voice:
    """The same as a model. Streams of it share no state, so tests may share it."""
    return synth.load(path(period, seed, filtered=filtered), engine)


def sound(count: int, seed: int = 0) -> NDArray[np.int16]:
    """Samples at RATE that change all the time: a gliding tone in noise that comes and goes."""
    time = np.arange(count) / RATE
    glide = 6000 * np.sin(2 * np.pi * (200 * time + 150 * time**2)) * (0.6 + 0.4 * np.sin(9 * time))
    hiss = np.random.default_rng(seed).normal(0, 900, count) * (1 + np.sin(23 * time))
    return np.clip(np.rint(glide + hiss), -32768, 32767).astype(np.int16)


def vectors(frames: int, seed: int = 0) -> NDArray[np.int64]:
    """8-bit vectors (frames, latent)."""
    found: Any = np.random.default_rng(seed).integers(-127, 128, (frames, VOCODER.latent))
    return np.asarray(found, np.int64)
