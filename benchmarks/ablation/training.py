"""How one network of the ablation is trained, and what is measured of it."""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch
from accelerate import Accelerator

import splits
from ablation import predictors
from ablation.rows import RATE, ROWS, Row
from synth import engine
from synth.data import build, corpus
from synth.data.corpus import Corpus
from synth.nn import gru, sparsity, two_tier
from synth.nn.quantization import quantize
from synth.nn.two_tier import TwoTierNetwork
from synth.training import optimization
from synth.training.batches import StreamBatches, validation_rows
from synth.training.config import GeneratorTrainConfig
from synth.training.export.common import FINE_RATE
from synth.training.optimization import TrainState
from synth.training.predictor_fit import fit_start, predict_codes, predictor_tensors
from synth.training.tasks import generator

SCHEDULE = GeneratorTrainConfig(streams=16, span=4096)  # the batches of the preset tiny: half those of digits
FINE_STEPS = 50
PREDICTORS: dict[str, predictors.Predict] = {
    "least squares": predict_codes,
    "none": predictors.silent,
    "sign-LMS": predictors.sign_lms,
}


@contextlib.contextmanager
def rounding(bits: int) -> Iterator[None]:
    """Within it a network with `quantized` set rounds states to `bits` bits."""
    unit = 2 ** (bits - 1)

    def coarse(h: torch.Tensor) -> torch.Tensor:
        return torch.clamp(torch.floor(h * unit + 0.5), -unit, unit - 1) / unit

    with mock.patch.object(gru, "to_eighth", coarse), mock.patch.object(two_tier, "to_eighth", coarse):
        yield


def open_corpus(corpora: Path, work: Path) -> Corpus:
    """The cache of fsdd-8k that all rows share."""
    if not (work / "corpus").exists():
        return build.build([corpora / "fsdd-8k"], work / "corpus", RATE, splits.FSDD_LABELS, False, splits.FSDD_SPLIT)
    return corpus.open_cache(work / "corpus")


def sizes(row: Row, network: TwoTierNetwork) -> dict[str, float]:
    """Parameters that are not zeros, and multiply-accumulates a sample: 32 of the tree's rows, a frame's shared."""
    c = network.config
    weights = [p.detach() for name, p in network.named_parameters() if not name.startswith("frame_labels")]
    shared = 3 * c.frame_units * (c.window + c.frame_units) + 3 * c.sample_units * c.frame_units
    recurrent = int((network.sample_recurrent != 0).sum())
    own = recurrent + c.head_units * c.sample_units + 32 * c.head_units
    return {"parameters": sum(int((w != 0).sum()) for w in weights), "macs": round(shared / c.hop + own)}


def run(row: Row, steps: int, corpora: Path, work: Path) -> dict[str, Any]:
    """Train the row's network for `steps`, or fine-tune the base one of as many steps; its line of the results."""
    sound = open_corpus(corpora, work)
    config = row.config(sound.labels)
    constants = predictor_tensors(config, fit_start(sound, config.order))
    schedule = dataclasses.replace(SCHEDULE, steps=steps, density=row.density, seed=row.seed)
    state = TrainState.two_tier(config, schedule.seed, torch.device("cpu"))
    with contextlib.ExitStack() as stack:
        stack.enter_context(mock.patch.object(generator, "predict_codes", PREDICTORS[row.predictor]))
        stack.enter_context(optimization.denormals_flushed())
        if row.bits:
            stack.enter_context(rounding(row.bits))
            state.load(dict(np.load(work / f"base-{steps}.npz")), 0)
            state.network.quantized = True
            schedule = dataclasses.replace(schedule, steps=FINE_STEPS, rate=schedule.rate * FINE_RATE, seed=1)
        seconds = train(state, schedule, sound, constants, PREDICTORS[row.predictor])
        if row == ROWS[0]:
            weights: Any = {k: v for k, v in state.arrays().items() if k.startswith("weight.")}
            np.savez(work / f"base-{steps}.npz", **weights)
        state.network.quantized = True
        bits = measured(row, state.network, validation_rows(sound, "validation"), constants)
    return {
        **dataclasses.asdict(row),
        "steps": steps,
        **({"fine_steps": FINE_STEPS} if row.bits else {}),
        **sizes(row, state.network),
        **{name: round(value, 4) for name, value in bits.items()},
        "seconds_a_step": round(seconds, 3),
    }


def measured(row: Row, network: TwoTierNetwork, rows: list[Any], constants: predictors.Tensors) -> dict[str, float]:
    """Bits per sample of validation files: of the float network and, where it has what the row needs, of the engine."""
    bits = {
        "rounded": generator.validate(network, rows, constants),
        "rounded_labels": generator.validate(network, rows, constants, True),
    }
    if row.predictor == "least squares" and row.bits in (None, 8):
        player = engine.create(network.config, quantize(network, constants), "native")
        bits["integer"], bits["integer_labels"] = (
            generator.integer_bits(player, rows, known) for known in (False, True)
        )
    return bits


def train(
    state: TrainState[TwoTierNetwork],
    schedule: GeneratorTrainConfig,
    sound: Corpus,
    constants: predictors.Tensors,
    predict: predictors.Predict,
) -> float:
    """Train as `synth train` does, without its folder; CPU seconds a step."""
    c, accelerator = schedule, Accelerator(cpu=True)
    batches = StreamBatches(sound, "train", c.streams, c.span, c.windows, c.window, state.network.config.hop, c.seed)
    began = time.process_time()
    for step in range(c.steps):
        batch = batches.batch(step)
        generator.train_step(state, c, batch, np.stack(predict(batch.input_codes, constants), 2), accelerator)
    return (time.process_time() - began) / c.steps


def random_player(row: Row) -> Any:
    """The native engine with random weights of the row's shape and density."""
    config = row.config()
    torch.manual_seed(0)
    network = TwoTierNetwork(config)
    with torch.no_grad():
        if row.density < 1:
            network.sample_recurrent.mul_(sparsity.block_mask(network.sample_recurrent, row.density))
    return engine.create(config, quantize(network, predictor_tensors(config, np.zeros(config.order))), "native")
