"""Codebooks in an order in which neighbours are alike."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from helpers.voices import NETWORK, VOCODER

from synth.nn.code_order import ordered
from synth.nn.vocoder import VocoderNetwork


def test_the_first_bits_say_most() -> None:
    draw = torch.Generator().manual_seed(1)
    book = torch.randn(256, 5, generator=draw) * torch.tensor([3.0, 1, 1, 1, 1])
    rows = ordered(book)
    assert torch.equal(rows.sort(0).values, book.sort(0).values)  # the same rows
    assert rows[:128, 0].mean() * rows[128:, 0].mean() < -1 and rows[:128, 0].var() < book[:, 0].var() / 2
    near, far = (rows[1:] - rows[:-1]).norm(dim=1).mean(), (book[1:] - book[:-1]).norm(dim=1).mean()
    assert near < 0.7 * far
    assert torch.equal(ordered(book), rows)


def test_freezing_names_the_same_latents() -> None:
    torch.manual_seed(0)
    network = VocoderNetwork(NETWORK, VOCODER)
    z = torch.randn(40, VOCODER.latent)
    network.begin_codebooks(z, torch.Generator().manual_seed(0))
    before = network.quantisers(z)[1][-1]
    network.freeze()
    assert (network.quantisers(z)[1][-1] - before).abs().median() < 0.05  # but for rounding
