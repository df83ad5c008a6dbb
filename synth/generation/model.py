"""Sampling: a loaded checkpoint as a model that generates, streams and scores.

A stream (`stream`) is the primitive; `Model.generate` and `Model.score` are a few lines on top of it.
"""

from __future__ import annotations

import math
import operator
import os
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synth import engine
from synth.audio import mulaw, reader
from synth.checkpoint import registry
from synth.common.errors import AudioError, CheckpointError, UsageError
from synth.common.limits import MAX_WAV_SAMPLES
from synth.engine.config import Draw
from synth.generation import checkpoint
from synth.generation.conditioning import Changes, Guides
from synth.generation.seeds import check_seed, draw_seed
from synth.generation.stream import Stream
from synth.vocoder.vocoder import checked, mel_of

Labels = Mapping[str, str | Sequence[str]]
Prime = tuple[NDArray[Any], int]

SECONDS = 2.0
"""Length of what is generated when none is asked for."""
_BLOCK = 1 << 16


@dataclass(frozen=True)
class Score:
    """What a model makes of a recording: its length in samples at the model's rate, and the mean code length of one."""

    samples: int
    bits_per_sample: float


def load(name_or_path: str | os.PathLike[str] = "digits", engine: str = "auto") -> Model:
    """The model of a checkpoint: a name that `synth info` lists, or the path of a `.safetensors` file.

    `engine` is "auto" (the native one where it was built), "native" or "reference"; all give the same samples. Raises
    CheckpointError for a file that is missing, damaged or not ours, EngineError for an engine that isn't here.
    """
    return Model(checkpoint.load(os.fspath(name_or_path)), engine)


def load_voice(name_or_path: str, engine: str = "auto", *, taker: str) -> Model:
    """The model of a voice; CheckpointError for what is none. `taker`: what takes one, for the error."""
    loaded = checkpoint.load(name_or_path)
    if loaded.voice is None:  # told by what was typed, before anything is told of what else it may be
        raise CheckpointError(
            f"{name_or_path}: is no voice; {taker} takes one, as {registry.instead(name_or_path, 'voice')}"
        )
    return Model(loaded, engine)


def sample_count(seconds: float | None, samples: int | None, rate: int) -> int:
    """Samples at `rate` of the one that is given (2 seconds when none is); UsageError when that is out of range."""
    if seconds is not None and samples is not None:
        raise UsageError("give seconds or samples, not both")
    if samples is None:
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
    count = operator.index(samples)
    if not 1 <= count <= MAX_WAV_SAMPLES:
        raise UsageError(f"samples {count}: must be 1 to {MAX_WAV_SAMPLES}, what a WAV file can hold")
    return count


class Model:
    """A loaded checkpoint with the engine that runs it; `load` makes one. Threads may share it, but not a `Stream`."""

    def __init__(self, loaded: checkpoint.Checkpoint, engine_name: str = "auto") -> None:
        if loaded.config.hints:
            raise CheckpointError(f"{loaded.name}: is a corrector, for synth compress alone; digits generates")
        self.checkpoint = loaded
        self.engine = engine.create(loaded.config, loaded.tensors, engine_name)
        voice = loaded.voice
        self.guides = Guides(loaded.config, loaded.tensors, voice, engine_name) if voice else None

    @property
    def sample_rate(self) -> int:
        """Samples a second of all that this model makes and hears."""
        return self.checkpoint.config.sample_rate

    @property
    def labels(self) -> dict[str, tuple[str, ...]]:
        """The label keys that this model knows, each with its values."""
        return dict(self.checkpoint.config.labels)

    def generate(
        self,
        seconds: float | None = None,
        samples: int | None = None,
        *,
        temperature: float = 1.0,
        top_k: int = 256,
        top_p: float = 1.0,
        seed: int | None = None,
        labels: Labels | None = None,
        prime: Prime | None = None,
        features: NDArray[np.floating[Any]] | None = None,
    ) -> NDArray[np.float32]:
        """Sound: float32 (samples,) at `sample_rate`, 16-bit values / 32768. 2 seconds when no length is given.

        `temperature` divides the logit of each of the tree's eight binary decisions: 1 is the model's own distribution,
        0 takes the likelier branch each time. `top_k` and `top_p` then cut the 256 probabilities that this tempered
        tree multiplies out to: the `top_k` greatest stay, and of these the fewest that have `top_p` of their sum.
        `seed` is drawn when it is None. `labels` gives each key a value, or a list of values that take equal parts of
        the output. `prime` is (wave, rate): sound of any rate, shape (frames,) or (frames, channels), that the output
        goes on from; it isn't part of the output. `features`, for a voice: log-mel features (frames, mels), 10 ms
        each, as `Model.features` gives them, that are spoken; the length is theirs. Raises UsageError for what is out
        of range, AudioError for a prime that isn't sound.
        """
        draw = Draw.of(temperature, top_k, top_p)
        if features is not None:
            if seconds is not None or samples is not None or prime is not None:
                raise UsageError("features: their length is the sound's, and no prime goes before them")
            return self._along(features, draw, seed, labels).read(len(features) * self._guides().vocoder.hop // 2)
        count = sample_count(seconds, samples, self.sample_rate)
        stream = self.start(draw, seed=seed, labels=labels, prime=self._codes(prime), samples=count)
        wave = np.empty(count, np.float32)
        for start in range(0, count, _BLOCK):
            wave[start : start + _BLOCK] = stream.read(min(_BLOCK, count - start))
        return wave

    def stream(
        self,
        block: int = 1024,
        *,
        temperature: float = 1.0,
        top_k: int = 256,
        top_p: float = 1.0,
        seed: int | None = None,
        labels: Mapping[str, str] | None = None,
        prime: Prime | None = None,
        features: NDArray[np.floating[Any]] | None = None,
    ) -> Stream:
        """Endless sound in blocks of `block` samples; the options are those of `generate`.

        With `features` it speaks them, the same samples as `generate` does, and then goes on quietly. The samples don't
        depend on `block`. A key takes one label here, since a stream has no end to divide by: set `stream.labels` when
        the next one is to begin.
        """
        if operator.index(block) < 1:
            raise UsageError(f"block {block}: must be 1 or more")
        draw = Draw.of(temperature, top_k, top_p)
        if features is None:
            stream = self.start(draw, seed=seed, labels=labels, prime=self._codes(prime))
        elif prime is not None:
            raise UsageError("features: no prime goes before them")
        else:
            stream = self._along(features, draw, seed, labels)
        stream.block = operator.index(block)
        return stream

    def restore(self, saved: bytes) -> Stream:
        """The stream that `Stream.save` saved, to go on where it was; CheckpointError when it isn't this model's."""
        return Stream.restored(self.checkpoint, self.engine, saved, self.guides)

    def score(self, wave: NDArray[Any], rate: int, labels: Labels | None = None) -> Score:
        """Bits per sample of a recording under the model, its first sample included, state fresh at its start.

        `wave`: (frames,) or (frames, channels) at `rate` samples a second, mixed down and resampled to the model's rate
        where it has to be. `labels` as in `generate`. Code lengths are added up in integers: the same on every machine.
        Raises AudioError when there is no sample or one isn't finite.
        """
        return self.score_samples(reader.from_array(wave, rate, self.sample_rate), labels)

    def score_samples(self, samples: NDArray[np.int16], labels: Labels | None = None) -> Score:
        """`score` of int16 samples (n,) that are at the model's rate already."""
        self.check_scores()
        if not len(samples):
            raise AudioError("has no samples to score")
        cost = self.start(Draw(), seed=0, labels=labels, samples=len(samples)).force(mulaw.encode(samples))
        return Score(len(samples), cost / 65536 / len(samples))

    def distribution(self, stream: Stream) -> NDArray[np.float64]:
        """Probabilities of the 256 mu-law codes of a stream's next sample at temperature 1: float64 (256,)."""
        return stream.distribution()

    def start(
        self,
        draw: Draw,
        *,
        seed: int | None = None,
        labels: Labels | None = None,
        prime: NDArray[np.uint8] | None = None,
        samples: int | None = None,
    ) -> Stream:
        """A stream of which `samples` will be asked (None: no end), after the codes `prime` under its first labels."""
        plan = self.plan(labels or {}, samples)
        state = self.engine.state(seed=draw_seed() if seed is None else check_seed(seed), stream=0)
        if self.guides is None:
            stream = Stream(self.checkpoint, self.engine, state, draw)
            stream.begin(plan, prime)
            return stream
        sound = None if prime is None or not len(prime) else mulaw.decode(prime)
        planned = self.guides.planned(draw, state.seed, plan, sound)
        stream = Stream(
            self.checkpoint, self.engine, state, self.guides.network_draw(draw), guide=planned, guides=self.guides
        )
        if sound is not None:
            stream.guide = self.guides.heard(sound)  # the prime itself is heard, not planned
        stream.begin(plan, prime)
        stream.guide = planned
        return stream

    def follow(
        self,
        vectors: NDArray[np.int64] | Iterator[NDArray[np.int64]],
        draw: Draw | None = None,
        *,
        seed: int = 0,
        labels: Labels | None = None,
    ) -> Stream:
        """A stream of a voice along 8-bit vectors (frames, latent), or pieces of them: what was heard or decoded."""
        guides = self._guides()
        state = self.engine.state(seed=check_seed(seed), stream=0)
        guide = guides.known(vectors) if isinstance(vectors, np.ndarray) else guides.told(vectors)
        draw = guides.network_draw(draw or Draw())
        stream = Stream(self.checkpoint, self.engine, state, draw, guide=guide, guides=guides)
        samples = len(vectors) * guides.vocoder.hop if isinstance(vectors, np.ndarray) else None
        stream.begin(self.plan(labels or {}, samples), None)
        return stream

    def features(self, wave: NDArray[Any], rate: int) -> NDArray[np.float32]:
        """Log-mel features of a recording as a voice's encoder hears them: float32 (frames, mels), 10 ms each.

        Natural logarithms of torchaudio's `MelSpectrogram(power=2)` plus 1e-6: windows of 25 ms, HTK scale, no norm.
        """
        samples = reader.from_array(wave, rate, self.sample_rate)
        vocoder = self._guides().vocoder
        return mel_of(samples, vocoder.config, self.sample_rate)

    def _guides(self) -> Guides:
        if self.guides is None:
            raise UsageError(f"{self.checkpoint.name}: is no voice, it can't follow features or tokens; speech can")
        return self.guides

    def _along(self, features: NDArray[Any], draw: Draw, seed: int | None, labels: Labels | None) -> Stream:
        """A stream that speaks log-mel features."""
        vocoder = self._guides().vocoder
        vectors = vocoder.exact(vocoder.encode(checked(np.asarray(features), vocoder.config.mels)))
        return self.follow(vectors, draw, seed=draw_seed() if seed is None else seed, labels=labels)

    def check_scores(self) -> None:
        """UsageError for a voice, whose code lengths are of what it was told to say, not of a recording."""
        if self.guides is not None:
            other = registry.instead(self.checkpoint.name, "generator")
            raise UsageError(
                f"{self.checkpoint.name}: is a voice, which is told what to say; a plain network scores: {other}"
            )

    def plan(self, labels: Labels, samples: int | None) -> Changes:
        """Which table rows are in force from which sample on, the first from 0; UsageError for labels it can't follow.

        Of K values for a key, value k begins at sample round(k * samples / K), and takes effect with the next frame.
        """
        lists: dict[str, list[str]] = {}
        for key, value in labels.items():
            values = [value] if isinstance(value, str) else list(value) if isinstance(value, Sequence) else []
            if not values or not all(isinstance(each, str) for each in values):
                raise UsageError(f"label {key}: must be a text or a list of texts, not {value!r}")
            lists[key] = values
        for key, values in lists.items():
            if len(values) > 1 and samples is None:
                raise UsageError(f"label {key}: a stream takes one value; set the stream's labels when the next begins")
            if samples is not None and len(values) > 1 and len(values) * self.checkpoint.config.hop > samples:
                raise UsageError(f"label {key}: {len(values)} values don't fit into {samples} samples")
            for value in values:
                self.checkpoint.config.labels.ids({key: value})
        length = samples or 0
        begins = {key: [_part(k, len(values), length) for k in range(len(values))] for key, values in lists.items()}
        plan = []
        for at in sorted({0, *(begin for key in begins for begin in begins[key])}):
            now = {key: lists[key][bisect_right(begins[key], at) - 1] for key in lists}
            plan.append((at, self.checkpoint.config.labels.ids(now)))
        return plan

    def _codes(self, prime: Prime | None) -> NDArray[np.uint8] | None:
        if prime is None:
            return None
        wave, rate = prime
        return mulaw.encode(reader.from_array(wave, rate, self.sample_rate))


def _part(index: int, parts: int, length: int) -> int:
    """Where part `index` of `parts` equal parts of `length` begins, rounded to the nearest, halves up."""
    return (2 * index * length + parts) // (2 * parts)
