"""A planner's stream: the tokens that it draws for what labels ask for, and the vectors that they stand for.

Where a voice has guidance w, a token is drawn with weights (told (told / free)^(w - 1))^(1 / T) of what the planner
expects with its labels and without them (classifier-free guidance, arXiv 2207.12598), 1 / T in quarters, in doubles,
every operation in the order written.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synth.common.arrays import require_saved, saved_array
from synth.common.typing import Int64
from synth.engine.config import Draw, ModelConfig
from synth.engine.reference import philox
from synth.vocoder.vocoder import Vocoder

Changes = list[tuple[int, tuple[int, ...]]]
"""From which sample on which rows of the label tables are in force."""
MAX_QUARTERS = 64
PLANNING = 1
"""Number of the planner's stream of random numbers; the network's own is 0."""


class Planned:
    """Tokens that a planner draws, endlessly, after the vectors of a prime.

    `planner`, `state`: its engine and stream; `changes`: from which sample on which label rows are in force. `free`: a
    second stream, that is never told its labels, where there is guidance.
    """

    ahead = 1  # so that labels that are changed are heard at once

    def __init__(self, vocoder: Vocoder, planner: Any, state: Any, draw: Draw, guidance: float = 1.0) -> None:
        self.vocoder, self.engine, self.state = vocoder, planner, state
        self.period: int = planner.config.period
        self.draw, self.guidance = replace(draw, top_k=256, top_p=1 << 32), guidance
        self.free = planner.state(seed=state.seed, stream=state.stream) if guidance > 1 else None
        self.changes: Changes = []
        self.prime = np.zeros((0, vocoder.config.latent), np.int64)

    def begin(self, changes: Changes, vectors: Int64, tokens: NDArray[np.uint8]) -> None:
        """Goes on from a prime's vectors (frames, latent) and tokens (frames, period) under the first labels."""
        self.changes, self.prime = list(changes), vectors
        self.state.labels = changes[0][1]
        if len(tokens):
            self._force(np.ascontiguousarray(tokens).reshape(-1))

    def next(self, frame: int) -> Int64:
        """The vector of a frame: of the prime, or of tokens that are drawn now."""
        if frame < len(self.prime):
            return np.asarray(self.prime[frame], np.int64)
        while self.changes and self.changes[0][0] <= frame * self.vocoder.hop:
            self.state.labels = self.changes.pop(0)[1]
        return np.asarray(self.vocoder.vectors(self._tokens()[None])[0], np.int64)

    def _tokens(self) -> NDArray[np.uint8]:
        if self.free is None or not any(self.state.labels):
            tokens: NDArray[np.uint8] = self.engine.generate(self.state, self.period, self.draw)
            if self.free is not None:
                self.engine.force(self.free, tokens)
            return tokens
        tokens = np.empty(self.period, np.uint8)
        for place in range(self.period):
            tokens[place] = self._guided()
            self._force(tokens[place : place + 1])
        return tokens

    def _guided(self) -> int:
        told = self.engine.distribution(self.state).astype(np.float64) + 1.0
        free = self.engine.distribution(self.free).astype(np.float64) + 1.0
        weights, ratio = told, np.sqrt(told / free)
        for _ in range(round(2 * (self.guidance - 1))):
            weights = weights * ratio
        if not self.draw.inverse_temperature:
            return int(weights.argmax())
        quarter = np.sqrt(np.sqrt(weights / weights.max()))
        weights = quarter
        for _ in range(min(MAX_QUARTERS, max(1, round(self.draw.inverse_temperature / 1024))) - 1):
            weights = weights * quarter
        running = np.cumsum(weights)  # one after the other
        at = int(self.state.position)
        word = philox((at & 0xFFFFFFFF, at >> 32, 0, 0), (self.state.seed, self.state.stream))[0]
        return min(255, int(np.searchsorted(running, running[-1] * (word * 2.0**-32), "right")))

    def _force(self, codes: NDArray[np.uint8]) -> None:
        self.engine.force(self.state, codes)
        if self.free is not None:
            self.engine.force(self.free, codes)

    def relabel(self, rows: tuple[int, ...]) -> None:
        """Other label rows, from the next frame that is drawn."""
        self.changes = [(0, rows)]

    def fork(self, seed: int) -> Planned:
        """The same with another seed's draws."""
        saved = self.save()
        saved["state.seed"] = np.array([seed, saved["state.seed"][1]], np.uint32)
        return Planned.restored(self.vocoder, self.engine, saved, self.prime, self.guidance)

    def save(self) -> dict[str, NDArray[Any]]:
        """The planner's state, how it draws, the prime's vectors and the changes to come."""
        keys = len(self.engine.config.labels)
        rows = np.array([[at, *row] for at, row in self.changes], np.int64).reshape(-1, 1 + keys)
        inverse = np.array([self.draw.inverse_temperature], np.int64)
        own: dict[str, NDArray[Any]] = {"prime": self.prime.astype(np.int8), "changes": rows, "draw": inverse}
        own |= {f"state.{name}": value for name, value in self.state.save().items()}
        return own if self.free is None else own | {f"free.{name}": value for name, value in self.free.save().items()}

    @classmethod
    def restored(
        cls, vocoder: Vocoder, planner: Any, saved: dict[str, NDArray[Any]], prime: Int64, guidance: float
    ) -> Planned:
        """What `save` saved; EngineError or KeyError when it is damaged or of another voice."""

        def part(prefix: str) -> dict[str, NDArray[Any]]:
            return {name.removeprefix(prefix): value for name, value in saved.items() if name.startswith(prefix)}

        inverse = int(saved_array(saved, "draw", "int64", (1,))[0])
        require_saved(0 <= inverse <= 1 << 24)
        found = cls(vocoder, planner, planner.restore(part("state.")), Draw(inverse), guidance)
        if found.free is not None:
            found.free = planner.restore(part("free."))
        found.changes = changes_of(saved, "changes", planner.config)
        found.prime = prime
        return found


def changes_of(saved: dict[str, NDArray[Any]], name: str, config: ModelConfig) -> Changes:
    """Changes that were saved; EngineError for what is none of a network of this config."""
    found = saved_array(saved, name, "int64", (None, 1 + len(config.labels)))
    most = np.array([len(values) for values in config.labels.values()], np.int64)
    require_saved(bool((found >= 0).all() and (found[:, 1:] <= most).all()))
    return [(int(at), tuple(int(row) for row in rows)) for at, *rows in found]
