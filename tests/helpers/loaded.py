"""Which modules a piece of code loads."""

from __future__ import annotations

import subprocess
import sys

HEAVY = {"torch", "torchaudio", "accelerate", "tensorboard"}
"""Imported inside of functions, or by the modules of training alone."""


def loaded_by(code: str) -> set[str]:
    """Top-level packages, and modules of synth, that are loaded after `code` in a new interpreter."""
    tail = "\nimport sys; print('\\n' + ' '.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code + tail], capture_output=True, text=True, check=True, timeout=60)
    return set(done.stdout.splitlines()[-1].split())
