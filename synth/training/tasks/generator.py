"""Training the generator: its network, batches, measures and auditions, for the loop in `train`."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

import numpy as np
import torch
from accelerate import Accelerator
from numpy.typing import NDArray
from torch import Tensor

from synth import engine
from synth.audio.mulaw import decode
from synth.audio.writer import AudioWriter
from synth.common.errors import RunError, UsageError
from synth.data import corpus as corpora_module
from synth.data.corpus import Corpus
from synth.engine.config import ModelConfig, SamplingConfig
from synth.nn import sparsity
from synth.nn.quantization import quantize
from synth.nn.two_tier import TREE_LIMIT, TwoTierNetwork
from synth.training.batches import Batch, Row, StreamBatches, validation_rows
from synth.training.config import GeneratorTrainConfig
from synth.training.optimization import TrainState, optimizer_step
from synth.training.predictor_fit import fit_start, predict_codes, predictor_tensors
from synth.training.run_folder import RunFolder
from synth.training.tasks.base import VERSION, show_bits

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


def batch_loss(
    network: TwoTierNetwork,
    batch: Batch,
    inputs: NDArray[np.uint8],
    warmup: int,
    window: int,
    given: Tensor | None = None,
) -> Tensor:
    """Mean bits a sample over the windows of a batch.

    `inputs` (streams, span, 2) predicted and residual codes; `given` (frames, streams, 3 frame units) for the gates.
    """
    device, hop = network.frame_bias.device, network.config.hop
    codes = torch.from_numpy(batch.codes).to(device).long()
    heard = torch.from_numpy(batch.heard).to(device).long()
    condition, _ = network.frames(heard, torch.from_numpy(batch.labels).to(device), network.start(len(codes)), given)
    starts = torch.from_numpy(batch.windows).to(device).flatten()
    streams = torch.arange(len(codes), device=device).repeat_interleave(batch.windows.shape[1])
    places = starts + torch.arange(window, device=device)[:, None]  # (window, rows)
    padded = torch.cat([network.start(len(codes)).codes[:, :1], heard], 1)
    given = torch.from_numpy(inputs).to(device).long()[streams, places]
    rows = torch.cat([padded[streams, places][:, :, None], given], 2)
    frames = starts // hop + torch.arange(window // hop, device=device)[:, None]
    zeros = network.frame_bias.new_zeros(len(streams), network.config.sample_units)
    logits, _ = network.samples(rows, condition[frames, streams], zeros)
    settled = torch.arange(window, device=device)[:, None] >= torch.where(starts == 0, 0, warmup)
    counted = settled & (places >= torch.from_numpy(batch.first).to(device)[streams])
    bits = network.bits(logits, codes[streams, places])
    return (bits * counted).sum() / counted.sum().clamp_min(1)


def learn(
    learner: TrainState[TwoTierNetwork],
    config: GeneratorTrainConfig,
    batch: Batch,
    inputs: NDArray[np.uint8],
    accelerator: Accelerator,
) -> float:
    """One step of the generator; returns its mean bits a sample over all processes, as `optimizer_step` does."""
    network = learner.network
    kept = [(matrix, sparsity.zero_mask(matrix)) for matrix in (network.sample_recurrent, network.dense)]
    mean = optimizer_step(
        learner, config, batch_loss(network, batch, inputs, config.warmup, config.window), accelerator, kept
    )
    with torch.no_grad():
        network.tree.clamp_(-TREE_LIMIT, TREE_LIMIT)
        due = config.density < 1 and sparsity.is_due(learner.step, config.steps)
        for matrix, mask in kept:
            matrix.mul_(mask)  # moments from before a block went would bring it back
            if due:
                matrix.mul_(
                    sparsity.block_mask(matrix, sparsity.density_at(learner.step, config.steps, config.density))
                )
    return mean


@torch.inference_mode()
def measure(network: TwoTierNetwork, rows: list[Row], tensors: dict[str, NDArray[Any]], labels: bool = False) -> float:
    """Bits a sample of files (from `validation_rows`), each from a fresh state, all samples counted."""
    total, count, hop = 0.0, 0, network.config.hop
    device = network.frame_bias.device
    ordered = sorted(rows, key=lambda row: len(row[0]))
    for at in range(0, len(ordered), 64):
        group = ordered[at : at + 64]
        longest = -(-max(len(codes) for codes, _ in group) // hop) * hop
        codes = np.full((len(group), longest), 128, np.uint8)
        known = np.zeros((len(group), longest // hop, len(network.config.labels)), np.int64)
        for place, (row, label) in enumerate(group):
            codes[place, : len(row)] = row
            if labels:
                known[place] = label
        given = np.stack(predict_codes(codes, tensors), 2)
        inside = torch.arange(longest) < torch.tensor([len(row) for row, _ in group])[:, None]
        state = network.start(len(group))
        for start in range(0, longest, 4096):  # memory stays bounded for long files
            part = slice(start, min(start + 4096, longest))
            bits, state = network(
                torch.from_numpy(codes[:, part]).to(device).long(),
                torch.from_numpy(given[:, part]).to(device).long(),
                torch.from_numpy(known[:, part.start // hop : part.stop // hop]).to(device),
                state,
            )
            total += float((bits.double() * inside[:, part].to(device)).sum())
        count += int(inside.sum())
    return total / max(1, count)


DEFAULT_PRESET = "digits"
AUDITION_SECONDS = 2


def configs(options: dict[str, Any]) -> tuple[ModelConfig, GeneratorTrainConfig, dict[str, NDArray[Any]]]:
    """Network, schedule and predictor constants of a run's options; RunError when they can't be read."""
    try:
        if options["version"] != VERSION:
            raise RunError(f"run.json: of version {options['version']}; this synth goes on with {VERSION}")
        model = ModelConfig.from_json(options["model"])
        config = GeneratorTrainConfig(**options["train"])
        start = np.array(options["start"], np.float64)
        if start.shape != (model.order,) or not isinstance(options["given"], dict):
            raise ValueError("its start weights or options are not whole")
        return model, config, predictor_tensors(model, start)
    except (KeyError, TypeError, ValueError, UsageError) as error:
        raise RunError(f"run.json: not the options of a run of this version ({error})") from None


class GeneratorTask:
    """The two-tier network learns to predict samples; see `task.Task`."""

    name: ClassVar[str] = "generate"
    unit: ClassVar[str] = "bits per sample"
    given: ClassVar[tuple[str, ...]] = (
        "corpora",
        "preset",
        "rate",
        "labels",
        "split",
        "trim",
        "steps",
        "seed",
        "density",
    )

    def __init__(self, folder: RunFolder, options: dict[str, Any], device: torch.device) -> None:
        self.model, self.config, self.tensors = configs(options)
        self.corpus: Corpus = corpora_module.open_cache(folder.path / "cache")
        c = self.config
        self.batches = StreamBatches(
            self.corpus, "train", c.streams, c.span, c.windows, c.window, self.model.hop, c.seed
        )
        self.rows: list[Row] = validation_rows(self.corpus, "validation", c.most_validation)
        self.learner = TrainState.of(self.model, c.seed, device)

    @staticmethod
    def _preset(given: dict[str, Any]) -> tuple[ModelConfig, GeneratorTrainConfig]:
        preset = given.get("preset") or DEFAULT_PRESET
        if preset not in PRESETS:
            raise UsageError(f"preset {preset}: must be {', '.join(PRESETS)}")
        return PRESETS[preset]

    @staticmethod
    def rate(given: dict[str, Any]) -> int:
        """The rate that was given, or the preset's."""
        model, _ = GeneratorTask._preset(given)
        return int(given["rate"] or model.sample_rate)

    @staticmethod
    def begin(given: dict[str, Any], corpus: Corpus) -> dict[str, Any]:
        """Sizes and schedule of the preset with what was given, the corpus's labels, the predictor's start."""
        model, config = GeneratorTask._preset(given)
        density = config.density if given["density"] is None else given["density"]
        config = dataclasses.replace(
            config, steps=given["steps"] or config.steps, seed=given["seed"] or 0, density=density
        )
        model = dataclasses.replace(model, sample_rate=corpus.rate, labels=corpus.labels)
        start = fit_start(corpus, model.order)
        return {"model": model.to_json(), "train": dataclasses.asdict(config), "start": start.tolist()}

    @staticmethod
    def made_with(options: dict[str, Any]) -> dict[str, Any]:
        """The options of `given`, defaults included."""
        model, config, _ = configs(options)
        given = options["given"]
        known = {"preset": given.get("preset") or DEFAULT_PRESET, "rate": model.sample_rate}
        known |= {"steps": config.steps, "seed": config.seed, "density": config.density}
        return {**{key: given.get(key) for key in ("corpora", "labels", "split", "trim")}, **known}

    def step(self, accelerator: Accelerator) -> float:
        """One step; returns its bits per sample."""
        batch = self.batches.batch(self.learner.step, accelerator.process_index, accelerator.num_processes)
        inputs = np.stack(predict_codes(batch.heard, self.tensors), 2)
        return learn(self.learner, self.config, batch, inputs, accelerator)

    def measure(self) -> dict[str, float]:
        """Bits per sample of the validation files, without labels and with: one that ignores its labels shows here."""
        if not self.rows:
            return {}
        found = {"validation": measure(self.learner.network, self.rows, self.tensors)}
        if self.model.labels:
            found["validation_labels"] = measure(self.learner.network, self.rows, self.tensors, True)
        return found

    def settled(self) -> bool:
        """No block is left to go: a network that still loses blocks is better than it will be."""
        return sparsity.is_settled(self.learner.step, self.config.steps, self.config.density)

    def show(self, board: Any, record: dict[str, Any], folder: RunFolder) -> None:
        """Curves, and two seconds from silence by the integer engine, also as audition-STEP.wav."""
        wave = self._audition(record["step"], folder)
        show_bits(board, record)
        sound = torch.from_numpy(wave.astype(np.float32) / 32768)[None]
        board.add_audio("audition", sound, record["step"], self.model.sample_rate)

    def _audition(self, step: int, folder: RunFolder) -> NDArray[np.int16]:
        player = engine.create(self.model, quantize(self.learner.network, self.tensors))
        seconds = AUDITION_SECONDS if player.name == "native" else 0.1
        codes = player.generate(
            player.state(self.config.seed), round(seconds * self.model.sample_rate), SamplingConfig()
        )
        wave = decode(codes)
        with AudioWriter(folder.path / f"audition-{step}.wav", self.model.sample_rate, force=True) as out:
            out.write(wave)
        return wave
