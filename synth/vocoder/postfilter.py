"""A filter after a voice's network: makes the mel powers of its sound what the tokens say that they are.

A network that draws samples one after the other drifts: bands get fainter or louder than what it was told. Here every
10 ms the mel powers of its sound are measured, each band is turned up or down to the level that the voice's envelope
asks for, and the frames are added up again: short-time Fourier analysis, filtering and overlap-add (Allen and Rabiner,
Proc. IEEE 65, 1977), as often as the voice says, since neighbouring frames move each other. All is integer
arithmetic on tables that the checkpoint holds: products of whole numbers below 2^53 are exact in doubles, in any order,
so the same sound comes out on every machine. engine/voice.cpp, or where the engine is not compiled what is specified
here, does the work.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synth import engine
from synth.audio.features import FeatureConfig, mel_filters
from synth.common.arrays import require_saved, saved_array
from synth.common.errors import CheckpointError
from synth.common.typing import Int64, Tensors
from synth.vocoder.config import PostfilterConfig, VocoderConfig, features_of
from synth.vocoder.envelope import UNIT

WINDOW, COSINE, WEIGHT, RECIPROCAL, POWER = 15, 14, 8, 15, 15  # binary places of the tables
ENTRIES = 256  # of the tables of logarithms and powers
LIMIT = 10 * UNIT  # of a band's gain: 30 dB
OFFSET = 1074  # of mel powers, 1e-6 of full scale 1
MAX_SPECTRUM = 2.0**27  # of a filtered spectrum
NEUTRAL = -(1 << 30)
"""A level that asks for nothing."""


def layout(config: VocoderConfig, rate: int) -> dict[str, tuple[str, tuple[int, ...]]]:
    """dtype and shape of a postfilter's tables."""
    heard = features_of(config, rate)
    bins = heard.fft // 2 + 1
    return {
        "postfilter.window": ("int16", (heard.window,)),
        "postfilter.cosine": ("int16", (heard.fft,)),
        "postfilter.bands": ("int16", (bins, config.mels)),
        "postfilter.shares": ("int16", (config.mels, bins)),
        "postfilter.logarithm": ("int16", (ENTRIES,)),
        "postfilter.power": ("int32", (ENTRIES,)),
    }


def tables(config: VocoderConfig, rate: int) -> Tensors:
    """The tables of `layout`, for a new checkpoint; later they are read from it."""
    heard = features_of(config, rate)
    bands = mel_filters(rate, heard.fft, config.mels).astype(np.float64)
    whole = bands.sum(1, keepdims=True)
    # bins below the first band's middle and above the last one's belong to it
    shares = np.where(whole > 0, bands / np.maximum(whole, 1e-9), 0.0)
    shares[0, 0], shares[-1, -1] = 1.0, 1.0
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(heard.window) / heard.window)
    entry = np.arange(ENTRIES) / ENTRIES
    return {
        "postfilter.window": np.minimum(np.rint(window * 2**WINDOW), 2**WINDOW - 1).astype(np.int16),
        "postfilter.cosine": np.rint(np.cos(2 * np.pi * np.arange(heard.fft) / heard.fft) * 2**COSINE).astype(np.int16),
        "postfilter.bands": np.rint(bands * 2**WEIGHT).astype(np.int16),
        "postfilter.shares": np.rint(shares * 2**WEIGHT).T.astype(np.int16),
        "postfilter.logarithm": np.rint(UNIT * np.log2(1 + entry + 0.5 / ENTRIES)).astype(np.int16),
        "postfilter.power": np.rint(2.0 ** (POWER + entry)).astype(np.int32),
    }


def check(config: VocoderConfig, rate: int, tensors: Tensors) -> None:
    """CheckpointError when a table would break the arithmetic; types and shapes were checked before."""
    if features_of(config, rate).window % 2:  # a frame is folded in its middle
        raise CheckpointError(f"sample rate {rate}: a postfilter's window can't be an odd number of samples")
    bounds = {"window": (0, 32767), "cosine": (-16384, 16384), "bands": (0, 256), "shares": (0, 256)}
    bounds |= {"logarithm": (0, UNIT), "power": (1 << POWER, 2 << POWER)}
    for name, (least, most) in bounds.items():
        tensor = tensors[f"postfilter.{name}"]
        if tensor.min() < least or tensor.max() > most:
            raise CheckpointError(f"tensor postfilter.{name}: values must be {least} to {most}")
    cosine = tensors["postfilter.cosine"]
    if (cosine[1:] != cosine[:0:-1]).any() or (cosine != -np.roll(cosine, len(cosine) // 2)).any():
        raise CheckpointError("tensor postfilter.cosine: lacks the symmetries of a cosine")
    if tensors["postfilter.bands"].astype(np.int64).sum(0).max() > 1 << 15:
        raise CheckpointError("tensor postfilter.bands: a band's weights are too many")
    if (_sums(tensors["postfilter.window"], features_of(config, rate).hop) < 1 << WINDOW - 2).any():
        raise CheckpointError("tensor postfilter.window: leaves a gap between frames")


def _sums(window: NDArray[np.int16], hop: int) -> Int64:
    """What the windows of all frames add up to, at each place (hop,) from a frame's middle on."""
    places = (np.arange(len(window)) - len(window) // 2) % hop
    return np.bincount(places, window.astype(np.float64), hop).astype(np.int64)


class Tables:
    """A voice's postfilter; may be shared by threads. `prefer`: the engine, as for `engine.create`."""

    def __init__(
        self, config: VocoderConfig, postfilter: PostfilterConfig, rate: int, tensors: Tensors, prefer: str = "auto"
    ) -> None:
        own = {name.removeprefix("postfilter."): t for name, t in tensors.items() if name.startswith("postfilter.")}
        heard: FeatureConfig = features_of(config, rate)
        self.passes, self.mels = postfilter.passes, config.mels
        self.hop, self.window, self.fft = heard.hop, heard.window, heard.fft
        self.half = self.window // 2
        self._shape = own["window"].astype(np.int64)
        self._bits = self.fft.bit_length() - 1
        self._cosine = own["cosine"].astype(np.float64)
        self._bands, self._shares = own["bands"].astype(np.float64), own["shares"].astype(np.float64)
        self._logarithm, self._power = own["logarithm"].astype(np.int64), own["power"].astype(np.float64)
        self.reciprocal = (1 << RECIPROCAL + WINDOW) // _sums(own["window"], self.hop)
        parts = engine.parts(prefer)
        self._native = None if parts is None else parts.Postfilter(self.hop, self.mels, tensors)

    @functools.cached_property
    def _products(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Cosines and sines (bins, times), where times count from a frame's middle to half of `fft`."""
        places = np.arange(self.fft // 2 + 1)
        turns = np.multiply.outer(places, places) % self.fft
        return self._cosine[turns], self._cosine[turns - self.fft // 4]

    @functools.cached_property
    def _forward(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """What parts that are even and odd around a frame's middle are multiplied with: each half as large."""
        even, odd = self._products
        return even[:, : self.half].T.copy(), odd[:, : self.half].T.copy()

    @functools.cached_property
    def _back(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The same of spectra, whose bins but the first and the last stand for two."""
        twice = np.full((self.fft // 2 + 1, 1), 2.0)
        twice[0] = twice[-1] = 1.0
        even, odd = self._products
        return even * twice, odd * twice

    def add(self, samples: NDArray[np.int16], levels: Int64, total: Int64, first: int) -> NDArray[np.int16]:
        """Adds the frames of samples, a hop apart, brought to levels (n, mels), to `total` (n x hop + fft).

        What is whole after them, n x hop samples; the first is at `first`.
        """
        if self._native is None:
            return self.add_specified(samples, levels, total, first)
        found: NDArray[np.int16] = self._native.add(samples, levels, total, first % self.hop)
        return found

    def add_specified(self, samples: NDArray[np.int16], levels: Int64, total: Int64, first: int) -> NDArray[np.int16]:
        """`add`, slowly."""
        views = np.lib.stride_tricks.sliding_window_view(samples, self.window)[:: self.hop][: len(levels)]
        for k, frame in enumerate(self.filtered(views.astype(np.int64), levels)):
            total[k * self.hop : k * self.hop + self.fft] += frame
        return self.settled(total[: len(levels) * self.hop], first)

    def filtered(self, frames: Int64, levels: Int64) -> Int64:
        """Sound (n, window) with its bands brought to levels (n, mels): (n, fft), times 2^14 and the length `fft`."""
        shaped = (frames * self._shape + (1 << WINDOW - 1)) >> WINDOW
        after, before = shaped[:, self.half :], shaped[:, self.half : 0 : -1]
        even, odd = (after + before).astype(np.float64), (after - before).astype(np.float64)
        even[:, 0] = shaped[:, self.half]
        spectrum = np.rint(np.stack([even @ self._forward[0], odd @ self._forward[1]]) / 2.0**COSINE)
        gains = np.clip(levels - self._levels(spectrum), -LIMIT, LIMIT)
        curve = np.where(levels == NEUTRAL, 0, gains).astype(np.float64) @ self._shares  # of powers: halved below
        one, step = UNIT << WEIGHT + 1, (UNIT << WEIGHT + 1) // ENTRIES
        whole, within = np.divmod(curve.astype(np.int64) + step // 2, one)
        gain = np.ldexp(self._power[within // step], whole - POWER)
        moved = np.clip(np.rint(spectrum * gain), -MAX_SPECTRUM, MAX_SPECTRUM)
        real, imaginary = moved[0] @ self._back[0], moved[1] @ self._back[1]
        return np.concatenate([(real - imaginary)[:, :0:-1], (real + imaginary)[:, :-1]], 1).astype(np.int64)

    def _levels(self, spectrum: NDArray[np.float64]) -> Int64:
        """Binary logarithms of mel powers, in 1/1024."""
        power = np.floor((spectrum * spectrum).sum(0) / (1 << WEIGHT))
        fraction, exponent = np.frexp(power @ self._bands + OFFSET)
        place = ((fraction * 2 - 1) * ENTRIES).astype(np.int64)
        found: Int64 = (exponent.astype(np.int64) - 31) * UNIT + self._logarithm[place]
        return found

    def settled(self, total: Int64, first: int) -> NDArray[np.int16]:
        """Samples from sums of frames, of which the first is at `first`."""
        places = (first + np.arange(len(total))) % self.hop
        shift = COSINE + self._bits + RECIPROCAL - 10
        found = (((total + 512) >> 10) * self.reciprocal[places] + (1 << shift - 1)) >> shift
        return np.clip(found, -32768, 32767).astype(np.int16)


class _Pass:
    """One pass over a stream: samples in at one end, samples out at the other, later by at most `lag`."""

    def __init__(self, tables: Tables, start: int) -> None:
        self.tables = tables
        self.frame = start // tables.hop - 1  # the next to be filtered; the first that reaches `start`
        self.first = self.frame * tables.hop - tables.half
        self.samples = np.zeros(start - self.first, np.int16)  # from `first` on
        self.out = self.frame * tables.hop - tables.fft // 2
        self.total = np.zeros(tables.fft, np.int64)  # from `out` on

    @property
    def end(self) -> int:
        """The place of the next sample that comes in."""
        return self.first + len(self.samples)

    def ready(self, more: int) -> int:
        """Frames that are whole with so many more samples."""
        return max(0, (len(self.samples) + more - self.tables.window) // self.tables.hop + 1)

    def push(self, samples: NDArray[np.int16], levels: Int64, first: int) -> NDArray[np.int16]:
        """What is whole after `samples`; `levels` (frames, mels) from frame `first` on."""
        t = self.tables
        self.samples = np.concatenate([self.samples, samples])
        count = self.ready(0)
        if not count:
            return self.samples[:0]
        whole = count * t.hop
        total = np.zeros(t.fft + whole, np.int64)
        total[: t.fft] = self.total
        found = t.add(self.samples, levels[self.frame - first :][:count], total, self.out)
        self.total, self.samples = total[whole : whole + t.fft], self.samples[whole:]
        self.out, self.first, self.frame = self.out + whole, self.first + whole, self.frame + count
        return found


class Postfilter:
    """The passes over one stream from sample `start` on, a multiple of the hop; samples before it are not asked for."""

    def __init__(self, tables: Tables, start: int) -> None:
        self.tables, self.start = tables, start
        self._passes = [_Pass(tables, start)]
        while len(self._passes) < tables.passes:
            self._passes.append(_Pass(tables, start))
        self._levels = np.zeros((0, tables.mels), np.int64)
        self._first = self._passes[0].frame

    def needed(self, position: int) -> int:
        """Samples, counted like `position`, that must be in so that all before `position` are out."""
        t = self.tables
        for _ in self._passes:
            position = (-(-(position + t.fft // 2) // t.hop) - 1) * t.hop + t.half
        return position

    def tell(self, levels: Int64, first: int) -> None:
        """Levels (frames, mels) of 10 ms frames from `first` on, as they become known, in order; gaps are neutral."""
        end = self._first + len(self._levels)
        gap = np.full((max(0, first - end), self.tables.mels), NEUTRAL, np.int64)
        self._levels = np.concatenate([self._levels, gap, levels[max(0, end - first) :]])

    def push(self, samples: NDArray[np.int16]) -> NDArray[np.int16]:
        """What is whole after the next samples, int16 both; from `start` on."""
        for stage in self._passes:
            self.tell(self._levels[:0], stage.frame + stage.ready(len(samples)))
            at = stage.out
            samples = stage.push(samples, self._levels, self._first)
            samples = samples[max(0, self.start - at) :]
        drop = self._passes[-1].frame - self._first
        self._levels, self._first = self._levels[drop:], self._first + drop
        return samples

    @property
    def places(self) -> tuple[int, int]:
        """Where the next sample that comes in is, and where the next that goes out."""
        return self._passes[0].end, max(self.start, self._passes[-1].out)

    def copy(self) -> Postfilter:
        """One that goes on from here by itself."""
        return Postfilter.restored(self.tables, self.save())

    def save(self) -> dict[str, NDArray[Any]]:
        """Everything that `restored` needs to go on."""
        numbers = [self.start, self._first, *(n for p in self._passes for n in (p.frame, p.first, p.out))]
        found: dict[str, NDArray[Any]] = {
            "numbers": np.array(numbers, np.int64),
            "levels": self._levels.astype(np.int32),
        }
        for k, stage in enumerate(self._passes):
            found |= {f"samples.{k}": stage.samples, f"total.{k}": stage.total}
        return found

    @classmethod
    def restored(cls, tables: Tables, saved: dict[str, NDArray[Any]]) -> Postfilter:
        """The postfilter that `save` saved; EngineError when it is damaged or of another voice."""
        numbers = [int(n) for n in saved_array(saved, "numbers", "int64", (2 + 3 * tables.passes,))]
        levels = saved_array(saved, "levels", "int32", (None, tables.mels)).astype(np.int64)
        frames, end = numbers[2::3], numbers[0]
        require_saved(0 <= end < 1 << 62 and end % tables.hop == 0 and frames == sorted(frames, reverse=True))
        require_saved(end // tables.hop - 1 <= frames[-1] == numbers[1] and frames[0] <= numbers[1] + len(levels))
        found = cls(tables, numbers[0])
        found._first, found._levels = numbers[1], levels
        for k, stage in enumerate(found._passes):
            stage.frame, stage.first, stage.out = numbers[2 + 3 * k : 5 + 3 * k]
            stage.samples = saved_array(saved, f"samples.{k}", "int16", (None,)).copy()
            stage.total = saved_array(saved, f"total.{k}", "int64", (tables.fft,)).copy()
            middle = stage.frame * tables.hop
            require_saved(stage.first == middle - tables.half and stage.out == middle - tables.fft // 2)
            require_saved(len(stage.samples) < tables.window and (k == 0 or stage.end == end))
            end = max(found.start, stage.out)  # so far the next one has heard
        return found
