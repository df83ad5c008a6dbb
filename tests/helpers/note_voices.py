"""A small voice with a note bed, of random weights, for tests; without torch."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from helpers import networks, voices
from helpers.saved_voices import SavedVoice
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


SAVED = SavedVoice("notes", NETWORK, network, parts)
path, load = SAVED.path, SAVED.load


def chord(count: int, hertz: tuple[float, ...] = (220.0, 277.18, 329.63), rate: int = RATE) -> NDArray[np.int16]:
    """Sines that sound together and fade, in a little noise, int16 (count,)."""
    time = np.arange(count) / rate
    wave = sum(np.cos(2 * np.pi * each * time + k) for k, each in enumerate(hertz)) * np.exp(-2 * time)
    noise = np.random.default_rng(0).normal(0, 30, count)
    return np.rint(wave * 6000 + noise).astype(np.int16)


sound = chord
"""A sound that has what the bed carries."""
