"""What a voice with a bed makes of a recording: features, the bed with the recording's own phases, and what is left."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from synth.common.typing import Float32, Int16, Int32, Int64, MonoSamples, UInt8
from synth.engine import phase


@dataclass(frozen=True)
class LockedSound:
    """A recording as a voice with a bed has it.

    `rows`: its features float32 (frames, inputs); `bed`: int32 (n,), `residual`: int16 (n,), what is left,
    pre-emphasised, with a tonal bed without its low band where there is a pitch; n is a whole number of token frames,
    with silence after its end. `phases`: int64, 2^32 to a turn, at the starts of segments and after the last: with a
    tonal bed (frames + 1,) of the pitch, counted on; with a note bed (frames + 1, notes).
    """

    rows: Float32
    bed: Int32
    residual: MonoSamples
    phases: Int64

    def hints(self, hop: int) -> Int16:
        """What the network reads of a pitch: int16 (frames, 3), see `engine.phase.pack`; `hop`: samples a frame."""
        return phase.pack(self.phases[:-1] >> 16, (self.phases[1:] - self.phases[:-1]) // hop)

    def phase_codes(self, hop: int) -> UInt8:
        """The phase at every sample, 256 to a turn, as a network reads it: uint8 (n,); with a note bed 0."""
        if self.phases.ndim == 2:
            return np.zeros(len(self.residual), np.uint8)
        return phase.phase_codes(self.hints(hop), np.arange(hop)).reshape(-1)
