"""The parts of a loaded voice at work: its vocoder, its planner's engine and its postfilter, and what they make."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from synth.audio import mulaw
from synth.common.arrays import require_saved, saved_array
from synth.common.errors import EngineError, UsageError
from synth.common.typing import Int16, Int64, MonoSamples, Tensors, UInt8
from synth.engine import select
from synth.engine.config import ModelConfig, SamplingConfig
from synth.engine.interface import Engine
from synth.generation.bed_conditioning import BedConditioner
from synth.generation.conditioning import Conditioner
from synth.generation.kernel_stream import KernelVoice
from synth.generation.label_schedule import LabelSchedule
from synth.generation.latent_sources import FixedLatents, LatentSource, StreamedLatents
from synth.generation.note_conditioning import NoteConditioner
from synth.generation.planner import PLANNING, PlannedLatents
from synth.generation.sound_clock import SoundClock
from synth.generation.tonal_conditioning import TonalConditioner
from synth.vocoder import timing
from synth.vocoder.bed import TonalBed
from synth.vocoder.beds import bed_of, locker_of
from synth.vocoder.envelope import Envelope
from synth.vocoder.frame_filter import FrameFilter
from synth.vocoder.locked_sound import LockedSound
from synth.vocoder.note_bed import NoteBed
from synth.vocoder.postfilter import Postfilter
from synth.vocoder.vocoder import Vocoder
from synth.vocoder.voice import VoiceParts


class VoiceRuntime:
    """Makes the conditioners and postfilters of a voice's streams; may be shared by threads.

    `config`, `tensors`: of the voice's network; `prefer`: the engine, as for `engine.create`.
    """

    def __init__(self, config: ModelConfig, tensors: Tensors, voice: VoiceParts, prefer: str = "auto") -> None:
        curve = {"table.tanh": tensors["table.tanh"]}  # the conditioner's curve is the network's
        self.vocoder = Vocoder(voice.config, config, voice.tensors | curve, prefer)
        after, own = voice.postfilter, voice.postfilter_tensors
        self.envelope = Envelope(voice.config, own | curve, prefer) if after else None
        self.prefer = prefer
        self.bed = bed_of(voice.config, config.sample_rate, voice.tensors, prefer)
        """The bed's renderer; None where this voice has none."""
        self._locker = locker_of(voice.config, config.sample_rate, voice.tensors, prefer) if self.bed else None
        self._tables, self._guard = voice.tensors, threading.Lock()
        self._kernel: KernelVoice | None = None
        self._filter = FrameFilter(voice.config, after, config.sample_rate, own, prefer) if after else None
        self.planner = select.create(voice.planner, voice.planner_tensors, prefer) if voice.planner else None
        self.temperatures, self.guidance, self.means = voice.temperatures, voice.guidance, voice.means
        self.planner_tokens: int = voice.planner.period if voice.planner else 0
        """Tokens of a token frame that the planner knows; 0 without a planner."""
        self._lengths = voice.timing[timing.ROWS].astype(np.int64) if voice.timing else None

    def kernel(self, engine: Engine) -> KernelVoice:
        """What its streams share in C++; `engine`: of its network."""
        with self._guard:
            if self._kernel is None or self._kernel.network is not engine:
                self._kernel = KernelVoice(
                    engine,
                    self.planner,
                    self.vocoder,
                    self._tables,
                    envelope=self.envelope,
                    bed=self.bed,
                    frame_filter=self._filter,
                )
            return self._kernel

    @property
    def filters(self) -> bool:
        """Whether a stream's sound goes through a postfilter."""
        return self._filter is not None

    def postfilter(self, start: int = 0) -> Postfilter | None:
        """A new postfilter of a stream, from sample `start` on; None where this voice has none."""
        return Postfilter(self._filter, start // self._filter.hop * self._filter.hop) if self._filter else None

    def restore_postfilter(self, saved: Tensors) -> Postfilter:
        """The postfilter that `Postfilter.save` saved; EngineError when it is damaged or of another voice."""
        if self._filter is None:
            raise EngineError("saved stream: is of a voice with a postfilter")
        return Postfilter.restored(self._filter, saved)

    def network_sampling(self, sampling: SamplingConfig) -> SamplingConfig:
        """How the network draws where a person asked for `sampling`."""
        return scale_temperature(sampling, self.temperatures[1])

    def plan(
        self,
        sampling: SamplingConfig,
        seed: int,
        schedule: LabelSchedule,
        prompt: Int16 | None,
        samples: int | None = None,
    ) -> Conditioner:
        """A conditioner that plans by itself, from the end of a prompt's samples on, where `schedule` begins to count.

        `samples`: how many will be asked for. Raises UsageError for a voice without planner.
        """
        source = self._planner_source(sampling, seed)
        latents, tokens = np.zeros((0, self.vocoder.config.latent), np.int64), np.zeros((0, 0), np.uint8)
        origin = 0 if prompt is None else len(prompt)
        if prompt is not None and origin:
            encoded = self.vocoder.encode_sound(prompt)
            whole = max(0, origin // self.vocoder.hop - 1)  # the last windows reach over the prompt's end
            latents = self.vocoder.quantize_latents(encoded)[:whole]
            tokens = self.vocoder.tokens(encoded[:whole], source.period)
        later = [(origin + at, label_ids) for at, label_ids in schedule[1:]]
        source.begin([(0, schedule[0][1]), *later], latents, tokens, None if samples is None else origin + samples)
        return self.conditioner(source)

    def along_sound(self, samples: MonoSamples) -> tuple[Conditioner, UInt8, LockedSound | None]:
        """A conditioner along a recording, int16 (n,) at the model's rate, and the codes that the network has for it.

        Mu-law codes uint8 (n,): of the samples, or with a tonal bed of what is left without the recording's own one,
        which comes third.
        """
        if self._locker is None:
            latents = self.vocoder.quantize_latents(self.vocoder.encode_sound(samples))
            return self.along(latents), mulaw.encode(samples), None
        locked = self._locker.lock(samples)
        conditioner = self.conditioner(FixedLatents(self.vocoder.quantize_latents(self.vocoder.encode(locked.rows))))
        assert isinstance(conditioner, BedConditioner)
        conditioner.lock(locked)
        return conditioner, mulaw.encode(locked.residual[: len(samples)]), locked

    def along_pieces(self, pieces: Iterator[Int64]) -> Conditioner:
        """A conditioner along latents that come piece by piece, each as `along` takes them."""
        return self.conditioner(StreamedLatents(pieces))

    def along(self, latents: Int64) -> Conditioner:
        """A conditioner along 8-bit latents (frames, latent); UsageError for another shape, type or range."""
        latent = self.vocoder.config.latent
        if latents.ndim != 2 or latents.shape[1] != latent or latents.dtype.kind != "i":
            raise UsageError(f"vectors are {latents.dtype}{list(latents.shape)}, must be integers [frames, {latent}]")
        if np.abs(latents).max(initial=0) > 127:
            raise UsageError("vectors: must be -127 to 127")
        return self.conditioner(FixedLatents(latents))

    def restore(self, saved: Tensors) -> Conditioner:
        """The conditioner that `Conditioner.save` saved; EngineError when it is damaged or of another voice."""
        latent, name = self.vocoder.config.latent, "source.vectors" if "source.vectors" in saved else "source.prime"
        held, latents = (saved_array(saved, each, "int8", (None, latent)) for each in ("held", name))
        numbers = saved_array(saved, "numbers", "int64", (2,))
        require_saved(0 <= numbers[0] < 1 << 62 and 0 <= numbers[1] <= 1)
        conditioner = self.conditioner(self._restored_source(saved, latents.astype(np.int64)))
        conditioner.load(held.astype(np.int64), int(numbers[0]), bool(numbers[1]))
        if isinstance(conditioner, BedConditioner):
            conditioner.load_phases(saved)
        return conditioner

    def conditioner(self, source: LatentSource) -> Conditioner:
        """A conditioner along the latents of a source, with the voice's bed."""
        if isinstance(self.bed, NoteBed) and self.envelope is not None:
            return NoteConditioner(self.vocoder, source, self.envelope, self.bed)
        if isinstance(self.bed, TonalBed) and self.envelope is not None:
            return TonalConditioner(self.vocoder, source, self.envelope, self.bed)
        return Conditioner(self.vocoder, source, self.envelope)

    def _restored_source(self, saved: Tensors, latents: Int64) -> LatentSource:
        if "source.vectors" in saved:
            return FixedLatents(latents)
        if self.planner is None:
            raise EngineError("saved guide: is of a voice with a planner")
        own = {name.removeprefix("source."): value for name, value in saved.items() if name.startswith("source.")}
        parts = self.vocoder, self.planner
        clock = self._clock()
        return PlannedLatents.restored(*parts, own, prompt=latents, guidance=self.guidance, clock=clock)

    def _planner_source(self, sampling: SamplingConfig, seed: int) -> PlannedLatents:
        if self.planner is None:
            raise UsageError("this voice has no planner: it speaks what it is given, by synth vocode or features=...")
        state = self.planner.state(seed=seed, stream=PLANNING)
        sampling = scale_temperature(sampling, self.temperatures[0])
        return PlannedLatents(self.vocoder, self.planner, state, sampling, guidance=self.guidance, clock=self._clock())

    def _clock(self) -> SoundClock | None:
        """A new clock of a planner that is told when sounds end."""
        if self._lengths is None:
            return None
        return SoundClock(self._lengths, ModelConfig.hop // self.planner_tokens, self._lengths.shape[1] - 2)


def scale_temperature(sampling: SamplingConfig, factor: float) -> SamplingConfig:
    """`sampling` with its temperature times `factor`; greedy stays greedy."""
    inverse = sampling.inverse_temperature
    return replace(sampling, inverse_temperature=inverse and max(1, min(1 << 24, round(inverse / factor))))
