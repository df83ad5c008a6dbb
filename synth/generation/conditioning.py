"""What conditions the network of a voice's stream, a few token frames ahead of the sound.

A conditioner turns latents of token frames into the vectors that the network's frame tier and its linear predictor
take. It holds the few frames that the convolutions look at, so a stream may be endless; its output depends neither on
block sizes nor on pauses.
"""

from __future__ import annotations

import numpy as np

from synth.common.arrays import require_saved
from synth.common.typing import Int16, Int64, Tensors
from synth.generation.latent_sources import LatentSource
from synth.generation.planner import PlannedLatents
from synth.vocoder.envelope import Envelope
from synth.vocoder.vocoder import Vocoder


class Conditioner:
    """Conditioning vectors of one stream, in order. `envelope`: of the voice's postfilter, where it has one."""

    def __init__(self, vocoder: Vocoder, source: LatentSource, envelope: Envelope | None = None) -> None:
        self.vocoder, self.source, self.envelope = vocoder, source, envelope
        self.lookahead = vocoder.config.lookahead
        self._targets: list[tuple[int, Int64]] = []  # of the envelope, not yet asked for: first token frame, mel levels
        self._wants_targets = True
        self._latents = np.zeros((0, vocoder.config.latent), np.int64)  # that are held
        self._first = 0  # token frame of the first of them
        self._ended = False
        # what is ready: from which token frame on, [frames, vectors a frame, units]
        self._frame, self._ready = 0, np.zeros((0, 0, 0), np.int16)

    @property
    def hop(self) -> int:
        """Samples that one conditioning vector lasts."""
        return self.vocoder.conditioning_hop

    def vector_at(self, position: int) -> Int16:
        """The conditioning from sample `position` on, a multiple of `hop`: int16 (conditioning units,)."""
        frame = position // self.vocoder.hop
        if not self._frame <= frame < self._frame + len(self._ready):
            self._fill(frame, self.source.ahead)
            self._frame, self._ready = frame, self._condition(frame)
        return self._ready[frame - self._frame, position % self.vocoder.hop // self.hop]

    @property
    def known_until(self) -> int:
        """The sample behind the last whose conditioning is ready."""
        return (self._frame + len(self._ready)) * self.vocoder.hop

    def vectors_within(self, position: int, count: int) -> Int16:
        """Those vectors that begin behind sample `position` and before the one `count` later: int16 (vectors, units).

        All must be ready, see `known_until`.
        """
        first = position // self.hop + 1 - self._frame * self.vocoder.config.parts
        last = (position + count - 1) // self.hop + 1 - self._frame * self.vocoder.config.parts
        return self._ready.reshape(-1, self._ready.shape[2])[first : max(first, last)]

    def prepare(self, position: int) -> None:
        """Makes ready what the sound needs from a sample within a stretch on: nothing here."""

    def _fill(self, frame: int, count: int) -> None:
        """Holds what there is from `lookahead` frames before `frame` to as many after the `count` from it on."""
        self._drop(frame)
        while not self._ended and self._first + len(self._latents) < frame + count + self.lookahead:
            latents = self.source.next(self._first + len(self._latents))
            if latents is None:
                self._ended = True
            else:
                self._latents = np.concatenate([self._latents, latents[None]])
                self._drop(frame)

    def _drop(self, frame: int) -> None:
        drop = min(len(self._latents), max(0, frame - self.lookahead - self._first))
        self._latents, self._first = self._latents[drop:], self._first + drop

    def _condition(self, frame: int) -> Int16:
        place, parts = frame - self._first, self.vocoder.config.parts
        if place >= len(self._latents):  # past the end: as if nothing were known
            return np.zeros((1, parts, self.vocoder.conditioning_units), np.int16)
        last = len(self._latents) if self._ended else len(self._latents) - self.lookahead
        last = min(last, place + self.source.ahead)
        vectors = self.vocoder.condition(self._latents, place, last)
        if self.envelope is not None and self._wants_targets:
            self._targets.append((frame, self.envelope.target_mel(self._latents, place, last)))
        return vectors.reshape(-1, parts, self.vocoder.conditioning_units)

    def want_targets(self, wanted: bool) -> None:
        """Whether the envelope is to be computed from here on; not for what is teacher-forced, which may be long."""
        self._wants_targets = wanted
        self._ready = self._ready[:0]  # what is conditioned already is computed again

    def new_targets(self) -> list[tuple[int, Int64]]:
        """The envelope of the frames since the last call: first 10 ms frame, target mel (frames, mels)."""
        targets, self._targets = [(2 * frame, target) for frame, target in self._targets], []
        return targets

    def save(self) -> Tensors:
        """Everything that `VoiceRuntime.restore` needs to go on."""
        numbers = np.array([self._first, int(self._ended)], np.int64)
        own: Tensors = {"held": self._latents.astype(np.int8), "numbers": numbers}
        return own | {f"source.{name}": value for name, value in self.source.save().items()}

    @property
    def held(self) -> tuple[Int64, int, bool]:
        """The latents (frames, latent) that are held, the token frame of the first, and whether no more will come."""
        return self._latents, self._first, self._ended

    def load(self, latents: Int64, first: int, ended: bool) -> None:
        """Goes on with these held latents (frames, latent), of token frame `first` on; `ended`: no more will come."""
        self._latents, self._first, self._ended = latents, first, ended
        self._ready, self._targets = self._ready[:0], []

    def check(self, position: int) -> None:
        """EngineError where what is held is not what a stream that has come to this sample needs."""
        frame = position // self.vocoder.hop
        require_saved(self._first <= max(0, frame - self.lookahead))
        if isinstance(self.source, PlannedLatents):  # it draws what is missing: of a prompt's frames all but the last
            held_until = self._first + len(self._latents)
            require_saved(self._ended or frame <= max(held_until, len(self.source.prompt) + 1))

    def relabel(self, label_ids: tuple[int, ...]) -> None:
        """Other labels, from the next frame that is planned."""
        self.source.relabel(label_ids)

    def fork(self, seed: int) -> Conditioner:
        """A conditioner that goes on from here with another seed's draws."""
        other = Conditioner(self.vocoder, self.source.fork(seed), self.envelope)
        other.load(self._latents, self._first, self._ended)
        return other
