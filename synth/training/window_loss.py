"""The loss of a two-tier network over sound: the frame tier over whole streams, the sample tier on windows."""

from __future__ import annotations

import torch
from torch import Tensor

from synth.common.typing import UInt8
from synth.nn.two_tier import TwoTierNetwork
from synth.training.batches import StreamBatch


def batch_loss(
    network: TwoTierNetwork,
    batch: StreamBatch,
    inputs: UInt8,
    warmup: int,
    window: int,
    conditioning: Tensor | None = None,
) -> Tensor:
    """Mean bits a sample over the windows of a batch.

    `inputs` (streams, span, 2): predicted and residual codes of the batch's `input_codes`. The first `warmup` of the
    `window` samples have no loss. `conditioning` (frames, streams, 3 frame units) is added to the frame tier's gates.
    """
    device = network.frame_bias.device
    codes = torch.from_numpy(batch.codes).to(device).long()
    input_codes = torch.from_numpy(batch.input_codes).to(device).long()
    labels, start = torch.from_numpy(batch.labels).to(device), network.start(len(codes))
    condition, _ = network.frames(input_codes, labels, start, conditioning)
    starts = torch.from_numpy(batch.windows).to(device).flatten()
    streams = torch.arange(len(codes), device=device).repeat_interleave(batch.windows.shape[1])
    places = starts + torch.arange(window, device=device)[:, None]  # (window, windows of all streams)
    previous = torch.cat([start.codes[:, :1], input_codes], 1)[streams, places][:, :, None]
    rows = torch.cat([previous, torch.from_numpy(inputs).to(device).long()[streams, places]], 2)
    bits = network.bits(window_logits(network, rows, condition, starts, streams), codes[streams, places])
    counted = counted_samples(starts, warmup, window)
    counted = counted & (places >= torch.from_numpy(batch.first).to(device)[streams])
    return (bits * counted).sum() / counted.sum().clamp_min(1)


def window_logits(network: TwoTierNetwork, rows: Tensor, condition: Tensor, starts: Tensor, streams: Tensor) -> Tensor:
    """Logits (window, windows, 256) of windows whose first samples are `starts` (windows,) of `streams` (windows,).

    `rows` (window, windows, inputs): what the sample tier reads. `condition` (frames, streams, 3 sample units).
    """
    hop = network.config.hop
    frames = starts // hop + torch.arange(len(rows) // hop, device=starts.device)[:, None]
    zeros = network.frame_bias.new_zeros(len(streams), network.config.sample_units)
    logits, _ = network.samples(rows, condition[frames, streams], zeros)
    return logits


def counted_samples(starts: Tensor, warmup: int, window: int) -> Tensor:
    """Which samples (window, windows) have a loss: all but a warm-up, unless the window begins with its stream."""
    return torch.arange(window, device=starts.device)[:, None] >= torch.where(starts == 0, 0, warmup)
