"""What a vocoder is and how it is trained: frozen, validated options."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from synth.audio.features import FeatureConfig
from synth.audio.pitch import LOW_RATE
from synth.common.errors import UsageError, require
from synth.engine.config import ModelConfig

CODES = 256
"""Entries of a codebook."""
TAPS = 3
"""Token frames that a layer of the conditioner sees: the one before, its own, the next."""
PITCH_LATENTS = 2
"""Latents that are the pitch, in a voice with a tonal bed: its mean in a token frame, and its bend within."""
BEDS = ("tones", "notes")
"""Sizes of beds, of which a voice has one at most."""
LOOKAHEAD = 2
"""Token frames after its own that a frame's conditioning depends on: one a layer."""


@dataclass(frozen=True)
class VocoderConfig:
    """Sizes of the encoder, the quantizers and the conditioner around a network.

    `mels`: bands of the log-mel features, 25 ms windows every 10 ms. A token frame is two of them, 20 ms: `quantisers`
    tokens of 8 bits, whose codebook entries add up to `latent` numbers. `parts`: conditioning vectors a token frame.
    `encoder_units`, `units`: widths of encoder and conditioner. `tones`: places at which the level of harmonics is
    known, 0 for a voice without a tonal bed; with one the first two latents, and the first token, are the pitch.
    `notes`: places of a scale at which levels are known, 0 for a voice without a note bed; no voice has both.
    """

    mels: int = 64
    latent: int = 32
    quantisers: int = 8
    parts: int = 2
    encoder_units: int = 128
    units: int = 128
    tones: int = 0
    notes: int = 0

    def __post_init__(self) -> None:
        require(8 <= self.mels <= 128, f"mels {self.mels}: must be 8 to 128")
        require(4 <= self.latent <= 256, f"latent {self.latent}: must be 4 to 256")
        require(1 <= self.quantisers <= 16, f"quantisers {self.quantisers}: must be 1 to 16")
        require(1 <= self.parts <= 8, f"parts {self.parts}: must be 1 to 8")
        for name in ("encoder_units", "units"):
            require(16 <= getattr(self, name) <= 1024, f"{name} {getattr(self, name)}: must be 16 to 1024")
        require(self.tones in (0, *range(16, 97)), f"tones {self.tones}: must be 0, or 16 to 96")
        require(self.notes in (0, *range(48, 109)), f"notes {self.notes}: must be 0, or 48 to 108")
        require(not (self.tones and self.notes), "tones and notes: a voice has one of them at most")
        require(not self.has_bed or self.parts == 2, f"parts {self.parts}: must be 2 with a bed")
        require(not self.tones or self.quantisers > 1, "quantisers 1: must be 2 or more with a tonal bed")

    @property
    def has_bed(self) -> bool:
        """Whether sines lie under the network's sound; then latents are principal components."""
        return self.tones > 0 or self.notes > 0

    @property
    def inputs(self) -> int:
        """Numbers of a feature frame: log-mel bands; with a bed levels of tones or notes; pitch and voicing."""
        return self.mels + (self.tones + 2 if self.tones else self.notes)

    @property
    def targets(self) -> int:
        """Numbers of a feature frame that are read off latents: all but the pitch."""
        return self.mels + (self.tones + 1 if self.tones else self.notes)

    @property
    def pitch_latents(self) -> int:
        """How many latents, the first, are the pitch."""
        return PITCH_LATENTS if self.tones else 0

    @property
    def learned(self) -> int:
        """How many latents the encoder's network gives: all, or all but those of the pitch."""
        return self.latent - self.pitch_latents

    @property
    def lookahead(self) -> int:
        """Token frames after its own that must be known for a frame's sound."""
        return LOOKAHEAD + (1 if self.has_bed else 0)

    def to_json(self) -> dict[str, Any]:
        """A dict that `json` can write and `from_json` reads back; sizes of beds are left out where they are 0."""
        return {name: value for name, value in dataclasses.asdict(self).items() if value or name not in BEDS}

    @classmethod
    def from_json(cls, data: Any) -> VocoderConfig:
        """The config in `data`; raises UsageError when a name, type or range is wrong."""
        names = {field.name for field in dataclasses.fields(cls)}
        named = isinstance(data, dict) and set(data) | set(BEDS) == names
        require(named, "vocoder config: its names are not the known ones")
        for name in data:
            require(type(data[name]) is int, f"vocoder config: {name} must be an integer")
        return cls(**data)


@dataclass(frozen=True)
class PostfilterConfig:
    """The filter after a voice's network. `units`: width of the envelope's layers; `passes`: 1 to 4."""

    units: int = 160
    passes: int = 3

    def __post_init__(self) -> None:
        require(16 <= self.units <= 1024, f"postfilter units {self.units}: must be 16 to 1024")
        require(1 <= self.passes <= 4, f"postfilter passes {self.passes}: must be 1 to 4")

    def to_json(self) -> dict[str, Any]:
        """A dict that `json` can write and `from_json` reads back."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, data: Any) -> PostfilterConfig:
        """The config in `data`; raises UsageError when a name, type or range is wrong."""
        require(isinstance(data, dict) and set(data) == {"units", "passes"}, "postfilter config: not the known names")
        require(all(type(value) is int for value in data.values()), "postfilter config: must be integers")
        return cls(**data)


def features_of(config: VocoderConfig, rate: int) -> FeatureConfig:
    """The log-mel features that the encoder takes, at `rate`."""
    return FeatureConfig(sample_rate=rate, features="logmel", mels=config.mels, coefficients=8)


def token_hop(rate: int) -> int:
    """Samples of a token frame: two hops of the features."""
    return 2 * FeatureConfig(sample_rate=rate).hop


def stride_of(config: VocoderConfig, model: ModelConfig) -> int:
    """Frames of the network that one conditioning vector lasts; UsageError where they do not fit the token frame."""
    hop, part = token_hop(model.sample_rate), model.hop * config.parts
    if hop % part or hop // part > 64 or (config.tones and model.sample_rate % LOW_RATE):
        raise UsageError(
            f"rate {model.sample_rate}: a vocoder's token frame of {hop} samples must be a multiple of {part}, as at"
            " 8000, 16000, 24000, 32000 or 48000"
        )
    return hop // part
