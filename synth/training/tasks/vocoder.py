"""Training a vocoder: encoder, quantisers, conditioner and network at once, for the loop in `train`."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

import numpy as np
import torch
from accelerate import Accelerator
from numpy.typing import NDArray
from torch import Tensor

from synth.audio.mulaw import decode
from synth.common.errors import RunError, UsageError
from synth.data import corpus as corpora_module
from synth.data.corpus import Corpus
from synth.engine.config import ModelConfig
from synth.engine.lattice import predictor_weights, steered_inputs
from synth.nn.vocoder import VocoderNetwork, prediction_loss
from synth.training.batches import Batch, Row, StreamBatches, validation_rows
from synth.training.config import GeneratorTrainConfig, VocoderTrainConfig
from synth.training.optimization import TrainState, optimizer_step
from synth.training.run_folder import RunFolder
from synth.training.tasks.base import VERSION, show_bits
from synth.training.tasks.generator import batch_loss
from synth.vocoder.config import VocoderConfig, stride_of, token_hop
from synth.vocoder.mel import mel_of, normalize_mel

VOICES: dict[str, tuple[ModelConfig, GeneratorTrainConfig, VocoderConfig, VocoderTrainConfig]] = {
    "digits": (
        ModelConfig(8000, frame_units=160, sample_units=192, head_units=64),
        GeneratorTrainConfig(
            span=6400, streams=32, windows=3, window=384, warmup=64, steps=3000, every=300, fine_steps=300
        ),
        VocoderConfig(mels=40, quantisers=8),
        VocoderTrainConfig(),
    ),
    "speech": (
        ModelConfig(16000, frame_units=192, sample_units=192, head_units=64),
        GeneratorTrainConfig(
            span=8000, streams=24, windows=4, window=384, warmup=64, steps=7000, every=500, fine_steps=600
        ),
        VocoderConfig(mels=64, latent=48, quantisers=16, encoder_units=192, units=160),
        VocoderTrainConfig(gain_db=6.0, early=1500),
    ),
    "tiny": (
        ModelConfig(8000, frame_units=64, sample_units=64, head_units=32),
        GeneratorTrainConfig(
            span=3200, streams=16, windows=4, steps=600, every=200, fine_steps=60, most_validation=100_000
        ),
        VocoderConfig(mels=40, quantisers=4, latent=16, encoder_units=64, units=64),
        VocoderTrainConfig(),
    ),
}
DEFAULT_PRESET = "digits"
Configs = tuple[ModelConfig, GeneratorTrainConfig, VocoderConfig, VocoderTrainConfig]


def configs(options: dict[str, Any]) -> Configs:
    """Network, schedule and vocoder of a run's options; RunError when they can't be read."""
    try:
        if options["version"] != VERSION:
            raise RunError(f"run.json: of version {options['version']}; this synth goes on with {VERSION}")
        model, train = ModelConfig.from_json(options["model"]), GeneratorTrainConfig(**options["train"])
        vocoder, more = VocoderConfig.from_json(options["vocoder"]), VocoderTrainConfig(**options["vocoder_train"])
        if not isinstance(options["given"], dict):
            raise ValueError("its options are not whole")
        return model, train, vocoder, more
    except (KeyError, TypeError, ValueError, UsageError) as error:
        raise RunError(f"run.json: not the options of a run of this version ({error})") from None


class VocoderTask:
    """A network learns to predict samples from the past and from what the encoder heard; see `task.Task`."""

    name: ClassVar[str] = "vocoder"
    unit: ClassVar[str] = "bits per sample"
    given: ClassVar[tuple[str, ...]] = (
        *("corpora", "preset", "rate", "labels", "split", "trim", "steps", "seed"),
        "divergence",
    )

    def __init__(self, folder: RunFolder, options: dict[str, Any], device: torch.device) -> None:
        self.model, self.config, self.vocoder, self.train = configs(options)
        self.corpus: Corpus = corpora_module.open_cache(folder.path / "cache")
        self.batches = batches_of(self.corpus, self.config, self.train, self.model.hop, self.config.seed)
        self.rows: list[Row] = validation_rows(self.corpus, "validation", self.config.most_validation)
        torch.manual_seed(self.config.seed)
        self.learner = TrainState.around(vocoder_in(self.model, self.vocoder, self.train).to(device))

    @staticmethod
    def _preset(given: dict[str, Any]) -> tuple[ModelConfig, GeneratorTrainConfig, VocoderConfig, VocoderTrainConfig]:
        preset = given.get("preset") or DEFAULT_PRESET
        if preset not in VOICES:
            raise UsageError(f"preset {preset}: must be {', '.join(VOICES)} with --task vocoder")
        return VOICES[preset]

    @staticmethod
    def rate(given: dict[str, Any]) -> int:
        """The rate that was given, or the preset's; UsageError for one that token frames do not fit."""
        model, _, vocoder, _ = VocoderTask._preset(given)
        rate = int(given["rate"] or model.sample_rate)
        stride_of(vocoder, dataclasses.replace(model, sample_rate=rate))
        return rate

    @staticmethod
    def begin(given: dict[str, Any], corpus: Corpus) -> dict[str, Any]:
        """Sizes and schedule of the preset with what was given, the corpus's labels, the predictor's start."""
        model, config, vocoder, more = VocoderTask._preset(given)
        config = dataclasses.replace(config, steps=given["steps"] or config.steps, seed=given["seed"] or 0)
        hop = token_hop(corpus.rate)
        config = dataclasses.replace(config, span=-(-config.span // hop) * hop)
        more = dataclasses.replace(more, divergence=given["divergence"] or 0.0)
        stride = stride_of(vocoder, dataclasses.replace(model, sample_rate=corpus.rate))
        model = dataclasses.replace(model, sample_rate=corpus.rate, labels=corpus.labels, stride=stride)
        return {
            "model": model.to_json(),
            "train": dataclasses.asdict(config),
            "vocoder": vocoder.to_json(),
            "vocoder_train": dataclasses.asdict(more),
        }

    @staticmethod
    def made_with(options: dict[str, Any]) -> dict[str, Any]:
        """The options of `given`, defaults included."""
        model, config, _, more = configs(options)
        given = options["given"]
        known = {"preset": given.get("preset") or DEFAULT_PRESET, "rate": model.sample_rate}
        known |= {"divergence": more.divergence, "steps": config.steps, "seed": config.seed}
        return {**{key: given.get(key) for key in ("corpora", "labels", "split", "trim")}, **known}

    def step(self, accelerator: Accelerator) -> float:
        """One step; returns its loss."""
        batch = self.batches.batch(self.learner.step, accelerator.process_index, accelerator.num_processes)
        return learn(self.learner, self.config, self.train, batch, accelerator)

    def measure(self) -> dict[str, float]:
        """Bits per sample of the validation files as heard with all tokens, and with vectors that are not quantised."""
        if not self.rows:
            return {}
        return measure(self.learner.network, self.rows)

    def settled(self) -> bool:
        """Always: nothing of it goes away while it trains."""
        return True

    def show(self, board: Any, record: dict[str, Any], folder: RunFolder) -> None:
        """Curves."""
        show_bits(board, record)


def vocoder_in(model: ModelConfig, config: VocoderConfig, train: VocoderTrainConfig) -> VocoderNetwork:
    """A new vocoder as a run has it."""
    return VocoderNetwork(model, config, train.divergence > 0)


def batches_of(
    corpus: Corpus, config: GeneratorTrainConfig, train: VocoderTrainConfig, hop: int, seed: int
) -> StreamBatches:
    """The batches of a vocoder's training."""
    c = config
    sizes = c.streams, c.span, c.windows, c.window
    return StreamBatches(corpus, "train", *sizes, hop, seed, gain_db=train.gain_db, noise=train.noise)


def mels(vocoder: VocoderNetwork, codes: NDArray[np.uint8]) -> Tensor:
    """Log-mel features (streams, 2 x tokens, mels) of codes (streams, span), silence after their end."""
    rate = vocoder.network.config.sample_rate
    rows = [mel_of(decode(row), vocoder.config, rate) for row in codes]
    return torch.from_numpy(np.stack(rows)).to(vocoder.network.frame_bias.device)


def learn(
    learner: TrainState[VocoderNetwork],
    config: GeneratorTrainConfig,
    train: VocoderTrainConfig,
    batch: Batch,
    accelerator: Accelerator,
) -> float:
    """One step of the vocoder; returns its loss over all processes: bits a sample, spectral distance, commitment."""
    vocoder = learner.network
    draw = np.random.Generator(
        np.random.Philox(key=[config.seed, learner.step], counter=[0, 0, 3, accelerator.process_index])
    )
    mel = mels(vocoder, batch.codes)
    loss = mel.new_zeros(())
    if vocoder.variational:
        noise = draw.standard_normal((len(mel), mel.shape[1] // 2, vocoder.config.latent), np.float32)
        z, divergence = vocoder.draw(mel, torch.from_numpy(noise).to(mel.device))
        loss = train.divergence * divergence
    else:
        z = vocoder.encode(mel)
    flat = z.detach().reshape(-1, z.shape[-1])
    if learner.step == 0:
        vocoder.quantisers.initialize(flat, torch.Generator().manual_seed(config.seed))
    tokens, sums = vocoder.quantisers(z)
    heard = dropped(z, sums, train, draw)
    if learner.step >= train.early:
        loss = loss + spoken(vocoder, config, train, batch, heard)
    loss = loss + train.spectral * (vocoder.spectrum(heard) - normalize_mel(mel)).abs().mean()
    loss = loss + train.commit * (z - sums[-1]).square().mean()
    mean = optimizer_step(learner, config, loss, accelerator)
    with torch.no_grad():
        vocoder.network.tree.clamp_(-1.98, 1.98)
        generator = torch.Generator().manual_seed(int(draw.integers(1 << 62)))
        vocoder.quantisers.update(flat, tokens.reshape(len(flat), -1), sums.flatten(1, 2), generator)
    return mean


def spoken(
    vocoder: VocoderNetwork, config: GeneratorTrainConfig, train: VocoderTrainConfig, batch: Batch, heard: Tensor
) -> Tensor:
    """Bits a sample of a network that is told `heard`, and what its linear predictor leaves."""
    given, reflections = vocoder.condition(heard)
    inputs = inputs_of(vocoder, batch.heard, reflections)
    bits = batch_loss(vocoder.network, batch, inputs, config.warmup, config.window, given)
    sound = torch.from_numpy(decode(batch.codes).astype(np.float32) / 32768).to(heard.device)
    return bits + train.prediction * prediction_loss(reflections, sound)


def inputs_of(vocoder: VocoderNetwork, codes: NDArray[np.uint8], reflections: Tensor) -> NDArray[np.uint8]:
    """Predicted and residual codes (streams, span, 2) of what the network hears."""
    integers = (reflections.detach() * 32768).round().clamp(-32767, 32767).cpu().numpy().astype(np.int16)
    part = vocoder.stride * vocoder.network.config.hop
    return np.stack(steered_inputs(codes, predictor_weights(integers), part), 2)


def dropped(z: Tensor, sums: Tensor, train: VocoderTrainConfig, draw: np.random.Generator) -> Tensor:
    """Vectors as the network is to hear them: of each stream unquantised, or of some of the quantisers."""
    count = len(sums) - 1
    some = draw.integers(1, count, len(z), endpoint=True)
    kept = np.where(draw.random(len(z)) < 0.5, count, some)
    free = torch.from_numpy(draw.random(len(z)) < train.free).to(z.device)
    chosen = sums[torch.from_numpy(kept).to(z.device), torch.arange(len(z), device=z.device)]
    return torch.where(free[:, None, None], z, z + (chosen - z.detach()))


@torch.inference_mode()
def measure(vocoder: VocoderNetwork, rows: list[Row]) -> dict[str, float]:
    """Bits a sample of files, each from a fresh state, with all tokens and with none; mean spectral distance."""
    totals: dict[str, float] = {"validation": 0.0, "validation_free": 0.0, "spectral": 0.0}
    count, hop = 0, token_hop(vocoder.network.config.sample_rate)
    ordered = sorted(rows, key=lambda row: len(row[0]))
    for at in range(0, len(ordered), 32):
        group = [row for row, _ in ordered[at : at + 32]]
        longest = min(-(-max(len(codes) for codes in group) // hop), (1 << 15) // hop) * hop
        codes = np.full((len(group), longest), 128, np.uint8)
        for place, row in enumerate(group):
            codes[place, : len(row)] = row[:longest]
        mel = mels(vocoder, codes)
        z = vocoder.encode(mel)
        sums = vocoder.quantisers(z)[1]
        inside = torch.arange(longest)[None] < torch.tensor([len(row) for row in group])[:, None]
        for name, heard in (("validation", sums[-1]), ("validation_free", z)):
            bits = forced(vocoder, codes, *vocoder.condition(heard))
            totals[name] += float((bits.double() * inside.to(bits.device)).sum())
        frames = inside[:, :: hop // 2].to(z.device)
        distance = (vocoder.spectrum(sums[-1]) - normalize_mel(mel)).abs().mean(2)
        totals["spectral"] += float((distance * frames).sum()) * hop / 2
        count += int(inside.sum())
    return {name: total / max(1, count) for name, total in totals.items()}


def forced(vocoder: VocoderNetwork, codes: NDArray[np.uint8], given: Tensor, reflections: Tensor) -> Tensor:
    """Bits (streams, time) of codes (streams, time) that the network is led along."""
    network = vocoder.network
    device, hop = given.device, network.config.hop
    inputs = torch.from_numpy(inputs_of(vocoder, codes, reflections)).to(device).long()
    labels = torch.zeros(len(codes), codes.shape[1] // hop, len(network.config.labels), dtype=torch.long, device=device)
    bits, _ = network(torch.from_numpy(codes).to(device).long(), inputs, labels, network.start(len(codes)), given)
    return bits
