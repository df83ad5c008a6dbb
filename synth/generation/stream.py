"""A stream of samples: the state of an engine, how samples are drawn, and when labels change.

What a stream gives depends on the checkpoint, the seed and the options alone. The random numbers of a sample are a
function of the seed and of the sample's index, counted from the first sample that the engine saw, so a prime of N
samples moves it by N. In the first 10 ms, counted likewise, only the likeliest codes that hold 90 % are drawn: a stream
out of silence begins quietly, and a single unlikely sample there would start a sound. Labels change at positions that
are known beforehand. Block sizes, threads and pauses change nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synth.audio import mulaw
from synth.common.arrays import require_saved, saved_array
from synth.common.errors import CheckpointError, EngineError, UsageError
from synth.engine.config import Draw
from synth.generation.checkpoint import Checkpoint
from synth.generation.conditioning import Changes, Guide, Guides
from synth.generation.planner import changes_of
from synth.generation.seeds import check_seed
from synth.vocoder.postfilter import Postfilter

OPENING_TOP_P = int(0.9 * 2**32)
_BLOCK = 1 << 16
_HEARD = 0.15  # seconds of a prime's end that a postfilter hears: all that four passes look back


class Stream:
    """Endless sound, drawn a block at a time: iterate for blocks of float32, or `read` any number of samples.

    Made by `Model.stream` and `Model.restore`. `seed` is the seed in use, also when it was drawn.
    """

    def __init__(
        self,
        loaded: Checkpoint,
        engine: Any,
        state: Any,
        draw: Draw,
        block: int = 1024,
        guide: Guide | None = None,
        guides: Guides | None = None,
    ) -> None:
        self.checkpoint = loaded
        self.engine = engine
        self.seed: int = state.seed
        self.block = block
        self._state = state
        self._draw = draw
        self._changes: Changes = []
        self._origin = 0
        self.guide = guide
        self._guides = guides
        self._postfilter: Postfilter | None = None
        self._tail = np.zeros(0, np.uint8)  # of what was forced
        self._ready = np.zeros(0, np.int16)  # out of the postfilter, not yet asked for
        self._skipped = 0  # samples of a prime that are to come out of it
        self._given = 0  # samples that left the stream
        config = loaded.config
        self._heard = int(_HEARD * config.sample_rate)
        self._opening = -(-config.sample_rate // (100 * config.hop)) * config.hop  # 10 ms, in whole frames

    def begin(self, plan: Changes, prime: NDArray[np.uint8] | None) -> None:
        """Takes the codes `prime` under the first labels of `plan`, whose positions count from the prime's end."""
        self._state.labels = plan[0][1]
        if prime is not None:
            self.force(prime)
        self._origin = int(self._state.position)
        hop = self.checkpoint.config.hop
        self._changes = [(-(-(self._origin + at) // hop) * hop, rows) for at, rows in plan[1:]]

    def _prepare(self) -> None:
        """Begins the voice's postfilter, where it has one, behind what was forced so far."""
        if self._postfilter is not None or self._guides is None:
            return
        origin = int(self._state.position)
        self._postfilter = self._guides.postfilter(max(0, origin - self._heard))
        if self._postfilter is not None:
            assert self.guide is not None
            self.guide.levels()  # what was forced stays as it is
            self._origin, self._skipped = origin, origin - self._postfilter.start
            self._ready = self._postfilter.push(mulaw.DECODE[self._tail[len(self._tail) - self._skipped :]])

    @property
    def position(self) -> int:
        """Samples drawn so far (a prime isn't counted)."""
        return int(self._state.position) - self._origin if self._postfilter is None else self._given

    @property
    def labels(self) -> dict[str, str]:
        """The labels in force. Setting them takes effect with the next frame (16 samples) and ends what was planned.

        A voice's postfilter looks ahead: there the next frame is 30 ms later for each of its passes.
        """
        return self.checkpoint.config.labels.names(self._relabelled())

    @labels.setter
    def labels(self, labels: Mapping[str, str]) -> None:
        rows = self.checkpoint.config.labels.ids(dict(labels))
        self._changes = []
        self._state.labels = rows
        if self.guide is not None:
            self.guide.relabel(rows)

    def __iter__(self) -> Iterator[NDArray[np.float32]]:
        return self

    def __next__(self) -> NDArray[np.float32]:
        return self.read(self.block)

    def read(self, count: int) -> NDArray[np.float32]:
        """The next `count` samples: float32 (count,), 16-bit values / 32768."""
        return self.pcm(count).astype(np.float32) / np.float32(32768)

    def pcm(self, count: int) -> NDArray[np.int16]:
        """The next `count` samples: int16 (count,)."""
        return pcm_together([self], count)[0]

    def codes(self, count: int) -> NDArray[np.uint8]:
        """The next `count` samples as mu-law codes: uint8 (count,)."""
        filtered = self._guides is not None and self._guides.filters
        return mulaw.encode(self.pcm(count)) if filtered else codes_together([self], count)[0]

    def _missing(self, count: int) -> int:
        """Samples that the network must draw so that a postfilter can give `count`."""
        self._prepare()
        if self._postfilter is None:
            return count
        wanted = self._postfilter.needed(self._origin + self._given + count)
        return max(0, wanted - int(self._state.position))

    def _through(self, codes: NDArray[np.uint8], count: int) -> NDArray[np.int16]:
        """The next `count` samples, after `codes` were drawn."""
        if self._postfilter is None:
            return mulaw.DECODE[codes]
        assert self.guide is not None
        for first, levels in self.guide.levels():
            self._postfilter.tell(levels, first)
        self._ready = np.concatenate([self._ready, self._postfilter.push(mulaw.DECODE[codes])])
        if self._skipped:
            skip = min(self._skipped, len(self._ready))
            self._ready, self._skipped = self._ready[skip:], self._skipped - skip
        found, self._ready = self._ready[:count], self._ready[count:]
        self._given += count
        return found

    def force(self, codes: NDArray[np.uint8]) -> int:
        """Takes `codes` (uint8) as the next samples; what they cost under the model, in 1/65536 bit."""
        if self._postfilter is not None:
            raise EngineError("this voice's stream has begun, it takes no samples any more")
        if self._guides is not None:
            self._tail = np.concatenate([self._tail, codes])[-2 * self._heard :]
        if self.guide is None:
            return force_together([self], codes)[0]
        self.guide.tell(levels=False)
        try:
            return force_together([self], codes)[0]
        finally:
            self.guide.tell(levels=True)

    def _place(self) -> tuple[Any, ...]:
        """What streams must have in common to be drawn together."""
        return id(self.engine), self._draw, int(self._state.position)

    def distribution(self) -> NDArray[np.float64]:
        """Probabilities of the 256 codes of the next sample at temperature 1: float64 (256,)."""
        peek = self if self.guide is None else self.fork(self.seed)  # what it plans stays out of this stream
        peek._due()
        return np.asarray(self.engine.distribution(peek._state), np.float64) / 2.0**32

    def fork(self, seed: int) -> Stream:
        """A stream that goes on from here with the draws of another seed, as if it had had that seed from the start.

        Only where nothing was drawn before, that is at the end of a prime, is it what that seed alone gives.
        """
        saved = self._state.save()
        state = self.engine.restore({**saved, "seed": np.array([check_seed(seed), saved["seed"][1]], np.uint32)})
        guide = self.guide.fork(seed) if self.guide is not None else None
        other = Stream(self.checkpoint, self.engine, state, self._draw, self.block, guide, self._guides)
        other._changes, other._origin = list(self._changes), self._origin
        other._postfilter = None if self._postfilter is None else self._postfilter.copy()
        other._tail = self._tail
        other._ready, other._skipped, other._given = self._ready, self._skipped, self._given
        return other

    def save(self) -> bytes:
        """Everything that `Model.restore` needs to go on exactly here, also in the middle of a frame."""
        from safetensors.numpy import save

        keys = len(self.checkpoint.config.labels)
        changes = np.array([[at, *rows] for at, rows in self._changes], np.int64).reshape(-1, 1 + keys)
        draw = [self._draw.inverse_temperature, self._draw.top_k, self._draw.top_p]
        own = {
            "stream.checkpoint": np.frombuffer(bytes.fromhex(self.checkpoint.sha256), np.uint8),
            "stream.changes": changes,
            "stream.draw": np.array(draw, np.int64),
            "stream.numbers": np.array([self._origin, self.block], np.int64),
        }
        self._prepare()
        if self._postfilter is not None:
            own["stream.ready"] = self._ready
            own["stream.given"] = np.array([self._skipped, self._given], np.int64)
            own |= {f"postfilter.{name}": value for name, value in self._postfilter.save().items()}
        arrays = {**own, **{f"state.{name}": value for name, value in self._state.save().items()}}
        if self.guide is not None:
            arrays |= {f"guide.{name}": value for name, value in self.guide.save().items()}
        data = save({name: np.ascontiguousarray(value) for name, value in arrays.items()})
        return hashlib.sha256(data).digest() + data

    @classmethod
    def restored(cls, loaded: Checkpoint, engine: Any, saved: bytes, guides: Guides | None = None) -> Stream:
        """The stream that `save` saved; CheckpointError when `saved` is damaged or of another checkpoint."""
        from safetensors import SafetensorError
        from safetensors.numpy import load

        digest, data = bytes(saved[:32]), bytes(saved[32:])
        if hashlib.sha256(data).digest() != digest:
            raise CheckpointError("saved stream: is damaged or not one of ours")
        try:
            arrays = load(data)
            own = {name: arrays.pop(f"stream.{name}") for name in ("checkpoint", "changes", "draw", "numbers")}
            if own["checkpoint"].tobytes().hex() != loaded.sha256:
                raise CheckpointError(f"saved stream: is of another checkpoint than {loaded.name}")
            filtering = {name: arrays.pop(name) for name in list(arrays) if name.startswith("postfilter.")}
            steering = {name: arrays.pop(name) for name in list(arrays) if name.startswith("guide.")}
            later = {name: arrays.pop(f"stream.{name}") for name in ("ready", "given") if f"stream.{name}" in arrays}
            state = engine.restore({name.removeprefix("state."): value for name, value in arrays.items()})
            draw, guide = Draw(*(int(value) for value in saved_array(own, "draw", "int64", (3,)))), None
            require_saved(
                0 <= draw.inverse_temperature <= 1 << 24 and 1 <= draw.top_k <= 256 and 1 <= draw.top_p <= 1 << 32
            )
            if guides is not None:
                guide = guides.restored({name.removeprefix("guide."): v for name, v in steering.items()})
            stream = cls(loaded, engine, state, draw, guide=guide, guides=guides)
            stream._changes = changes_of(own, "changes", loaded.config)
            stream._origin, stream.block = (int(value) for value in saved_array(own, "numbers", "int64", (2,)))
            require_saved(0 <= stream._origin and stream.block >= 0)
            if guide is not None:
                guide.check(int(state.position))
            if guides is not None and guides.filters:
                saved_filter = {name.removeprefix("postfilter."): v for name, v in filtering.items()}
                stream._postfilter = guides.restored_postfilter(saved_filter)
                stream._ready = saved_array(later, "ready", "int16", (None,))
                stream._skipped, stream._given = (int(value) for value in saved_array(later, "given", "int64", (2,)))
                given = stream._origin + stream._given
                require_saved(min(stream._skipped, stream._given, stream._origin) >= 0)
                require_saved(
                    stream._postfilter.places == (state.position, given + len(stream._ready) - stream._skipped)
                )
            return stream
        except (SafetensorError, EngineError, KeyError, TypeError, ValueError) as error:
            raise CheckpointError(f"saved stream: is not one of ours ({error})") from None

    def _relabelled(self) -> tuple[int, ...]:
        """Puts label changes whose time has come into force; the rows in force now."""
        while self._changes and self._changes[0][0] <= self._state.position:
            self._state.labels = self._changes.pop(0)[1]
        return tuple(self._state.labels)

    def _due(self) -> None:
        """Puts label changes and vectors whose time has come into force."""
        self._relabelled()
        position = self._state.position
        if self.guide is not None and position % self.guide.part == 0:
            self._state.given = self.guide.given(position)

    def _room(self) -> int:
        """Samples until the next label change or vector."""
        position = self._state.position
        room = self._changes[0][0] - position if self._changes else _BLOCK
        return room if self.guide is None else min(room, self.guide.part - position % self.guide.part)


def pcm_together(streams: Sequence[Stream], count: int) -> NDArray[np.int16]:
    """The next `count` samples of each stream of one model (int16 [streams, count]), drawn as by `codes_together`."""
    if count < 0:
        raise UsageError(f"samples {count}: must be 0 or more")
    missing = [stream._missing(count) for stream in streams]
    if len(set(missing)) == 1:
        codes = list(codes_together(streams, missing[0]))
    else:
        codes = [codes_together([stream], more)[0] for stream, more in zip(streams, missing, strict=True)]
    return np.stack([stream._through(own, count) for stream, own in zip(streams, codes, strict=True)])


def codes_together(streams: Sequence[Stream], count: int) -> NDArray[np.uint8]:
    """The next `count` codes that each stream's network draws (uint8 [streams, count]), on one thread.

    A postfilter is not in them. Each gives what it gives alone. Streams of one model and one way to draw that stand at
    the same sample share the engine's work (every load of a weight serves several), others follow one after the other.
    """
    lead = streams[0]
    codes = np.empty((len(streams), max(0, count)), np.uint8)
    if any(other._place() != lead._place() for other in streams):
        for row, stream in zip(codes, streams, strict=True):
            row[:] = stream.codes(count)
        return codes
    states = [stream._state for stream in streams]
    careful = replace(lead._draw, top_p=min(lead._draw.top_p, OPENING_TOP_P))
    for start, stop in _spans(streams, count):
        middle = min(stop, max(start, start + lead._opening - lead._state.position))
        for first, last, draw in ((start, middle, careful), (middle, stop, lead._draw)):
            if last > first:
                codes[:, first:last] = lead.engine.generate_together(states, last - first, draw)
    return codes


def force_together(streams: Sequence[Stream], codes: NDArray[np.uint8]) -> list[int]:
    """Takes `codes` (uint8) as the next samples of every stream of one model; what they cost each, in 1/65536 bit."""
    totals = np.zeros(len(streams), np.uint64)
    states = [stream._state for stream in streams]
    for start, stop in _spans(streams, len(codes)):
        rows = np.broadcast_to(codes[start:stop], (len(streams), stop - start))
        totals += streams[0].engine.force_together(states, rows).sum(1, dtype=np.uint64)
    return [int(total) for total in totals]


def _spans(streams: Sequence[Stream], count: int) -> Iterator[tuple[int, int]]:
    """Cuts the next `count` samples where labels change and where the kernel's blocks end: (start, stop) pairs."""
    if count < 0:
        raise UsageError(f"samples {count}: must be 0 or more")
    start = 0
    while start < count:
        room = _BLOCK
        for stream in streams:
            stream._due()
            room = min(room, stream._room())
        stop = min(count, start + room)
        yield start, stop
        start = stop
