"""`synth train --task generate`: a two-tier network learns to predict the samples of sound."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from accelerate import Accelerator

from synth import engine
from synth.audio.mulaw import SILENCE, decode
from synth.audio.writer import AudioWriter
from synth.common.errors import RunError, UsageError
from synth.common.typing import Int16, Int64, Tensors, UInt8
from synth.data.corpus import Corpus, open_cache
from synth.engine.config import ModelConfig, SamplingConfig
from synth.engine.layout import block_density
from synth.generation import checkpoint
from synth.nn import sparsity
from synth.nn.quantization import quantize
from synth.nn.two_tier import TREE_LIMIT, TwoTierNetwork
from synth.training.batches import Row, StreamBatch, StreamBatches, validation_rows
from synth.training.config import GeneratorTrainConfig
from synth.training.export.common import ExportRequest, FinishedRun, fine_tune, fine_tuning
from synth.training.optimization import TrainState, denormals_flushed, optimizer_step
from synth.training.predictor_fit import fit_start, predict_codes, predictor_tensors
from synth.training.run_folder import RunFolder
from synth.training.tasks import having_preset
from synth.training.tasks.base import check_version, log_bits, reading_run_options, resolved
from synth.training.window_loss import batch_loss

PRESETS: dict[str, tuple[ModelConfig, GeneratorTrainConfig]] = {
    "digits": (
        ModelConfig(8000, frame_units=128, sample_units=256, head_units=128),
        GeneratorTrainConfig(steps=3000, every=300, density=0.15625),
    ),
    "piano": (
        ModelConfig(16000, frame_units=256, order=32, decay=0.998),
        GeneratorTrainConfig(span=16384, streams=12, windows=10, steps=1800, every=300),
    ),
    "general": (
        ModelConfig(16000, frame_units=128, sample_units=128, head_units=128),
        GeneratorTrainConfig(steps=6500, span=8192, streams=16, every=500),
    ),
    "tiny": (
        ModelConfig(8000, frame_units=64, sample_units=64, head_units=32),
        GeneratorTrainConfig(steps=1000, span=4096, streams=16, every=200, fine_steps=80, most_validation=100_000),
    ),
}
DEFAULT_PRESET = "digits"
AUDITION_SECONDS = 2
GROUP = 64  # files that are validated together
CHUNK = 4096  # samples of them at once: memory stays bounded for long files
REFERENCE_SAMPLES = 20_000  # what an export measures where only the slow engine runs
SPLITS = ("validation", "test")


@dataclass(frozen=True)
class GeneratorOptions:
    """What a user may say of the training of a generator; None where nothing was said."""

    corpora: list[str] | None = None
    preset: str | None = None
    rate: int | None = None
    labels: str | None = None
    split: str | None = None
    trim: bool | None = None
    steps: int | None = None
    seed: int | None = None
    density: float | None = None


def configs(run_options: dict[str, Any]) -> tuple[ModelConfig, GeneratorTrainConfig, Tensors]:
    """Network, schedule and predictor constants of a run; RunError when they can't be read."""
    with reading_run_options():
        check_version(run_options)
        model = ModelConfig.from_json(run_options["model"])
        start = np.array(run_options["start"], np.float64)
        if start.shape != (model.order,):
            raise ValueError("its start weights are not whole")
        return model, GeneratorTrainConfig(**run_options["train"]), predictor_tensors(model, start)


def preset_of(name: str | None) -> tuple[ModelConfig, GeneratorTrainConfig]:
    """Sizes and schedule of a preset, the default one for None; UsageError when there is none of the name."""
    preset = name or DEFAULT_PRESET
    if preset not in PRESETS:
        raise UsageError(f"preset {preset}: must be {', '.join(PRESETS)} with --task generate{having_preset(preset)}")
    return PRESETS[preset]


class GeneratorTask:
    """The two-tier network learns to predict samples; see `base.Task`."""

    name: ClassVar[str] = "generate"
    unit: ClassVar[str] = "bits per sample"
    accepted_options: ClassVar[type[GeneratorOptions]] = GeneratorOptions

    def __init__(self, folder: RunFolder, run_options: dict[str, Any], device: torch.device) -> None:
        self.model, self.config, self.tensors = configs(run_options)
        self.corpus = open_cache(folder.cache)
        self.batches = batches_of(self.corpus, self.config, self.model.hop, self.config.seed)
        self.rows = validation_rows(self.corpus, "validation", self.config.most_validation)
        self.state = TrainState.two_tier(self.model, self.config.seed, device)

    @staticmethod
    def sample_rate(user_options: GeneratorOptions) -> int:
        """The rate that was given, or the preset's."""
        model, _ = preset_of(user_options.preset)
        return int(user_options.rate or model.sample_rate)

    @staticmethod
    def new_config(user_options: GeneratorOptions, corpus: Corpus) -> dict[str, Any]:
        """Sizes and schedule of the preset with what was given, the corpus's labels, the predictor's start."""
        model, config = preset_of(user_options.preset)
        density = config.density if user_options.density is None else user_options.density
        config = dataclasses.replace(
            config, steps=user_options.steps or config.steps, seed=user_options.seed or 0, density=density
        )
        model = dataclasses.replace(model, sample_rate=corpus.rate, labels=corpus.labels)
        start = fit_start(corpus, model.order)
        return {"model": model.to_json(), "train": dataclasses.asdict(config), "start": start.tolist()}

    @staticmethod
    def resolved_options(run_options: dict[str, Any]) -> dict[str, Any]:
        """The accepted options, defaults included."""
        model, config, _ = configs(run_options)
        return resolved(
            GeneratorOptions,
            run_options,
            preset=run_options["given"].get("preset") or DEFAULT_PRESET,
            rate=model.sample_rate,
            steps=config.steps,
            seed=config.seed,
            density=config.density,
        )

    def train_step(self, accelerator: Accelerator) -> float:
        """One step; returns its bits per sample."""
        batch = self.batches.batch(self.state.step, accelerator.process_index, accelerator.num_processes)
        inputs = np.stack(predict_codes(batch.input_codes, self.tensors), 2)
        return train_step(self.state, self.config, batch, inputs, accelerator)

    def validate(self) -> dict[str, float]:
        """Bits per sample of the validation files, without labels and with: one that ignores its labels shows here."""
        if not self.rows:
            return {}
        bits = {"validation": validate(self.state.network, self.rows, self.tensors)}
        if self.model.labels:
            bits["validation_labels"] = validate(self.state.network, self.rows, self.tensors, True)
        return bits

    def eligible_as_best(self) -> bool:
        """No block is left to go: a network that still loses blocks is better than it will be."""
        return sparsity.is_settled(self.state.step, self.config.steps, self.config.density)

    def log_validation(self, board: Any, record: dict[str, Any], folder: RunFolder) -> None:
        """Curves, and two seconds from silence by the integer engine, also as audition-STEP.wav."""
        wave = self._audition(record["step"], folder)
        log_bits(board, record)
        sound = torch.from_numpy(wave.astype(np.float32) / 32768)[None]
        board.add_audio("audition", sound, record["step"], self.model.sample_rate)

    def _audition(self, step: int, folder: RunFolder) -> Int16:
        player = engine.create(self.model, quantize(self.state.network, self.tensors))
        seconds = AUDITION_SECONDS if player.name == "native" else 0.1
        codes = player.generate(
            player.state(self.config.seed), round(seconds * self.model.sample_rate), SamplingConfig()
        )
        wave = decode(codes)
        with AudioWriter(folder.path / f"audition-{step}.wav", self.model.sample_rate, force=True) as out:
            out.write(wave)
        return wave

    @staticmethod
    def export(request: ExportRequest) -> dict[str, Any]:
        """Write an integer checkpoint, after fine-tuning; returns its card.

        With `noise` half of the streams have that much noise while it is fine-tuned (see `StreamBatches`). Bits per
        sample are measured with the integer engine on the run's validation and test files; `float_and_integer` in the
        card compares it with the same network in float, on the same files (at most `most_validation` samples). Raises
        RunError, CorpusError.
        """
        run = FinishedRun.open(request.run)
        model, config, constants = configs(run.options)
        fine_steps = config.fine_steps if request.steps is None else request.steps
        samples = {split: validation_rows(run.corpus, split, config.most_validation) for split in SPLITS}
        with denormals_flushed():
            network = _fine_tuned(run, request, fine_steps)
            floats = {split: validate(network, rows, constants) for split, rows in samples.items() if rows}
        tensors = quantize(network, constants)
        player = engine.create(model, tensors)
        seen = run.step * config.streams * config.windows * (config.window - config.warmup)
        facts = run.card(request, **run.sound(), fine_steps=fine_steps, noise=request.noise, samples_seen=seen)
        if (density := block_density(tensors["sample.recurrent.weight"])) < 1:
            facts["density"] = round(density, 4)
        facts["bits_per_sample"] = _integer_figures(player, run.corpus)
        facts["float_and_integer"] = {
            split: [round(bits, 4), round(integer_bits(player, samples[split], False), 4)]
            for split, bits in floats.items()
        }
        for name, bits in facts["bits_per_sample"].items():
            request.say(f"{name}: {bits} bits per sample")
        for split, (before, after) in facts["float_and_integer"].items():
            request.say(f"{split}: float network {before}, integer engine {after} on the same files")
        checkpoint.save(request.out, model, tensors, facts)
        return facts


TASK = GeneratorTask


def batches_of(corpus: Corpus, config: GeneratorTrainConfig, hop: int, seed: int, noise: float = 0.0) -> StreamBatches:
    """The batches of a generator's training."""
    sizes = config.streams, config.span, config.windows, config.window
    return StreamBatches(corpus, "train", *sizes, hop, seed, noise=noise)


def train_step(
    state: TrainState[TwoTierNetwork],
    config: GeneratorTrainConfig,
    batch: StreamBatch,
    inputs: UInt8,
    accelerator: Accelerator,
) -> float:
    """One step of the generator; returns its mean bits a sample over all processes, as `optimizer_step` does.

    `inputs` (streams, span, 2): predicted and residual codes of the batch.
    """
    network = state.network
    sparse = sparsity.masked(network)
    loss = batch_loss(network, batch, inputs, config.warmup, config.window)
    mean = optimizer_step(state, config, loss, accelerator, sparse)
    sparsity.prune(sparse, state.step, config.steps, config.density)
    with torch.no_grad():
        network.tree.clamp_(-TREE_LIMIT, TREE_LIMIT)
    return mean


@torch.inference_mode()
def validate(network: TwoTierNetwork, rows: list[Row], tensors: Tensors, labels: bool = False) -> float:
    """Bits a sample of files (from `validation_rows`), each from a fresh state, all samples counted."""
    total, count, hop = 0.0, 0, network.config.hop
    device = network.frame_bias.device
    for codes, label_ids, inside in _groups(network, rows, labels):
        inputs = np.stack(predict_codes(codes, tensors), 2)
        state = network.start(len(codes))
        for start in range(0, codes.shape[1], CHUNK):
            part = slice(start, min(start + CHUNK, codes.shape[1]))
            bits, state = network(
                torch.from_numpy(codes[:, part]).to(device).long(),
                torch.from_numpy(inputs[:, part]).to(device).long(),
                torch.from_numpy(label_ids[:, part.start // hop : part.stop // hop]).to(device),
                state,
            )
            total += float((bits.double() * inside[:, part].to(device)).sum())
        count += int(inside.sum())
    return total / max(1, count)


def _groups(network: TwoTierNetwork, rows: list[Row], labels: bool) -> Iterator[tuple[UInt8, Int64, torch.Tensor]]:
    """Files of like length, padded: codes (files, time), label ids (files, frames, keys), which samples are inside."""
    hop, keys = network.config.hop, len(network.config.labels)
    ordered = sorted(rows, key=lambda row: len(row[0]))
    for at in range(0, len(ordered), GROUP):
        group = ordered[at : at + GROUP]
        longest = -(-max(len(codes) for codes, _ in group) // hop) * hop
        codes = np.full((len(group), longest), SILENCE, np.uint8)
        label_ids = np.zeros((len(group), longest // hop, keys), np.int64)
        for place, (row, ids) in enumerate(group):
            codes[place, : len(row)] = row
            if labels:
                label_ids[place] = ids
        yield codes, label_ids, torch.arange(longest) < torch.tensor([len(row) for row, _ in group])[:, None]


def _fine_tuned(run: FinishedRun, request: ExportRequest, steps: int) -> TwoTierNetwork:
    """The run's network, in float, after `steps` with weights and activations rounded as the engine will."""
    model, config, constants = configs(run.options)
    state = TrainState.two_tier(model, config.seed, torch.device("cpu"))
    state.load(run.weights, 0)
    # density 1: no block goes any more; those that are zeros stay zeros
    schedule = fine_tuning(config, steps, density=1.0)
    # seed + 1: other batches than the run saw
    batches = batches_of(run.corpus, config, 16, config.seed + 1, request.noise)

    def step(number: int, accelerator: Accelerator) -> None:
        batch = batches.batch(number)
        train_step(state, schedule, batch, np.stack(predict_codes(batch.input_codes, constants), 2), accelerator)

    state.network.quantized = True
    fine_tune(steps, step, request.quiet)
    state.network.quantized = False
    return state.network


def _integer_figures(player: Any, corpus: Corpus) -> dict[str, float]:
    """Bits a sample of the validation and test files by the integer engine, without labels and with."""
    figures = {}
    for split in SPLITS:
        rows = validation_rows(corpus, split, None if player.name == "native" else REFERENCE_SAMPLES)
        for name, labelled in ((split, False), (f"{split}, labels", True)):
            if rows and (corpus.labels or not labelled):
                figures[name] = round(integer_bits(player, rows, labelled), 4)
    return figures


def integer_bits(player: Any, rows: list[Row], labelled: bool) -> float:
    """Bits a sample of files by the integer engine, each from a fresh state, all samples counted."""
    total = count = 0
    for codes, label_ids in rows:
        state = player.state()
        if labelled:
            state.labels = label_ids
        total += int(player.teacher_force(state, codes).astype(np.uint64).sum())
        count += len(codes)
    if not count:
        raise RunError("no samples to measure")
    return total / 65536 / count
