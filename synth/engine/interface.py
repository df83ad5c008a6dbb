"""What an engine of an integer network can do; `reference` is the specification, `native` the fast one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from synth.common.typing import Int16, Tensors, UInt8, UInt32
from synth.engine.config import ModelConfig, SamplingConfig


class State(Protocol):
    """Where one stream stands. One thread uses it at a time: `Stream` sees to that.

    `labels`: a label id for each key; `conditioning`: int16 [conditioning units] ([0] where the network has none); both
    take effect at the next network frame. `position`: samples done. `seed`, `stream`: the key of its random numbers.
    """

    labels: Any
    conditioning: Any

    @property
    def position(self) -> int: ...
    @property
    def seed(self) -> int: ...
    @property
    def stream(self) -> int: ...
    def save(self) -> Tensors: ...


class Engine(Protocol):
    """A network that is ready to run; reference.py says exactly what comes out. Threads may share it."""

    name: str
    instruction_set: str
    config: ModelConfig

    def state(self, seed: int = 0, stream: int = 0) -> Any: ...
    def restore(self, saved: Tensors) -> Any: ...
    def generate(self, state: Any, count: int, sampling: SamplingConfig) -> UInt8: ...
    def generate_together(
        self, states: Sequence[Any], count: int, sampling: SamplingConfig, vectors: Int16 | None = None
    ) -> UInt8: ...
    def teacher_force_together(self, states: Sequence[Any], codes: UInt8) -> UInt32: ...
    def teacher_force(self, state: Any, codes: UInt8) -> UInt32: ...
    def distribution(self, state: Any) -> UInt32: ...
    def predict_codes(self, codes: UInt8) -> tuple[UInt8, UInt8]: ...
