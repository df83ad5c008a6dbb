"""The spectral envelope that a voice's latents stand for, in integers: what the postfilter holds its sound to."""

from __future__ import annotations

from typing import Any

import numpy as np

from synth.common.typing import Int64, Tensors
from synth.engine.layers import Layer, kernels_of, slice_padded, unfold_time
from synth.vocoder.config import TAPS, PostfilterConfig, VocoderConfig

UNIT = 1024
"""Of 1.0 in binary logarithms of mel powers (of sound of full scale 1)."""
_SLOPE, _SHIFT, _OFFSET = 23637, 12, 8864
_TONE_SLOPE, _TONE_OFFSET = 29546, 20682
"""Normalised natural logarithms of unit 1024 to binary ones: times 4 / ln 2, less 6 / ln 2 (`mel.normalize_mel`); of
levels of tones times 5 / ln 2, less 14 / ln 2 (`tonal.normalize_features`)."""


def layout(config: VocoderConfig, postfilter: PostfilterConfig) -> dict[str, tuple[str, tuple[int, ...]]]:
    """dtype and shape of an envelope's tensors."""
    units = postfilter.units
    tensors: dict[str, tuple[str, tuple[int, ...]]] = {}
    layers = [
        ("0", units, TAPS * config.latent),
        ("1", units, TAPS * units),
        ("out", 2 * config.targets, units),
    ]
    if config.has_bed:
        layers.append(("linear", 2 * config.targets, TAPS * config.latent))
    for name, rows, columns in layers:
        tensors[f"postfilter.envelope.{name}.weight"] = ("int8", (rows, columns))
        tensors[f"postfilter.envelope.{name}.scale"] = ("int16", (rows,))
        tensors[f"postfilter.envelope.{name}.shift"] = ("int32", (1,))
        tensors[f"postfilter.envelope.{name}.bias"] = ("int16", (rows,))
    return tensors


class Envelope:
    """Two hidden layers over three token frames each, and one more; may be shared by threads.

    With a bed a linear map of the three token frames is added to it.
    """

    def __init__(self, config: VocoderConfig, tensors: Tensors, prefer: str = "auto") -> None:
        self._layers = [Layer(tensors, f"postfilter.envelope.{name}", prefer) for name in ("0", "1", "out")]
        self._linear = Layer(tensors, "postfilter.envelope.linear", prefer) if config.has_bed else None
        self._mels, self._targets = config.mels, config.targets
        self._levels = slice(config.mels, config.mels + config.tones + config.notes)

    @property
    def kernels(self) -> list[Any]:
        """The layers in C++, the linear one last; none where the specification does the work."""
        return kernels_of([*self._layers, *([] if self._linear is None else [self._linear])]) or []

    def target_mel(self, latents: Int64, first: int, last: int) -> Int64:
        """Binary logarithms of mel powers, in 1/1024, of token frames `first` to `last`: (2 x (last - first), mels).

        `latents`: 8-bit (frames, latent); two frames before `first` and after `last` are looked at, where there are.
        """
        return self.read(latents, first, last)[0]

    def read(self, latents: Int64, first: int, last: int) -> tuple[Int64, Int64, Int64]:
        """`target_mel`, levels (frames, tones or notes) with a bed, and with a tonal one voicing (frames,).

        As in `bed.TonalFrames`; for notes as `note_bed.NoteBed.frames` takes them.
        """
        low, high = max(0, first - 1), min(len(latents), last + 1)
        hidden = self._layers[0].hidden(unfold_time(slice_padded(latents, low - 1, high + 1), TAPS))[1 : 1 + high - low]
        hidden = self._layers[1].hidden(unfold_time(slice_padded(hidden, first - 1 - low, last + 1 - low), TAPS))[1:-1]
        values = self._layers[2].values(hidden).astype(np.int64)
        if self._linear is not None:
            values = values + self._linear.values(unfold_time(slice_padded(latents, first - 1, last + 1), TAPS)[1:-1])
        natural = values.reshape(2 * (last - first), self._targets)
        mel, tones, voicing = natural[:, : self._mels], natural[:, self._levels], natural[:, -1]
        return _binary(mel, _SLOPE, _OFFSET), _binary(tones, _TONE_SLOPE, _TONE_OFFSET), voicing


def _binary(natural: Int64, slope: int, offset: int) -> Int64:
    return np.asarray(((natural * slope + (1 << _SHIFT - 1)) >> _SHIFT) - offset, np.int64)
