"""The network of a classifier in PyTorch; `synth.recognition.classifier` computes the same in NumPy."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from synth.recognition.config import CHANNELS, ClassifierConfig, conv_bands


class ClassifierNetwork(nn.Module):
    """Features (sounds, frames, bands) to logits for each target.

    The frames' network (cnn: three convolutions 3 x 3 over time and bands, then one over time; gru: pairs of frames, a
    layer, two bidirectional GRUs), the mean and the maximum over time, a layer: the embedding. Every target has an
    output layer on it; one that uses feature statistics also gets the means and deviations that cepstral mean and
    variance normalization took out of the features. Frames after a sound's end are held at zero: the result does not
    depend on what else is in the batch.
    """

    def __init__(self, config: ClassifierConfig, dropout: float = 0.0) -> None:
        super().__init__()
        self.config, units = config, config.units
        self.drop = nn.Dropout(dropout)
        if config.net == "cnn":
            sizes = (1, *CHANNELS)
            self.convs = nn.ModuleList(
                nn.Conv2d(a, b, 3, stride=(2 if place == 0 else 1, 2), padding=1)
                for place, (a, b) in enumerate(zip(sizes, CHANNELS, strict=False))
            )
            self.scales = nn.ParameterList(torch.ones(b) for b in CHANNELS)
            self.shifts = nn.ParameterList(torch.zeros(b) for b in CHANNELS)
            self.last = nn.Conv1d(CHANNELS[-1] * conv_bands(config.bands), units, 3, padding=1)
            width = units
        else:
            self.into = nn.Linear(2 * config.bands, units)
            self.grus = nn.ModuleList(
                nn.GRU(size, units, bidirectional=True, batch_first=True) for size in (units, 2 * units)
            )
            width = 2 * units
        self.last_norm = nn.LayerNorm(width)
        self.embed = nn.Linear(2 * width, config.embedding)
        more = 2 * config.bands
        self.voice = nn.Linear(more, config.embedding) if any(t.uses_feature_stats for t in config.targets) else None
        self.heads = nn.ModuleList(
            nn.Linear(config.embedding * (2 if target.uses_feature_stats else 1), len(target.values))
            for target in config.targets
        )

    def frames(self, x: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """The frames' network: (sounds, time, width) and which of them are inside, (sounds, time, 1) 0 or 1."""
        if self.config.net == "gru":
            if x.shape[1] % 2:
                x = functional.pad(x, (0, 0, 0, 1))
            y = functional.silu(self.into(self.drop(x.reshape(len(x), x.shape[1] // 2, -1))))
            count = (lengths + 1) // 2
            for gru in self.grus:
                packed = nn.utils.rnn.pack_padded_sequence(y, count.cpu(), batch_first=True, enforce_sorted=False)
                y, _ = nn.utils.rnn.pad_packed_sequence(gru(packed)[0], batch_first=True, total_length=y.shape[1])
                y = self.drop(y)
            return self.last_norm(y), _inside(count, y.shape[1])
        y, count = x[:, None], lengths
        for place, (conv, scale, shift) in enumerate(zip(self.convs, self.scales, self.shifts, strict=True)):
            count = (count + 1) // 2 if place == 0 else count
            y = conv(y)
            inside = _inside(count, y.shape[2])
            # normalised over channels and bands of each frame: no statistics of a batch, none that the end disturbs
            y = functional.layer_norm(y.permute(0, 2, 3, 1), (y.shape[3], y.shape[1])).permute(0, 3, 1, 2)
            y = functional.silu(y * scale[:, None, None] + shift[:, None, None]) * inside[:, None]
        y = self.last(self.drop(y.transpose(2, 3).flatten(1, 2)))
        return functional.silu(self.last_norm(y.transpose(1, 2))), inside

    def embedding(self, x: Tensor, lengths: Tensor) -> Tensor:
        """(sounds, embedding): what the targets are told from."""
        y, inside = self.frames(x, lengths)
        mean = (y * inside).sum(1) / inside.sum(1)
        peak = y.masked_fill(inside == 0, -torch.inf).amax(1)
        return self.embed(self.drop(torch.cat([mean, peak], 1)))

    def forward(self, x: Tensor, lengths: Tensor, feature_stats: Tensor) -> list[Tensor]:
        """Logits (sounds, values) of each target; `feature_stats` (sounds, 2 x bands): means and deviations."""
        shared = self.drop(functional.silu(self.embedding(x, lengths)))
        with_stats = shared
        if self.voice is not None:
            with_stats = torch.cat([shared, self.drop(functional.silu(self.voice(feature_stats / 4)))], 1)
        pairs = zip(self.heads, self.config.targets, strict=True)
        return [head(with_stats if target.uses_feature_stats else shared) for head, target in pairs]


def _inside(count: Tensor, length: int) -> Tensor:
    return (torch.arange(length, device=count.device) < count[:, None]).float()[:, :, None]


def loss_of(logits: list[Tensor], answers: list[Tensor], smoothing: float = 0.0) -> Tensor:
    """The sum over the targets of the mean loss (nats) over sounds whose answer is known."""
    total = logits[0].new_zeros(())
    for scores, answer in zip(logits, answers, strict=True):
        if answer.dim() == 1:
            known = answer >= 0
            each = functional.cross_entropy(scores, answer.clamp_min(0), reduction="none", label_smoothing=smoothing)
        else:
            known = answer[:, 0] >= 0
            each = functional.binary_cross_entropy_with_logits(scores, answer.clamp_min(0), reduction="none").mean(1)
        total = total + (each * known).sum() / known.sum().clamp_min(1)
    return total
