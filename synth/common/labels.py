"""Label keys with their known values, and the ids under which networks know them."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from synth.common.errors import UsageError, require

LabelIds = tuple[int, ...]
"""One id a key, in the order of the keys: 0 is none, 1 the first value."""


def _known(value: str, values: tuple[str, ...]) -> int | None:
    """The place of a value, of which Unicode's form does not matter (NFC, NFD); None where it isn't there."""
    if value in values:
        return values.index(value)
    composed = [unicodedata.normalize("NFC", known) for known in values]
    value = unicodedata.normalize("NFC", value) if isinstance(value, str) else value
    return composed.index(value) if value in composed else None


@dataclass(frozen=True)
class LabelSet(Mapping[str, tuple[str, ...]]):
    """What a network or a corpus can be asked for: keys, each with its values, both in an order that counts.

    A mapping of keys to values, as `{"digit": ("0", "1"), "speaker": ("ann", "bob")}`; two sets are equal when keys and
    values are the same in the same order. Not to be confused with what a person asks for, one or more values of a key.
    """

    pairs: tuple[tuple[str, tuple[str, ...]], ...] = ()

    def __getitem__(self, key: str) -> tuple[str, ...]:
        for name, values in self.pairs:
            if name == key:
                return values
        raise KeyError(key)

    def __iter__(self) -> Iterator[str]:
        return (key for key, _ in self.pairs)

    def __len__(self) -> int:
        return len(self.pairs)

    def check(self) -> None:
        """UsageError for more keys or values than a network can have, and for one that stands twice."""
        require(len(self) <= 16, f"{len(self)} label keys: at most 16")
        for key, values in self.pairs:
            require(0 < len(values) <= 4096, f"label {key}: must have 1 to 4096 values")
            require(len(set(values)) == len(values), f"label {key}: has a value twice")
        require(len(set(self)) == len(self), "a label key stands twice")

    def ids(self, labels: Mapping[str, str]) -> LabelIds:
        """The ids of `labels`, one value a key, keys without a value 0; UsageError for a key or value not known."""
        for key, value in labels.items():
            if key not in self:
                have = ", ".join(self) if self else "none: this checkpoint was trained without labels"
                raise UsageError(f"label key {key!r} is not known; known keys: {have}")
            if _known(value, self[key]) is None:
                raise UsageError(f"label {key}={value} is not known; known values: {', '.join(self[key])}")
        places = [(_known(labels[key], values) if key in labels else None) for key, values in self.pairs]
        return tuple(0 if place is None else place + 1 for place in places)

    def names(self, ids: LabelIds) -> dict[str, str]:
        """The values of ids by key, without the keys whose id is 0."""
        return {key: values[number - 1] for (key, values), number in zip(self.pairs, ids, strict=True) if number}

    def to_json(self) -> list[Any]:
        """[[key, [value, ...]], ...], which `from_json` reads back."""
        return [[key, list(values)] for key, values in self.pairs]

    @classmethod
    def from_json(cls, data: Any) -> LabelSet:
        """The set in `data`, values as texts; TypeError or ValueError for anything that is no list of [key, values]."""
        return cls(tuple((str(key), tuple(str(value) for value in values)) for key, values in data))
