"""A run of a corrector to an integer checkpoint: fine-tuning on its traces, quantisation, measuring with the codec."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from tqdm import tqdm

from synth import engine
from synth.codec import lossless, network_choice
from synth.codec.encoder import SECONDS
from synth.common.errors import RunError
from synth.common.files import check_output
from synth.data.corpus import Corpus, open_cache
from synth.engine import Engine
from synth.generation import checkpoint
from synth.nn.quantization import quantize
from synth.training import corrector_traces
from synth.training.export.generator import FINE_RATE
from synth.training.optimization import denormals_flushed
from synth.training.run_folder import RunFolder, without_places
from synth.training.tasks.corrector import configs, learn, measure, new, validation

MEASURED = 1 << 21
"""Most samples of a split that are coded to measure it."""


def export(
    run: str | os.PathLike[str],
    out: str | os.PathLike[str],
    steps: int | None = None,
    card: dict[str, str] | None = None,
    force: bool = False,
    quiet: bool = False,
    say: Callable[[str], None] = lambda text: None,
) -> dict[str, Any]:
    """Write the checkpoint `out` from the best weights of `run`, after `steps` of fine-tuning; returns its card.

    `lossless_bits_per_sample` in the card: of validation and test files, coded without the network and with it at the
    level that it is for, each file from its beginning, no container. Raises RunError, CorpusError, OutputError.
    """
    check_output(out, force)
    if not engine.has_native():
        raise RunError(f"a corrector is measured with the native engine: {engine.ADVICE}")
    folder = RunFolder(run)
    options = folder.options()
    model, config = configs(options)
    corpus = open_cache(folder.path / "cache")
    arrays, info = folder.load_best()
    learner = new(model, config.seed, torch.device("cpu"))
    learner.load({name: value for name, value in arrays.items() if name.startswith("weight.")}, 0)
    fine = config.fine_steps if steps is None else steps
    level = network_choice.effort_of(model.sample_units)
    rows = validation(corrector_traces.of(corpus, "validation", level, quiet), config.most_validation)
    # seed + 1: other batches than the run saw
    gentle = dataclasses.replace(config, steps=max(1, fine), rate=config.rate * FINE_RATE, seed=config.seed + 1)
    with denormals_flushed():
        learner.network.quantized = True
        if fine:
            found, accelerator = corrector_traces.of(corpus, "train", level, quiet), Accelerator(cpu=True)
            for _ in tqdm(range(fine), desc="fine-tuning", unit="step", disable=True if quiet else None):
                learn(learner, gentle, found, accelerator)
        rounded = measure(learner.network, rows) if rows else 0.0
    tensors = quantize(learner.network, {})
    facts: dict[str, Any] = {
        **(card or {}),
        "files": len(corpus.split("train")),
        "seconds_of_audio": round(corpus.size("train") / corpus.rate),
        "steps": int(info["step"]),
        "fine_steps": fine,
        "samples_seen": int(info["step"]) * config.streams * config.windows * (config.window - config.warmup),
        "given": without_places(options["given"]),
        "gain_of_validation": round(-rounded, 4),
        "lossless_bits_per_sample": _bits(engine.create(model, tensors, "native"), corpus, level),
    }
    for name, bits in facts["lossless_bits_per_sample"].items():
        say(f"{name}: {bits} bits per sample")
    checkpoint.save(out, model, tensors, facts)
    return facts


def _bits(network: Engine, corpus: Corpus, level: str) -> dict[str, float]:
    """Bits a sample of validation and test files, without the network and with it."""
    found = {}
    for split in ("validation", "test"):
        entries = corpus.split(split)
        every = max(1, -(-corpus.size(split) // MEASURED))
        sounds = [corpus.samples(entry, 0, SECONDS * corpus.rate) for entry in entries[every // 2 :: every]]
        count = sum(map(len, sounds))
        for name, listening in ((f"{split}, none", None), (split, network)):
            size = 0
            for sound in sounds:
                size += len(lossless.encode_segment(sound.astype(np.int32)[:, None], 16, level, listening))
            if count:
                found[name] = round(8 * size / count, 4)
    return found
