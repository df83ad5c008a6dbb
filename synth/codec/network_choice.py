"""Which network helps to predict a file's samples: by name, by the digest in a file, or the best of a short trial."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from synth import engine
from synth.checkpoint import fingerprint
from synth.codec import lossless
from synth.common import limits
from synth.common.errors import CheckpointError
from synth.common.typing import Int32

if TYPE_CHECKING:
    from synth.engine import Engine

AUTO, NONE = "auto", "none"
TRIAL = 16384
"""Samples of a file, of all channels, on which networks are tried."""
TRIAL_EFFORT = "balanced"
LARGE = 192
"""Units of the sample tier from which a corrector is large."""


@dataclass(frozen=True)
class CodecPredictor:
    """A checkpoint whose network predicts samples for the codec, or corrects its predictions.

    `digest`: the first bytes of the SHA-256 of its file.
    """

    name: str
    digest: bytes
    engine: Engine


@functools.lru_cache(maxsize=8)
def load_predictor(name_or_path: str) -> CodecPredictor:
    """The network of a bundled name or a path, kept for the next call; CheckpointError for none, and for a voice."""
    from synth.checkpoint import registry
    from synth.generation import checkpoint

    loaded = checkpoint.load(name_or_path)
    if loaded.voice is not None:
        other = registry.instead(name_or_path, "generator")
        raise CheckpointError(
            f"{name_or_path}: is a voice, which can't listen; --mode parametric takes it, else give {other}"
        )
    return CodecPredictor(loaded.name, fingerprint.short(loaded.sha256), engine.create(loaded.config, loaded.tensors))


def resolve(name: str, effort: str) -> str:
    """What `-c` means at an effort: "none" for "auto" where none takes a network; CheckpointError for what can't be.

    Without the compiled engine a trial would take minutes: "auto" is "none" then too.
    """
    if name == AUTO and not engine.has_native():
        return NONE
    if effort != limits.LEVELS[0]:
        if name not in (AUTO, NONE):
            load_predictor(name)
        return name
    if name not in (AUTO, NONE):
        raise CheckpointError(f"{name}: level {effort} takes no checkpoint; {' and '.join(limits.LEVELS[1:])} do")
    return NONE


def file_of(name: str | None, *words: str) -> str | None:
    """The file that `-c` means, as `checkpoint.file_of`; None for `words`, which name none."""
    if name is None or name in words:
        return None
    from synth.checkpoint import registry

    return registry.file_of(name)


def find_by_digest(digest: bytes, paths: Iterable[str] = ()) -> CodecPredictor:
    """The one that a file names, of those at `paths` and those that are bundled; CheckpointError for none."""
    from synth.checkpoint import registry

    paths = list(paths)
    for name in (*paths, *registry.names()):
        path = registry.find(name)
        if digest_of(path) == digest:
            if load_predictor(str(path)).digest != digest:
                load_predictor.cache_clear()  # the file has changed since it was read
            return load_predictor(str(path))
    raise CheckpointError(f"was made with the checkpoint {describe_missing(digest, paths)}")


def describe_missing(digest: bytes, paths: Iterable[str]) -> str:
    """Which checkpoint a file needs, that is neither bundled nor at one of `paths`, for an error."""
    from synth.checkpoint import registry

    others = [f"{name} is another ({digest_of(registry.find(name)).hex()})" for name in paths]
    return f"whose SHA-256 begins with {digest.hex()}, which is not here; {'; '.join([*others, 'give it with -c'])}"


def digest_of(path: Path) -> bytes:
    """What stands in a file for the checkpoint at `path`."""
    return fingerprint.short(fingerprint.of_file(path))


def effort_of(sample_units: int) -> str:
    """The effort that a corrector of so many units is for, and is tried at: a large one would slow balanced down."""
    return limits.LEVELS[-1] if sample_units >= LARGE else limits.LEVELS[1]


def candidates(effort: str) -> list[Path]:
    """The bundled checkpoints that `auto` tries at an effort: of each name of a corrector the newest.

    Networks that generate can predict too, but correctors, which begin with all that the adaptive predictors know,
    were better on all validation files. Large ones are for effort max alone; there others are better where sound is of
    no kind that they were trained on.
    """
    from synth.checkpoint import registry

    paths = []
    for name in dict.fromkeys(name.rpartition("-")[0] for name in registry.names()):
        path = registry.find(name)
        config = registry.config_of(path)
        if config.get("hints") and effort in (limits.LEVELS[-1], effort_of(config.get("sample_units", 0))):
            paths.append(path)
    return paths


def choose(samples: Int32, bits: int, effort: str = TRIAL_EFFORT) -> CodecPredictor | None:
    """The bundled network that makes the middle of the samples [frames, channels] shortest, or None where none does.

    Tried at effort balanced, whatever the `effort` is to be: effort max takes twice as long and hardly chose better.
    """
    frames = min(len(samples), max(1, TRIAL // samples.shape[1]))
    first = (len(samples) - frames) // 2
    middle = np.ascontiguousarray(samples[first : first + frames])
    best, least = None, len(lossless.encode_segment(middle, bits, TRIAL_EFFORT))
    for path in candidates(effort):
        network = load_predictor(str(path))
        size = len(lossless.encode_segment(middle, bits, TRIAL_EFFORT, network.engine))
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
