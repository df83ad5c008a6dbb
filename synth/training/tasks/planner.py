"""`synth train --task planner`: a network learns to predict the tokens of a voice, with its labels."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from accelerate import Accelerator
from torch import Tensor

from synth.audio.mulaw import SILENCE
from synth.checkpoint import registry
from synth.common.errors import RunError, UsageError
from synth.common.labels import LabelSet
from synth.common.new_file import write_whole
from synth.common.typing import Bools, Int64, UInt8
from synth.data.corpus import Corpus, open_cache
from synth.engine.config import ModelConfig
from synth.engine.token_inputs import token_inputs
from synth.generation import checkpoint
from synth.generation.checkpoint import Checkpoint
from synth.nn.quantization import quantize
from synth.nn.two_tier import TREE_LIMIT, TwoTierNetwork
from synth.training.base_voice import SCRATCH, fill, load_voice, open_base, planner_model, planner_weights
from synth.training.batches import Row, StreamBatches, validation_rows
from synth.training.config import GeneratorTrainConfig
from synth.training.export import voice as measures
from synth.training.export.common import ExportRequest, FinishedRun, fine_tune, fine_tuning
from synth.training.export.voice import tokens_of
from synth.training.optimization import TrainState, denormals_flushed, optimizer_step
from synth.training.planner_presets import DEFAULT_PRESET as DEFAULT_PRESET
from synth.training.planner_presets import PRESETS as PRESETS
from synth.training.planner_presets import Configs
from synth.training.planner_presets import PlannerTrainConfig as PlannerTrainConfig
from synth.training.recording_tokens import RecordingTokens, open_recording_tokens
from synth.training.run_folder import RunFolder
from synth.training.tasks import having_preset
from synth.training.tasks.base import check_version, log_bits, reading_run_options, resolved
from synth.training.token_batches import LABEL_DROP, SoundTokens, TimedTokens, TokenSource
from synth.training.token_corpus import lengths_of, open_tokens
from synth.vocoder import timing
from synth.vocoder.vocoder import Vocoder

VOICE = "vocoder.safetensors"
"""The voice in a run's folder."""
FRAME = 16
"""Tokens that a frame of the network's slow tier lasts."""


FITTED = ("notes",)
"""Presets whose planners plan fewer tokens a frame for a voice that has fewer."""


@dataclass(frozen=True)
class PlannerOptions:
    """What a user may say of the training of a planner; None where nothing was said. `vocoder`, `base`: voices."""

    corpora: list[str] | None = None
    preset: str | None = None
    labels: str | None = None
    split: str | None = None
    trim: bool | None = None
    steps: int | None = None
    seed: int | None = None
    vocoder: str | None = None
    base: str | None = None


def configs(run_options: dict[str, Any]) -> Configs:
    """Network and schedule of a run; RunError when they can't be read."""
    with reading_run_options():
        check_version(run_options)
        more = dict(run_options["planner_train"])
        train = PlannerTrainConfig(**{**more, "gap": tuple(more["gap"])})
        return ModelConfig.from_json(run_options["model"]), GeneratorTrainConfig(**run_options["train"]), train


def preset_of(user_options: PlannerOptions) -> tuple[Configs, Checkpoint]:
    """Sizes and schedule of the preset, and the voice; UsageError when they do not fit."""
    preset = user_options.preset or DEFAULT_PRESET
    if preset not in PRESETS:
        raise UsageError(f"preset {preset}: must be {', '.join(PRESETS)} with --task planner{having_preset(preset)}")
    if not user_options.vocoder:
        raise UsageError("--task planner: needs --vocoder, the voice whose tokens it is to plan")
    loaded = load_voice(user_options.vocoder)
    assert loaded.voice is not None
    (model, config, more), quantisers = PRESETS[preset], loaded.voice.config.quantisers
    if preset in FITTED:
        model = dataclasses.replace(model, period=min(model.period, 1 << (quantisers.bit_length() - 1)))
    if model.period > quantisers:
        raise UsageError(f"preset {preset}: plans {model.period} tokens a frame, the voice has fewer")
    return (model, config, more), loaded


class PlannerTask:
    """A network learns to predict tokens from those before and from labels; see `base.Task`."""

    name: ClassVar[str] = "planner"
    unit: ClassVar[str] = "bits per token"
    accepted_options: ClassVar[type[PlannerOptions]] = PlannerOptions

    def __init__(self, folder: RunFolder, run_options: dict[str, Any], device: torch.device) -> None:
        self.model, self.config, self.train = configs(run_options)
        path, source = folder.path / VOICE, run_options["given"]["vocoder"]
        if not path.exists():  # the first time: from here on the run has its own
            write_whole(path, Path(registry.find(source)).read_bytes())
        voice = load_voice(path)
        self.vocoder = vocoder_of(voice)
        self.corpus = open_cache(folder.cache)
        if self.corpus.labels != voice.config.labels:
            raise RunError(f"{folder.path}: its labels are not those of {source}")
        self.batches = tokens_source(
            self.corpus, self.model, self.config, self.train, self.vocoder, self.config.seed, quiet=False
        )
        self.rows = validation_rows(self.corpus, "validation", self.config.most_validation)
        self.state = TrainState.two_tier(self.model, self.config.seed, device)
        base = run_options["given"].get("base")
        if base not in (None, SCRATCH):
            begun = open_base(folder, base)
            if planner_model(begun, self.model.labels) == self.model:
                fill(self.state.network, planner_weights(begun))

    @staticmethod
    def sample_rate(user_options: PlannerOptions) -> int:
        """The voice's rate."""
        return preset_of(user_options)[1].config.sample_rate

    @staticmethod
    def new_config(user_options: PlannerOptions, corpus: Corpus) -> dict[str, Any]:
        """Sizes and schedule of the preset with what was given, the corpus's labels."""
        (model, config, more), voice = preset_of(user_options)
        if corpus.labels != voice.config.labels:
            both = f"{_summary(voice.config.labels)}, the corpus's {_summary(corpus.labels)}"
            raise UsageError(f"--vocoder {user_options.vocoder}: its labels are {both}; they must be the same")
        block = vocoder_of(voice).hop * max(1, FRAME // model.period)
        config = dataclasses.replace(
            config,
            steps=user_options.steps or config.steps,
            seed=user_options.seed or 0,
            span=-(-config.span // block) * block,
        )
        labels = timing.timed(corpus.labels) if corpus.labels else corpus.labels
        model = dataclasses.replace(model, sample_rate=corpus.rate, labels=labels)
        if user_options.base not in (None, SCRATCH):
            own = planner_model(load_voice(user_options.base), labels)
            assert voice.voice is not None
            model = own if own is not None and own.period <= voice.voice.config.quantisers else model
        return {
            "model": model.to_json(),
            "train": dataclasses.asdict(config),
            "planner_train": dataclasses.asdict(more),
        }

    @staticmethod
    def resolved_options(run_options: dict[str, Any]) -> dict[str, Any]:
        """The accepted options, defaults included."""
        _, config, _ = configs(run_options)
        preset = run_options["given"].get("preset") or DEFAULT_PRESET
        return resolved(PlannerOptions, run_options, preset=preset, steps=config.steps, seed=config.seed)

    def train_step(self, accelerator: Accelerator) -> float:
        """One step; returns its bits per token."""
        return train_step(self.state, self.config, self.train, self.batches, accelerator)

    def validate(self) -> dict[str, float]:
        """Bits per token of the validation files, with labels where the corpus has them."""
        return {"validation": validate(self.state.network, self.rows, self.vocoder)} if self.rows else {}

    def eligible_as_best(self) -> bool:
        """Always: nothing of it goes away while it trains."""
        return True

    def log_validation(self, board: Any, record: dict[str, Any], folder: RunFolder) -> None:
        """Curves."""
        log_bits(board, record)

    @staticmethod
    def export(request: ExportRequest) -> dict[str, Any]:
        """Write the run's voice with this planner, after fine-tuning; returns its card. RunError, CorpusError."""
        run = FinishedRun.open(request.run)
        model, config, _ = configs(run.options)
        loaded = load_voice(run.folder.path / VOICE)
        assert loaded.voice is not None
        fine_steps = config.fine_steps if request.steps is None else request.steps
        vocoder = vocoder_of(loaded)
        network = _fine_tuned(run, vocoder, fine_steps, request.quiet)
        temperature, network_temperature = request.temperatures or (1.0, 1.0)
        voice = dataclasses.replace(
            loaded.voice,
            planner=model,
            planner_tensors=quantize(network, {}),
            temperatures=(temperature, network_temperature),
            guidance=request.guidance or 1.0,
            timing=lengths_of(run.corpus, vocoder.hop) if run.corpus.labels else {},
        )
        planned = run.card(dataclasses.replace(request, card=None), fine_steps=fine_steps)
        facts: dict[str, Any] = {**loaded.info, **(request.card or {}), **run.sound(), "planner": planned}
        checkpoint.save(request.out, loaded.config, loaded.tensors, facts, voice)
        figures = measures.bits_per_token(request.out, run.measured_rows(request.measured_seconds))
        planned["bits_per_token"] = {split: round(bits, 4) for split, bits in figures.items()}
        for split, bits in planned["bits_per_token"].items():
            request.say(f"{split}: {bits} bits per token")
        checkpoint.save(request.out, loaded.config, loaded.tensors, facts, voice)
        return facts


TASK = PlannerTask


def _summary(labels: LabelSet) -> str:
    return ", ".join(f"{key} ({len(values)})" for key, values in labels.items()) or "none"


def vocoder_of(loaded: Checkpoint) -> Vocoder:
    """The vocoder of a voice's checkpoint."""
    assert loaded.voice is not None
    tensors = loaded.voice.tensors | {"table.tanh": loaded.tensors["table.tanh"]}
    return Vocoder(loaded.voice.config, loaded.config, tensors)


def tokens_source(
    corpus: Corpus,
    model: ModelConfig,
    config: GeneratorTrainConfig,
    train: PlannerTrainConfig,
    vocoder: Vocoder,
    seed: int,
    quiet: bool = True,
) -> TokenSource:
    """Batches of tokens: with labels the planner is told when sounds begin and end, else tokens are of streams.

    Those of a voice with a bed are in the run's cache, since to hear a corpus again for each batch would take long.
    """
    if corpus.labels:
        tokens = open_tokens(corpus, vocoder, model.period, train.speed, train.gain_db, quiet, train.copied)
        return TimedTokens(tokens, model.period, config.streams, config.span // vocoder.hop, seed)
    if vocoder.config.has_bed:
        recordings = open_recording_tokens(corpus, vocoder, model.period, train.gain_db, train.search, quiet)
        return RecordingTokens(recordings, model.period, config.streams, config.span // vocoder.hop, seed)
    augmentation: dict[str, Any] = {"gain_db": train.gain_db, "gap": train.gap, "speed": train.speed}
    sizes = config.streams, config.span, 1, FRAME
    batches = StreamBatches(corpus, "train", *sizes, FRAME, seed, label_drop=LABEL_DROP, **augmentation)
    return SoundTokens(batches, vocoder, model.period)


def train_step(
    state: TrainState[TwoTierNetwork],
    config: GeneratorTrainConfig,
    train: PlannerTrainConfig,
    batches: TokenSource,
    accelerator: Accelerator,
) -> float:
    """One step of the planner; returns its bits a token over all processes."""
    network, rank = state.network, accelerator.process_index
    tokens, labels = batches.batch(state.step, rank, accelerator.num_processes)
    draw = np.random.Generator(np.random.Philox(key=[config.seed, state.step], counter=[0, 0, 4, rank]))
    tokens, inputs, counted = _corrupted(tokens, network.config.period, train, draw)
    if train.own:
        inputs = _with_own(network, inputs, labels, counted, train.own, draw)
    loss = bits_of(network, tokens, inputs, labels)
    mask = torch.from_numpy(counted).to(loss.device)
    mean = optimizer_step(state, config, (loss * mask).sum() / mask.sum(), accelerator)
    with torch.no_grad():
        network.tree.clamp_(-TREE_LIMIT, TREE_LIMIT)
    return mean


def _corrupted(
    tokens: UInt8, period: int, train: PlannerTrainConfig, draw: np.random.Generator
) -> tuple[UInt8, UInt8, Bools]:
    """Tokens (streams, time) of which some frames lack their last ones, with errors as input, and what has a loss."""
    count = np.where(draw.random(len(tokens)) < train.partial, draw.integers(1, max(2, period), len(tokens)), period)
    counted = np.arange(tokens.shape[1]) % period < count[:, None]
    tokens = np.where(counted, tokens, SILENCE).astype(np.uint8)
    wrong = (draw.random(tokens.shape) < train.heard_wrong) & counted
    return tokens, np.where(wrong, draw.integers(0, 256, tokens.shape), tokens).astype(np.uint8), counted


@torch.no_grad()
def _with_own(
    network: TwoTierNetwork, inputs: UInt8, labels: Int64, counted: Bools, most: float, draw: np.random.Generator
) -> UInt8:
    """`inputs` (streams, time) with tokens that the network draws after them in the place of a share of each stream."""
    chances = torch.from_numpy(draw.random((8, *inputs.shape), np.float32))
    own = network.drawn(logits_of(network, inputs, labels), chances.transpose(1, 2).to(network.frame_bias.device))
    replaced = (draw.random(inputs.shape) < most * draw.random((len(inputs), 1))) & counted
    return np.where(replaced, own.t().cpu().numpy(), inputs).astype(np.uint8)


def bits_of(network: TwoTierNetwork, tokens: UInt8, inputs: UInt8, labels: Int64) -> Tensor:
    """Bits (streams, time) of tokens (streams, time) after `inputs`; `labels` (streams, frames, keys)."""
    logits = logits_of(network, inputs, labels)
    return network.bits(logits, torch.from_numpy(tokens).to(logits.device).long().t()).t()


def logits_of(network: TwoTierNetwork, inputs: UInt8, labels: Int64) -> Tensor:
    """Logits (time, streams, 256) of each token after `inputs` (streams, time); `labels` (streams, frames, keys)."""
    device = network.frame_bias.device
    earlier = torch.from_numpy(np.stack(token_inputs(inputs, network.config.period), 2)).to(device).long()
    codes = torch.from_numpy(inputs).to(device).long()
    state = network.start(len(inputs))
    condition, _ = network.frames(codes, torch.from_numpy(labels).to(device), state)
    previous = torch.cat([state.codes[:, -1:], codes[:, :-1]], 1)
    rows = torch.cat([previous[:, :, None], earlier], 2).transpose(0, 1)
    return network.samples(rows, condition, state.sample)[0]


@torch.inference_mode()
def validate(network: TwoTierNetwork, rows: list[Row], vocoder: Vocoder) -> float:
    """Bits a token of files with their labels, each from a fresh state."""
    total, count, period = 0.0, 0, network.config.period
    for codes, label_ids in rows:
        tokens = tokens_of(vocoder, codes, period)
        padded = np.full((1, -(-len(tokens) // FRAME) * FRAME), SILENCE, np.uint8)
        padded[0, : len(tokens)] = tokens
        labels = measures.planner_labels(network.config, codes, label_ids, vocoder.hop)
        bits = bits_of(network, padded, padded, labels[None])
        total += float(bits[0, : len(tokens)].double().sum())
        count += len(tokens)
    return total / max(1, count)


def _fine_tuned(run: FinishedRun, vocoder: Vocoder, steps: int, quiet: bool) -> TwoTierNetwork:
    """The run's network after `steps` with weights and activations rounded as the engine will."""
    model, config, train = configs(run.options)
    state = TrainState.two_tier(model, config.seed, torch.device("cpu"))
    state.load(run.weights, 0)
    schedule = fine_tuning(config, steps)
    batches = tokens_source(run.corpus, model, config, train, vocoder, config.seed + 1)

    def step(_: int, accelerator: Accelerator) -> None:
        train_step(state, schedule, train, batches, accelerator)

    with denormals_flushed():
        state.network.quantized = True
        fine_tune(steps, step, quiet)
    return state.network
