"""W64 and AU files come back byte for byte, in every encoding; what is cut, empty or of a pipe."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import soundfile
from helpers.packed import tones

import synth
from synth import engine
from synth.cli import entry
from synth.common.errors import AudioError, UsageError

pytestmark = pytest.mark.skipif(not engine.has_native(), reason="takes the compiled engine")
CASES = [("W64", name) for name in ("PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "ALAW", "ULAW")]
CASES += [("AU", name) for name in ("PCM_S8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "ALAW", "ULAW")]


def file_of(form: str, subtype: str, channels: int = 2, endian: str = "FILE", count: int = 300) -> bytes:
    out = io.BytesIO()
    wave = tones(count, channels, 16) / 40000
    soundfile.write(out, wave, 8000, subtype, endian=endian, format=form)
    return out.getvalue()


def packed(data: bytes) -> bytes:
    out = io.BytesIO()
    synth.compress_file(io.BytesIO(data), out, level="fast")
    return out.getvalue()


def unpacked(data: bytes) -> bytes:
    out = io.BytesIO()
    synth.decompress_file(io.BytesIO(data), out)
    return out.getvalue()


@pytest.mark.parametrize("form,subtype", CASES)
@pytest.mark.parametrize("channels", [1, 3])
def test_files_come_back_byte_for_byte(form: str, subtype: str, channels: int) -> None:
    data = file_of(form, subtype, channels)
    for each in (data, data + b"after"):
        small = packed(each)
        assert unpacked(small) == each and len(small) < len(each) + 60


def test_little_endian_au_and_annotations_and_other_chunks_come_back() -> None:
    data = file_of("AU", "PCM_24", endian="LITTLE")
    assert data[:4] == b"dns." and unpacked(packed(data)) == data
    data = file_of("AU", "PCM_16")
    longer = data[:4] + (40).to_bytes(4, "big") + data[8:24] + b"a note".ljust(16, b"\0") + data[24:]
    assert unpacked(packed(longer)) == longer
    data = file_of("W64", "PCM_16")
    note = b"levl" + data[44:56] + (24 + 5).to_bytes(8, "little") + b"hello\0\0\0"
    assert unpacked(packed(data[:40] + note + data[40:])) == data[:40] + note + data[40:]


def test_names_keep_their_suffix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for form, name in (("W64", "x.w64"), ("AU", "y.au"), ("AU", "z.snd")):
        Path(name).write_bytes(file_of(form, "PCM_16"))
        small = Path(name).with_suffix(".syn")
        assert entry.main(["compress", name, "-q", "--verify"]) == 0
        Path(name).rename(f"{name}.first")
        assert entry.main(["decompress", str(small), "-q"]) == 0
        assert Path(name).read_bytes() == Path(f"{name}.first").read_bytes()
        with pytest.raises(UsageError, match=f"its suffix must be {Path(name).suffix}"):
            synth.decompress_file(small, "other.wav")
        wave, rate = synth.decompress(small.read_bytes())
        np.testing.assert_array_equal(wave, soundfile.read(name, dtype="int16")[0])
    assert entry.main(["decompress", "x.syn", "--start", "0.01", "--end", "0.02", "-o", "part.w64", "-q"]) == 0
    np.testing.assert_array_equal(
        soundfile.read("part.w64", dtype="int16")[0], soundfile.read("x.w64", dtype="int16")[0][80:160]
    )


@pytest.mark.parametrize("form", ["W64", "AU"])
def test_cut_files_are_refused_and_empty_ones_come_back(form: str) -> None:
    data = file_of(form, "PCM_16")
    for end in (13, 30, len(data) // 2, len(data) - 1):
        with pytest.raises(AudioError, match="cut short"):
            packed(data[:end])
    empty = file_of(form, "PCM_16", count=0)
    assert unpacked(packed(empty)) == empty


def test_what_is_not_kept_is_refused() -> None:
    for form in ("W64", "AU"):
        with pytest.raises(AudioError, match="holds samples of format"):
            packed(file_of(form, "DOUBLE"))
