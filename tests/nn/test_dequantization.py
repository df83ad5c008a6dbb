"""Integer checkpoints to float weights: quantised again they are the same integers; labels that come and go."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

torch = pytest.importorskip("torch")

from synth.common.labels import LabelSet
from synth.engine.config import ModelConfig
from synth.generation import checkpoint
from synth.nn.dequantization import Weights, dequantize, dequantize_vocoder, with_labels
from synth.nn.quantization import quantize, quantize_vocoder
from synth.nn.two_tier import TwoTierNetwork
from synth.nn.vocoder import VocoderNetwork

VOICES = pytest.mark.parametrize("name", ["speech", "digits"])


def filled(network: Any, weights: Weights) -> Any:
    """The network with these weights; those that are not among them stay."""
    own = dict(network.named_parameters())
    for name, weight in weights.items():
        assert own[name].shape == weight.shape, name
        own[name].data.copy_(torch.from_numpy(weight))
    return network


def check_same(again: dict[str, NDArray[Any]], before: dict[str, NDArray[Any]]) -> None:
    """The same tensors, scales of rows to within one step."""
    for name, tensor in again.items():
        assert tensor.dtype == before[name].dtype and tensor.shape == before[name].shape
        most = 1 if name.endswith(".scale") else 0
        difference = np.abs(tensor.astype(np.float64) - before[name].astype(np.float64))
        assert difference.max() <= most, (name, difference.max())


@VOICES
def test_a_voice_quantised_again_is_the_same(name: str) -> None:
    loaded = checkpoint.load(name)
    assert loaded.voice is not None
    config = loaded.voice.config
    weights = dequantize_vocoder(loaded.config, loaded.tensors, config, loaded.voice.tensors)
    network = filled(VocoderNetwork(loaded.config, config), weights)
    check_same(quantize(network.network, {}), loaded.tensors)
    check_same(quantize_vocoder(network), loaded.voice.tensors)


@VOICES
def test_so_is_its_planner(name: str) -> None:
    voice = checkpoint.load(name).voice
    assert voice is not None and voice.planner is not None
    network = filled(TwoTierNetwork(voice.planner), dequantize(voice.planner, voice.planner_tensors))
    check_same(quantize(network, {}), voice.planner_tensors)


def test_a_plain_network_too() -> None:
    loaded = checkpoint.load("digits-plain")
    network = filled(TwoTierNetwork(loaded.config), dequantize(loaded.config, loaded.tensors))
    check_same(quantize(network, {}), loaded.tensors)


def test_label_tables_keep_the_values_that_both_have() -> None:
    sizes: dict[str, Any] = {"frame_units": 16, "sample_units": 16, "head_units": 16}
    before = ModelConfig(8000, labels=LabelSet((("digit", ("1", "2")), ("speaker", ("ann",)))), **sizes)
    after = ModelConfig(8000, labels=LabelSet((("speaker", ("bob", "ann")), ("mood", ("calm",)))), **sizes)
    network = TwoTierNetwork(before)
    weights = {name: value.detach().numpy() for name, value in network.named_parameters()}
    changed = with_labels(weights, before, after)
    speaker = weights["frame_labels.1"]
    np.testing.assert_array_equal(changed["frame_labels.0"], [speaker[0], np.zeros(48), speaker[1]])
    np.testing.assert_array_equal(changed["frame_labels.1"], np.zeros((2, 48)))
    assert {name: w.shape for name, w in changed.items()} == {
        name: tuple(p.shape) for name, p in TwoTierNetwork(after).named_parameters()
    }
    same = with_labels(weights, before, before)
    for name, weight in weights.items():
        np.testing.assert_array_equal(same[name], weight)
