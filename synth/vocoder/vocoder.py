"""The vocoder without torch: sound to vectors and tokens, tokens to what steers the network in integers.

A token frame is 20 ms. The encoder reads log-mel features; residual quantisers (SoundStream, arXiv 2107.03312) name
each frame by up to 16 tokens of 8 bits; the conditioner, two layers over three frames each and one more, turns the
quantised vectors into what the network's frame tier is given. What is heard is computed exactly or in a written order
(`synth.audio.exact_math`), from tokens on all is integer arithmetic: the same on every machine.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synth import engine
from synth.audio import mulaw
from synth.audio.exact_math import Product, logistic
from synth.audio.features import features
from synth.common.errors import AudioError, CheckpointError, UsageError
from synth.common.typing import Float32, Float64, Int64, Tensors
from synth.engine.config import ModelConfig
from synth.engine.layers import Layer, around, cut
from synth.vocoder.config import CODES, TAPS, VocoderConfig, features_of, stride_of, token_hop

BOUND = 3.96875
"""Vectors are within this."""
UNIT = 32
"""Of 1.0 in a vector's 8-bit integers."""
MIN_LOG_MEL, MAX_LOG_MEL = -16.0, 16.0
"""What natural logarithms of mel powers plus 1e-6 can be, of waves of full scale 1."""
PIECE, AROUND = 1000, 4
"""Token frames that are encoded at once, and those before and after them that are heard along."""
BEAMS, SEARCHED = 4, 8
"""Ways that are kept while tokens are searched; the most tokens a frame that are: the more, the less it is worth."""
CENTRE, SPREAD = -6.0, 4.0
"""Of natural logarithms of mel powers, roughly; the encoder hears them normalised by these."""


def normalised(mel: Any) -> Any:
    """Log-mel features (arrays or tensors) as the encoder's first layer sees them."""
    return (mel - CENTRE) / SPREAD


def mel_of(samples: NDArray[np.int16], config: VocoderConfig, rate: int) -> Float32:
    """Log-mel features (2 x tokens, mels) of int16 samples (n,) at `rate`, silence after their end.

    The samples are heard through the mu-law codes, as the network hears them.
    """
    hop, heard = token_hop(rate), features_of(config, rate)
    tokens = -(-len(samples) // hop)
    wave = np.zeros(max(tokens * hop, heard.shortest), np.float32)
    wave[: len(samples)] = mulaw.decode(mulaw.encode(samples)).astype(np.float32) / 32768
    return features(wave, heard)[: 2 * tokens]


def layout(config: VocoderConfig, model: ModelConfig) -> dict[str, tuple[str, tuple[int, ...]]]:
    """dtype and shape of the tensors that a vocoder has beside its network's."""
    units, wide, latent = config.encoder_units, config.units, config.latent
    found: dict[str, tuple[str, tuple[int, ...]]] = {}
    for name, rows, columns in (
        ("encoder.0", units, TAPS * config.mels),
        ("encoder.1", units, 4 * units),
        ("encoder.2", units, TAPS * units),
        ("encoder.out", latent, units),
    ):
        found[f"vocoder.{name}.weight"], found[f"vocoder.{name}.bias"] = (
            ("float32", (rows, columns)),
            ("float32", (rows,)),
        )
    found["vocoder.books"] = ("int8", (config.quantisers, CODES, latent))
    for name, rows, columns in (
        ("condition.0", wide, TAPS * latent),
        ("condition.1", wide, TAPS * wide),
        ("condition.out", config.parts * 3 * model.frame_units, wide),
        ("reflect", config.parts * model.order, wide),
    ):
        found[f"vocoder.{name}.weight"] = ("int8", (rows, columns))
        found[f"vocoder.{name}.scale"] = ("int16", (rows,))
        found[f"vocoder.{name}.shift"] = ("int32", (1,))
    found["vocoder.condition.0.bias"] = found["vocoder.condition.1.bias"] = ("int16", (wide,))
    found["vocoder.reflect.bias"] = ("int16", (config.parts * model.order,))
    return found


def _gelu(x: Float64) -> Float64:
    """x / 2 (1 + tanh(0.79788 (x + 0.044715 x^3)))."""
    found = x * x
    found *= 2 * 0.7978845608 * 0.044715
    found += 2 * 0.7978845608
    found *= x
    found = logistic(found)
    found *= x
    return found


class Vocoder:
    """Encoder, quantisers and conditioner of a checkpoint; may be shared by threads."""

    def __init__(self, config: VocoderConfig, model: ModelConfig, tensors: Tensors, prefer: str = "auto") -> None:
        self.config, self.rate = config, model.sample_rate
        self.hop = token_hop(model.sample_rate)
        self.part = stride_of(config, model) * model.hop
        self.given_units = 3 * model.frame_units + model.order
        self._floats = {name: tensors[name] for name in tensors if name.startswith("vocoder.encoder.")}
        self._products: dict[str, Product] = {}
        self.books = tensors["vocoder.books"].astype(np.int64)
        names = ("condition.0", "condition.1", "condition.out", "reflect")
        self._hidden_0, self._hidden_1, self._gates, self._reflect = (
            Layer(tensors, f"vocoder.{name}", prefer) for name in names
        )
        parts = engine.parts(prefer)
        self._native = None if parts is None else parts.Books(tensors)

    def _layer(self, name: str, x: NDArray[Any]) -> Float64:
        if name not in self._products:  # two threads may both make it, the same
            self._products[name] = Product(self._floats[f"vocoder.encoder.{name}.weight"])
        return self._products[name](x) + self._floats[f"vocoder.encoder.{name}.bias"]

    def encode(self, mel: Float32) -> Float32:
        """Vectors (tokens, latent) of log-mel features (2 x tokens, mels): the same bits on every machine."""
        pieces = self.encoded(len(mel), lambda first, last: mel[first:last])
        return np.concatenate([np.zeros((0, self.config.latent), np.float32), *pieces])

    def encoded(self, frames: int, read: Callable[[int, int], Float32]) -> Iterator[Float32]:
        """`encode`, piece by piece, of so many features; `read` gives those from one to another."""
        piece, around = 2 * PIECE, 2 * AROUND
        for start in range(0, frames, piece):
            low = max(0, start - around)
            mel = read(low, min(frames, start + piece + around))
            yield self._encode(mel)[(start - low) // 2 :][:PIECE]

    def _encode(self, mel: Float32) -> Float32:
        x = _gelu(self._layer("0", around(normalised(mel).astype(np.float32), TAPS)))
        x = _gelu(self._layer("1", around(x, 4, 2)))
        x = x + _gelu(self._layer("2", around(x, TAPS)))
        squashed = logistic(self._layer("out", x) * (2 / BOUND))
        return ((2 * squashed - 1) * BOUND).astype(np.float32)  # the hyperbolic tangent

    def hear(self, samples: NDArray[np.int16]) -> Float32:
        """`encode` of int16 samples (n,) at the model's rate; AudioError when there are none."""
        if not len(samples):
            raise AudioError("has no samples")
        return np.concatenate(list(self.heard([samples])))

    def heard(self, blocks: Iterable[NDArray[np.int16]]) -> Iterator[Float32]:
        """`hear`, piece by piece, of samples in blocks of any size."""
        piece, around = PIECE * self.hop, AROUND * self.hop
        held, start = np.zeros(0, np.int16), 0  # what is heard next begins at `start` of what is held
        for block in itertools.chain(blocks, [None]):
            held = held if block is None else np.concatenate([held, block])
            while start < len(held) and (block is None or start + piece + around <= len(held)):
                vectors = self._encode(mel_of(held[: start + piece + around], self.config, self.rate))
                yield vectors[start // self.hop :][:PIECE]
                done = max(0, start + piece - around)
                held, start = held[done:], start + piece - done

    def tokens(self, vectors: Float32, count: int | None = None) -> NDArray[np.uint8]:
        """The first `count` tokens of each vector (tokens, latent): uint8 (tokens, count)."""
        most = self.config.quantisers
        if count is not None and not 0 <= count <= most:
            raise UsageError(f"tokens {count}: this voice has 1 to {most} a frame")
        found = np.empty((len(vectors), most if count is None else count), np.uint8)
        for at in range(0, len(vectors), PIECE):  # the distances to all codes take memory
            self._nearest(vectors[at : at + PIECE], found[at : at + PIECE])
        return found

    def _nearest(self, vectors: Float32, found: NDArray[np.uint8]) -> None:
        left = np.rint(vectors * UNIT).astype(np.int64)
        for q in range(found.shape[1]):
            book = self.books[q]
            # exact in doubles: ties go to the first code on every machine
            distance = (book * book).sum(1) - 2.0 * (left.astype(np.float64) @ book.T.astype(np.float64))
            found[:, q] = distance.argmin(1)
            left = left - book[found[:, q]]

    def searched(self, vectors: Float32, count: int) -> NDArray[np.uint8]:
        """`count` tokens of each vector, as `tokens` gives them, but of the best of BEAMS ways at every quantiser.

        What one quantiser leaves is for the next: its nearest code is not always the best to begin with. More than
        SEARCHED tokens are those of `tokens`.
        """
        if count > SEARCHED:
            return self.tokens(vectors, count)
        whole = np.rint(vectors * UNIT)
        if self._native is None or not (np.abs(whole) <= 127).all():  # what `encode` does not give
            return self.searched_specified(vectors, count)
        found: NDArray[np.uint8] = self._native.search(whole, count)
        return found

    def searched_specified(self, vectors: Float32, count: int) -> NDArray[np.uint8]:
        """`searched`, slowly: engine/voice.cpp does the same."""
        pieces = [self._beams(vectors[at : at + PIECE], count) for at in range(0, len(vectors), PIECE)]
        return np.concatenate([np.zeros((0, count), np.uint8), *pieces])

    def _beams(self, vectors: Float32, count: int) -> NDArray[np.uint8]:
        left = np.rint(vectors * UNIT)[:, None]  # (frames, ways, latent)
        found, cost = np.zeros((len(vectors), 1, 0), np.uint8), np.square(left).sum(2)
        for book in self.books[:count].astype(np.float64):
            options = cost[:, :, None] + (book * book).sum(1) - 2.0 * (left @ book.T)
            # whole numbers that all differ: the same ways everywhere
            keys = options.reshape(len(left), -1) * 1024 + np.arange(options[0].size)
            best = np.sort(np.partition(keys, BEAMS - 1, 1)[:, :BEAMS], 1)
            way, code = np.divmod((best % 1024).astype(np.int64), CODES)
            cost = np.floor(best / 1024)
            left = np.take_along_axis(left, way[:, :, None], 1) - book[code]
            chosen = code[:, :, None].astype(np.uint8)
            found = np.concatenate([np.take_along_axis(found, way[:, :, None], 1), chosen], 2)
        return found[:, 0]

    def vectors(self, tokens: NDArray[np.uint8]) -> Int64:
        """8-bit vectors (frames, latent) that tokens, uint8 (frames, count), stand for; UsageError for others."""
        if tokens.dtype != np.uint8 or tokens.ndim != 2 or tokens.shape[1] > self.config.quantisers:
            shape = f"{tokens.dtype}{list(tokens.shape)}"
            raise UsageError(f"tokens are {shape}, must be uint8[frames, at most {self.config.quantisers}]")
        total = np.zeros((len(tokens), self.config.latent), np.int64)
        for q in range(tokens.shape[1]):
            total += self.books[q][tokens[:, q]]
        return np.clip(total, -127, 127)

    def exact(self, vectors: Float32) -> Int64:
        """Vectors that were not quantised by tokens, as the conditioner takes them: 8-bit (frames, latent)."""
        return np.clip(np.rint(vectors * UNIT), -127, 127).astype(np.int64)

    def inexact(self, vectors: Int64) -> Float32:
        """8-bit vectors as `encode` gives them."""
        return (vectors / UNIT).astype(np.float32)

    def condition(self, vectors: Int64, first: int = 0, last: int | None = None) -> NDArray[np.int16]:
        """What the network is given in frames `first` to `last` of 8-bit vectors (frames, latent).

        int16 ((last - first) x parts, given units): for the frame tier's gates, and the linear predictor's reflection
        coefficients. Hidden values before the first frame and after the last are 0;
        a slice that begins LOOKAHEAD frames earlier and ends LOOKAHEAD frames later gives the same.
        """
        last = len(vectors) if last is None else last
        low, high = max(0, first - 1), min(len(vectors), last + 1)
        hidden = self._hidden_0.hidden(around(cut(vectors, low - 1, high + 1), TAPS))[1 : 1 + high - low]
        hidden = self._hidden_1.hidden(around(cut(hidden, first - 1 - low, last + 1 - low), TAPS))[1:-1]
        parts = (last - first) * self.config.parts
        both = self._gates.values(hidden), self._reflect.curve(self._reflect.values(hidden))
        return np.concatenate([x.reshape(parts, x.shape[1] // self.config.parts) for x in both], 1).astype(np.int16)


def check_shape(mel: NDArray[Any], bands: int, name: str) -> None:
    """AudioError when log-mel features are not of the right shape and type."""
    if mel.ndim != 2 or mel.shape[1] != bands or not len(mel) or mel.dtype.kind != "f":
        raise AudioError(f"{name}: is {mel.dtype}{list(mel.shape)}, must be floats [frames, {bands}], 10 ms a frame")


def checked(mel: NDArray[Any], bands: int, name: str = "features") -> NDArray[np.float32]:
    """Log-mel features as float32 (even count, bands); AudioError when shape, type or range are wrong."""
    check_shape(mel, bands, name)
    if not np.isfinite(mel).all() or mel.min() < MIN_LOG_MEL or mel.max() > MAX_LOG_MEL:
        raise AudioError(
            f"{name}: must be finite natural logarithms of mel powers plus 1e-6, {MIN_LOG_MEL:g} to {MAX_LOG_MEL:g}"
        )
    return np.concatenate([mel, mel[-1:]])[: len(mel) + len(mel) % 2].astype(np.float32)


def check(config: VocoderConfig, model: ModelConfig, tensors: Tensors) -> None:
    """CheckpointError when a tensor of a vocoder is missing, unknown, or of another type, shape or range."""
    check_tensors("vocoder", layout(config, model), tensors)


def check_tensors(what: str, wanted: dict[str, tuple[str, tuple[int, ...]]], tensors: Tensors) -> None:
    """CheckpointError when `tensors` of a `what` are not those `wanted`, or out of the range that their names have."""
    for name in tensors.keys() - wanted.keys():
        raise CheckpointError(f"tensor {name[:60]!r} is not one that this {what} has")
    for name, (kind, shape) in wanted.items():
        if name not in tensors:
            raise CheckpointError(f"tensor {name} is missing")
        tensor = tensors[name]
        if tensor.dtype != np.dtype(kind) or tensor.shape != shape:
            raise CheckpointError(f"tensor {name} is {tensor.dtype}{list(tensor.shape)}, must be {kind}{list(shape)}")
        if kind == "float32" and not np.all(np.isfinite(tensor)):
            raise CheckpointError(f"tensor {name} holds a number that is not finite")
        if name.endswith((".weight", ".books")) and kind == "int8" and tensor.min() < -127:
            raise CheckpointError(f"tensor {name}: values must be -127 to 127")
        if name.endswith(".scale") and tensor.min() < 0:
            raise CheckpointError(f"tensor {name}: scales must be 0 or more")
        if name.endswith(".shift") and not 0 <= int(tensor[0]) <= 12:
            raise CheckpointError(f"tensor {name}: the shift must be 0 to 12")
