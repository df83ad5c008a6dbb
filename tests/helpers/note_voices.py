"""A small voice with a note bed, of random weights, for tests; without torch."""

from __future__ import annotations

import functools
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import synth
from helpers import networks, voices
from synth.generation import checkpoint
from synth.generation.voice import Voice
from synth.vocoder.config import VocoderConfig, stride_of
from synth.vocoder.note_tables import new_tables
from synth.vocoder.voice import VoiceParts

VOCODER = VocoderConfig(mels=8, latent=9, quantisers=4, encoder_units=16, units=16, notes=60)
NETWORK = replace(voices.NETWORK, stride=stride_of(VOCODER, voices.NETWORK))
RATE, HOP = NETWORK.sample_rate, 160


def parts(seed: int = 1, period: int = 2) -> VoiceParts:
    """What the voice has beside its network; its envelope says notes that are loud enough to be heard."""
    own = {k: v for k, v in voices.vocoder_tensors(seed + 10, VOCODER, NETWORK).items() if not k.startswith("bed.")}
    filtering = voices.postfilter_tensors(seed + 30, VOCODER)
    filtering["postfilter.envelope.linear.bias"][:] = 600
    return VoiceParts(
        VOCODER,
        own | new_tables(RATE),
        planner=voices.planner(period),
        planner_tensors=voices.uneven(voices.planner(period), seed + 20),
        postfilter=voices.POSTFILTER,
        postfilter_tensors=filtering,
    )


def network(seed: int = 1) -> networks.Tensors:
    """The network's tensors."""
    return voices.uneven(NETWORK, seed)


@functools.cache
def path(seed: int = 1) -> str:
    """The file of the voice; removed when the tests end."""
    place = Path(_folder().name) / f"notes-{seed}.safetensors"
    checkpoint.save(place, NETWORK, network(seed), {"licence": "none"}, parts(seed))
    return str(place)


@functools.cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory()


@functools.cache
def load(engine: str = "auto", seed: int = 1) -> Voice:
    """The same as a model. Streams of it share no state, so tests may share it."""
    voice = synth.load(path(seed), engine)
    assert isinstance(voice, Voice)
    return voice


def chord(count: int, hertz: tuple[float, ...] = (220.0, 277.18, 329.63), rate: int = RATE) -> NDArray[np.int16]:
    """Sines that sound together and fade, in a little noise, int16 (count,)."""
    time = np.arange(count) / rate
    wave = sum(np.cos(2 * np.pi * each * time + k) for k, each in enumerate(hertz)) * np.exp(-2 * time)
    noise = np.random.default_rng(0).normal(0, 30, count)
    return np.rint(wave * 6000 + noise).astype(np.int16)
