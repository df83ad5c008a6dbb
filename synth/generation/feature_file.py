"""A voice's features in `.npy` files, mapped and checked."""

from __future__ import annotations

import os

import numpy as np

from synth.common import files
from synth.common.errors import AudioError
from synth.common.typing import AnyArray, Float32
from synth.vocoder.config import VocoderConfig
from synth.vocoder.tonal import check_shape, checked_features
from synth.vocoder.vocoder import PIECE

CHANGED = "has changed while it was read"


class FeatureFile:
    """Features in a `.npy` file, all checked when it is opened; AudioError where the voice of `config` can't use them.

    The file is mapped for a moment at a time: one that is cut short while it is mapped would
    end the process.
    """

    def __init__(self, path: str, config: VocoderConfig) -> None:
        self.path, self.config = path, config
        mel = read_features(path)
        check_shape(mel, config, path)
        self.frames, self._state = len(mel), self._now()
        for start in range(0, self.frames, PIECE):
            self.read(start, start + PIECE)

    def read(self, first: int, last: int) -> Float32:
        """Features `first` to `last`, float32 (even count, inputs); of an odd number the last one twice."""
        mel = read_features(self.path)
        if self._now() != self._state or len(mel) != self.frames:
            raise AudioError(f"{self.path}: {CHANGED}")
        return checked_features(np.array(mel[first:last]), self.config, self.path)

    def _now(self) -> tuple[int, ...]:
        try:
            state = os.stat(self.path)
        except OSError:
            raise AudioError(f"{self.path}: {CHANGED}") from None
        return state.st_ino, state.st_size, state.st_mtime_ns


def read_features(path: str) -> AnyArray:
    """The array in a `.npy` file, mapped; AudioError when there is none that can be used."""
    files.check_input(path)
    try:
        # a header that promises more than the file has is an error, not that much memory
        with np.errstate(all="ignore"):
            return np.lib.format.open_memmap(path, mode="r")
    except OSError as error:
        raise AudioError(f"{path}: can't be read ({error.strerror or error})") from None
    except Exception:  # of NumPy's parser of headers, whatever a stranger's file makes it raise
        raise AudioError(f"{path}: is no NumPy array (.npy, without objects)") from None
