"""What the tests of commands share: a small checkpoint of random weights, and commands in processes of their own."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
import tempfile
import wave
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import synth
from helpers import networks
from synth.cli import entry
from synth.common.labels import LabelSet
from synth.engine.config import ModelConfig
from synth.generation import checkpoint

LABELS = LabelSet((("digit", tuple("0123456789")), ("speaker", ("anna", "bert"))))
TINY = ModelConfig(8000, frame_units=16, sample_units=16, head_units=16, labels=LABELS)
_COMMANDS = {"generate-audio": "generate_audio_main", "synth": "main"}


@functools.cache
def tiny_checkpoint(seed: int = 1) -> str:
    """The path of a checkpoint of random weights with the labels digit and speaker; removed when the tests end."""
    path = Path(_folder().name) / f"tiny-{seed}.safetensors"
    tensors = networks.random_tensors(TINY, seed)
    tensors["head.tree.shift"][:], tensors["head.tree.scale"][1:] = 5, 16384  # no branch is certain, ...
    tensors["head.tree.bias"][1:] = np.random.default_rng(seed).normal(0, 1500, 255)  # ... but most are uneven
    checkpoint.save(path, TINY, tensors, {"licence": "none", "corpus": "noise"})
    return str(path)


@functools.cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory()


def command(name: str, *arguments: object) -> list[str]:
    """What to start for the command `name`, in this interpreter."""
    code = f"import sys; from synth.cli.entry import {_COMMANDS[name]} as run; sys.exit(run())"
    return [sys.executable, "-c", code, *map(str, arguments)]


def run(name: str, *arguments: object, **options: Any) -> subprocess.CompletedProcess[bytes]:
    """A command's exit code, stdout and stderr (bytes), after at most a minute."""
    environment = {**os.environ, **options.pop("env", {})}
    return subprocess.run(command(name, *arguments), capture_output=True, timeout=60, env=environment, **options)


def generate(*arguments: object, **options: Any) -> subprocess.CompletedProcess[bytes]:
    """`generate-audio` with the small checkpoint."""
    return run("generate-audio", "-c", tiny_checkpoint(), *arguments, **options)


def error_line(done: subprocess.CompletedProcess[bytes], code: int, name: str = "generate-audio") -> str:
    """The one line on stderr of a command that failed with `code` and wrote nothing to stdout."""
    text = done.stderr.decode()
    assert done.returncode == code, f"exit code {done.returncode}: {text}"
    assert done.stdout == b""
    assert text.count("\n") == 1 and text.startswith(f"{name}: error: "), text
    return text


def call(*arguments: object) -> int:
    """`generate-audio` in this process."""
    return entry.generate_audio_main(["-c", tiny_checkpoint(), *map(str, arguments)])


def samples(path: str) -> NDArray[np.int16]:
    """The samples (n,) of a WAV file of one channel at 8 kHz."""
    with wave.open(path) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, 8000)
        return np.frombuffer(file.readframes(file.getnframes()), "<i2")


def made(**options: Any) -> NDArray[np.int16]:
    """What the small model generates, as 16-bit samples."""
    return (synth.load(tiny_checkpoint()).generate(**options) * 32768).astype(np.int16)
