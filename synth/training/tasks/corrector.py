"""`synth train --task corrector`: a network learns what the codec's adaptive mixture leaves to be known.

Where a sample falls in the mixture's cdf would be noise if the mixture knew all (probability integral transform): the
network learns the density there, from the places of earlier samples and from hints that the codec gives it.
"""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

import numpy as np
import torch
from accelerate import Accelerator
from numpy.typing import NDArray
from torch import Tensor

from synth.audio.mulaw import SILENCE
from synth.codec import lossless, network_choice
from synth.codec.lossless.cdf_bins import BIN_STARTS
from synth.common.errors import RunError, UsageError
from synth.data import corpus as corpora_module
from synth.data.corpus import Corpus
from synth.engine.config import ModelConfig
from synth.nn.two_tier import TREE_LIMIT, TwoTierNetwork
from synth.training import corrector_traces
from synth.training.config import GeneratorTrainConfig
from synth.training.corrector_traces import Traces
from synth.training.optimization import TrainState, optimizer_step
from synth.training.run_folder import RunFolder
from synth.training.tasks.base import VERSION, show_bits

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
CROP = 0.8  # of the streams of files that are longer than a stream
AT_START = 0.2  # of the streams, whose first window begins with them
SETTLE = 64  # frames of a crop without windows: the network does not know what was before it


def configs(options: dict[str, Any]) -> tuple[ModelConfig, GeneratorTrainConfig]:
    """Network and schedule of a run's options; RunError when they can't be read."""
    try:
        if options["version"] != VERSION:
            raise RunError(f"run.json: of version {options['version']}; this synth goes on with {VERSION}")
        return ModelConfig.from_json(options["model"]), GeneratorTrainConfig(**options["train"])
    except (KeyError, TypeError, ValueError, UsageError) as error:
        raise RunError(f"run.json: not the options of a run of this version ({error})") from None


class CorrectorTask:
    """The two-tier network learns the cells of the codec's mixture; see `task.Task`."""

    name: ClassVar[str] = "corrector"
    unit: ClassVar[str] = "bits per sample more than without"
    given: ClassVar[tuple[str, ...]] = ("corpora", "preset", "rate", "split", "trim", "steps", "seed")

    def __init__(self, folder: RunFolder, options: dict[str, Any], device: torch.device) -> None:
        self.model, self.config = configs(options)
        corpus, level = (
            corpora_module.open_cache(folder.path / "cache"),
            network_choice.effort_of(self.model.sample_units),
        )
        self.traces = corrector_traces.of(corpus, "train", level, quiet=False)
        self.rows = validation(
            corrector_traces.of(corpus, "validation", level, quiet=False), self.config.most_validation
        )
        self.learner = new(self.model, self.config.seed, device)

    @staticmethod
    def _preset(given: dict[str, Any]) -> tuple[ModelConfig, GeneratorTrainConfig]:
        preset = given.get("preset") or "small"
        if preset not in PRESETS:
            raise UsageError(f"preset {preset}: a corrector's must be {' or '.join(PRESETS)}")
        return PRESETS[preset]

    @staticmethod
    def rate(given: dict[str, Any]) -> int:
        """The rate that was given, or the preset's."""
        return int(given["rate"] or CorrectorTask._preset(given)[0].sample_rate)

    @staticmethod
    def begin(given: dict[str, Any], corpus: Corpus) -> dict[str, Any]:
        """Sizes and schedule of the preset with what was given."""
        model, config = CorrectorTask._preset(given)
        config = dataclasses.replace(config, steps=given["steps"] or config.steps, seed=given["seed"] or 0)
        model = dataclasses.replace(model, sample_rate=corpus.rate)
        return {"model": model.to_json(), "train": dataclasses.asdict(config)}

    @staticmethod
    def made_with(options: dict[str, Any]) -> dict[str, Any]:
        """The options of `given`, defaults included."""
        model, config = configs(options)
        given = options["given"]
        known = {"preset": given.get("preset") or "small", "rate": model.sample_rate}
        known |= {"steps": config.steps, "seed": config.seed}
        return {**{key: given.get(key) for key in ("corpora", "split", "trim")}, **known}

    def step(self, accelerator: Accelerator) -> float:
        """One step; returns the bits a sample that the network costs, below 0 where it gains some."""
        return learn(self.learner, self.config, self.traces, accelerator)

    def measure(self) -> dict[str, float]:
        """The same of validation files."""
        return {"validation": measure(self.learner.network, self.rows)} if self.rows else {}

    def settled(self) -> bool:
        """Always: nothing of it goes away while it trains."""
        return True

    def show(self, board: Any, record: dict[str, Any], folder: RunFolder) -> None:
        """Curves."""
        show_bits(board, record)


def new(config: ModelConfig, seed: int, device: torch.device) -> TrainState[TwoTierNetwork]:
    """A learner whose network begins all but without an opinion: each cell is as likely as it is wide."""
    torch.manual_seed(seed)
    network = TwoTierNetwork(config)
    with torch.no_grad():
        network.tree.mul_(0.2)
        for node in range(1, 256):
            width = 256 >> (node.bit_length() - 1)
            first = (node - (256 // width)) * width
            low, middle, high = (BIN_STARTS[first + place] for place in (0, width // 2, width))
            network.tree_bias[node] = float(np.log((high - middle) / (middle - low)))
    return TrainState.around(network.to(device))


@dataclasses.dataclass(frozen=True)
class Batch:
    """`cells`, `targets` int64 (streams, span): what is heard, and a place in the sample's interval; `hints` (streams,
    span, hints); `windows` (streams, windows): where the sample tier begins; `ends` (streams,): samples there are."""

    cells: NDArray[np.int64]
    targets: NDArray[np.int64]
    hints: NDArray[np.int64]
    windows: NDArray[np.int64]
    ends: NDArray[np.int64]


def batch(found: Traces, config: GeneratorTrainConfig, hop: int, step: int, rank: int = 0, world: int = 1) -> Batch:
    """The batch of a step: a pure function of seed and step; rank r of a world gets the rows r, r + world, ...

    Segments are drawn by the square root of their length, so that a corpus of long files does not hide one of short.
    """
    rows = range(rank, config.streams, world)
    span, window = config.span, config.window
    cells = np.full((len(rows), span), SILENCE, np.int64)
    targets, hints = cells.copy(), np.full((len(rows), span, lossless.HINTS), SILENCE, np.int64)
    windows, ends = np.zeros((len(rows), config.windows), np.int64), np.zeros(len(rows), np.int64)
    chances = np.cumsum(np.sqrt(np.diff(found.pieces)))
    for place, row in enumerate(rows):
        draw = np.random.Generator(np.random.Philox(key=[config.seed, step], counter=[0, 0, 5, row]))
        piece = found.piece(int(np.searchsorted(chances, draw.random() * chances[-1], "right")))
        first = 0
        if len(piece) > span and draw.random() < CROP:
            first = int(draw.integers(0, len(piece) - span, endpoint=True)) // hop * hop
        records = piece[first : first + span]
        end = ends[place] = len(records)
        cells[place, :end], hints[place, :end] = records["cell"], records["hints"]
        low, high = records["low"].astype(np.int64), records["high"].astype(np.int64)
        targets[place, :end] = (low + (draw.random(end) * (high - low + 1)).astype(np.int64)) >> 8
        settle, last = SETTLE if first else 0, max(0, -(-(end - window) // hop))
        windows[place] = draw.integers(min(settle, last), last, config.windows, endpoint=True) * hop
        if not first and draw.random() < AT_START:
            windows[place, 0] = 0
    return Batch(cells, targets, hints, windows, ends)


def widths(device: torch.device) -> Tensor:
    """Binary logarithms of the cells' widths: what each costs without a network."""
    return torch.from_numpy(np.log2(np.diff(BIN_STARTS))).float().to(device)


def batch_loss(network: TwoTierNetwork, b: Batch, warmup: int, window: int) -> Tensor:
    """`windows_loss` of a batch."""
    device = network.frame_bias.device
    arrays = (torch.from_numpy(x).to(device) for x in (b.cells, b.targets, b.hints, b.windows, b.ends))
    return windows_loss(network, *arrays, warmup=warmup, window=window)


def windows_loss(
    network: TwoTierNetwork,
    cells: Tensor,
    targets: Tensor,
    hints: Tensor,
    windows: Tensor,
    ends: Tensor,
    *,
    warmup: int,
    window: int,
) -> Tensor:
    """Mean bits a sample that the network costs more than the mixture, over windows of streams: see `Batch`."""
    device, hop = network.frame_bias.device, network.config.hop
    nothing = torch.zeros(len(cells), cells.shape[1] // hop, 0, dtype=torch.long, device=device)
    condition, _ = network.frames(cells, nothing, network.start(len(cells)))
    starts = windows.flatten()
    streams = torch.arange(len(cells), device=device).repeat_interleave(windows.shape[1])
    places = starts + torch.arange(window, device=device)[:, None]  # (window, rows)
    padded = torch.cat([network.start(len(cells)).codes[:, :1], cells], 1)
    rows = torch.cat([padded[streams, places][:, :, None], hints[streams, places]], 2)
    frames = starts // hop + torch.arange(window // hop, device=device)[:, None]
    zeros = network.frame_bias.new_zeros(len(streams), network.config.sample_units)
    logits, _ = network.samples(rows, condition[frames, streams], zeros)
    counted = torch.arange(window, device=device)[:, None] >= torch.where(starts == 0, 0, warmup)
    counted = counted & (places < ends[streams])
    aims = targets[streams, places]
    bits = network.bits(logits, aims) + widths(device)[aims]
    return (bits * counted).sum() / counted.sum().clamp_min(1)


def learn(
    learner: TrainState[TwoTierNetwork], config: GeneratorTrainConfig, found: Traces, accelerator: Accelerator
) -> float:
    """One step; returns its mean loss over all processes, as `optimizer_step` does."""
    network = learner.network
    made = batch(found, config, network.config.hop, learner.step, accelerator.process_index, accelerator.num_processes)
    mean = optimizer_step(learner, config, batch_loss(network, made, config.warmup, config.window), accelerator)
    with torch.no_grad():
        network.tree.clamp_(-TREE_LIMIT, TREE_LIMIT)
    return mean


def validation(found: Traces, most: int) -> list[NDArray[Any]]:
    """Records of whole segments, spread evenly over all, of about `most` samples together."""
    every = max(1, -(-int(found.pieces[-1]) // most))
    return [found.piece(number) for number in range(every // 2, len(found), every) if len(found.piece(number))]


@torch.inference_mode()
def measure(network: TwoTierNetwork, rows: list[NDArray[Any]]) -> float:
    """Bits a sample that the network costs more than the mixture, each segment from a fresh state.

    A sample is taken to lie in the middle of its interval, which counts against the network.
    """
    total, hop, device = 0.0, network.config.hop, network.frame_bias.device
    for at in range(0, len(rows), 48):
        group = sorted(rows, key=len)[at : at + 48]
        longest = -(-max(map(len, group)) // hop) * hop
        cells = np.full((len(group), longest), SILENCE, np.int64)
        targets, hints = cells.copy(), np.full((len(group), longest, lossless.HINTS), SILENCE, np.int64)
        inside = torch.arange(longest) < torch.tensor([len(row) for row in group])[:, None]
        for place, row in enumerate(group):
            cells[place, : len(row)], hints[place, : len(row)] = row["cell"], row["hints"]
            targets[place, : len(row)] = (row["low"].astype(np.int64) + row["high"]) >> 9
        state = network.start(len(group))
        for start in range(0, longest, 4096):  # memory stays bounded for long segments
            part = slice(start, min(start + 4096, longest))
            nothing = torch.zeros(len(group), (part.stop - part.start) // hop, 0, dtype=torch.long, device=device)
            heard, told, aims = (torch.from_numpy(a[:, part]).to(device) for a in (cells, hints, targets))
            condition, frame = network.frames(heard, nothing, state)
            previous = torch.cat([state.codes[:, -1:], heard[:, :-1]], 1)
            logits, sample = network.samples(
                torch.cat([previous[:, :, None], told], 2).transpose(0, 1), condition, state.sample
            )
            bits = network.bits(logits, aims.t()).t() + widths(device)[aims]
            total += float((bits.double() * inside[:, part].to(device)).sum())
            codes = torch.cat([state.codes, heard], 1)[:, -network.config.window :]
            state = dataclasses.replace(state, frame=frame[-1], sample=sample[-1], codes=codes)
    return total / max(1, sum(map(len, rows)))
