"""The float vocoder with a tonal bed: its pitch latent, its tokens, what it is quantised to."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from helpers import tonal_voices

from synth.nn.components import feature_weights, loudness_shares, principal_components
from synth.nn.quantization import quantize, quantize_vocoder
from synth.nn.residual_quantizer import ResidualVectorQuantizer, beam_search
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


def test_tokens_add_up_to_what_latents_are_quantised_to(network: VocoderNetwork, rows: torch.Tensor) -> None:
    with torch.no_grad():
        tokens, sums = network.quantize(network.encode(rows))
        for count in range(1, CONFIG.quantisers + 1):
            torch.testing.assert_close(network.summed(tokens, count), sums[count])


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


def bands_left(rows: torch.Tensor) -> float:
    """What components leave of log-mel bands, squared."""
    targets = spectral_targets(rows, CONFIG).reshape(-1, 2 * CONFIG.targets)
    own = principal_components(targets, CONFIG, tonal_voices.RATE)
    latents = targets @ own.encode.t() + own.bias
    deviations = latents.std(0)
    assert (deviations[1:] <= deviations[:-1] * 1.5).all() and latents.mean(0).abs().max() < 0.01
    left = (latents @ own.decode.t() + own.mean - targets).reshape(len(targets), 2, -1)
    return float(left[:, :, : CONFIG.mels].square().mean())


def test_components_keep_bands_best(rows: torch.Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    weights = feature_weights(CONFIG, tonal_voices.RATE).reshape(2, -1)
    bands = weights[0, : CONFIG.mels]
    assert torch.equal(weights[0], weights[1]) and bands[0] == bands.max()
    assert (bands[1:] <= bands[:-1]).all() and bands[-1] < bands[0]
    assert (weights[0, CONFIG.mels : -1] < bands.min()).all()
    weighed = bands_left(rows)
    monkeypatch.setattr("synth.nn.components.feature_weights", lambda config, _: torch.ones(2 * config.targets))
    assert weighed < bands_left(rows)


def test_loud_frames_count_more(rows: torch.Tensor) -> None:
    targets = spectral_targets(rows, CONFIG).reshape(-1, 2 * CONFIG.targets)
    fainter = targets.clone()
    fainter[: len(targets) // 2] -= 3.0
    shares = loudness_shares(fainter, CONFIG)
    assert 0.1 <= shares.min() and shares.max() <= 1.0
    assert shares[: len(targets) // 2].max() < shares[len(targets) // 2 :].mean()


def test_a_cluster_is_where_shares_are() -> None:
    quantizer = ResidualVectorQuantizer(1, 1)
    z = torch.cat([torch.linspace(0, 1, 2000), torch.linspace(10, 11, 2000)])[:, None]
    shares = torch.cat([torch.full((2000,), 1.0), torch.full((2000,), 0.05)])
    quantizer.cluster(z, shares, 10, torch.Generator().manual_seed(0))
    near = (quantizer.books[0] < 5).sum()
    assert near > 3 * 256 / 4


def test_codebooks_that_learn_together_come_nearer_with_the_first_ones_too() -> None:
    torch.manual_seed(2)
    z = torch.randn(3000, 6) @ torch.randn(6, 6)
    shares = torch.ones(len(z))
    quantizer = ResidualVectorQuantizer(4, 6)
    quantizer.cluster(z, shares, 5, torch.Generator().manual_seed(0))

    def left(count: int) -> float:
        tokens = beam_search(z, quantizer.books[:count])
        return float((z - sum(quantizer.books[k][tokens[:, k]] for k in range(count))).square().mean())

    before = [left(count) for count in (1, 2, 4)]
    quantizer.learn_together(z, shares, 4)
    after = [left(count) for count in (1, 2, 4)]
    assert after[0] <= before[0] * 1.001 and after[1] < 0.98 * before[1] and after[2] < 0.98 * before[2]


def test_beams_find_the_tokens_that_a_whole_search_finds() -> None:
    torch.manual_seed(3)
    books, z = torch.randn(2, 256, 2), torch.randn(40, 2)
    sums = books[0][:, None] + books[1]
    best = (z[:, None, None] - sums).square().sum(3).flatten(1).min(1)[0]
    tokens = beam_search(z, books)
    ours = (z - books[0][tokens[:, 0]] - books[1][tokens[:, 1]]).square().sum(1)
    nearest = torch.cdist(z, books[0]).argmin(1)
    greedy = (z - books[0][nearest])[:, None].sub(books[1]).square().sum(2).min(1)[0]
    assert (ours >= best - 1e-5).all() and float(ours.mean()) < 0.5 * float(greedy.mean())
