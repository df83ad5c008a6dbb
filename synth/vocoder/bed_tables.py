"""The tables of a voice's tonal bed: integers that its checkpoint holds, so that all of its arithmetic is exact."""

from __future__ import annotations

import numpy as np

from synth.audio.harmonics import top_of
from synth.common.errors import CheckpointError
from synth.common.typing import Float64, Tensors
from synth.vocoder.config import VocoderConfig
from synth.vocoder.tonal import PITCH_CENTRE, PITCH_STEPS, tone_places

QUARTERS = 4 * 127
"""Pitches are known in quarters of a latent's steps, from -QUARTERS to QUARTERS."""
PLACES = 1024
"""Frequencies up to half of the rate at which places and gates are known."""
GATE = 256
"""Of what passes whole."""
RAMP = 500.0
"""Hz below the highest harmonic's frequency, along which harmonics get fainter."""
UNIT = 1024
"""Of 1.0 in binary logarithms of powers."""
PHASE_PLACES = 9
"""Binary places of the phases' matrix."""


def layout(config: VocoderConfig) -> dict[str, tuple[str, tuple[int, ...]]]:
    """dtype and shape of a tonal bed's tables."""
    return {
        "bed.increments": ("uint32", (2 * QUARTERS + 1,)),
        "bed.logarithms": ("int16", (2 * QUARTERS + 1,)),
        "bed.places": ("uint16", (PLACES + 1,)),
        "bed.gates": ("int16", (PLACES + 1,)),
        "bed.phases": ("int16", (config.tones, config.tones)),
        "bed.power": ("int32", (256,)),
    }


def new_tables(config: VocoderConfig, rate: int) -> Tensors:
    """The tables of `layout`, for a new checkpoint; later they are read from it."""
    octaves = PITCH_CENTRE + np.arange(-QUARTERS, QUARTERS + 1) / (4.0 * PITCH_STEPS)
    hertz = np.arange(PLACES + 1) * (rate / 2 / PLACES)
    tones = tone_places(rate, config.tones)
    places = np.interp(hertz, tones, np.arange(config.tones))
    gates = np.clip((top_of(rate) - hertz) / RAMP, 0.0, 1.0)
    phases = minimum_phases(tones, rate) * (0.5 * np.log(2) / (2 * np.pi) * 65536 / UNIT * 2**PHASE_PLACES)
    return {
        "bed.increments": np.rint(2.0**octaves / rate * 2.0**32).astype(np.uint32),
        "bed.logarithms": np.rint(octaves * UNIT).astype(np.int16),
        "bed.places": np.rint(places * 256).astype(np.uint16),
        "bed.gates": np.rint(gates * GATE).astype(np.int16),
        "bed.phases": np.clip(np.rint(phases), -32767, 32767).astype(np.int16),
        "bed.power": np.rint(2.0 ** (15 + np.arange(256) / 256)).astype(np.int32),
    }


def minimum_phases(tones: Float64, rate: int) -> Float64:
    """The matrix (tones, tones) from logarithms of amplitudes at frequencies to a minimum-phase filter's phases.

    Lines are drawn between the logarithms; their cepstrum is folded (Oppenheim and Schafer, Discrete-Time Signal
    Processing).
    """
    bins = 513
    grid = np.arange(bins) * (rate / 2 / (bins - 1))
    spectra = np.stack([np.interp(grid, tones, row) for row in np.eye(len(tones))], 1)
    cepstra = np.fft.ifft(np.concatenate([spectra, spectra[-2:0:-1]]), axis=0).real
    cepstra[1 : bins - 1] *= 2
    cepstra[bins:] = 0
    phases = np.fft.fft(cepstra, axis=0)[:bins].imag
    return np.stack([np.interp(tones, grid, column) for column in phases.T], 1)


def check_tables(config: VocoderConfig, tensors: Tensors) -> None:
    """CheckpointError when a table would break the arithmetic; types and shapes were checked before."""
    bounds = {
        "increments": (1, (1 << 31) - 1),
        "logarithms": (0, 16 * UNIT),
        "places": (0, 256 * (config.tones - 1)),
        "gates": (0, GATE),
        "power": (1 << 15, 2 << 15),
    }
    for name, (least, most) in bounds.items():
        tensor = tensors[f"bed.{name}"]
        if tensor.min() < least or tensor.max() > most:
            raise CheckpointError(f"tensor bed.{name}: values must be {least} to {most}")
