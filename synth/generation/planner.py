"""A planner's stream: the tokens that it draws for what labels ask for, and the latents that they stand for.

Where a voice has guidance w, a token is drawn with weights (c (c / u)^(w - 1))^(1 / T) of the probabilities c that the
planner gives with its labels and u without them (classifier-free guidance, arXiv 2207.12598), 1 / T in quarters, in
doubles, every operation in the order written.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from synth.common.arrays import require_saved, saved_array
from synth.common.typing import Int64, Tensors, UInt8
from synth.engine.config import SamplingConfig
from synth.engine.interface import Engine
from synth.engine.sampling import philox
from synth.generation.label_schedule import LabelSchedule, restored_schedule, schedule_array
from synth.vocoder.vocoder import Vocoder

MAX_QUARTERS = 64
PLANNING = 1
"""Number of the planner's stream of random numbers; the network's own is 0."""


class PlannedLatents:
    """Latents of tokens that a planner draws, endlessly, after the latents of a prompt.

    `engine`, `state`: of the planner, which is conditional on labels; `unconditional`: a second state that never gets
    them, where there is guidance. `schedule`: from which sample on which labels are in force.
    """

    ahead = 1  # so that labels that are changed take effect at once

    def __init__(
        self, vocoder: Vocoder, planner: Engine, state: Any, sampling: SamplingConfig, *, guidance: float = 1.0
    ) -> None:
        self.vocoder, self.engine, self.state = vocoder, planner, state
        self.period: int = planner.config.period
        self.sampling, self.guidance = replace(sampling, top_k=256, top_p=1 << 32), guidance
        self.unconditional = planner.state(seed=state.seed, stream=state.stream) if guidance > 1 else None
        self.schedule: LabelSchedule = []
        self.prompt = np.zeros((0, vocoder.config.latent), np.int64)

    def begin(self, schedule: LabelSchedule, latents: Int64, tokens: UInt8) -> None:
        """Goes on from a prompt's latents (frames, latent) and tokens (frames, period) under the first labels."""
        self.schedule, self.prompt = list(schedule), latents
        self.state.labels = schedule[0][1]
        if len(tokens):
            self._teacher_force(np.ascontiguousarray(tokens).reshape(-1))

    def next(self, frame: int) -> Int64:
        """The latents (latent,) of a token frame: of the prompt, or of tokens that are drawn now."""
        if frame < len(self.prompt):
            return np.asarray(self.prompt[frame], np.int64)
        while self.schedule and self.schedule[0][0] <= frame * self.vocoder.hop:
            self.state.labels = self.schedule.pop(0)[1]
        return np.asarray(self.vocoder.latents(self._draw_tokens()[None])[0], np.int64)

    def _draw_tokens(self) -> UInt8:
        """The tokens (period,) of the next frame."""
        if self.unconditional is None or not any(self.state.labels):
            tokens = self.engine.generate(self.state, self.period, self.sampling)
            if self.unconditional is not None:
                self.engine.teacher_force(self.unconditional, tokens)
            return tokens
        tokens = np.empty(self.period, np.uint8)
        for place in range(self.period):
            tokens[place] = self._draw_guided()
            self._teacher_force(tokens[place : place + 1])
        return tokens

    def _draw_guided(self) -> int:
        """One token with guidance, by the random number of its place."""
        conditional = self.engine.distribution(self.state).astype(np.float64) + 1.0
        unconditional = self.engine.distribution(self.unconditional).astype(np.float64) + 1.0
        weights, ratio = conditional, np.sqrt(conditional / unconditional)
        for _ in range(round(2 * (self.guidance - 1))):
            weights = weights * ratio
        if not self.sampling.inverse_temperature:
            return int(weights.argmax())
        quarter = np.sqrt(np.sqrt(weights / weights.max()))
        weights = quarter
        for _ in range(min(MAX_QUARTERS, max(1, round(self.sampling.inverse_temperature / 1024))) - 1):
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
        return PlannedLatents.restored(self.vocoder, self.engine, saved, prompt=self.prompt, guidance=self.guidance)

    def save(self) -> Tensors:
        """The planner's state, how it draws, the prompt's latents and the labels to come."""
        saved: Tensors = {
            "prime": self.prompt.astype(np.int8),
            "changes": schedule_array(self.schedule, self.engine.config),
            "draw": np.array([self.sampling.inverse_temperature], np.int64),
        }
        saved |= {f"state.{name}": value for name, value in self.state.save().items()}
        if self.unconditional is not None:
            saved |= {f"free.{name}": value for name, value in self.unconditional.save().items()}
        return saved

    @classmethod
    def restored(
        cls, vocoder: Vocoder, planner: Engine, saved: Tensors, *, prompt: Int64, guidance: float
    ) -> PlannedLatents:
        """What `save` saved; EngineError or KeyError when it is damaged or of another voice."""

        def part(prefix: str) -> Tensors:
            return {name.removeprefix(prefix): value for name, value in saved.items() if name.startswith(prefix)}

        inverse = int(saved_array(saved, "draw", "int64", (1,))[0])
        require_saved(0 <= inverse <= 1 << 24)
        source = cls(vocoder, planner, planner.restore(part("state.")), SamplingConfig(inverse), guidance=guidance)
        if source.unconditional is not None:
            source.unconditional = planner.restore(part("free."))
        source.schedule = restored_schedule(saved, "changes", planner.config)
        source.prompt = prompt
        return source
