"""Rows of a plain network: streams alone, together and on threads, instruction sets, sizes, PyTorch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from threading import Event
from typing import Any

import numpy as np

from synth import engine
from synth.benchmarking import timing
from synth.benchmarking.rows import Row, against, file, forced, native, row, start
from synth.common import threads as parallel
from synth.common.extras import training_extra
from synth.common.typing import Tensors
from synth.engine.config import ModelConfig, SamplingConfig
from synth.engine.layout import layout
from synth.generation import checkpoint
from synth.generation.model import Model
from synth.generation.together import codes_together

SIZES = ((192, 128, 1.0), (288, 192, 1.0), (384, 256, 1.0), (192, 256, 0.25))
"""Frame units, sample units, and the share of the sample tier's recurrent blocks that are not zero; head 32."""
_TORCH_SAMPLES = 1500


def measure(loaded: checkpoint.Checkpoint, cores: int, baseline: bool) -> Iterator[Row]:
    """All rows of a plain network; SynthError where PyTorch is to be measured and is not there."""
    torch = _baseline() if baseline else None
    first, *others = _streams(Model(loaded), cores)
    yield from (first, *others)
    if first["engine"] == "native":
        yield from _sets(loaded)
        yield from _sizes(loaded)
        yield _one("reference engine", Model(loaded, "reference").engine)
    for title, speeds in torch(loaded, _TORCH_SAMPLES) if torch else []:
        yield against(first, row(title, speeds, 1, 1, "torch", "torch"))


def _streams(model: Model, cores: int) -> Iterator[Row]:
    """The checkpoint itself: one stream, several, given samples, a file, a start."""
    one = _one("one stream, one thread", model.engine)
    yield one
    if model.engine.name == "native":
        for count in (2, 8):
            yield against(one, _together(f"{count} streams, one thread", model.engine, count))
        pair = _together("", model.engine, 2)
        crowd = _threads(f"{2 * cores} streams, {cores} threads", model, cores)
        yield against({**pair, "name": "2 streams, one thread, measured just before"}, crowd)
        state, codes = model.engine.state(), np.full(1 << 12, 128, np.uint8)
        forced = timing.measure(lambda: model.engine.teacher_force(state, codes), len(codes))
        yield against(one, native("given samples (score, compress)", forced, 1, 1, model.engine))
        yield against(one, _product("the recurrent product alone", model.engine))
    yield against(one, file(model))
    yield start(model)


def _sets(loaded: checkpoint.Checkpoint) -> Iterator[Row]:
    for name in engine.instruction_sets():
        with forced(name):
            yield _one(f"one stream, {name}", engine.create(loaded.config, loaded.tensors))


def _sizes(loaded: checkpoint.Checkpoint) -> Iterator[Row]:
    """Networks of random weights, on every instruction set, and the recurrent product alone on the best."""
    for frame, sample, density in SIZES:
        config = ModelConfig(loaded.config.sample_rate, frame_units=frame, sample_units=sample, head_units=32)
        tensors = random_tensors(config, density, loaded)
        title = f"random weights {frame}/{sample}" + (f", {density:.0%} of the blocks" if density < 1 else "")
        for name in engine.instruction_sets():
            with forced(name):
                player = engine.create(config, tensors)
                alone = _one(f"{title}, {name}", player)
                yield alone
        yield against(alone, _product(f"{title}, product alone", player))
        yield against(alone, _together(f"{title}, 8 streams, one thread", player, 8))


def random_tensors(config: ModelConfig, density: float, loaded: checkpoint.Checkpoint) -> Tensors:
    """Tensors of `config` with random weights, and tables and constants of the predictor from `loaded`.

    Of the matrices that training prunes a share `density` of the blocks of 4 columns is kept in each tile of 16 rows.
    """
    random = np.random.default_rng(0)
    tensors: Tensors = {}
    for name, (kind, shape) in layout(config).items():
        low, high = (-127, 128) if kind == "int8" else (10, 400) if name.endswith(".scale") else (-1000, 1000)
        tensors[name] = random.integers(low, high, shape).astype(kind)
        if name.endswith(".shift"):
            tensors[name][:] = 3
    blocks = config.sample_units // 4
    for weight in (tensors["sample.recurrent.weight"], tensors["head.dense.weight"]):
        for tile in range(0, len(weight), 16):
            for column in random.permutation(blocks)[round(blocks * density) :]:
                weight[tile : tile + 16, 4 * column : 4 * column + 4] = 0
    known = {key: value for key, value in loaded.tensors.items() if key.startswith(("table.", "predictor."))}
    start = np.zeros(config.order)
    start[:2] = 1.5, -0.75
    return {**tensors, **known, "predictor.start": start}


def _one(title: str, player: Any) -> Row:
    state = player.state(1)
    count = 1 << 12 if player.name == "native" else 1 << 6
    speeds = timing.measure(lambda: player.generate(state, count, SamplingConfig()), count)
    return native(title, speeds, 1, 1, player)


def _product(title: str, player: Any) -> Row:
    """The sample tier's recurrent product, in the order of reads that a stream has: the least that a step takes."""
    state = player.state(1)
    return native(title, timing.measure(lambda: player.product(state, 1 << 10), 1 << 10), 1, 1, player)


def _together(title: str, player: Any, count: int) -> Row:
    states = [player.state(seed) for seed in range(count)]
    speeds = timing.measure(lambda: player.generate_together(states, 1 << 12, SamplingConfig()), count << 12)
    return native(title, speeds, count, 1, player)


def _threads(title: str, model: Model, threads: int) -> Row:
    """Pairs of streams, a pair a thread."""
    pairs = [[model.start(SamplingConfig(), seed=2 * k + seed) for seed in range(2)] for k in range(threads)]

    def draw() -> None:
        parallel.each(lambda pair: codes_together(pair, 1 << 17), pairs, threads, Event())

    return native(title, timing.measure(draw, 2 * threads << 17), 2 * threads, threads, model.engine)


def _baseline() -> Callable[[checkpoint.Checkpoint, int], list[tuple[str, list[float]]]]:
    """What steps the same network in PyTorch and gives samples a second; SynthError where there is no torch."""
    with training_extra("--baseline torch"):
        from synth.benchmarking import torch_baseline

        return torch_baseline.speeds
