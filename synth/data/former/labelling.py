"""The former name of `synth.data.label_rules`, for programs that import it; nothing in the package does."""

from __future__ import annotations

from synth.data.label_rules import Labeller

__all__ = ["Labeller"]
