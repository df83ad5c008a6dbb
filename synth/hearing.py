"""What a recogniser is and how it is trained: frozen, validated options."""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass
from typing import Any

from synth.errors import UsageError, require

FEATURES, NETS, KINDS = ("logmel", "mfcc"), ("gru", "cnn"), ("class", "tags")
UNITS = {"gru": 64, "cnn": 96}
"""Widths of the networks that `synth train` makes."""
CHANNELS = (16, 32, 48)
"""Of the convolutions over bands and time, each with half the bands of the one before, the first half the frames."""
RESERVED = ("path",)
"""Names that the JSON of `synth classify` has for something else."""


@dataclass(frozen=True)
class Target:
    """What is to be told of a sound. `kind` "class": one of `values`; "tags": any of them.

    `voice`: pitch and tempo are part of it, as of a speaker: sounds whose speed or pitch was changed teach nothing of
    it.
    """

    name: str
    kind: str
    values: tuple[str, ...]
    voice: bool = False

    def __post_init__(self) -> None:
        require(self.name not in RESERVED, f"target {self.name}: the name is taken; rename the label")
        require(self.kind in KINDS, f"target {self.name}: kind {self.kind!r} is not {' or '.join(KINDS)}")
        require(0 < len(self.values) <= 4096, f"target {self.name}: must have 1 to 4096 values")
        require(len(set(self.values)) == len(self.values), f"target {self.name}: has a value twice")

    @property
    def coloured(self) -> bool:
        """Told from the features' means and deviations too: of a voice and of tags, which may be steady sounds."""
        return self.voice or self.kind == "tags"


@dataclass(frozen=True)
class HearConfig:
    """Features and sizes of a recogniser.

    `features`: "logmel" (`mels` bands) or "mfcc" (`coefficients` of as many bands), 25 ms windows every 10 ms. `net`:
    "cnn", convolutions over bands and time, or "gru", both ways over time. `units`: its width. `embedding`: the width
    of the layer that all targets are told from.
    """

    sample_rate: int = 8000
    features: str = "logmel"
    mels: int = 40
    coefficients: int = 20
    net: str = "cnn"
    units: int = 96
    embedding: int = 96
    targets: tuple[Target, ...] = ()

    def __post_init__(self) -> None:
        require(1000 <= self.sample_rate <= 384000, f"sample rate {self.sample_rate}: must be 1000 to 384000")
        require(self.features in FEATURES, f"features {self.features}: must be {' or '.join(FEATURES)}")
        require(self.net in NETS, f"net {self.net}: must be {' or '.join(NETS)}")
        require(8 <= self.mels <= 128, f"mels {self.mels}: must be 8 to 128")
        require(8 <= self.coefficients <= self.mels, f"coefficients {self.coefficients}: must be 8 to {self.mels}")
        for name in ("units", "embedding"):
            require(8 <= getattr(self, name) <= 1024, f"{name} {getattr(self, name)}: must be 8 to 1024")
        require(len(self.targets) <= 16, f"{len(self.targets)} targets: at most 16")
        require(len({target.name for target in self.targets}) == len(self.targets), "a target stands twice")

    @property
    def window(self) -> int:
        """Samples of a window, 25 ms."""
        return round(0.025 * self.sample_rate)

    @property
    def hop(self) -> int:
        """Samples from one frame to the next, 10 ms."""
        return round(0.01 * self.sample_rate)

    @property
    def fft(self) -> int:
        """Length of the Fourier transform: the least power of two that holds a window."""
        return 1 << (self.window - 1).bit_length()

    @property
    def bands(self) -> int:
        """Features of a frame."""
        return self.mels if self.features == "logmel" else self.coefficients

    @property
    def shortest(self) -> int:
        """Fewest samples that have features: a window, or what is mirrored at the ends; shorter sounds get zeros."""
        return max(self.window, self.fft // 2 + 1)

    def to_json(self) -> dict[str, Any]:
        """A dict that `json` can write and `from_json` reads back."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, data: Any) -> HearConfig:
        """The config in `data`; raises UsageError when a name, type or range is wrong."""
        kinds = {field.name: field.type for field in dataclasses.fields(cls)}
        require(isinstance(data, dict) and set(data) == set(kinds), "recogniser config: its names are not known")
        for name, kind in kinds.items():
            want = {"int": int, "str": str}.get(str(kind), list)
            require(isinstance(data[name], want | tuple), f"recogniser config: {name} has a wrong type")
        try:
            targets = tuple(
                Target(str(t["name"]), str(t["kind"]), tuple(str(v) for v in t["values"]), bool(t["voice"]))
                for t in data["targets"]
            )
        except (TypeError, KeyError):
            raise UsageError("recogniser config: targets must be a list of name, kind, values, voice") from None
        return cls(**{**data, "targets": targets})


@dataclass(frozen=True)
class HearTrain:
    """How a recogniser trains: `steps` of `batch` sounds, at most `longest` seconds of each; one cosine from `rate`
    down; a validation every `every`. `warp`: half of the sounds (all, when no target is a voice) are heard at speeds
    and pitches of 1/warp to warp. `noise`: share of the sounds that are heard with noise. `mask`: widest stretch of
    bands and of frames that SpecAugment (arXiv 1904.08779) hides.
    """

    steps: int = 2500
    batch: int = 32
    longest: float = 1.0
    rate: float = 3e-3
    every: int = 250
    seed: int = 0
    warp: float = 1.25
    noise: float = 0.5
    mask: int = 6
    smoothing: float = 0.1
    dropout: float = 0.1
    most_validation: int = 2000

    def __post_init__(self) -> None:
        for name in ("steps", "batch", "every", "most_validation"):
            require(1 <= getattr(self, name) <= 10_000_000, f"{name} {getattr(self, name)}: must be 1 or more")
        require(0.1 <= self.longest <= 60, f"longest {self.longest}: must be 0.1 to 60")
        require(0 < self.rate < 1, f"rate {self.rate}: must be above 0, below 1")
        require(1 <= self.warp <= 2, f"warp {self.warp}: must be 1 to 2")
        require(0 <= self.mask <= 64, f"mask {self.mask}: must be 0 to 64")
        require(0 <= self.noise <= 1, f"noise {self.noise}: must be 0 to 1")
        for name in ("smoothing", "dropout"):
            require(0 <= getattr(self, name) < 1, f"{name} {getattr(self, name)}: must be 0 to below 1")


def tags_of(text: str) -> tuple[str, ...]:
    """The tags of a cell that has them with ";" between them."""
    return tuple(tag for tag in (part.strip() for part in re.split(";", text)) if tag)


def conv_bands(bands: int) -> int:
    """Bands that are left after the convolutions."""
    for _ in CHANNELS:
        bands = (bands + 1) // 2
    return bands


def shapes(config: HearConfig) -> dict[str, tuple[int, ...]]:
    """The tensors of a recogniser, by the names of its parameters in PyTorch."""
    found: dict[str, tuple[int, ...]] = {}

    def layer(name: str, *shape: int) -> None:
        found[f"{name}.weight"], found[f"{name}.bias"] = shape, shape[:1]

    units, width = config.units, config.units if config.net == "cnn" else 2 * config.units
    if config.net == "cnn":
        for place, (a, b) in enumerate(zip((1, *CHANNELS), CHANNELS, strict=False)):
            layer(f"convs.{place}", b, a, 3, 3)
            found[f"scales.{place}"] = found[f"shifts.{place}"] = (b,)
        layer("last", units, CHANNELS[-1] * conv_bands(config.bands), 3)
    else:
        layer("into", units, 2 * config.bands)
        for place, size in enumerate((units, 2 * units)):
            for way in ("", "_reverse"):
                for part, inputs in (("ih", size), ("hh", units)):
                    found[f"grus.{place}.weight_{part}_l0{way}"] = (3 * units, inputs)
                    found[f"grus.{place}.bias_{part}_l0{way}"] = (3 * units,)
    found["last_norm.weight"] = found["last_norm.bias"] = (width,)
    layer("embed", config.embedding, 2 * width)
    if any(target.coloured for target in config.targets):
        layer("voice", config.embedding, 2 * config.bands)
    for place, target in enumerate(config.targets):
        layer(f"heads.{place}", len(target.values), config.embedding * (2 if target.coloured else 1))
    return found
