"""Frozen, validated options: what a network is, and how samples are drawn from it."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any, Literal, SupportsFloat, SupportsIndex

from synth.common.errors import UsageError, require
from synth.common.labels import LabelSet
from synth.common.limits import MAX_NETWORK_RATE, MAX_TOP_K, MIN_NETWORK_RATE

_OPTIONAL = {"stride", "period", "hints", "phases"}  # integers of a network's config that files lack where they are 0

NetworkKind = Literal["generator", "steered", "tokens", "corrector"]
"""What a network's codes are, and what they depend on beside each other.

generator: mu-law codes of samples, which depend on labels alone. steered: mu-law codes with conditioning, a voice's
network. tokens: codes are tokens, as a planner's. corrector: mu-law codes with hints from outside (`codec.lossless`).
"""


@dataclass(frozen=True)
class ModelConfig:
    """Sizes of the two-tier network and of its linear predictor.

    `hop`: samples a frame. `window`: past samples that the frame tier reads. `frame_units`, `sample_units`,
    `head_units`: widths of the frame GRU, the sample GRU and the hidden layer before the tree. `order`, `decay`: length
    of the least-squares predictor and its forgetting factor a sample. `labels`: keys with their known values.
    `stride`: network frames that a conditioning vector of the frame tier lasts, 0 without conditioning. `period`:
    tokens of a token frame, 0 where codes are samples. `hints`: codes of each sample that come from outside, 0 but in a
    corrector. `phases`: 1 where the sample tier reads the phase of a pitch that comes with the conditioning vector.
    `kind` says which of them there are.
    """

    sample_rate: int
    hop: int = 16
    window: int = 32
    frame_units: int = 192
    sample_units: int = 128
    head_units: int = 64
    order: int = 16
    decay: float = 0.99
    labels: LabelSet = LabelSet()
    stride: int = 0
    period: int = 0
    hints: int = 0
    phases: int = 0

    def __post_init__(self) -> None:
        bounds = f"must be {MIN_NETWORK_RATE} to {MAX_NETWORK_RATE}"
        require(MIN_NETWORK_RATE <= self.sample_rate <= MAX_NETWORK_RATE, f"sample rate {self.sample_rate}: {bounds}")
        require(self.hop == 16, f"hop {self.hop}: must be 16")
        for name, most in (("window", 256), ("frame_units", 1024), ("sample_units", 1024), ("head_units", 256)):
            value = getattr(self, name)
            require(16 <= value <= most and value % 16 == 0, f"{name} {value}: must be a multiple of 16, 16 to {most}")
        require(self.order in (16, 32), f"order {self.order}: must be 16 or 32")
        require(0.9 <= self.decay < 1.0, f"decay {self.decay}: must be 0.9 to below 1")
        self.labels.check()
        require(0 <= self.stride <= 64, f"stride {self.stride}: must be 0 to 64")
        require(self.period in (0, 1, 2, 4, 8, 16), f"period {self.period}: must be 0, 1, 2, 4, 8 or 16")
        require(self.hints in (0, *range(2, 9)), f"hints {self.hints}: must be 0, or 2 to 8")
        alone = not (self.stride or self.period or self.labels)
        require(not self.hints or alone, "a network with hints has no labels, is not steered and not over tokens")
        require(self.phases in (0, 1), f"phases {self.phases}: must be 0 or 1")
        reads = f"phases {self.phases}: only a steered network reads phases, this one is a {self.kind}"
        require(not self.phases or self.kind == "steered", reads)

    @property
    def kind(self) -> NetworkKind:
        """What the network's codes are. One over tokens may be conditioned too (`is_conditioned`)."""
        if self.hints:
            return "corrector"
        if self.period:
            return "tokens"
        return "steered" if self.stride else "generator"

    @property
    def is_conditioned(self) -> bool:
        """Whether the frame tier takes a conditioning vector every `stride` frames."""
        return self.stride > 0

    @property
    def codes_are_samples(self) -> bool:
        """Whether the network predicts its codes linearly: those of a generator or of a voice's network."""
        return self.kind in ("generator", "steered")

    def to_json(self) -> dict[str, Any]:
        """A dict that `json` can write and `from_json` reads back; what is optional is left out where it is 0."""
        data = {**dataclasses.asdict(self), "labels": self.labels.to_json()}
        return {name: value for name, value in data.items() if value or name not in _OPTIONAL}

    @classmethod
    def from_json(cls, data: Any) -> ModelConfig:
        """The config in `data`; raises UsageError when a name, type or range is wrong."""
        fields = {field.name: field.type for field in dataclasses.fields(cls)}
        named = isinstance(data, dict) and set(data) | _OPTIONAL == set(fields)
        require(named, "network config: its names are not the known ones")
        data = {**dict.fromkeys(_OPTIONAL, 0), **data}
        for name, kind in fields.items():
            if kind == "int":
                require(type(data[name]) is int, f"network config: {name} must be an integer")
        require(type(data["decay"]) is float, "network config: decay must be a number")
        try:
            labels = LabelSet.from_json(data["labels"])
        except (TypeError, ValueError):
            raise UsageError("network config: labels must be a list of [key, values]") from None
        return cls(**{**data, "labels": labels})


@dataclass(frozen=True)
class SamplingConfig:
    """How a sample is drawn, in integers, as the engines take it.

    `inverse_temperature`: 4096 / temperature, 0 is greedy. `top_k`: 1 to 256. `top_p`: in 2^-32. `eases_at_rest`: while
    the sound is at rest (`sampling.at_rest`) it is drawn no more strictly than by `sampling.REST`, so that it does not
    stay there for good.
    """

    inverse_temperature: int = 4096
    top_k: int = 256
    top_p: int = 1 << 32
    eases_at_rest: bool = False

    @classmethod
    def of(cls, temperature: float = 1.0, top_k: int = 256, top_p: float = 1.0) -> SamplingConfig:
        """The same from what a person gives; UsageError when one is out of range.

        The temperature divides the logit of each of the tree's binary decisions (0 takes the likelier branch at each);
        top-k and top-p then choose among the 256 probabilities that the tempered tree multiplies out to.
        """
        for name, value in (("temperature", temperature), ("top-p", top_p)):
            require(
                isinstance(value, SupportsFloat) and not isinstance(value, bool), f"{name} {value!r}: must be a number"
            )
        require(
            math.isfinite(temperature) and temperature >= 0, f"temperature {temperature}: must be 0 or more, finite"
        )
        require(isinstance(top_k, SupportsIndex), f"top-k {top_k!r}: must be an integer from 1 to {MAX_TOP_K}")
        require(1 <= top_k <= MAX_TOP_K, f"top-k {top_k}: must be 1 to {MAX_TOP_K}")
        require(0 < top_p <= 1, f"top-p {top_p}: must be above 0, at most 1")
        inverse = 0 if temperature == 0 else min(max(1, round(4096 / max(temperature, 1e-6))), 1 << 24)
        return cls(inverse, int(top_k), max(1, int(top_p * 4294967296.0)))
