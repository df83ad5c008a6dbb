"""The vocoder in float: an encoder of log-mel features, residual quantisers, and the conditioner of the network."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from synth.engine.config import ModelConfig
from synth.nn.code_order import ordered
from synth.nn.components import linear_read, loudness_shares, principal_components
from synth.nn.gru import to_eighth
from synth.nn.residual_quantizer import ResidualVectorQuantizer, kept
from synth.nn.two_tier import TwoTierNetwork, rounded
from synth.vocoder.config import TAPS, VocoderConfig, stride_of
from synth.vocoder.mel import normalize_mel
from synth.vocoder.tonal import PITCH_MIDDLE, TONE_CENTRE, TONE_SPREAD, UNVOICED, pitch_latents
from synth.vocoder.vocoder import BOUND, UNIT

PITCH_TOKEN = 128  # of a pitch latent of 0
CLUSTER_ROUNDS, JOINT_ROUNDS = 20, 4


def convolve(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """(batch, time, in) by `weight` (out, taps x in), taps in the order of time around each place, zeros outside."""
    taps = weight.shape[1] // x.shape[2]
    padded = F.pad(x, (0, 0, (taps - 1) // 2, taps // 2))
    return F.linear(torch.cat([padded[:, k : k + x.shape[1]] for k in range(taps)], 2), weight, bias)


def layer(rows: int, columns: int) -> nn.Parameter:
    return nn.Parameter(torch.randn(rows, columns) * columns**-0.5)


class VocoderNetwork(nn.Module):
    """Encoder, residual vector quantizer and conditioner around `network`.

    With `quantized` set on the network, the conditioner too computes as the integer engine will. `variational`: the
    encoder gives the mean of a Gaussian, and in training its deviation.
    """

    def __init__(self, model: ModelConfig, config: VocoderConfig, variational: bool = False) -> None:
        super().__init__()
        self.config = config
        self.stride = stride_of(config, model)
        self.network = TwoTierNetwork(model)
        latent, wide = config.latent, config.units
        if config.has_bed:
            self._add_components(config)
        else:
            self._add_encoder(config)
        self.variational = variational
        if variational:
            self.spread = nn.Parameter(torch.zeros_like(self.encoder_out))
            self.spread_bias = nn.Parameter(torch.full((config.learned,), -2.0))
        self.quantisers = ResidualVectorQuantizer(config.quantisers - (1 if config.tones else 0), config.learned)
        self.condition_0 = layer(wide, TAPS * latent)
        self.condition_0_bias = nn.Parameter(torch.zeros(wide))
        self.condition_1 = layer(wide, TAPS * wide)
        self.condition_1_bias = nn.Parameter(torch.zeros(wide))
        self.condition_out = layer(config.parts * 3 * model.frame_units, wide)
        self.reflect = nn.Parameter(torch.zeros(config.parts * model.order, wide))
        self.reflect_bias = nn.Parameter(torch.zeros(config.parts * model.order))

    def _add_encoder(self, config: VocoderConfig) -> None:
        """A convolutional encoder, and what reads log-mel features off its latents in training."""
        units = config.encoder_units
        self.encoder_0 = layer(units, TAPS * config.inputs)
        self.encoder_0_bias = nn.Parameter(torch.zeros(units))
        self.encoder_1 = layer(units, 4 * units)
        self.encoder_1_bias = nn.Parameter(torch.zeros(units))
        self.encoder_2 = layer(units, TAPS * units)
        self.encoder_2_bias = nn.Parameter(torch.zeros(units))
        self.encoder_out = layer(config.latent, units)
        self.encoder_out_bias = nn.Parameter(torch.zeros(config.latent))
        self.spectrum_0 = layer(units, TAPS * config.latent)
        self.spectrum_0_bias = nn.Parameter(torch.zeros(units))
        self.spectrum_out = layer(2 * config.targets, units)
        self.spectrum_out_bias = nn.Parameter(torch.zeros(2 * config.targets))

    def _add_components(self, config: VocoderConfig) -> None:
        """Principal components of the features of a token frame, and the way back: see `begin_components`."""
        self.encoder_out = kept(config.learned, 2 * config.inputs)
        self.encoder_out_bias = kept(config.learned)
        self.spectrum_out = kept(2 * config.targets, config.learned)
        self.spectrum_out_bias = kept(2 * config.targets)

    def encode(self, features: Tensor) -> Tensor:
        """Latents (batch, tokens, latent), within BOUND, of features (batch, 2 x tokens, inputs)."""
        return self._with_pitch(features, self._latents(self._hidden(features)))

    def draw(self, features: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        """Latents drawn from the encoder's Gaussians by standard `noise`, and their mean divergence, in nats.

        `noise`: (batch, tokens, learned latents); the pitch is no random variable.
        """
        x = self._hidden(features)
        mean, log = self._latents(x), F.linear(x, self.spread, self.spread_bias).clamp(-8, 4)
        divergence = 0.5 * (mean.square() + torch.exp(2 * log) - 1 - 2 * log)
        latents = (mean + torch.exp(log) * noise).clamp(-BOUND, BOUND)
        return self._with_pitch(features, latents), divergence.mean()

    def quantize(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Tokens (..., quantisers) long and partial sums (quantisers + 1, ..., latent) of latents (..., latent)."""
        if not self.config.tones:
            return self.quantisers(z)
        steps = (z[..., :1].detach() * UNIT).round().clamp(-127, 127)
        tokens, sums = self.quantisers(z[..., self.config.pitch_latents :])
        pitch = F.pad(steps / UNIT, (0, self.config.pitch_latents - 1))
        pitch = pitch.expand(len(sums), *z.shape[:-1], self.config.pitch_latents)
        sums = torch.cat([torch.zeros_like(z)[None], torch.cat([pitch, sums], -1)])
        return torch.cat([steps.long() + PITCH_TOKEN, tokens], -1), sums

    def summed(self, tokens: Tensor, count: int) -> Tensor:
        """Latents (..., latent) that the first `count` of tokens (..., quantisers) add up to."""
        books = self.quantisers.books
        if not self.config.tones:
            return torch.stack([books[k][tokens[..., k]] for k in range(count)]).sum(0)
        pitch = (tokens[..., :1] - PITCH_TOKEN).clamp(-127, 127) / UNIT
        pitch = F.pad(pitch, (0, self.config.pitch_latents - 1))
        rest = [books[k - 1][tokens[..., k]] for k in range(1, count)]
        summed = torch.stack(rest).sum(0) if rest else pitch.new_zeros(*tokens.shape[:-1], books.shape[-1])
        return torch.cat([pitch, summed], -1)

    def learn_codebooks(self, z: Tensor, tokens: Tensor, sums: Tensor, draw: torch.Generator) -> None:
        """Moves the codebooks towards latents (n, latent) with tokens (n, quantisers), as `quantize` gave them."""
        if self.config.tones:
            first = self.config.pitch_latents
            z, tokens, sums = z[:, first:], tokens[:, 1:], sums[1:, :, first:]
        self.quantisers.update(z, tokens, sums, draw)

    def begin_codebooks(self, z: Tensor, draw: torch.Generator, features: Tensor | None = None) -> None:
        """Where codebooks begin, from latents (n, latent): with a bed as clusters, else as clouds like them.

        There latents do not learn, and k-means is a good beginning; else they become what the codebooks can name.
        `features` (batch, 2 x tokens, inputs), those of the latents: then loud frames count more in a cluster.
        """
        if self.config.has_bed:
            shares = z.new_ones(len(z))
            if features is not None:
                shares = loudness_shares(spectral_targets(features, self.config).reshape(len(z), -1), self.config)
            own = z[:, self.config.pitch_latents :]
            self.quantisers.cluster(own, shares, CLUSTER_ROUNDS, draw)
            self.quantisers.learn_together(own, shares, JOINT_ROUNDS)
        else:
            self.quantisers.initialize(z, draw)

    def _with_pitch(self, features: Tensor, latents: Tensor) -> Tensor:
        if not self.config.tones:
            return latents
        pitch = [pitch_latents(rows) for rows in features.detach().cpu().numpy()]
        return torch.cat([torch.from_numpy(np.stack(pitch)).to(latents.device), latents], -1)

    def _latents(self, x: Tensor) -> Tensor:
        x = F.linear(x, self.encoder_out, self.encoder_out_bias)
        return x.clamp(-BOUND, BOUND) if self.config.has_bed else BOUND * torch.tanh(x / BOUND)

    def _hidden(self, features: Tensor) -> Tensor:
        x = normalized(features, self.config)
        if self.config.has_bed:
            return x.reshape(len(x), -1, 2 * self.config.inputs)
        x = convolve(x, self.encoder_0, self.encoder_0_bias)
        x = F.gelu(x, approximate="tanh")
        x = F.gelu(F.linear(stack_pairs(x), self.encoder_1, self.encoder_1_bias), approximate="tanh")
        return x + F.gelu(convolve(x, self.encoder_2, self.encoder_2_bias), approximate="tanh")

    def condition(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """The conditioning of the network by latents (batch, tokens, latent).

        Returns what is added to the frame tier's gates, (frames, batch, 3 frame units), and the linear predictor's
        reflection coefficients (batch, parts x tokens, order).
        """
        quantized = self.network.quantized
        z = z + ((z.detach() * UNIT).round().clamp(-127, 127) / UNIT - z.detach())
        for weight, bias in ((self.condition_0, self.condition_0_bias), (self.condition_1, self.condition_1_bias)):
            z = torch.tanh(convolve(z, rounded(weight) if quantized else weight, bias))
            if quantized:
                z = z + (to_eighth(z.detach()) - z.detach())
        gates = F.linear(z, rounded(self.condition_out) if quantized else self.condition_out)
        reflect = F.linear(z, rounded(self.reflect) if quantized else self.reflect, self.reflect_bias)
        parts = z.shape[1] * self.config.parts
        conditioning = gates.view(len(z), parts, -1).repeat_interleave(self.stride, 1).transpose(0, 1)
        return conditioning, torch.tanh(reflect.view(len(z), parts, -1))

    @torch.no_grad()
    def freeze(self) -> None:
        """Encoder and codebooks as they will be in a checkpoint, and no longer learned.

        Codebooks that were frozen before are as they will be: their tokens go on meaning the same.
        """
        if not self.quantisers.frozen:
            self.quantisers.books.copy_(torch.stack([ordered(book) for book in self.quantisers.books]))
            self.quantisers.books.mul_(UNIT).round_().clamp_(-127, 127).div_(UNIT)
        self.hold()

    def hold(self) -> None:
        """Encoder and codebooks are learned no longer."""
        self.quantisers.frozen = True
        for name, parameter in self.named_parameters():
            if name.startswith(("encoder", "spectrum", "spread")):
                parameter.requires_grad_(False)

    @torch.no_grad()
    def begin_components(self, features: Tensor) -> None:
        """With a bed: latents are the principal components of features (batch, 2 x tokens, inputs) from now on.

        Those of `spectral_targets` of two feature frames, weighed as `components` says.
        """
        config = self.config
        rows = spectral_targets(features, config).reshape(-1, 2 * config.targets)
        own = principal_components(rows, config, self.network.config.sample_rate)
        pitch = config.inputs - 2 if config.tones else -1
        places = [k for k in range(2 * config.inputs) if k % config.inputs != pitch]
        self.encoder_out.zero_()
        self.encoder_out[:, places] = own.encode
        self.encoder_out_bias.copy_(own.bias)
        self.spectrum_out.copy_(own.decode)
        self.spectrum_out_bias.copy_(own.mean)

    @torch.no_grad()
    def begin_spectrum(self, features: Tensor) -> None:
        """With a bed: latents stay what they are, and of these features the nearest linear function of them is read.

        `features` (batch, 2 x tokens, inputs).
        """
        z = self.encode(features)[..., self.config.pitch_latents :].reshape(-1, self.config.learned)
        read, bias = linear_read(z, spectral_targets(features, self.config).reshape(len(z), -1))
        self.spectrum_out.copy_(read)
        self.spectrum_out_bias.copy_(bias)

    def spectrum(self, z: Tensor) -> Tensor:
        """`spectral_targets` (batch, 2 x tokens, targets) as read off latents (batch, tokens, latent)."""
        x = z[..., self.config.pitch_latents :]
        if not self.config.has_bed:
            x = F.gelu(convolve(z, self.spectrum_0, self.spectrum_0_bias), approximate="tanh")
        return F.linear(x, self.spectrum_out, self.spectrum_out_bias).reshape(len(z), -1, self.config.targets)


def normalized(features: Tensor, config: VocoderConfig) -> Tensor:
    """Features (batch, frames, inputs) as the encoder's first layer takes them; see `analysis.normalized_rows`."""
    if config.notes:
        levels = (features[..., config.mels :] - TONE_CENTRE) / TONE_SPREAD
        return torch.cat([normalize_mel(features[..., : config.mels]), levels], -1)
    if not config.tones:
        return torch.as_tensor(normalize_mel(features))
    voiced = features[..., -1:]
    tones = voiced * (features[..., config.mels : -2] - TONE_CENTRE) / TONE_SPREAD + (1 - voiced) * UNVOICED
    mel = normalize_mel(features[..., : config.mels])
    return torch.cat([mel, tones, features[..., -2:-1] - PITCH_MIDDLE, voiced], -1)


def spectral_targets(features: Tensor, config: VocoderConfig) -> Tensor:
    """Of normalised features what latents must give back: all but the pitch."""
    x = normalized(features, config)
    return torch.cat([x[..., :-2], x[..., -1:]], -1) if config.tones else x


def predictor_weights(reflections: Tensor) -> Tensor:
    """`synth.engine.lattice.predictor_weights` in float, with a gradient; reflections (..., order) below 1."""
    weights = reflections[..., :1]
    for m in range(1, reflections.shape[-1]):
        k = reflections[..., m : m + 1]
        weights = torch.cat([weights - k * weights.flip(-1), k], -1)
    return weights


def prediction_loss(reflections: Tensor, samples: Tensor) -> Tensor:
    """Mean over parts of the logarithm of the prediction error's power, in nats.

    `reflections` (batch, parts, order); `samples` (batch, time), full scale 1. End-to-end LPCNet (arXiv 2106.04129)
    learns its prediction likewise.
    """
    batch, parts, order = reflections.shape
    part = samples.shape[1] // parts
    history = F.pad(samples, (order, 0)).unfold(1, order, 1)[:, :-1].flip(2).view(batch, parts, part, order)
    guess = (history * predictor_weights(reflections)[:, :, None]).sum(3)
    error = samples.view(batch, parts, part) - guess
    return torch.log(error.square().mean(2) + 1e-8).mean()


def stack_pairs(x: Tensor) -> Tensor:
    """(batch, 2 x tokens, units) to (batch, tokens, 4 x units): each pair with the one before and the one after it."""
    padded = F.pad(x, (0, 0, 1, 1))
    count = x.shape[1]
    return torch.cat([padded[:, k : k + count : 2] for k in range(4)], 2)
