"""The specification of a segment: the compiled codec writes the same bytes, and refuses the same."""

from __future__ import annotations

import functools
import warnings
from typing import Any

import numpy as np
import pytest
from golden import checkpoints
from helpers.segments import SHAPES, draws, tune
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import synth
from synth import engine
from synth.audio import mulaw
from synth.codec import lossless
from synth.codec.lossless import segment, value_lists
from synth.common.errors import CodecError, EngineError
from synth.common.typing import Int32

compiled = pytest.mark.skipif(not engine.has_native(), reason="needs the compiled engine")


@functools.cache
def network(kind: str, name: str = "labelled") -> Any:
    """An engine for a small network."""
    return engine.create(checkpoints.NETWORKS[name][0], checkpoints.tensors(name), kind)


def same(samples: Int32, bits: int, effort: str, listening: str = "") -> bytes:
    """What both write, which both read."""
    native, slow = (network("native", listening), network("reference", listening)) if listening else (None, None)
    data = lossless.encode_segment(samples, bits, effort, native)
    assert data == segment.encode_segment(samples, bits, effort, slow)
    for back in (
        lossless.decode_segment(data, *samples.shape, bits, effort, native),
        segment.decode_segment(data, *samples.shape, bits, effort, slow),
    ):
        assert back.dtype == np.int32 and np.array_equal(back, samples)
    return data


@compiled
@pytest.mark.parametrize("name", SHAPES)
def test_the_compiled_codec_writes_what_is_specified(name: str) -> None:
    samples, bits = SHAPES[name]
    data = same(samples, bits, "fast")
    kinds = {"low bits": 8 << 2, "list": 1, "codes": 5, "copies": 0, "noise": 255, "plain": 0x80, "stereo": 0x80}
    if name in kinds:
        assert data[0 if kinds[name] >= 128 else 1] == kinds[name]


@compiled
@pytest.mark.parametrize("effort", ["balanced", "max"])
def test_the_same_where_decisions_are_mixed(effort: str) -> None:
    same(tune(10, 2, 16), 16, effort)
    same(SHAPES["list"][0][:40], 16, effort)


@compiled
@pytest.mark.parametrize("name", ["labelled", "corrector", "hinted"])
@pytest.mark.parametrize("effort", ["balanced", "max"])
def test_the_same_with_a_network_that_listens(effort: str, name: str) -> None:
    samples = tune(20, 1, 16)  # past the end of a frame
    assert same(samples, 16, effort, name) != lossless.encode_segment(samples, 16, effort)
    same(mulaw.DECODE[draws(10, 256)][:, None].astype(np.int32), 16, effort, name)
    same(tune(6, 2, 24), 24, effort, name)
    same(SHAPES["full scale"][0] + np.arange(9, dtype=np.int32)[:, None] % 2, 16, effort, name)


@compiled
def test_the_variant_is_the_one_that_makes_the_middle_shortest(monkeypatch: pytest.MonkeyPatch) -> None:
    from synth.codec.lossless import model

    tried: list[tuple[int, int]] = []

    def encode(preset: object, grids: object, ranks: Int32, listening: object) -> bytes:
        tried.append((int(ranks[0, 0]), len(ranks)))
        return bytes(1 + (len(tried) == 1))

    monkeypatch.setattr(model, "encode", encode)
    ramp = np.arange(20000, dtype=np.int32)[:, None] - 32768
    data = segment.encode_segment(ramp, 16, "max")
    assert tried == [(1808, 16384), (1808, 16384), (0, 20000)] and data == b"\x81\0"


@compiled
@given(st.binary(max_size=40), st.integers(1, 3), st.sampled_from([4, 8, 16, 24]), st.integers(0, 9))
@example(b"\x01\0", 1, 16, 2)  # a variant that only other levels have
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_bytes_are_read_or_refused_alike(data: bytes, channels: int, bits: int, frames: int) -> None:
    def attempt(decode: Any) -> Any:
        try:
            return decode(data, frames, channels, bits, "fast").tolist()
        except CodecError as error:
            return str(error)

    assert attempt(lossless.decode_segment) == attempt(segment.decode_segment)


@compiled
@given(st.data())
@settings(max_examples=100, deadline=None)
def test_headers_of_segments_are_read_or_refused_alike(data: st.DataObject) -> None:
    """Layouts that are nearly right, with samples of one value each so that they are quick to decode."""
    channels, bits = data.draw(st.integers(1, 4)), data.draw(st.sampled_from([4, 16, 24]))
    made = bytes([data.draw(st.sampled_from([0, 1, 2, 127, 128, 129, 130]))])
    one = value_lists.encode_values([data.draw(st.integers(-8, 7))], -(1 << (bits - 1)))
    sizes = bytes([len(one)]), bytes([len(one) | 128, 0]), bytes([len(one) | 128, 128, 128, 128, 0])
    for _ in range(channels):
        kind = data.draw(st.sampled_from([0, 4 * (bits - 1), 4 * bits, 1, 1, 1, 5, 9, 2, 6, 10, 3, 7]))
        made += bytes([kind]) + (data.draw(st.sampled_from(sizes)) + one if kind == 1 else b"")
    made += data.draw(st.binary(max_size=3))
    results = []
    for decode in (lossless.decode_segment, segment.decode_segment):
        try:
            results.append(decode(made, 2, channels, bits, "fast").tolist())  # type: ignore[operator]
        except CodecError as error:
            results.append(str(error))
    assert results[0] == results[1]


@given(st.sets(st.integers(-128, 127), min_size=1))
def test_lists_of_values_come_back(some: set[int]) -> None:
    listed = sorted(some)
    data = value_lists.encode_values(listed, -128)
    assert value_lists.decode_values(data, -128, 127) == listed
    assert value_lists.decode_values(data, -128, listed[-1] - 1) is None


def test_without_a_compiler_the_specification_does_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    wave = tune(50, 1, 16)[:, 0].astype(np.int16)
    usual = synth.compress(wave, 8000, level="fast") if engine.has_native() else None
    monkeypatch.setattr(engine, "has_native", lambda: False)
    engine.warn_slow.cache_clear()
    with pytest.warns(UserWarning, match="the slow reference engine runs"):
        data = synth.compress(wave, 8000, level="fast")
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # once is enough
        back, rate = synth.decompress(data)
    assert usual in (None, data) and rate == 8000
    np.testing.assert_array_equal(back, wave)
    with pytest.raises(EngineError, match="engine native: the codec in NumPy needs the reference engine"):
        lossless.encode_segment(wave[:, None], 16, "max", type("Other", (), {"name": "native"})())  # type: ignore[arg-type]
    for samples, bits, effort, word in [(wave[:, None], 8, "fast", "bits"), (wave, 16, "fast", "integers")]:
        with pytest.raises(CodecError, match=word):
            lossless.encode_segment(samples, bits, effort)
