"""What steers a stream of a voice: vectors a token frame ahead of the sound, from tokens, a recording or a planner.

A guide is asked for one conditioning vector after the other. It holds the few frames that the conditioner looks at, so
a stream may be endless; what it gives depends neither on block sizes nor on pauses.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from synth import engine
from synth.common.arrays import require_saved, saved_array
from synth.common.errors import EngineError, UsageError
from synth.common.typing import Int64, Tensors
from synth.engine.config import Draw, ModelConfig
from synth.generation.planner import PLANNING, Changes, Planned
from synth.vocoder.config import LOOKAHEAD
from synth.vocoder.envelope import Envelope
from synth.vocoder.postfilter import Postfilter, Tables
from synth.vocoder.vocoder import Vocoder
from synth.vocoder.voice import Voice


class Source(Protocol):
    """Where vectors come from. `ahead`: frames that may be asked for at once, for speed."""

    ahead: int

    def next(self, frame: int) -> Int64 | None:
        """The 8-bit vector (latent,) of a frame, asked for in order; None from the sound's end on."""
        ...

    def relabel(self, rows: tuple[int, ...]) -> None: ...
    def fork(self, seed: int) -> Source: ...
    def save(self) -> dict[str, NDArray[Any]]: ...


class Guide:
    """Conditioning vectors of one stream, in order."""

    def __init__(self, vocoder: Vocoder, source: Source, envelope: Envelope | None = None) -> None:
        self.vocoder, self.source, self.envelope = vocoder, source, envelope
        self._levels: list[tuple[int, Int64]] = []  # of the envelope, not yet taken: first token frame, levels
        self._telling = True
        self._held = np.zeros((0, vocoder.config.latent), np.int64)
        self._first = 0  # frame of the first vector that is held
        self._ended = False
        self._frame, self._given = (
            0,
            np.zeros((0, 0, 0), np.int16),
        )  # what is ready: from which frame on, [frames, parts]

    @property
    def part(self) -> int:
        """Samples that one vector lasts."""
        return self.vocoder.part

    def given(self, position: int) -> NDArray[np.int16]:
        """What the frame tier is given from sample `position` on, a multiple of `part`: int16 (given units,)."""
        frame = position // self.vocoder.hop
        if not self._frame <= frame < self._frame + len(self._given):
            self._fill(frame, self.source.ahead)
            self._frame, self._given = frame, self._condition(frame)
        return self._given[frame - self._frame, position % self.vocoder.hop // self.part]

    def _fill(self, frame: int, count: int) -> None:
        """Holds what there is from LOOKAHEAD frames before `frame` to as many after the `count` from it on."""
        self._drop(frame)
        while not self._ended and self._first + len(self._held) < frame + count + LOOKAHEAD:
            vector = self.source.next(self._first + len(self._held))
            if vector is None:
                self._ended = True
            else:
                self._held = np.concatenate([self._held, vector[None]])
                self._drop(frame)

    def _drop(self, frame: int) -> None:
        drop = min(len(self._held), max(0, frame - LOOKAHEAD - self._first))
        self._held, self._first = self._held[drop:], self._first + drop

    def _condition(self, frame: int) -> NDArray[np.int16]:
        place, parts = frame - self._first, self.vocoder.config.parts
        if place >= len(self._held):  # past the end: as if nothing were known
            return np.zeros((1, parts, self.vocoder.given_units), np.int16)
        last = len(self._held) if self._ended else len(self._held) - LOOKAHEAD
        last = min(last, place + self.source.ahead)
        given = self.vocoder.condition(self._held, place, last)
        if self.envelope is not None and self._telling:
            self._levels.append((frame, self.envelope.levels(self._held, place, last)))
        return given.reshape(-1, parts, self.vocoder.given_units)

    def tell(self, levels: bool) -> None:
        """Whether the envelope's levels are wanted from here on; not of what is forced, which may be long."""
        self._telling = levels
        self._given = self._given[:0]  # what is conditioned already is told of again

    def levels(self) -> list[tuple[int, Int64]]:
        """What the envelope asks for in frames that were given since the last call: first 10 ms frame, levels."""
        found, self._levels = [(2 * frame, levels) for frame, levels in self._levels], []
        return found

    def save(self) -> dict[str, NDArray[Any]]:
        """Everything that `Guides.restored` needs to go on."""
        numbers = np.array([self._first, int(self._ended)], np.int64)
        own: dict[str, NDArray[Any]] = {"held": self._held.astype(np.int8), "numbers": numbers}
        return own | {f"source.{name}": value for name, value in self.source.save().items()}

    def check(self, position: int) -> None:
        """EngineError where what is held is not what a stream that has come to this sample needs."""
        frame = position // self.vocoder.hop
        require_saved(self._first <= max(0, frame - LOOKAHEAD))
        if isinstance(self.source, Planned):  # it draws what is missing: of a prime's frames all but the last are known
            require_saved(self._ended or frame <= max(self._first + len(self._held), len(self.source.prime) + 1))

    def relabel(self, rows: tuple[int, ...]) -> None:
        """Other label rows, from the next frame that is planned."""
        self.source.relabel(rows)

    def fork(self, seed: int) -> Guide:
        """A guide that goes on from here with another seed's draws."""
        other = Guide(self.vocoder, self.source.fork(seed), self.envelope)
        other._held, other._first, other._ended = self._held, self._first, self._ended
        return other


class Known:
    """Vectors that are there from the start: 8-bit (frames, latent)."""

    ahead = 16

    def __init__(self, vectors: Int64) -> None:
        self.vectors = vectors

    def next(self, frame: int) -> Int64 | None:
        """The vector of a frame."""
        return self.vectors[frame] if frame < len(self.vectors) else None

    def save(self) -> dict[str, NDArray[Any]]:
        """The vectors."""
        return {"vectors": self.vectors.astype(np.int8)}

    def relabel(self, rows: tuple[int, ...]) -> None:
        """Nothing: what is known does not depend on labels."""

    def fork(self, seed: int) -> Known:
        """Itself."""
        return self


class Told:
    """Vectors that come piece by piece, 8-bit (frames, latent) each; asked for in order, never held for long."""

    ahead = 16

    def __init__(self, pieces: Iterator[Int64]) -> None:
        self._pieces, self._first = pieces, 0
        self._piece: Int64 | None = None

    def next(self, frame: int) -> Int64 | None:
        """The vector of a frame."""
        while self._piece is None or frame - self._first >= len(self._piece):
            self._first += 0 if self._piece is None else len(self._piece)
            self._piece = next(self._pieces, None)
            if self._piece is None:
                return None
        return np.asarray(self._piece[frame - self._first], np.int64)

    def relabel(self, rows: tuple[int, ...]) -> None:
        """Nothing: what is told does not depend on labels."""

    def fork(self, seed: int) -> Told:
        """Not possible: what was told is gone."""
        raise EngineError("a stream along a file can't be forked")

    def save(self) -> dict[str, NDArray[Any]]:
        """Not possible: what is to come is not known."""
        raise EngineError("a stream along a file can't be saved")


class Guides:
    """Makes the guides of a voice's streams; its engines may be shared by threads."""

    def __init__(self, config: ModelConfig, tensors: Tensors, voice: Voice, prefer: str = "auto") -> None:
        # the conditioner's curve is the network's
        self.vocoder = Vocoder(voice.config, config, voice.tensors | {"table.tanh": tensors["table.tanh"]}, prefer)
        after, own = voice.postfilter, voice.postfilter_tensors
        self.envelope = Envelope(voice.config, own | {"table.tanh": tensors["table.tanh"]}, prefer) if after else None
        self._tables = Tables(voice.config, after, config.sample_rate, own, prefer) if after else None
        self.planner = engine.create(voice.planner, voice.planner_tensors, prefer) if voice.planner else None
        self.temperatures, self.guidance, self.means = voice.temperatures, voice.guidance, voice.means
        self._period = voice.planner.period if voice.planner else 0

    @property
    def period(self) -> int:
        """Tokens of a frame that the planner knows; 0 without a planner."""
        return self._period

    @property
    def filters(self) -> bool:
        """Whether a stream's sound goes through a postfilter."""
        return self._tables is not None

    def postfilter(self, start: int = 0) -> Postfilter | None:
        """A new postfilter of a stream, from sample `start` on; None where this voice has none."""
        return Postfilter(self._tables, start // self._tables.hop * self._tables.hop) if self._tables else None

    def restored_postfilter(self, saved: dict[str, NDArray[Any]]) -> Postfilter:
        """The postfilter that `Postfilter.save` saved; EngineError when it is damaged or of another voice."""
        if self._tables is None:
            raise EngineError("saved stream: is of a voice with a postfilter")
        return Postfilter.restored(self._tables, saved)

    def network_draw(self, draw: Draw) -> Draw:
        """How the network draws where a person asked for `draw`."""
        return cooled(draw, self.temperatures[1])

    def planned(self, draw: Draw, seed: int, changes: Changes, prime: NDArray[np.int16] | None) -> Guide:
        """A guide that plans on its own, from the end of a prime's sound on, where `changes` begin to count."""
        source = self._planned(draw, seed)
        vectors, tokens = np.zeros((0, self.vocoder.config.latent), np.int64), np.zeros((0, 0), np.uint8)
        origin = 0 if prime is None else len(prime)
        if prime is not None and origin:
            heard = self.vocoder.hear(prime)
            whole = max(0, origin // self.vocoder.hop - 1)  # what the last windows hear is not whole
            vectors = self.vocoder.exact(heard)[:whole]
            tokens = self.vocoder.tokens(heard[:whole], source.period)
        source.begin([(0, changes[0][1]), *((origin + at, rows) for at, rows in changes[1:])], vectors, tokens)
        return self._guide(source)

    def heard(self, samples: NDArray[np.int16]) -> Guide:
        """A guide along a recording at the model's rate."""
        return self.known(self.vocoder.exact(self.vocoder.hear(samples)))

    def told(self, pieces: Iterator[Int64]) -> Guide:
        """A guide along vectors that come piece by piece, each as `known` takes them."""
        return self._guide(Told(pieces))

    def known(self, vectors: Int64) -> Guide:
        """A guide along given vectors, 8-bit (frames, latent); UsageError for another shape, type or range."""
        latent = self.vocoder.config.latent
        if vectors.ndim != 2 or vectors.shape[1] != latent or vectors.dtype.kind != "i":
            raise UsageError(f"vectors are {vectors.dtype}{list(vectors.shape)}, must be integers [frames, {latent}]")
        if np.abs(vectors).max(initial=0) > 127:
            raise UsageError("vectors: must be -127 to 127")
        return self._guide(Known(vectors))

    def restored(self, saved: dict[str, NDArray[Any]]) -> Guide:
        """The guide that `Guide.save` saved; EngineError when it is damaged or of another voice."""
        latent, known = self.vocoder.config.latent, "source.vectors" if "source.vectors" in saved else "source.prime"
        held, vectors = (saved_array(saved, name, "int8", (None, latent)) for name in ("held", known))
        numbers = saved_array(saved, "numbers", "int64", (2,))
        require_saved(0 <= numbers[0] < 1 << 62 and 0 <= numbers[1] <= 1)
        guide = self._guide(self._source(saved, vectors.astype(np.int64)))
        guide._held, guide._first, guide._ended = held.astype(np.int64), int(numbers[0]), bool(numbers[1])
        return guide

    def _guide(self, source: Source) -> Guide:
        return Guide(self.vocoder, source, self.envelope)

    def _source(self, saved: dict[str, NDArray[Any]], vectors: Int64) -> Source:
        if "source.vectors" in saved:
            return Known(vectors)
        if self.planner is None:
            raise EngineError("saved guide: is of a voice with a planner")
        own = {name.removeprefix("source."): value for name, value in saved.items() if name.startswith("source.")}
        return Planned.restored(self.vocoder, self.planner, own, vectors, self.guidance)

    def _planned(self, draw: Draw, seed: int) -> Planned:
        if self.planner is None:
            raise UsageError("this voice has no planner: it speaks what it is given, by synth vocode or features=...")
        state = self.planner.state(seed=seed, stream=PLANNING)
        draw = cooled(draw, self.temperatures[0])
        return Planned(self.vocoder, self.planner, state, draw, self.guidance)


def cooled(draw: Draw, by: float) -> Draw:
    """`draw` with its temperature times `by`."""
    inverse = draw.inverse_temperature
    return replace(draw, inverse_temperature=inverse and max(1, min(1 << 24, round(inverse / by))))
