"""The network in float: two tiers of GRU and a binary tree over mu-law codes. `quantize` turns it into integers."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from synth.audio.mulaw import SILENCE
from synth.engine.config import ModelConfig
from synth.nn.gru import run, to_eighth

TREE_LIMIT = 1.98  # what the engine's logit format can hold a weight
HIDDEN_LIMIT = 127 / 32
ROW_FLOOR = 0.25  # the least step of a row's weights, against the largest of its layer


def smooth_rows(width: int, scale: float) -> Tensor:
    """(256, width) start values of a code table in which neighbouring codes have similar rows."""
    x = (torch.arange(256) - SILENCE).float()[:, None] / 128
    turns = torch.pi * 2.0 ** torch.arange(0, 6).float()
    basis = torch.cat([x, torch.sin(x * turns), torch.cos(x * turns)], 1)
    return basis @ torch.randn(basis.shape[1], width) * scale / basis.shape[1] ** 0.5


def circular_rows(width: int, scale: float) -> Tensor:
    """(256, width) start values of a table of phase codes: smooth all the way round, by six harmonics."""
    angles = torch.arange(256).float()[:, None] * (2 * torch.pi / 256) * torch.arange(1, 7)
    basis = torch.cat([torch.sin(angles), torch.cos(angles)], 1)
    return basis @ torch.randn(basis.shape[1], width) * scale / basis.shape[1] ** 0.5


def rounded(weight: Tensor) -> Tensor:
    """`weight` (rows, columns) as 8-bit integers times a scale a row; the gradient passes straight through."""
    rows = weight.detach().abs().amax(1, keepdim=True)
    step = torch.maximum(rows, rows.max() * ROW_FLOOR).clamp_min(1e-6) / 127
    return weight + (torch.round(weight.detach() / step) * step - weight.detach())


@dataclass
class TwoTierState:
    """What goes on from call to call: frame and sample GRU states (batch, units), the last codes (batch, window)."""

    frame: Tensor
    sample: Tensor
    codes: Tensor


class TwoTierNetwork(nn.Module):
    """Two-tier network of `config` (SampleRNN, arXiv 1612.07837; tree of binary decisions, arXiv 2202.11169).

    With `quantized` set, weights and activations are rounded as the integer engine will (quantisation-aware training).
    """

    nodes: Tensor
    signs: Tensor

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.quantized = False
        frame, sample, head = config.frame_units, config.sample_units, config.head_units
        self.frame_input = nn.Parameter(torch.randn(3 * frame, config.window) * config.window**-0.5)
        self.frame_bias = nn.Parameter(torch.zeros(3 * frame))
        self.frame_recurrent = nn.Parameter(self._orthogonal(frame))
        self.frame_inner = nn.Parameter(torch.zeros(frame))
        self.frame_labels = nn.ParameterList(
            [nn.Parameter(torch.randn(len(values) + 1, 3 * frame) * 0.1) for values in config.labels.values()]
        )
        self.frame_output = nn.Parameter(torch.randn(3 * sample, frame) * frame**-0.5)
        self.frame_output_bias = nn.Parameter(torch.zeros(3 * sample))
        tables = 1 + (config.hints or 2)
        scale = 0.6 * (3 / tables) ** 0.5
        rows = [smooth_rows(3 * sample, scale) for _ in range(tables)]
        rows += [circular_rows(3 * sample, scale / 3) for _ in range(config.phases)]
        self.tables = nn.Parameter(torch.cat(rows))
        self.sample_recurrent = nn.Parameter(self._orthogonal(sample))
        self.sample_inner = nn.Parameter(torch.zeros(sample))
        self.dense = nn.Parameter(torch.randn(head, sample) * sample**-0.5)
        self.dense_table = nn.Parameter(smooth_rows(head, 0.6) + 0.5)
        self.tree = nn.Parameter(torch.randn(256, head) * 0.05)
        self.tree_bias = nn.Parameter(torch.zeros(256))
        codes = torch.arange(256)
        shifts = torch.arange(8, 0, -1)
        self.register_buffer("nodes", (codes[:, None] + 256) >> shifts, persistent=False)  # (256, 8)
        self.register_buffer("signs", (((codes[:, None] >> (shifts - 1)) & 1) * 2 - 1).float(), persistent=False)

    @staticmethod
    def _orthogonal(units: int) -> Tensor:
        return torch.cat([nn.init.orthogonal_(torch.empty(units, units)) for _ in range(3)])

    def _weight(self, weight: Tensor) -> Tensor:
        return rounded(weight) if self.quantized else weight

    def _eighth(self, h: Tensor) -> Tensor:
        return h + (to_eighth(h.detach()) - h.detach()) if self.quantized else h

    def start(self, batch: int) -> TwoTierState:
        """The state before the first sample of `batch` streams."""
        zeros = self.frame_bias.new_zeros
        codes = torch.full((batch, self.config.window), SILENCE, dtype=torch.long, device=self.frame_bias.device)
        return TwoTierState(zeros(batch, self.config.frame_units), zeros(batch, self.config.sample_units), codes)

    def frames(
        self, codes: Tensor, labels: Tensor, state: TwoTierState, conditioning: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Conditioning of each frame.

        `codes` (batch, time) long, time a multiple of the hop; `labels` (batch, frames, keys) long label ids;
        `conditioning` (frames, batch, 3 frame units) is added to the gates. Returns what is added to the sample tier's
        gates, (frames, batch, 3 sample units), and frame states (frames, batch, frame units).
        """
        window, hop = self.config.window, self.config.hop
        past = torch.cat([state.codes, codes], 1)[:, : codes.shape[1] - hop + window]
        views = past.unfold(1, window, hop).flip(2).transpose(0, 1).float()
        gates = F.linear((views - SILENCE) / 128, self._weight(self.frame_input), self.frame_bias)
        if conditioning is not None:
            gates = gates + conditioning
        for k, table in enumerate(self.frame_labels):
            gates = gates + F.embedding(labels[:, :, k].t(), table)
        states = run(gates, state.frame, self._weight(self.frame_recurrent), self.frame_inner, self.quantized)
        return F.linear(self._eighth(states), self._weight(self.frame_output), self.frame_output_bias), states

    def samples(self, rows: Tensor, condition: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Logits of the tree's nodes for each sample.

        `rows` (time, batch, 3) long: previous, predicted, residual code, or with hints (time, batch, 1 + hints):
        previous code and hints; with phases (time, batch, 4), the last the phase code; `condition` (frames, batch,
        3 units); `state` (batch, units). Returns logits (time, batch, 256; entry 0 unused) and states (time, batch,
        units).
        """
        count = rows.shape[2]
        places = (rows + 256 * torch.arange(count, device=rows.device)).reshape(-1, count)
        gates = F.embedding_bag(places, self.tables, mode="sum").view(*rows.shape[:2], -1)
        gates = (gates.view(-1, self.config.hop, *gates.shape[1:]) + condition[:, None]).view_as(gates)
        states = run(gates, state, self._weight(self.sample_recurrent), self.sample_inner, self.quantized)
        return self.head(states, rows[:, :, 1]), states

    def head(self, states: Tensor, predicted: Tensor) -> Tensor:
        """Logits (..., 256) from states (..., units) and predicted codes (...)."""
        hidden = F.linear(self._eighth(states), self._weight(self.dense)) + F.embedding(predicted, self.dense_table)
        hidden = hidden.clamp(0, HIDDEN_LIMIT)
        if self.quantized:
            hidden = hidden + (torch.floor(hidden.detach() * 32) / 32 - hidden.detach())
        return F.linear(hidden, self._weight(self.tree), self.tree_bias)

    def bits(self, logits: Tensor, codes: Tensor) -> Tensor:
        """Code length in bits (...) of codes (...) under logits (..., 256)."""
        path = logits.gather(-1, self.nodes[codes])
        return F.softplus(-path * self.signs[codes]).sum(-1) * 1.4426950408889634

    def drawn(self, logits: Tensor, chances: Tensor) -> Tensor:
        """Codes (...) drawn along logits (..., 256); `chances` (8, ...) are even in [0, 1), one for each level."""
        nodes = torch.ones(logits.shape[:-1], dtype=torch.long, device=logits.device)
        for chance in chances:
            path = logits.gather(-1, nodes[..., None])[..., 0]
            nodes = 2 * nodes + (chance < torch.sigmoid(path)).long()
        return nodes - 256

    def forward(
        self, codes: Tensor, inputs: Tensor, labels: Tensor, state: TwoTierState, conditioning: Tensor | None = None
    ) -> tuple[Tensor, TwoTierState]:
        """Bits of each sample and the state after them.

        `codes` (batch, time) long, time a multiple of the hop; `inputs` (batch, time, 2) predicted and residual codes,
        with phases (batch, time, 3), the phase codes (`synth.engine.phase`) last; `labels` (batch, frames, keys);
        `conditioning` as in `frames`. Returns bits (batch, time).
        """
        condition, frame = self.frames(codes, labels, state, conditioning)
        previous = torch.cat([state.codes[:, -1:], codes[:, :-1]], 1)
        rows = torch.cat([previous[:, :, None], inputs], 2).transpose(0, 1)
        logits, sample = self.samples(rows, condition, state.sample)
        bits = self.bits(logits, codes.t()).t()
        return bits, TwoTierState(frame[-1], sample[-1], torch.cat([state.codes, codes], 1)[:, -self.config.window :])
