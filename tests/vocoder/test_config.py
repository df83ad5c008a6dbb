"""Options of a vocoder: ranges, JSON, and how its token frames fit a network's."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from helpers.voices import NETWORK, VOCODER

from synth.common.errors import UsageError
from synth.engine.config import ModelConfig
from synth.vocoder.config import VocoderConfig, features_of, stride_of, token_hop


def test_json_gives_the_same_config_back() -> None:
    for config in (VocoderConfig(), VOCODER):
        assert VocoderConfig.from_json(config.to_json()) == config


@pytest.mark.parametrize(
    ("name", "least", "most"),
    [("mels", 8, 128), ("latent", 4, 256), ("quantisers", 1, 16), ("parts", 1, 8), ("units", 16, 1024)]
    + [("encoder_units", 16, 1024)],
)
def test_sizes_have_ranges(name: str, least: int, most: int) -> None:
    for value in (least, most):
        assert getattr(VocoderConfig(**{name: value}), name) == value
    for value in (least - 1, most + 1, -1, 2**70):
        with pytest.raises(UsageError, match=f"^{name} {value}: must be {least} to {most}$"):
            VocoderConfig(**{name: value})


@pytest.mark.parametrize(
    "data",
    [None, [], {}, {**VOCODER.to_json(), "more": 1}, {k: v for k, v in VOCODER.to_json().items() if k != "mels"}]
    + [{**VOCODER.to_json(), "mels": value} for value in (8.0, "8", True, None, [8])],
)
def test_json_of_another_kind_is_refused(data: Any) -> None:
    with pytest.raises(UsageError, match="^vocoder config: "):
        VocoderConfig.from_json(data)


@pytest.mark.parametrize("mels", [8, 19, 20, 128])
def test_there_are_features_for_every_number_of_bands(mels: int) -> None:
    heard = features_of(VocoderConfig(mels=mels), 16000)
    assert (heard.bands, heard.hop, heard.window) == (mels, 160, 400)


@pytest.mark.parametrize(
    ("rate", "parts", "stride"), [(8000, 2, 5), (8000, 1, 10), (16000, 2, 10), (24000, 3, 10), (48000, 1, 60)]
)
def test_a_vector_lasts_a_part_of_a_token_frame(rate: int, parts: int, stride: int) -> None:
    config, model = VocoderConfig(parts=parts), ModelConfig(rate)
    assert stride_of(config, model) == stride
    assert stride * model.hop * parts == token_hop(rate) == rate // 50


@pytest.mark.parametrize(("rate", "parts"), [(11025, 2), (22050, 1), (44100, 2), (8000, 3), (1000, 1), (384000, 2)])
def test_rates_that_token_frames_do_not_fit_are_named(rate: int, parts: int) -> None:
    with pytest.raises(UsageError, match=f"^rate {rate}: .*as at 8000, 16000"):
        stride_of(VocoderConfig(parts=parts), replace(NETWORK, sample_rate=rate))
