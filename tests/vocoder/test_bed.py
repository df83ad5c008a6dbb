"""The tonal bed: the pitch that is asked for, phases that run on, a recording's own bed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from helpers import tonal_voices, voices

from synth.common.errors import AudioError, CheckpointError, UsageError
from synth.vocoder import bed_tables
from synth.vocoder.bed import TonalBed, TonalFrames, token_pitches
from synth.vocoder.config import VocoderConfig, stride_of
from synth.vocoder.emphasis import DeEmphasis
from synth.vocoder.locking import SoundLocker
from synth.vocoder.tonal import PITCH_CENTRE, SoundAnalysis, checked_features, pitch_latents

CONFIG, RATE = tonal_voices.VOCODER, tonal_voices.RATE
TABLES = bed_tables.new_tables(CONFIG, RATE)
ENGINES = ("auto", "reference")


def frames(pitches: list[int], level: int = -8 * 1024) -> TonalFrames:
    count = len(pitches)
    levels = np.full((count, CONFIG.tones), level, np.int64)
    return TonalFrames(np.array(pitches, np.int64), levels, np.full(count, 1024, np.int64))


@pytest.mark.parametrize("engine", ENGINES)
def test_the_fundamental_is_where_the_pitch_says(engine: str) -> None:
    bed = TonalBed(CONFIG, RATE, TABLES, engine)
    index = 420
    hertz = float(TABLES["bed.increments"][index]) * RATE / 2**32
    sound = bed.render(frames([index] * 101), 0)
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound))))
    peaks = [int(spectrum[int(k * hertz) - 20 : int(k * hertz) + 20].argmax()) + int(k * hertz) - 20 for k in (1, 2, 5)]
    np.testing.assert_allclose(peaks, [hertz, 2 * hertz, 5 * hertz], atol=1.5)


def test_a_bed_in_two_parts_is_the_same() -> None:
    bed = TonalBed(CONFIG, RATE, TABLES)
    random = np.random.default_rng(0)
    whole = TonalFrames(
        random.integers(200, 800, 31), random.integers(-16000, -4000, (31, CONFIG.tones)), random.integers(0, 1025, 31)
    )
    part = [
        TonalFrames(*(x[a:b] for x in (whole.pitches, whole.levels, whole.voicing))) for a, b in ((0, 14), (13, 31))
    ]
    phases = bed.advance(whole.pitches, 7)
    both = np.concatenate([bed.render(part[0], 7), bed.render(part[1], int(phases[13]))])
    np.testing.assert_array_equal(bed.render(whole, 7), both)


def test_what_is_unvoiced_or_quiet_is_silent() -> None:
    bed = TonalBed(CONFIG, RATE, TABLES)
    loud = frames([500] * 5)
    still = TonalFrames(loud.pitches, loud.levels, np.zeros(5, np.int64))
    assert np.abs(bed.render(still, 0)).max() < np.abs(bed.render(loud, 0)).max() / 200
    assert not bed.render(frames([500] * 5, -60 * 1024), 0).any()


def test_token_pitches_are_lines_between_latents() -> None:
    pitches = token_pitches(np.array([[0, 9], [4, 0], [8, 0], [8, 9]])) - bed_tables.QUARTERS
    np.testing.assert_array_equal(pitches, [12, 20, 28, 32])
    bent = token_pitches(np.array([[0, 9], [4, -3], [8, 127], [127, 9]])) - bed_tables.QUARTERS
    np.testing.assert_array_equal(bent, [15, 17, 28 - 127, 151 + 127])


def test_pitch_latents_keep_the_pitch_of_both_halves() -> None:
    """Within an eighth of a semitone's 23 quarters, however the pitch moves; at most 127 quarters from lines."""
    octaves = PITCH_CENTRE + np.cumsum(np.random.default_rng(0).normal(0, 0.02, 40)).astype(np.float32)
    rows = np.stack([octaves, np.ones(40)], 1).astype(np.float32)
    latents = np.rint(pitch_latents(rows) * 32).astype(np.int64)
    around = np.concatenate([latents[:1], latents, latents[-1:]])
    pitches = token_pitches(around) - bed_tables.QUARTERS
    assert np.abs(pitches - (octaves - PITCH_CENTRE) * 4 * 69).max() <= 3


@pytest.mark.parametrize("pitch", [90.0, 180.0, 400.0])
def test_a_vowel_s_own_bed_leaves_little(pitch: float) -> None:
    sound = tonal_voices.vowel(RATE, pitch)
    locked = SoundLocker(CONFIG, RATE, TABLES).lock(sound)
    inside = slice(RATE // 10, RATE * 8 // 10)
    left = sound[inside] - locked.bed[: len(sound)][inside]
    assert np.square(left.astype(float)).sum() < 0.02 * np.square(sound[inside].astype(float)).sum()


def test_what_is_unvoiced_is_all_left() -> None:
    noise = np.random.default_rng(0).integers(-999, 999, 800).astype(np.int16)
    locked = SoundLocker(CONFIG, RATE, TABLES).lock(noise)
    back = DeEmphasis().filter(locked.residual) + locked.bed
    assert not locked.rows[:, -1].any() and np.abs(back[:800] - noise).max() <= 4


def test_phases_are_locked_to_the_recording() -> None:
    """One period later the phase is a turn further, and it is the same part of the wave everywhere."""
    sound = tonal_voices.vowel(RATE, 100.0, 0.0)
    locked = SoundLocker(CONFIG, RATE, TABLES).lock(sound)
    turns = locked.phases / 2**32
    steps = np.diff(turns)[10:90]
    np.testing.assert_allclose(steps, 1.0, atol=0.03)
    off = (turns - np.arange(len(turns)))[10:90] % 1.0
    assert np.ptp(np.exp(2j * np.pi * off).real) < 0.2


@pytest.mark.parametrize("block", [1, 333, 4000])
def test_features_do_not_depend_on_blocks(block: int) -> None:
    sound = np.concatenate([tonal_voices.vowel(3000), np.zeros(1500, np.int16), tonal_voices.vowel(2500, 220)])
    whole, parts = SoundAnalysis(CONFIG, RATE), SoundAnalysis(CONFIG, RATE)
    one = np.concatenate([whole.push(sound), whole.finish()])
    rows = [parts.push(sound[at : at + block]) for at in range(0, len(sound), block)]
    np.testing.assert_array_equal(np.concatenate([*rows, parts.finish()]), one)
    assert one.shape == (2 * -(-len(sound) // 160), CONFIG.inputs)
    assert 0.5 < one[:, -1].mean() < 0.95
    np.testing.assert_array_equal(checked_features(one, CONFIG), one)


def test_features_of_the_old_kind_are_refused() -> None:
    with pytest.raises(AudioError, match=r"log-mel bands alone.*\[frames, 26\]"):
        checked_features(np.zeros((4, CONFIG.mels), np.float32), CONFIG)


@pytest.mark.parametrize(
    ("column", "value", "words"), [(8, 99.0, "tones"), (-2, 1.0, "pitch"), (-1, np.nan, "voicing")]
)
def test_features_out_of_range_are_refused(column: int, value: float, words: str) -> None:
    rows = np.zeros((4, CONFIG.inputs), np.float32)
    rows[:, -2] = 7
    rows[1, column] = value
    with pytest.raises(AudioError, match=words):
        checked_features(rows, CONFIG)


@pytest.mark.parametrize("name", ["increments", "places", "gates", "power"])
def test_tables_out_of_range_are_refused(name: str) -> None:
    tables = {key: tensor.copy() for key, tensor in TABLES.items()}
    tables[f"bed.{name}"][3] = {"increments": 0, "places": 65535, "gates": -1, "power": 5}[name]
    with pytest.raises(CheckpointError, match=f"bed.{name}"):
        bed_tables.check_tables(CONFIG, tables)


def test_a_config_without_a_bed_reads_and_writes_as_before() -> None:
    plain = VocoderConfig()
    assert "tones" not in plain.to_json() and VocoderConfig.from_json(plain.to_json()) == plain
    assert VocoderConfig.from_json(CONFIG.to_json()) == CONFIG


@pytest.mark.parametrize("rate", [11200, 22400])
def test_rates_that_the_pitch_tracker_lacks_are_refused(rate: int) -> None:
    """Token frames fit them, but 4 kHz does not divide them."""
    model = replace(voices.NETWORK, sample_rate=rate, stride=0)
    stride_of(VocoderConfig(), model)
    with pytest.raises(UsageError, match=f"^rate {rate}: .* 16000"):
        stride_of(VocoderConfig(tones=16), model)
