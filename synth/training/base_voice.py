"""A trained voice as the beginning of another one: its sizes, its weights in float, its labels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from synth.checkpoint import registry
from synth.common.errors import CheckpointError, UsageError
from synth.common.new_file import write_whole
from synth.engine.config import ModelConfig
from synth.generation import checkpoint
from synth.generation.checkpoint import Checkpoint
from synth.nn.dequantization import Weights, dequantize, dequantize_vocoder, with_labels
from synth.training.run_folder import RunFolder

BASE = "base.safetensors"
"""The voice that a run began from, in its folder."""
SCRATCH = "scratch"
"""Of `--from`: from none."""
RATE = 1e-3
"""The highest learning rate of a network that is trained already."""


def load_voice(path: Any) -> Checkpoint:
    """The checkpoint of a voice; CheckpointError for one that is none."""
    loaded = checkpoint.load(path)
    if loaded.voice is None:
        raise CheckpointError(f"{path}: is no voice; synth train --task vocoder and synth export make one")
    return loaded


def base_of(user_options: Any) -> str | None:
    """The name or path of the voice that accepted options begin from, None for none; UsageError with sizes."""
    base: str | None = user_options.base
    if base in (None, SCRATCH):
        return None
    if user_options.preset:
        raise UsageError(
            f"--preset {user_options.preset}: a voice that begins from another has its sizes; leave out --preset, or"
            " give --from scratch"
        )
    return base


def check_rate(base: str, loaded: Checkpoint, rate: int | None) -> int:
    """The rate of a voice that begins from `base`; UsageError where another was asked for."""
    own = int(loaded.config.sample_rate)
    if rate not in (None, own):
        raise UsageError(
            f"--rate {rate}: {base} is a voice at {own} Hz, to which sounds are resampled; leave out --rate, or give"
            " --from scratch"
        )
    return own


def open_base(folder: RunFolder, base: str) -> Checkpoint:
    """The voice that a run began from: its own copy, which is made the first time."""
    path = folder.path / BASE
    if not path.exists():
        write_whole(path, Path(registry.find(base)).read_bytes())
    return load_voice(path)


def decoder_weights(loaded: Checkpoint, model: ModelConfig) -> Weights:
    """Parameters of a `VocoderNetwork` of `model`, which is `loaded`'s but for its labels."""
    assert loaded.voice is not None
    voice = loaded.voice
    weights = dequantize_vocoder(loaded.config, loaded.tensors, voice.config, voice.tensors)
    return with_labels(weights, loaded.config, model, "network.")


def planner_model(loaded: Checkpoint, labels: Any) -> ModelConfig | None:
    """The planner's sizes where a voice has one for these labels."""
    assert loaded.voice is not None
    planner = loaded.voice.planner
    return planner if planner is not None and planner.labels == labels else None


def planner_weights(loaded: Checkpoint) -> Weights:
    """Parameters of a voice's planner."""
    assert loaded.voice is not None and loaded.voice.planner is not None
    return dequantize(loaded.voice.planner, loaded.voice.planner_tensors)


@torch.no_grad()
def fill(network: torch.nn.Module, weights: Weights) -> None:
    """Gives a network's parameters these weights; those that are not among them stay."""
    own = dict(network.named_parameters())
    for name, weight in weights.items():
        own[name].copy_(torch.from_numpy(weight))
