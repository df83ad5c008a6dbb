"""Training a planner: a network over the tokens of a voice, with its labels, for the loop in `train`."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from accelerate import Accelerator
from numpy.typing import NDArray
from torch import Tensor

from synth.audio.mulaw import SILENCE, decode
from synth.checkpoint import registry
from synth.common.errors import CheckpointError, RunError, UsageError
from synth.common.labels import LabelSet
from synth.common.new_file import write_whole
from synth.data import corpus as corpora_module
from synth.data.corpus import Corpus
from synth.engine.config import ModelConfig
from synth.engine.token_inputs import token_inputs
from synth.generation import checkpoint
from synth.generation.checkpoint import Checkpoint
from synth.nn.two_tier import TREE_LIMIT, TwoTierNetwork
from synth.training.batches import Row, StreamBatches, validation_rows
from synth.training.config import GeneratorTrainConfig, PlannerTrainConfig
from synth.training.optimization import TrainState, optimizer_step
from synth.training.run_folder import RunFolder
from synth.training.tasks.base import VERSION, show_bits
from synth.vocoder.vocoder import Vocoder

VOICE = "vocoder.safetensors"
"""The voice in a run's folder."""
DROPPED = (0.1, 0.05)
"""Shares of files whose labels are all dropped, and of labels that are dropped alone."""
FRAME = 16  # tokens that a frame of the network's slow tier lasts


PLANNERS: dict[str, tuple[ModelConfig, GeneratorTrainConfig, PlannerTrainConfig]] = {
    "digits": (
        ModelConfig(8000, window=16, frame_units=64, sample_units=224, head_units=64, period=2),
        GeneratorTrainConfig(steps=3000, streams=64, span=6400, windows=1, every=200, fine_steps=100, rate=3e-3),
        PlannerTrainConfig(heard_wrong=0.08, speed=1.08, gain_db=2.0),
    ),
    "speech": (
        ModelConfig(16000, window=16, frame_units=64, sample_units=192, head_units=64, period=16),
        GeneratorTrainConfig(steps=800, streams=48, span=9600, windows=1, every=100, fine_steps=60, rate=3e-3),
        PlannerTrainConfig(heard_wrong=0.0, partial=0.5, gap=(0.02, 0.2), gain_db=6.0),
    ),
}
PLANNERS["tiny"] = (
    ModelConfig(8000, window=16, frame_units=16, sample_units=64, head_units=32, period=2),
    GeneratorTrainConfig(
        steps=300, streams=16, span=6400, windows=1, every=100, fine_steps=30, most_validation=100_000
    ),
    PlannerTrainConfig(),
)
Configs = tuple[ModelConfig, GeneratorTrainConfig, PlannerTrainConfig]


def configs(options: dict[str, Any]) -> Configs:
    """Network and schedule of a run's options; RunError when they can't be read."""
    try:
        if options["version"] != VERSION:
            raise RunError(f"run.json: of version {options['version']}; this synth goes on with {VERSION}")
        more = dict(options["planner_train"])
        found = PlannerTrainConfig(**{**more, "gap": tuple(more["gap"])})
        return ModelConfig.from_json(options["model"]), GeneratorTrainConfig(**options["train"]), found
    except (KeyError, TypeError, ValueError, UsageError) as error:
        raise RunError(f"run.json: not the options of a run of this version ({error})") from None


def voice_of(path: Any) -> Checkpoint:
    """The checkpoint of a voice; CheckpointError for one that is none."""
    found = checkpoint.load(path)
    if found.voice is None:
        raise CheckpointError(f"{path}: is no voice; synth train --task vocoder and synth export make one")
    return found


class PlannerTask:
    """A network learns to predict tokens from those before and from labels; see `task.Task`."""

    name: ClassVar[str] = "planner"
    unit: ClassVar[str] = "bits per token"
    given: ClassVar[tuple[str, ...]] = ("corpora", "preset", "labels", "split", "trim", "steps", "seed", "vocoder")

    def __init__(self, folder: RunFolder, options: dict[str, Any], device: torch.device) -> None:
        self.model, self.config, self.train = configs(options)
        place = folder.path / VOICE
        if not place.exists():  # the first time: from here on the run has its own
            write_whole(place, Path(registry.find(options["given"]["vocoder"])).read_bytes())
        voice = voice_of(place)
        self.vocoder = vocoder_of(voice)
        self.corpus: Corpus = corpora_module.open_cache(folder.path / "cache")
        if self.corpus.labels != voice.config.labels:
            raise RunError(f"{folder.path}: its labels are not those of {options['given']['vocoder']}")
        self.batches = batches_of(self.corpus, self.config, self.train, self.config.seed)
        self.rows: list[Row] = validation_rows(self.corpus, "validation", self.config.most_validation)
        self.learner = TrainState.of(self.model, self.config.seed, device)

    @staticmethod
    def _preset(given: dict[str, Any]) -> tuple[Configs, Checkpoint]:
        preset = given.get("preset") or "digits"
        if preset not in PLANNERS:
            raise UsageError(f"preset {preset}: must be {', '.join(PLANNERS)} with --task planner")
        if not given.get("vocoder"):
            raise UsageError("--task planner: needs --vocoder, the voice whose tokens it is to plan")
        voice = voice_of(given["vocoder"])
        assert voice.voice is not None
        if PLANNERS[preset][0].period > voice.voice.config.quantisers:
            raise UsageError(f"preset {preset}: plans {PLANNERS[preset][0].period} tokens a frame, the voice has fewer")
        return PLANNERS[preset], voice

    @staticmethod
    def rate(given: dict[str, Any]) -> int:
        """The voice's rate."""
        return PlannerTask._preset(given)[1].config.sample_rate

    @staticmethod
    def begin(given: dict[str, Any], corpus: Corpus) -> dict[str, Any]:
        """Sizes and schedule of the preset with what was given, the corpus's labels."""
        (model, config, more), voice = PlannerTask._preset(given)
        if corpus.labels != voice.config.labels:
            both = f"{_told(voice.config.labels)}, the corpus's {_told(corpus.labels)}"
            raise UsageError(f"--vocoder {given['vocoder']}: its labels are {both}; they must be the same")
        config = dataclasses.replace(config, steps=given["steps"] or config.steps, seed=given["seed"] or 0)
        block = vocoder_of(voice).hop * max(1, FRAME // model.period)
        config = dataclasses.replace(config, span=-(-config.span // block) * block)
        model = dataclasses.replace(model, sample_rate=corpus.rate, labels=corpus.labels)
        return {
            "model": model.to_json(),
            "train": dataclasses.asdict(config),
            "planner_train": dataclasses.asdict(more),
        }

    @staticmethod
    def made_with(options: dict[str, Any]) -> dict[str, Any]:
        """The options of `given`, defaults included."""
        _, config, _ = configs(options)
        given = options["given"]
        known = {"preset": given.get("preset") or "digits", "steps": config.steps, "seed": config.seed}
        return {**{key: given.get(key) for key in ("corpora", "labels", "split", "trim", "vocoder")}, **known}

    def step(self, accelerator: Accelerator) -> float:
        """One step; returns its bits per token."""
        return learn(self.learner, self.config, self.train, self.batches, self.vocoder, accelerator)

    def measure(self) -> dict[str, float]:
        """Bits per token of the validation files, with labels where the corpus has them."""
        if not self.rows:
            return {}
        return {"validation": measure(self.learner.network, self.rows, self.vocoder)}

    def settled(self) -> bool:
        """Always: nothing of it goes away while it trains."""
        return True

    def show(self, board: Any, record: dict[str, Any], folder: RunFolder) -> None:
        """Curves."""
        show_bits(board, record)


def _told(labels: LabelSet) -> str:
    return ", ".join(f"{key} ({len(values)})" for key, values in labels.items()) or "none"


def vocoder_of(found: Checkpoint) -> Vocoder:
    """The vocoder of a voice's checkpoint."""
    assert found.voice is not None
    return Vocoder(found.voice.config, found.config, found.voice.tensors | {"table.tanh": found.tensors["table.tanh"]})


def batches_of(corpus: Corpus, config: GeneratorTrainConfig, train: PlannerTrainConfig, seed: int) -> StreamBatches:
    """The batches of a planner's training, of sound."""
    window = FRAME  # of the sample tier, which a planner has no use for
    sizes = config.streams, config.span, 1, window
    return StreamBatches(
        corpus,
        "train",
        *sizes,
        FRAME,
        seed,
        label_drop=DROPPED,
        gain_db=train.gain_db,
        gap=train.gap,
        speed=train.speed,
    )


def tokens_of(vocoder: Vocoder, codes: NDArray[np.uint8], period: int) -> NDArray[np.uint8]:
    """Tokens (frames x period,) of mu-law codes (samples,)."""
    return vocoder.tokens(vocoder.encode_sound(decode(codes)), period).reshape(-1)


def learn(
    learner: TrainState[TwoTierNetwork],
    config: GeneratorTrainConfig,
    train: PlannerTrainConfig,
    batches: StreamBatches,
    vocoder: Vocoder,
    accelerator: Accelerator,
) -> float:
    """One step of the planner; returns its bits a token over all processes."""
    network = learner.network
    period = network.config.period
    batch = batches.batch(learner.step, accelerator.process_index, accelerator.num_processes)
    draw = np.random.Generator(
        np.random.Philox(key=[config.seed, learner.step], counter=[0, 0, 4, accelerator.process_index])
    )
    tokens = np.stack([tokens_of(vocoder, row, period) for row in batch.codes])
    count = np.where(draw.random(len(tokens)) < train.partial, draw.integers(1, max(2, period), len(tokens)), period)
    counted = np.arange(tokens.shape[1]) % period < count[:, None]
    tokens = np.where(counted, tokens, SILENCE).astype(np.uint8)
    wrong = (draw.random(tokens.shape) < train.heard_wrong) & counted
    heard = np.where(wrong, draw.integers(0, 256, tokens.shape), tokens).astype(np.uint8)
    every = FRAME // period * vocoder.hop // batches.hop  # label rows stand for samples, ours for tokens
    # the last one's: what begins in a frame is to be known there, what ends may end without
    loss = bits_of(network, tokens, heard, np.ascontiguousarray(batch.labels[:, every - 1 :: every]))
    kept = torch.from_numpy(counted).to(loss.device)
    mean = optimizer_step(learner, config, (loss * kept).sum() / kept.sum(), accelerator)
    with torch.no_grad():
        network.tree.clamp_(-TREE_LIMIT, TREE_LIMIT)
    return mean


def bits_of(
    network: TwoTierNetwork, tokens: NDArray[np.uint8], heard: NDArray[np.uint8], labels: NDArray[np.int64]
) -> Tensor:
    """Bits (streams, time) of tokens (streams, time), those before being `heard`; `labels` (streams, frames, keys)."""
    device = network.frame_bias.device
    inputs = np.stack(token_inputs(heard, network.config.period), 2)
    codes = torch.from_numpy(heard).to(device).long()
    state = network.start(len(tokens))
    condition, _ = network.frames(codes, torch.from_numpy(labels).to(device), state)
    previous = torch.cat([state.codes[:, -1:], codes[:, :-1]], 1)
    rows = torch.cat([previous[:, :, None], torch.from_numpy(inputs).to(device).long()], 2).transpose(0, 1)
    logits, _ = network.samples(rows, condition, state.sample)
    return network.bits(logits, torch.from_numpy(tokens).to(device).long().t()).t()


@torch.inference_mode()
def measure(network: TwoTierNetwork, rows: list[Row], vocoder: Vocoder) -> float:
    """Bits a token of files with their labels, each from a fresh state."""
    total, count, period = 0.0, 0, network.config.period
    for codes, label in rows:
        tokens = tokens_of(vocoder, codes, period)
        padded = np.full((1, -(-len(tokens) // FRAME) * FRAME), SILENCE, np.uint8)
        padded[0, : len(tokens)] = tokens
        known = np.broadcast_to(np.array(label, np.int64), (1, padded.shape[1] // FRAME, len(label)))
        bits = bits_of(network, padded, padded, known.copy())
        total += float(bits[0, : len(tokens)].double().sum())
        count += len(tokens)
    return total / max(1, count)
