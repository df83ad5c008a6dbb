"""A filter of frames of sound: brings the power of each mel band to the level that a voice's envelope asks for.

Every 10 ms the mel powers of the sound are measured, each band is turned up or down to its target, and the frames are
added up again: short-time Fourier analysis, filtering and overlap-add (Allen and Rabiner, Proc. IEEE 65, 1977). All is
integer arithmetic on `postfilter_tables`: products of whole numbers below 2^53 are exact in doubles, in any order, so
the same sound comes out on every machine. csrc/vocoder, or where the engine is not compiled what is specified here,
does the work.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from synth.common.typing import Float64, Int16, Int64, Tensors
from synth.engine import select
from synth.vocoder.config import PostfilterConfig, VocoderConfig, features_of
from synth.vocoder.envelope import UNIT
from synth.vocoder.postfilter_tables import COSINE, ENTRIES, POWER, WEIGHT, WINDOW, window_sums

RECIPROCAL = 15  # binary places
LIMIT = 10 * UNIT  # of a band's gain: 30 dB
OFFSET = 1074  # of mel powers, 1e-6 of full scale 1
MAX_SPECTRUM = 2.0**27  # of a filtered spectrum
NEUTRAL = -(1 << 30)
"""A target level that leaves a band as it is."""


class FrameFilter:
    """Filters frames of sound, `hop` samples apart, by a voice's tables; may be shared by threads.

    `prefer`: the engine, as for `engine.create`.
    """

    def __init__(
        self, config: VocoderConfig, postfilter: PostfilterConfig, rate: int, tensors: Tensors, prefer: str = "auto"
    ) -> None:
        own = {name.removeprefix("postfilter."): t for name, t in tensors.items() if name.startswith("postfilter.")}
        features = features_of(config, rate)
        self.passes, self.mels = postfilter.passes, config.mels
        self.hop, self.window, self.fft = features.hop, features.window, features.fft
        self.half = self.window // 2
        self._shape = own["window"].astype(np.int64)
        self._bits = self.fft.bit_length() - 1
        self._cosine = own["cosine"].astype(np.float64)
        self._bands, self._shares = own["bands"].astype(np.float64), own["shares"].astype(np.float64)
        self._logarithm, self._power = own["logarithm"].astype(np.int64), own["power"].astype(np.float64)
        self.reciprocal = (1 << RECIPROCAL + WINDOW) // window_sums(own["window"], self.hop)
        parts = select.parts(prefer)
        self._native = None if parts is None else parts.Postfilter(self.hop, self.mels, tensors)

    @property
    def kernel(self) -> Any:
        """The filter in C++; None where the specification does the work."""
        return self._native

    @functools.cached_property
    def _products(self) -> tuple[Float64, Float64]:
        """Cosines and sines (bins, times), where times count from a frame's middle to half of `fft`."""
        places = np.arange(self.fft // 2 + 1)
        turns = np.multiply.outer(places, places) % self.fft
        return self._cosine[turns], self._cosine[turns - self.fft // 4]

    @functools.cached_property
    def _forward(self) -> tuple[Float64, Float64]:
        """What parts that are even and odd around a frame's middle are multiplied with: each half as large."""
        even, odd = self._products
        return even[:, : self.half].T.copy(), odd[:, : self.half].T.copy()

    @functools.cached_property
    def _back(self) -> tuple[Float64, Float64]:
        """The same of spectra, whose bins but the first and the last stand for two."""
        twice = np.full((self.fft // 2 + 1, 1), 2.0)
        twice[0] = twice[-1] = 1.0
        even, odd = self._products
        return even * twice, odd * twice

    def add(self, samples: Int16, target: Int64, total: Int64, first: int) -> Int16:
        """Adds frames of int16 samples, brought to `target` mel levels (n, mels), to the sums `total` (n x hop + fft).

        Returns the samples that no later frame reaches, int16 (n x hop,), of which the first is sample `first`.
        """
        if self._native is None:
            return self.add_specified(samples, target, total, first)
        filtered: Int16 = self._native.add(samples, target, total, first % self.hop)
        return filtered

    def add_specified(self, samples: Int16, target: Int64, total: Int64, first: int) -> Int16:
        """`add`, slowly."""
        views = np.lib.stride_tricks.sliding_window_view(samples, self.window)[:: self.hop][: len(target)]
        for k, frame in enumerate(self.filtered(views.astype(np.int64), target)):
            total[k * self.hop : k * self.hop + self.fft] += frame
        return self.normalized(total[: len(target) * self.hop], first)

    def filtered(self, frames: Int64, target: Int64) -> Int64:
        """Sound (n, window), its bands brought to `target` levels (n, mels): (n, fft), times 2^14 and `fft`."""
        shaped = (frames * self._shape + (1 << WINDOW - 1)) >> WINDOW
        after, before = shaped[:, self.half :], shaped[:, self.half : 0 : -1]
        even, odd = (after + before).astype(np.float64), (after - before).astype(np.float64)
        even[:, 0] = shaped[:, self.half]
        spectrum = np.rint(np.stack([even @ self._forward[0], odd @ self._forward[1]]) / 2.0**COSINE)
        gains = np.clip(target - self._mel_levels(spectrum), -LIMIT, LIMIT)
        curve = np.where(target == NEUTRAL, 0, gains).astype(np.float64) @ self._shares  # of powers: halved below
        one, step = UNIT << WEIGHT + 1, (UNIT << WEIGHT + 1) // ENTRIES
        exponent, within = np.divmod(curve.astype(np.int64) + step // 2, one)
        gain = np.ldexp(self._power[within // step], exponent - POWER)
        scaled = np.clip(np.rint(spectrum * gain), -MAX_SPECTRUM, MAX_SPECTRUM)
        real, imaginary = scaled[0] @ self._back[0], scaled[1] @ self._back[1]
        return np.concatenate([(real - imaginary)[:, :0:-1], (real + imaginary)[:, :-1]], 1).astype(np.int64)

    def _mel_levels(self, spectrum: Float64) -> Int64:
        """Binary logarithms of mel powers, in 1/1024."""
        power = np.floor((spectrum * spectrum).sum(0) / (1 << WEIGHT))
        fraction, exponent = np.frexp(power @ self._bands + OFFSET)
        place = ((fraction * 2 - 1) * ENTRIES).astype(np.int64)
        levels: Int64 = (exponent.astype(np.int64) - 31) * UNIT + self._logarithm[place]
        return levels

    def normalized(self, total: Int64, first: int) -> Int16:
        """Samples from sums of frames, of which the first is at `first`."""
        places = (first + np.arange(len(total))) % self.hop
        shift = COSINE + self._bits + RECIPROCAL - 10
        samples = (((total + 512) >> 10) * self.reciprocal[places] + (1 << shift - 1)) >> shift
        return np.clip(samples, -32768, 32767).astype(np.int16)
