"""What a voice is trained as: from which voice or preset, at which rate; and what its stages are asked for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from synth.common.errors import CorpusError, UsageError
from synth.generation.checkpoint import Checkpoint
from synth.training import nearest_voice
from synth.training.base_voice import SCRATCH, base_of, check_rate, load_voice
from synth.training.loop import Say
from synth.training.tasks import TASKS, having_preset
from synth.training.tasks.planner import PlannerOptions
from synth.training.tasks.vocoder import MOST_DIGITS_RATE, VocoderOptions, VocoderTask

DEFAULT_SPEED = 20.0
"""Seconds of sound that are analysed a second, where it was not measured."""


@dataclass(frozen=True)
class VoiceOptions:
    """What a user may say of the training of a voice; None where nothing was said. `base`: of `--from`."""

    corpora: list[str] | None = None
    preset: str | None = None
    rate: int | None = None
    labels: str | None = None
    split: str | None = None
    trim: bool | None = None
    steps: int | None = None
    seed: int | None = None
    base: str | None = None


@dataclass(frozen=True)
class Beginning:
    """What a voice begins from: the voice `base`, or None; the `preset` of its schedule; its `rate`.

    `speed`: seconds of sound that are analysed a second.
    """

    base: str | None
    preset: str
    rate: int
    speed: float = DEFAULT_SPEED


def beginning_of(options: VoiceOptions, paths: list[Path], say: Say) -> Beginning:
    """What a voice of these options begins from; measured on the files `paths` where the options leave it open.

    UsageError for a preset that there is not for voices, and for a rate that the voice does not have.
    """
    if options.preset is not None and options.preset not in TASKS["voice"].presets:
        names = ", ".join(TASKS["voice"].presets)
        raise UsageError(f"preset {options.preset}: must be {names} with --task voice{having_preset(options.preset)}")
    base = base_of(options)
    if base is not None:
        return _from_voice(base, load_voice(base), options.rate, DEFAULT_SPEED)
    if options.preset is not None:
        return Beginning(None, options.preset, _rate(options, options.preset))
    return _measured(options, paths, say)


def _measured(options: VoiceOptions, paths: list[Path], say: Say) -> Beginning:
    sound = nearest_voice.heard_of(paths)
    if not len(sound):
        raise CorpusError(f"{paths[0]}: none of the files can be used that were tried first")
    fit = nearest_voice.fit_of(sound)
    if options.base != SCRATCH and fit.voice is not None:
        loaded = load_voice(fit.voice)
        if options.rate in (None, loaded.config.sample_rate):
            say(f"begins from the voice {fit.voice}: {nearest_voice.described(fit)}")
            return _from_voice(fit.voice, loaded, options.rate, fit.speed)
        say(f"begins from scratch: {fit.voice}, the nearest voice, has another rate than --rate {options.rate}")
    elif options.base != SCRATCH:
        say(f"begins from scratch, with the preset {fit.preset}: {nearest_voice.described(fit)}")
    return Beginning(None, fit.preset, _rate(options, fit.preset), fit.speed)


def _rate(options: VoiceOptions, preset: str) -> int:
    return VocoderTask.sample_rate(VocoderOptions(preset=preset, rate=options.rate))


def _from_voice(base: str, loaded: Checkpoint, rate: int | None, speed: float) -> Beginning:
    assert loaded.voice is not None
    own, config = check_rate(base, loaded, rate), loaded.voice.config
    spoken = "digits" if own <= MOST_DIGITS_RATE else "speech"
    return Beginning(base, "notes" if config.notes else spoken if config.tones else "tiny", own, speed)


def decoder_options(given: dict[str, Any], beginning: Beginning, steps: int | None) -> VocoderOptions:
    """What the first stage of a voice is asked for, by what the user gave."""
    own = {name: given.get(name) for name in ("corpora", "labels", "split", "trim", "seed")}
    if beginning.base is not None:
        return VocoderOptions(**own, base=beginning.base, steps=steps)
    return VocoderOptions(**own, preset=beginning.preset, rate=beginning.rate, steps=steps)


def planner_options(given: dict[str, Any], beginning: Beginning, vocoder: Path, steps: int | None) -> PlannerOptions:
    """What the second stage is asked for: a planner of the tokens of `vocoder`, the voice of the first."""
    own = {name: given.get(name) for name in ("corpora", "labels", "split", "trim", "seed")}
    return PlannerOptions(**own, preset=beginning.preset, base=beginning.base, vocoder=str(vocoder), steps=steps)
