"""What a classifier is: frozen, validated options, and the tensors that belong to them."""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass
from typing import Any

from synth.audio.features import FeatureConfig
from synth.common.errors import UsageError, require

NETS, KINDS = ("gru", "cnn"), ("class", "tags")
UNITS = {"gru": 64, "cnn": 96}
"""Widths of the networks that `synth train` makes."""
CHANNELS = (16, 32, 48)
"""Of the convolutions over bands and time, each with half the bands of the one before, the first half the frames."""
RESERVED = ("path",)
"""Names that the JSON of `synth classify` has for something else."""


@dataclass(frozen=True)
class Target:
    """What a sound is classified by. `kind` "class": one of `values`; "tags": any of them.

    `speaker_dependent` (`voice` in files): pitch and tempo are part of it, as of a speaker: sounds whose speed or pitch
    was changed teach nothing of it.
    """

    name: str
    kind: str
    values: tuple[str, ...]
    speaker_dependent: bool = False

    def __post_init__(self) -> None:
        require(self.name not in RESERVED, f"target {self.name}: the name is taken; rename the label")
        require(self.kind in KINDS, f"target {self.name}: kind {self.kind!r} is not {' or '.join(KINDS)}")
        require(0 < len(self.values) <= 4096, f"target {self.name}: must have 1 to 4096 values")
        require(len(set(self.values)) == len(self.values), f"target {self.name}: has a value twice")

    @property
    def uses_feature_stats(self) -> bool:
        """Whether its output layer also gets what cepstral mean and variance normalization removes from the features.

        Speakers differ in these means and deviations, and tags may be of steady sounds.
        """
        return self.speaker_dependent or self.kind == "tags"


@dataclass(frozen=True)
class ClassifierConfig(FeatureConfig):
    """Features and sizes of a classifier.

    `net`: "cnn", convolutions over bands and time, or "gru", both ways over time. `units`: its width. `embedding`: the
    width of the layer that all targets are told from.
    """

    net: str = "cnn"
    units: int = 96
    embedding: int = 96
    targets: tuple[Target, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.net in NETS, f"net {self.net}: must be {' or '.join(NETS)}")
        for name in ("units", "embedding"):
            require(8 <= getattr(self, name) <= 1024, f"{name} {getattr(self, name)}: must be 8 to 1024")
        require(len(self.targets) <= 16, f"{len(self.targets)} targets: at most 16")
        require(len({target.name for target in self.targets}) == len(self.targets), "a target stands twice")

    def to_json(self) -> dict[str, Any]:
        """A dict that `json` can write and `from_json` reads back."""
        data = dataclasses.asdict(self)
        for target in data["targets"]:
            target["voice"] = target.pop("speaker_dependent")  # its name in files
        return data

    @classmethod
    def from_json(cls, data: Any) -> ClassifierConfig:
        """The config in `data`; raises UsageError when a name, type or range is wrong."""
        kinds = {field.name: field.type for field in dataclasses.fields(cls)}
        require(isinstance(data, dict) and set(data) == set(kinds), "classifier config: its names are not known")
        for name, kind in kinds.items():
            want = {"int": int, "str": str}.get(str(kind), list)
            require(isinstance(data[name], want | tuple), f"classifier config: {name} has a wrong type")
        try:
            targets = tuple(
                Target(str(t["name"]), str(t["kind"]), tuple(str(v) for v in t["values"]), bool(t["voice"]))
                for t in data["targets"]
            )
        except (TypeError, KeyError):
            raise UsageError("classifier config: targets must be a list of name, kind, values, voice") from None
        return cls(**{**data, "targets": targets})


def tags_of(text: str) -> tuple[str, ...]:
    """The tags of a cell that has them with ";" between them."""
    return tuple(tag for tag in (part.strip() for part in re.split(";", text)) if tag)


def conv_bands(bands: int) -> int:
    """Bands that are left after the convolutions."""
    for _ in CHANNELS:
        bands = (bands + 1) // 2
    return bands


def shapes(config: ClassifierConfig) -> dict[str, tuple[int, ...]]:
    """The tensors of a classifier, by the names of its parameters in PyTorch."""
    tensors: dict[str, tuple[int, ...]] = {}

    def layer(name: str, *shape: int) -> None:
        tensors[f"{name}.weight"], tensors[f"{name}.bias"] = shape, shape[:1]

    units, width = config.units, config.units if config.net == "cnn" else 2 * config.units
    if config.net == "cnn":
        for place, (a, b) in enumerate(zip((1, *CHANNELS), CHANNELS, strict=False)):
            layer(f"convs.{place}", b, a, 3, 3)
            tensors[f"scales.{place}"] = tensors[f"shifts.{place}"] = (b,)
        layer("last", units, CHANNELS[-1] * conv_bands(config.bands), 3)
    else:
        layer("into", units, 2 * config.bands)
        for place, size in enumerate((units, 2 * units)):
            for way in ("", "_reverse"):
                for part, inputs in (("ih", size), ("hh", units)):
                    tensors[f"grus.{place}.weight_{part}_l0{way}"] = (3 * units, inputs)
                    tensors[f"grus.{place}.bias_{part}_l0{way}"] = (3 * units,)
    tensors["last_norm.weight"] = tensors["last_norm.bias"] = (width,)
    layer("embed", config.embedding, 2 * width)
    if any(target.uses_feature_stats for target in config.targets):
        layer("voice", config.embedding, 2 * config.bands)
    for place, target in enumerate(config.targets):
        layer(f"heads.{place}", len(target.values), config.embedding * (2 if target.uses_feature_stats else 1))
    return tensors
