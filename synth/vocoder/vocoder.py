"""The vocoder without torch: sound to latents and tokens, tokens to the conditioning of the network, in integers.

A token frame is 20 ms. The encoder takes log-mel features and gives a vector of latents a frame; a residual vector
quantizer (SoundStream, arXiv 2107.03312) names it by up to 16 tokens of 8 bits, whose codebook entries add up to it;
the conditioner, two convolutions over three frames each and one layer more, turns quantized latents into the
conditioning of the network's frame tier and of its linear predictor. The encoder computes exactly or in a written order
(`synth.audio.exact_math`), from tokens on all is integer arithmetic: the same on every machine.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from synth.audio.exact_math import ExactProduct, logistic
from synth.common.errors import AudioError, UsageError
from synth.common.typing import AnyArray, Float32, Float64, Int16, Int32, Int64, MonoSamples, Tensors, UInt8
from synth.engine import select
from synth.engine.config import ModelConfig
from synth.engine.layers import Layer, kernels_of, slice_padded, unfold_time
from synth.vocoder.analysis import analysis_of, given_latents, normalized_rows
from synth.vocoder.config import CODES, TAPS, VocoderConfig, stride_of, token_hop
from synth.vocoder.mel import mel_of, normalize_mel

BOUND = 3.96875
"""Latents are within this."""
UNIT = 32
"""Of 1.0 in the 8-bit integers of latents."""
PIECE, CONTEXT = 1000, 4
"""Token frames that are encoded at once, and those before and after them that are encoded along."""
BEAMS, SEARCHED = 4, 8
"""Beams that are kept while tokens are searched; the most tokens a frame that are in a voice without a tonal bed."""


def _gelu(x: Float64) -> Float64:
    """x / 2 (1 + tanh(0.79788 (x + 0.044715 x^3)))."""
    y = x * x
    y *= 2 * 0.7978845608 * 0.044715
    y += 2 * 0.7978845608
    y *= x
    y = logistic(y)
    y *= x
    return y


class Vocoder:
    """Encoder, residual vector quantizer and conditioner of a voice; may be shared by threads.

    `hop`: samples of a token frame; `conditioning_hop`: samples that one conditioning vector lasts;
    `conditioning_units`: its length. `prefer`: the engine, as for `engine.create`.
    """

    def __init__(self, config: VocoderConfig, model: ModelConfig, tensors: Tensors, prefer: str = "auto") -> None:
        self.config, self.rate = config, model.sample_rate
        self.hop = token_hop(model.sample_rate)
        self.conditioning_hop = stride_of(config, model) * model.hop
        self.conditioning_units = 3 * model.frame_units + model.order
        """Of what `condition` gives; with a tonal bed the pitch comes after it."""
        self._floats = {name: tensors[name] for name in tensors if name.startswith("vocoder.encoder.")}
        self._products: dict[str, ExactProduct] = {}
        self.codebooks = tensors["vocoder.books"].astype(np.int64)
        names = ("condition.0", "condition.1", "condition.out", "reflect")
        self._hidden_0, self._hidden_1, self._gates, self._reflect = (
            Layer(tensors, f"vocoder.{name}", prefer) for name in names
        )
        parts = select.parts(prefer)
        self._pairs: Int32 | None = None
        self._native = None if parts is None else parts.Codebooks(tensors)

    @property
    def kernels(self) -> list[Any] | None:
        """The conditioner's layers in C++; None where the specification does the work."""
        return kernels_of([self._hidden_0, self._hidden_1, self._gates, self._reflect])

    def _layer(self, name: str, x: AnyArray) -> Float64:
        if name not in self._products:  # two threads may both make it, the same
            self._products[name] = ExactProduct(self._floats[f"vocoder.encoder.{name}.weight"])
        return self._products[name](x) + self._floats[f"vocoder.encoder.{name}.bias"]

    def encode(self, mel: Float32) -> Float32:
        """Latents (frames, latent) of features (2 x frames, inputs): the same bits on every machine."""
        pieces = self.encode_pieces(len(mel), lambda first, last: mel[first:last])
        return np.concatenate([np.zeros((0, self.config.latent), np.float32), *pieces])

    def encode_pieces(self, frames: int, read: Callable[[int, int], Float32]) -> Iterator[Float32]:
        """`encode`, piece by piece, of `frames` feature frames; `read(first, last)` gives those from one to another."""
        piece, context = 2 * PIECE, 2 * CONTEXT
        for start in range(0, frames, piece):
            low = max(0, start - context)
            mel = read(low, min(frames, start + piece + context))
            yield self._encode(mel)[(start - low) // 2 :][:PIECE]

    def _encode(self, mel: Float32) -> Float32:
        if self.config.has_bed:
            return self._components(mel)
        rows = normalize_mel(mel).astype(np.float32)
        x = _gelu(self._layer("0", unfold_time(rows, TAPS)))
        x = _gelu(self._layer("1", unfold_time(x, 4, 2)))
        x = x + _gelu(self._layer("2", unfold_time(x, TAPS)))
        squashed = logistic(self._layer("out", x) * (2 / BOUND))
        return ((2 * squashed - 1) * BOUND).astype(np.float32)  # the hyperbolic tangent

    def _components(self, rows: Float32) -> Float32:
        """With a bed: a linear map of two feature frames, after the pitch where it is known."""
        pairs = normalized_rows(rows, self.config).reshape(len(rows) // 2, -1)
        latents = np.clip(self._layer("out", pairs), -BOUND, BOUND).astype(np.float32)
        return np.concatenate([given_latents(rows, self.config), latents], 1)

    def features(self, samples: MonoSamples) -> Float32:
        """What `encode` takes, float32 (2 x frames, inputs), of int16 samples (n,) at the model's rate."""
        if not self.config.has_bed:
            return mel_of(samples, self.config, self.rate)
        analysis = analysis_of(self.config, self.rate)
        return np.concatenate([analysis.push(samples), analysis.finish()])

    def encode_sound(self, samples: Int16) -> Float32:
        """`encode` of int16 samples (n,) at the model's rate; AudioError when there are none."""
        if not len(samples):
            raise AudioError("has no samples")
        return np.concatenate(list(self.encode_blocks([samples])))

    def encode_blocks(self, blocks: Iterable[Int16]) -> Iterator[Float32]:
        """`encode_sound`, piece by piece, of samples in blocks of any size."""
        if self.config.has_bed:
            yield from self._encode_analysed(blocks)
            return
        piece, context = PIECE * self.hop, CONTEXT * self.hop
        held, start = np.zeros(0, np.int16), 0  # the next piece begins at `start` of what is held
        for block in itertools.chain(blocks, [None]):
            held = held if block is None else np.concatenate([held, block])
            while start < len(held) and (block is None or start + piece + context <= len(held)):
                latents = self._encode(mel_of(held[: start + piece + context], self.config, self.rate))
                yield latents[start // self.hop :][:PIECE]
                done = max(0, start + piece - context)
                held, start = held[done:], start + piece - done

    def _encode_analysed(self, blocks: Iterable[MonoSamples]) -> Iterator[Float32]:
        """`encode_blocks` of a voice with a bed, which hears a sound's pitch or notes too."""
        analysis = analysis_of(self.config, self.rate)
        piece, context = 2 * PIECE, 2 * CONTEXT
        held, start = np.zeros((0, self.config.inputs), np.float32), 0
        for block in itertools.chain(blocks, [None]):
            held = np.concatenate([held, analysis.finish() if block is None else analysis.push(block)])
            while start < len(held) and (block is None or start + piece + context <= len(held)):
                yield self._encode(held[: start + piece + context])[start // 2 :][:PIECE]
                done = max(0, start + piece - context)
                held, start = held[done:], start + piece - done

    def tokens(self, latents: Float32, count: int | None = None) -> UInt8:
        """The first `count` tokens (None: all) of latents (frames, latent), greedily: uint8 (frames, count)."""
        most = self.config.quantisers
        if count is not None and not 0 <= count <= most:
            raise UsageError(f"tokens {count}: this voice has 1 to {most} a frame")
        tokens = np.empty((len(latents), most if count is None else count), np.uint8)
        for at in range(0, len(latents), PIECE):  # the distances to all entries take memory
            self._nearest(latents[at : at + PIECE], tokens[at : at + PIECE])
        return tokens

    def _nearest(self, latents: Float32, tokens: UInt8) -> None:
        residual = np.rint(latents * UNIT).astype(np.int64)
        for q in range(tokens.shape[1]):
            codebook = self.codebooks[q]
            # exact in doubles: ties go to the first entry on every machine
            distance = (codebook * codebook).sum(1) - 2.0 * (
                residual.astype(np.float64) @ codebook.T.astype(np.float64)
            )
            tokens[:, q] = distance.argmin(1)
            residual = residual - codebook[tokens[:, q]]

    def beam_search_tokens(self, latents: Float32, count: int) -> UInt8:
        """`count` tokens a frame, as `tokens` gives them, but the best of a search with BEAMS beams.

        What one quantizer leaves is for the next: its nearest entry is not always the best to begin with. Without a
        tonal bed more than SEARCHED tokens are those of `tokens`.
        """
        if count > SEARCHED and not self.config.tones:
            return self.tokens(latents, count)
        integers = np.rint(latents * UNIT)
        if self._native is None or not (np.abs(integers) <= 127).all():  # what `encode` does not give
            return self.beam_search_tokens_specified(latents, count)
        tokens: UInt8 = self._native.search(integers, count)
        return tokens

    def beam_search_tokens_specified(self, latents: Float32, count: int) -> UInt8:
        """`beam_search_tokens`, slowly: csrc/vocoder/beam_search.hpp does the same."""
        pieces = [self._beams(latents[at : at + PIECE], count) for at in range(0, len(latents), PIECE)]
        return np.concatenate([np.zeros((0, count), np.uint8), *pieces])

    def _beams(self, latents: Float32, count: int) -> UInt8:
        residual = np.rint(latents * UNIT)[:, None]  # (frames, beams, latent)
        tokens, cost = np.zeros((len(latents), 1, 0), np.uint8), np.square(residual).sum(2)
        for codebook in self.codebooks[:count].astype(np.float64):
            options = cost[:, :, None] + (codebook * codebook).sum(1) - 2.0 * (residual @ codebook.T)
            # whole numbers that all differ: the same beams everywhere
            keys = options.reshape(len(residual), -1) * 1024 + np.arange(options[0].size)
            best = np.sort(np.partition(keys, BEAMS - 1, 1)[:, :BEAMS], 1)
            beam, entry = np.divmod((best % 1024).astype(np.int64), CODES)
            cost = np.floor(best / 1024)
            residual = np.take_along_axis(residual, beam[:, :, None], 1) - codebook[entry]
            chosen = entry[:, :, None].astype(np.uint8)
            tokens = np.concatenate([np.take_along_axis(tokens, beam[:, :, None], 1), chosen], 2)
        return tokens[:, 0]

    def pair_products(self, count: int) -> Int32:
        """Twice the products of entries of codebook q with those of an earlier p, at [q (q - 1) / 2 + p].

        int32 (count (count - 1) / 2, entries of p, entries of q); kept, since they take a while.
        """
        if self._pairs is None or len(self._pairs) < count * (count - 1) // 2:
            books = self.codebooks[:count].astype(np.float64)
            pairs = [2.0 * (books[p] @ books[q].T) for q in range(count) for p in range(q)]
            self._pairs = np.array(pairs, np.float64).reshape(-1, CODES, CODES).astype(np.int32)
        return self._pairs

    def latents(self, tokens: UInt8) -> Int64:
        """8-bit latents (frames, latent) that tokens, uint8 (frames, count), stand for; UsageError for others."""
        if tokens.dtype != np.uint8 or tokens.ndim != 2 or tokens.shape[1] > self.config.quantisers:
            shape = f"{tokens.dtype}{list(tokens.shape)}"
            raise UsageError(f"tokens are {shape}, must be uint8[frames, at most {self.config.quantisers}]")
        total = np.zeros((len(tokens), self.config.latent), np.int64)
        for q in range(tokens.shape[1]):
            total += self.codebooks[q][tokens[:, q]]
        return np.clip(total, -127, 127)

    def quantize_latents(self, latents: Float32) -> Int64:
        """Float latents (frames, latent), not of tokens, as the conditioner takes them: 8-bit (frames, latent)."""
        return np.clip(np.rint(latents * UNIT), -127, 127).astype(np.int64)

    def dequantize_latents(self, latents: Int64) -> Float32:
        """8-bit latents (frames, latent) as floats of the scale that `encode` gives."""
        return (latents / UNIT).astype(np.float32)

    def condition(self, latents: Int64, first: int = 0, last: int | None = None) -> Int16:
        """The network's conditioning in token frames `first` to `last` of 8-bit latents (frames, latent).

        int16 ((last - first) x parts, conditioning units), `parts` vectors a token frame: 3 x frame units for the gates
        of the frame tier, then the linear predictor's reflection coefficients. Hidden values before the first frame and
        after the last are 0; a slice that begins LOOKAHEAD frames earlier and ends as many later gives the same.
        """
        last = len(latents) if last is None else last
        low, high = max(0, first - 1), min(len(latents), last + 1)
        hidden = self._hidden_0.hidden(unfold_time(slice_padded(latents, low - 1, high + 1), TAPS))[1 : 1 + high - low]
        hidden = self._hidden_1.hidden(unfold_time(slice_padded(hidden, first - 1 - low, last + 1 - low), TAPS))[1:-1]
        parts = (last - first) * self.config.parts
        both = self._gates.values(hidden), self._reflect.curve(self._reflect.values(hidden))
        return np.concatenate([x.reshape(parts, x.shape[1] // self.config.parts) for x in both], 1).astype(np.int16)
