"""A planner's stream: the tokens that it draws for what labels ask for, and the latents that they stand for.

Where a voice has guidance w, a token is drawn with weights (c (c / u)^(w - 1))^(1 / T) of the probabilities c that the
planner gives with its labels and u without them (classifier-free guidance, arXiv 2207.12598), 1 / T in quarters, in
doubles, every operation in the order written.

csrc/vocoder/planned_latents.cpp draws the tokens of whole streams, bit for bit; labels and clock stay here.

A planner that is told when sounds end (`vocoder.timing`) takes labels at its steps alone, 16 tokens, from a clock that
goes along; others take them as they are.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from synth.common.arrays import require_saved, saved_array
from synth.common.labels import LabelIds
from synth.common.typing import Int64, Tensors, UInt8
from synth.engine.config import SamplingConfig
from synth.engine.interface import Engine
from synth.engine.sampling import philox
from synth.generation.label_schedule import LabelSchedule, restored_schedule, schedule_array
from synth.generation.sound_clock import NEVER, SoundClock
from synth.vocoder import timing
from synth.vocoder.vocoder import Vocoder

MAX_QUARTERS = 64
PLANNING = 1
"""Number of the planner's stream of random numbers; the network's own is 0."""


class PlannedLatents:
    """Latents of tokens that a planner draws, endlessly, after the latents of a prompt.

    `engine`, `state`: of the planner, which is conditional on labels; `unconditional`: a second state that never gets
    them, where there is guidance. `schedule`: from which sample on which labels are in force. `clock`: when sounds
    end, for a planner that is told.
    """

    ahead = 1  # so that labels that are changed take effect at once

    def __init__(
        self,
        vocoder: Vocoder,
        planner: Engine,
        state: Any,
        sampling: SamplingConfig,
        *,
        guidance: float = 1.0,
        clock: SoundClock | None = None,
    ) -> None:
        self.vocoder, self.engine, self.state = vocoder, planner, state
        self.period: int = planner.config.period
        self.sampling, self.guidance = replace(sampling, top_k=256, top_p=1 << 32), guidance
        self.unconditional = planner.state(seed=state.seed, stream=state.stream) if guidance > 1 else None
        self.clock = clock
        self.labels = planner.config.labels if clock is None else timing.untimed(planner.config.labels)
        self.schedule: LabelSchedule = []
        self.prompt = np.zeros((0, vocoder.config.latent), np.int64)

    def begin(self, schedule: LabelSchedule, latents: Int64, tokens: UInt8, end: int | None = None) -> None:
        """Goes on from a prompt's latents (frames, latent) and tokens (frames, period) under the first labels.

        `end`: the sample at which the last of several labels has had its part.
        """
        if self.clock is not None and end is not None and len(schedule) > 1:
            self.clock.end = self._first_frame(self.clock, end)
        self.schedule, self.prompt = list(schedule), latents
        self._take_labels((*schedule[0][1], *timing.UNKNOWN[: self.told]))
        if len(tokens):
            self._teacher_force(np.ascontiguousarray(tokens).reshape(-1))

    def next(self, frame: int) -> Int64:
        """The latents (latent,) of a token frame: of the prompt, or of tokens that are drawn now."""
        if frame < len(self.prompt):
            return np.asarray(self.prompt[frame], np.int64)
        label_ids = self.labels_from(frame)
        if label_ids is not None:
            self._take_labels(label_ids)
        return np.asarray(self.vocoder.latents(self._draw_tokens()[None])[0], np.int64)

    def labels_from(self, frame: int) -> LabelIds | None:
        """The planner's label ids that come into force with a token frame, None where none do.

        Asked for once, when the frame's tokens are about to be drawn, in the order of frames.
        """
        if self.clock is not None:
            return self._step(self.clock, frame) if self.clock.is_step(frame) else None
        due = None
        while self.schedule and self.schedule[0][0] <= frame * self.vocoder.hop:
            due = self.schedule.pop(0)[1]
        return due

    def _step(self, clock: SoundClock, frame: int) -> LabelIds:
        """What the clock says from a step's first token frame on; of a change of labels a sound begins."""
        due, seed = None, int(self.state.seed)
        while self.schedule and self._first_frame(clock, self.schedule[0][0]) <= frame:
            due = self.schedule.pop(0)[1]
        room = self._first_frame(clock, self.schedule[0][0]) - frame if self.schedule else NEVER
        if due is not None:
            clock.start(frame, due, seed, room)
        else:
            clock.advance(frame, seed, room)
        return clock.ids(frame)

    def _first_frame(self, clock: SoundClock, sample: int) -> int:
        """The token frame of the step that is nearest to a sample."""
        step = clock.every * self.vocoder.hop
        return (2 * sample + step) // (2 * step) * clock.every

    @property
    def told(self) -> int:
        """How many of the planner's last label keys are its clock's, which it is told without labels too."""
        return 0 if self.clock is None else len(timing.UNKNOWN)

    def _take_labels(self, label_ids: LabelIds) -> None:
        """Labels in force for the planner, of which the clock's are told without labels too."""
        self.state.labels = label_ids
        if self.clock is not None and self.unconditional is not None:
            asked = len(label_ids) - self.told
            self.unconditional.labels = (*(0 for _ in range(asked)), *label_ids[asked:])

    def _asked(self) -> bool:
        """Whether there are labels in force."""
        return any(self.state.labels[: len(self.state.labels) - self.told])

    def _draw_tokens(self) -> UInt8:
        """The tokens (period,) of the next frame."""
        if self.unconditional is None or not self._asked():
            tokens = self.engine.generate(self.state, self.period, self.sampling)
            if self.unconditional is not None:
                self.engine.teacher_force(self.unconditional, tokens)
            return tokens
        tokens = np.empty(self.period, np.uint8)
        for place in range(self.period):
            tokens[place] = self._draw_guided()
            self._teacher_force(tokens[place : place + 1])
        return tokens

    @property
    def rounds(self) -> int:
        """How often guidance multiplies weights with the root of c / u."""
        return round(2 * (self.guidance - 1))

    @property
    def quarters(self) -> int:
        """1 / T in quarters, where it is not greedy."""
        return min(MAX_QUARTERS, max(1, round(self.sampling.inverse_temperature / 1024)))

    def _draw_guided(self) -> int:
        """One token with guidance, by the random number of its place."""
        conditional = self.engine.distribution(self.state).astype(np.float64) + 1.0
        unconditional = self.engine.distribution(self.unconditional).astype(np.float64) + 1.0
        weights, ratio = conditional, np.sqrt(conditional / unconditional)
        for _ in range(self.rounds):
            weights = weights * ratio
        if not self.sampling.inverse_temperature:
            return int(weights.argmax())
        quarter = np.sqrt(np.sqrt(weights / weights.max()))
        weights = quarter
        for _ in range(self.quarters - 1):
            weights = weights * quarter
        running = np.cumsum(weights)  # one after the other
        at = int(self.state.position)
        word = philox((at & 0xFFFFFFFF, at >> 32, 0, 0), (self.state.seed, self.state.stream))[0]
        return min(255, int(np.searchsorted(running, running[-1] * (word * 2.0**-32), "right")))

    def _teacher_force(self, tokens: UInt8) -> None:
        self.engine.teacher_force(self.state, tokens)
        if self.unconditional is not None:
            self.engine.teacher_force(self.unconditional, tokens)

    def relabel(self, label_ids: tuple[int, ...]) -> None:
        """Other labels, from the next frame that is drawn; ends what was scheduled."""
        self.schedule = [(0, label_ids)]

    def fork(self, seed: int) -> PlannedLatents:
        """The same with another seed's draws."""
        saved = self.save()
        saved["state.seed"] = np.array([seed, saved["state.seed"][1]], np.uint32)
        parts = self.vocoder, self.engine
        clock = self.clock and self.clock.another()
        return PlannedLatents.restored(*parts, saved, prompt=self.prompt, guidance=self.guidance, clock=clock)

    def save(self) -> Tensors:
        """The planner's state, how it draws, the prompt's latents and the labels to come."""
        saved: Tensors = {
            "prime": self.prompt.astype(np.int8),
            "changes": schedule_array(self.schedule, self.labels),
            "draw": np.array([self.sampling.inverse_temperature], np.int64),
        }
        saved |= {f"state.{name}": value for name, value in self.state.save().items()}
        if self.unconditional is not None:
            saved |= {f"free.{name}": value for name, value in self.unconditional.save().items()}
        if self.clock is not None:
            saved |= self.clock.save()
        return saved

    @classmethod
    def restored(
        cls,
        vocoder: Vocoder,
        planner: Engine,
        saved: Tensors,
        *,
        prompt: Int64,
        guidance: float,
        clock: SoundClock | None = None,
    ) -> PlannedLatents:
        """What `save` saved; EngineError or KeyError when it is damaged or of another voice. `clock`: a new one."""

        def part(prefix: str) -> Tensors:
            return {name.removeprefix(prefix): value for name, value in saved.items() if name.startswith(prefix)}

        inverse = int(saved_array(saved, "draw", "int64", (1,))[0])
        require_saved(0 <= inverse <= 1 << 24)
        state, sampling = planner.restore(part("state.")), SamplingConfig(inverse)
        source = cls(vocoder, planner, state, sampling, guidance=guidance, clock=clock)
        if clock is not None:
            clock.load(saved, tuple(len(values) for values in source.labels.values()))
        if source.unconditional is not None:
            source.unconditional = planner.restore(part("free."))
        source.schedule = restored_schedule(saved, "changes", source.labels)
        source.prompt = prompt
        return source
