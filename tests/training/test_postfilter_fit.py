"""The fit of a postfilter: what is learned in float is what the integers compute, and it gets near the features."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import torch
from helpers import voices
from helpers.voices import NETWORK, POSTFILTER, RATE, VOCODER

from synth.audio import mulaw
from synth.common.labels import LabelSet
from synth.nn.vocoder import VocoderNetwork
from synth.training.postfilter_fit import EnvelopeModel, fit
from synth.training.vocoder_loss import mels
from synth.vocoder import envelope, postfilter_tables
from synth.vocoder.envelope import Envelope


def test_the_integers_compute_what_was_learned() -> None:
    torch.manual_seed(1)
    model = EnvelopeModel(VOCODER, POSTFILTER)
    model.quantized = True
    vectors = voices.vectors(40)
    with torch.no_grad():
        model.biases[2].normal_()
        expected = model(torch.from_numpy(vectors[None] / 32).float())[0].double().numpy()
    tensors = model.tensors() | {"table.tanh": voices.network()["table.tanh"]}
    assert {name: (t.dtype.name, t.shape) for name, t in tensors.items() if name != "table.tanh"} == envelope.layout(
        VOCODER, POSTFILTER
    )
    found = Envelope(VOCODER, tensors).target_mel(vectors, 0, 40) / envelope.UNIT
    in_octaves = (expected * 4 - 6) / np.log(2)
    assert np.abs(found - in_octaves).mean() < 0.05  # 0.15 dB
    assert np.abs(found - in_octaves).max() < 0.5


class Sounds:
    """Batches of sounds without files."""

    seed = 0

    def batch(self, step: int) -> Any:
        codes = np.stack([mulaw.encode(voices.sound(1600, 4 * step + row)) for row in range(4)])
        return SimpleNamespace(codes=codes, features=None)


def distance(tensors: dict[str, Any], vocoder: VocoderNetwork) -> float:
    """Of the envelope from the features that it should tell, in binary logarithms."""
    mel = mels(vocoder, Sounds().batch(999).codes)
    with torch.no_grad():
        vectors = np.rint(vocoder.encode(mel).numpy() * 32).astype(np.int64)
    found = Envelope(VOCODER, tensors | {"table.tanh": voices.network()["table.tanh"]})
    told = np.stack([found.target_mel(each, 0, len(each)) for each in vectors]) / envelope.UNIT
    return float(np.abs(told - mel.numpy() / np.log(2)).mean())


def test_a_fit_comes_near_the_features_and_is_the_same_each_time() -> None:
    torch.manual_seed(0)
    vocoder = VocoderNetwork(replace(NETWORK, labels=LabelSet()), VOCODER)
    vocoder.freeze()
    found = []
    for steps in (1, 80, 80):
        torch.manual_seed(0)
        found.append(fit(vocoder, POSTFILTER, cast(Any, Sounds()), steps, True))
    wanted = envelope.layout(VOCODER, POSTFILTER) | postfilter_tables.layout(VOCODER, RATE)
    assert {name: (t.dtype.name, t.shape) for name, t in found[1].items()} == wanted
    assert all(np.array_equal(found[1][name], found[2][name]) for name in wanted)
    assert distance(found[1], vocoder) < 0.5 * distance(found[0], vocoder)
