"""What the golden test does with a network, in Python, for either engine; golden.cpp does the same.

Everything that comes out, and the state after each step, goes into a SHA-256: integers and doubles as little-endian
bytes, each array after its name. The hash of a scenario is the first 32 hexadecimal digits.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from golden import coded
from numpy.typing import NDArray

from synth.codec import lossless
from synth.codec.lossless import segment
from synth.engine.config import ModelConfig, SamplingConfig

PLAIN, GREEDY, ALL = SamplingConfig(), SamplingConfig(0), 1 << 32


class Session:
    """One stream of a network, and the hash of what it did."""

    def __init__(self, engine: Any) -> None:
        self.engine, self.hash = engine, hashlib.sha256()
        self.state = engine.state(2**32 - 2, 3)
        self.labels(0)

    def add(self, name: str, values: NDArray[Any]) -> None:
        """Hash an array under its name."""
        self.hash.update(name.encode())
        self.hash.update(np.ascontiguousarray(values, values.dtype.newbyteorder("<")).tobytes())

    def labels(self, turn: int) -> None:
        """Set each label to a value that depends on `turn`, 0 (none) is among them, and the conditioning vector."""
        known = [len(values) for values in self.engine.config.labels.values()]
        self.state.labels = tuple((turn + key) % (count + 1) for key, count in enumerate(known))
        place = np.arange(len(self.state.conditioning))
        mixed = (turn * 7919 + place * 1543) % 65536 - 32768
        self.state.conditioning = (mixed >> place % 8).astype(np.int16)  # of all sizes

    def keep(self) -> None:
        """Hash the state."""
        for name, values in self.state.save().items():
            self.add(name, values)

    def generate(self, count: int, draw: SamplingConfig) -> None:
        """Draw `count` samples."""
        self.add("generated", self.engine.generate(self.state, count, draw))
        self.keep()

    def teacher_force(self, codes: NDArray[np.uint8]) -> None:
        """Follow given codes."""
        self.add("costs", self.engine.teacher_force(self.state, codes))
        self.keep()

    def look(self) -> None:
        """Hash the next sample's distribution; the state stays."""
        self.add("distribution", self.engine.distribution(self.state))
        self.keep()

    def restore(self, ahead: int = 0) -> None:
        """Save, restore into a new state `ahead` samples further on in the stream's numbering."""
        saved = dict(self.state.save())
        saved["position"] = saved["position"] + np.uint64(ahead)
        self.state = self.engine.restore(saved)
        self.keep()


def signal(kind: int, count: int) -> NDArray[np.uint8]:
    """Codes: 0 noise of all codes, 1 a square wave at full scale, 2 silence."""
    codes = np.full(count, 128, np.uint8)
    noise = 1
    for i in range(count):
        noise = (noise * 1103515245 + 12345) % 2**31
        if kind == 0:
            codes[i] = noise >> 16 & 255
        elif kind == 1:
            codes[i] = 255 if i // 9 % 2 else 0
    return codes


def _drawn(session: Session) -> None:
    for count in (1, 15, 17, 60):  # ends within frames and at their ends
        session.generate(count, PLAIN)


def _tempered(session: Session) -> None:
    for inverse in (5461, 1638, 1, 1 << 24):
        session.generate(20, SamplingConfig(inverse))


def _greedy(session: Session) -> None:
    session.generate(7, GREEDY)
    session.generate(40, GREEDY)


def _top(session: Session) -> None:
    for inverse, top_k, top_p in ((4096, 20, 3 << 30), (5461, 256, 1 << 31), (4096, 3, ALL), (1638, 200, ALL - 1)):
        session.generate(15, SamplingConfig(inverse, top_k, top_p))


def _rested(session: Session) -> None:
    for inverse, top_k, top_p in (
        (0, 256, ALL),
        (16384, 256, ALL),
        (0, 5, 1 << 31),
        (4096, 1, ALL),
        (5461, 3, 1 << 30),
    ):
        session.teacher_force(signal(2, 16))
        session.generate(20, SamplingConfig(inverse, top_k, top_p, eases_at_rest=True))


def _labelled(session: Session) -> None:
    for turn in range(1, 8):
        session.labels(turn)
        session.generate(7, PLAIN)


def _forced(session: Session) -> None:
    for kind, count in ((0, 61), (1, 50), (2, 39), (0, 20)):
        session.teacher_force(signal(kind, count))
    session.generate(20, PLAIN)


def _looked(session: Session) -> None:
    session.look()
    for count in (3, 13, 1, 14):
        session.generate(count, PLAIN)
        session.look()


def _restored(session: Session) -> None:
    for turn in range(18):  # at every place of a frame; labels set just before a restore stay
        session.labels(turn)
        session.restore()
        session.generate(1, PLAIN)
    session.restore()
    session.teacher_force(signal(0, 20))
    session.restore()
    session.generate(20, PLAIN)


def _far(session: Session) -> None:
    session.generate(21, PLAIN)
    session.restore((1 << 32) - 32)
    session.generate(30, PLAIN)  # past the 32nd bit of the position
    session.restore(1 << 47)
    session.generate(20, PLAIN)


def _predicted(session: Session) -> None:
    config = session.engine.config
    if config.stride and not config.period:
        return  # what is predicted depends on what is given
    for kind in range(3):
        codes = signal(kind, 200)
        for values in session.engine.predict_codes(codes[None]):
            session.add("predicted", values[0])


def _heard(session: Session) -> None:
    samples = coded.samples("mono")[:18]
    encode = lossless.encode_segment if session.engine.name == "native" else segment.encode_segment
    for level in ("balanced", "max"):
        session.add("heard", np.frombuffer(encode(samples, 16, level, session.engine), np.uint8))


def _corrected(session: Session) -> None:
    encode = lossless.encode_segment if session.engine.name == "native" else segment.encode_segment
    for level, kind in (("balanced", "mono"), ("balanced", "three"), ("max", "stereo")):
        data = encode(coded.samples(kind), coded.CASES[kind][2], level, session.engine)
        session.add("corrected", np.frombuffer(data, np.uint8))


SCENARIOS: dict[str, Callable[[Session], None]] = {
    "drawn": _drawn,
    "tempered": _tempered,
    "greedy": _greedy,
    "top": _top,
    "rested": _rested,
    "labelled": _labelled,
    "forced": _forced,
    "looked": _looked,
    "restored": _restored,
    "far": _far,
    "predicted": _predicted,
    "heard": _heard,
}
OF_CORRECTORS: dict[str, Callable[[Session], None]] = {"corrected": _corrected}


def of(config: ModelConfig) -> dict[str, Callable[[Session], None]]:
    """The scenarios of a network's kind."""
    return OF_CORRECTORS if config.hints else SCENARIOS


def digest(engine: Any, what: str) -> str:
    """The hash of one scenario."""
    session = Session(engine)
    of(engine.config)[what](session)
    return session.hash.hexdigest()[:32]


def digests(engine: Any, only: Iterable[str] | None = None) -> dict[str, str]:
    """The hashes of all scenarios."""
    return {what: digest(engine, what) for what in only or of(engine.config)}
