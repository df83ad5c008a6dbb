"""A voice's stream: a stream whose network is conditioned all along, and whose sound may go through a postfilter."""

from __future__ import annotations

from typing import Any

import numpy as np

from synth.audio import mulaw
from synth.common.arrays import require_saved, saved_array
from synth.common.errors import EngineError
from synth.common.turns import in_turn
from synth.common.typing import Float64, Int16, MonoSamples, Tensors, UInt8
from synth.engine.config import SamplingConfig
from synth.engine.interface import Engine
from synth.generation import kernel_stream, saved_stream
from synth.generation.bed_conditioning import BedConditioner
from synth.generation.checkpoint import Checkpoint
from synth.generation.conditioning import Conditioner
from synth.generation.kernel_stream import KernelStream, conditioning_arrays
from synth.generation.label_schedule import restored_schedule, schedule_array
from synth.generation.stream import Stream
from synth.generation.together import codes_together, teacher_force_together
from synth.generation.voice_runtime import VoiceRuntime
from synth.vocoder.emphasis import DeEmphasis
from synth.vocoder.postfilter import Postfilter

_CONTEXT_SECONDS = 0.15
"""Of a prompt's end that goes through a postfilter: all that four passes look back."""


class VoiceStream(Stream):
    """Endless sound of a voice, made by `Voice.stream`, `Voice.follow` and `Voice.restore`; used like a `Stream`."""

    def __init__(
        self,
        loaded: Checkpoint,
        engine: Engine,
        state: Any,
        sampling: SamplingConfig,
        *,
        conditioner: Conditioner,
        runtime: VoiceRuntime,
        block: int = 1024,
    ) -> None:
        super().__init__(loaded, engine, state, sampling, block=block)
        self._conditioner, self._runtime = conditioner, runtime
        self._in_kernel: KernelStream | None = (
            None  # goes on in C++; what else says where the stream stands is old then
        )
        self._postfilter: Postfilter | None = None
        self._context = int(_CONTEXT_SECONDS * loaded.config.sample_rate)
        self._tail = np.zeros(0, np.int16)  # of what was teacher-forced
        self._de_emphasis = None if runtime.bed is None else DeEmphasis(runtime.prefer)
        self._ready = np.zeros(0, np.int16)  # out of the postfilter, not yet asked for
        self._skipped = 0  # samples of a prompt that are to come out of it
        self._read = 0  # samples that left the stream

    @property
    def conditioner(self) -> Conditioner:
        """What conditions the network from here on; what is changed of it takes effect."""
        self._leave_kernel()
        return self._conditioner

    @conditioner.setter
    def conditioner(self, conditioner: Conditioner) -> None:
        self._leave_kernel()
        self._conditioner = conditioner

    def _kernel(self) -> KernelStream | None:
        voice = self._runtime.kernel(self.engine)
        if self._in_kernel is None and voice.model is not None and KernelStream.takes(self._conditioner):
            self._start_postfilter()
            source, arrays = self._conditioner.source, self._kernel_arrays()
            self._in_kernel = KernelStream(voice, self._state, self._sampling, source, arrays)
        return self._in_kernel

    def _kernel_arrays(self) -> Tensors:
        """Where the stream stands, as `KernelStream` takes it."""
        arrays, config = conditioning_arrays(self._conditioner), self.checkpoint.config
        emphasis = 0 if self._de_emphasis is None else self._de_emphasis.state
        numbers = self._origin, self._opening, self._skipped, self._read, emphasis
        arrays["numbers"] = np.concatenate([arrays["numbers"], np.array(numbers, np.int64)])
        arrays |= {"changes": schedule_array(self._schedule, config.labels), "ready": self._ready}
        saved = {} if self._postfilter is None else self._postfilter.save()
        return arrays | {f"postfilter.{name}": value for name, value in saved.items()}

    def _look(self) -> None:
        """Brings everything to where the stream in C++ stands, which goes on all the same."""
        if self._in_kernel is None:
            return
        saved = self._in_kernel.save()
        first, ended, self._origin, _, self._skipped, self._read, emphasis = (
            int(number) for number in saved["numbers"]
        )
        self._conditioner.load(saved["held"].astype(np.int64), first, bool(ended))
        if isinstance(self._conditioner, BedConditioner):
            self._conditioner.take_phases(saved["phases"])
        if self._de_emphasis is not None:
            self._de_emphasis.state = emphasis
        self._schedule = restored_schedule(saved, "changes", self.checkpoint.config.labels)
        self._ready = saved["ready"]
        if self._postfilter is not None:
            self._postfilter = self._runtime.restore_postfilter(saved_stream.take_part(saved, "postfilter."))

    def _leave_kernel(self) -> None:
        """Lets Python lead the stream from here on, until it is read again."""
        self._look()
        self._in_kernel = None

    def _start_postfilter(self) -> None:
        """Begins the voice's postfilter, where it has one, behind what was teacher-forced so far."""
        if self._postfilter is not None:
            return
        origin = int(self._state.position)
        self._postfilter = self._runtime.postfilter(max(0, origin - self._context))
        if self._postfilter is not None:
            self._conditioner.new_targets()  # what was teacher-forced stays as it is
            self._origin, self._skipped = origin, origin - self._postfilter.start
            self._ready = self._postfilter.push(self._tail[len(self._tail) - self._skipped :])

    @property
    @in_turn
    def position(self) -> int:
        """Samples drawn so far (a prompt isn't counted)."""
        if self._in_kernel is not None:
            return self._in_kernel.position
        return super().position if self._postfilter is None else self._read

    @in_turn
    def _relabel(self, label_ids: tuple[int, ...]) -> None:
        if self._in_kernel is not None:
            self._in_kernel.relabel(label_ids)
            return
        super()._relabel(label_ids)
        self._conditioner.relabel(label_ids)

    @in_turn
    def _label_ids_now(self) -> tuple[int, ...]:
        return super()._label_ids_now() if self._in_kernel is None else self._in_kernel.labels

    @in_turn
    def part_seconds(self) -> dict[str, float]:
        """How long each part took since C++ began to lead the stream, in seconds; empty where Python leads it."""
        return {} if self._in_kernel is None else self._in_kernel.part_seconds

    @in_turn
    def codes(self, count: int) -> UInt8:
        """The next `count` samples as mu-law codes, uint8 (count,): of a postfilter's samples the nearest."""
        if self._runtime.filters:
            return mulaw.encode(self.pcm(count))
        kernel = self._kernel()
        return codes_together([self], count)[0] if kernel is None else kernel_stream.draw([kernel], count)[0]

    @in_turn
    def teacher_force(self, codes: UInt8) -> int:
        """Takes `codes`, uint8 (n,), as the next samples; their code length under the model, in 1/65536 bit.

        EngineError when the postfilter has begun: what it has given can't be taken back.
        """
        if self._postfilter is not None:
            raise EngineError("this voice's stream has begun, it takes no samples any more")
        self._leave_kernel()
        samples = mulaw.DECODE[codes]
        if self._de_emphasis is not None:
            self._de_emphasis.filter(samples)
        self.take_tail(samples)
        self._conditioner.want_targets(False)
        try:
            return teacher_force_together([self], codes)[0]
        finally:
            self._conditioner.want_targets(True)

    def take_tail(self, samples: MonoSamples) -> None:
        """What was teacher-forced sounds like this, int16 (n,), at its end; the postfilter begins in it."""
        self._tail = np.concatenate([self._tail, samples])[-2 * self._context :]

    def _sound(self, codes: UInt8) -> Int16:
        """The sound of codes that were drawn just now: with a tonal bed the bed and what they leave on it."""
        samples = mulaw.DECODE[codes]
        if self._de_emphasis is None or not isinstance(self._conditioner, BedConditioner) or not len(codes):
            return samples
        bed = self._conditioner.bed_at(int(self._state.position) - len(codes), len(codes))
        return np.clip(self._de_emphasis.filter(samples) + bed, -32768, 32767).astype(np.int16)

    @in_turn
    def distribution(self) -> Float64:
        """Probabilities of the 256 codes of the next sample at temperature 1: float64 (256,)."""
        peek = self.fork(self.seed)  # what it plans stays out of this stream
        return Stream.distribution(peek)

    @in_turn
    def fork(self, seed: int) -> VoiceStream:
        """A stream that goes on from here with the draws of another seed; EngineError along a file."""
        self._look()
        other = self._fork(seed)
        other._schedule, other._origin = list(self._schedule), self._origin
        other._postfilter = None if self._postfilter is None else self._postfilter.copy()
        other._tail = self._tail
        if self._de_emphasis is not None and other._de_emphasis is not None:
            other._de_emphasis.state = self._de_emphasis.state
        other._ready, other._skipped, other._read = self._ready, self._skipped, self._read
        return other

    def _fork(self, seed: int) -> VoiceStream:
        state, conditioner = self._forked_state(seed), self._conditioner.fork(seed)
        return VoiceStream(
            self.checkpoint,
            self.engine,
            state,
            self._sampling,
            conditioner=conditioner,
            runtime=self._runtime,
            block=self.block,
        )

    def _save(self) -> Tensors:
        self._look()
        self._start_postfilter()
        arrays = super()._save()
        if self._postfilter is not None:
            arrays["stream.ready"] = self._ready
            arrays["stream.given"] = np.array([self._skipped, self._read], np.int64)
            if self._de_emphasis is not None:
                arrays["stream.emphasis"] = np.array([self._de_emphasis.state], np.int64)
            arrays |= {f"postfilter.{name}": value for name, value in self._postfilter.save().items()}
        return arrays | {f"guide.{name}": value for name, value in self._conditioner.save().items()}

    @classmethod
    def restored_voice(cls, loaded: Checkpoint, engine: Engine, saved: bytes, runtime: VoiceRuntime) -> VoiceStream:
        """The stream that `save` saved; CheckpointError when `saved` is damaged or of another checkpoint."""
        arrays = saved_stream.unpack(saved, loaded.sha256, loaded.name)
        with saved_stream.refusing():
            own, filtering, conditioning = (
                saved_stream.take_part(arrays, prefix) for prefix in ("stream.", "postfilter.", "guide.")
            )
            state, sampling = saved_stream.restored_state(engine, arrays), saved_stream.restored_sampling(own, "draw")
            conditioner = runtime.restore(conditioning)
            stream = cls(loaded, engine, state, sampling, conditioner=conditioner, runtime=runtime)
            stream._load(own)
            stream._conditioner.check(int(state.position))
            if runtime.filters:
                stream._load_postfilter(own, runtime.restore_postfilter(filtering))
        return stream

    def _load_postfilter(self, own: Tensors, postfilter: Postfilter) -> None:
        self._postfilter = postfilter
        self._ready = saved_array(own, "ready", "int16", (None,))
        if self._de_emphasis is not None:
            self._de_emphasis.state = int(saved_array(own, "emphasis", "int64", (1,))[0])
        self._skipped, self._read = (int(value) for value in saved_array(own, "given", "int64", (2,)))
        require_saved(min(self._skipped, self._read, self._origin) >= 0)
        end = self._origin + self._read + len(self._ready) - self._skipped
        require_saved(postfilter.places == (self._state.position, end))

    def _missing(self, count: int) -> int:
        self._leave_kernel()
        self._start_postfilter()
        if self._postfilter is None:
            return count
        wanted = self._postfilter.needed(self._origin + self._read + count)
        return max(0, wanted - int(self._state.position))

    def _finish(self, codes: UInt8, count: int) -> Int16:
        if self._postfilter is None:
            return super()._finish(codes, count)
        for first, target in self._conditioner.new_targets():
            self._postfilter.add_target(target, first)
        self._ready = np.concatenate([self._ready, self._postfilter.push(self._sound(codes))])
        if self._skipped:
            skip = min(self._skipped, len(self._ready))
            self._ready, self._skipped = self._ready[skip:], self._skipped - skip
        samples, self._ready = self._ready[:count], self._ready[count:]
        self._read += count
        return samples

    def _apply_due(self) -> None:
        self._leave_kernel()
        super()._apply_due()
        position = self._state.position
        if position % self._conditioner.hop == 0:
            self._state.conditioning = self._conditioner.vector_at(position)
        else:
            self._conditioner.prepare(position)

    def _known(self) -> int:
        known = self._conditioner.known_until - int(self._state.position)
        return min(super()._until_change(), known) if known > 0 else self._until_change()

    def _vectors(self, count: int) -> Int16 | None:
        position, hop = int(self._state.position), self._conditioner.hop
        return self._conditioner.vectors_within(position, count) if count > hop - position % hop else None

    def _until_change(self) -> int:
        hop = self._conditioner.hop
        return min(super()._until_change(), hop - self._state.position % hop)
