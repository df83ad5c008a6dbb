"""The kinds of bed that a voice may have under its network's sound: their tables, and what locks recordings to them."""

from __future__ import annotations

from typing import Protocol

from synth.common.typing import MonoSamples, Tensors
from synth.vocoder import bed_tables, note_tables
from synth.vocoder.bed import TonalBed
from synth.vocoder.config import VocoderConfig
from synth.vocoder.locked_sound import LockedSound
from synth.vocoder.locking import SoundLocker
from synth.vocoder.note_bed import NoteBed
from synth.vocoder.note_locking import NoteLocker


class Locker(Protocol):
    """Makes beds with a recording's own phases; may be shared by threads."""

    hop: int

    def lock(self, samples: MonoSamples) -> LockedSound:
        """What `LockedSound` says, of int16 samples (n,)."""


def layout(config: VocoderConfig) -> dict[str, tuple[str, tuple[int, ...]]]:
    """dtype and shape of the tables of a voice's bed; none where it has none."""
    if config.tones:
        return bed_tables.layout(config)
    return note_tables.layout() if config.notes else {}


def new_tables(config: VocoderConfig, rate: int) -> Tensors:
    """The tables of `layout`, for a new checkpoint."""
    if config.tones:
        return bed_tables.new_tables(config, rate)
    return note_tables.new_tables(rate) if config.notes else {}


def check_tables(config: VocoderConfig, tensors: Tensors) -> None:
    """CheckpointError when a table would break the arithmetic; types and shapes were checked before."""
    if config.tones:
        bed_tables.check_tables(config, tensors)
    if config.notes:
        note_tables.check_tables(tensors)


def bed_of(config: VocoderConfig, rate: int, tensors: Tensors, prefer: str = "auto") -> TonalBed | NoteBed | None:
    """The renderer of a voice's bed; None where it has none."""
    if config.tones:
        return TonalBed(config, rate, tensors, prefer)
    return NoteBed(config, rate, tensors, prefer) if config.notes else None


def locker_of(config: VocoderConfig, rate: int, tensors: Tensors, prefer: str = "auto") -> Locker:
    """What locks recordings to the bed of a voice that has one."""
    kind = NoteLocker if config.notes else SoundLocker
    return kind(config, rate, tensors, prefer)
