"""An opened file of mode parametric: tokens of a voice, which its network turns into sound again."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from synth.audio.writer import wav_header
from synth.codec import network_choice
from synth.codec.parametric import coder, format
from synth.codec.parametric.format import ParametricHeader, ParametricReader
from synth.codec.parametric.voice_choice import find_by_digest
from synth.codec.syn_file import SynFile, Tick, no_tick
from synth.common.errors import CodecError, OutputError
from synth.common.input_file import InputFile
from synth.common.limits import MAX_WAV_SAMPLES
from synth.common.typing import MonoSamples
from synth.generation.voice import Voice


class ParametricFile(SynFile):
    """A SynFile of tokens; the arguments are those of `open_syn`. It decodes to a WAV file of one channel."""

    kind, name_suffix, channels = "wav", ".wav", 1

    def __init__(self, source: InputFile, name: str, *, salvage: bool, checkpoint: str | None) -> None:
        super().__init__(name)
        self._source, self._salvage = source, salvage
        self._paths = [checkpoint] if checkpoint else []
        self._start: float | None = None
        self._end: float | None = None
        self._head = source.peek(format.MAX_HEADER_BYTES)

    @functools.cached_property
    def header(self) -> ParametricHeader:
        """What the file's first bytes say, checked within bounds."""
        return ParametricReader(self._head, self.name).header

    @functools.cached_property
    def _reader(self) -> ParametricReader:
        """The whole file, in memory."""
        data = b""
        while len(data) < format.MAX_BYTES and (more := self._source.read(format.MAX_BYTES - len(data))):
            data += more
        if len(data) == format.MAX_BYTES:
            raise CodecError(f"{self.name}: is larger than a file of mode parametric can be")
        return ParametricReader(data, self.name)

    @functools.cached_property
    def _model(self) -> Voice:
        return find_by_digest(self._reader.header.digest, self._paths, self.name)

    @functools.cached_property
    def _samples(self) -> tuple[int, int]:
        """Samples that are decoded, and all, with the digital silence after them that stands for what is lost."""
        model, samples = self._model, self._reader.header.samples
        if not self._salvage:
            return samples, samples
        return format.salvaged_samples(self._reader, coder.hop_of(self._reader, model))  # a header may claim any length

    @property
    def rate(self) -> int:
        return self.header.rate

    @property
    def checkpoint_digest(self) -> bytes:
        return self.header.digest

    def limit(self, start: float | None, end: float | None) -> None:
        self._start, self._end = start, end
        self._bounds()

    def _bounds(self) -> tuple[int, int]:
        """The first sample that is asked for, and the one after the last."""
        (_, samples), rate = self._samples, self.header.rate
        start = self._start or 0
        first = round(start * rate)
        last = samples if self._end is None else min(samples, round(self._end * rate))
        if first >= last:
            raise CodecError(f"{self.name}: has nothing from {start:g} s to {last / rate:g} s")
        return first, last

    def check_output(self, name: str) -> None:
        first, last = self._bounds()
        if last - first > MAX_WAV_SAMPLES:
            raise OutputError(
                f"{name}: a WAV file can't hold {last - first} samples; take parts with --start and --end"
            )

    def decode(self, write: Callable[[bytes], Any], tick: Tick = no_tick) -> int:
        first, last = self._bounds()
        latents = coder.decode_latents(self._reader, self._model, self.damages if self._salvage else None)
        write(wav_header(last - first, self.header.rate))
        for block in coder.decode_audio(self._model, latents, last, first=first, decoded=self._samples[0]):
            write(block.astype("<i2").tobytes())
            tick(len(block))
        return last - first

    def array(self) -> MonoSamples:
        latents = coder.decode_latents(self._reader, self._model)
        return np.concatenate(list(coder.decode_audio(self._model, latents, self.header.samples)))

    def verify(self, tick: Tick = no_tick) -> int:
        problems = coder.find_problems(self._reader, self._model)
        if problems:
            raise CodecError("; ".join(problems))
        return self.header.samples

    def facts(self) -> dict[str, Any]:
        header, size = self.header, self._source.size or 0
        return {
            "path": self.name,
            "format": "wav",
            "channels": 1,
            "sample_rate": header.rate,
            "samples": header.samples,
            "seconds": header.seconds,
            "mode": "parametric",
            "tokens": header.tokens_per_frame,
            "checkpoint": network_choice.describe(header.digest),
            "bytes": size,
            "bits_per_second": 8 * size / header.seconds,
        }
