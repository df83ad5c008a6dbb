"""A small voice with a tonal bed, of random weights, for tests; without torch."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from helpers import networks, voices
from helpers.saved_voices import SavedVoice
from synth.vocoder import bed_tables, label_means
from synth.vocoder.config import VocoderConfig, stride_of
from synth.vocoder.voice import VoiceParts

VOCODER = VocoderConfig(mels=8, latent=9, quantisers=4, encoder_units=16, units=16, tones=16)
NETWORK = replace(voices.NETWORK, stride=stride_of(VOCODER, voices.NETWORK), phases=1)
RATE, HOP = NETWORK.sample_rate, 160


def vocoder_tensors(seed: int) -> networks.Tensors:
    """Random tensors; the pitch's codebook and the bed's tables as they have to be."""
    tensors = voices.vocoder_tensors(seed, VOCODER, NETWORK)
    tensors = {name: tensor for name, tensor in tensors.items() if not name.startswith("bed.")}
    books = tensors["vocoder.books"]
    books[0], books[1:, :, 0] = 0, 0
    books[0, :, 0] = np.maximum(np.arange(256) - 128, -127)
    return tensors | bed_tables.new_tables(VOCODER, RATE)


def parts(seed: int = 1, period: int = 2) -> VoiceParts:
    """What the voice has beside its network."""
    random = np.random.default_rng(seed + 40)
    latents = [((1 + n % 10, 1 + n % 2), random.normal(n % 3, 1, (5, VOCODER.latent))) for n in range(40)]
    means = label_means.measure(voices.LABELS, [(ids, rows.astype(np.float32)) for ids, rows in latents])
    return VoiceParts(
        VOCODER,
        vocoder_tensors(seed + 10),
        planner=voices.planner(period),
        planner_tensors=voices.uneven(voices.planner(period), seed + 20),
        postfilter=voices.POSTFILTER,
        postfilter_tensors=voices.postfilter_tensors(seed + 30, VOCODER),
        means=means,
    )


def network(seed: int = 1) -> networks.Tensors:
    """The network's tensors."""
    return voices.uneven(NETWORK, seed)


SAVED = SavedVoice("tonal", NETWORK, network, parts)
path, load = SAVED.path, SAVED.load


def vowel(count: int, pitch: float = 140.0, glide: float = 0.2, rate: int = RATE, seed: int = 0) -> NDArray[np.int16]:
    """A sung vowel in a little noise, int16 (count,): harmonics of a gliding pitch with a formant at 700 Hz."""
    time = np.arange(count) / rate
    phase = pitch * (time + 0.5 * glide * time**2)
    top = int(0.4 * rate / (pitch * (1 + glide * count / rate)))
    wave = np.zeros(count)
    for k in range(1, top + 1):
        wave += np.cos(2 * np.pi * k * phase + 0.3 * k) / (1 + ((k * pitch - 700) / 400) ** 2)
    noise = np.random.default_rng(seed).normal(0, 60, count)
    return np.rint(wave / np.abs(wave).max() * 9000 + noise).astype(np.int16)


sound = vowel
"""A sound that has what the bed carries."""
