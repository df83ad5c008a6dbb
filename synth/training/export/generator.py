"""A run of the generator to an integer checkpoint: fine-tuning on its own cache, quantisation, measuring."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from numpy.typing import NDArray
from tqdm import tqdm

from synth import engine
from synth.common.errors import RunError
from synth.common.files import check_output
from synth.data.corpus import Corpus, open_cache
from synth.engine.layout import block_density
from synth.generation import checkpoint
from synth.nn.quantization import quantize
from synth.training.batches import Row, StreamBatches, validation_rows
from synth.training.config import GeneratorTrainConfig
from synth.training.optimization import TrainState, denormals_flushed
from synth.training.predictor_fit import predict_codes
from synth.training.run_folder import RunFolder, without_places
from synth.training.tasks.generator import configs, learn, measure

FINE_RATE = 0.3  # of the run's learning rate
REFERENCE_SAMPLES = 20_000  # what is measured where only the slow engine runs


def export(
    run: str | os.PathLike[str],
    out: str | os.PathLike[str],
    steps: int | None = None,
    noise: float = 0.0,
    card: dict[str, str] | None = None,
    force: bool = False,
    quiet: bool = False,
    say: Callable[[str], None] = lambda text: None,
) -> dict[str, Any]:
    """Write the checkpoint `out` from the best weights of `run`, after `steps` of fine-tuning; returns its card.

    With `noise` half of the streams have that much noise while it is fine-tuned (see `StreamBatches`).
    Bits per sample are measured with the integer engine on the run's validation and test files; `float_and_integer` in
    the card compares it with the same network in float, on the same files (at most `most_validation` samples).
    `card` adds facts (corpus, licence, ...). Raises RunError, CorpusError, OutputError.
    """
    check_output(out, force)
    folder = RunFolder(run)
    options = folder.options()
    model, config, constants = configs(options)
    corpus = open_cache(folder.path / "cache")
    arrays, info = folder.load_best()
    learner = TrainState.of(model, config.seed, torch.device("cpu"))
    learner.load({name: value for name, value in arrays.items() if name.startswith("weight.")}, 0)
    fine = config.fine_steps if steps is None else steps
    same = {split: validation_rows(corpus, split, config.most_validation) for split in ("validation", "test")}
    # density 1: no block goes any more; those that are zeros stay zeros
    gentle = dataclasses.replace(config, steps=max(1, fine), rate=config.rate * FINE_RATE, density=1.0)
    with denormals_flushed():
        learner.network.quantized = True
        _fine_tune(learner, gentle, fine, noise, corpus, constants, quiet)
        learner.network.quantized = False
        floats = {split: measure(learner.network, rows, constants) for split, rows in same.items() if rows}
    tensors = quantize(learner.network, constants)
    player = engine.create(model, tensors)
    density = block_density(tensors["sample.recurrent.weight"])
    facts = {**(card or {}), **_history(options, config, corpus, int(info["step"]), fine, noise)}
    if density < 1:
        facts["density"] = round(density, 4)
    facts["bits_per_sample"] = _bits(player, corpus)
    facts["float_and_integer"] = {
        split: [round(bits, 4), round(integer_bits(player, same[split], False), 4)] for split, bits in floats.items()
    }
    for name, bits in facts["bits_per_sample"].items():
        say(f"{name}: {bits} bits per sample")
    for split, (before, after) in facts["float_and_integer"].items():
        say(f"{split}: float network {before}, integer engine {after} on the same files")
    checkpoint.save(out, model, tensors, facts)
    return facts


def _history(
    options: dict[str, Any], config: GeneratorTrainConfig, corpus: Corpus, steps: int, fine: int, noise: float
) -> dict[str, Any]:
    """What a card says of the training."""
    return {
        "files": len(corpus.split("train")),
        "seconds_of_audio": round(corpus.size("train") / corpus.rate),
        "steps": steps,
        "fine_steps": fine,
        "noise": noise,
        "samples_seen": steps * config.streams * config.windows * (config.window - config.warmup),
        "given": without_places(options["given"]),
    }


def _bits(player: Any, corpus: Corpus) -> dict[str, float]:
    """Bits a sample of the validation and test files by the integer engine, without labels and with."""
    found = {}
    for split in ("validation", "test"):
        rows = validation_rows(corpus, split, None if player.name == "native" else REFERENCE_SAMPLES)
        for name, labelled in ((split, False), (f"{split}, labels", True)):
            if rows and (corpus.labels or not labelled):
                found[name] = round(integer_bits(player, rows, labelled), 4)
    return found


def _fine_tune(
    learner: TrainState,
    config: GeneratorTrainConfig,
    steps: int,
    noise: float,
    corpus: Corpus,
    constants: dict[str, NDArray[Any]],
    quiet: bool,
) -> None:
    accelerator = Accelerator(cpu=True)
    c = config
    # seed + 1: other batches than the run saw
    batches = StreamBatches(corpus, "train", c.streams, c.span, c.windows, c.window, 16, c.seed + 1, noise=noise)
    for step in tqdm(range(steps), desc="fine-tuning", unit="step", disable=True if quiet else None):
        batch = batches.batch(step)
        learn(learner, config, batch, np.stack(predict_codes(batch.heard, constants), 2), accelerator)


def integer_bits(player: Any, rows: list[Row], labelled: bool) -> float:
    """Bits a sample of files by the integer engine, each from a fresh state, all samples counted."""
    total = count = 0
    for codes, label in rows:
        state = player.state()
        if labelled:
            state.labels = label
        total += int(player.teacher_force(state, codes).astype(np.uint64).sum())
        count += len(codes)
    if not count:
        raise RunError("no samples to measure")
    return total / 65536 / count
