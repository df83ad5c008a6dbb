"""The rows of the ablation and how one is trained and measured; `.ci/ablate` runs them and writes the table."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch
from accelerate import Accelerator

from synth.common.labels import LabelSet
from synth.data import corpus
from synth import engine
from synth.nn import gru, two_tier, sparsity
from synth.training import optimization
from synth.training.tasks import generator
from synth.audio import mulaw
from synth.engine.config import ModelConfig
from synth.training.config import GeneratorTrainConfig
from synth.data.corpus import Corpus
from synth.training.batches import StreamBatches, validation_rows
from synth.common.errors import UsageError
from synth.training.export import FINE_RATE, integer_bits
from synth.training.optimization import TrainState
from synth.nn.two_tier import TwoTierNetwork
from synth.training.predictor_fit import fit_start, predict_codes, predictor_tensors
from synth.nn.quantization import quantize

RATE, LABELS, SPLIT = 8000, "{digit}_{speaker}_{take}", "test:take=0-4;validation:take=5-6"
SCHEDULE = GeneratorTrainConfig(streams=16, span=4096)  # the batches of the preset tiny: half the time of those of digits
FINE_STEPS = 50
LMS_STEP = 0.006  # the best of a few on training streams

Predict = Callable[[np.ndarray, dict[str, np.ndarray]], tuple[np.ndarray, np.ndarray]]


@dataclasses.dataclass(frozen=True)
class Row:
    """One network: what differs from the base in its config; `bits` of the states that products read, fine-tuned."""

    name: str
    model: dict[str, int] = dataclasses.field(default_factory=dict)
    density: float = 1.0
    predictor: str = "least squares"
    bits: int | None = None
    seed: int = 0

    def config(self, labels: LabelSet = LabelSet()) -> ModelConfig:
        return ModelConfig(RATE, **self.model, labels=labels)


ROWS = (
    Row("base"),
    Row("base, seed 1", seed=1),
    Row("frame 128", {"frame_units": 128}),
    Row("frame 288", {"frame_units": 288}),
    Row("sample 96", {"sample_units": 96}),
    Row("sample 192", {"sample_units": 192}),
    Row("sample 256", {"sample_units": 256}),
    Row("head 32", {"head_units": 32}),
    Row("head 128", {"head_units": 128}),
    Row("order 32", {"order": 32}),
    Row("no predictor", predictor="none"),
    Row("sign-LMS", predictor="sign-LMS"),
    Row("hop 8", {"hop": 8}),
    Row("hop 32", {"hop": 32}),
    Row("8 bits", bits=8),
    Row("7 bits", bits=7),
    Row("6 bits", bits=6),
    Row("192 at 50 %", {"sample_units": 192}, 0.5),
    Row("192 at 25 %", {"sample_units": 192}, 0.25),
    Row("256 at 25 %", {"sample_units": 256}, 0.25),
    Row("256 at 12.5 %", {"sample_units": 256}, 0.125),
    Row("384 at 10 %", {"sample_units": 384}, 0.1),
    Row("together", {"frame_units": 128, "sample_units": 256, "head_units": 128}, 0.15625),
)


def no_predictor(codes: np.ndarray, tensors: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    silent = np.full_like(codes, mulaw.SILENCE)
    return silent, silent


def sign_lms(codes: np.ndarray, tensors: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Predicted and residual codes of a sign-error LMS filter, its step scaled by the loudness of its history."""
    samples = mulaw.decode(codes).astype(np.float64)
    weights = np.tile(tensors["predictor.start"], (len(codes), 1))
    history, last = np.zeros_like(weights), np.full(len(codes), mulaw.SILENCE, np.uint8)
    predicted, residual = np.empty_like(codes), np.empty_like(codes)
    for t in range(codes.shape[1]):
        guess = np.clip(np.floor((weights * history).sum(1) + 0.5), -32768, 32767)
        error = samples[:, t] - guess
        predicted[:, t], residual[:, t] = mulaw.ENCODE[guess.astype(np.int32) + 32768], last
        last = mulaw.ENCODE[np.clip(error, -32768, 32767).astype(np.int32) + 32768]
        scale = np.sqrt((history * history).mean(1)) + 16
        weights += (LMS_STEP * np.sign(error) / scale)[:, None] * history
        history[:, 1:] = history[:, :-1].copy()
        history[:, 0] = samples[:, t]
    return predicted, residual


PREDICTORS: dict[str, Predict] = {"least squares": predict_codes, "none": no_predictor, "sign-LMS": sign_lms}


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
        return corpus.build([corpora / "fsdd-8k"], work / "corpus", RATE, LABELS, False, SPLIT)
    return corpus.open_cache(work / "corpus")


def built_here(row: Row) -> bool:
    """Whether the engine that was imported has the row's hop."""
    try:
        row.config()
    except UsageError:
        return False
    return True


def variant(source: Path, work: Path, hop: int) -> Path:
    """A copy of the sources, built, whose engine has another hop: what users have keeps its one hop."""
    place = work / f"hop-{hop}"
    files = sorted(path for path in (source / "synth").rglob("*") if path.suffix in (".py", ".cpp", ".hpp", ".cmake"))
    stamp = hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()
    if (place / "stamp").exists() and (place / "stamp").read_text() == stamp:
        return place
    shutil.rmtree(place, ignore_errors=True)
    ignored = shutil.ignore_patterns("*.so", "__pycache__")
    shutil.copytree(source / "synth", place / "synth", ignore=ignored)
    shutil.copytree(source / "checkpoints", place / "checkpoints")
    shutil.copy(source / "CMakeLists.txt", place)
    for name, pattern, text in (
        ("engine/kernel.hpp", r"kHop = 16\b", f"kHop = {hop}"),
        ("config.py", r"self\.hop == 16\b", f"self.hop in (16, {hop})"),
    ):
        path = place / "synth" / name
        changed, count = re.subn(pattern, text, path.read_text())
        assert count == 1, f"{name}: {pattern} stands {count} times"
        path.write_text(changed)
    ninja = Path(sys.executable).parent / "ninja"
    tool = ["-G", "Ninja", f"-DCMAKE_MAKE_PROGRAM={ninja}"] if ninja.exists() else []
    configure = ["cmake", "-S", place, "-B", place / "build", *tool, f"-DPython_EXECUTABLE={sys.executable}"]
    for command in (configure, ["cmake", "--build", place / "build", "--target", "inplace", "-j", "1"]):
        subprocess.run(list(map(str, command)), check=True, stdout=subprocess.DEVNULL)
    (place / "stamp").write_text(stamp)
    return place


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
    learner = TrainState.of(config, schedule.seed, torch.device("cpu"))
    with contextlib.ExitStack() as stack:
        stack.enter_context(mock.patch.object(optimization, "predict_codes", PREDICTORS[row.predictor]))
        stack.enter_context(optimization.denormals_flushed())
        if row.bits:
            stack.enter_context(rounding(row.bits))
            learner.load(dict(np.load(work / f"base-{steps}.npz")), 0)
            learner.network.quantized = True
            schedule = dataclasses.replace(schedule, steps=FINE_STEPS, rate=schedule.rate * FINE_RATE, seed=1)
        seconds = _train(learner, schedule, sound, constants, PREDICTORS[row.predictor])
        if row == ROWS[0]:
            weights = {k: v for k, v in learner.arrays().items() if k.startswith("weight.")}
            np.savez(work / f"base-{steps}.npz", **weights)
        learner.network.quantized = True
        rows = validation_rows(sound, "validation")
        found = {"rounded": generator.measure(learner.network, rows, constants)}
        found["rounded_labels"] = generator.measure(learner.network, rows, constants, True)
    if row.predictor == "least squares" and row.bits in (None, 8):
        player = engine.create(config, quantize(learner.network, constants), "native")
        found["integer"], found["integer_labels"] = (integer_bits(player, rows, known) for known in (False, True))
    return {
        **dataclasses.asdict(row),
        "steps": steps,
        **({"fine_steps": FINE_STEPS} if row.bits else {}),
        **sizes(row, learner.network),
        **{name: round(bits, 4) for name, bits in found.items()},
        "seconds_a_step": round(seconds, 3),
    }


def _train(
    learner: TrainState, schedule: GeneratorTrainConfig, sound: Corpus, constants: dict[str, np.ndarray], predict: Predict
) -> float:
    """Train as `synth train` does, without its folder; CPU seconds a step."""
    c, accelerator = schedule, Accelerator(cpu=True)
    batches = StreamBatches(sound, "train", c.streams, c.span, c.windows, c.window, learner.network.config.hop, c.seed)
    began = time.process_time()
    for step in range(c.steps):
        batch = batches.batch(step)
        generator.learn(learner, c, batch, np.stack(predict(batch.heard, constants), 2), accelerator)
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
