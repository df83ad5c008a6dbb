"""Token mode, as specified: what stands in the place of the linear predictor where the stream's codes are tokens."""

from __future__ import annotations

import numpy as np

from synth.audio import mulaw
from synth.common.typing import UInt8


def token_inputs(codes: UInt8, period: int) -> tuple[UInt8, UInt8]:
    """Predicted and residual codes (uint8 [S, T] each) that the sample tier reads along rows of tokens (uint8 [S, T]).

    Predicted is the code `period` places ago, 128 where the row is younger; residual is the place in the token frame.
    """
    streams, time = codes.shape
    young = np.full((streams, period), mulaw.SILENCE, np.uint8)
    predicted = np.concatenate([young, codes.astype(np.uint8)], 1)[:, :time]
    residual = np.broadcast_to((np.arange(time) % period).astype(np.uint8), (streams, time))
    return predicted, residual.copy()
