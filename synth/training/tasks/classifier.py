"""`synth train --task classify`: a small network learns to tell targets from features of sounds."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from accelerate import Accelerator

from synth.audio.features import normalized_features, to_float32
from synth.common.errors import AudioError, CorpusError, UsageError
from synth.common.typing import AnyArray, Float32, Int64
from synth.data.corpus import Corpus, Entry, open_cache
from synth.data.label_rules import Labeller, natural
from synth.nn.classifier import ClassifierNetwork, loss_of
from synth.recognition import classifier, metrics
from synth.recognition.config import UNITS, ClassifierConfig, Target, tags_of
from synth.training.augmentation import ClassifierBatches, Clips, Sound, collate
from synth.training.config import ClassifierTrainConfig
from synth.training.export.common import ExportRequest, FinishedRun
from synth.training.optimization import TrainState, optimizer_step
from synth.training.run_folder import RunFolder
from synth.training.tasks.base import VERSION, log_bits, reading_run_options, resolved

SPEAKER_TARGETS = ("speaker",)
"""Targets that depend on the speaker's pitch and tempo unless `--voice` says which do."""
GROUP = 64  # sounds that are validated together
MAX_SECONDS = 10.0  # of a validation file


@dataclass(frozen=True)
class ClassifierOptions:
    """What a user may say of the training of a classifier; None where nothing was said.

    `target`: keys of the labels. `voice`: those of them that depend on the speaker's pitch and tempo.
    """

    corpora: list[str] | None = None
    rate: int | None = None
    labels: str | None = None
    split: str | None = None
    trim: bool | None = None
    steps: int | None = None
    seed: int | None = None
    target: list[str] | None = None
    voice: list[str] | None = None
    features: str | None = None
    net: str | None = None


def configs(run_options: dict[str, Any]) -> tuple[ClassifierConfig, ClassifierTrainConfig]:
    """Network and schedule of a run; RunError when they can't be read."""
    with reading_run_options():
        if run_options["version"] != VERSION or not isinstance(run_options["given"], dict):
            raise ValueError(f"version {run_options['version']}")
        return ClassifierConfig.from_json(run_options["model"]), ClassifierTrainConfig(**run_options["train"])


def targets_of(corpus: Corpus, names: Sequence[str], speaker_dependent: Sequence[str]) -> tuple[Target, ...]:
    """What the training files teach; CorpusError when a target has nothing to teach or a class one example.

    A key of which some file has several values with ";" between them is one of tags.
    """
    return tuple(_target(corpus, name, name in speaker_dependent) for name in names)


def _target(corpus: Corpus, name: str, speaker_dependent: bool) -> Target:
    if name not in corpus.labels:
        raise CorpusError(f"target {name}: no file of the corpus has a value")
    place = list(corpus.labels).index(name)
    ids = [entry.label_ids[place] for entry in corpus.split("train") if entry.label_ids[place]]
    texts = [corpus.labels[name][number - 1] for number in ids]
    tagged = any(";" in value for value in corpus.labels[name])
    examples = [tag for text in texts for tag in (tags_of(text) if tagged else (text,))]
    values = tuple(sorted(set(examples), key=natural))
    for value in values:
        if examples.count(value) < 2:
            raise CorpusError(f"target {name}: {value!r} has one file for training; it takes two or more")
    if len(values) < (1 if tagged else 2):
        raise CorpusError(f"target {name}: the files for training have {len(values)} values; it takes two or more")
    return Target(name, "tags" if tagged else "class", values, speaker_dependent)


def answers_of(entry: Entry, corpus: Corpus, targets: Sequence[Target]) -> tuple[AnyArray, ...]:
    """A file's answer to each target, as in `Clips`; a value that no training file has is unknown."""
    labels, answers = corpus.labels.names(entry.label_ids), list[AnyArray]()
    for target in targets:
        text = labels.get(target.name, "")
        if target.kind == "tags":
            answers.append(np.array([value in tags_of(text) for value in target.values], np.float32))
        else:
            answers.append(np.array(target.values.index(text) if text in target.values else -1, np.int64))
    return tuple(answers)


def sounds_of(corpus: Corpus, split: str, targets: Sequence[Target], max_files: int | None = None) -> list[Sound]:
    """The files of a split with their answers, those with a known one; at most `max_files`, evenly by name."""
    entries = corpus.split(split)
    if max_files is not None and len(entries) > max_files:
        entries = tuple(entries[(2 * place + 1) * len(entries) // (2 * max_files)] for place in range(max_files))
    sounds = [(np.array(corpus.samples(entry)), answers_of(entry, corpus, targets)) for entry in entries]
    return [sound for sound in sounds if any(answer.max(initial=-1) >= 0 for answer in sound[1])]


@torch.inference_mode()
def validate(network: ClassifierNetwork, sounds: Sequence[Sound]) -> tuple[list[Float32], list[AnyArray], float]:
    """Logits (sounds, values) and answers of each target over whole sounds, and the loss, unknown answers left out."""
    config, device = network.config, next(network.parameters()).device
    max_samples = round(MAX_SECONDS * config.sample_rate)
    network.eval()
    batches: list[list[torch.Tensor]] = [[] for _ in config.targets]
    answers: list[list[AnyArray]] = [[] for _ in config.targets]
    order = sorted(range(len(sounds)), key=lambda place: len(sounds[place][0]))
    for at in range(0, len(order), GROUP):
        group = [sounds[place] for place in order[at : at + GROUP]]
        features = [normalized_features(to_float32(samples[:max_samples]), config) for samples, _ in group]
        clips = collate(features, [answer for _, answer in group])
        for place, batch in enumerate(network(*_tensors(clips, device))):
            batches[place].append(batch.cpu())
            answers[place].append(clips.answers[place])
    network.train()
    logits, expected = [torch.cat(each) for each in batches], [np.concatenate(each) for each in answers]
    loss = loss_of(logits, [torch.from_numpy(answer) for answer in expected])
    return [each.numpy() for each in logits], expected, float(loss)


def scores(targets: Sequence[Target], logits: Sequence[AnyArray], answers: Sequence[AnyArray]) -> dict[str, float]:
    """`NAME_accuracy` of each class, `NAME_map` of each set of tags; those without answers are left out."""
    figures = {}
    for target, score, answer in zip(targets, logits, answers, strict=True):
        if target.kind == "tags":
            figures[f"{target.name}_map"] = metrics.mean_average_precision(score, answer)
        else:
            figures[f"{target.name}_accuracy"] = metrics.accuracy(score, answer)
    return {name: value for name, value in figures.items() if not math.isnan(value)}


class ClassifierTask:
    """A network learns to tell targets from features; see `base.Task`."""

    name: ClassVar[str] = "classify"
    unit: ClassVar[str] = "nats"
    accepted_options: ClassVar[type[ClassifierOptions]] = ClassifierOptions

    def __init__(self, folder: RunFolder, run_options: dict[str, Any], device: torch.device) -> None:
        self.model, self.config = configs(run_options)
        self.corpus = open_cache(folder.cache)
        self.batches = ClassifierBatches(sounds_of(self.corpus, "train", self.model.targets), self.model, self.config)
        self.sounds = sounds_of(self.corpus, "validation", self.model.targets, self.config.most_validation)
        torch.manual_seed(self.config.seed)
        self.state = TrainState.of(ClassifierNetwork(self.model, self.config.dropout).to(device))

    @staticmethod
    def sample_rate(user_options: ClassifierOptions) -> int:
        """The rate that was given, or 8000; the targets must be keys of the labels."""
        targets, labels = user_options.target or [], user_options.labels
        if not targets:
            raise UsageError("--target: --task classify takes one or more of the keys of --labels")
        if labels is None:
            raise UsageError("--labels: --task classify takes a pattern or a CSV")
        keys = Labeller(labels).keys
        for option, names, known in (("target", targets, keys), ("voice", user_options.voice or [], targets)):
            for name in names:
                if name not in known:
                    raise UsageError(f"--{option} {name}: is not among {', '.join(known)} ({labels})")
            if len(set(names)) != len(names):
                raise UsageError(f"--{option} {names[-1]}: is given twice")
        for name in targets:
            Target(name, "class", ("",))
        return int(user_options.rate or ClassifierConfig().sample_rate)

    @staticmethod
    def new_config(user_options: ClassifierOptions, corpus: Corpus) -> dict[str, Any]:
        """Features, network and targets."""
        speakers = SPEAKER_TARGETS if user_options.voice is None else user_options.voice
        net = user_options.net or ClassifierConfig().net
        model = ClassifierConfig(
            corpus.rate,
            features=user_options.features or ClassifierConfig().features,
            net=net,
            units=UNITS[net],
            targets=targets_of(corpus, user_options.target or (), speakers),
        )
        config = ClassifierTrainConfig(seed=user_options.seed or 0)
        config = dataclasses.replace(config, steps=user_options.steps or config.steps)
        return {"model": model.to_json(), "train": dataclasses.asdict(config)}

    @staticmethod
    def resolved_options(run_options: dict[str, Any]) -> dict[str, Any]:
        """The accepted options, defaults included."""
        model, config = configs(run_options)
        return resolved(
            ClassifierOptions,
            run_options,
            rate=model.sample_rate,
            steps=config.steps,
            seed=config.seed,
            features=model.features,
            net=model.net,
            voice=[target.name for target in model.targets if target.speaker_dependent],
        )

    def train_step(self, accelerator: Accelerator) -> float:
        """One step; returns its loss, label smoothing included."""
        clips = self.batches.batch(self.state.step, accelerator.process_index, accelerator.num_processes)
        # what dropout draws belongs to the step, not to what was drawn before a stop
        torch.manual_seed((self.config.seed << 32) + (self.state.step << 8) + accelerator.process_index)
        order, device = np.argsort(clips.lengths, kind="stable"), accelerator.device
        # the shorter half on its own: what is computed after a sound's end is thrown away
        halves = [self.state.network(*_tensors(clips, device, half)) for half in np.array_split(order, 2) if len(half)]
        logits = [torch.cat(both) for both in zip(*halves, strict=True)]
        answers = [torch.from_numpy(answer[order]).to(device) for answer in clips.answers]
        loss = loss_of(logits, answers, self.config.smoothing)
        return optimizer_step(self.state, self.config, loss, accelerator)

    def validate(self) -> dict[str, float]:
        """The loss of the validation files, without smoothing, and how many answers are right."""
        if not self.sounds:
            return {}
        logits, answers, loss = validate(self.state.network, self.sounds)
        return {"validation": loss, **scores(self.model.targets, logits, answers)}

    def eligible_as_best(self) -> bool:
        """Always."""
        return True

    def log_validation(self, board: Any, record: dict[str, Any], folder: RunFolder) -> None:
        """Curves."""
        log_bits(board, record, "classify")

    @staticmethod
    def export(request: ExportRequest) -> dict[str, Any]:
        """Write the classifier's checkpoint; returns its card.

        `accuracy` in the card is measured with the NumPy network on the run's validation and test files, whole: the
        share of right answers of each class, the mean average precision of tags. Raises RunError, CorpusError.
        """
        run = FinishedRun.open(request.run)
        model, config = configs(run.options)
        weights = {name.removeprefix("weight."): value for name, value in run.weights.items()}
        network = classifier.Classifier(model, weights)
        accuracy: dict[str, dict[str, float]] = {}
        for split in ("validation", "test"):
            if sounds := sounds_of(run.corpus, split, model.targets):
                figures = accuracy[split] = {k: round(value, 4) for k, value in measured(network, sounds).items()}
                request.say(f"{split}: " + ", ".join(f"{name} {value:.4f}" for name, value in figures.items()))
        facts = run.card(request, sounds_seen=run.step * config.batch)
        facts["accuracy"] = accuracy
        classifier.save(request.out, model, weights, facts)
        return facts


TASK = ClassifierTask


def measured(network: classifier.Classifier, sounds: Sequence[Sound]) -> dict[str, float]:
    """How many answers are right, by `scores`; a sound that can't be classified counts as told by chance."""
    logs: list[list[AnyArray]] = [[] for _ in network.targets]
    for samples, _ in sounds:
        try:
            probabilities = network.classify_blocks([samples]).log_probabilities
        except AudioError:
            probabilities = {target.name: np.zeros(len(target.values), np.float32) for target in network.targets}
        for column, target in zip(logs, network.targets, strict=True):
            column.append(probabilities[target.name])
    answers = [np.stack(column) for column in zip(*(answer for _, answer in sounds), strict=True)]
    return scores(network.targets, [np.stack(column) for column in logs], answers)


def _tensors(clips: Clips, device: torch.device, rows: Int64 | None = None) -> tuple[torch.Tensor, ...]:
    """What the network takes, of these rows (all of them) of a batch."""
    rows = np.arange(len(clips.lengths)) if rows is None else rows
    lengths = clips.lengths[rows]
    arrays = clips.features[rows, : lengths.max()], lengths, clips.feature_stats[rows]
    return tuple(torch.from_numpy(array).to(device) for array in arrays)
