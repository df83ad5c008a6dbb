"""How a vocoder trains: frozen, validated options."""

from __future__ import annotations

from dataclasses import dataclass

from synth.common.errors import require


@dataclass(frozen=True)
class VocoderTrainConfig:
    """How a vocoder trains beside what `GeneratorTrainConfig` says of its network.

    `spectral`: weight of the mean distance of the log-mel features that are read off the quantised vectors;
    `prediction`: of the logarithm of the linear prediction's error; `commit`: of the distance between vectors and what
    they are quantised to; `divergence`: of the Kullback-Leibler divergence of the encoder's Gaussian from a standard
    one, in nats a number (variational autoencoder, arXiv 1312.6114; 0: vectors are no random variables). `free`: share
    of streams that go unquantised; of the others half have all quantisers, half a number drawn evenly. `noise`:
    codes of noise in what the network reads. `gain_db`: each file is louder or fainter by up to this much. `narrow`:
    share of the files that a voice with a tonal bed learns a second time, as they are at half the rate. With
    a tonal bed latents are principal components that do not learn: `spectral` and `commit` have no effect.
    """

    spectral: float = 2.0
    prediction: float = 0.2
    divergence: float = 0.0
    commit: float = 0.25
    free: float = 0.25
    noise: float = 2.0
    gain_db: float = 0.0
    narrow: float = 0.0

    def __post_init__(self) -> None:
        for name in ("spectral", "prediction", "divergence", "commit", "noise", "gain_db"):
            require(0 <= getattr(self, name) <= 100, f"{name} {getattr(self, name)}: must be 0 to 100")
        for name in ("free", "narrow"):
            require(0 <= getattr(self, name) <= 1, f"{name} {getattr(self, name)}: must be 0 to 1")
