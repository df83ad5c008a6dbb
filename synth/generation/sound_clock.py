"""The clock of a planner's stream: when the present sound began and when it is to end, in token frames.

A sound begins where labels are asked for, but at a stream's front a step later, in silence. It takes as long as a
recording with these labels took that is drawn by lot; then there is silence until labels are asked for again. Where no
labels are asked for, sound follows sound. All in integers, from the stream's seed.
"""

from __future__ import annotations

import numpy as np

from synth.common.arrays import require_saved, saved_array
from synth.common.labels import LabelIds
from synth.common.typing import Int64, Tensors
from synth.engine.sampling import philox
from synth.vocoder import timing

LENGTHS = 2
"""Number of the stream of random numbers that lengths are drawn with; the planner's is 1."""
LEAST_PAUSE = 8
"""Token frames of silence between sounds that follow each other by themselves."""
NEVER = 1 << 62


class SoundClock:
    """Tells a planner's labels for each of its steps, `every` token frames; `rows`: of `timing.rows_of`."""

    def __init__(self, rows: Int64, every: int, keys: int) -> None:
        self.rows, self.every = rows, every
        self.label_ids: LabelIds = (0,) * keys
        self._begin = self._length = self._pause = self._count = 0
        self.end = NEVER
        """Token frame from which on nobody listens, so that the last of several labels has its part for itself."""

    def another(self) -> SoundClock:
        """A new one of the same voice."""
        return SoundClock(self.rows, self.every, len(self.label_ids))

    def is_step(self, frame: int) -> bool:
        """Whether a planner's step begins with this token frame."""
        return frame % self.every == 0

    def start(self, frame: int, label_ids: LabelIds, seed: int, room: int = NEVER) -> None:
        """A sound with these labels begins; of lengths of at most `room` token frames, if recordings have such."""
        lead = self.every if frame == 0 else 0
        lengths = timing.like(self.rows, label_ids)
        room = max(1, (min(room, self.end - frame) if frame < self.end else room) - lead)
        fitting = lengths[lengths[:, -2] <= room]
        word = philox((self._count, 0, 0, 0), (seed, LENGTHS))[0]
        self._count = (self._count + 1) & 0xFFFFFFFF
        if len(fitting):
            self._length, self._pause = (int(value) for value in fitting[(word * len(fitting)) >> 32, -2:])
        else:
            self._length, self._pause = room, 0
        self._begin, self.label_ids = frame + lead, label_ids

    def advance(self, frame: int, seed: int, room: int = NEVER) -> None:
        """Where no labels are asked for and the last sound and the silence behind it are over, another one begins."""
        end = self._begin + self._length + max(LEAST_PAUSE, self._pause)
        if not any(self.label_ids) and frame >= end and room >= 1:
            self.start(frame, self.label_ids, seed, room)

    def ids(self, frame: int) -> LabelIds:
        """The planner's label ids from a step's first token frame on."""
        return (*self.label_ids, *timing.ids_at(frame, self.every, self._begin, self._length))

    def save(self) -> Tensors:
        """Everything that is needed to go on."""
        numbers = (self.end, self._begin, self._length, self._pause, self._count, *self.label_ids)
        return {"clock": np.array(numbers, np.int64)}

    def load(self, saved: Tensors, most: tuple[int, ...]) -> None:
        """Goes on from what `save` saved; EngineError when it is damaged. `most`: the highest label id of each key."""
        numbers = [int(value) for value in saved_array(saved, "clock", "int64", (5 + len(most),))]
        tops = (NEVER, NEVER, NEVER, timing.MAX_FRAMES, 0xFFFFFFFF, *most)
        require_saved(all(0 <= value <= top for value, top in zip(numbers, tops, strict=True)))
        self.end, self._begin, self._length, self._pause, self._count = numbers[:5]
        self.label_ids = tuple(numbers[5:])
