"""A voice's stream in C++: plans, conditions, draws and filters whole blocks without Python in between.

The parts of a `VoiceStream` in Python are the specification. A `KernelStream` goes on where they stand, and `save` says
where it stands, so that they can go on: the same sound, and the same saved streams. It moves the engine's states of the
stream itself; labels of plans, their clock and latents that are read stay in Python, which tells it of them before each
block: exactly those that the block needs, as labels may change behind it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from synth.common.typing import Int16, Int64, Tensors, UInt8
from synth.engine.config import SamplingConfig
from synth.engine.interface import Engine
from synth.generation.bed_conditioning import BedConditioner, resolving_bands
from synth.generation.conditioning import Conditioner
from synth.generation.latent_sources import LatentSource
from synth.generation.note_conditioning import NoteConditioner
from synth.generation.planner import PlannedLatents
from synth.generation.tonal_conditioning import TonalConditioner
from synth.vocoder.bed import TonalBed
from synth.vocoder.envelope import Envelope
from synth.vocoder.frame_filter import FrameFilter
from synth.vocoder.note_bed import NoteBed
from synth.vocoder.vocoder import Vocoder


class KernelVoice:
    """What all streams of a voice share in C++; `model` is None where a part of the voice is not compiled.

    `network`, `planner`: engines; `tables`: the vocoder's tensors.
    """

    def __init__(
        self,
        network: Engine,
        planner: Engine | None,
        vocoder: Vocoder,
        tables: Tensors,
        *,
        envelope: Envelope | None = None,
        bed: TonalBed | NoteBed | None = None,
        frame_filter: FrameFilter | None = None,
    ) -> None:
        self.network = network
        self.model: Any = None
        conditioner = vocoder.kernels
        compiled = network.name == "native" and (planner is None or planner.name == "native")
        if not compiled or conditioner is None:
            return
        from synth.engine.native_vocoder import voice_model

        config = vocoder.config
        sizes = [vocoder.hop, config.parts, config.latent, config.mels, config.tones + config.notes]
        partials = bed.partials if isinstance(bed, TonalBed) else config.notes
        self.model = voice_model(
            [*sizes, config.lookahead, frame_filter.passes if frame_filter else 0, partials],
            network,
            planner,
            conditioner=conditioner,
            envelope=envelope.kernels if envelope else [],
            postfilter=frame_filter.kernel if frame_filter else None,
            oscillators=bed.kernel if bed else None,
            tensors=tables,
        )


class KernelStream:
    """One stream, which goes on from `arrays`: what `VoiceStream` and its conditioner have. See `save`."""

    def __init__(
        self,
        voice: KernelVoice,
        state: Any,
        sampling: SamplingConfig,
        source: LatentSource,
        arrays: Tensors,
    ) -> None:
        from synth.engine.native_vocoder import VoiceStream

        plan = None
        self.voice, self.source = voice, source
        self._plans, self._none = type(source) is PlannedLatents, arrays["held"][:0]
        if isinstance(source, PlannedLatents) and self._plans:
            states = source.state, source.unconditional
            draw = source.sampling.inverse_temperature, source.rounds, source.quarters, source.told
            plan, arrays = (*states, *draw), {**arrays, "prompt": source.prompt.astype(np.int8)}
        self.kernel = VoiceStream(voice.model, state, sampling, plan, source.ahead, arrays)

    @staticmethod
    def takes(conditioner: Conditioner) -> bool:
        """Whether this kind of conditioner is compiled, standing as it does."""
        if isinstance(conditioner, BedConditioner):  # another kind: csrc/vocoder/bed.hpp says what it must have there
            return type(conditioner) in (TonalConditioner, NoteConditioner) and not conditioner.is_locked
        return type(conditioner) is Conditioner

    @property
    def position(self) -> int:
        """Samples that left the stream."""
        return self.kernel.position

    @property
    def labels(self) -> tuple[int, ...]:
        """Label ids in force now for the network."""
        return self.kernel.labels

    @property
    def part_seconds(self) -> dict[str, float]:
        """How long each part took, in seconds; what streams share that are drawn together counts for the first."""
        return self.kernel.part_seconds

    def relabel(self, label_ids: tuple[int, ...]) -> None:
        """Other labels, from the next frames of network and plan."""
        self.kernel.relabel(label_ids)
        self.source.relabel(label_ids)

    def save(self) -> Tensors:
        """Where the stream stands; the arrays of `conditioning_arrays` and those of `VoiceStream`."""
        return self.kernel.save()

    def feed(self, count: int) -> None:
        """Tells all that the next `count` samples need, and no more."""
        first, last = self.kernel.wanted(count)
        if first >= last:
            return
        if isinstance(self.source, PlannedLatents) and self._plans:
            drawn = range(max(first, len(self.source.prompt)), last)
            rows = [(frame, label_ids) for frame in drawn if (label_ids := self.source.labels_from(frame)) is not None]
            if rows:
                self.kernel.plan(np.array([[frame, *label_ids] for frame, label_ids in rows], np.int64))
            return
        self._push(first, last)

    def _push(self, first: int, last: int) -> None:
        """Hands over the latents of token frames, also those that were read before an error."""
        latents: list[Int64] = []
        ended = False
        try:
            while not ended and first + len(latents) < last:
                row = self.source.next(first + len(latents))
                ended = row is None
                if row is not None:
                    latents.append(row)
        finally:
            self.kernel.push(np.stack(latents) if latents else self._none, ended)


def read(streams: Sequence[KernelStream], count: int) -> Int16:
    """The next `count` samples of streams of one voice: int16 (streams, count)."""
    from synth.engine.native_vocoder import read_voices

    for stream in streams:
        stream.feed(count)
    return read_voices([stream.kernel for stream in streams], count)


def draw(streams: Sequence[KernelStream], count: int) -> UInt8:
    """The next `count` codes of streams of one voice without a postfilter: uint8 (streams, count)."""
    from synth.engine.native_vocoder import draw_voices

    for stream in streams:
        stream.feed(count)
    return draw_voices([stream.kernel for stream in streams], count)


def conditioning_arrays(conditioner: Conditioner) -> Tensors:
    """What a conditioner holds, its phases and its change of the pitch, as `KernelStream` takes them."""
    latents, first, ended = conditioner.held
    arrays: Tensors = {
        "held": latents.astype(np.int8),
        "numbers": np.array([first, ended], np.int64),
        "phases": np.zeros(2, np.int64),
        "pitch": np.zeros(2, np.int64),
        "course": np.zeros((0, 2), np.int8),
    }
    if isinstance(conditioner, BedConditioner):
        arrays["phases"] = conditioner.phases
        change = conditioner.change
        if change is not None:
            moved = change.quarters if isinstance(conditioner, TonalConditioner) else change.note_steps
            arrays["pitch"] = np.array([moved, resolving_bands(conditioner.vocoder)], np.int64)
            if change.course is not None:
                arrays["course"] = change.course.astype(np.int8)
    return arrays
