"""What every loaded checkpoint that makes sound can do, whether a plain network or a voice."""

from __future__ import annotations

import math
import operator
import os
from abc import ABC, abstractmethod
from typing import Any, TypeVar

import numpy as np

from synth.audio import mulaw, reader
from synth.common.errors import CheckpointError, UsageError
from synth.common.limits import MAX_WAV_SAMPLES
from synth.common.typing import AnyArray, Float32, Float64, UInt8
from synth.engine import select
from synth.engine.config import SamplingConfig
from synth.generation.checkpoint import GENERATORS, Checkpoint, load
from synth.generation.label_schedule import LabelRequest, LabelSchedule, label_schedule
from synth.generation.seeds import check_seed, draw_seed
from synth.generation.stream import Stream

Prime = tuple[AnyArray, int]
"""Sound to go on from: a wave, (frames,) or (frames, channels), and its rate."""

SECONDS = 2.0
"""Length of what is generated when none is asked for."""
_BLOCK = 1 << 16
Kind = TypeVar("Kind", bound="AudioModel")


class AudioModel(ABC):
    """A loaded checkpoint with the engine that runs it. Threads may share it."""

    def __init__(self, loaded: Checkpoint, engine_name: str = "auto") -> None:
        if loaded.config.kind == "corrector":
            raise CheckpointError(f"{loaded.name}: is a corrector, for synth compress alone; {GENERATORS}")
        self.checkpoint = loaded
        self.engine = select.create(loaded.config, loaded.tensors, engine_name)
        self._engine_name = engine_name

    def __repr__(self) -> str:
        labels = ", ".join(self.labels) or "none"
        name = f"{type(self).__name__} {self.checkpoint.name}"
        return f"<{name}: {self.sample_rate} Hz, labels {labels}, engine {self.engine.name}>"

    def __reduce__(self) -> tuple[Any, ...]:
        """Models pickle by the path of their checkpoint, which is loaded again and must be the same file."""
        loaded = self.checkpoint
        return type(self).reopened, (os.path.abspath(loaded.path), loaded.sha256, self._engine_name)

    @classmethod
    def reopened(cls: type[Kind], path: str, sha256: str, engine: str) -> Kind:
        """The model that was pickled: of the checkpoint at `path`; CheckpointError where that is another one by now."""
        loaded = load(path)
        if loaded.sha256 != sha256:
            raise CheckpointError(f"{path}: is another checkpoint than the one of the model that was pickled")
        return cls(loaded, engine)

    @property
    def sample_rate(self) -> int:
        """Samples a second of all sound that this model makes and takes."""
        return self.checkpoint.config.sample_rate

    @property
    def labels(self) -> dict[str, tuple[str, ...]]:
        """The label keys that this model knows, each with its values."""
        return dict(self.checkpoint.config.labels)

    @abstractmethod
    def start(
        self,
        sampling: SamplingConfig,
        *,
        seed: int | None = None,
        labels: LabelRequest | None = None,
        prompt: UInt8 | None = None,
        samples: int | None = None,
    ) -> Stream:
        """A stream of which `samples` will be asked (None: no end), after the codes `prompt` under its first labels."""

    @abstractmethod
    def restore(self, saved: bytes) -> Stream:
        """The stream that `Stream.save` saved, to go on where it was; CheckpointError when it isn't this model's."""

    def distribution(self, stream: Stream) -> Float64:
        """What the network expects of a stream's next sample.

        Parameters
        ----------
        stream
            One of this model's streams; it stays where it is.

        Returns
        -------
        numpy.ndarray
            float64 (256,): the probability of each mu-law code at temperature 1.
        """
        return stream.distribution()

    def label_schedule(self, labels: LabelRequest, samples: int | None) -> LabelSchedule:
        """Which label ids are in force from which sample on (see `label_schedule`)."""
        return label_schedule(self.checkpoint.config, labels, samples)

    def _generate(
        self,
        count: int,
        sampling: SamplingConfig,
        *,
        seed: int | None,
        labels: LabelRequest | None,
        prime: Prime | None,
    ) -> Float32:
        """`count` samples, float32, block by block."""
        stream = self.start(sampling, seed=seed, labels=labels, prompt=self._codes(prime), samples=count)
        wave = np.empty(count, np.float32)
        for start in range(0, count, _BLOCK):
            wave[start : start + _BLOCK] = stream.read(min(_BLOCK, count - start))
        return wave

    def _new_state(self, seed: int | None) -> Any:
        """The engine's state of a new stream; the seed is drawn when it is None."""
        return self.engine.state(seed=draw_seed() if seed is None else check_seed(seed), stream=0)

    def _codes(self, prime: Prime | None) -> UInt8 | None:
        if prime is None:
            return None
        if not (isinstance(prime, tuple | list) and len(prime) == 2 and not np.isscalar(prime[0])):
            raise UsageError(
                f"prime of type {type(prime).__name__}: must be a pair (wave, rate), an array and its rate"
            )
        wave, rate = prime
        return mulaw.encode(reader.from_array(wave, rate, self.sample_rate))


def sample_count(seconds: float | None, samples: int | None, rate: int) -> int:
    """Samples at `rate` of the length that is set (2 seconds when none is); UsageError when that is out of range."""
    if seconds is not None and samples is not None:
        raise UsageError("give seconds or samples, not both")
    if samples is not None:
        count = operator.index(samples)
        if not 1 <= count <= MAX_WAV_SAMPLES:
            raise UsageError(f"samples {count}: must be 1 to {MAX_WAV_SAMPLES}, what a WAV file can hold")
        return count
    seconds = SECONDS if seconds is None else float(seconds)
    if not (math.isfinite(seconds) and seconds > 0):
        raise UsageError(f"duration {seconds:g}: must be above 0 and finite")
    if seconds * rate > MAX_WAV_SAMPLES:
        raise UsageError(
            f"duration {seconds:g}: at most {MAX_WAV_SAMPLES // rate} seconds at {rate} Hz fit into a WAV file"
        )
    count = round(seconds * rate)
    if not count:
        raise UsageError(f"duration {seconds:g}: is less than one sample at {rate} Hz")
    return count


def block_size(block: int) -> int:
    """`block` as an int; UsageError when it is below 1."""
    if operator.index(block) < 1:
        raise UsageError(f"block {block}: must be 1 or more")
    return operator.index(block)
