"""Fits a voice's postfilter: learns the envelope that its tokens stand for, and writes down the filter's tables."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from tqdm import tqdm

from synth.common.typing import Tensors
from synth.nn.gru import to_eighth
from synth.nn.quantization import GATE, STATE, fixed, linear
from synth.nn.two_tier import rounded
from synth.nn.vocoder import VocoderNetwork, convolve, layer, spectral_targets
from synth.training.batches import StreamBatches
from synth.training.vocoder_loss import features_of_batch
from synth.vocoder.config import TAPS, PostfilterConfig, VocoderConfig
from synth.vocoder.postfilter_tables import new_tables
from synth.vocoder.vocoder import UNIT

RATE, EXACT = 2e-3, 0.6  # the learning rate at first; the share of the steps after which weights are rounded
EXAMPLES = 80
"""Batches that are encoded, each of which serves for many steps."""
UNQUANTISED, WHOLE = 0.35, 2.0
"""Share of the streams whose latents are not quantised, and how much more they count: the best copies are of them."""


class EnvelopeModel(nn.Module):
    """`synth.vocoder.envelope.Envelope` in float; with `quantized` set it computes as that will."""

    def __init__(self, config: VocoderConfig, postfilter: PostfilterConfig) -> None:
        super().__init__()
        units = postfilter.units
        self.quantized = False
        self.hidden_0, self.hidden_1 = layer(units, TAPS * config.latent), layer(units, TAPS * units)
        self.out = layer(2 * config.targets, units)
        self.biases = nn.ParameterList([nn.Parameter(torch.zeros(rows)) for rows in (units, units, 2 * config.targets)])
        self.targets = config.targets
        self.linear = layer(2 * config.targets, TAPS * config.latent) if config.has_bed else None
        self.linear_bias = nn.Parameter(torch.zeros(2 * config.targets), requires_grad=config.has_bed)

    def forward(self, z: Tensor) -> Tensor:
        """What latents (batch, tokens, latent) stand for: `spectral_targets` (batch, 2 x tokens, targets)."""
        latents = z = (z * UNIT).round().clamp(-127, 127) / UNIT
        for weight, bias in zip((self.hidden_0, self.hidden_1), self.biases, strict=False):
            z = torch.tanh(convolve(z, rounded(weight) if self.quantized else weight, bias))
            if self.quantized:
                z = z + (to_eighth(z.detach()) - z.detach())
        values = F.linear(z, rounded(self.out) if self.quantized else self.out, self.biases[2])
        if self.linear is not None:
            linear_weight = rounded(self.linear) if self.quantized else self.linear
            values = values + convolve(latents, linear_weight, self.linear_bias)
        return values.reshape(len(z), -1, self.targets)

    @torch.no_grad()
    def begin_linear(self, vocoder: VocoderNetwork) -> None:
        """The linear part begins as the vocoder reads its latents off, the rest at 0; without one nothing happens."""
        if self.linear is not None:
            self.linear.zero_()
            latent = vocoder.config.latent
            self.linear[:, latent + vocoder.config.pitch_latents : 2 * latent] = vocoder.spectrum_out
            self.linear_bias.copy_(vocoder.spectrum_out_bias)
            self.out.zero_()

    def tensors(self) -> Tensors:
        """Its part of a checkpoint (`envelope.layout`)."""
        tensors: Tensors = {}
        for name, weight, bias, unit in zip(
            ("0", "1", "out"), (self.hidden_0, self.hidden_1, self.out), self.biases, (UNIT, STATE, STATE), strict=True
        ):
            tensors |= linear(f"postfilter.envelope.{name}", weight.detach().double().numpy(), unit, GATE)
            tensors[f"postfilter.envelope.{name}.bias"] = fixed(bias.detach().double().numpy(), GATE)
        if self.linear is not None:
            tensors |= linear("postfilter.envelope.linear", self.linear.detach().double().numpy(), UNIT, GATE)
            tensors["postfilter.envelope.linear.bias"] = fixed(self.linear_bias.detach().double().numpy(), GATE)
        return tensors


@dataclass(frozen=True)
class Example:
    """Latents (streams, tokens, latent) of a batch, their tokens (streams, tokens, quantisers), what they stand for."""

    latents: Tensor
    tokens: Tensor
    targets: Tensor


def examples_of(vocoder: VocoderNetwork, batches: StreamBatches, count: int, quiet: bool) -> list[Example]:
    """What the first `count` batches have to teach a postfilter."""
    examples = []
    with torch.no_grad():
        for step in tqdm(range(count), desc="levels", unit="batch", disable=True if quiet else None):
            features = features_of_batch(vocoder, batches.batch(step))
            latents = vocoder.encode(features)
            tokens = vocoder.quantize(latents)[0].to(torch.int16)
            examples.append(Example(latents, tokens, spectral_targets(features, vocoder.config)))
    return examples


def fit(
    vocoder: VocoderNetwork,
    postfilter: PostfilterConfig,
    batches: StreamBatches,
    steps: int,
    quiet: bool,
) -> Tensors:
    """The tensors of a postfilter for a frozen vocoder, learned in `steps` from EXAMPLES batches on the CPU.

    The mean absolute distance of normalised log-mel features is made small at any number of tokens; what is not
    quantised at all counts WHOLE times as much.
    """
    model = EnvelopeModel(vocoder.config, postfilter)
    model.begin_linear(vocoder)
    optimizer = torch.optim.Adam(model.parameters(), RATE)
    examples = examples_of(vocoder, batches, min(steps, EXAMPLES), quiet)
    for step in tqdm(range(steps), desc="postfilter", unit="step", disable=True if quiet else None):
        model.quantized = step >= EXACT * steps
        for group in optimizer.param_groups:
            group["lr"] = RATE * (0.51 + 0.49 * math.cos(math.pi * step / steps))
        example = examples[step % len(examples)]
        with torch.no_grad():
            latents, counts = _with_some(vocoder, example, np.random.default_rng([batches.seed, step]))
        weights = torch.where(counts > vocoder.config.quantisers, WHOLE, 1.0)
        distances = (model(latents) - example.targets).abs().mean((1, 2))
        loss = (distances * weights).sum() / weights.sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return model.tensors() | new_tables(vocoder.config, vocoder.network.config.sample_rate)


def _with_some(vocoder: VocoderNetwork, example: Example, draw: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Latents of each stream by a number of quantisers, and that number (streams,); by none: one more than there are.

    A third of the streams is not quantised, half of the others have at least a quarter of the quantisers and at most
    half, as files of low rates do, the others at least a quarter.
    """
    streams, most = len(example.latents), vocoder.config.quantisers
    least = max(1, most // 4)
    few = draw.integers(least, max(least, most // 2), streams, endpoint=True)
    any_number = draw.integers(least, most, streams, endpoint=True)
    counts = np.where(draw.random(streams) < 0.5, few, any_number)
    counts = np.where(draw.random(streams) < UNQUANTISED, most + 1, counts)
    latents = example.latents.clone()
    for stream, count in enumerate(counts):
        if count <= most:
            latents[stream] = vocoder.summed(example.tokens[stream].long(), int(count))
    return latents, torch.from_numpy(counts)
