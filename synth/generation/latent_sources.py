"""Where a conditioner takes latents from: known from the start, or read piece by piece (`planner` draws them)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import numpy as np

from synth.common.errors import EngineError
from synth.common.typing import Int64, Tensors


class LatentSource(Protocol):
    """Latents of one stream, asked for in the order of token frames.

    `ahead`: token frames that may be asked for at once, for speed.
    """

    ahead: int

    def next(self, frame: int) -> Int64 | None:
        """The 8-bit latents (latent,) of a token frame, asked for in order; None from the sound's end on."""
        ...

    def relabel(self, label_ids: tuple[int, ...]) -> None:
        """Other labels, from the next frame that is planned."""
        ...

    def fork(self, seed: int) -> LatentSource:
        """A source that goes on from here with another seed's draws."""
        ...

    def save(self) -> Tensors:
        """Everything that is needed to go on, as arrays."""
        ...


class FixedLatents:
    """Latents that are there from the start: 8-bit (frames, latent)."""

    ahead = 16

    def __init__(self, latents: Int64) -> None:
        self.latents = latents

    def next(self, frame: int) -> Int64 | None:
        """The latents (latent,) of a token frame; None behind the last."""
        return self.latents[frame] if frame < len(self.latents) else None

    def save(self) -> Tensors:
        """The latents."""
        return {"vectors": self.latents.astype(np.int8)}

    def relabel(self, label_ids: tuple[int, ...]) -> None:
        """Nothing: these latents do not depend on labels."""

    def fork(self, seed: int) -> FixedLatents:
        """Itself."""
        return self


class StreamedLatents:
    """Latents that come piece by piece, 8-bit (frames, latent) each; asked for in order, never held for long."""

    ahead = 16

    def __init__(self, pieces: Iterator[Int64]) -> None:
        self._pieces, self._first = pieces, 0
        self._piece: Int64 | None = None

    def next(self, frame: int) -> Int64 | None:
        """The latents (latent,) of a token frame; None behind the last piece."""
        while self._piece is None or frame - self._first >= len(self._piece):
            piece = next(self._pieces, None)  # where this fails nothing has changed
            self._first += 0 if self._piece is None else len(self._piece)
            self._piece = piece
            if piece is None:
                return None
        return np.asarray(self._piece[frame - self._first], np.int64)

    def relabel(self, label_ids: tuple[int, ...]) -> None:
        """Nothing: these latents do not depend on labels."""

    def fork(self, seed: int) -> StreamedLatents:
        """Not possible, an EngineError: the pieces that were read are gone."""
        raise EngineError("a stream along a file can't be forked")

    def save(self) -> Tensors:
        """Not possible, an EngineError: the pieces to come are not known."""
        raise EngineError("a stream along a file can't be saved")
