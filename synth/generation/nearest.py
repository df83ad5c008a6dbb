"""`--best K`: of the sounds that are drawn, those that are nearest to a corpus (`audio.nearness`).

Nothing is kept of a sound but its distance: those that are chosen are drawn again, from their seeds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from synth.audio import nearness, reader
from synth.audio.nearness import SoundFigures, SoundMeter
from synth.common import threads as parallel
from synth.common.errors import CheckpointError, UsageError
from synth.common.typing import Int16
from synth.data.audio_files import AudioFile
from synth.data.sound_figures import CARD_KEY, FileFigures, figures_of_files
from synth.generation.base import AudioModel
from synth.generation.made_files import Destination, Seeds, Work, draw, together


@dataclass(frozen=True)
class Target:
    """What sounds are to be near to: the figures; the files that they are of, None for a checkpoint's own corpus."""

    figures: SoundFigures
    files: FileFigures | None = None

    @property
    def skipped(self) -> list[tuple[str, str]]:
        """Path and reason of the files that could not be used."""
        return self.files.skipped if self.files else []

    def facts(self) -> dict[str, Any]:
        """What a report says of it."""
        if self.files is None:
            return {"corpus": "checkpoint", "seconds_measured": self.figures.seconds}
        return {
            "corpus": "like",
            "files": self.files.files,
            "seconds": self.files.seconds,
            "seconds_measured": self.figures.seconds,
            "skipped": [list(each) for each in self.skipped],
        }


def target_of(model: AudioModel, files: Sequence[AudioFile], rate: int) -> Target:
    """What sounds of a model, finished at `rate` Hz, are compared with: `files`, or else the checkpoint's own corpus.

    UsageError where the checkpoint does not know it, CheckpointError where what it says of it can't be used.
    """
    if files:
        figures = figures_of_files(files, model.sample_rate, rate / 2)
        return Target(figures.figures, figures)
    name, card = model.checkpoint.name, model.checkpoint.info
    if CARD_KEY not in card:
        raise UsageError(
            f"--best: {name} does not say what its corpus sounds like; give --like FOLDER with sounds to be near to"
        )
    try:
        return Target(SoundFigures.from_json(card[CARD_KEY], model.sample_rate))
    except ValueError as error:
        raise CheckpointError(f"{name}: {CARD_KEY} of its card can't be used ({error})") from None


class _Measured(Destination):
    """Measures the finished sound, each channel by itself, and keeps nothing of it."""

    def __init__(self, work: Work, target: SoundFigures) -> None:
        super().__init__(work)
        self._target = target
        bandwidth = min(target.bandwidth, work.rate / 2)
        self._meters = [SoundMeter(target.rate, bandwidth) for _ in range(work.channels)]

    def __exit__(self, *why: Any) -> None:
        pass

    def put(self, block: Int16) -> None:
        """To the meters; of another rate it is the whole sound, since resampling needs all of it."""
        for meter, samples in zip(self._meters, block.reshape(len(block), -1).T, strict=True):
            if self.work.rate != self._target.rate:
                samples = reader.from_array(samples, self.work.rate, self._target.rate)
            meter.add(samples)

    def distance(self) -> float:
        """Of what was drawn, when all is."""
        first, *others = self._meters
        for meter in self._meters:
            meter.end()
        for meter in others:
            first.include(meter)
        return nearness.distance(first.figures(), self._target)


class BestChoice:
    """A choice of `count` sounds of a model, finished at `rate` Hz, and what it came to. Errors as of `target_of`."""

    def __init__(
        self, count: int, model: AudioModel, like: Sequence[AudioFile], rate: int, say: Callable[[str], object]
    ) -> None:
        self._count, self._say, self._ranked = count, say, list[tuple[float, Seeds]]()
        self._target = target_of(model, like, rate)
        for path, why in self._target.skipped:
            say(f"{path}: is left out: {why}")

    def choose(self, work: Work, seeds: Sequence[Seeds], threads: int) -> list[Seeds]:
        """Draws the sound of each of `seeds`; returns those of the nearest ones, the nearest first, then by seed."""
        size = together(work, len(seeds), threads)
        groups = [seeds[start : start + size] for start in range(0, len(seeds), size)]

        def measure(group: Sequence[Seeds]) -> list[float]:
            outs = [_Measured(work, self._target.figures) for _ in group]
            draw(work, group, outs)
            return [out.distance() for out in outs]

        distances = [each for group in parallel.each(measure, groups, threads, work.stop) for each in group]
        self._ranked = sorted(zip(distances, seeds, strict=True))
        spread = f"{self._ranked[0][0]:.2f} to {self._ranked[-1][0]:.2f} dB from the corpus"
        self._say(f"{len(seeds)} sounds are drawn, {spread}; the nearest are written")
        return [own for _, own in self._ranked[: self._count]]

    def with_distances(self, files: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """What a report says of the files, in the order of the choice."""
        return [{**file, "distance": distance} for file, (distance, _) in zip(files, self._ranked, strict=False)]

    def facts(self) -> dict[str, Any]:
        """What a report says besides: what was drawn and not kept too."""
        left = [{"seed": own[0], "distance": distance} for distance, own in self._ranked[self._count :]]
        return {"best": {**self._target.facts(), "drawn": len(self._ranked), "not_kept": left}}
