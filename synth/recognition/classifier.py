"""Recognisers: a small float network that tells what a sound is, in NumPy; `listener` is the same network in PyTorch.

`load("digits-classifier").listen(wave, rate)` gives an embedding and the log-probabilities of each target's values.
Sounds of any length are heard in pieces of 10 to 20 seconds, so that memory stays bounded.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synth.audio import reader
from synth.audio.features import normalized_features, to_float32
from synth.checkpoint import fingerprint, format, registry
from synth.common.errors import AudioError, CheckpointError, UsageError
from synth.common.new_file import write_whole
from synth.common.typing import Float32
from synth.recognition.config import CHANNELS, ClassifierConfig, Target, shapes

PIECE_SECONDS = 10.0
"""Longer sounds are heard in pieces of this length, the last one longer by what is left over."""
QUIET = 1
"""A sound whose loudest sample is not above this has nothing to be told from."""


@dataclass(frozen=True)
class Recognition:
    """What a recogniser makes of a sound.

    `embedding`: float32 (embedding,), the layer that all targets are told from, before its nonlinearity.
    `log_probabilities`: for each target float32 (values,), natural logarithms; of a class they are of one distribution,
    of tags each is of its own yes or no. `samples`: how many were heard, at the recogniser's rate.
    """

    embedding: Float32
    log_probabilities: dict[str, Float32]
    samples: int


class Classifier:
    """A loaded recogniser; `load` makes one. It has no state: threads may share it."""

    def __init__(
        self,
        config: ClassifierConfig,
        tensors: dict[str, NDArray[Any]],
        name: str = "",
        info: dict[str, Any] | None = None,
    ) -> None:
        check(config, tensors)
        self.config, self.tensors, self.name, self.info = config, tensors, name, info or {}
        self.path, self.sha256 = Path(), ""

    @property
    def sample_rate(self) -> int:
        """Samples a second of what it hears; others are resampled."""
        return self.config.sample_rate

    @property
    def targets(self) -> tuple[Target, ...]:
        """What it tells, each with its values in the order of the log-probabilities."""
        return self.config.targets

    def listen(self, wave: NDArray[Any], rate: int) -> Recognition:
        """What a recording is: (frames,) or (frames, channels), int16, int32 or floating, at `rate` samples a second.

        Raises AudioError when it is shorter than a window of 25 ms, silent, or not finite.
        """
        return self.hear([reader.from_array(wave, rate, self.sample_rate)])

    def hear(self, blocks: Iterable[NDArray[np.int16]]) -> Recognition:
        """`listen` of int16 blocks (samples,) at the recogniser's rate, which make one sound."""
        total, embedding, loudest = 0, np.zeros(self.config.embedding), 0
        shares = [np.zeros(len(target.values)) for target in self.targets]
        for piece in _pieces(blocks, round(PIECE_SECONDS * self.sample_rate)):
            loudest = max(loudest, int(np.abs(piece.astype(np.int32)).max(initial=0)))
            if not total and len(piece) < self.config.window:
                milliseconds = 1000 * len(piece) / self.sample_rate
                raise AudioError(f"lasts {milliseconds:.3g} ms, which is shorter than a frame of 25 ms")
            found, logits = self.forward(to_float32(piece))
            total += len(piece)
            embedding += len(piece) * found
            for share, target, each in zip(shares, self.targets, logits, strict=True):
                share += len(piece) * probabilities(target, each.astype(np.float64))
        if loudest <= QUIET:
            raise AudioError("is silent")
        logs = {
            target.name: np.log(np.maximum(share / total, 1e-30)).astype(np.float32)
            for target, share in zip(self.targets, shares, strict=True)
        }
        return Recognition((embedding / total).astype(np.float32), logs, total)

    def forward(self, wave: Float32) -> tuple[Float32, list[Float32]]:
        """Embedding (embedding,) and logits (values,) of each target of one wave (samples,), all of it at once."""
        x, taken = normalized_features(wave, self.config)
        y = self._cnn(x) if self.config.net == "cnn" else self._gru(x)
        embedding = self._linear("embed", np.concatenate([y.mean(axis=0), y.max(axis=0)]).astype(np.float32))
        found: Float32 = silu(embedding)
        both: Float32 = found
        if any(target.uses_feature_stats for target in self.targets):
            both = np.concatenate([found, silu(self._linear("voice", taken / np.float32(4)))]).astype(np.float32)
        heads = [
            self._linear(f"heads.{n}", both if t.uses_feature_stats else found) for n, t in enumerate(self.targets)
        ]
        return embedding, heads

    def _linear(self, name: str, x: Float32) -> Float32:
        found: Float32 = x @ self.tensors[f"{name}.weight"].T + self.tensors[f"{name}.bias"]
        return found

    def _cnn(self, x: Float32) -> Float32:
        """The convolutional frames' network: (frames, bands) to (time, units)."""
        t, y = self.tensors, x[None]
        for place in range(len(CHANNELS)):
            y = _convolved(y, t[f"convs.{place}.weight"], t[f"convs.{place}.bias"], 2 if place == 0 else 1)
            y = (y - y.mean((0, 2), keepdims=True)) / np.sqrt(y.var((0, 2), keepdims=True) + np.float32(1e-5))
            y = silu(y * t[f"scales.{place}"][:, None, None] + t[f"shifts.{place}"][:, None, None])
        columns = y.transpose(0, 2, 1).reshape(-1, y.shape[1])  # (channels x bands, time)
        padded, weight = np.pad(columns, ((0, 0), (1, 1))), t["last.weight"]
        found = sum(weight[:, :, k] @ padded[:, k : k + columns.shape[1]] for k in range(3)).T + t["last.bias"]
        return silu(self._normed(found))

    def _gru(self, x: Float32) -> Float32:
        """The recurrent frames' network: (frames, bands) to (pairs of frames, 2 x units)."""
        pairs = np.pad(x, ((0, len(x) % 2), (0, 0))).reshape(-1, 2 * x.shape[1])
        y = silu(self._linear("into", pairs))
        for layer in range(2):
            y = np.concatenate([self._ways(layer, "", y), self._ways(layer, "_reverse", y[::-1])[::-1]], axis=1)
        return self._normed(y)

    def _ways(self, layer: int, way: str, x: Float32) -> Float32:
        """One direction of a GRU layer along x (time, inputs): (time, units)."""
        part = {
            name: self.tensors[f"grus.{layer}.{name}_l0{way}"]
            for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        }
        units = self.config.units
        given, weight, bias = x @ part["weight_ih"].T + part["bias_ih"], part["weight_hh"].T.copy(), part["bias_hh"]
        h, out = np.zeros(units, np.float32), np.empty((len(x), units), np.float32)
        for at in range(len(x)):
            own = h @ weight + bias
            gates = 1 / (1 + np.exp(-(given[at, : 2 * units] + own[: 2 * units])))
            new = np.tanh(given[at, 2 * units :] + gates[:units] * own[2 * units :])
            h = new + gates[units:] * (h - new)
            out[at] = h
        return out

    def _normed(self, y: Float32) -> Float32:
        scaled = (y - y.mean(axis=1, keepdims=True)) / np.sqrt(y.var(axis=1, keepdims=True) + np.float32(1e-5))
        found: Float32 = scaled * self.tensors["last_norm.weight"] + self.tensors["last_norm.bias"]
        return found


def silu(x: Float32) -> Float32:
    """x times its sigmoid, by a hyperbolic tangent, which does not overflow."""
    half = np.float32(0.5)
    found: Float32 = half * x * (1 + np.tanh(half * x))
    return found


def probabilities(target: Target, logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of logits (values,): softmax for a class, sigmoids for tags."""
    if target.kind == "tags":
        return 0.5 * (1 + np.tanh(logits / 2))
    shares = np.exp(logits - logits.max())
    found: NDArray[np.float64] = shares / shares.sum()
    return found


def _pieces(blocks: Iterable[NDArray[np.int16]], length: int) -> Iterator[NDArray[np.int16]]:
    """Stretches of `length` samples, the last one shorter than twice that, whatever the blocks' sizes."""
    held = np.zeros(0, np.int16)
    for block in blocks:
        held = np.concatenate([held, block])
        while len(held) >= 2 * length:
            yield held[:length]
            held = held[length:]
    yield held


def _convolved(x: Float32, weight: Float32, bias: Float32, stride: int) -> Float32:
    """A 3 x 3 convolution of x (channels, time, bands) with zeros around it; every other band, every `stride` frame."""
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(1, 2))[:, ::stride, ::2]
    columns = windows.transpose(1, 2, 0, 3, 4).reshape(windows.shape[1] * windows.shape[2], -1)
    found = columns @ weight.reshape(len(weight), -1).T + bias
    return found.reshape(windows.shape[1], windows.shape[2], len(weight)).transpose(2, 0, 1)


def check(config: ClassifierConfig, tensors: dict[str, NDArray[Any]]) -> None:
    """CheckpointError unless these are the finite float32 tensors of a network of this config."""
    wanted = shapes(config)
    for name in sorted(wanted.keys() ^ tensors.keys()):
        raise CheckpointError(f"tensor {name}: is {'missing' if name in wanted else 'not one of a recogniser'}")
    for name, shape in wanted.items():
        tensor = tensors[name]
        if tensor.dtype != np.float32 or tensor.shape != shape:
            raise CheckpointError(f"tensor {name}: {tensor.dtype} {tensor.shape}, must be float32 {shape}")
        if not np.isfinite(tensor).all():
            raise CheckpointError(f"tensor {name}: holds NaN or infinity")


def save(
    path: str | os.PathLike[str], config: ClassifierConfig, tensors: dict[str, NDArray[Any]], info: dict[str, Any]
) -> None:
    """Write a recogniser beside `path` and rename it into place; OutputError when that can't be done."""
    check(config, tensors)
    write_whole(path, format.pack(format.RECOGNISER, config.to_json(), tensors, info))


def load(name_or_path: str | os.PathLike[str] = "digits-classifier") -> Classifier:
    """The recogniser of a bundled name or a path; CheckpointError, with the file's name, when it can't be used."""
    return opened(*registry.read(name_or_path))


def opened(path: Path, data: bytes) -> Classifier:
    """The recogniser in a file's bytes."""
    try:
        found, tensors, info = format.unpack(data, format.RECOGNISER)
        recogniser = Classifier(ClassifierConfig.from_json(found), tensors, path.stem, info)
    except (CheckpointError, UsageError) as error:
        raise CheckpointError(f"{path}: {error}") from None
    recogniser.path, recogniser.sha256 = path, fingerprint.of_bytes(data)
    return recogniser
