"""An opened file of the modes lossless and mulaw: blocks of coded samples in a container."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from synth.audio.formats import pcm
from synth.codec import network_choice
from synth.codec.container import CODED, CONSTANT
from synth.codec.decoder import Decoder, decompress_stream
from synth.codec.syn_file import SynFile, Tick, no_tick
from synth.common.input_file import InputFile
from synth.common.typing import AnyArray


class ContainerFile(SynFile):
    """A SynFile of coded blocks; the arguments are those of `open_syn`."""

    def __init__(
        self, source: InputFile, name: str, *, seekable: bool, salvage: bool, threads: int, checkpoint: str | None
    ) -> None:
        super().__init__(name)
        self._source = source
        self._decoder = Decoder(
            source, name, seekable=seekable, salvage=salvage, threads=threads, checkpoint=checkpoint
        )
        self.header, self.damages = self._decoder.header, self._decoder.damages
        self._part: int | None = None

    @property
    def kind(self) -> str:
        return "wav" if self.header.kind == "array" else self.header.kind

    @property
    def name_suffix(self) -> str:
        return self.header.name_suffix

    @property
    def channels(self) -> int:
        return self.header.channels

    @property
    def rate(self) -> int:
        return self.header.rate

    @property
    def checkpoint_digest(self) -> bytes:
        return self.header.checkpoint

    def limit(self, start: float | None, end: float | None) -> None:
        self._part = self._decoder.limit(start, end)

    def decode(self, write: Callable[[bytes], Any], tick: Tick = no_tick) -> int:
        return decompress_stream(self._decoder, write, self._part, tick)

    def array(self) -> AnyArray:
        header = self.header
        empty = np.zeros((0, header.channels), np.int32)
        pieces = [piece for piece in self._decoder.pieces() if not isinstance(piece, bytes)]
        array = pcm.to_array(np.concatenate([empty, *pieces]), header.encoding)
        flat = header.big if header.kind == "array" else header.channels == 1
        return array[:, 0] if flat else array

    def verify(self, tick: Tick = no_tick) -> int:
        return sum(len(piece) for piece in self._decoder.pieces(tick) if not isinstance(piece, bytes))

    def check_output(self, name: str) -> None:
        """What was a file fits into one."""

    def facts(self) -> dict[str, Any]:
        header, blocks, size = self.header, self._decoder.blocks(), self._source.size or 0
        segments = [block for block in blocks if block.kind in (CODED, CONSTANT)]
        frames = sum(block.count for block in segments)
        return {
            "path": self.name,
            "format": header.kind,
            "encoding": header.encoding,
            "channels": header.channels,
            "sample_rate": header.rate,
            "samples": frames,
            "seconds": frames / header.rate,
            "mode": header.mode,
            "level": header.effort,
            "checkpoint": network_choice.describe(header.checkpoint),
            "bytes": size,
            "bits_per_sample": 8 * size / (frames * header.channels) if frames else 0.0,
            "segments": len(segments),
            "constant_segments": sum(block.kind == CONSTANT for block in segments),
            "other_bytes": sum(block.size for block in blocks) - sum(block.size for block in segments),
            "md5": blocks[-1].payload.hex(),
        }
