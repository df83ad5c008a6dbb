"""Classifiers of sound: a small float network in NumPy; `synth.nn.classifier` is the same network in PyTorch.

`load_classifier("digits-classifier").classify(wave, rate)` gives an embedding and the log-probabilities of each
target's values. Sounds of any length are classified in pieces of 10 to 20 seconds, so that memory stays bounded.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from synth.audio import reader
from synth.audio.features import normalized_features, to_float32
from synth.checkpoint import fingerprint, format, registry
from synth.common.errors import AudioError, CheckpointError, UsageError
from synth.common.new_file import write_whole
from synth.common.typing import AnyArray, Float32, Float64, Int16, Tensors
from synth.recognition.config import CHANNELS, ClassifierConfig, Target, shapes

PIECE_SECONDS = 10.0
"""Longer sounds are classified in pieces of this length, the last one longer by what is left over."""
QUIET = 1
"""A sound whose loudest sample is not above this, of 32767, is silent."""
MIN_PROBABILITY = 1e-30


@dataclass(frozen=True)
class Recognition:
    """What a classifier makes of a sound.

    Attributes
    ----------
    embedding : numpy.ndarray
        float32 (embedding,): the layer that all targets are told from, before its nonlinearity; the mean over pieces.
    log_probabilities : dict of str to numpy.ndarray
        For each target float32 (values,), natural logarithms, in the order of the target's `values`. Those of a class
        are of one distribution, those of tags each of its own yes or no.
    samples : int
        How many samples were classified, at the classifier's sample rate.

    Examples
    --------
    >>> import numpy as np
    >>> import synth
    >>> wave = np.random.default_rng(1).normal(0, 0.1, 8000).astype(np.float32)
    >>> recognition = synth.load_classifier("digits-classifier").classify(wave, 8000)
    >>> recognition.samples
    8000
    >>> recognition.log_probabilities["digit"].shape
    (10,)
    """

    embedding: Float32
    log_probabilities: dict[str, Float32]
    samples: int


class Classifier:
    """A network that tells what sounds are, as `load_classifier` gives it. It has no state: threads may share it.

    Attributes
    ----------
    config : ClassifierConfig
        Features, sizes and targets.
    name : str
        The name of its file without the suffix; empty for one that was not loaded.
    info : dict
        Its model card.
    path : pathlib.Path
        Its file.
    sha256 : str
        The SHA-256 of its file, in hexadecimal digits.

    Examples
    --------
    >>> import synth
    >>> classifier = synth.load_classifier("digits-classifier")
    >>> classifier.sample_rate
    8000
    >>> [target.name for target in classifier.targets]
    ['digit', 'speaker']
    >>> classifier.targets[0].values
    ('0', '1', '2', '3', '4', '5', '6', '7', '8', '9')
    """

    def __init__(
        self,
        config: ClassifierConfig,
        tensors: Tensors,
        name: str = "",
        info: dict[str, Any] | None = None,
    ) -> None:
        check(config, tensors)
        self.config, self.tensors, self.name, self.info = config, tensors, name, info or {}
        self.path, self.sha256 = Path(), ""

    def __repr__(self) -> str:
        targets = ", ".join(f"{target.name} ({len(target.values)})" for target in self.targets)
        name = f"{type(self).__name__} {self.name}".rstrip()
        return f"<{name}: {self.sample_rate} Hz, tells {targets}>"

    def __reduce__(self) -> tuple[Any, ...]:
        """Classifiers pickle by the path of their file, which is loaded again and must be the same."""
        if not self.sha256:
            return type(self), (self.config, self.tensors, self.name, self.info)
        return _reopened, (os.path.abspath(self.path), self.sha256)

    @property
    def sample_rate(self) -> int:
        """Samples a second of what it classifies; sounds of other rates are resampled."""
        return self.config.sample_rate

    @property
    def targets(self) -> tuple[Target, ...]:
        """What it tells, each with its values in the order of the log-probabilities."""
        return self.config.targets

    def classify(self, wave: AnyArray, rate: int) -> Recognition:
        """Tell what a recording is.

        Parameters
        ----------
        wave : array_like
            (frames,) or (frames, channels): int16, int32, or floating with full scale 1. Channels are averaged.
        rate : int
            Its sample rate in Hz, any.

        Returns
        -------
        Recognition
            Embedding and log-probabilities of each target's values.

        Raises
        ------
        AudioError
            When the recording is shorter than a window of 25 ms, silent, or not finite.
        UsageError
            When `wave` or `rate` is of another kind.

        Examples
        --------
        >>> import numpy as np
        >>> import synth
        >>> classifier = synth.load_classifier("digits-classifier")
        >>> wave = np.random.default_rng(1).integers(-3000, 3000, 8000).astype(np.int16)
        >>> recognition = classifier.classify(wave, 8000)
        >>> recognition.embedding.shape
        (96,)
        >>> probabilities = np.exp(recognition.log_probabilities["digit"])
        >>> bool(abs(probabilities.sum() - 1) < 1e-5)
        True
        """
        return self.classify_blocks([reader.from_array(wave, rate, self.sample_rate)])

    def classify_blocks(self, blocks: Iterable[Int16]) -> Recognition:
        """`classify` of int16 blocks (samples,) at the classifier's rate, which make one sound."""
        total, embedding, loudest = 0, np.zeros(self.config.embedding), 0
        sums = [np.zeros(len(target.values)) for target in self.targets]
        for piece in _pieces(blocks, round(PIECE_SECONDS * self.sample_rate)):
            loudest = max(loudest, int(np.abs(piece.astype(np.int32)).max(initial=0)))
            if not total and len(piece) < self.config.window:
                milliseconds = 1000 * len(piece) / self.sample_rate
                raise AudioError(f"lasts {milliseconds:.3g} ms, which is shorter than a frame of 25 ms")
            own_embedding, logits = self.forward(to_float32(piece))
            total += len(piece)
            embedding += len(piece) * own_embedding
            for sum_, target, each in zip(sums, self.targets, logits, strict=True):
                sum_ += len(piece) * probabilities(target, each.astype(np.float64))
        if loudest <= QUIET:
            raise AudioError("is silent")
        logs = {
            target.name: np.log(np.maximum(sum_ / total, MIN_PROBABILITY)).astype(np.float32)
            for target, sum_ in zip(self.targets, sums, strict=True)
        }
        return Recognition((embedding / total).astype(np.float32), logs, total)

    def forward(self, wave: Float32) -> tuple[Float32, list[Float32]]:
        """Embedding (embedding,) and logits (values,) of each target of one wave (samples,), all of it at once."""
        features, feature_stats = normalized_features(wave, self.config)
        y = self._cnn(features) if self.config.net == "cnn" else self._gru(features)
        embedding = self._linear("embed", np.concatenate([y.mean(axis=0), y.max(axis=0)]).astype(np.float32))
        shared: Float32 = silu(embedding)
        with_stats = shared
        if any(target.uses_feature_stats for target in self.targets):
            stats = silu(self._linear("voice", feature_stats / np.float32(4)))
            with_stats = np.concatenate([shared, stats]).astype(np.float32)
        logits = [
            self._linear(f"heads.{place}", with_stats if target.uses_feature_stats else shared)
            for place, target in enumerate(self.targets)
        ]
        return embedding, logits

    def _linear(self, name: str, x: Float32) -> Float32:
        y: Float32 = x @ self.tensors[f"{name}.weight"].T + self.tensors[f"{name}.bias"]
        return y

    def _cnn(self, x: Float32) -> Float32:
        """The convolutional frames' network: (frames, bands) to (time, units)."""
        t, y = self.tensors, x[None]
        for place in range(len(CHANNELS)):
            y = _convolved(y, t[f"convs.{place}.weight"], t[f"convs.{place}.bias"], 2 if place == 0 else 1)
            y = (y - y.mean((0, 2), keepdims=True)) / np.sqrt(y.var((0, 2), keepdims=True) + np.float32(1e-5))
            y = silu(y * t[f"scales.{place}"][:, None, None] + t[f"shifts.{place}"][:, None, None])
        columns = y.transpose(0, 2, 1).reshape(-1, y.shape[1])  # (channels x bands, time)
        padded, weight = np.pad(columns, ((0, 0), (1, 1))), t["last.weight"]
        y = sum(weight[:, :, k] @ padded[:, k : k + columns.shape[1]] for k in range(3)).T + t["last.bias"]
        return silu(self._normalized(y))

    def _gru(self, x: Float32) -> Float32:
        """The recurrent frames' network: (frames, bands) to (pairs of frames, 2 x units)."""
        pairs = np.pad(x, ((0, len(x) % 2), (0, 0))).reshape(-1, 2 * x.shape[1])
        y = silu(self._linear("into", pairs))
        for layer in range(2):
            y = np.concatenate(
                [self._direction(layer, "", y), self._direction(layer, "_reverse", y[::-1])[::-1]], axis=1
            )
        return self._normalized(y)

    def _direction(self, layer: int, way: str, x: Float32) -> Float32:
        """One direction of a GRU layer along x (time, inputs): (time, units)."""
        part = {
            name: self.tensors[f"grus.{layer}.{name}_l0{way}"]
            for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        }
        units = self.config.units
        gate_inputs, weight, bias = (
            x @ part["weight_ih"].T + part["bias_ih"],
            part["weight_hh"].T.copy(),
            part["bias_hh"],
        )
        h, out = np.zeros(units, np.float32), np.empty((len(x), units), np.float32)
        for at in range(len(x)):
            recurrent = h @ weight + bias
            gates = 1 / (1 + np.exp(-(gate_inputs[at, : 2 * units] + recurrent[: 2 * units])))
            new = np.tanh(gate_inputs[at, 2 * units :] + gates[:units] * recurrent[2 * units :])
            h = new + gates[units:] * (h - new)
            out[at] = h
        return out

    def _normalized(self, y: Float32) -> Float32:
        scaled = (y - y.mean(axis=1, keepdims=True)) / np.sqrt(y.var(axis=1, keepdims=True) + np.float32(1e-5))
        normalized: Float32 = scaled * self.tensors["last_norm.weight"] + self.tensors["last_norm.bias"]
        return normalized


def silu(x: Float32) -> Float32:
    """x times its sigmoid, by a hyperbolic tangent, which does not overflow."""
    half = np.float32(0.5)
    y: Float32 = half * x * (1 + np.tanh(half * x))
    return y


def probabilities(target: Target, logits: Float64) -> Float64:
    """Of logits (values,): softmax for a class, sigmoids for tags."""
    if target.kind == "tags":
        return 0.5 * (1 + np.tanh(logits / 2))
    exponentials = np.exp(logits - logits.max())
    softmax: Float64 = exponentials / exponentials.sum()
    return softmax


def _pieces(blocks: Iterable[Int16], length: int) -> Iterator[Int16]:
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
    y = columns @ weight.reshape(len(weight), -1).T + bias
    return y.reshape(windows.shape[1], windows.shape[2], len(weight)).transpose(2, 0, 1)


def check(config: ClassifierConfig, tensors: Tensors) -> None:
    """CheckpointError unless these are the finite float32 tensors of a network of this config."""
    wanted = shapes(config)
    for name in sorted(wanted.keys() ^ tensors.keys()):
        raise CheckpointError(f"tensor {name}: is {'missing' if name in wanted else 'not one of a classifier'}")
    for name, shape in wanted.items():
        tensor = tensors[name]
        if tensor.dtype != np.float32 or tensor.shape != shape:
            raise CheckpointError(f"tensor {name}: {tensor.dtype} {tensor.shape}, must be float32 {shape}")
        if not np.isfinite(tensor).all():
            raise CheckpointError(f"tensor {name}: holds NaN or infinity")


def save(path: str | os.PathLike[str], config: ClassifierConfig, tensors: Tensors, info: dict[str, Any]) -> None:
    """Write a classifier beside `path` and rename it into place; OutputError when that can't be done."""
    check(config, tensors)
    write_whole(path, format.pack(format.CLASSIFIER, config.to_json(), tensors, info))


def _reopened(path: str, sha256: str) -> Classifier:
    """The classifier that was pickled; CheckpointError where the file at `path` is another one by now."""
    loaded = load_classifier(path)
    if loaded.sha256 != sha256:
        raise CheckpointError(f"{path}: is another checkpoint than the one of the classifier that was pickled")
    return loaded


def load_classifier(name_or_path: str | os.PathLike[str] = "digits-classifier") -> Classifier:
    """Load a classifier of sounds.

    Parameters
    ----------
    name_or_path : str or os.PathLike
        The name of one that comes with synth (`synth info` lists them), or a file that `synth export` wrote of a run of
        `synth train --task classify`.

    Returns
    -------
    Classifier
        The network; it has no state and may be used by several threads.

    Raises
    ------
    CheckpointError
        When there is no such file, or it is damaged or no classifier; the text names the file.

    Examples
    --------
    >>> import synth
    >>> synth.load_classifier("digits-classifier").targets[0].name
    'digit'
    """
    return from_bytes(*registry.read(name_or_path))


def from_bytes(path: Path, data: bytes) -> Classifier:
    """The classifier in a file's bytes."""
    try:
        config, tensors, info = format.unpack(data, format.CLASSIFIER)
        classifier = Classifier(ClassifierConfig.from_json(config), tensors, path.stem, info)
    except (CheckpointError, UsageError) as error:
        raise CheckpointError(f"{path}: {error}") from None
    classifier.path, classifier.sha256 = path, fingerprint.of_bytes(data)
    return classifier
