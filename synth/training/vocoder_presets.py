"""Sizes and schedules of vocoders by their names."""

from __future__ import annotations

from synth.engine.config import ModelConfig
from synth.training.config import GeneratorTrainConfig
from synth.training.vocoder_config import VocoderTrainConfig
from synth.vocoder.config import VocoderConfig

Configs = tuple[ModelConfig, GeneratorTrainConfig, VocoderConfig, VocoderTrainConfig]
PRESETS: dict[str, Configs] = {
    "digits": (
        ModelConfig(8000, frame_units=128, sample_units=128, head_units=64),
        GeneratorTrainConfig(
            span=6400, streams=16, windows=3, window=320, warmup=64, steps=1800, every=300, fine_steps=150, density=0.5
        ),
        VocoderConfig(mels=40, latent=66, quantisers=8, tones=40),
        VocoderTrainConfig(free=0.5),
    ),
    "speech": (
        ModelConfig(16000, frame_units=192, sample_units=192, head_units=64),
        GeneratorTrainConfig(
            span=6400, streams=24, windows=3, window=384, warmup=64, steps=9000, every=500, fine_steps=300
        ),
        VocoderConfig(mels=64, latent=162, quantisers=16, encoder_units=192, units=160, tones=64),
        VocoderTrainConfig(gain_db=6.0, free=0.5, narrow=0.25),
    ),
    "notes": (
        ModelConfig(16000, frame_units=160, sample_units=160, head_units=64),
        GeneratorTrainConfig(
            span=6400, streams=24, windows=3, window=384, warmup=64, steps=2000, every=250, fine_steps=200
        ),
        VocoderConfig(mels=64, latent=128, quantisers=16, encoder_units=160, units=160, notes=108),
        VocoderTrainConfig(gain_db=6.0, free=0.5),
    ),
    "tiny": (
        ModelConfig(8000, frame_units=64, sample_units=64, head_units=32),
        GeneratorTrainConfig(
            span=3200, streams=16, windows=4, steps=600, every=200, fine_steps=60, most_validation=100_000
        ),
        VocoderConfig(mels=40, quantisers=4, latent=16, encoder_units=64, units=64),
        VocoderTrainConfig(),
    ),
}
DEFAULT_PRESET = "digits"
