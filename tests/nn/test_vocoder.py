"""The vocoder in float against the one in NumPy and integers: encoder, quantisers, conditioner, bits."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from helpers import voices
from helpers.voices import HOP, LABELS, NETWORK, VOCODER

torch = pytest.importorskip("torch")

from torch.nn import functional as F

from synth.audio import mulaw
from synth.engine import lattice
from synth.generation import checkpoint
from synth.generation.voice import Voice
from synth.nn.quantization import quantize, quantize_vocoder
from synth.nn.residual_quantizer import ResidualVectorQuantizer
from synth.nn.vocoder import VocoderNetwork, prediction_loss, predictor_weights
from synth.training.locked_corpus import LockedRow
from synth.training.vocoder_loss import code_inputs, teacher_forced_bits
from synth.training.vocoder_validation import plain_row, validate
from synth.vocoder.mel import mel_of, normalize_mel
from synth.vocoder.tensors import layout
from synth.vocoder.vocoder import Vocoder as Integer
from synth.vocoder.voice import VoiceParts

NEAR = 5e-5
"""What the encoder's vectors (within 4) differ by, of sums in another order and two tanh."""


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def model() -> VocoderNetwork:
    """A vocoder of random weights that matter: as large as after some training, with codes in all of its books."""
    torch.manual_seed(3)
    model = VocoderNetwork(NETWORK, VOCODER)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith(("bias", "inner")):
                parameter.normal_(0, 0.3)
        model.network.tree.mul_(12).clamp_(-1.9, 1.9)
        model.reflect.normal_(0, 0.05)
        model.condition_out.mul_(2)
        sizes = 2.0 ** -torch.arange(VOCODER.quantisers)[:, None, None]
        model.quantisers.books.normal_(0, 1).mul_(sizes)
    model.freeze()
    model.network.quantized = True
    return model


def integer(model: VocoderNetwork) -> Integer:
    return Integer(VOCODER, NETWORK, quantize_vocoder(model) | quantize(model.network, {}))


SOUND = voices.sound(12 * HOP, seed=2)


def test_the_tensors_are_those_of_a_checkpoint(model: VocoderNetwork) -> None:
    found = {name: (str(tensor.dtype), tensor.shape) for name, tensor in quantize_vocoder(model).items()}
    assert found == layout(VOCODER, NETWORK)


def test_both_encoders_hear_the_same(model: VocoderNetwork) -> None:
    mel = mel_of(SOUND, VOCODER, 8000)
    with torch.no_grad():
        both = model.encode(torch.from_numpy(np.stack([mel, mel[::-1].copy()]))).numpy()
    for vectors, rows in zip(both, (mel, mel[::-1]), strict=True):
        np.testing.assert_allclose(integer(model).encode(rows), vectors, rtol=0, atol=NEAR)
    assert both.std() > 0.3


def test_both_quantisers_choose_the_same(model: VocoderNetwork) -> None:
    vectors = integer(model).encode_sound(SOUND)
    with torch.no_grad():
        rounded = torch.from_numpy(np.rint(vectors * 32) / 32).float()
        tokens, sums = model.quantisers(rounded)
    np.testing.assert_array_equal(integer(model).tokens(vectors), tokens.numpy())
    for count in range(1 + VOCODER.quantisers):
        expected = np.clip(np.rint(sums[count].numpy() * 32), -127, 127)
        np.testing.assert_array_equal(integer(model).latents(tokens.numpy()[:, :count].astype(np.uint8)), expected)


def test_both_conditioners_tell_the_same(model: VocoderNetwork) -> None:
    vectors = integer(model).encode_sound(SOUND)
    found = integer(model).condition(integer(model).quantize_latents(vectors))
    with torch.no_grad():
        gates, reflections = model.condition(torch.from_numpy(vectors)[None])
    assert gates.shape == (24 * NETWORK.stride, 1, 48) and reflections.shape == (1, 24, 16)
    told = gates[:: NETWORK.stride, 0].numpy()
    assert torch.equal(gates[NETWORK.stride - 1], gates[0]) and told.std() > 0.3
    # a hidden value that is rounded the other way moves the sums by a weight's 128th part
    assert np.abs(found[:, :48] / 1024 - told).max() < 0.06 and np.abs(found[:, :48] / 1024 - told).mean() < 0.01
    assert np.abs(found[:, 48:] / 32768 - reflections[0].numpy()).max() < 0.005
    assert reflections.std() > 0.1


def test_the_integer_voice_costs_what_the_float_one_costs(model: VocoderNetwork) -> None:
    """Bits of a sound along its own vectors: network and conditioner with rounded weights, and the engine."""
    codes = mulaw.encode(SOUND)
    vectors = integer(model).encode_sound(SOUND)
    with torch.no_grad():
        bits = teacher_forced_bits(model, codes[None], *model.condition(torch.from_numpy(vectors)[None]))[0].numpy()
    voice = VoiceParts(VOCODER, quantize_vocoder(model))
    data = checkpoint.encode(NETWORK, quantize(model.network, {}), {}, voice)
    config, tensors, info, own = checkpoint.decode(data)
    player = Voice(checkpoint.Checkpoint("x", Path("x"), config, tensors, info, "00" * 32, own))
    stream, costs = player.follow(integer(model).quantize_latents(vectors)), []
    for code in codes:
        costs.append(stream.teacher_force(code[None]) / 65536)
    assert bits.mean() > 4 and bits.std() > 1
    assert np.mean(costs) == pytest.approx(bits.mean(), rel=0.01)
    assert np.corrcoef(costs, bits)[0, 1] > 0.99


@pytest.mark.parametrize("order", [16, 32])
def test_both_predictors_have_the_same_weights(order: int) -> None:
    integers = (32767 * np.tanh(np.random.default_rng(order).normal(0, 0.5, (3, 5, order)))).astype(np.int16)
    floats = torch.from_numpy(integers / 32768.0).requires_grad_()
    found = predictor_weights(floats)
    np.testing.assert_allclose(found.detach().numpy(), lattice.predictor_weights(integers), atol=1e-9)
    found.square().sum().backward()  # type: ignore[no-untyped-call]
    assert floats.grad is not None and floats.grad.abs().min() > 0


def test_the_predictions_loss_is_that_of_the_errors() -> None:
    random = np.random.default_rng(0)
    integers = (32767 * np.tanh(random.normal(0, 0.3, (2, 3, 16)))).astype(np.int16)
    samples = random.normal(0, 0.1, (2, 240))
    weights = lattice.predictor_weights(integers)
    powers = []
    for row in range(2):
        padded = np.concatenate([np.zeros(16), samples[row]])
        errors = [samples[row, t] - padded[t : t + 16][::-1] @ weights[row, t // 80] for t in range(240)]
        powers.append(np.square(errors).reshape(3, 80).mean(1))
    found = prediction_loss(torch.from_numpy(integers / 32768.0), torch.from_numpy(samples))
    assert float(found) == pytest.approx(np.log(np.array(powers) + 1e-8).mean(), rel=1e-6)


def test_training_reads_by_the_engines_reflections(model: VocoderNetwork) -> None:
    vectors = integer(model).encode_sound(SOUND)
    with torch.no_grad():
        reflections = model.condition(torch.from_numpy(vectors)[None])[1]
    exact = (reflections[0].numpy() * 32768).round().clip(-32767, 32767).astype(np.int16)
    codes = mulaw.encode(SOUND)[None]
    expected = lattice.steered_inputs(codes, lattice.predictor_weights(exact)[None], voices.PART)
    np.testing.assert_array_equal(code_inputs(model, codes, reflections), np.stack(expected, 2))


def test_the_spectrum_has_a_row_for_every_feature(model: VocoderNetwork) -> None:
    z = torch.randn(2, 7, VOCODER.latent)
    assert model.spectrum(z).shape == (2, 14, VOCODER.mels)


# codebooks


def test_gradients_pass_by_the_codes() -> None:
    z = torch.randn(4, 6, 8, requires_grad=True)
    quantisers = ResidualVectorQuantizer(2, 8)
    with torch.no_grad():
        quantisers.books.normal_()
    tokens, sums = quantisers(z)
    assert tokens.shape == (4, 6, 2) and sums.shape == (3, 4, 6, 8)
    assert torch.equal(sums[0], torch.zeros_like(z)) and not any(p.requires_grad for p in quantisers.parameters())
    torch.testing.assert_close(sums[2], sum(F.embedding(tokens[..., q], quantisers.books[q]) for q in range(2)))


def test_codes_move_to_what_chose_them_and_unused_ones_begin_anew() -> None:
    torch.manual_seed(0)
    quantisers, z = ResidualVectorQuantizer(1, 4), torch.randn(64, 4)
    with torch.no_grad():
        quantisers.books[0, 0], quantisers.counts[0, 0] = 50.0, 1.0
        quantisers.sums[0, 0] = 50.0
    draw = torch.Generator().manual_seed(1)
    for _ in range(80):
        tokens, sums = quantisers(z)
        quantisers.update(z, tokens, sums, draw)
    tokens, sums = quantisers(z)
    assert float((z - sums[1]).square().mean()) < 0.02 and len(tokens.unique()) > 50
    assert torch.isfinite(quantisers.books).all() and quantisers.counts.min() > 0
    before = quantisers.books.clone()
    quantisers.frozen = True
    quantisers.update(z + 1, tokens, sums, draw)
    assert torch.equal(quantisers.books, before)


def test_what_is_settled_is_as_in_a_checkpoint_and_learns_no_more() -> None:
    model = VocoderNetwork(NETWORK, VOCODER)
    with torch.no_grad():
        model.quantisers.books.normal_(0, 3)
    model.freeze()
    books = model.quantisers.books * 32
    assert torch.equal(books, books.round()) and books.abs().max() == 127
    learned = {name.partition("_")[0].partition(".")[0] for name, p in model.named_parameters() if p.requires_grad}
    assert learned == {"condition", "reflect", "network"}
    np.testing.assert_array_equal(quantize_vocoder(model)["vocoder.books"], books.detach().numpy())


# measuring


def _row(count: int) -> LockedRow:
    return plain_row(mulaw.encode(voices.sound(count, seed=count)), (0,) * len(LABELS), VOCODER, 8000)


@pytest.mark.parametrize("lengths", [[100], [160, 33, 1000], [33000]])
def test_files_of_any_length_are_measured(model: VocoderNetwork, lengths: list[int]) -> None:
    """Also those that are longer than what is measured of a file at once."""
    rows = [_row(count) for count in lengths]
    found = validate(model, rows)
    assert found.keys() == {"validation", "validation_free", "spectral"}
    assert all(np.isfinite(value) and value > 0 for value in found.values())
    assert abs(found["validation"] - found["validation_free"]) > 1e-6


def test_a_files_figures_are_those_of_its_samples_alone(model: VocoderNetwork) -> None:
    """Of files side by side each counts with its own samples, its last two frames followed by silence."""
    rows = [_row(count) for count in (1600, 3200)]
    alone = [validate(model, [row]) for row in rows]
    both = validate(model, rows)
    for name in ("validation", "validation_free"):
        mean = (alone[0][name] + 2 * alone[1][name]) / 3
        assert both[name] == pytest.approx(mean, rel=0.02)
    mel = torch.from_numpy(mel_of(mulaw.decode(rows[1].codes), VOCODER, 8000))[None]
    with torch.no_grad():
        z = model.encode(mel)
        distance = (model.spectrum(model.quantisers(z)[1][-1]) - normalize_mel(mel)).abs().mean()
    assert alone[1]["spectral"] == pytest.approx(float(distance), rel=1e-4)
