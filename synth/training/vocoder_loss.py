"""The parts of a vocoder's loss: features, quantizer dropout, bits a sample along latents."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from synth.audio.mulaw import decode
from synth.common.typing import UInt8
from synth.engine.lattice import predictor_weights, steered_inputs
from synth.nn.vocoder import VocoderNetwork, prediction_loss
from synth.training.batches import StreamBatch
from synth.training.config import GeneratorTrainConfig
from synth.training.window_loss import batch_loss
from synth.vocoder.vocoder import mel_of

CHUNK = 1 << 12
"""Samples of a validation that are computed at once, whole frames."""


def mels(vocoder: VocoderNetwork, codes: UInt8) -> Tensor:
    """Log-mel features (streams, 2 x tokens, mels) of codes (streams, span), silence after their end."""
    rate = vocoder.network.config.sample_rate
    rows = [mel_of(decode(row), vocoder.config, rate) for row in codes]
    return torch.from_numpy(np.stack(rows)).to(vocoder.network.frame_bias.device)


def quantizer_dropout(z: Tensor, sums: Tensor, unquantized_share: float, draw: np.random.Generator) -> Tensor:
    """Latents (streams, tokens, latent) as the network is to get them: of each stream by a random number of quantizers.

    `z`: the encoder's; `sums` (1 + quantizers, streams, tokens, latent): what the first quantizers add up to. A share
    of the streams stays unquantized; half of the others have all quantizers, half a number drawn evenly (SoundStream,
    arXiv 2107.03312). The gradient passes straight through to `z`.
    """
    count = len(sums) - 1
    some = draw.integers(1, count, len(z), endpoint=True)
    kept = np.where(draw.random(len(z)) < 0.5, count, some)
    unquantized = torch.from_numpy(draw.random(len(z)) < unquantized_share).to(z.device)
    chosen = sums[torch.from_numpy(kept).to(z.device), torch.arange(len(z), device=z.device)]
    return torch.where(unquantized[:, None, None], z, z + (chosen - z.detach()))


def features_of_batch(vocoder: VocoderNetwork, batch: StreamBatch) -> Tensor:
    """Features (streams, 2 x tokens, inputs) of a batch: its own, or those of its codes."""
    if batch.features is None:
        return mels(vocoder, batch.codes)
    return torch.from_numpy(batch.features).to(vocoder.network.frame_bias.device)


def code_inputs(vocoder: VocoderNetwork, codes: UInt8, reflections: Tensor, phases: UInt8 | None = None) -> UInt8:
    """Predicted and residual codes, and phase codes where there are some, (streams, span, 2 or 3).

    `codes`, `phases`: (streams, span); predicted by given reflection coefficients.
    """
    integers = (reflections.detach() * 32768).round().clamp(-32767, 32767).cpu().numpy().astype(np.int16)
    part = vocoder.stride * vocoder.network.config.hop
    inputs = steered_inputs(codes, predictor_weights(integers), part)
    return np.stack(inputs if phases is None else (*inputs, phases), 2)


def conditioned_loss(
    vocoder: VocoderNetwork, config: GeneratorTrainConfig, prediction: float, batch: StreamBatch, latents: Tensor
) -> Tensor:
    """Bits a sample of the network conditioned on latents, and `prediction` times its linear predictor's loss."""
    conditioning, reflections = vocoder.condition(latents)
    inputs = code_inputs(vocoder, batch.input_codes, reflections, batch.phases)
    bits = batch_loss(vocoder.network, batch, inputs, config.warmup, config.window, conditioning)
    sound = torch.from_numpy(decode(batch.codes).astype(np.float32) / 32768).to(latents.device)
    return bits + prediction * prediction_loss(reflections, sound)


def teacher_forced_bits(
    vocoder: VocoderNetwork, codes: UInt8, conditioning: Tensor, reflections: Tensor, phases: UInt8 | None = None
) -> Tensor:
    """Bits (streams, time) of codes (streams, time), each predicted from the true codes before it.

    The network goes CHUNK samples at a time: memory stays bounded.
    """
    network = vocoder.network
    device, hop = conditioning.device, network.config.hop
    inputs = torch.from_numpy(code_inputs(vocoder, codes, reflections, phases)).to(device).long()
    labels = torch.zeros(len(codes), codes.shape[1] // hop, len(network.config.labels), dtype=torch.long, device=device)
    codes_in = torch.from_numpy(codes).to(device).long()
    state, parts = network.start(len(codes)), []
    for at in range(0, codes.shape[1], CHUNK):
        place, frames = slice(at, at + CHUNK), slice(at // hop, (at + CHUNK) // hop)
        bits, state = network(codes_in[:, place], inputs[:, place], labels[:, frames], state, conditioning[frames])
        parts.append(bits)
    return torch.cat(parts, 1)
