"""Samples a second of this machine: streams alone, together and on threads, instruction sets, sizes, PyTorch."""

from __future__ import annotations

import os
import platform
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from threading import Event
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synth import engine
from synth.benchmarking import timing
from synth.common import threads as parallel
from synth.common.errors import UsageError
from synth.common.extras import training_extra
from synth.engine.config import Draw, ModelConfig
from synth.engine.layout import layout
from synth.generation import checkpoint, generate, stream
from synth.generation import model as sampler

SIZES = ((192, 128, 1.0), (288, 192, 1.0), (384, 256, 1.0), (192, 256, 0.25))
"""Frame units, sample units, and the share of the sample tier's recurrent blocks that are not zero; head 32."""
_TORCH_SAMPLES = 1500
_FILE_SECONDS = 10
Row = dict[str, Any]


def run(name: str, threads: int | None, baseline: str | None) -> dict[str, Any]:
    """What `synth bench --json` reports: the median speed of each thing, and its spread, (most - least) / median.

    `ratio`, where a row has one, is its speed over that of the row that `over` names. `milliseconds` is a duration.
    """
    loaded = checkpoint.load(name)
    if loaded.voice is not None:
        raise UsageError(f"{name}: is a voice; bench measures networks that go by the samples alone, as digits-plain")
    torch = _baseline() if baseline else None
    cores = threads or os.cpu_count() or 1
    rows = [*_streams(sampler.Model(loaded), cores)]
    one = rows[0]
    if one["engine"] == "native":
        rows += _sets(loaded)
        rows += _sizes(loaded)
        rows.append(_one("reference engine", sampler.Model(loaded, "reference").engine))
    for title, speeds in torch(loaded, _TORCH_SAMPLES) if torch else []:
        rows.append(_against(one, _row(title, speeds, 1, 1, "torch", "torch")))
    return {"results": rows, "processor": processor()}


def _streams(model: sampler.Model, cores: int) -> Iterator[Row]:
    """The checkpoint itself: one stream, several, given samples, a file, a start."""
    one = _one("one stream, one thread", model.engine)
    yield one
    if model.engine.name == "native":
        for count in (2, 8):
            yield _against(one, _together(f"{count} streams, one thread", model.engine, count))
        pair = _together("", model.engine, 2)
        crowd = _threads(f"{2 * cores} streams, {cores} threads", model, cores)
        yield _against({**pair, "name": "2 streams, one thread, measured just before"}, crowd)
        state, codes = model.engine.state(), np.full(1 << 12, 128, np.uint8)
        forced = timing.measure(lambda: model.engine.force(state, codes), len(codes))
        yield _against(one, _native("given samples (score, compress)", forced, 1, 1, model.engine))
        yield _against(one, _product("the recurrent product alone", model.engine))
    yield _against(one, _file(model))
    yield _start(model)


def _sets(loaded: checkpoint.Checkpoint) -> Iterator[Row]:
    for name in engine.instruction_sets():
        with _forced(name):
            yield _one(f"one stream, {name}", engine.create(loaded.config, loaded.tensors))


def _sizes(loaded: checkpoint.Checkpoint) -> Iterator[Row]:
    """Networks of random weights, on every instruction set, and the recurrent product alone on the best."""
    for frame, sample, density in SIZES:
        config = ModelConfig(loaded.config.sample_rate, frame_units=frame, sample_units=sample, head_units=32)
        tensors = random_tensors(config, density, loaded)
        title = f"random weights {frame}/{sample}" + (f", {density:.0%} of the blocks" if density < 1 else "")
        for name in engine.instruction_sets():
            with _forced(name):
                player = engine.create(config, tensors)
                row = _one(f"{title}, {name}", player)
                yield row
        yield _against(row, _product(f"{title}, product alone", player))
        yield _against(row, _together(f"{title}, 8 streams, one thread", player, 8))


def random_tensors(config: ModelConfig, density: float, loaded: checkpoint.Checkpoint) -> dict[str, NDArray[Any]]:
    """Tensors of `config` with random weights, and tables and constants of the predictor from `loaded`.

    Of the matrices that training prunes a share `density` of the blocks of 4 columns is kept in each tile of 16 rows.
    """
    random = np.random.default_rng(0)
    tensors: dict[str, NDArray[Any]] = {}
    for name, (kind, shape) in layout(config).items():
        low, high = (-127, 128) if kind == "int8" else (10, 400) if name.endswith(".scale") else (-1000, 1000)
        tensors[name] = random.integers(low, high, shape).astype(kind)
        if name.endswith(".shift"):
            tensors[name][:] = 3
    blocks = config.sample_units // 4
    for weight in (tensors["sample.recurrent.weight"], tensors["head.dense.weight"]):
        for row in range(0, len(weight), 16):
            for column in random.permutation(blocks)[round(blocks * density) :]:
                weight[row : row + 16, 4 * column : 4 * column + 4] = 0
    known = {key: value for key, value in loaded.tensors.items() if key.startswith(("table.", "predictor."))}
    start = np.zeros(config.order)
    start[:2] = 1.5, -0.75
    return {**tensors, **known, "predictor.start": start}


def _one(title: str, player: Any) -> Row:
    state = player.state(1)
    count = 1 << 12 if player.name == "native" else 1 << 6
    speeds = timing.measure(lambda: player.generate(state, count, Draw()), count)
    return _native(title, speeds, 1, 1, player)


def _product(title: str, player: Any) -> Row:
    """The sample tier's recurrent product, in the order of reads that a stream has: the least that a step takes."""
    state = player.state(1)
    return _native(title, timing.measure(lambda: player.product(state, 1 << 10), 1 << 10), 1, 1, player)


def _together(title: str, player: Any, count: int) -> Row:
    states = [player.state(seed) for seed in range(count)]
    speeds = timing.measure(lambda: player.generate_together(states, 1 << 12, Draw()), count << 12)
    return _native(title, speeds, count, 1, player)


def _threads(title: str, model: sampler.Model, threads: int) -> Row:
    """Pairs of streams, a pair a thread."""
    pairs = [[model.start(Draw(), seed=2 * k + seed) for seed in range(2)] for k in range(threads)]

    def draw() -> None:
        parallel.each(lambda pair: stream.codes_together(pair, 1 << 17), pairs, threads, Event())

    return _native(title, timing.measure(draw, 2 * threads << 17), 2 * threads, threads, model.engine)


def _file(model: sampler.Model) -> Row:
    """What `generate-audio` reports of a file: kernel, Python, WAV, until it is in its place."""
    native = model.engine.name == "native"
    with tempfile.TemporaryDirectory() as folder:
        request = generate.Request(
            os.path.join(folder, "out.wav"),
            str(model.checkpoint.path),
            duration=_FILE_SECONDS if native else 0.02,
            seed=1,
            force=True,
            engine=model.engine.name,
        )
        speeds = [generate.generate(request, _silent)["samples_per_second"] for _ in range(timing.REPEATS)]
    return _native("one stream into a file (generate-audio)", speeds, 1, 1, model.engine)


def _silent(_: int | None) -> AbstractContextManager[Callable[[int], None]]:
    """No progress bar."""
    return nullcontext(lambda samples: None)


def _start(model: sampler.Model) -> Row:
    """A stream made, primed with 100 ms, its first 10 ms given."""
    prime, first = np.full(model.sample_rate // 10, 130, np.uint8), model.sample_rate // 100

    def begin() -> None:
        model.start(Draw(), seed=1, prime=prime).codes(first)

    speeds = timing.measure(begin, len(prime) + first)
    row = _native("a stream made, primed with 100 ms, its first 10 ms", speeds, 1, 1, model.engine)
    return {**row, "milliseconds": 1000 * (len(prime) + first) / row["samples_per_second"]}


def _baseline() -> Callable[[checkpoint.Checkpoint, int], list[tuple[str, list[float]]]]:
    """What steps the same network in PyTorch and gives samples a second; SynthError where there is no torch."""
    with training_extra("--baseline torch"):
        from synth.benchmarking import torch_baseline

        return torch_baseline.speeds


def _native(title: str, speeds: list[float], streams: int, threads: int, player: Any) -> Row:
    return _row(title, speeds, streams, threads, player.instruction_set, player.name)


def _row(title: str, speeds: list[float], streams: int, threads: int, instruction_set: str, kind: str) -> Row:
    median, spread = timing.summary(speeds)
    return {
        "name": title,
        "samples_per_second": median,
        "spread": spread,
        "streams": streams,
        "threads": threads,
        "instruction_set": instruction_set,
        "engine": kind,
    }


def _against(other: Row, row: Row) -> Row:
    """`row` with its speed over the other's."""
    return {**row, "ratio": row["samples_per_second"] / other["samples_per_second"], "over": other["name"]}


@contextmanager
def _forced(instruction_set: str) -> Iterator[None]:
    """SYNTH_ISA set to a set, and put back."""
    before = os.environ.get("SYNTH_ISA")
    os.environ["SYNTH_ISA"] = instruction_set
    try:
        yield
    finally:
        if before is None:
            del os.environ["SYNTH_ISA"]
        else:
            os.environ["SYNTH_ISA"] = before


def processor() -> str:
    """The processor's name, as the system tells it, and how many cores there are."""
    name = platform.processor() or platform.machine()
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
            name = next((line.partition(":")[2].strip() for line in file if line.startswith("model name")), name)
    except OSError:
        pass
    return f"{name}, {os.cpu_count()} cores"
