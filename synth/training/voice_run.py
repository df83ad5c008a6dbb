"""`synth train --task voice`: a decoder, then a planner, in one folder that is a checkpoint, in the time that is given.

The folder's `decoder` and `planner` are runs of the tasks vocoder and planner, which share its `cache`;
`voice.safetensors` is what was exported last. `run.json` says what was asked for, the time, and the stage reached.
"""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path
from typing import Any

from accelerate import Accelerator

from synth.checkpoint.registry import VOICE
from synth.common.errors import RunError, UsageError
from synth.data.corpus import Corpus, open_cache
from synth.training import audition, voice_corpus, voice_export
from synth.training.budget import Budget, check_minutes, with_streams
from synth.training.export.common import ExportRequest
from synth.training.loop import Say, Trainer
from synth.training.optimization import denormals_flushed
from synth.training.request import TrainRequest, check_unchanged
from synth.training.run_folder import RunFolder
from synth.training.tasks import TASKS
from synth.training.tasks.base import VERSION
from synth.training.tasks.planner import VOICE as PLANNED
from synth.training.tasks.planner import PlannerTask
from synth.training.tasks.vocoder import VocoderTask
from synth.training.train import check_budget, extend
from synth.training.voice_export import DECODER, PLANNER, export
from synth.training.voice_options import Beginning, VoiceOptions, beginning_of, decoder_options, planner_options

__all__ = ["export", "train"]

DEFAULT_MINUTES = 10.0
DONE = "done"
"""What run.json says of a run that has ended, in the place of a stage."""
DECODER_SHARE = 0.68
"""Of the time that is left when the sounds are read, its export included."""
DECODER_TAIL, PLANNER_TAIL = 10.0, 6.0
"""What exports and auditions take without what they fit, in steps of a stage."""
COPY_COST = 2.0
"""Times what a copy took that the generated sound may take."""


def train(request: TrainRequest, *, say: Say = lambda text: None) -> None:
    """Train a voice as the request asks, or go on with one; see `synth.training.train.train`."""
    clock = request.clock(0.0)
    accelerator = request.accelerator()
    if accelerator.num_processes > 1:
        raise UsageError("--task voice: trains in one process; several train --task vocoder, then --task planner")
    with RunFolder(request.run) as folder, folder.full_disks_named():
        if not folder.started:
            options = _begin(folder, request, say)
        elif request.resume:
            options = _resumed(folder, request)
        else:
            options = _further(folder, request, say)
        VoiceRun(folder, options, accelerator, request, clock, say).go()


def _seconds(request: TrainRequest) -> float | None:
    """The budget that was given, or the default one; None where there are steps."""
    if request.minutes is None and request.options.get("steps") is not None:
        return None
    request.budget()  # both are refused
    return check_minutes(DEFAULT_MINUTES if request.minutes is None else request.minutes)


def _begin(folder: RunFolder, request: TrainRequest, say: Say) -> dict[str, Any]:
    """Reads the sounds and writes the options of a new run."""
    entry, given, seconds = TASKS["voice"], request.user_options(), _seconds(request)
    if not request.corpora:
        raise RunError(f"{folder.path}: no run in this folder to resume")
    folder.check_unused()
    entry.check_accepted(given)
    asked = VoiceOptions(**{name: given.get(name) for name in entry.options})
    files = voice_corpus.request_of(folder, asked, 0).files(folder.path)
    beginning = beginning_of(asked, [file.path for file in files], say)
    most = voice_corpus.seconds_to_hear(seconds, beginning.speed, beginning.rate, asked.labels is not None)
    wanted = voice_corpus.request_of(folder, asked, beginning.rate)
    heard = voice_corpus.read(wanted, folder.path / "cache", most, request.quiet)
    voice_corpus.describe(heard, say)
    decoder = decoder_options(given, beginning, asked.steps)
    decoder_config = VocoderTask.new_config(decoder, heard.corpus)
    options = {
        "task": entry.name,
        "version": VERSION,
        "given": dataclasses.asdict(asked),
        "beginning": dataclasses.asdict(beginning),
        "stage": DECODER,
        "round": 1,
        "budget": seconds,
    }
    folder.write_options(options)
    stage = RunFolder(folder.path / DECODER)
    stage.path.mkdir(exist_ok=True)
    own = {"task": "vocoder", "version": VERSION, "given": dataclasses.asdict(decoder), "round": 1}
    stage.write_options({**own, **decoder_config})
    return options


def _check(folder: RunFolder, request: TrainRequest, options: dict[str, Any], *free: str) -> None:
    """RunError where an option is given that is not what the run was made with, but for those that are `free`."""
    given = {name: value for name, value in request.user_options().items() if name not in free}
    check_unchanged(folder.path, "voice", {"task": "voice", **options["given"]}, {"task": request.task, **given})


def _resumed(folder: RunFolder, request: TrainRequest) -> dict[str, Any]:
    """The options of a run whose stopped budget is to be finished."""
    options = folder.options()
    _check(folder, request, options)
    check_budget(folder, options["budget"], request.budget())
    return options


def _further(folder: RunFolder, request: TrainRequest, say: Say) -> dict[str, Any]:
    """The options of a run that is to go on for another budget: the sounds are looked at again."""
    options = folder.options()
    steps = request.options.get("steps")
    if request.minutes is None and steps is None:
        raise RunError(
            f"{folder.path}: holds a run already; give --resume to finish what was stopped, --minutes N to train it"
            " further, or another folder"
        )
    _check(folder, request, options, "steps")
    seconds, beginning = _seconds(request), Beginning(**options["beginning"])
    asked = VoiceOptions(**options["given"])
    most = voice_corpus.seconds_to_hear(seconds, beginning.speed, beginning.rate, asked.labels is not None)
    wanted = voice_corpus.request_of(folder, asked, beginning.rate)
    voice_corpus.read_again(folder, wanted, most, request.quiet, say)
    if (folder.path / VOICE).exists():
        voice_export.settle(RunFolder(folder.path / DECODER))
    options |= {"stage": DECODER, "round": options["round"] + 1, "budget": seconds}
    options["given"] |= {"steps": steps}
    options.pop("used", None)
    folder.write_options(options)
    return options


class VoiceRun:
    """A voice that trains in its folder: stages, exports, auditions, lines for people."""

    def __init__(
        self,
        folder: RunFolder,
        options: dict[str, Any],
        accelerator: Accelerator,
        request: TrainRequest,
        clock: Budget,
        say: Say,
    ) -> None:
        self.folder, self.options, self.accelerator, self.request, self.say = folder, options, accelerator, request, say
        self.beginning = Beginning(**options["beginning"])
        self.place = folder.path / VOICE
        self.seconds: float | None = options["budget"]
        self.clock = dataclasses.replace(clock, seconds=self.seconds or 0.0)
        self.copy_seconds = 0.0

    def go(self) -> None:
        """Train what is left to be trained."""
        if self.options["stage"] == DONE:
            self.say(f"{self.folder.path}: has ended; --minutes N trains it further")
            return
        self._say_time()
        corpus = open_cache(self.folder.path / "cache")
        if self.options["stage"] == DECODER:
            if not self._decoder(corpus):
                return
            self._reach(PLANNER)
        if self._planner(corpus):
            self._reach(DONE)
            self._say_end()

    def _say_time(self) -> None:
        steps = self.options["given"]["steps"]
        if self.seconds is None:
            self.say(f"time: {steps} steps of the decoder, then as many of the planner")
            return
        end = time.strftime("%H:%M", time.localtime(time.time() + self.clock.left))
        self.say(
            f"time: {self.seconds / 60:g} min, to about {end}: most of it for the decoder, which makes sound, then for"
            " the planner, which says what"
        )

    def _reach(self, stage: str) -> None:
        self.options["stage"] = stage
        self.folder.write_options(self.options)

    def _decoder(self, corpus: Corpus) -> bool:
        """The first stage and its export; whether it has ended."""
        stage = RunFolder(self.folder.path / DECODER)
        step = self._train_stage(stage, DECODER_SHARE, DECODER_TAIL, self._fitted(2))
        if step is None:
            return False
        self.say("the decoder is written as a checkpoint")
        own = stage.path / VOICE
        VocoderTask.export(self._export_request(stage, own, step))
        voice_export.join(self.folder, own)
        began = time.monotonic()
        path = audition.write_copy(self.place, corpus, self.folder.path)
        self.copy_seconds = time.monotonic() - began
        if path is not None:
            self.say(f"{path}: a copy of what is held back, as the decoder makes it")
        return True

    def _planner(self, corpus: Corpus) -> bool:
        """The second stage, its export and what is written last; whether it has ended."""
        stage = RunFolder(self.folder.path / PLANNER)
        if not stage.started:
            self._begin_planner(stage, corpus)
        reserve = self._fitted(1) + COPY_COST * self.copy_seconds
        step = self._train_stage(stage, 1.0, PLANNER_TAIL, reserve)
        if step is None:
            return False
        self.say("the voice is written as a checkpoint")
        PlannerTask.export(self._export_request(stage, self.place, step))
        path = audition.write_generated(self.place, corpus, self.folder.path)
        self.say(f"{path}: sound that the voice generates")
        return True

    def _begin_planner(self, stage: RunFolder, corpus: Corpus) -> None:
        asked = planner_options(
            self.options["given"],
            self.beginning,
            self.folder.path / DECODER / VOICE,
            self.options["given"]["steps"],
        )
        own = {
            "task": "planner",
            "version": VERSION,
            "given": dataclasses.asdict(asked),
            "round": self.options["round"],
        }
        config = with_streams(PlannerTask.new_config(asked, corpus), self.seconds)
        if self.seconds is not None:
            config["planner_train"]["copied"] = round(corpus.size("train") / corpus.rate)
        stage.path.mkdir(exist_ok=True)
        stage.write_options({**own, **config})

    def _fitted(self, times: int) -> float:
        """Seconds that are fitted in an export, `times` what each fit may take."""
        return times * voice_export.FINE_SHARE * (self.seconds or 0.0)

    def _train_stage(self, stage: RunFolder, share: float, tail: float, reserve: float) -> float | None:
        """Trains a stage for a share of the time that is left; seconds that a step lasts.

        Of it `reserve` seconds and as long as `tail` steps are for what comes after. None where it was stopped by
        `until`.
        """
        with stage:
            resumed = self._go_on(stage)
            with denormals_flushed():
                trainer = Trainer(stage, stage.options(), self.accelerator, self.request.quiet, self.say)
                budget = self._stage_budget(trainer, resumed, share, reserve)
                before, began = trainer.state.step, time.monotonic()
                trainer.go(self.request.until, budget, tail)
            if trainer.state.step < trainer.steps:
                return None
            if trainer.pace is not None:
                return trainer.pace.step_seconds
            return (time.monotonic() - began) / max(1, trainer.state.step - before)

    def _go_on(self, stage: RunFolder) -> bool:
        """Lets a stage of an earlier budget go on in this one; whether it was stopped in this one."""
        options, this = stage.options(), self.options["round"]
        if options["round"] == this:
            return (stage.path / "last.safetensors").exists()
        options["round"] = this
        if stage.path.name == PLANNER:
            (stage.path / PLANNED).unlink(missing_ok=True)
        steps = self.options["given"]["steps"]
        done = int(stage.load("last")[1]["step"]) if (stage.path / "last.safetensors").exists() else 0
        options["train"] |= {"steps": done}
        extend(stage, options, None if steps is None else done + steps, None)
        return False

    def _stage_budget(self, trainer: Trainer, resumed: bool, share: float, reserve: float) -> Budget | None:
        """The time of a stage: what is left of it where it was stopped, or a share of what is left of all."""
        if self.seconds is None:
            return None
        if resumed and "used" in self.options:
            self.clock = Budget(self.seconds, self.options["used"] + trainer.used)
            return Budget(self.options["stage_seconds"], trainer.used)
        seconds = max(1.0, share * self.clock.left - reserve)
        self.options |= {"used": round(self.clock.spent, 3), "stage_seconds": round(seconds, 3)}
        self.folder.write_options(self.options)
        return Budget(seconds)

    def _export_request(self, stage: RunFolder, out: Path, step_seconds: float) -> ExportRequest:
        return voice_export.request_of(stage, out, self.seconds, step_seconds, self.request.quiet, self.say)

    def _say_end(self) -> None:
        path = self.folder.path
        records = [RunFolder(path / name).records()[-1:] for name in (DECODER, PLANNER)]
        for name, found in zip(("decoder", "planner"), records, strict=True):
            figures = [f"{key} {value}" for record in found for key, value in record.items()]
            self.say(f"{name}: {', '.join(figures)}")
        self.say(f"{path} is a voice: generate-audio out.wav -c {path}, synth vocode IN.wav -o out.wav -c {path}")
        self.say(f"to train it further: synth train -o {path} --minutes {(self.seconds or 600) / 60:g}")
