"""A small checkpoint, files made of it by somebody who means harm, and how a refusal must look."""

from __future__ import annotations

import json
import time

import pytest
from safetensors.numpy import save as to_bytes

from helpers.networks import random_tensors
from synth.checkpoint import format
from synth.common.errors import CheckpointError
from synth.common.labels import LabelSet
from synth.common.typing import Tensors
from synth.engine.config import ModelConfig
from synth.generation import checkpoint

LABELS = LabelSet((("digit", ("0", "1", "zwölf")),))
CONFIG = ModelConfig(8000, frame_units=16, sample_units=16, head_units=16, labels=LABELS)
TENSORS = random_tensors(CONFIG, 1)
INFO = {"licence": "CC0", "bits_per_sample": {"test": 4.1}, "note": "é\n"}
DATA = checkpoint.encode(CONFIG, TENSORS, INFO)
HEADER = 8 + int.from_bytes(DATA[:8], "little")


def refused(data: bytes, words: str = ".") -> str:
    """The message of `decode`, which must be one line and come at once."""
    began = time.perf_counter()
    with pytest.raises(CheckpointError, match=words) as error:
        checkpoint.decode(data)
    assert time.perf_counter() - began < 2
    text = str(error.value)
    assert text and "\n" not in text and len(text) < 500
    return text


def forged(config: str | None = None, tensors: Tensors = TENSORS, info: str = "{}", **meta: str) -> bytes:
    """A file with a fitting checksum, whatever is in it: by somebody who means harm."""
    text = json.dumps(CONFIG.to_json()) if config is None else config
    digest = format._digest(str(format.VERSION), text, info, tensors)
    whole = {"format": format.FORMAT, "version": str(format.VERSION), "config": text, "info": info}
    return to_bytes(tensors, {**whole, "digest": digest, **meta})


def with_header(header: bytes, rest: bytes = b"") -> bytes:
    return len(header).to_bytes(8, "little") + header + rest
