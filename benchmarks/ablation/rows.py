"""The rows of the ablation: networks that differ from the base in one thing each."""

from __future__ import annotations

import dataclasses
from typing import Any

import synth
from synth.engine.config import ModelConfig

RATE = 8000


@dataclasses.dataclass(frozen=True)
class Row:
    """One network: what differs from the base in its config; `bits` of the states that products read, fine-tuned."""

    name: str
    model: dict[str, int] = dataclasses.field(default_factory=dict)
    density: float = 1.0
    predictor: str = "least squares"
    bits: int | None = None
    seed: int = 0

    def config(self, labels: Any = None) -> ModelConfig:
        """The network's sizes, with the label set of a corpus where there is one."""
        sizes: dict[str, Any] = {**self.model, **({} if labels is None else {"labels": labels})}
        return ModelConfig(RATE, **sizes)

    @property
    def built_here(self) -> bool:
        """Whether the engine that was imported has the row's hop."""
        try:
            self.config()
        except synth.SynthError:
            return False
        return True


ROWS = (
    Row("base"),
    Row("base, seed 1", seed=1),
    Row("frame 128", {"frame_units": 128}),
    Row("frame 288", {"frame_units": 288}),
    Row("sample 96", {"sample_units": 96}),
    Row("sample 192", {"sample_units": 192}),
    Row("sample 256", {"sample_units": 256}),
    Row("head 32", {"head_units": 32}),
    Row("head 128", {"head_units": 128}),
    Row("order 32", {"order": 32}),
    Row("no predictor", predictor="none"),
    Row("sign-LMS", predictor="sign-LMS"),
    Row("hop 8", {"hop": 8}),
    Row("hop 32", {"hop": 32}),
    Row("8 bits", bits=8),
    Row("7 bits", bits=7),
    Row("6 bits", bits=6),
    Row("192 at 50 %", {"sample_units": 192}, 0.5),
    Row("192 at 25 %", {"sample_units": 192}, 0.25),
    Row("256 at 25 %", {"sample_units": 256}, 0.25),
    Row("256 at 12.5 %", {"sample_units": 256}, 0.125),
    Row("384 at 10 %", {"sample_units": 384}, 0.1),
    Row("together", {"frame_units": 128, "sample_units": 256, "head_units": 128}, 0.15625),
)
