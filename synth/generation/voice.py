"""A loaded voice: a network with a vocoder, so that latents steer it, planned from labels or taken from sound."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from synth.audio import mulaw, reader
from synth.common.errors import CheckpointError, UsageError
from synth.common.typing import AnyArray, AnyFloats, Float32, Int64, UInt8
from synth.engine.config import SamplingConfig
from synth.generation.base import AudioModel, Prime, block_size, sample_count
from synth.generation.bed_conditioning import BedConditioner
from synth.generation.checkpoint import Checkpoint
from synth.generation.label_schedule import LabelRequest
from synth.generation.seeds import check_seed, draw_seed
from synth.generation.voice_runtime import VoiceRuntime
from synth.generation.voice_stream import VoiceStream
from synth.vocoder.tonal import checked_features


class Voice(AudioModel):
    """A voice: it generates what its planner plans for labels, and speaks what recordings, features or tokens say.

    `load` makes one of a checkpoint that is a voice. Threads may share it. It does not score: its
    code lengths are of what conditions it.

    Examples
    --------
    >>> import synth
    >>> voice = synth.load("digits")
    >>> sorted(voice.labels)
    ['digit', 'speaker']
    >>> wave = voice.generate(seconds=0.2, seed=1, labels={"digit": "3"})
    >>> mel = voice.features(wave, voice.sample_rate)  # 10 ms a row
    >>> voice.generate(features=mel, seed=2).shape
    (1600,)
    """

    def __init__(self, loaded: Checkpoint, engine_name: str = "auto") -> None:
        super().__init__(loaded, engine_name)
        if loaded.voice is None:
            raise CheckpointError(f"{loaded.name}: is no voice")
        self.runtime = VoiceRuntime(loaded.config, loaded.tensors, loaded.voice, engine_name)

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
        features: AnyFloats | None = None,
    ) -> Float32:
        """Sound of a given length that the planner plans, or sound of features.

        Parameters
        ----------
        seconds, samples
            Length, by one of the two; 2 seconds when neither is set.
        temperature, top_k, top_p
            How samples are drawn, as in `Model.generate`; the temperature is the planner's too.
        seed
            0 to 4294967295; drawn when it is None.
        labels
            For each key a value, or a list of values that take equal parts of the output.
        prime
            (wave, rate): sound, (frames,) or (frames, channels), that the output goes on from; it isn't part of it.
        features
            Log-mel features (frames, mels), 10 ms each, as of `Voice.features`, that are spoken; the length is theirs.

        Returns
        -------
        numpy.ndarray
            float32 (samples,) at `sample_rate`, 16-bit values / 32768.

        Raises
        ------
        UsageError
            For what is out of range, and for a voice without planner when there are no features.
        AudioError
            For a prime that isn't sound, or features that can't be used.

        Examples
        --------
        >>> import synth
        >>> synth.load("digits").generate(seconds=0.1, seed=7, labels={"digit": ["1", "2"]}).shape
        (800,)
        """
        sampling = SamplingConfig.of(temperature, top_k, top_p)
        if features is None:
            return self._generate(
                sample_count(seconds, samples, self.sample_rate), sampling, seed=seed, labels=labels, prime=prime
            )
        if seconds is not None or samples is not None or prime is not None:
            raise UsageError("features: their length is the sound's, and no prime goes before them")
        stream = self._along(features, sampling, seed, labels)
        return stream.read(len(features) * self.runtime.vocoder.hop // 2)

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
        features: AnyFloats | None = None,
    ) -> VoiceStream:
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
        features
            Log-mel features that are spoken, as in `generate`; after their end the stream goes on quietly.

        Returns
        -------
        Stream
            Its first `n` samples are those of `generate(samples=n)`.

        Raises
        ------
        UsageError
            For what is out of range, and for a voice without planner when there are no features.
        AudioError
            For a prime that isn't sound, or features that can't be used.

        Examples
        --------
        >>> import synth
        >>> stream = synth.load("digits").stream(block=160, seed=1, labels={"digit": "5"})
        >>> next(stream).shape, stream.labels
        ((160,), {'digit': '5'})
        """
        sampling, block = SamplingConfig.of(temperature, top_k, top_p), block_size(block)
        if features is None:
            stream = self.start(sampling, seed=seed, labels=labels, prompt=self._codes(prime))
        elif prime is not None:
            raise UsageError("features: no prime goes before them")
        else:
            stream = self._along(features, sampling, seed, labels)
        stream.block = block
        return stream

    def restore(self, saved: bytes) -> VoiceStream:
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
        >>> voice = synth.load("digits")
        >>> stream = voice.stream(seed=1)
        >>> saved = stream.save()
        >>> bool((stream.read(100) == voice.restore(saved).read(100)).all())
        True
        """
        return VoiceStream.restored_voice(self.checkpoint, self.engine, saved, self.runtime)

    def start(
        self,
        sampling: SamplingConfig,
        *,
        seed: int | None = None,
        labels: LabelRequest | None = None,
        prompt: UInt8 | None = None,
        samples: int | None = None,
    ) -> VoiceStream:
        """A stream of which `samples` will be asked (None: no end), after the codes `prompt` under its first labels."""
        schedule = self.label_schedule(labels or {}, samples)
        state, runtime = self._new_state(seed), self.runtime
        sound = None if prompt is None or not len(prompt) else mulaw.decode(prompt)
        planned = runtime.plan(sampling, state.seed, schedule, sound, samples)
        sampling = runtime.network_sampling(sampling)
        # the prompt itself is conditioned by its own latents, not by planned ones
        stream = VoiceStream(self.checkpoint, self.engine, state, sampling, conditioner=planned, runtime=runtime)
        if sound is None:
            stream.begin(schedule, None)
            return stream
        stream.conditioner, codes, locked = runtime.along_sound(sound)
        stream.begin(schedule, codes)
        stream.conditioner = planned
        if locked is not None and isinstance(planned, BedConditioner):
            planned.start_phase(locked, len(sound))
            stream.take_tail(sound)
        return stream

    def follow(
        self,
        latents: Int64 | Iterator[Int64],
        sampling: SamplingConfig | None = None,
        *,
        seed: int = 0,
        labels: LabelRequest | None = None,
    ) -> VoiceStream:
        """A stream along latents, for what is between a recording and its sound.

        Parameters
        ----------
        latents
            8-bit latents, integers (frames, latent) of -127 to 127, 20 ms a frame, or an iterator of such pieces, as
            the methods of `runtime.vocoder` give them.
        sampling
            How samples are drawn; as the network says when it is None.
        seed, labels
            As in `stream`.

        Returns
        -------
        Stream
            After the last frame it goes on quietly.

        Raises
        ------
        UsageError
            For latents of another shape, type or range, and for labels that the voice does not know.

        Examples
        --------
        >>> import synth
        >>> voice = synth.load("digits")
        >>> latents = voice.runtime.vocoder.latents(voice.tokens(voice.generate(seconds=0.1, seed=1), 8000))
        >>> voice.follow(latents, seed=1).read(800).shape
        (800,)
        """
        state, runtime = self.engine.state(seed=check_seed(seed), stream=0), self.runtime
        if isinstance(latents, np.ndarray):
            conditioner, samples = runtime.along(latents), len(latents) * runtime.vocoder.hop
        else:
            conditioner, samples = runtime.along_pieces(latents), None
        sampling = runtime.network_sampling(sampling or SamplingConfig())
        stream = VoiceStream(self.checkpoint, self.engine, state, sampling, conditioner=conditioner, runtime=runtime)
        stream.begin(self.label_schedule(labels or {}, samples), None)
        return stream

    def features(self, wave: AnyArray, rate: int) -> Float32:
        """Features of a recording, as the voice's encoder takes them.

        `mels` natural logarithms of torchaudio's `MelSpectrogram(power=2)` plus 1e-6: windows of 25 ms, HTK scale, no
        norm. A voice with a tonal bed takes more columns: `tones` levels of the pitch's harmonics at places that are
        evenly apart on the mel scale (natural logarithm of the squared amplitude over the pitch in Hz), the binary
        logarithm of the pitch in Hz, which goes on where nothing is voiced, and 1 where voiced, else 0.

        Parameters
        ----------
        wave
            (frames,) or (frames, channels), floats of full scale 1 or integers.
        rate
            Samples a second of `wave`.

        Returns
        -------
        numpy.ndarray
            float32 (frames, mels) or (frames, mels + tones + 2), 10 ms each, an even number of frames.

        Raises
        ------
        AudioError
            When a sample isn't finite.

        Examples
        --------
        >>> import numpy as np, synth
        >>> synth.load("digits").features(np.zeros(800), rate=8000).shape
        (10, 82)
        """
        samples = reader.from_array(wave, rate, self.sample_rate)
        return self.runtime.vocoder.features(samples)

    def tokens(self, wave: AnyArray, rate: int, count: int | None = None) -> UInt8:
        """Tokens of a recording: indices of codebook entries, 20 ms a frame.

        Parameters
        ----------
        wave, rate
            As in `features`.
        count
            Tokens a frame; all that the voice has when it is None.

        Returns
        -------
        numpy.ndarray
            uint8 (frames, count).

        Raises
        ------
        AudioError
            When there is no sample or one isn't finite.
        UsageError
            For more tokens than the voice has.

        Examples
        --------
        >>> import numpy as np, synth
        >>> synth.load("digits").tokens(np.zeros(800), rate=8000, count=2).shape
        (5, 2)
        """
        vocoder = self.runtime.vocoder
        return vocoder.tokens(vocoder.encode_sound(reader.from_array(wave, rate, self.sample_rate)), count)

    def _along(
        self, features: AnyArray, sampling: SamplingConfig, seed: int | None, labels: LabelRequest | None
    ) -> VoiceStream:
        """A stream that speaks log-mel features."""
        vocoder = self.runtime.vocoder
        latents = vocoder.quantize_latents(vocoder.encode(checked_features(np.asarray(features), vocoder.config)))
        return self.follow(latents, sampling, seed=draw_seed() if seed is None else seed, labels=labels)

    if not TYPE_CHECKING:  # the type promises none of these: whoever asks all the same is told why

        def __getattr__(self, name: str) -> Any:
            if name in ("score", "score_samples"):
                text = "is a voice, which is told what to say; a plain network scores"
                raise AttributeError(f"{self.checkpoint.name}: {text}")
            raise AttributeError(f"'Voice' object has no attribute {name!r}")
