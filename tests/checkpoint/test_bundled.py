"""The checkpoints that come with the install: size, card, a quiet beginning, bits per sample."""

import os
from pathlib import Path

import numpy as np
import pytest

import synth
from synth import engine
from synth.checkpoint import registry
from synth.codec import network_choice
from synth.generation import checkpoint

CORPORA = os.environ.get("SYNTH_CORPORA", "")
needs_native = pytest.mark.skipif(not engine.has_native(), reason="too slow without the native engine")


@pytest.mark.parametrize(("name", "rate", "most"), [("digits-plain", 8000, 2_000_000), ("piano", 16000, 4_000_000)])
def test_size_and_card(name: str, rate: int, most: int) -> None:
    loaded = checkpoint.load(name)
    assert loaded.path.stat().st_size <= most and loaded.config.sample_rate == rate
    assert loaded.info["corpus"] and loaded.info["licence"] and loaded.info["trained"]
    assert {"validation", "test"} <= loaded.info["bits_per_sample"].keys()
    for before, after in loaded.info["float_and_integer"].values():
        assert after < before * 1.01


@pytest.mark.parametrize(("name", "rate", "most"), [("digits", 8000, 6_000_000), ("speech", 16000, 6_000_000)])
def test_voices_are_small_and_have_planners(name: str, rate: int, most: int) -> None:
    loaded = checkpoint.load(name)
    assert loaded.path.stat().st_size <= most and loaded.config.sample_rate == rate
    assert loaded.info["corpus"] and loaded.info["licence"] and loaded.voice is not None and loaded.voice.planner
    assert {"validation", "test"} <= loaded.info["bits_per_sample"].keys()
    assert loaded.info["planner"]["bits_per_token"]["test"] < 8


@pytest.mark.parametrize(
    ("name", "most", "gain"), [("corrector", 2_000_000, 0.08), ("corrector-large", 6_000_000, 0.08)]
)
def test_correctors_gain_what_their_cards_say(name: str, most: int, gain: float) -> None:
    loaded = checkpoint.load(name)
    assert loaded.path.stat().st_size <= most and loaded.config.hints
    assert loaded.info["corpus"] and loaded.info["licence"] and loaded.info["trained"]
    bits = loaded.info["lossless_bits_per_sample"]
    for split in ("validation", "test"):
        assert bits[split] < bits[f"{split}, none"] - gain


@needs_native
@pytest.mark.parametrize(("level", "names"), [("balanced", ["corrector"]), ("max", ["corrector", "corrector-large"])])
def test_auto_takes_a_corrector_of_the_level_for_speech(level: str, names: list[str]) -> None:
    spoken = (synth.load("digits").generate(seconds=1, seed=4, labels={"digit": "1"}) * 32768).astype(np.int16)
    chosen, without = (synth.compress(spoken, 8000, level=level, checkpoint=c) for c in ("auto", "none"))
    assert (
        any(network_choice.digest_of(registry.find(name)) in chosen for name in names)
        and len(chosen) < len(without) - 20
    )
    assert np.array_equal(synth.decompress(chosen)[0], spoken)


def test_digits_knows_its_labels_and_scores_better_with_them() -> None:
    loaded = checkpoint.load("digits-plain")
    assert loaded.name == "digits-plain-1" and checkpoint.load("digits").config.labels == loaded.config.labels
    known = dict(loaded.config.labels)
    assert known["digit"] == tuple("0123456789") and len(known["speaker"]) == 6
    bits = loaded.info["bits_per_sample"]
    assert bits["test, labels"] < bits["test"] <= 4.15


def _loudest_start(model: synth.Model, labels: dict[str, str]) -> float:
    """RMS in dBFS of the loudest first 10 ms over seeds 0 to 99."""
    count = model.sample_rate // 100
    waves = [model.generate(samples=count, seed=seed, labels=labels) for seed in range(100)]
    return max(float(20 * np.log10(np.sqrt(np.mean(wave.astype(np.float64) ** 2)) + 1e-9)) for wave in waves)


@needs_native
@pytest.mark.parametrize(
    ("name", "labels"),
    [
        ("digits", {}),
        *[("digits", {"digit": digit}) for digit in "0123456789"],
        *[("digits", {"speaker": name}) for name in ("george", "jackson", "lucas", "nicolas", "theo", "yweweler")],
        *[("digits", {"digit": digit, "speaker": "nicolas"}) for digit in "0123456789"],
        ("piano", {}),
    ],
)
def test_a_stream_begins_quietly(name: str, labels: dict[str, str]) -> None:
    assert _loudest_start(synth.load(name), labels) < -40


@needs_native
@pytest.mark.parametrize("name", ["digits", "piano"])
def test_what_is_generated_is_sound(name: str) -> None:
    model = synth.load(name)
    for seed in range(4):
        wave = model.generate(seconds=4, seed=seed)
        level, clipped = float(np.sqrt(np.mean(wave**2))), float(np.mean(np.abs(wave) > 0.98))
        assert 0.001 < level < 0.4 and clipped < 0.01 and abs(float(wave.mean())) < 0.05


@needs_native
@pytest.mark.skipif(not CORPORA, reason="SYNTH_CORPORA names no folder with fsdd-8k")
def test_bits_per_sample_on_the_test_split() -> None:
    model, bits, samples = synth.load("digits-plain"), 0.0, 0
    for path in sorted(Path(CORPORA, "fsdd-8k").glob("*_[0-4].flac")):
        score = model.score(*synth_read(path))
        bits, samples = bits + score.bits_per_sample * score.samples, samples + score.samples
    assert samples == 1034030 and bits / samples <= 4.15


def synth_read(path: Path) -> tuple[np.ndarray, int]:
    from synth.audio import reader

    return reader.read(path)
