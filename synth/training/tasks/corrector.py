"""`synth train --task corrector`: a network learns what the codec's adaptive mixture leaves to be known.

Where a sample falls in the mixture's cumulative distribution function would be uniform noise if the mixture knew all
(probability integral transform): the network learns the density over 256 bins of it, from the bins of earlier samples
and from hints that the codec gives it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from accelerate import Accelerator
from torch import Tensor

from synth import engine
from synth.codec import lossless, network_choice
from synth.codec.encoder import SECONDS
from synth.codec.lossless.cdf_bins import BIN_STARTS
from synth.common.errors import RunError, UsageError
from synth.common.typing import AnyArray, Int64
from synth.data.corpus import Corpus, open_cache
from synth.engine import Engine
from synth.engine.config import ModelConfig
from synth.generation import checkpoint
from synth.nn.quantization import quantize
from synth.nn.two_tier import TREE_LIMIT, TwoTierNetwork
from synth.training import corrector_traces
from synth.training.config import GeneratorTrainConfig
from synth.training.corrector_batches import CorrectorBatch, batch, padding
from synth.training.corrector_traces import Traces
from synth.training.export.common import ExportRequest, FinishedRun, fine_tune, fine_tuning
from synth.training.optimization import TrainState, denormals_flushed, optimizer_step
from synth.training.run_folder import RunFolder
from synth.training.tasks import having_preset
from synth.training.tasks.base import check_version, log_bits, reading_run_options, resolved
from synth.training.window_loss import counted_samples, window_logits

PRESETS: dict[str, tuple[ModelConfig, GeneratorTrainConfig]] = {
    "small": (
        ModelConfig(16000, frame_units=64, sample_units=96, head_units=64, hints=lossless.HINTS),
        GeneratorTrainConfig(streams=24, span=4096, steps=4000, every=500),
    ),
    "large": (
        ModelConfig(16000, frame_units=128, sample_units=256, head_units=128, hints=lossless.HINTS),
        GeneratorTrainConfig(streams=24, span=4096, steps=2400, every=400),
    ),
}
DEFAULT_PRESET = "small"
GROUP = 48  # segments that are validated together
CHUNK = 4096  # samples of them at once: memory stays bounded for long segments
MAX_MEASURED = 1 << 21
"""Most samples of a split that an export codes to measure it."""


@dataclass(frozen=True)
class CorrectorOptions:
    """What a user may say of the training of a corrector; None where nothing was said."""

    corpora: list[str] | None = None
    preset: str | None = None
    rate: int | None = None
    split: str | None = None
    trim: bool | None = None
    steps: int | None = None
    seed: int | None = None


def configs(run_options: dict[str, Any]) -> tuple[ModelConfig, GeneratorTrainConfig]:
    """Network and schedule of a run; RunError when they can't be read."""
    with reading_run_options():
        check_version(run_options)
        return ModelConfig.from_json(run_options["model"]), GeneratorTrainConfig(**run_options["train"])


def preset_of(name: str | None) -> tuple[ModelConfig, GeneratorTrainConfig]:
    """Sizes and schedule of a preset, the default one for None; UsageError when there is none of the name."""
    preset = name or DEFAULT_PRESET
    if preset not in PRESETS:
        raise UsageError(f"preset {preset}: a corrector's must be {' or '.join(PRESETS)}{having_preset(preset)}")
    return PRESETS[preset]


class CorrectorTask:
    """The two-tier network learns the cdf bins of the codec's mixture; see `base.Task`."""

    name: ClassVar[str] = "corrector"
    unit: ClassVar[str] = "bits per sample more than without"
    accepted_options: ClassVar[type[CorrectorOptions]] = CorrectorOptions

    def __init__(self, folder: RunFolder, run_options: dict[str, Any], device: torch.device) -> None:
        self.model, self.config = configs(run_options)
        corpus, level = open_cache(folder.cache), network_choice.effort_of(self.model.sample_units)
        self.traces = corrector_traces.of(corpus, "train", level, quiet=False)
        held_out = corrector_traces.of(corpus, "validation", level, quiet=False)
        self.segments = validation_segments(held_out, self.config.most_validation)
        self.state = new_state(self.model, self.config.seed, device)

    @staticmethod
    def sample_rate(user_options: CorrectorOptions) -> int:
        """The rate that was given, or the preset's."""
        return int(user_options.rate or preset_of(user_options.preset)[0].sample_rate)

    @staticmethod
    def new_config(user_options: CorrectorOptions, corpus: Corpus) -> dict[str, Any]:
        """Sizes and schedule of the preset with what was given."""
        model, config = preset_of(user_options.preset)
        config = dataclasses.replace(config, steps=user_options.steps or config.steps, seed=user_options.seed or 0)
        model = dataclasses.replace(model, sample_rate=corpus.rate)
        return {"model": model.to_json(), "train": dataclasses.asdict(config)}

    @staticmethod
    def resolved_options(run_options: dict[str, Any]) -> dict[str, Any]:
        """The accepted options, defaults included."""
        model, config = configs(run_options)
        return resolved(
            CorrectorOptions,
            run_options,
            preset=run_options["given"].get("preset") or DEFAULT_PRESET,
            rate=model.sample_rate,
            steps=config.steps,
            seed=config.seed,
        )

    def train_step(self, accelerator: Accelerator) -> float:
        """One step; returns the bits a sample that the network costs, below 0 where it gains some."""
        return train_step(self.state, self.config, self.traces, accelerator)

    def validate(self) -> dict[str, float]:
        """The same of validation files."""
        return {"validation": validate(self.state.network, self.segments)} if self.segments else {}

    def eligible_as_best(self) -> bool:
        """Always: nothing of it goes away while it trains."""
        return True

    def log_validation(self, board: Any, record: dict[str, Any], folder: RunFolder) -> None:
        """Curves."""
        log_bits(board, record)

    @staticmethod
    def export(request: ExportRequest) -> dict[str, Any]:
        """Write an integer checkpoint, after fine-tuning on the run's traces; returns its card.

        `lossless_bits_per_sample` in the card: of validation and test files, coded without the network and with it at
        the level that it is for, each file from its beginning, no container. Raises RunError, CorpusError.
        """
        if not engine.has_native():
            raise RunError(f"a corrector is measured with the native engine: {engine.ADVICE}")
        run = FinishedRun.open(request.run)
        model, config = configs(run.options)
        fine_steps = config.fine_steps if request.steps is None else request.steps
        level = network_choice.effort_of(model.sample_units)
        held_out = corrector_traces.of(run.corpus, "validation", level, request.quiet)
        segments = validation_segments(held_out, config.most_validation)
        with denormals_flushed():
            network = _fine_tuned(run, level, fine_steps, request.quiet)
            cost = validate(network, segments) if segments else 0.0
        tensors = quantize(network, {})
        seen = run.step * config.streams * config.windows * (config.window - config.warmup)
        facts = run.card(request, fine_steps=fine_steps, samples_seen=seen)
        facts["gain_of_validation"] = round(-cost, 4)
        bits = _coded_bits(engine.create(model, tensors, "native"), run.corpus, level)
        facts["lossless_bits_per_sample"] = bits
        for name, value in bits.items():
            request.say(f"{name}: {value} bits per sample")
        checkpoint.save(request.out, model, tensors, facts)
        return facts


TASK = CorrectorTask


def new_state(config: ModelConfig, seed: int, device: torch.device) -> TrainState[TwoTierNetwork]:
    """A new network that begins all but without an opinion: each bin is as likely as it is wide."""
    torch.manual_seed(seed)
    network = TwoTierNetwork(config)
    with torch.no_grad():
        network.tree.mul_(0.2)
        for node in range(1, 256):
            width = 256 >> (node.bit_length() - 1)
            first = (node - (256 // width)) * width
            low, middle, high = (BIN_STARTS[first + place] for place in (0, width // 2, width))
            network.tree_bias[node] = float(np.log((high - middle) / (middle - low)))
    return TrainState.of(network.to(device))


def widths(device: torch.device) -> Tensor:
    """Binary logarithms of the bins' widths: what each costs without a network."""
    return torch.from_numpy(np.log2(np.diff(BIN_STARTS))).float().to(device)


def batch_loss(network: TwoTierNetwork, b: CorrectorBatch, warmup: int, window: int) -> Tensor:
    """`windows_loss` of a batch."""
    device = network.frame_bias.device
    arrays = (torch.from_numpy(x).to(device) for x in (b.bins, b.targets, b.hints, b.windows, b.ends))
    return windows_loss(network, *arrays, warmup=warmup, window=window)


def windows_loss(
    network: TwoTierNetwork,
    bins: Tensor,
    targets: Tensor,
    hints: Tensor,
    windows: Tensor,
    ends: Tensor,
    *,
    warmup: int,
    window: int,
) -> Tensor:
    """Mean bits a sample that the network costs more than the mixture, over windows: see `CorrectorBatch`."""
    device, hop = network.frame_bias.device, network.config.hop
    no_labels = torch.zeros(len(bins), bins.shape[1] // hop, 0, dtype=torch.long, device=device)
    start = network.start(len(bins))
    condition, _ = network.frames(bins, no_labels, start)
    starts = windows.flatten()
    streams = torch.arange(len(bins), device=device).repeat_interleave(windows.shape[1])
    places = starts + torch.arange(window, device=device)[:, None]  # (window, windows of all streams)
    previous = torch.cat([start.codes[:, :1], bins], 1)[streams, places][:, :, None]
    rows = torch.cat([previous, hints[streams, places]], 2)
    logits = window_logits(network, rows, condition, starts, streams)
    counted = counted_samples(starts, warmup, window) & (places < ends[streams])
    window_targets = targets[streams, places]
    bits = network.bits(logits, window_targets) + widths(device)[window_targets]
    return (bits * counted).sum() / counted.sum().clamp_min(1)


def train_step(
    state: TrainState[TwoTierNetwork], config: GeneratorTrainConfig, traces: Traces, accelerator: Accelerator
) -> float:
    """One step; returns its mean loss over all processes, as `optimizer_step` does."""
    network = state.network
    rank, world = accelerator.process_index, accelerator.num_processes
    loss = batch_loss(
        network, batch(traces, config, network.config.hop, state.step, rank, world), config.warmup, config.window
    )
    mean = optimizer_step(state, config, loss, accelerator)
    with torch.no_grad():
        network.tree.clamp_(-TREE_LIMIT, TREE_LIMIT)
    return mean


def validation_segments(traces: Traces, max_samples: int) -> list[AnyArray]:
    """Records of whole segments, spread evenly over all, of about `max_samples` samples together."""
    every = max(1, -(-int(traces.pieces[-1]) // max_samples))
    return [traces.piece(number) for number in range(every // 2, len(traces), every) if len(traces.piece(number))]


@torch.inference_mode()
def validate(network: TwoTierNetwork, segments: list[AnyArray]) -> float:
    """Bits a sample that the network costs more than the mixture, each segment from a fresh state.

    A sample is taken to lie in the middle of its interval, which counts against the network.
    """
    total, hop, device = 0.0, network.config.hop, network.frame_bias.device
    for bins, targets, hints, inside in _groups(segments, hop):
        state = network.start(len(bins))
        for start in range(0, bins.shape[1], CHUNK):
            part = slice(start, min(start + CHUNK, bins.shape[1]))
            codes, hints_in, aims = (torch.from_numpy(array[:, part]).to(device) for array in (bins, hints, targets))
            no_labels = torch.zeros(len(bins), codes.shape[1] // hop, 0, dtype=torch.long, device=device)
            condition, frame = network.frames(codes, no_labels, state)
            previous = torch.cat([state.codes[:, -1:], codes[:, :-1]], 1)
            rows = torch.cat([previous[:, :, None], hints_in], 2).transpose(0, 1)
            logits, sample = network.samples(rows, condition, state.sample)
            bits = network.bits(logits, aims.t()).t() + widths(device)[aims]
            total += float((bits.double() * inside[:, part].to(device)).sum())
            last = torch.cat([state.codes, codes], 1)[:, -network.config.window :]
            state = dataclasses.replace(state, frame=frame[-1], sample=sample[-1], codes=last)
    return total / max(1, sum(map(len, segments)))


def _groups(segments: list[AnyArray], hop: int) -> Iterator[tuple[Int64, Int64, Int64, Tensor]]:
    """Segments of like length, padded: bins, targets, hints, and which samples (segments, time) are inside."""
    ordered = sorted(segments, key=len)
    for at in range(0, len(ordered), GROUP):
        group = ordered[at : at + GROUP]
        longest = -(-max(map(len, group)) // hop) * hop
        bins, targets, hints = padding(len(group), longest)
        for place, row in enumerate(group):
            bins[place, : len(row)], hints[place, : len(row)] = row["bin"], row["hints"]
            targets[place, : len(row)] = (row["low"].astype(np.int64) + row["high"]) >> 9
        yield bins, targets, hints, torch.arange(longest) < torch.tensor([len(row) for row in group])[:, None]


def _fine_tuned(run: FinishedRun, level: str, steps: int, quiet: bool) -> TwoTierNetwork:
    """The run's network after `steps` with weights and activations rounded as the engine will."""
    model, config = configs(run.options)
    state = new_state(model, config.seed, torch.device("cpu"))
    state.load(run.weights, 0)
    state.network.quantized = True
    if steps:
        # seed + 1: other batches than the run saw
        schedule = fine_tuning(config, steps, seed=config.seed + 1)
        traces = corrector_traces.of(run.corpus, "train", level, quiet)
        fine_tune(steps, lambda _, accelerator: train_step(state, schedule, traces, accelerator), quiet)
    return state.network


def _coded_bits(network: Engine, corpus: Corpus, level: str) -> dict[str, float]:
    """Bits a sample of validation and test files, without the network and with it."""
    figures = {}
    for split in ("validation", "test"):
        entries = corpus.split(split)
        every = max(1, -(-corpus.size(split) // MAX_MEASURED))
        sounds = [corpus.samples(entry, 0, SECONDS * corpus.rate) for entry in entries[every // 2 :: every]]
        count = sum(map(len, sounds))
        for name, corrector in ((f"{split}, none", None), (split, network)):
            size = 0
            for sound in sounds:
                size += len(lossless.encode_segment(sound.astype(np.int32)[:, None], 16, level, corrector))
            if count:
                figures[name] = round(8 * size / count, 4)
    return figures
