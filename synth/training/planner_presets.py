"""How a planner trains, and sizes and schedules of planners by their names."""

from __future__ import annotations

from dataclasses import dataclass

from synth.common.errors import UsageError
from synth.engine.config import ModelConfig
from synth.training.config import GeneratorTrainConfig
from synth.training.token_corpus import TOTAL_SECONDS


@dataclass(frozen=True)
class PlannerTrainConfig:
    """How a planner trains beside what `GeneratorTrainConfig` says.

    `heard_wrong`: share of the tokens that are wrong in what the network reads. `partial`: share of the streams
    in which each frame has only its first tokens, as a codec at a lower rate has; the others are 128, without a loss.
    `own`: share, at most, of the tokens that the network reads as it would have drawn them itself; each stream has a
    share of its own (scheduled sampling, arXiv 1506.03099).
    `search`: tokens of unlabelled recordings are searched for as the codec does it (a voice with a bed).
    `gap`: shortest and longest silence between files, in seconds, where there are no labels. `speed`, `gain_db`: of
    `StreamBatches`. `copied`: seconds that the copies of labelled files last together, about.
    """

    heard_wrong: float = 0.05
    partial: float = 0.0
    own: float = 0.0
    search: bool = False
    gap: tuple[float, float] = (0.02, 0.06)
    speed: float = 1.0
    gain_db: float = 0.0
    copied: float = TOTAL_SECONDS

    def __post_init__(self) -> None:
        if not (1 <= self.speed <= 2 and 0 <= self.gain_db <= 60):
            raise UsageError("planner: speed must be 1 to 2, gain_db 0 to 60")
        shares = self.heard_wrong, self.partial, self.own
        if not all(0 <= share <= 1 for share in shares) or not 0 < self.gap[0] <= self.gap[1] <= 60:
            raise UsageError("planner: a share must be 0 to 1, gaps above 0 and in order")


Configs = tuple[ModelConfig, GeneratorTrainConfig, PlannerTrainConfig]
PRESETS: dict[str, Configs] = {
    "digits": (
        ModelConfig(8000, window=16, frame_units=160, sample_units=160, head_units=64, period=4),
        GeneratorTrainConfig(steps=6000, streams=32, span=10240, windows=1, every=500, fine_steps=60, rate=3e-3),
        PlannerTrainConfig(heard_wrong=0.1, own=0.7, speed=1.1, gain_db=3.0),
    ),
    "speech": (
        ModelConfig(16000, window=16, frame_units=64, sample_units=192, head_units=64, period=16),
        GeneratorTrainConfig(steps=800, streams=48, span=9600, windows=1, every=100, fine_steps=60, rate=3e-3),
        PlannerTrainConfig(heard_wrong=0.0, partial=0.5, search=True, gap=(0.02, 0.2), gain_db=6.0),
    ),
    "notes": (
        ModelConfig(16000, window=16, frame_units=64, sample_units=192, head_units=64, period=16),
        GeneratorTrainConfig(steps=800, streams=48, span=9600, windows=1, every=100, fine_steps=60, rate=3e-3),
        PlannerTrainConfig(heard_wrong=0.0, partial=0.5, gap=(0.02, 0.2), gain_db=6.0),
    ),
    "tiny": (
        ModelConfig(8000, window=16, frame_units=16, sample_units=64, head_units=32, period=2),
        GeneratorTrainConfig(
            steps=300, streams=16, span=6400, windows=1, every=100, fine_steps=30, most_validation=100_000
        ),
        PlannerTrainConfig(),
    ),
}
DEFAULT_PRESET = "digits"
