"""The note bed: frequencies between places, phases that run on, a recording's own bed."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import note_voices

from synth.audio import scale
from synth.common.errors import AudioError, CheckpointError
from synth.common.typing import Float64, Int64
from synth.vocoder import note_tables
from synth.vocoder.beds import check_tables
from synth.vocoder.emphasis import DeEmphasis
from synth.vocoder.note_analysis import FLOOR, NoteAnalysis
from synth.vocoder.note_bed import NoteBed
from synth.vocoder.note_locking import NoteLocker
from synth.vocoder.tonal import checked_features

CONFIG, RATE = note_voices.VOCODER, note_voices.RATE
TABLES = note_tables.new_tables(RATE)
UNIT = note_tables.UNIT


def levels_of(places: list[float], frames: int, level: float = -8.0) -> Int64:
    """Parabolas with their maxima at these places."""
    notes = np.arange(CONFIG.notes)
    rows = np.max([level - 3.0 * (notes - place) ** 2 for place in places], 0)
    return np.repeat(np.rint(np.maximum(rows, -40) * UNIT).astype(np.int64)[None], frames, 0)


def rendered(bed: NoteBed, levels: Int64, moved: int = 0) -> Float64:
    frames = bed.frames(levels, moved)
    return bed.render(frames, bed.advance(frames, bed.first_phases())).astype(np.float64)


def peak(sound: Float64) -> float:
    return float(np.abs(np.fft.rfft(sound * np.hanning(len(sound)))).argmax() * RATE / len(sound))


@pytest.mark.parametrize("engine", ["auto", "reference"])
@pytest.mark.parametrize("place", [30.0, 30.3, 41.6, 55.5])
def test_a_note_sounds_where_the_parabola_has_its_maximum(engine: str, place: float) -> None:
    bed = NoteBed(CONFIG, RATE, TABLES, engine)
    assert peak(rendered(bed, levels_of([place], 101))) == pytest.approx(27.5 * 2 ** (place / 12), abs=1.0)


def test_amplitudes_are_those_of_the_levels() -> None:
    sound = rendered(NoteBed(CONFIG, RATE, TABLES), levels_of([40.0], 101, -6.0))
    assert np.abs(sound).max() == pytest.approx(2.0**-3 * 32768, rel=0.01)


def test_all_is_moved_by_semitones_and_what_leaves_the_range_is_left_out() -> None:
    bed, levels = NoteBed(CONFIG, RATE, TABLES), levels_of([40.0], 101)
    assert peak(rendered(bed, levels, 5 * 256)) == pytest.approx(27.5 * 2 ** (45 / 12), abs=1.0)
    for semitones in (-60, 60):
        assert not rendered(bed, levels, semitones * 256).any()


def test_a_bed_in_two_parts_is_the_same() -> None:
    bed, random = NoteBed(CONFIG, RATE, TABLES), np.random.default_rng(0)
    levels = random.integers(-20 * UNIT, -4 * UNIT, (31, CONFIG.notes))
    whole = bed.frames(levels)
    phases = bed.advance(whole, bed.first_phases())
    first, second = bed.frames(levels[:14]), bed.frames(levels[13:])
    np.testing.assert_array_equal(bed.advance(second, phases[13]), phases[13:])
    both = np.concatenate([bed.render(first, phases[:14]), bed.render(second, phases[13:])])
    np.testing.assert_array_equal(bed.render(whole, phases), both)


def test_a_note_that_glides_from_place_to_place_does_not_break() -> None:
    """No sample is far from the line through its neighbours: phases go on where the maximum moves."""
    bed = NoteBed(CONFIG, RATE, TABLES)
    levels = np.concatenate([levels_of([20 + 0.1 * k], 1) for k in range(60)])
    sound = rendered(bed, levels)
    assert bed.frames(levels).sounding.sum(1).max() == 1
    bend = np.abs(sound[2:] - 2 * sound[1:-1] + sound[:-2])
    fastest = 2 * np.pi * 27.5 * 2 ** (26 / 12) / RATE
    assert bend.max() < 1.5 * np.abs(sound).max() * fastest**2
    loudness = np.abs(sound).reshape(-1, 80).max(1)
    assert loudness.min() > 0.8 * loudness.max()


def test_a_recording_leaves_little_beside_its_own_bed() -> None:
    sound = note_voices.chord(8000)
    locked = NoteLocker(CONFIG, RATE, TABLES).lock(sound)
    assert len(locked.residual) == len(locked.bed) == 8000 and locked.phases.shape == (101, CONFIG.notes)
    left = (sound - locked.bed).astype(np.float64)[800:-800]
    assert (left**2).mean() < 0.02 * (sound[800:-800].astype(np.float64) ** 2).mean()
    both = DeEmphasis().filter(locked.residual) + locked.bed
    assert np.abs(both - sound).max() <= 4


def test_what_is_heard_does_not_depend_on_blocks() -> None:
    sound, random = note_voices.chord(5001), np.random.default_rng(1)
    analysis = NoteAnalysis(CONFIG, RATE)
    whole = np.concatenate([analysis.push(sound), analysis.finish()])
    other, parts, at = NoteAnalysis(CONFIG, RATE), [], 0
    while at < len(sound):
        count = int(random.integers(1, 700))
        parts.append(other.push(sound[at : at + count]))
        at += count
    np.testing.assert_array_equal(np.concatenate([*parts, other.finish()]), whole)
    assert whole.shape == (64, CONFIG.inputs)


def test_the_strongest_places_are_the_notes() -> None:
    analysis = NoteAnalysis(CONFIG, RATE)
    rows = np.concatenate([analysis.push(note_voices.chord(8000)), analysis.finish()])
    strongest = set(np.argsort(rows[40, CONFIG.mels :])[-3:].tolist())
    assert strongest == {36, 40, 43}
    assert scale.note_places(60)[36] == pytest.approx(220.0)


def test_silence_is_at_the_floor() -> None:
    analysis = NoteAnalysis(CONFIG, RATE)
    rows = np.concatenate([analysis.push(np.zeros(1000, np.int16)), analysis.finish()])
    assert (rows[:, CONFIG.mels :] == np.float32(FLOOR)).all()


def test_damaged_tables_are_refused() -> None:
    for name in ("bed.octave", "bed.power"):
        with pytest.raises(CheckpointError, match=name):
            check_tables(CONFIG, {**TABLES, name: np.zeros_like(TABLES[name])})


def test_features_of_another_kind_are_refused_by_name() -> None:
    with pytest.raises(AudioError, match="log-mel bands alone.*notes"):
        checked_features(np.zeros((10, CONFIG.mels), np.float32), CONFIG)
    rows = np.zeros((10, CONFIG.inputs), np.float32)
    rows[3, CONFIG.mels + 5] = 99
    with pytest.raises(AudioError, match="levels of notes"):
        checked_features(rows, CONFIG)
