"""Which network listens while a file is coded: by name, by the digest in a file, or the best of a short trial."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from synth import engine
from synth.checkpoint import fingerprint
from synth.codec import lossless
from synth.common import limits
from synth.common.errors import CheckpointError

if TYPE_CHECKING:
    from synth.engine import Engine

AUTO, NONE = "auto", "none"
TRIAL = 16384
"""Samples of a file, of all channels, on which networks are tried."""
TRIAL_LEVEL = "balanced"
LARGE = 192
"""Units of the sample tier from which a corrector is large."""


@dataclass(frozen=True)
class Network:
    """A checkpoint that listens. `digest`: the first bytes of the SHA-256 of its file."""

    name: str
    digest: bytes
    engine: Engine


@functools.lru_cache(maxsize=8)
def named(name_or_path: str) -> Network:
    """The network of a bundled name or a path; CheckpointError."""
    from synth.checkpoint import registry
    from synth.generation import checkpoint

    loaded = checkpoint.load(name_or_path)
    if loaded.voice is not None:
        other = registry.instead(name_or_path, "generator")
        raise CheckpointError(
            f"{name_or_path}: is a voice, which can't listen; --mode parametric takes it, else give {other}"
        )
    return Network(loaded.name, fingerprint.short(loaded.sha256), engine.create(loaded.config, loaded.tensors))


def check(name: str, level: str) -> str:
    """What `-c` means at a level: "none" for "auto" where no network can listen; CheckpointError for what can't be.

    Without the compiled engine a trial would take minutes: "auto" is "none" then too.
    """
    if name == AUTO and not engine.has_native():
        return NONE
    if level != limits.LEVELS[0]:
        if name not in (AUTO, NONE):
            named(name)
        return name
    if name not in (AUTO, NONE):
        raise CheckpointError(f"{name}: level {level} takes no checkpoint; {' and '.join(limits.LEVELS[1:])} do")
    return NONE


def file_of(name: str | None, *words: str) -> str | None:
    """The file that `-c` means, as `checkpoint.file_of`; None for `words`, which name none."""
    if name is None or name in words:
        return None
    from synth.checkpoint import registry

    return registry.file_of(name)


def by_digest(digest: bytes, given: Iterable[str] = ()) -> Network:
    """The one that a file names, of the paths `given` and of those that are bundled; CheckpointError for none."""
    from synth.checkpoint import registry

    given = list(given)
    for name in (*given, *registry.names()):
        path = registry.find(name)
        if digest_of(path) == digest:
            if named(str(path)).digest != digest:
                named.cache_clear()  # the file has changed since it was read
            return named(str(path))
    raise CheckpointError(f"was made with the checkpoint {not_here(digest, given)}")


def not_here(digest: bytes, given: Iterable[str]) -> str:
    """Which checkpoint a file needs, that is neither bundled nor `given`, for an error."""
    from synth.checkpoint import registry

    others = [f"{name} is another ({digest_of(registry.find(name)).hex()})" for name in given]
    return f"whose SHA-256 begins with {digest.hex()}, which is not here; {'; '.join([*others, 'give it with -c'])}"


def digest_of(path: Path) -> bytes:
    """What stands in a file for the checkpoint at `path`."""
    return fingerprint.short(fingerprint.of_file(path))


def level_of(sample_units: int) -> str:
    """The level that a corrector of so many units learns from and is tried at: a large one would slow balanced down."""
    return limits.LEVELS[-1] if sample_units >= LARGE else limits.LEVELS[1]


def candidates(level: str) -> list[Path]:
    """The bundled checkpoints that `auto` tries at a level: of each name of a corrector the newest.

    Networks that generate can listen too, but correctors, which begin with all that the adaptive predictors know, were
    better on all validation files. Large ones are for level max alone; there others are better where sound is of no
    kind that they have heard.
    """
    from synth.checkpoint import registry

    found = []
    for name in dict.fromkeys(name.rpartition("-")[0] for name in registry.names()):
        path = registry.find(name)
        config = registry.config_of(path)
        if config.get("hints") and level in (limits.LEVELS[-1], level_of(config.get("sample_units", 0))):
            found.append(path)
    return found


def choose(samples: NDArray[np.int32], bits: int, level: str = TRIAL_LEVEL) -> Network | None:
    """The bundled network that makes the middle of the samples [frames, channels] shortest, or None where none does.

    Tried at level balanced, whatever the `level` is to be: level max takes twice as long and hardly chose better.
    """
    frames = min(len(samples), max(1, TRIAL // samples.shape[1]))
    first = (len(samples) - frames) // 2
    middle = np.ascontiguousarray(samples[first : first + frames])
    best, least = None, len(lossless.encode_segment(middle, bits, TRIAL_LEVEL))
    for path in candidates(level):
        network = named(str(path))
        size = len(lossless.encode_segment(middle, bits, TRIAL_LEVEL, network.engine))
        size += fingerprint.SHORT * frames // len(samples)
        if size < least:
            best, least = network, size
    return best


def describe(digest: bytes) -> str:
    """The bundled name of what a file gives as its checkpoint, "none" for nothing, or the digest."""
    if not digest:
        return NONE
    from synth.checkpoint import registry

    for name in registry.names():
        if digest_of(registry.find(name)) == digest:
            return name
    return digest.hex()
