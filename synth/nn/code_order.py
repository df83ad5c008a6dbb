"""The order of a codebook's rows, which a network over tokens learns from."""

from __future__ import annotations

import torch
from torch import Tensor


def ordered(book: Tensor) -> Tensor:
    """The rows (codes, latent) of a codebook in another order, so that the bits of a code say what it is like.

    The two halves lie apart along the first principal axis, and so does each half in itself, down to single rows: a
    tree of binary decisions then decides from coarse to fine, and neighbouring codes are alike.
    """
    return book[_halved(book.double().cpu(), torch.arange(len(book)), None).to(book.device)]


def _halved(book: Tensor, places: Tensor, parent: Tensor | None) -> Tensor:
    if len(places) < 2:
        return places
    rows = book[places] - book[places].mean(0)
    axis = torch.linalg.eigh(rows.t() @ rows)[1][:, -1]
    if parent is not None and axis @ parent < 0:
        axis = -axis
    places = places[torch.argsort(rows @ axis, stable=True)]
    half = len(places) // 2
    return torch.cat([_halved(book, part, axis) for part in (places[:half], places[half:])])
