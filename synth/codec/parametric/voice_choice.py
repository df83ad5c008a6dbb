"""Which voice codes and decodes a file of mode parametric: by name, or by the digest in a file."""

from __future__ import annotations

import functools
from collections.abc import Iterable

from synth.checkpoint import registry
from synth.codec import network_choice
from synth.common.errors import CheckpointError
from synth.generation.loading import load_voice as load_model
from synth.generation.voice import Voice

DEFAULT_VOICE = "speech"


@functools.lru_cache(maxsize=2)
def load_voice(name_or_path: str) -> Voice:
    """The voice of a bundled name or a path, kept for the next call; CheckpointError for what is none."""
    return load_model(name_or_path, taker="mode parametric")


def choose_voice(checkpoint: str | None) -> Voice:
    """The voice that `-c` means for coding; CheckpointError for none, and for one without planner."""
    if checkpoint == network_choice.NONE:
        raise CheckpointError("none: mode parametric is nothing without a voice")
    name = DEFAULT_VOICE if checkpoint in (None, network_choice.AUTO) else checkpoint
    model = load_voice(name)
    if model.runtime.planner is None:
        raise CheckpointError(f"{name}: has no planner; mode parametric takes a voice with one, as {DEFAULT_VOICE}")
    return model


def find_by_digest(digest: bytes, paths: Iterable[str], name: str) -> Voice:
    """The voice that the file `name` needs, of those at `paths` and the bundled ones; CheckpointError for none."""
    paths = list(paths)
    for candidate in (*paths, *registry.names()):
        path = registry.find(candidate)
        if network_choice.digest_of(path) == digest:
            return load_voice(str(path))
    raise CheckpointError(f"{name}: was made with the voice {network_choice.describe_missing(digest, paths)}")
