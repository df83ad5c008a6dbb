"""Time to steps: how many steps of training fit in what is left of a budget, as they turn out to last."""

from __future__ import annotations

import math
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from synth.common.errors import UsageError
from synth.common.limits import MAX_MINUTES

FIRST_PLANS = (4, 12, 30)
"""Steps after which the number of steps is planned; later every PLAN_SHARE of the budget."""
PLAN_SHARE = 0.04
RECENT = 40
"""Steps whose mean duration counts."""
VALIDATIONS, VALIDATION_SHARE = 8, 0.08
"""Validations at most, and what they may take of the time."""
FIRST_VALIDATION = 8.0
"""How many steps a validation lasts, before there was one."""


FEW_STREAMS, SHORT_MINUTES = 8, 20.0
"""Streams of a batch where there is little time, and how many minutes that is; twice as many in four times as many.

Four minutes of guitar: 27 steps of 24 streams reach 6.90 bits per sample, 119 of 8 streams 4.40.
"""


def streams_for(streams: int, seconds: float | None) -> int:
    """Streams of a batch in a budget, of the preset's `streams` at most: many small steps before few large ones."""
    if seconds is None:
        return streams
    most = FEW_STREAMS
    while 60.0 * SHORT_MINUTES * (most / FEW_STREAMS) ** 2 < seconds:
        most *= 2
    return min(streams, most)


def with_streams(config: dict[str, Any], seconds: float | None) -> dict[str, Any]:
    """A task's options for run.json with as many streams as fit a budget."""
    train = config["train"]
    return {**config, "train": {**train, "streams": streams_for(train["streams"], seconds)}}


def check_minutes(minutes: float) -> float:
    """The seconds of so many minutes; UsageError when they are no budget."""
    if not (math.isfinite(minutes) and 0 < minutes):
        raise UsageError(f"--minutes {minutes:g}: must be a finite number above 0")
    if minutes > MAX_MINUTES:
        raise UsageError(f"--minutes {minutes:g}: is more than a week ({MAX_MINUTES}); train it further afterwards")
    return 60.0 * minutes


@dataclass
class Budget:
    """Seconds that training may last: `used` of them before, the rest from `began` on, a monotonic clock's time."""

    seconds: float
    used: float = 0.0
    began: float = field(default_factory=time.monotonic)

    @property
    def spent(self) -> float:
        """Seconds that are gone."""
        return self.used + time.monotonic() - self.began

    @property
    def left(self) -> float:
        """Seconds that are left; below 0 when it took longer."""
        return self.seconds - self.spent


class Pace:
    """How long steps and validations last, and what follows from it for the number of steps of a budget.

    `tail`: what comes after the last step and is in the budget too, in steps: as slow as the machine is.
    """

    def __init__(self, budget: Budget, tail: float = 0.0) -> None:
        self.budget, self.tail = budget, tail
        self._steps: deque[float] = deque(maxlen=RECENT)
        self._count = 0
        self._validation: float | None = None
        self._planned_at = budget.spent

    def add_step(self, seconds: float) -> bool:
        """Notes how long a step took; whether it is time to plan again."""
        self._count += 1
        if self._count > 1:  # the first one is slower
            self._steps.append(seconds)
        due = self.budget.spent - self._planned_at > PLAN_SHARE * self.budget.seconds
        over = self.budget.left < self._last_seconds()
        return self._count > 1 and (self._count in FIRST_PLANS or due or over)

    def add_validation(self, seconds: float) -> None:
        """Notes how long a validation took, with all that is written after it."""
        self._validation = max(seconds, self._validation or 0.0)

    def plan(self, step: int) -> tuple[int, int]:
        """Steps in all after `step` of them, and the steps between two validations."""
        self._planned_at = self.budget.spent
        validation = self._validation_seconds()
        share = VALIDATION_SHARE * self.budget.seconds
        validations = max(0, min(VALIDATIONS, math.floor(share / max(validation, 1e-9))) - 1)
        passed = min(1.0, self.budget.spent / self.budget.seconds)
        time_left = self.budget.left - self._last_seconds() - validation * round(validations * (1 - passed))
        steps = step + max(0, math.floor(time_left / self._mean()))
        return steps, max(1, math.ceil(steps / (validations + 1)))

    @property
    def step_seconds(self) -> float:
        """Seconds that a step lasts."""
        return self._mean()

    def _mean(self) -> float:
        return max(1e-6, sum(self._steps) / max(1, len(self._steps)))

    def _last_seconds(self) -> float:
        """Of the validation at the end, and what comes after it."""
        return self._validation_seconds() + self.tail * self._mean()

    def _validation_seconds(self) -> float:
        return FIRST_VALIDATION * self._mean() if self._validation is None else self._validation
