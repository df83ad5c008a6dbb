"""From the name or path of a checkpoint to the model that it is."""

from __future__ import annotations

import os

from synth.checkpoint import registry
from synth.common.errors import CheckpointError, UsageError
from synth.generation import checkpoint
from synth.generation.model import Model
from synth.generation.voice import Voice


def load(name_or_path: str | os.PathLike[str] = "digits", engine: str = "auto") -> Model | Voice:
    """The model of a checkpoint: a `Voice` where the checkpoint is one, else a `Model`.

    Parameters
    ----------
    name_or_path
        A name that `synth info` lists, or the path of a `.safetensors` file.
    engine
        "auto" (the native one where it was built), "native" or "reference"; all give the same samples.

    Returns
    -------
    Model or Voice
        Ready to generate.

    Raises
    ------
    CheckpointError
        For a file that is missing, damaged or not of this program.
    EngineError
        For an engine that isn't here.

    Examples
    --------
    >>> import synth
    >>> voice = synth.load("digits")
    >>> voice.sample_rate, voice.generate(seconds=0.1, seed=1, labels={"digit": "7"}).shape
    (8000, (800,))
    """
    return model_of(checkpoint.load(os.fspath(name_or_path)), engine)


def model_of(loaded: checkpoint.Checkpoint, engine: str = "auto") -> Model | Voice:
    """The model of a checkpoint that is loaded already."""
    return Model(loaded, engine) if loaded.voice is None else Voice(loaded, engine)


def load_voice(name_or_path: str, engine: str = "auto", *, taker: str) -> Voice:
    """The model of a voice; CheckpointError for what is none. `taker`: what takes one, for the error."""
    loaded = checkpoint.load(name_or_path)
    if loaded.voice is None:  # in the words that were typed, before anything else is said of the checkpoint
        raise CheckpointError(
            f"{name_or_path}: is no voice; {taker} takes one, as {registry.instead(name_or_path, 'voice')}"
        )
    return Voice(loaded, engine)


def need_plain(model: Model | Voice) -> Model:
    """`model`; UsageError for a voice, whose code lengths are of what conditions it, not of a recording."""
    if isinstance(model, Voice):
        other = registry.instead(model.checkpoint.name, "generator")
        raise UsageError(
            f"{model.checkpoint.name}: is a voice, which is told what to say; a plain network scores: {other}"
        )
    return model
