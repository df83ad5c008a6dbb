"""A sound as its mu-law codes stand for it: mono or not, of any depth, it is read as 16-bit samples of 256 values.

The network's own mapping (mu = 255, as `torchaudio.functional.mu_law_encoding` has it), not G.711's.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from synth.audio import mulaw
from synth.audio.formats import pcm, riff, riff_header
from synth.common.typing import ChannelSamples

if TYPE_CHECKING:
    from synth.audio.formats.flac import FlacReader

    Sound = riff.PcmReader | FlacReader


def quantize(samples: ChannelSamples, bits: int) -> ChannelSamples:
    """The values, of 16 bits, of the codes of samples of `bits` bits."""
    if bits > 16:
        samples = np.minimum((samples + (1 << (bits - 17))) >> (bits - 16), 32767)
    wide = (samples << max(0, 16 - bits)).astype(np.int16)
    return mulaw.decode(mulaw.encode(wide)).astype(np.int32)


class MulawSource:
    """A WAV file of 16 bits in place of the sound that it reads; nothing but the samples is kept."""

    kind, encoding, big = "wav", "s16", False
    is_surrounded = False
    suffix: str | None = None

    def __init__(self, sound: Sound) -> None:
        self._sound, self._md5 = sound, hashlib.md5(usedforsecurity=False)
        self.channels, self.rate, self.frames = sound.channels, sound.rate, sound.frames
        self.head = riff_header.plain_head(self, self.frames)

    def read(self, frames: int) -> ChannelSamples:
        """The next samples, as many as there still are."""
        samples = self._sound.read(frames)
        self._md5.update(pcm.hashed_bytes(samples, self._sound.encoding))
        if pcm.BITS[self._sound.encoding] == 32:
            return quantize(pcm.to_24_bits(samples, self._sound.encoding), 24)
        return quantize(samples, pcm.BITS[self._sound.encoding])

    def head_parts(self) -> Iterator[bytes]:
        """The bytes before the samples."""
        yield self.head

    def check(self, md5: bytes) -> None:
        """AudioError where the sound knows another MD5 than that of what was read."""
        self._sound.check(self._md5.digest())

    def tail(self) -> Iterator[bytes]:
        """What comes after the sound's samples is left out."""
        for _ in self._sound.tail():
            pass
        return iter(())
