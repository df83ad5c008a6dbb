"""Small voices of random weights as files, for tests; without torch."""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Callable
from pathlib import Path

import synth
from helpers import networks
from synth.engine.config import ModelConfig
from synth.generation import checkpoint
from synth.generation.voice import Voice
from synth.vocoder.voice import VoiceParts


class SavedVoice:
    """A voice of each seed, which `parts` and `tensors` of its network give; files are removed when the tests end."""

    def __init__(
        self,
        name: str,
        network: ModelConfig,
        tensors: Callable[[int], networks.Tensors],
        parts: Callable[[int], VoiceParts],
    ) -> None:
        self._name, self._network, self._tensors, self._parts = name, network, tensors, parts
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self.path = functools.cache(self._save)
        """The file of a seed's voice."""
        self.load = functools.cache(self._load)
        """The same as a model. Streams of it share no state, so tests may share it."""

    def _save(self, seed: int = 1) -> str:
        self._folder = self._folder or tempfile.TemporaryDirectory()
        place = Path(self._folder.name) / f"{self._name}-{seed}.safetensors"
        checkpoint.save(place, self._network, self._tensors(seed), {"licence": "none"}, self._parts(seed))
        return str(place)

    def _load(self, engine: str = "auto", seed: int = 1) -> Voice:
        voice = synth.load(self.path(seed), engine)
        assert isinstance(voice, Voice)
        return voice
