"""What to say when a command needs what an extra installs, and it isn't installed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from synth.common.errors import SynthError

_TRAINING = ("torch", "torchaudio", "accelerate", "tensorboard")


@contextmanager
def training_extra(what: str) -> Iterator[None]:
    """A missing torch, or one of those that come with it, as an error that says how to install it."""
    try:
        yield
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing not in _TRAINING:
            raise
        raise SynthError(f'{what} needs {missing}: pip install ".[train]"') from None
