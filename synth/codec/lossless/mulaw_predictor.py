"""A generative network's predictive distribution of a channel's next sample, as specified in NumPy.

It comes as the log-odds of the decisions down the tree of mu-law codes.
"""

from __future__ import annotations

import math

import numpy as np

from synth.audio import mulaw
from synth.engine.reference import ReferenceEngine


class MulawPredictor:
    """A fresh stream of the network, without labels, that follows a channel sample by sample."""

    def __init__(self, engine: ReferenceEngine) -> None:
        self.engine, self.state = engine, engine.state()

    def predict(self) -> None:
        """Computes what `log_odds` needs for the next sample."""
        self.guess, self.hidden = self.engine.sample_step(self.state)

    def log_odds(self, code: int, half: int) -> np.float32:
        """ln(p(1) / p(0)) of the decision between the lower and the upper `half` codes from `code` on."""
        node = 128 // half + code // (2 * half)
        return np.float32(self.engine.logits(self.hidden, np.array([node]))[0]) * np.float32(1 / 512)

    def update(self, value: float) -> None:
        """Moves the stream past the sample of this value, in units of 16-bit samples."""
        self.engine.take(self.state, self.guess, int(mulaw.ENCODE[math.floor(value) + 32768]))
