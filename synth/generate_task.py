"""Training the generator: its network, batches, measures and auditions, for the loop in `train`."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

import numpy as np
import torch
from accelerate import Accelerator
from numpy.typing import NDArray

from synth import corpus as corpora_module
from synth import engine, sparse
from synth.config import PRESETS, Draw, ModelConfig, TrainConfig
from synth.corpus import Corpus
from synth.data import Batches, Row, validation_rows
from synth.errors import RunError, UsageError
from synth.learn import Learner, learn, measure
from synth.mulaw import decode
from synth.predicting import fit_start, predict_codes, predictor_tensors
from synth.quantize import quantize
from synth.runs import RunFolder
from synth.task import VERSION, show_bits
from synth.writer import AudioWriter

DEFAULT_PRESET = "digits"
AUDITION_SECONDS = 2


def configs(options: dict[str, Any]) -> tuple[ModelConfig, TrainConfig, dict[str, NDArray[Any]]]:
    """Network, schedule and predictor constants of a run's options; RunError when they can't be read."""
    try:
        if options["version"] != VERSION:
            raise RunError(f"run.json: of version {options['version']}; this synth goes on with {VERSION}")
        model = ModelConfig.from_json(options["model"])
        config = TrainConfig(**options["train"])
        start = np.array(options["start"], np.float64)
        if start.shape != (model.order,) or not isinstance(options["given"], dict):
            raise ValueError("its start weights or options are not whole")
        return model, config, predictor_tensors(model, start)
    except (KeyError, TypeError, ValueError, UsageError) as error:
        raise RunError(f"run.json: not the options of a run of this version ({error})") from None


class GenerateTask:
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
        self.batches = Batches(self.corpus, "train", c.streams, c.span, c.windows, c.window, self.model.hop, c.seed)
        self.rows: list[Row] = validation_rows(self.corpus, "validation", c.most_validation)
        self.learner = Learner.of(self.model, c.seed, device)

    @staticmethod
    def _preset(given: dict[str, Any]) -> tuple[ModelConfig, TrainConfig]:
        preset = given.get("preset") or DEFAULT_PRESET
        if preset not in PRESETS:
            raise UsageError(f"preset {preset}: must be {', '.join(PRESETS)}")
        return PRESETS[preset]

    @staticmethod
    def rate(given: dict[str, Any]) -> int:
        """The rate that was given, or the preset's."""
        model, _ = GenerateTask._preset(given)
        return int(given["rate"] or model.sample_rate)

    @staticmethod
    def begin(given: dict[str, Any], corpus: Corpus) -> dict[str, Any]:
        """Sizes and schedule of the preset with what was given, the corpus's labels, the predictor's start."""
        model, config = GenerateTask._preset(given)
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

    def step(self, boss: Accelerator) -> float:
        """One step; returns its bits per sample."""
        batch = self.batches.batch(self.learner.step, boss.process_index, boss.num_processes)
        inputs = np.stack(predict_codes(batch.heard, self.tensors), 2)
        return learn(self.learner, self.config, batch, inputs, boss)

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
        return sparse.is_settled(self.learner.step, self.config.steps, self.config.density)

    def show(self, board: Any, record: dict[str, Any], folder: RunFolder) -> None:
        """Curves, and two seconds from silence by the integer engine, also as audition-STEP.wav."""
        wave = self._audition(record["step"], folder)
        show_bits(board, record)
        sound = torch.from_numpy(wave.astype(np.float32) / 32768)[None]
        board.add_audio("audition", sound, record["step"], self.model.sample_rate)

    def _audition(self, step: int, folder: RunFolder) -> NDArray[np.int16]:
        player = engine.create(self.model, quantize(self.learner.network, self.tensors))
        seconds = AUDITION_SECONDS if player.name == "native" else 0.1
        codes = player.generate(player.state(self.config.seed), round(seconds * self.model.sample_rate), Draw())
        wave = decode(codes)
        with AudioWriter(folder.path / f"audition-{step}.wav", self.model.sample_rate, force=True) as out:
            out.write(wave)
        return wave
