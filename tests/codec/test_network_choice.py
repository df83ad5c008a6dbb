"""Which network listens: by name, by digest, by trial; what was coded with one needs it."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

import synth
from synth import engine
from synth.checkpoint import registry
from synth.codec import lossless, network_choice
from synth.common.errors import CheckpointError, CodecError
from synth.generation import checkpoint

pytestmark = pytest.mark.skipif(not engine.has_native(), reason="needs the compiled engine")
WAVE = (synth.load("digits-plain-1").generate(samples=4500, seed=8, labels={"digit": "3"}) * 32768).astype(np.int16)[
    2000:
]


def test_a_network_helps_with_its_own_sound_and_is_kept_by_its_digest() -> None:
    alone = synth.compress(WAVE, 8000, checkpoint="none")
    helped = synth.compress(WAVE, 8000, checkpoint="digits-plain-1")
    chosen = synth.compress(WAVE, 8000)
    assert len(helped) < 0.97 * len(alone) and len(chosen) <= len(alone)
    digest = hashlib.sha256(registry.find("digits-plain-1").read_bytes()).digest()[:8]
    assert helped.count(digest) == 1 and network_choice.describe(digest) == "digits-plain-1"
    for data in (alone, helped, chosen):
        wave, rate = synth.decompress(data)
        assert rate == 8000 and wave.dtype == np.int16 and np.array_equal(wave, WAVE)


def test_all_sets_and_channels_agree_with_a_network() -> None:
    from synth.engine import _kernel

    stereo = np.stack([WAVE, WAVE // 3 + 11], 1).astype(np.int32)[:900]
    loaded = checkpoint.load("digits-plain-1")
    found = set()
    for chosen in engine.instruction_sets():
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("SYNTH_ISA", chosen)
            network = engine.create(loaded.config, loaded.tensors)
            data = lossless.encode_segment(stereo, 16, "max", network)
            assert np.array_equal(lossless.decode_segment(data, 900, 2, 16, "max", network), stereo)
            found.add(data)
    assert len(found) == 1 and _kernel is not None


@pytest.mark.parametrize("bits", [8, 16, 24])
def test_the_specification_has_the_network_too(bits: int) -> None:
    from synth.codec.lossless import model
    from synth.codec.lossless.presets import PRESETS
    from synth.engine.reference import ReferenceEngine

    loaded = checkpoint.load("digits-plain-1")
    samples = WAVE[1600:1660].astype(np.int32)[:, None]
    samples = (samples << 8) + 37 * samples if bits == 24 else samples >> 16 - bits
    samples = samples * 3 // 4
    spec = ReferenceEngine(loaded.config, loaded.tensors)
    preset = PRESETS["balanced"][0]
    stream = model.encode(preset, [model.plain_grid(bits)], samples + (1 << bits - 1), spec)
    network = engine.create(loaded.config, loaded.tensors)
    assert lossless.encode_segment(samples, bits, "balanced", network) == b"\x80" + stream


def test_a_network_that_is_not_here_is_named(tmp_path: Path) -> None:
    loaded = checkpoint.load("digits-plain-1")
    own = tmp_path / "own.safetensors"
    checkpoint.save(own, loaded.config, loaded.tensors, {"corpus": "mine"})
    data = synth.compress(WAVE, 8000, checkpoint=str(own))
    digest = hashlib.sha256(own.read_bytes()).hexdigest()[:16]
    with pytest.raises(CheckpointError, match=f"{digest}.*-c"):
        synth.decompress(data)
    assert np.array_equal(synth.decompress(data, checkpoint=str(own))[0], WAVE)
    with pytest.raises(CheckpointError, match=rf"{digest}, which is not here; piano-1 is another \([0-9a-f]{{16}}\); "):
        synth.decompress(data, checkpoint="piano-1")


def test_level_fast_takes_none() -> None:
    assert network_choice.resolve("auto", "fast") == "none"
    with pytest.raises(CheckpointError, match="digits: level fast takes no checkpoint"):
        network_choice.resolve("digits", "fast")
    with pytest.raises(CheckpointError, match="digits"):
        synth.compress(WAVE, 8000, level="fast", checkpoint="digits")
    with pytest.raises(CodecError, match="no network can listen"):
        lossless.encode_segment(WAVE[:, None], 16, "fast", network_choice.load_predictor("digits-plain-1").engine)


def test_auto_tries_nothing_without_the_compiled_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "has_native", lambda: False)
    assert network_choice.resolve("auto", "max") == "none" and network_choice.resolve("none", "max") == "none"


def test_auto_takes_none_where_none_is_best() -> None:
    noise = np.random.default_rng(1).integers(-32768, 32768, 3000).astype(np.int16)
    assert network_choice.choose(noise[:, None].astype(np.int32), 16) is None
    assert len(synth.compress(noise, 8000)) == len(synth.compress(noise, 8000, checkpoint="none"))
    assert synth.decompress(synth.compress(noise[:0], 8000))[0].shape == (0,)
