"""A loaded plain network as a model that generates, streams and scores.

A stream (`stream`) is the primitive; `Model.generate` and `Model.score` are a few lines on top of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from synth.audio import mulaw, reader
from synth.common.errors import AudioError
from synth.common.typing import AnyArray, Float32, Int16, UInt8
from synth.engine.config import SamplingConfig
from synth.generation.base import AudioModel, Prime, block_size, sample_count
from synth.generation.label_schedule import LabelRequest
from synth.generation.stream import Stream


@dataclass(frozen=True)
class Score:
    """What a recording costs under a model.

    Attributes
    ----------
    samples : int
        Length at the model's rate.
    bits_per_sample : float
        Mean code length of a sample, the first included.

    Examples
    --------
    >>> import synth
    >>> score = synth.Score(samples=8000, bits_per_sample=4.5)
    >>> round(score.samples * score.bits_per_sample / 8)  # bytes
    4500
    """

    samples: int
    bits_per_sample: float


class Model(AudioModel):
    """A plain network, which goes by the samples and labels alone; `load` makes one of a checkpoint that is no voice.

    Threads may share it, and its streams.

    Examples
    --------
    >>> import numpy as np, synth
    >>> model = synth.load("piano")
    >>> model.sample_rate, model.generate(samples=800, seed=1).dtype
    (16000, dtype('float32'))
    >>> model.score(np.zeros(800), rate=16000).samples
    800
    """

    def generate(
        self,
        seconds: float | None = None,
        samples: int | None = None,
        *,
        temperature: float = 1.0,
        top_k: int = 256,
        top_p: float = 1.0,
        seed: int | None = None,
        labels: LabelRequest | None = None,
        prime: Prime | None = None,
    ) -> Float32:
        """Sound of a given length.

        Parameters
        ----------
        seconds, samples
            Length, by one of the two; 2 seconds when neither is set.
        temperature
            Divides the logit of each of the eight binary decisions of a sample: 1 is the network's own distribution, 0
            takes the likelier branch each time.
        top_k, top_p
            Cut the 256 probabilities of a sample: the `top_k` greatest stay, and of these the fewest that have `top_p`
            of their sum. At rest (the last 16 samples are nearly equal) no knob is stricter than temperature 0.9,
            top-k 64, top-p 0.9995, or silence would never end.
        seed
            0 to 4294967295; drawn when it is None.
        labels
            For each key a value, or a list of values that take equal parts of the output.
        prime
            (wave, rate): sound, (frames,) or (frames, channels), that the output goes on from; it isn't part of it.

        Returns
        -------
        numpy.ndarray
            float32 (samples,) at `sample_rate`, 16-bit values / 32768.

        Raises
        ------
        UsageError
            For what is out of range.
        AudioError
            For a prime that isn't sound.

        Examples
        --------
        >>> import synth
        >>> synth.load("piano").generate(seconds=0.05, seed=7, temperature=0.9).shape
        (800,)
        """
        sampling = SamplingConfig.of(temperature, top_k, top_p)
        return self._generate(
            sample_count(seconds, samples, self.sample_rate), sampling, seed=seed, labels=labels, prime=prime
        )

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
    ) -> Stream:
        """Endless sound, a block at a time.

        Parameters
        ----------
        block
            Samples that an iteration gives, 1 or more; the sound does not depend on it.
        temperature
            As in `generate`.
        top_k, top_p
            As in `generate`.
        seed
            0 to 4294967295; drawn when it is None.
        labels
            For each key one value: a stream has no end to divide by. Set `Stream.labels` when the next is to begin.
        prime
            (wave, rate): sound that the stream goes on from, as in `generate`.

        Returns
        -------
        Stream
            Its first `n` samples are those of `generate(samples=n)`.

        Raises
        ------
        UsageError
            For what is out of range.
        AudioError
            For a prime that isn't sound.

        Examples
        --------
        >>> import synth
        >>> stream = synth.load("piano").stream(block=256, seed=3)
        >>> next(stream).shape, next(stream).shape
        ((256,), (256,))
        """
        sampling, block = SamplingConfig.of(temperature, top_k, top_p), block_size(block)
        stream = self.start(sampling, seed=seed, labels=labels, prompt=self._codes(prime))
        stream.block = block
        return stream

    def restore(self, saved: bytes) -> Stream:
        """A saved stream, to go on where it was.

        Parameters
        ----------
        saved
            What `Stream.save` gave, with either engine.

        Returns
        -------
        Stream
            It gives the samples that the saved one would have given next.

        Raises
        ------
        CheckpointError
            For damaged bytes, or a stream of another checkpoint.

        Examples
        --------
        >>> import synth
        >>> model = synth.load("piano")
        >>> stream = model.stream(seed=1)
        >>> saved = stream.save()
        >>> bool((stream.read(100) == model.restore(saved).read(100)).all())
        True
        """
        return Stream.restored(self.checkpoint, self.engine, saved)

    def score(self, wave: AnyArray, rate: int, labels: LabelRequest | None = None) -> Score:
        """Bits per sample of a recording under the model, its first sample included, state fresh at its start.

        Code lengths are added up in integers: the same on every machine.

        Parameters
        ----------
        wave
            (frames,) or (frames, channels), floats of full scale 1 or integers; mixed down and resampled where it has
            to be.
        rate
            Samples a second of `wave`.
        labels
            As in `generate`.

        Returns
        -------
        Score
            The length at the model's rate, and bits per sample.

        Raises
        ------
        AudioError
            When there is no sample or one isn't finite.
        UsageError
            For labels that the model does not know.

        Examples
        --------
        >>> import numpy as np, synth
        >>> synth.load("piano").score(np.zeros((441, 2)), rate=44100)  # doctest: +ELLIPSIS
        Score(samples=160, bits_per_sample=...)
        """
        return self.score_samples(reader.from_array(wave, rate, self.sample_rate), labels)

    def score_samples(self, samples: Int16, labels: LabelRequest | None = None) -> Score:
        """`score` of int16 samples (n,) that are at the model's rate already."""
        if not len(samples):
            raise AudioError("has no samples to score")
        stream = self.start(SamplingConfig(), seed=0, labels=labels, samples=len(samples))
        return Score(len(samples), stream.teacher_force(mulaw.encode(samples)) / 65536 / len(samples))

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
        schedule = self.label_schedule(labels or {}, samples)
        stream = Stream(self.checkpoint, self.engine, self._new_state(seed), sampling)
        stream.begin(schedule, prompt)
        return stream

    if not TYPE_CHECKING:  # the type promises none of these: whoever asks all the same is told why

        def __getattr__(self, name: str) -> Any:
            if name in ("features", "follow", "tokens"):
                text = "is no voice, it can't follow features or tokens; speech can"
                raise AttributeError(f"{self.checkpoint.name}: {text}")
            raise AttributeError(f"'Model' object has no attribute {name!r}")
