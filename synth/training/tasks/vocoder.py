"""`synth train --task vocoder`: encoder, residual vector quantizer, conditioner and network learn at once."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from accelerate import Accelerator
from torch import Tensor

from synth.audio.scale import most_notes
from synth.common.errors import UsageError
from synth.data.corpus import Corpus, open_cache
from synth.engine.config import ModelConfig
from synth.generation import checkpoint
from synth.nn import sparsity
from synth.nn.quantization import quantize, quantize_vocoder
from synth.nn.two_tier import TREE_LIMIT
from synth.nn.vocoder import VocoderNetwork, spectral_targets
from synth.training.base_voice import RATE, base_of, check_rate, decoder_weights, fill, load_voice, open_base
from synth.training.batches import StreamBatch, StreamBatches
from synth.training.config import GeneratorTrainConfig
from synth.training.export import voice as measures
from synth.training.export.common import ExportRequest, FinishedRun, fine_tune, fine_tuning
from synth.training.locked_batches import LockedBatches
from synth.training.locked_corpus import open_locked
from synth.training.optimization import TrainState, denormals_flushed, optimizer_step
from synth.training.postfilter_fit import fit
from synth.training.run_folder import RunFolder
from synth.training.tasks import having_preset
from synth.training.tasks.base import check_version, log_bits, reading_run_options, resolved
from synth.training.vocoder_config import VocoderTrainConfig
from synth.training.vocoder_loss import (
    conditioned_loss,
    features_of_batch,
    quantizer_dropout,
)
from synth.training.vocoder_presets import DEFAULT_PRESET as DEFAULT_PRESET
from synth.training.vocoder_presets import PRESETS as PRESETS
from synth.training.vocoder_presets import Configs
from synth.training.vocoder_validation import rows_of, validate
from synth.vocoder.config import PostfilterConfig, VocoderConfig, stride_of, token_hop
from synth.vocoder.voice import VoiceParts

MOST_DIGITS_RATE = 8000
"""Up to it a voice with a tonal bed that begins from another one has the schedule of digits."""
BEGINNING, REPEATED = 120, 4
"""Batches that say what latents are, and where codebooks begin, at most; so many times the corpus at most."""
ENVELOPE_STEPS, FEWEST_ENVELOPE_STEPS = 1200, 20  # of the postfilter's fit; without fine-tuning


@dataclass(frozen=True)
class VocoderOptions:
    """What a user may say of the training of a vocoder; None where nothing was said."""

    corpora: list[str] | None = None
    preset: str | None = None
    rate: int | None = None
    labels: str | None = None
    split: str | None = None
    trim: bool | None = None
    steps: int | None = None
    seed: int | None = None
    density: float | None = None
    divergence: float | None = None
    base: str | None = None


def configs(run_options: dict[str, Any]) -> Configs:
    """Network, schedule and vocoder of a run; RunError when they can't be read."""
    with reading_run_options():
        check_version(run_options)
        model, train = ModelConfig.from_json(run_options["model"]), GeneratorTrainConfig(**run_options["train"])
        vocoder = VocoderConfig.from_json(run_options["vocoder"])
        return model, train, vocoder, VocoderTrainConfig(**run_options["vocoder_train"])


def preset_of(name: str | None) -> Configs:
    """Sizes and schedule of a preset, the default one for None; UsageError when there is none of the name."""
    preset = name or DEFAULT_PRESET
    if preset not in PRESETS:
        raise UsageError(f"preset {preset}: must be {', '.join(PRESETS)} with --task vocoder{having_preset(preset)}")
    return PRESETS[preset]


def based_configs(user_options: VocoderOptions) -> Configs | None:
    """Sizes of the voice that it begins from, with the schedule of a preset for such; None when it begins from none."""
    base = base_of(user_options)
    if base is None:
        return None
    loaded = load_voice(base)
    assert loaded.voice is not None
    check_rate(base, loaded, user_options.rate)
    config = loaded.voice.config
    spoken = "digits" if loaded.config.sample_rate <= MOST_DIGITS_RATE else "speech"
    preset = PRESETS["notes" if config.notes else spoken if config.tones else "tiny"]
    train = dataclasses.replace(preset[1], rate=RATE)
    return loaded.config, train, config, dataclasses.replace(preset[3], narrow=0.0)


class VocoderTask:
    """A network learns to predict samples from the past and from the encoder's latents; see `base.Task`."""

    name: ClassVar[str] = "vocoder"
    unit: ClassVar[str] = "bits per sample"
    accepted_options: ClassVar[type[VocoderOptions]] = VocoderOptions

    def __init__(self, folder: RunFolder, run_options: dict[str, Any], device: torch.device) -> None:
        self.model, self.config, self.vocoder, self.train = configs(run_options)
        self.corpus = open_cache(folder.cache)
        self.batches = batches_of(self.corpus, self.config, self.vocoder, self.train, self.config.seed, quiet=False)
        self.rows = rows_of(self.corpus, self.vocoder, self.config.most_validation, self.train.narrow)
        torch.manual_seed(self.config.seed)
        network = new_vocoder(self.model, self.vocoder, self.train)
        if base := base_of(VocoderOptions(**run_options["given"])):
            fill(network, decoder_weights(open_base(folder, base), self.model))
        self.is_held = holds(run_options)
        if self.is_held:
            network.hold()
        self.state = TrainState.of(network.to(device))

    @staticmethod
    def sample_rate(user_options: VocoderOptions) -> int:
        """The rate that was given, or the preset's; UsageError for one that token frames do not fit."""
        model, _, vocoder, _ = based_configs(user_options) or preset_of(user_options.preset)
        rate = int(user_options.rate or model.sample_rate)
        stride_of(vocoder, dataclasses.replace(model, sample_rate=rate))
        return rate

    @staticmethod
    def new_config(user_options: VocoderOptions, corpus: Corpus) -> dict[str, Any]:
        """Sizes and schedule of the preset with what was given, the corpus's labels."""
        based = based_configs(user_options)
        model, config, vocoder, more = based or preset_of(user_options.preset)
        hop = token_hop(corpus.rate)
        config = dataclasses.replace(
            config,
            steps=user_options.steps or config.steps,
            seed=user_options.seed or 0,
            span=-(-config.span // hop) * hop,
            density=config.density if user_options.density is None else user_options.density,
        )
        more = dataclasses.replace(more, divergence=user_options.divergence or 0.0)
        stride = stride_of(vocoder, dataclasses.replace(model, sample_rate=corpus.rate))
        phases = 1 if vocoder.tones else 0
        vocoder = dataclasses.replace(vocoder, notes=min(vocoder.notes, most_notes(corpus.rate)))
        model = dataclasses.replace(model, sample_rate=corpus.rate, labels=corpus.labels, stride=stride, phases=phases)
        return {
            "model": model.to_json(),
            "train": dataclasses.asdict(config),
            "vocoder": vocoder.to_json(),
            "vocoder_train": dataclasses.asdict(more),
            **({"held": True} if based else {}),
        }

    @staticmethod
    def resolved_options(run_options: dict[str, Any]) -> dict[str, Any]:
        """The accepted options, defaults included."""
        model, config, _, more = configs(run_options)
        return resolved(
            VocoderOptions,
            run_options,
            preset=run_options["given"].get("preset") or DEFAULT_PRESET,
            rate=model.sample_rate,
            steps=config.steps,
            seed=config.seed,
            density=config.density,
            divergence=more.divergence,
        )

    def train_step(self, accelerator: Accelerator) -> float:
        """One step; returns its loss."""
        if self.state.step == 0:
            self._begin()
        batch = self.batches.batch(self.state.step, accelerator.process_index, accelerator.num_processes)
        return train_step(self.state, self.config, self.train, batch, accelerator)

    def _begin(self) -> None:
        """What latents are, with a bed, and where codebooks begin, from the first batches."""
        network = self.state.network
        if self.is_held and not self.vocoder.has_bed:
            return
        count = self._beginning() if self.vocoder.has_bed else 1
        features = torch.cat([features_of_batch(network, self.batches.batch(number)) for number in range(count)])
        if self.is_held:
            network.begin_spectrum(features)
            return
        if self.vocoder.has_bed:
            network.begin_components(features)
        with torch.no_grad():
            z = network.encode(features).reshape(-1, self.vocoder.latent)
        network.begin_codebooks(z, torch.Generator().manual_seed(self.config.seed), features)

    def _beginning(self) -> int:
        """Batches with a few times what there is to hear, BEGINNING at most."""
        samples = REPEATED * self.corpus.size("train")
        return max(1, min(BEGINNING, -(-samples // (self.config.streams * self.config.span))))

    def validate(self) -> dict[str, float]:
        """Bits per sample of the validation files along all tokens, and along latents that are not quantized."""
        return validate(self.state.network, self.rows) if self.rows else {}

    def eligible_as_best(self) -> bool:
        """No block is left to go; see `generator`."""
        return sparsity.is_settled(self.state.step, self.config.steps, self.config.density)

    def log_validation(self, board: Any, record: dict[str, Any], folder: RunFolder) -> None:
        """Curves."""
        log_bits(board, record)

    @staticmethod
    def export(request: ExportRequest) -> dict[str, Any]:
        """Write a voice without a planner; returns its card.

        Encoder and codebooks stay as they are, network and conditioner are fine-tuned with rounded weights. Bits per
        sample are those of the integer engine along the files' own latents. Raises RunError, CorpusError.
        """
        run = FinishedRun.open(request.run)
        model, config, vocoder, train = configs(run.options)
        fine_steps = config.fine_steps if request.steps is None else request.steps
        network = _fine_tuned(run, fine_steps, request.quiet)
        postfilter = PostfilterConfig()
        batches = batches_of(run.corpus, config, vocoder, train, config.seed + 1)
        envelope_steps = ENVELOPE_STEPS if fine_steps else FEWEST_ENVELOPE_STEPS
        if request.envelope_steps is not None:
            envelope_steps = min(envelope_steps, request.envelope_steps)
        filtering = fit(network, postfilter, batches, envelope_steps, request.quiet)
        tensors = quantize(network.network, {})
        facts = run.card(request, **run.sound(), fine_steps=fine_steps)
        voice = VoiceParts(vocoder, quantize_vocoder(network), postfilter=postfilter, postfilter_tensors=filtering)
        checkpoint.save(request.out, model, tensors, facts, voice)
        if model.labels:
            voice = dataclasses.replace(voice, means=measures.means_of_labels(request.out, run.corpus))
        figures = measures.bits_per_sample(request.out, run.measured_rows(request.measured_seconds))
        facts["bits_per_sample"] = {split: round(bits, 4) for split, bits in figures.items()}
        for split, bits in facts["bits_per_sample"].items():
            request.say(f"{split}: {bits} bits per sample, led by what it hears")
        checkpoint.save(request.out, model, tensors, facts, voice)
        return facts


TASK = VocoderTask


def holds(run_options: dict[str, Any]) -> bool:
    """Whether encoder and codebooks of a run are those of a checkpoint, and are not learned."""
    return bool(run_options.get("held"))


def new_vocoder(model: ModelConfig, config: VocoderConfig, train: VocoderTrainConfig) -> VocoderNetwork:
    """A new vocoder as a run has it."""
    return VocoderNetwork(model, config, train.divergence > 0)


def batches_of(
    corpus: Corpus,
    config: GeneratorTrainConfig,
    vocoder: VocoderConfig,
    train: VocoderTrainConfig,
    seed: int,
    quiet: bool = True,
) -> StreamBatches:
    """The batches of a vocoder's training."""
    hop = ModelConfig.hop
    if vocoder.has_bed:
        return LockedBatches(
            open_locked(corpus, vocoder, quiet, train.narrow),
            vocoder,
            len(corpus.labels),
            corpus.rate,
            streams=config.streams,
            span=config.span,
            windows=config.windows,
            window=config.window,
            hop=hop,
            seed=seed,
            gain_db=train.gain_db,
            noise=train.noise,
        )
    numbers = config.streams, config.span, config.windows, config.window
    return StreamBatches(corpus, "train", *numbers, hop, seed, gain_db=train.gain_db, noise=train.noise)


def train_step(
    state: TrainState[VocoderNetwork],
    config: GeneratorTrainConfig,
    train: VocoderTrainConfig,
    batch: StreamBatch,
    accelerator: Accelerator,
) -> float:
    """One step of the vocoder; returns its loss over all processes: bits a sample, spectral distance, commitment."""
    vocoder, rank = state.network, accelerator.process_index
    draw = np.random.Generator(np.random.Philox(key=[config.seed, state.step], counter=[0, 0, 3, rank]))
    features = features_of_batch(vocoder, batch)
    z, loss = _encoded(vocoder, features, train.divergence, draw)
    tokens, sums = vocoder.quantize(z)
    latents = quantizer_dropout(z, sums, train.free, draw)
    sparse = sparsity.masked(vocoder.network)
    loss = loss + conditioned_loss(vocoder, config, train.prediction, batch, latents)
    if not vocoder.config.has_bed:  # with a bed the latents do not learn
        targets = spectral_targets(features, vocoder.config)
        loss = loss + train.spectral * (vocoder.spectrum(latents) - targets).abs().mean()
        loss = loss + train.commit * (z - sums[-1]).square().mean()
    mean = optimizer_step(state, config, loss, accelerator, sparse)
    sparsity.prune(sparse, state.step, config.steps, config.density)
    with torch.no_grad():
        vocoder.network.tree.clamp_(-TREE_LIMIT, TREE_LIMIT)
        if not vocoder.config.tones:  # else they stay clusters of what does not move
            flat = z.detach().reshape(-1, z.shape[-1])
            generator = torch.Generator().manual_seed(int(draw.integers(1 << 62)))
            vocoder.learn_codebooks(flat, tokens.reshape(len(flat), -1), sums.flatten(1, 2), generator)
    return mean


def _encoded(
    vocoder: VocoderNetwork, features: Tensor, divergence_weight: float, draw: np.random.Generator
) -> tuple[Tensor, Tensor]:
    """Latents (streams, tokens, latent) of features, drawn where the encoder is variational, and the divergence."""
    if not vocoder.variational:
        return vocoder.encode(features), features.new_zeros(())
    shape = len(features), features.shape[1] // 2, vocoder.config.learned
    noise = draw.standard_normal(shape, np.float32)
    z, divergence = vocoder.draw(features, torch.from_numpy(noise).to(features.device))
    return z, divergence_weight * divergence


def _fine_tuned(run: FinishedRun, steps: int, quiet: bool) -> VocoderNetwork:
    """The run's vocoder, frozen but for network and conditioner, after `steps` with rounded weights."""
    model, config, vocoder, train = configs(run.options)
    torch.manual_seed(config.seed)
    state = TrainState.of(new_vocoder(model, vocoder, train))
    state.load(run.weights, 0)
    if holds(run.options):
        state.network.hold()
    state.network.freeze()
    schedule = fine_tuning(config, steps, density=1.0)
    batches = batches_of(run.corpus, config, vocoder, train, config.seed + 1)

    def step(number: int, accelerator: Accelerator) -> None:
        train_step(state, schedule, train, batches.batch(number), accelerator)

    with denormals_flushed():
        state.network.network.quantized = True
        fine_tune(steps, step, quiet)
    return state.network
