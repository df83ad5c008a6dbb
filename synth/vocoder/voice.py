"""What a checkpoint has beside its network when it is a voice: a vocoder, and a planner where it has one."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from synth.common.errors import CheckpointError, UsageError
from synth.common.typing import Tensors
from synth.engine import layout
from synth.engine.config import ModelConfig
from synth.vocoder import envelope, label_means, postfilter_tables, timing
from synth.vocoder.config import PostfilterConfig, VocoderConfig, stride_of
from synth.vocoder.tensors import check_tensors, check_vocoder

PARTS = ("vocoder.", "bed.", "planner.", "postfilter.", "means.", "timing.")
"""How the names of its tensors begin."""


@dataclass(frozen=True)
class VoiceParts:
    """Encoder, quantizer and conditioner (`config`, `tensors`); `planner`: a network over tokens, or None.

    `temperatures`: of planner and network, what a temperature of 1 stands for; chosen on validation files. `guidance`:
    how much more than by itself the planner does what labels ask for (see `generation.planner`), 1 to 4 in halves.
    `postfilter`: what its sound goes through at the end, or None. `means`: of its labels (see `label_means`), or none.
    `timing`: lengths of sounds, where the planner is told when they end (see `timing`), or none.
    """

    config: VocoderConfig
    tensors: Tensors
    planner: ModelConfig | None = None
    planner_tensors: Tensors = field(default_factory=dict)
    temperatures: tuple[float, float] = (1.0, 1.0)
    guidance: float = 1.0
    postfilter: PostfilterConfig | None = None
    postfilter_tensors: Tensors = field(default_factory=dict)
    means: Tensors = field(default_factory=dict)
    timing: Tensors = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """What a checkpoint's config says of it."""
        return {
            "vocoder": self.config.to_json(),
            "planner": self.planner.to_json() if self.planner else None,
            "temperatures": list(self.temperatures),
            **({"guidance": self.guidance} if self.guidance != 1 else {}),
            **({"postfilter": self.postfilter.to_json()} if self.postfilter else {}),
        }

    def named(self) -> Tensors:
        """All its tensors, under the names that they have in a file."""
        both = self.tensors | self.postfilter_tensors | self.means | self.timing
        return both | {f"planner.{name}": tensor for name, tensor in self.planner_tensors.items()}


def read(model: ModelConfig, config: dict[str, Any], tensors: Tensors) -> VoiceParts:
    """The voice around `model` that a file's config and tensors describe; CheckpointError says what is wrong."""
    try:
        if set(config) - {"guidance", "postfilter"} != {"vocoder", "planner", "temperatures"}:
            raise UsageError("voice: its names are not the known ones")
        sizes = VocoderConfig.from_json(config["vocoder"])
        planner = None if config["planner"] is None else ModelConfig.from_json(config["planner"])
        after = PostfilterConfig.from_json(config["postfilter"]) if "postfilter" in config else None
        warm, guidance = config["temperatures"], config.get("guidance", 1.0)
        if type(guidance) not in (int, float):
            raise UsageError("voice: guidance must be a number")
        if not isinstance(warm, list) or not all(type(value) in (int, float) for value in warm):
            raise UsageError("voice: temperatures must be numbers")
        warm = tuple(float(value) for value in warm)
    except (TypeError, ValueError, OverflowError, UsageError) as error:
        text = " ".join(str(error).split())[:200]  # one line of what a stranger's file may have put into it
        raise CheckpointError(f"its config can't be used ({text})") from None
    own, filtering, means, lengths = (
        {name: tensor for name, tensor in tensors.items() if name.startswith(part)}
        for part in (("vocoder.", "bed."), "postfilter.", "means.", "timing.")
    )
    planned = {name.removeprefix("planner."): t for name, t in tensors.items() if name.startswith("planner.")}
    voice = VoiceParts(sizes, own, planner, planned, warm, float(guidance), after, filtering, means, lengths)
    check(model, voice)
    return voice


def check(model: ModelConfig, voice: VoiceParts) -> None:
    """CheckpointError when the parts do not fit each other, or a tensor its place."""
    try:
        fits = model.stride == stride_of(voice.config, model)
    except UsageError as error:
        raise CheckpointError(str(error)) from None
    if not fits:
        raise CheckpointError(f"its network takes a vector every {model.stride} frames, its vocoder gives others")
    if bool(voice.config.tones) != bool(model.phases):
        raise CheckpointError("its network must read phases where its vocoder has a tonal bed, and nowhere else")
    if voice.config.has_bed and voice.postfilter is None:
        raise CheckpointError("has a bed, but no postfilter, whose envelope the bed is read off")
    if len(voice.temperatures) != 2 or not all(0.05 <= value <= 4 for value in voice.temperatures):
        raise CheckpointError("its config can't be used (voice: temperatures must be two numbers from 0.05 to 4)")
    if not 1 <= voice.guidance <= 4 or voice.guidance * 2 % 1:
        raise CheckpointError("its config can't be used (voice: guidance must be 1 to 4, in halves)")
    check_vocoder(voice.config, model, voice.tensors)
    _check_postfilter(model, voice)
    if voice.means:
        check_tensors("voice", label_means.layout(model.labels, voice.config.latent), voice.means)
        if voice.means["means.spread"].min() <= 0:
            raise CheckpointError("tensor means.spread: values must be above 0")
    _check_planner(model, voice)


def _check_planner(model: ModelConfig, voice: VoiceParts) -> None:
    planner = voice.planner
    if planner is None:
        if voice.planner_tensors or voice.timing:
            raise CheckpointError("has tensors of a planner, but its config has none")
        return
    labels = timing.timed(model.labels) if voice.timing else model.labels
    if planner.kind != "tokens" or planner.is_conditioned or planner.labels != labels:
        raise CheckpointError("its planner must be a network over tokens with the labels of its network")
    if voice.timing:
        timing.check_rows(model.labels, voice.timing)
    if planner.period > voice.config.quantisers:
        raise CheckpointError(f"its planner has {planner.period} tokens a frame, its vocoder {voice.config.quantisers}")
    try:
        layout.check(planner, voice.planner_tensors)
    except CheckpointError as error:
        raise CheckpointError(f"planner: {error}") from None


def _check_postfilter(model: ModelConfig, voice: VoiceParts) -> None:
    if voice.postfilter is None:
        if voice.postfilter_tensors:
            raise CheckpointError("has tensors of a postfilter, but its config has none")
        return
    wanted = envelope.layout(voice.config, voice.postfilter) | postfilter_tables.layout(voice.config, model.sample_rate)
    check_tensors("postfilter", wanted, voice.postfilter_tensors)
    postfilter_tables.check_tables(voice.config, model.sample_rate, voice.postfilter_tensors)


def split(tensors: Tensors) -> tuple[Tensors, Tensors]:
    """The network's tensors, and those of a voice."""
    parts = {name: tensor for name, tensor in tensors.items() if name.startswith(PARTS)}
    return {name: tensor for name, tensor in tensors.items() if name not in parts}, parts


__all__ = ["VoiceParts", "check", "read", "split"]
