"""The log-mel features that a voice's encoder takes: of samples, of arrays that a person gives, normalized."""

from __future__ import annotations

from typing import Any

import numpy as np

from synth.audio import mulaw
from synth.audio.features import features
from synth.common.errors import AudioError
from synth.common.typing import AnyArray, Float32, Int16
from synth.vocoder.config import VocoderConfig, features_of, token_hop

MIN_LOG_MEL, MAX_LOG_MEL = -16.0, 16.0
"""What natural logarithms of mel powers plus 1e-6 can be, of waves of full scale 1."""
CENTRE, SPREAD = -6.0, 4.0
"""Of natural logarithms of mel powers, roughly; the encoder takes them normalized by these."""


def normalize_mel(mel: Any) -> Any:
    """Log-mel features (arrays or tensors) as the encoder's first layer takes them."""
    return (mel - CENTRE) / SPREAD


def mel_of(samples: Int16, config: VocoderConfig, rate: int) -> Float32:
    """Log-mel features, float32 (2 x token frames, mels), of int16 samples (n,) at `rate`, silence after their end.

    The samples go through the mu-law codes first, which are all that the network ever draws.
    """
    hop, feature_config = token_hop(rate), features_of(config, rate)
    frames = -(-len(samples) // hop)
    wave = np.zeros(max(frames * hop, feature_config.min_samples), np.float32)
    wave[: len(samples)] = mulaw.decode(mulaw.encode(samples)).astype(np.float32) / 32768
    return features(wave, feature_config)[: 2 * frames]


def check_mel_shape(mel: AnyArray, bands: int, name: str) -> None:
    """AudioError when log-mel features are not of the right shape and type."""
    if mel.ndim != 2 or mel.shape[1] != bands or not len(mel) or mel.dtype.kind != "f":
        raise AudioError(f"{name}: is {mel.dtype}{list(mel.shape)}, must be floats [frames, {bands}], 10 ms a frame")


def checked_mel(mel: AnyArray, bands: int, name: str = "features") -> Float32:
    """Log-mel features as float32 (even count, bands); AudioError when shape, type or range are wrong."""
    check_mel_shape(mel, bands, name)
    if not np.isfinite(mel).all() or mel.min() < MIN_LOG_MEL or mel.max() > MAX_LOG_MEL:
        limits = f"{MIN_LOG_MEL:g} to {MAX_LOG_MEL:g}"
        raise AudioError(f"{name}: must be finite natural logarithms of mel powers plus 1e-6, {limits}")
    return np.concatenate([mel, mel[-1:]])[: len(mel) + len(mel) % 2].astype(np.float32)
