"""The checkpoint in the folder of a voice's training: exports of its stages in the time that there is for them."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from synth.checkpoint.registry import VOICE
from synth.data.corpus import open_cache
from synth.generation import checkpoint
from synth.training.base_voice import BASE, fill, planner_model
from synth.training.export.common import ExportRequest
from synth.training.loop import Say
from synth.training.run_folder import RunFolder
from synth.training.tasks.planner import PlannerTask
from synth.training.tasks.vocoder import VocoderTask, configs, holds, new_vocoder
from synth.vocoder import timing
from synth.vocoder.voice import VoiceParts

DECODER, PLANNER = "decoder", "planner"
"""Folders of the stages."""
FINE_SHARE = 0.03
"""Of all time, for fine-tuning in each export, and as much for the fit of the postfilter."""
FINE_COST, ENVELOPE_COST = 1.5, 0.025
"""Times a step that one of fine-tuning takes, and one of that fit."""
LEAST_ENVELOPE, ENVELOPE_STEPS = 20, 10
"""Steps of that fit at least, and to one of fine-tuning."""
MEASURED_SECONDS = 20.0
"""Of the sound that is held back, which a checkpoint is measured on."""


def settle(folder: RunFolder) -> None:
    """Encoder and codebooks of a run become those of the checkpoint that was exported, and stay so from here on."""
    options = folder.options()
    if holds(options):
        return
    model, _, vocoder, train = configs(options)
    best, last = folder.load_best()[0], folder.load("last")
    network = new_vocoder(model, vocoder, train)
    fill(network, {name.removeprefix("weight."): array for name, array in best.items() if name.startswith("weight.")})
    network.freeze()
    weights = {f"weight.{name}": value.detach().numpy() for name, value in network.named_parameters()}
    folder.save("last", last[0] | weights, last[1])
    folder.write_options(options | {"held": True})


def request_of(
    stage: RunFolder, out: Path, seconds: float | None, step_seconds: float, quiet: bool, say: Say
) -> ExportRequest:
    """An export of a stage with as many steps as the stage's preset has, or as there is time for.

    `seconds`: of the whole budget, None where there are steps; `step_seconds`: that a step of training lasts.
    """
    config = stage.options()["train"]
    fine = int(config["fine_steps"])
    if seconds is None:
        fine = min(fine, int(config["steps"]) // 10)
        envelope = max(LEAST_ENVELOPE, fine * ENVELOPE_STEPS)
    else:
        fine = min(fine, int(FINE_SHARE * seconds / (FINE_COST * step_seconds)))
        envelope = max(LEAST_ENVELOPE, int(FINE_SHARE * seconds / (ENVELOPE_COST * step_seconds)))
    return ExportRequest(
        stage.path,
        out,
        steps=fine,
        envelope_steps=envelope,
        measured_seconds=MEASURED_SECONDS,
        force=True,
        quiet=quiet,
        say=say,
    )


def join(folder: RunFolder, decoder: Path) -> None:
    """Writes the voice of a decoder, with the planner that there was already for the same tokens."""
    loaded = checkpoint.load(decoder)
    assert loaded.voice is not None
    voice = loaded.voice
    earlier = _planned(folder) if holds(RunFolder(folder.path / DECODER).options()) else None
    if earlier is not None and earlier.planner is not None:
        voice = dataclasses.replace(
            voice,
            planner=earlier.planner,
            planner_tensors=earlier.planner_tensors,
            temperatures=earlier.temperatures,
            guidance=earlier.guidance,
            timing=earlier.timing,
        )
    checkpoint.save(folder.path / VOICE, loaded.config, loaded.tensors, loaded.info, voice)


def _planned(folder: RunFolder) -> VoiceParts | None:
    """The voice whose planner goes with a decoder that is not planned for yet: the earlier one, or the base."""
    place, path = folder.path / VOICE, folder.path / DECODER / BASE
    if place.exists():
        return checkpoint.load(place).voice
    if not path.exists():
        return None
    base, labels = checkpoint.load(path), open_cache(folder.cache).labels
    return base.voice if planner_model(base, timing.timed(labels) if labels else labels) else None


def export(request: ExportRequest) -> dict[str, Any]:
    """Writes the checkpoint of a voice's run anew: of its planner where it has one by now, else of its decoder."""
    folder = RunFolder(request.run)
    planned = (folder.path / PLANNER / "last.safetensors").exists()
    task: Any = PlannerTask if planned else VocoderTask
    return dict(task.export(dataclasses.replace(request, run=folder.path / (PLANNER if planned else DECODER))))
