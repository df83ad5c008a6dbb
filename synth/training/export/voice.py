"""Runs of `synth train --task vocoder` and `--task planner` to the checkpoint of a voice."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from numpy.typing import NDArray
from tqdm import tqdm

from synth.audio.mulaw import decode
from synth.common.files import check_output
from synth.data.corpus import Corpus, open_cache
from synth.generation import checkpoint
from synth.generation.voice import Voice
from synth.nn.quantization import quantize, quantize_vocoder
from synth.training.batches import Row, validation_rows
from synth.training.config import GeneratorTrainConfig
from synth.training.optimization import TrainState, denormals_flushed
from synth.training.postfilter_fit import fit
from synth.training.run_folder import RunFolder, without_places
from synth.training.tasks import planner as planner_task
from synth.training.tasks import vocoder as vocoder_task
from synth.training.tasks.planner import VOICE, tokens_of, vocoder_of
from synth.vocoder import label_means
from synth.vocoder.config import PostfilterConfig
from synth.vocoder.voice import VoiceParts

FINE_RATE = 0.3  # of the run's learning rate
ENVELOPE_STEPS = 2000  # of the postfilter's fit
MAX_FILES_OF_MEANS = 3000  # files that the means of labels are of
Say = Callable[[str], None]


def export_vocoder(
    run: str | os.PathLike[str],
    out: str | os.PathLike[str],
    steps: int | None = None,
    card: dict[str, str] | None = None,
    force: bool = False,
    quiet: bool = False,
    say: Say = lambda text: None,
) -> dict[str, Any]:
    """Write the voice `out`, which has no planner, from the best weights of `run`; returns its card.

    Encoder and codebooks stay as they are, network and conditioner are fine-tuned with rounded weights. Bits per sample
    are those of the integer engine that follows the files' own vectors. Raises RunError, CorpusError, OutputError.
    """
    check_output(out, force)
    folder = RunFolder(run)
    options = folder.options()
    model, config, vocoder, train = vocoder_task.configs(options)
    train = dataclasses.replace(train, early=0)  # it is the network that is fine-tuned
    corpus = open_cache(folder.path / "cache")
    arrays, info = folder.load_best()
    torch.manual_seed(config.seed)
    learner = TrainState.around(vocoder_task.vocoder_in(model, vocoder, train))
    learner.load({name: value for name, value in arrays.items() if name.startswith("weight.")}, 0)
    learner.network.freeze()
    fine, accelerator = config.fine_steps if steps is None else steps, Accelerator(cpu=True)
    gentle = _gentle(config, fine)
    batches = vocoder_task.batches_of(corpus, config, train, model.hop, config.seed + 1)
    with denormals_flushed():
        learner.network.network.quantized = True
        for step in tqdm(range(fine), desc="fine-tuning", unit="step", disable=True if quiet else None):
            vocoder_task.learn(learner, gentle, train, batches.batch(step), accelerator)
    after = PostfilterConfig()
    filtering = fit(learner.network, train, after, batches, ENVELOPE_STEPS if fine else 20, quiet)
    tensors = quantize(learner.network.network, {})
    facts = _facts(options, corpus, int(info["step"]), fine, card)
    voice = VoiceParts(vocoder, quantize_vocoder(learner.network), postfilter=after, postfilter_tensors=filtering)
    checkpoint.save(out, model, tensors, facts, voice)
    if model.labels:
        voice = dataclasses.replace(voice, means=_means(out, corpus))
    facts["bits_per_sample"] = {split: round(bits, 4) for split, bits in _followed(out, corpus).items()}
    for split, bits in facts["bits_per_sample"].items():
        say(f"{split}: {bits} bits per sample, led by what it hears")
    checkpoint.save(out, model, tensors, facts, voice)
    return facts


def export_planner(
    run: str | os.PathLike[str],
    out: str | os.PathLike[str],
    steps: int | None = None,
    drawn: tuple[tuple[float, float], float] = ((1.0, 1.0), 1.0),
    card: dict[str, str] | None = None,
    force: bool = False,
    quiet: bool = False,
    say: Say = lambda text: None,
) -> dict[str, Any]:
    """Write the voice `out` from the best weights of the planner `run` and the voice that it plans for.

    `drawn`: temperatures and guidance of the voice. Raises as `export_vocoder`.
    """
    check_output(out, force)
    folder = RunFolder(run)
    options = folder.options()
    model, config, train = planner_task.configs(options)
    corpus = open_cache(folder.path / "cache")
    found = planner_task.voice_of(folder.path / VOICE)
    vocoder = vocoder_of(found)
    arrays, info = folder.load_best()
    learner = TrainState.of(model, config.seed, torch.device("cpu"))
    learner.load({name: value for name, value in arrays.items() if name.startswith("weight.")}, 0)
    fine, accelerator = config.fine_steps if steps is None else steps, Accelerator(cpu=True)
    batches = planner_task.batches_of(corpus, config, train, config.seed + 1)
    with denormals_flushed():
        learner.network.quantized = True
        for _ in tqdm(range(fine), desc="fine-tuning", unit="step", disable=True if quiet else None):
            planner_task.learn(learner, _gentle(config, fine), train, batches, vocoder, accelerator)
    assert found.voice is not None
    tensors = quantize(learner.network, {})
    warm, guidance = drawn
    voice = dataclasses.replace(found.voice, planner=model, planner_tensors=tensors, temperatures=warm)
    voice = dataclasses.replace(voice, guidance=guidance)
    planned = _facts(options, corpus, int(info["step"]), fine, None)
    facts: dict[str, Any] = {**found.info, **(card or {}), "planner": planned}
    checkpoint.save(out, found.config, found.tensors, facts, voice)
    planned["bits_per_token"] = {split: round(bits, 4) for split, bits in _planned(out, corpus).items()}
    for split, bits in planned["bits_per_token"].items():
        say(f"{split}: {bits} bits per token")
    checkpoint.save(out, found.config, found.tensors, facts, voice)
    return facts


def _gentle(config: GeneratorTrainConfig, fine: int) -> GeneratorTrainConfig:
    return dataclasses.replace(config, steps=max(1, fine), rate=config.rate * FINE_RATE)


def _facts(
    options: dict[str, Any], corpus: Corpus, steps: int, fine: int, card: dict[str, str] | None
) -> dict[str, Any]:
    return {
        **(card or {}),
        "files": len(corpus.split("train")),
        "seconds_of_audio": round(corpus.size("train") / corpus.rate),
        "steps": steps,
        "fine_steps": fine,
        "given": without_places(options["given"]),
    }


def _means(out: str | os.PathLike[str], corpus: Corpus) -> dict[str, NDArray[Any]]:
    """Where the labels of the training files lie among the vectors of the voice `out`."""
    model = Voice(checkpoint.load(out))
    entries = [entry for entry in corpus.split("train") if entry.length]
    every = -(-len(entries) // MAX_FILES_OF_MEANS)
    hear = model.runtime.vocoder.encode_sound
    heard = [(entry.label_ids, hear(np.array(corpus.samples(entry)))) for entry in entries[::every]]
    return label_means.measure(model.checkpoint.config.labels, heard)


def _rows(corpus: Corpus) -> dict[str, list[Row]]:
    found = {split: validation_rows(corpus, split) for split in ("validation", "test")}
    return {split: rows for split, rows in found.items() if rows}


def _followed(path: str | os.PathLike[str], corpus: Corpus) -> dict[str, float]:
    """Bits a sample of the validation and test files along their own vectors, by the integer engine."""
    model, found = Voice(checkpoint.load(path)), {}
    for split, rows in _rows(corpus).items():
        total = count = 0
        for codes, _ in rows:
            vectors = model.runtime.vocoder.quantize_latents(model.runtime.vocoder.encode_sound(decode(codes)))
            total += model.follow(vectors, seed=0).teacher_force(codes)
            count += len(codes)
        found[split] = total / 65536 / count
    return found


def _planned(path: str | os.PathLike[str], corpus: Corpus) -> dict[str, float]:
    """Bits a token of the validation and test files with their labels, by the integer engine."""
    model, found = Voice(checkpoint.load(path)), {}
    planner = model.runtime.planner
    assert planner is not None
    for split, rows in _rows(corpus).items():
        total = count = 0
        for codes, labels in rows:
            state = planner.state()
            state.labels = labels
            tokens = tokens_of(model.runtime.vocoder, codes, model.runtime.planner_tokens)
            total += int(planner.teacher_force(state, tokens).astype(np.uint64).sum())
            count += len(tokens)
        found[split] = total / 65536 / count
    return found
