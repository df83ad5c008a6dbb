"""A stream of samples: the state of an engine, how samples are drawn, and when labels change.

What a stream gives depends on the checkpoint, the seed and the options alone. The random numbers of a sample are a
function of the seed and of the sample's index, counted from the first sample that the engine saw, so a prompt of N
samples moves it by N. In the first 10 ms, counted likewise, only the likeliest codes that hold 90 % are drawn: a stream
out of silence begins quietly, and a single unlikely sample there would start a sound. After them a plain network at
rest (`engine.sampling.at_rest`) is drawn no more strictly than by `engine.sampling.REST`: it knows silence so well that
it would stay in it. Labels change at positions known beforehand. Block sizes, threads and pauses change nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NoReturn

import numpy as np

from synth.audio import mulaw
from synth.common.arrays import require_saved, saved_array
from synth.common.turns import Turns, in_turn
from synth.common.typing import Float32, Float64, Int16, Tensors, UInt8
from synth.engine.config import SamplingConfig
from synth.engine.interface import Engine
from synth.generation import saved_stream
from synth.generation.checkpoint import Checkpoint
from synth.generation.kernel_stream import KernelStream
from synth.generation.label_schedule import LabelSchedule, label_schedule, restored_schedule, schedule_array
from synth.generation.seeds import check_seed
from synth.generation.together import BLOCK, codes_together, pcm_together, teacher_force_together


class Stream:
    """Endless sound, drawn a block at a time: iterate for blocks of float32, or `read` any number of samples.

    Made by `Model.stream` and `Model.restore`. `seed` is the seed in use, also when it was drawn; `block` the number of
    samples that an iteration gives.

    Threads may share a stream: calls get their turns in the order in which they come. What a call to `read` gives is
    in one piece, and the pieces of all threads, in the order of their turns, are the stream's samples. Labels that are
    set while another thread reads take effect behind what it reads.

    Examples
    --------
    >>> import synth
    >>> stream = synth.load("digits").stream(block=160, seed=1)
    >>> next(stream).shape, stream.read(40).shape, stream.position
    ((160,), (40,), 200)
    """

    def __init__(
        self, loaded: Checkpoint, engine: Engine, state: Any, sampling: SamplingConfig, *, block: int = 1024
    ) -> None:
        self.checkpoint = loaded
        self.engine = engine
        self.seed: int = state.seed
        self.block = block
        self.turns = Turns()  # of the threads that use the stream
        self._state = state
        self._sampling = sampling
        self._schedule: LabelSchedule = []
        self._origin = 0  # sample of the engine that is the stream's first
        config = loaded.config
        self._opening = -(-config.sample_rate // (100 * config.hop)) * config.hop  # 10 ms, in whole network frames

    @in_turn
    def begin(self, schedule: LabelSchedule, prompt: UInt8 | None) -> None:
        """Takes the codes `prompt` under the first labels of `schedule`, which counts from the prompt's end."""
        self._state.labels = schedule[0][1]
        if prompt is not None:
            self.teacher_force(prompt)
        self._origin = int(self._state.position)
        hop = self.checkpoint.config.hop
        self._schedule = [(-(-(self._origin + at) // hop) * hop, label_ids) for at, label_ids in schedule[1:]]

    @property
    @in_turn
    def position(self) -> int:
        """Samples drawn so far (a prompt isn't counted)."""
        return int(self._state.position) - self._origin

    @property
    @in_turn
    def labels(self) -> dict[str, str]:
        """The labels in force, and how to change them.

        Setting them takes effect with the next network frame (16 samples) and ends what was planned. A voice's
        postfilter looks ahead: there the next frame is 30 ms later for each of its passes.

        Raises
        ------
        UsageError
            When labels are set that the model does not know.
        """
        return self.checkpoint.config.labels.names(self._label_ids_now())

    @labels.setter
    def labels(self, labels: Mapping[str, str]) -> None:
        self._relabel(label_schedule(self.checkpoint.config, labels, None)[0][1])

    @in_turn
    def _relabel(self, label_ids: tuple[int, ...]) -> None:
        self._schedule = []
        self._state.labels = label_ids

    def __repr__(self) -> str:
        name, place = f"{type(self).__name__} of {self.checkpoint.name}", f"position {self.position}"
        return f"<{name}: seed {self.seed}, {place}, labels {self.labels}, block {self.block}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a stream is not pickled: its save() gives bytes, and the model's restore takes them")

    def __iter__(self) -> Iterator[Float32]:
        return self

    def __next__(self) -> Float32:
        return self.read(self.block)

    def read(self, count: int) -> Float32:
        """The next samples as floats.

        Parameters
        ----------
        count
            How many, 0 or more.

        Returns
        -------
        numpy.ndarray
            float32 (count,), 16-bit values / 32768.

        Raises
        ------
        UsageError
            For a count below 0.
        """
        return self.pcm(count).astype(np.float32) / np.float32(32768)

    def pcm(self, count: int) -> Int16:
        """The next samples as 16-bit integers.

        Parameters
        ----------
        count
            How many, 0 or more.

        Returns
        -------
        numpy.ndarray
            int16 (count,).

        Raises
        ------
        UsageError
            For a count below 0.
        """
        return pcm_together([self], count)[0]

    @in_turn
    def codes(self, count: int) -> UInt8:
        """The next samples as mu-law codes.

        Parameters
        ----------
        count
            How many, 0 or more.

        Returns
        -------
        numpy.ndarray
            uint8 (count,), 128 for silence.

        Raises
        ------
        UsageError
            For a count below 0.
        """
        return codes_together([self], count)[0]

    @in_turn
    def teacher_force(self, codes: UInt8) -> int:
        """Takes `codes`, uint8 (n,), as the next samples; their code length under the model, in 1/65536 bit."""
        return teacher_force_together([self], codes)[0]

    @in_turn
    def distribution(self) -> Float64:
        """Probabilities of the 256 codes of the next sample at temperature 1: float64 (256,). It stays there."""
        self._apply_due()
        return np.asarray(self.engine.distribution(self._state), np.float64) / 2.0**32

    @in_turn
    def fork(self, seed: int) -> Stream:
        """A second stream that goes on from here.

        Parameters
        ----------
        seed
            Of its draws, as if it had had that seed from the start. Only where nothing was drawn before, that is at the
            end of a prompt, is the sound what that seed alone gives.

        Returns
        -------
        Stream
            The other stream; this one stays as it is.

        Raises
        ------
        UsageError
            For a seed that is out of range.
        """
        other = self._fork(seed)
        other._schedule, other._origin = list(self._schedule), self._origin
        return other

    def _fork(self, seed: int) -> Stream:
        return Stream(self.checkpoint, self.engine, self._forked_state(seed), self._sampling, block=self.block)

    def _forked_state(self, seed: int) -> Any:
        saved = self._state.save()
        return self.engine.restore({**saved, "seed": np.array([check_seed(seed), saved["seed"][1]], np.uint32)})

    @in_turn
    def save(self) -> bytes:
        """The stream as bytes, to go on exactly here later, also in the middle of a frame.

        Returns
        -------
        bytes
            What the model's `restore` takes, with either engine.
        """
        return saved_stream.pack(self._save())

    def _save(self) -> Tensors:
        own = {
            "stream.checkpoint": np.frombuffer(bytes.fromhex(self.checkpoint.sha256), np.uint8),
            "stream.changes": schedule_array(self._schedule, self.checkpoint.config.labels),
            "stream.draw": saved_stream.sampling_array(self._sampling),
            "stream.numbers": np.array([self._origin, self.block], np.int64),
        }
        return {**own, **{f"state.{name}": value for name, value in self._state.save().items()}}

    @classmethod
    def restored(cls, loaded: Checkpoint, engine: Engine, saved: bytes) -> Stream:
        """The stream that `save` saved; CheckpointError when `saved` is damaged or of another checkpoint."""
        arrays = saved_stream.unpack(saved, loaded.sha256, loaded.name)
        with saved_stream.refusing():
            own = saved_stream.take_part(arrays, "stream.")
            stream = cls(
                loaded, engine, saved_stream.restored_state(engine, arrays), saved_stream.restored_sampling(own, "draw")
            )
            stream._load(own)
        return stream

    def _load(self, own: Tensors) -> None:
        """Takes what `_save` saved of the stream itself; EngineError or KeyError when it is damaged."""
        self._schedule = restored_schedule(own, "changes", self.checkpoint.config.labels)
        self._origin, self.block = (int(value) for value in saved_array(own, "numbers", "int64", (2,)))
        require_saved(0 <= self._origin and self.block >= 0)

    def _place(self) -> tuple[Any, ...]:
        """What streams must have in common to be drawn together."""
        return id(self.engine), self._sampling, int(self._state.position)

    def _kernel(self) -> KernelStream | None:
        """All of the stream in C++, where there is more of it than its network; None where Python leads it."""
        return None

    def _missing(self, count: int) -> int:
        """Samples that the network must draw so that the stream can give `count`."""
        return count

    def _finish(self, codes: UInt8, count: int) -> Int16:
        """The next `count` samples of the stream, after the network drew `codes`."""
        return mulaw.DECODE[codes]

    def _label_ids_now(self) -> tuple[int, ...]:
        """Puts label changes whose time has come into force; the label ids in force now."""
        while self._schedule and self._schedule[0][0] <= self._state.position:
            self._state.labels = self._schedule.pop(0)[1]
        return tuple(self._state.labels)

    def _apply_due(self) -> None:
        """Puts into force whatever begins with the next sample."""
        self._label_ids_now()

    def _known(self) -> int:
        """Samples for which labels and conditioning are known, changes of conditioning included."""
        return self._until_change()

    def _vectors(self, count: int) -> Int16 | None:
        """The conditioning from each change on behind the next sample and within `count`; None where there is none."""
        return None

    def _until_change(self) -> int:
        """Samples until the next change of labels or conditioning; at least 1, at most a block."""
        return self._schedule[0][0] - int(self._state.position) if self._schedule else BLOCK
