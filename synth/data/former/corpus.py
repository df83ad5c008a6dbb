"""The former name of corpora in `synth.data`, for programs that import it; nothing in the package does."""

from __future__ import annotations

from synth.data.build import build
from synth.data.corpus import Corpus, Entry, open_cache

__all__ = ["Corpus", "Entry", "build", "open_cache"]
