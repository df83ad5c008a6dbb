"""Parts of voices that the golden test runs; voiced.hpp and streamed.hpp make the same."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
from golden.noise import Noise, mirrored
from golden.streamed import streamed
from helpers import voices
from numpy.typing import NDArray

from synth.engine.layers import Layer
from synth.vocoder.config import PostfilterConfig, VocoderConfig, features_of
from synth.vocoder.emphasis import DeEmphasis
from synth.vocoder.frame_filter import NEUTRAL, FrameFilter
from synth.vocoder.oscillators import Oscillators
from synth.vocoder.vocoder import Vocoder

NAME = "voice"
"""Stands where hashes of networks have the network's name."""
RATES = {"short": 1200, "long": 8000}
"""Of postfilters: transforms of 32 and of 256."""
CASES = (*RATES, "layer", "search", "oscillators", "emphasis", "stream")


def filtered(rate: int, prefer: str) -> list[NDArray[Any]]:
    """Sums of frames, and samples."""
    config, noise, frames = VocoderConfig(mels=8), Noise(), 11
    heard = features_of(config, rate)
    bins = heard.fft // 2 + 1
    tensors = {
        "postfilter.window": noise.many(heard.window, 24576, -8192),
        "postfilter.cosine": mirrored(noise, heard.fft),
        "postfilter.bands": noise.sparse((bins, config.mels), 128),
        "postfilter.shares": noise.sparse((config.mels, bins), 257),
        "postfilter.logarithm": (4 * np.arange(256)).astype(np.int16),
        "postfilter.power": (32768 + 128 * np.arange(256)).astype(np.int32),
    }
    tables = FrameFilter(config, PostfilterConfig(16, 1), rate, tensors, prefer)
    samples = noise.many((frames - 1) * heard.hop + heard.window, 65536, 32768)
    faint = samples[len(samples) // 2 :]
    faint[:] = np.sign(faint) * (np.abs(faint.astype(np.int64)) // 2048)  # towards zero
    levels = noise.many((frames, config.mels), 20480, 8192, np.int64)
    for row in levels:
        for band in range(config.mels):
            row[band] = row[band] if noise.next(8) else NEUTRAL
    total = np.zeros(frames * heard.hop + heard.fft, np.int64)
    return [total, tables.add(samples, levels, total, 5)]


def layered(prefer: str) -> list[NDArray[Any]]:
    """16-bit values of a layer, and hidden ones."""
    rows, columns, count, noise = 21, 37, 9, Noise()
    tensors = {"x.weight": noise.many((rows, columns), 255, 127, np.int8), "x.scale": noise.many(rows, 32768, 0)}
    tensors |= {"x.bias": noise.many(rows, 65536, 32768), "x.shift": np.array([3], np.int32)}
    layer = Layer(tensors | {"table.tanh": noise.many((3, 8), 65536, 32768)}, "x", prefer)
    x = noise.many((count, columns), 256, 128, np.int64)
    return [layer.values(x).astype(np.int16), layer.hidden(x).astype(np.int8)]


def beam_search_tokens(prefer: str) -> list[NDArray[Any]]:
    """Tokens."""
    config = VocoderConfig(mels=8, latent=12, quantisers=5, encoder_units=16, units=16)
    noise, tensors = Noise(), voices.vocoder_tensors(1, config) | {"table.tanh": np.zeros((3, 8), np.int16)}
    tensors["vocoder.books"] = noise.many((5, 256, 12), 81, 40, np.int8)
    vectors = noise.many((9, 12), 255, 127, np.float32) / np.float32(32)
    return [Vocoder(config, voices.NETWORK, tensors, prefer).beam_search_tokens(vectors, 5)]


def oscillated(prefer: str) -> list[NDArray[Any]]:
    """Samples."""
    noise, segments, partials = Noise(), 5, 70
    starts = noise.many((segments, partials), 1 << 23, 0, np.uint32) << np.uint32(9)
    increments = noise.many((segments, partials), 1 << 22, 1 << 21, np.int32) * np.int32(256)
    slopes = noise.many((segments, partials), 1 << 22, 1 << 21, np.int32)
    amplitudes = noise.many((segments + 1, partials), (1 << 19) + 1, 0, np.int32)
    amplitudes[:, ::3] = 0
    amplitudes[1, ::6] = 1
    return [Oscillators(81, prefer).render(starts, increments, slopes, amplitudes)]


def de_emphasised(prefer: str) -> list[NDArray[Any]]:
    """Samples and a state, in two blocks."""
    de_emphasis, samples = DeEmphasis(prefer), Noise().many(300, 65536, 32768)
    blocks = [de_emphasis.filter(block) for block in (samples[:7], samples[7:])]
    return [*blocks, np.array([de_emphasis.state], np.int32)]


def digest(what: str, prefer: str) -> str:
    """The hash of what comes out, by the kernel ("native") or by the specification ("reference")."""
    makers = {"layer": layered, "search": beam_search_tokens, "oscillators": oscillated, "emphasis": de_emphasised}
    makers["stream"] = streamed
    arrays = filtered(RATES[what], prefer) if what in RATES else makers[what](prefer)
    hashed = hashlib.sha256()
    for array in arrays:
        hashed.update(np.ascontiguousarray(array, array.dtype.newbyteorder("<")).tobytes())
    return hashed.hexdigest()[:32]
