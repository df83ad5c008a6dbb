"""Block-sparse weights: whole blocks that the engine can skip are zeroed by magnitude while training.

They go from the two matrices that every sample multiplies by the sample GRU's state: its own recurrent one, and the
hidden layer of the head.

The schedule is that of Zhu & Gupta (arXiv 1710.01878) as WaveRNN (arXiv 1802.08435) and LPCNet (arXiv 1810.11846) use
it. There is no state beside the weights: a block that is all zeros is masked, and stays so.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from synth.nn.two_tier import TwoTierNetwork

ROWS, COLUMNS = 16, 4  # a block: a tile of the engine's products
BEGIN, END = 0.15, 0.6  # shares of the steps between which blocks go
EVERY = 20  # steps between two choices of blocks


def density_at(step: int, steps: int, final: float) -> float:
    """Share of blocks that remain after `step` of `steps`: 1, then a falling cubic, then `final`."""
    done = min(1.0, max(0.0, (step / steps - BEGIN) / (END - BEGIN)))
    return final + (1.0 - final) * (1.0 - done) ** 3


def is_due(step: int, steps: int) -> bool:
    """Whether blocks are chosen after `step`: every EVERY steps of the schedule, and where it ends."""
    last = _last(steps)
    return step == last or (BEGIN * steps < step < last and step % EVERY == 0)


def is_settled(step: int, steps: int, final: float) -> bool:
    """Whether no block goes any more after `step`."""
    return final == 1.0 or step >= _last(steps)


def _last(steps: int) -> int:
    return math.ceil(END * steps)


def _blocks(weight: Tensor) -> Tensor:
    rows, columns = weight.shape
    return weight.detach().view(rows // ROWS, ROWS, columns // COLUMNS, COLUMNS)


def _spread(blocks: Tensor) -> Tensor:
    """(tiles, column blocks) as (rows, columns)."""
    return blocks.repeat_interleave(ROWS, 0).repeat_interleave(COLUMNS, 1)


def block_mask(weight: Tensor, density: float) -> Tensor:
    """Bool of the shape of `weight` (rows, columns): in every tile of 16 rows the same number of largest blocks."""
    energy = _blocks(weight).square().sum((1, 3))
    kept = max(1, round(density * energy.shape[1]))
    # stable: of equal blocks the first ones, so that zero blocks never come back for others
    chosen = torch.argsort(energy, dim=1, descending=True, stable=True)[:, :kept]
    return _spread(torch.zeros_like(energy, dtype=torch.bool).scatter_(1, chosen, True))


def zero_mask(weight: Tensor) -> Tensor:
    """Bool of the shape of `weight`: blocks that are not all zeros."""
    return _spread((_blocks(weight) != 0).any(3).any(1))


Masked = list[tuple[nn.Parameter, Tensor]]
"""Matrices that lose blocks, each with the mask of those that it still has."""


def masked(network: TwoTierNetwork) -> Masked:
    """The two matrices of a network that every sample multiplies, with the masks that they have now."""
    return [(matrix, zero_mask(matrix)) for matrix in (network.sample_recurrent, network.dense)]


@torch.no_grad()
def prune(sparse: Masked, step: int, steps: int, final: float) -> None:
    """After `step` of `steps`: blocks that went stay zeros, and those go that are due; `final`: share that remains."""
    due = final < 1 and is_due(step, steps)
    for matrix, mask in sparse:
        matrix.mul_(mask)  # moments from before a block went would bring it back
        if due:
            matrix.mul_(block_mask(matrix, density_at(step, steps, final)))
