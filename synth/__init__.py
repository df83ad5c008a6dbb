"""synth: a sample-level GRU as generator, model and measure of raw audio, and a lossless codec.

`synth.load("digits").generate(seconds=2, seed=1)` makes sound, `synth.compress(wave, rate)` compresses it,
`synth.load_classifier().classify(wave, rate)` tells what it is; the commands are `generate-audio` and `synth`.
Importing this package loads neither NumPy nor torch: each name below is imported when it is first used.
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from synth.codec.api import compress, compress_file, decompress, decompress_file
    from synth.common.errors import SynthError
    from synth.generation.loading import load
    from synth.generation.model import Model, Score
    from synth.generation.stream import Stream
    from synth.generation.voice import Voice
    from synth.recognition.classifier import Classifier, Recognition, load_classifier

# names of an older layout, `synth.corpus` and `synth.labelling`; what __path__ begins with depends on the installation
__path__.append(os.path.join(os.path.dirname(__file__), "data", "former"))
__version__ = "0.1.0"
__all__ = ["Model", "Score", "Stream", "SynthError", "Voice", "__version__", "load"]
__all__ += ["compress", "compress_file", "decompress", "decompress_file"]
__all__ += ["Classifier", "Recognition", "load_classifier"]

_HOMES = dict.fromkeys(("Model", "Score"), "generation.model") | {"SynthError": "common.errors"}
_HOMES |= {"Stream": "generation.stream", "Voice": "generation.voice", "load": "generation.loading"}
_HOMES |= dict.fromkeys(("compress", "compress_file", "decompress", "decompress_file"), "codec.api")
_HOMES |= dict.fromkeys(("Classifier", "Recognition", "load_classifier"), "recognition.classifier")


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'synth' has no attribute {name!r}")
    value = getattr(import_module(f"synth.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
