"""The mu-law mode: 256 levels a sample, exactly the codes of the sound, in few bytes."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

import synth
from synth import engine
from synth.audio import mulaw
from synth.codec import mulaw_source
from synth.common.errors import AudioError, CodecError

pytestmark = pytest.mark.skipif(not engine.has_native(), reason="needs the compiled engine")


@given(st.integers(0, 2**32 - 1), st.sampled_from([8, 16, 24]))
def test_quantising_gives_the_values_of_the_nearest_codes(seed: int, bits: int) -> None:
    bound = 1 << bits - 1
    samples = np.random.default_rng(seed).integers(-bound, bound, (50, 2)).astype(np.int32)
    values = mulaw_source.quantize(samples, bits)
    exact = np.clip(np.floor(samples / 2.0 ** (bits - 16) + 0.5), -32768, 32767).astype(np.int16)
    assert np.array_equal(mulaw.encode(values.astype(np.int16)), mulaw.encode(exact))
    assert np.array_equal(mulaw_source.quantize(values, 16), values)


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("network", ["none", "digits-plain"])
def test_the_codes_come_back(channels: int, network: str) -> None:
    t = np.arange(4000)
    noise = np.random.default_rng(1).normal(0, 300, 4000)
    wave = (9000 * np.sin(t / 9.0) * np.sin(t / 700.0) + noise).astype(np.int16)
    wave = np.stack([wave, wave[::-1]], 1)[:, :channels]
    data = synth.compress(wave, 8000, mode="mulaw", checkpoint=network)
    back, rate = synth.decompress(data)
    assert back.dtype == np.int16 and back.shape == wave.shape and rate == 8000
    assert np.array_equal(mulaw.encode(back), mulaw.encode(wave))
    assert len(data) < 0.6 * len(synth.compress(wave, 8000))
    assert len(synth.compress(back, 8000, checkpoint=network)) == len(data)  # found in a lossless file too


def test_files_of_any_kind_become_wav(tmp_path: Path) -> None:
    from synth.codec import decoder, encoder, sources
    from synth.codec.decoder import Decoder

    wave = (np.cumsum(np.random.default_rng(2).integers(-900, 901, (700, 2)), 0) << 8).astype(np.int32)
    for suffix, subtype in (("flac", "PCM_24"), ("wav", "PCM_24"), ("aiff", "PCM_16"), ("wav", "PCM_U8")):
        path = tmp_path / f"x.{suffix}"
        soundfile.write(path, wave << 4, 22050, subtype)
        with open(path, "rb") as file:
            out, back = io.BytesIO(), io.BytesIO()
            sound = sources.open_sound(file, "x", path.stat().st_size)
            done = encoder.compress_stream(sound, out.write, mode="mulaw", suffix=f".{suffix}")
        out.seek(0)
        decoder.decompress_stream(Decoder(out, "x"), back.write)
        assert (done.header.mode, done.header.kind, done.header.name_suffix) == ("mulaw", "wav", ".wav")
        back.seek(0)
        found, rate = soundfile.read(back, dtype="int16", always_2d=True)
        exact, _ = soundfile.read(path, dtype="int32", always_2d=True)
        assert rate == 22050 and len(back.getvalue()) == 44 + 4 * 700
        assert np.array_equal(found, mulaw_source.quantize(exact >> 8, 24))


def test_a_damaged_flac_is_refused_in_this_mode_too(tmp_path: Path) -> None:
    from synth.codec import encoder, sources

    path = tmp_path / "x.flac"
    soundfile.write(path, np.zeros(3000, np.int16), 8000)
    data = bytearray(path.read_bytes())
    data[4 + 4 + 18] ^= 1  # the MD5 in STREAMINFO
    path.write_bytes(data)
    with open(path, "rb") as file, pytest.raises((AudioError, CodecError), match="x.flac"):
        encoder.compress_stream(sources.open_sound(file, "x.flac", len(data)), lambda data: None, mode="mulaw")


def test_modes_are_checked() -> None:
    with pytest.raises(CodecError, match="mode opus: must be lossless, mulaw"):
        synth.compress(np.zeros(5, np.int16), 8000, mode="opus")
