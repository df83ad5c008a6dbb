"""Training a recogniser: its targets, batches and measures, for the loop in `train`."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from accelerate import Accelerator
from numpy.typing import NDArray

from synth.audio.features import normalized_features, to_float32
from synth.common.errors import CorpusError, RunError, UsageError
from synth.data import corpus as corpora_module
from synth.data.corpus import Corpus, Entry
from synth.data.label_rules import Labeller, natural
from synth.nn.classifier import ClassifierNetwork, loss_of
from synth.recognition import metrics
from synth.recognition.config import UNITS, ClassifierConfig, Target, tags_of
from synth.training.augmentation import ClassifierBatches, Clips, Sound, collate
from synth.training.config import ClassifierTrainConfig
from synth.training.optimization import TrainState, optimizer_step
from synth.training.run_folder import RunFolder
from synth.training.tasks.base import VERSION

VOICES = ("speaker",)
"""Targets that are voices unless `--voice` says which are."""
GROUP = 64
MAX_SECONDS = 10.0  # of a validation file


def configs(options: dict[str, Any]) -> tuple[ClassifierConfig, ClassifierTrainConfig]:
    """Network and schedule of a run's options; RunError when they can't be read."""
    try:
        if options["version"] != VERSION or not isinstance(options["given"], dict):
            raise ValueError(f"version {options['version']}")
        return ClassifierConfig.from_json(options["model"]), ClassifierTrainConfig(**options["train"])
    except (KeyError, TypeError, ValueError, UsageError) as error:
        raise RunError(f"run.json: not the options of a run of this version ({error})") from None


def targets_of(corpus: Corpus, names: Sequence[str], voices: Sequence[str]) -> tuple[Target, ...]:
    """What the training files teach; CorpusError when a target has nothing to teach or a class one example.

    A key of which some file has several values with ";" between them is one of tags.
    """
    found = []
    for name in names:
        place = list(corpus.labels).index(name) if name in corpus.labels else -1
        if place < 0:
            raise CorpusError(f"target {name}: no file of the corpus has a value")
        rows = [entry.label_ids[place] for entry in corpus.split("train") if entry.label_ids[place]]
        texts = [corpus.labels[name][row - 1] for row in rows]
        tagged = any(";" in value for value in corpus.labels[name])
        each = [tag for text in texts for tag in (tags_of(text) if tagged else (text,))]
        values = tuple(sorted(set(each), key=natural))
        for value in values:
            if each.count(value) < 2:
                raise CorpusError(f"target {name}: {value!r} has one file for training; it takes two or more")
        if len(values) < (1 if tagged else 2):
            raise CorpusError(f"target {name}: the files for training have {len(values)} values; it takes two or more")
        found.append(Target(name, "tags" if tagged else "class", values, name in voices))
    return tuple(found)


def answers_of(entry: Entry, corpus: Corpus, targets: Sequence[Target]) -> tuple[NDArray[np.generic], ...]:
    """A file's answer to each target, as in `Clips`; a value that no training file has is unknown."""
    keys, found = list(corpus.labels), []
    for target in targets:
        place = keys.index(target.name)
        text = corpus.labels[target.name][entry.label_ids[place] - 1] if entry.label_ids[place] else ""
        if target.kind == "tags":
            found.append(np.array([value in tags_of(text) for value in target.values], np.float32))
        else:
            found.append(np.array(target.values.index(text) if text in target.values else -1, np.int64))
    return tuple(found)


def sounds_of(corpus: Corpus, split: str, targets: Sequence[Target], most: int | None = None) -> list[Sound]:
    """The files of a split with their answers, without those of no known answer; at most `most`, evenly by name."""
    entries = corpus.split(split)
    if most is not None and len(entries) > most:
        entries = tuple(entries[(2 * place + 1) * len(entries) // (2 * most)] for place in range(most))
    found = [(np.array(corpus.samples(entry)), answers_of(entry, corpus, targets)) for entry in entries]
    return [sound for sound in found if any(answer.max(initial=-1) >= 0 for answer in sound[1])]


@torch.inference_mode()
def judge(
    network: ClassifierNetwork, sounds: Sequence[Sound]
) -> tuple[list[NDArray[np.float32]], list[NDArray[Any]], float]:
    """Logits (sounds, values) and answers of each target over whole sounds, and the loss, its unknown left out."""
    config, device = network.config, next(network.parameters()).device
    most = round(MAX_SECONDS * config.sample_rate)
    network.eval()
    logits: list[list[torch.Tensor]] = [[] for _ in config.targets]
    answers: list[list[NDArray[Any]]] = [[] for _ in config.targets]
    order = sorted(range(len(sounds)), key=lambda place: len(sounds[place][0]))
    for at in range(0, len(order), GROUP):
        group = [sounds[place] for place in order[at : at + GROUP]]
        clips = collate(
            [normalized_features(to_float32(samples[:most]), config) for samples, _ in group],
            [answer for _, answer in group],
        )
        for place, found in enumerate(network(*_tensors(clips, device))):
            logits[place].append(found.cpu())
            answers[place].append(clips.answers[place])
    network.train()
    whole, wanted = [torch.cat(found) for found in logits], [np.concatenate(found) for found in answers]
    return [found.numpy() for found in whole], wanted, float(loss_of(whole, [torch.from_numpy(a) for a in wanted]))


def scores(
    targets: Sequence[Target], logits: Sequence[NDArray[Any]], answers: Sequence[NDArray[Any]]
) -> dict[str, float]:
    """`NAME_accuracy` of each class, `NAME_map` of each set of tags; what no sound tells is left out."""
    found = {}
    for target, score, answer in zip(targets, logits, answers, strict=True):
        if target.kind == "tags":
            found[f"{target.name}_map"] = metrics.mean_average_precision(score, answer)
        else:
            found[f"{target.name}_accuracy"] = metrics.accuracy(score, answer)
    return {name: value for name, value in found.items() if not math.isnan(value)}


class ClassifierTask:
    """A recogniser learns to tell targets from features; see `task.Task`."""

    name: ClassVar[str] = "classify"
    unit: ClassVar[str] = "nats"
    given: ClassVar[tuple[str, ...]] = (
        "corpora",
        "rate",
        "labels",
        "split",
        "trim",
        "steps",
        "seed",
        "target",
        "voice",
        "features",
        "net",
    )

    def __init__(self, folder: RunFolder, options: dict[str, Any], device: torch.device) -> None:
        self.model, self.config = configs(options)
        self.corpus = corpora_module.open_cache(folder.path / "cache")
        self.batches = ClassifierBatches(sounds_of(self.corpus, "train", self.model.targets), self.model, self.config)
        self.sounds = sounds_of(self.corpus, "validation", self.model.targets, self.config.most_validation)
        torch.manual_seed(self.config.seed)
        self.learner = TrainState.around(ClassifierNetwork(self.model, self.config.dropout).to(device))

    @staticmethod
    def rate(given: dict[str, Any]) -> int:
        """The rate that was given, or 8000; the targets must be keys of the labels."""
        targets, labels = given["target"] or [], given["labels"]
        if not targets:
            raise UsageError("--target: --task classify takes one or more of the keys of --labels")
        if labels is None:
            raise UsageError("--labels: --task classify takes a pattern or a CSV")
        keys = Labeller(labels).keys
        for option, names in (("target", targets), ("voice", given["voice"] or [])):
            for name in names:
                among = keys if option == "target" else targets
                if name not in among:
                    raise UsageError(f"--{option} {name}: is not among {', '.join(among)} ({labels})")
            if len(set(names)) != len(names):
                raise UsageError(f"--{option} {names[-1]}: is given twice")
        for name in targets:
            Target(name, "class", ("",))
        return int(given["rate"] or ClassifierConfig().sample_rate)

    @staticmethod
    def begin(given: dict[str, Any], corpus: Corpus) -> dict[str, Any]:
        """Features, network and targets."""
        voices = given["voice"] if given["voice"] is not None else VOICES
        net = given["net"] or ClassifierConfig().net
        model = ClassifierConfig(
            corpus.rate,
            features=given["features"] or ClassifierConfig().features,
            net=net,
            units=UNITS[net],
            targets=targets_of(corpus, given["target"], voices),
        )
        config = ClassifierTrainConfig(seed=given["seed"] or 0)
        config = dataclasses.replace(config, steps=given["steps"] or config.steps)
        return {"model": model.to_json(), "train": dataclasses.asdict(config)}

    @staticmethod
    def made_with(options: dict[str, Any]) -> dict[str, Any]:
        """The options of `given`, defaults included."""
        model, config = configs(options)
        known: dict[str, Any] = {"rate": model.sample_rate, "steps": config.steps, "seed": config.seed}
        known |= {"features": model.features, "net": model.net}
        voices = [target.name for target in model.targets if target.voice]
        rest = {key: options["given"].get(key) for key in ("corpora", "labels", "split", "trim", "target")}
        return {**rest, **known, "voice": voices}

    def step(self, accelerator: Accelerator) -> float:
        """One step; returns its loss, label smoothing included."""
        clips = self.batches.batch(self.learner.step, accelerator.process_index, accelerator.num_processes)
        # what dropout draws belongs to the step, not to what was drawn before a stop
        torch.manual_seed((self.config.seed << 32) + (self.learner.step << 8) + accelerator.process_index)
        order, device = np.argsort(clips.lengths, kind="stable"), accelerator.device
        # the shorter half on its own: what is computed after a sound's end is thrown away
        halves = [
            self.learner.network(*_tensors(clips, device, half)) for half in np.array_split(order, 2) if len(half)
        ]
        logits = [torch.cat(both) for both in zip(*halves, strict=True)]
        answers = [torch.from_numpy(answer[order]).to(device) for answer in clips.answers]
        return optimizer_step(self.learner, self.config, loss_of(logits, answers, self.config.smoothing), accelerator)

    def measure(self) -> dict[str, float]:
        """The loss of the validation files, without smoothing, and how many answers are right."""
        if not self.sounds:
            return {}
        logits, answers, loss = judge(self.learner.network, self.sounds)
        return {"validation": loss, **scores(self.model.targets, logits, answers)}

    def settled(self) -> bool:
        """Always."""
        return True

    def show(self, board: Any, record: dict[str, Any], folder: RunFolder) -> None:
        """Curves."""
        for key, value in record.items():
            if key != "step":
                board.add_scalar(f"classify/{key}", value, record["step"])


def _tensors(clips: Clips, device: torch.device, rows: NDArray[np.int64] | None = None) -> tuple[torch.Tensor, ...]:
    """What the network takes, of these rows (all of them) of a batch."""
    rows = np.arange(len(clips.lengths)) if rows is None else rows
    lengths = clips.lengths[rows]
    arrays = clips.x[rows, : lengths.max()], lengths, clips.taken[rows]
    return tuple(torch.from_numpy(array).to(device) for array in arrays)
