"""A training run from its options to its last step: folder, corpus, loop, validation, logs, stopping and going on."""

from __future__ import annotations

import dataclasses
import math
import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from numpy.typing import NDArray
from tqdm import tqdm

from synth import corpus as corpora_module
from synth import engine, sparse
from synth.config import PRESETS, Draw, ModelConfig, TrainConfig
from synth.corpus import Corpus
from synth.data import Batches, Row, validation_rows
from synth.errors import RunError, UsageError
from synth.learn import Learner, denormals_flushed, learn, measure, steady_memory
from synth.mulaw import decode
from synth.predicting import fit_start, predict_codes, predictor_tensors
from synth.quantize import quantize
from synth.runs import RunFolder
from synth.writer import AudioWriter

Say = Callable[[str], None]
DEFAULT_PRESET = "digits"
VERSION = 1
AUDITION_SECONDS = 2
SAVE_SECONDS = 60.0


def train(
    corpora: Sequence[str | os.PathLike[str]],
    run: str | os.PathLike[str],
    preset: str | None = None,
    rate: int | None = None,
    labels: str | None = None,
    split: str | None = None,
    trim: bool = False,
    steps: int | None = None,
    seed: int | None = None,
    density: float | None = None,
    resume: bool = False,
    device: str = "auto",
    threads: int | None = None,
    quiet: bool = False,
    until: int | None = None,
    say: Say = lambda text: None,
) -> None:
    """Train on `corpora` in the folder `run`, or go on there with `resume`; `until` stops earlier, as Ctrl-C would.

    Raises CorpusError when there is nothing to train on, RunError when the folder can't be used, holds another run, or
    the loss is not finite, KeyboardInterrupt after Ctrl-C, the state being saved.
    """
    steady_memory()
    if threads:
        torch.set_num_threads(threads)
    if device == "cuda" and not torch.cuda.is_available():
        raise UsageError("--device cuda: torch sees no GPU here")
    boss = Accelerator(cpu=device == "cpu" or not torch.cuda.is_available())
    given = {
        "corpora": [os.path.abspath(path) for path in corpora] or None,
        "preset": preset,
        "rate": rate,
        "labels": labels,
        "split": split,
        "trim": trim or None,
        "steps": steps,
        "seed": seed,
        "density": density,
    }
    with RunFolder(run, lock=boss.is_main_process) as folder:
        if boss.is_main_process:
            if folder.started and not resume:
                raise RunError(f"{folder.path}: holds a run already; give --resume to go on, or another folder")
            if not folder.started:
                if not corpora:
                    raise RunError(f"{folder.path}: no run in this folder to resume")
                _begin(folder, given, say, quiet)
        boss.wait_for_everyone()
        options = folder.options()
        _check_given(folder, options, given)
        with denormals_flushed():
            Run(folder, options, boss, quiet, say).go(until)


def _check_given(folder: RunFolder, options: dict[str, Any], given: dict[str, Any]) -> None:
    made = _made_with(options)
    for key, value in given.items():
        if value is not None and value != made[key]:
            what = f"this run was made with {key} {made[key]!r}, not {value!r}; leave it out"
            raise RunError(f"{folder.path}: {what}")


def _made_with(options: dict[str, Any]) -> dict[str, Any]:
    """The options that a run was made with, defaults included, under the names that `train` was given them."""
    model, config, _ = configs(options)
    given = options["given"]
    preset = given.get("preset") or DEFAULT_PRESET
    known = {"preset": preset, "rate": model.sample_rate}
    known |= {"steps": config.steps, "seed": config.seed, "density": config.density}
    return {**{key: given.get(key) for key in ("corpora", "labels", "split", "trim")}, **known}


def _begin(folder: RunFolder, given: dict[str, Any], say: Say, quiet: bool) -> None:
    """Build the corpus's cache and write the options of a new run."""
    preset = given["preset"] or DEFAULT_PRESET
    if preset not in PRESETS:
        raise UsageError(f"preset {preset}: must be {', '.join(PRESETS)}")
    model, config = PRESETS[preset]
    model = dataclasses.replace(model, sample_rate=given["rate"] or model.sample_rate)
    density = config.density if given["density"] is None else given["density"]
    config = dataclasses.replace(config, steps=given["steps"] or config.steps, seed=given["seed"] or 0, density=density)
    with tqdm(desc="reading", unit="file", disable=True if quiet else None) as bar:

        def progress(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        corpus = corpora_module.build(
            given["corpora"],
            folder.path / "cache",
            model.sample_rate,
            given["labels"],
            bool(given["trim"]),
            given["split"],
            progress=progress,
            exclude=[folder.path],
        )
    for path, reason in corpus.skipped:
        say(f"skipped {path}: {reason}")
    model = dataclasses.replace(model, labels=corpus.labels)
    start = fit_start(corpus, model.order)
    folder.write_options(
        {
            "version": VERSION,
            "given": given,
            "model": model.to_json(),
            "train": dataclasses.asdict(config),
            "start": start.tolist(),
        }
    )


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


class Run:
    """A run under way."""

    def __init__(self, folder: RunFolder, options: dict[str, Any], boss: Accelerator, quiet: bool, say: Say) -> None:
        self.folder, self.boss, self.quiet, self.say = folder, boss, quiet, say
        self.model, self.config, self.tensors = configs(options)
        self.corpus: Corpus = corpora_module.open_cache(folder.path / "cache")
        c = self.config
        self.batches = Batches(self.corpus, "train", c.streams, c.span, c.windows, c.window, self.model.hop, c.seed)
        self.rows: list[Row] = validation_rows(self.corpus, "validation", c.most_validation)
        self.learner = Learner.of(self.model, c.seed, boss.device)
        self.best = math.inf
        self.recent: list[float] = []
        if (folder.path / "last.safetensors").exists():
            arrays, info = folder.load("last")
            try:
                self.learner.load(arrays, int(info["step"]))
                self.best, self.recent = float(info["best"]), [float(bits) for bits in info["recent"]]
            except (KeyError, TypeError, ValueError, RuntimeError):
                raise RunError(f"{folder.path / 'last.safetensors'}: not a state of this version") from None
        if boss.is_main_process:
            folder.trim_log(self.learner.step)  # records of steps whose state was not saved any more

    def go(self, until: int | None) -> None:
        """Train to the end, or to step `until`, or to the first Ctrl-C (then KeyboardInterrupt)."""
        last = min(self.config.steps, until or self.config.steps)
        saved = time.monotonic()
        hidden = True if self.quiet or not self.boss.is_main_process else None
        with (
            interruptible() as stopped,
            tqdm(total=self.config.steps, initial=self.learner.step, unit="step", disable=hidden) as bar,
        ):
            while self.learner.step < last:
                bits = self._step()
                bar.update()
                bar.set_postfix_str(f"{bits:.3f} bits")
                stop = self._any(stopped())
                if self.learner.step % self.config.every == 0 or self.learner.step == self.config.steps:
                    self._validate(bar.write if hidden is None and not bar.disable else self.say)
                    saved = time.monotonic()
                elif stop or self.learner.step == last or time.monotonic() - saved > SAVE_SECONDS:
                    self._save()
                    saved = time.monotonic()
                if stop:
                    raise KeyboardInterrupt

    def _any(self, stop: bool) -> bool:
        """Whether any of the processes is to stop: they stop after the same step."""
        if self.boss.num_processes == 1:
            return stop
        return bool(self.boss.reduce(torch.tensor(float(stop), device=self.boss.device), "sum") > 0)

    def _step(self) -> float:
        batch = self.batches.batch(self.learner.step, self.boss.process_index, self.boss.num_processes)
        inputs = np.stack(predict_codes(batch.heard, self.tensors), 2)
        bits = learn(self.learner, self.config, batch, inputs, self.boss)
        self.recent = [*self.recent[-99:], bits]
        return bits

    def _save(self) -> None:
        if self.boss.is_main_process:
            info = {"step": self.learner.step, "best": self.best, "recent": self.recent}
            self.folder.save("last", self.learner.arrays(), info)

    def _validate(self, say: Say) -> None:
        """Measure, log, save, and let the network be heard."""
        if self.boss.is_main_process:
            network, step = self.learner.network, self.learner.step
            record: dict[str, Any] = {"step": step, "train": round(float(np.mean(self.recent)), 5)}
            if self.rows:
                record["validation"] = round(measure(network, self.rows, self.tensors), 5)
                if self.model.labels:
                    record["validation_labels"] = round(measure(network, self.rows, self.tensors, True), 5)
            # labels and none are shown side by side: a frame tier that ignores its labels shows here
            say("  ".join(f"{key} {value}" for key, value in record.items()) + "  (bits per sample)")
            # a network that still loses blocks is better than it will be
            settled = sparse.is_settled(step, self.config.steps, self.config.density)
            if settled and record.get("validation", record["train"]) < self.best:
                self.best = record.get("validation", record["train"])
                weights = {k: v for k, v in self.learner.arrays().items() if k.startswith("weight.")}
                self.folder.save("best", weights, {"step": step, "validation": self.best})
            self.folder.log(record)
            self._save()
            self._show(record, self._audition(step))
        self.boss.wait_for_everyone()

    def _audition(self, step: int) -> NDArray[np.int16]:
        """Two seconds from silence by the integer engine, also as audition-STEP.wav."""
        player = engine.create(self.model, quantize(self.learner.network, self.tensors))
        seconds = AUDITION_SECONDS if player.name == "native" else 0.1
        codes = player.generate(player.state(self.config.seed), round(seconds * self.model.sample_rate), Draw())
        wave = decode(codes)
        with AudioWriter(self.folder.path / f"audition-{step}.wav", self.model.sample_rate, force=True) as out:
            out.write(wave)
        return wave

    def _show(self, record: dict[str, Any], wave: NDArray[np.int16]) -> None:
        from torch.utils.tensorboard import SummaryWriter

        with SummaryWriter(str(self.folder.path / "tensorboard")) as board:
            for key, value in record.items():
                if key != "step":
                    board.add_scalar(f"bits/{key}", value, record["step"])
            sound = torch.from_numpy(wave.astype(np.float32) / 32768)[None]
            board.add_audio("audition", sound, record["step"], self.model.sample_rate)


@contextmanager
def interruptible() -> Iterator[Callable[[], bool]]:
    """Within it the first Ctrl-C or SIGTERM only makes the yielded function return True; the second one interrupts."""
    seen: list[int] = []

    def note(number: int, _: object) -> None:
        if seen:
            raise KeyboardInterrupt
        seen.append(number)

    try:
        before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    except ValueError:  # not in the main thread: signals stay as they are
        before = {}
    try:
        yield lambda: bool(seen)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
