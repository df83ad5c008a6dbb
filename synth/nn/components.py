"""Principal components of the features of a voice with a bed: which of the features they are to keep best."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from synth.vocoder.config import VocoderConfig
from synth.vocoder.mel import CENTRE, SPREAD

LOW, HIGH, HIGH_HZ = 1.2, 0.5, 8000.0
"""What the lowest log-mel band weighs and one at HIGH_HZ; between them evenly on the mel scale."""
TONE, VOICING = 0.35, 1.5
"""What levels of tones and voicing weigh: the levels of the bands, to which the sound is brought, matter more."""
LOUD, LOUDNESS, FAINTEST = 0.9, 0.15, 0.1
"""Frames count as exp(LOUDNESS x nats below the level that a share of LOUD has), 1 at most and FAINTEST at least."""


CHUNK = 1 << 12
"""Frames that are taken in double at once."""


@dataclass(frozen=True)
class Scale:
    """Deviations of latents: `first` that of the first component, others in proportion to their own to the `power`."""

    first: float
    power: float


WEIGHED, EVEN = Scale(1.25, 0.9), Scale(1.6, 0.75)
"""Of components of weighed features, whose distance is what is heard; of features that all weigh the same."""


def feature_weights(config: VocoderConfig, rate: int) -> Tensor:
    """What each of the targets of two feature frames weighs (2 x targets,): with a note bed 1."""
    if not config.tones:
        return torch.ones(2 * config.targets)
    top = torch.log1p(torch.tensor(rate / 2 / 700.0)) / math.log1p(HIGH_HZ / 700.0)
    places = (torch.linspace(0.0, 1.0, config.mels) * top).clamp(max=1.0)
    own = torch.cat([LOW + (HIGH - LOW) * places, torch.full((config.tones,), TONE), torch.tensor([VOICING])])
    return own.repeat(2)


def loudness_shares(targets: Tensor, config: VocoderConfig) -> Tensor:
    """How much each token frame of targets (frames, 2 x targets) counts (frames,): loud ones more than faint ones."""
    if not config.tones:
        return targets.new_ones(len(targets))
    bands = targets.reshape(len(targets), 2, config.targets)[:, :, : config.mels] * SPREAD + CENTRE
    levels = bands.logsumexp(2).mean(1)
    loud = levels.sort()[0][int(LOUD * (len(levels) - 1))]
    return torch.exp(LOUDNESS * (levels - loud)).clamp(FAINTEST, 1.0)


@dataclass(frozen=True)
class Components:
    """Latents of targets (2 x targets,) are `encode` @ targets + `bias`, targets `decode` @ latents + `mean`."""

    encode: Tensor
    bias: Tensor
    decode: Tensor
    mean: Tensor


def principal_components(targets: Tensor, config: VocoderConfig, rate: int) -> Components:
    """The `config.learned` components that vary most of targets (frames, 2 x targets)."""
    weights = feature_weights(config, rate).double().to(targets.device)
    shares = loudness_shares(targets, config).double()
    parts = list(zip(targets.split(CHUNK), shares.split(CHUNK), strict=True))
    middle = sum(((part.double() * own[:, None]).sum(0) for part, own in parts), 0 * weights) * weights / shares.sum()
    mean = sum((part.double().sum(0) for part, _ in parts), 0 * weights) * weights / len(targets)
    spread = weights.new_zeros(len(weights), len(weights))
    for part, own in parts:
        around = (part.double() * weights - middle) * own[:, None].sqrt()
        spread += around.t() @ around
    variances, axes = torch.linalg.eigh(spread / shares.sum())
    deviations = variances.flip(0)[: config.learned].clamp_min(1e-6).sqrt()
    axes = axes.flip(1)[:, : config.learned]
    kind = WEIGHED if config.tones else EVEN
    scale = kind.first * (deviations / deviations[0]) ** kind.power / deviations
    encode = (weights[:, None] * axes * scale).t()
    bias, decode = -(mean @ axes) * scale, axes / scale / weights[:, None]
    return Components(encode.float(), bias.float(), decode.float(), (mean / weights).float())


def linear_read(latents: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """The matrix (targets, latents) and bias (targets,) that read targets (frames, targets) off latents best."""
    middle, mean = latents.mean(0).double(), targets.mean(0).double()
    spread, both = middle.new_zeros(len(middle), len(middle)), middle.new_zeros(len(middle), len(mean))
    for part, rows in zip(latents.split(CHUNK), targets.split(CHUNK), strict=True):
        around = part.double() - middle
        spread += around.t() @ around
        both += around.t() @ (rows.double() - mean)
    spread.diagonal().add_(1e-4 * spread.diagonal().mean() + 1e-9)
    read = torch.linalg.solve(spread, both).t()
    return read.float(), (mean - read @ middle).float()
