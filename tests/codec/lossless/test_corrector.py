"""Correctors: the bins of the mixture's cdf, a network's inputs, what it makes of a mixture."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from golden import checkpoints
from helpers.segments import tune
from hypothesis import given
from hypothesis import strategies as st

import synth
from synth import engine
from synth.checkpoint import format
from synth.codec import lossless, network_choice
from synth.codec.lossless import cdf_bins, corrector, model
from synth.codec.lossless.presets import PRESETS
from synth.common.errors import CheckpointError, CodecError, EngineError
from synth.generation import checkpoint

compiled = pytest.mark.skipif(not engine.has_native(), reason="needs the compiled engine")
NAME = "corrector"


def made(kind: str = "native", **changes: Any) -> Any:
    tensors = {**checkpoints.tensors(NAME), **changes}
    return engine.create(checkpoints.NETWORKS[NAME][0], tensors, kind)


@given(st.floats(-0.1, 1.1))
def test_a_bin_holds_the_values_from_its_start_to_the_next_ones(u: float) -> None:
    number = cdf_bins.bin_of(u)
    assert 0 <= number < cdf_bins.BINS
    if 0 < u < 1:
        slack = 1e-12  # the root is rounded
        assert cdf_bins.BIN_STARTS[number] - slack <= u <= cdf_bins.BIN_STARTS[number + 1] + slack
    else:
        assert number == (0 if u <= 0 else 255)


def test_bins_mirror_each_other_and_are_finer_towards_the_ends() -> None:
    widths = np.diff(cdf_bins.BIN_STARTS)
    assert cdf_bins.BIN_STARTS[0] == 0 and cdf_bins.BIN_STARTS[128] == 0.5 and cdf_bins.BIN_STARTS[256] == 1
    assert np.array_equal(widths, widths[::-1]) and (np.diff(widths[:128]) > 0).all()


class Sure(corrector.Corrector):
    """One whose samples need not be coded."""

    def __init__(self, bias: np.ndarray[Any, Any]) -> None:
        wide = {"head.tree.weight": np.zeros((256, 48), np.int8), "head.tree.bias": bias.astype(np.int16)}
        super().__init__(made("reference", **wide))
        self.predict([5.0, 5.0, 5.0], [0.0] * 9)


@given(st.integers(0, 2**32 - 1))
def test_a_corrected_cdf_rises_from_0_to_1(seed: int) -> None:
    network = Sure(np.random.default_rng(seed).normal(0, 3000, 256))
    found = [network.corrected(float(u)) for u in np.linspace(0, 1, 700)]
    assert found[0] == 0 and found[-1] == 1
    assert all(a <= b for a, b in itertools.pairwise(found))
    assert network.corrected(-0.01) == -0.01 and network.corrected(1.01) == 1.01


def test_a_network_that_knows_nothing_changes_nothing() -> None:
    starts, bias = np.array(cdf_bins.BIN_STARTS), np.zeros(256)
    for node in range(1, 256):
        width = 256 >> (node.bit_length() - 1)
        first = (node - 256 // width) * width
        low, middle, high = starts[[first, first + width // 2, first + width]]
        bias[node] = np.rint(512 * np.log((high - middle) / (middle - low)))
    network = Sure(bias)
    for u in np.linspace(0.001, 0.999, 400):
        assert abs(network.corrected(float(u)) - u) < 0.002


def test_hints_at_their_limits() -> None:
    guess = [1e6, -1e6, 0.0, 0.0, 32767.9, -32768.0, 5.5, 0.0, 0.0]
    for sizes in ([1e-9, 1e-9, 1e9], [1e9, 1e-3, 1e-9], [65535.0, 65535.0, 65535.0]):
        hints = corrector.hints_of(sizes, guess, -32768.0)
        assert len(hints) == lossless.HINTS and all(0 <= hint <= 255 for hint in hints)
    even = corrector.hints_of([8.0, 8.0, 8.0], [0.0] * 9, 0.0)
    assert even == (128, 128, 16 * (3 + 2), 128, 128, 128, 128, 8 * 16 + 8)


@compiled
@pytest.mark.parametrize("name", ["plain", "list"])
def test_traces_are_the_inputs_of_the_specification(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    hints_seen: list[tuple[int, ...]] = []
    bins_seen: list[tuple[int, int, int]] = []

    def predict(self: Any, sizes: list[float], guess: list[float]) -> None:
        hints_seen.append(corrector.hints_of(sizes, guess, self.newest))
        usual(self, sizes, guess)

    def update(self: Any, low: float, high: float, sample: float) -> None:
        ends = (min(int(cdf_bins.position_of(u) * 256), 65535) for u in (low, high))
        bins_seen.append((cdf_bins.bin_of((low + high) * 0.5), *ends))
        before(self, low, high, sample)

    usual, before = corrector.Corrector.predict, corrector.Corrector.update
    monkeypatch.setattr(corrector.Corrector, "predict", predict)
    monkeypatch.setattr(corrector.Corrector, "update", update)
    sound = tune(60, 1, 16) if name == "plain" else (tune(150, 1, 16) // 4000 * 997).astype(np.int32)
    from synth.codec.lossless import segment

    layouts = segment.analyse(sound, 16)
    ranks = segment._ranks(sound, layouts, 16)
    preset = PRESETS["balanced"][0]
    model.encode(preset, [layouts[0].grid(16)], ranks, made("reference"))
    hints, places, bounds = lossless.trace(sound[:, 0], 16)
    assert [tuple(row) for row in hints.tolist()] == hints_seen
    assert [(number, *ends) for number, ends in zip(places.tolist(), bounds.tolist(), strict=True)] == bins_seen


@compiled
def test_nothing_is_traced_of_silence_and_errors_are_named() -> None:
    assert [len(part) for part in lossless.trace(np.zeros(50, np.int32), 16)] == [0, 0, 0]
    with pytest.raises(CodecError, match="a sample does not fit its bits"):
        lossless.trace(np.array([70000], np.int32), 16)


def test_traces_need_the_compiled_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "has_native", lambda: False)
    with pytest.raises(EngineError, match="traces need the native engine: install a C"):
        lossless.trace(np.zeros(5, np.int32), 16)


@compiled
@pytest.mark.parametrize("effort", ["balanced", "max"])
def test_all_sets_write_the_same(effort: str, monkeypatch: pytest.MonkeyPatch) -> None:
    sound, found = tune(900, 2, 16), set()
    for chosen in engine.instruction_sets():
        monkeypatch.setenv("SYNTH_ISA", chosen)
        data = lossless.encode_segment(sound, 16, effort, made())
        assert np.array_equal(lossless.decode_segment(data, 900, 2, 16, effort, made()), sound)
        found.add(data)
    assert len(found) == 1


@compiled
def test_only_the_codec_takes_a_corrector(tmp_path: Any) -> None:
    path = tmp_path / "own.safetensors"
    checkpoint.save(path, checkpoints.NETWORKS[NAME][0], checkpoints.tensors(NAME), {"licence": "none"})
    assert format.read_metadata(path.read_bytes())["version"] == "4"
    with pytest.raises(CheckpointError, match="own: is a corrector, for synth compress alone; digits"):
        synth.load(path)
    own = made()
    for call in (lambda: own.distribution(own.state()), lambda: own.teacher_force(own.state(), np.zeros(3, np.uint8))):
        with pytest.raises(ValueError, match="needs hints, which only a codec has"):
            call()
    wave = tune(700, 1, 16)[:, 0].astype(np.int16)
    data = synth.compress(wave, 8000, checkpoint=str(path))
    assert np.array_equal(synth.decompress(data, checkpoint=str(path))[0], wave)
    assert network_choice.digest_of(path) in data


@compiled
def test_auto_tries_large_correctors_at_level_max_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[int] = []
    usual = lossless.encode_segment

    def encode(samples: Any, bits: int, effort: str = "balanced", network: Any = None) -> bytes:
        if network is not None and network.config.hints:
            tried.append(network.config.sample_units)
        return usual(samples, bits, effort, network)

    monkeypatch.setattr(lossless, "encode_segment", encode)
    sound = tune(300, 1, 16)
    network_choice.choose(sound, 16, "balanced")
    assert tried and max(tried) < network_choice.LARGE
    tried.clear()
    network_choice.choose(sound, 16, "max")
    assert min(tried) < network_choice.LARGE <= max(tried)
