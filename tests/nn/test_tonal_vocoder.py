"""The float vocoder with a tonal bed: its pitch latent, its tokens, what it is quantised to."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from helpers import tonal_voices

from synth.nn.quantization import quantize, quantize_vocoder
from synth.nn.vocoder import VocoderNetwork, spectral_targets
from synth.vocoder.tensors import check_vocoder
from synth.vocoder.tonal import SoundAnalysis
from synth.vocoder.vocoder import Vocoder

CONFIG = tonal_voices.VOCODER


@pytest.fixture(scope="module")
def rows() -> torch.Tensor:
    analysis = SoundAnalysis(CONFIG, tonal_voices.RATE)
    sound = tonal_voices.vowel(3200)
    return torch.from_numpy(np.concatenate([analysis.push(sound), analysis.finish()]))[None]


@pytest.fixture(scope="module")
def network(rows: torch.Tensor) -> VocoderNetwork:
    torch.manual_seed(0)
    network = VocoderNetwork(replace(tonal_voices.NETWORK), CONFIG)
    network.begin_components(rows)
    return network


def test_the_integer_encoder_gives_the_same_latents_and_tokens(network: VocoderNetwork, rows: torch.Tensor) -> None:
    tensors = quantize_vocoder(network)
    check_vocoder(CONFIG, tonal_voices.NETWORK, tensors)
    curves = {"table.tanh": quantize(network.network, {})["table.tanh"]}
    vocoder = Vocoder(CONFIG, tonal_voices.NETWORK, tensors | curves)
    with torch.no_grad():
        latents = network.encode(rows)
        tokens, sums = network.quantize(latents)
    exact = vocoder.encode(rows[0].numpy())
    np.testing.assert_allclose(latents[0].numpy(), exact, atol=2e-3)
    np.testing.assert_array_equal(vocoder.tokens(exact)[:, 0], tokens[0, :, 0].numpy())
    assert sums.shape == (CONFIG.quantisers + 1, 1, 20, CONFIG.latent)
    assert not sums[0].any() and not sums[1, ..., 1:].any()
    np.testing.assert_allclose(sums[1, 0, :, 0], latents[0, :, 0], atol=1 / 64)


def test_all_but_the_pitch_is_read_off_latents(network: VocoderNetwork, rows: torch.Tensor) -> None:
    with torch.no_grad():
        read = network.spectrum(network.encode(rows))
    targets = spectral_targets(rows, CONFIG)
    assert read.shape == targets.shape == (1, 40, CONFIG.targets)
    np.testing.assert_array_equal(targets[0, :, -1], rows[0, :, -1])
    spread = (targets - targets.mean(1, keepdim=True)).abs().mean()
    assert float((read - targets).abs().mean()) < 0.3 * float(spread)


def test_codebooks_learn_without_the_pitch(network: VocoderNetwork, rows: torch.Tensor) -> None:
    with torch.no_grad():
        flat = network.encode(rows).reshape(-1, CONFIG.latent)
        network.begin_codebooks(flat + 0.3, torch.Generator().manual_seed(0))
        tokens, sums = network.quantize(flat)
        before = float((flat - sums[-1]).square().mean())
        for _ in range(30):
            tokens, sums = network.quantize(flat)
            network.learn_codebooks(flat, tokens, sums, torch.Generator().manual_seed(1))
        assert float((flat - network.quantize(flat)[1][-1]).square().mean()) < before
