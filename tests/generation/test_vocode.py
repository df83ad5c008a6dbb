"""What `synth vocode` reads: recordings and files of features, and how they become vectors."""

from __future__ import annotations

import gc
import os
import struct
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from helpers import voices
from helpers.voices import HOP, PART

from synth.audio import features, reader
from synth.cli import entry
from synth.common.errors import AudioError, UsageError
from synth.generation import feature_file, loading, vocode
from synth.vocoder import vocoder

MEL = np.random.default_rng(0).normal(-6, 2, (11, 8)).astype(np.float32)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_recording_becomes_what_the_encoder_hears() -> None:
    sound = voices.sound(5 * HOP + 7)
    soundfile.write("a.wav", sound, 8000)
    vectors, count = vocode.latents_of(voices.load(), "a.wav")
    assert count == 5 * HOP + 7
    np.testing.assert_array_equal(vectors, voices.vocoder().encode_sound(sound))


@pytest.mark.parametrize("frames", [1, 2, 10, 11])
def test_features_are_10_ms_a_frame(frames: int) -> None:
    np.save("x.npy", MEL[:frames])
    vectors, count = vocode.latents_of(voices.load(), "x.npy")
    assert count == frames * PART and len(vectors) == -(-frames // 2)


def test_features_may_be_of_any_float_and_any_order() -> None:
    expected = voices.vocoder().encode(MEL[:10].astype(np.float16).astype(np.float32))
    for kind in (np.float16, np.float32, np.float64, ">f4"):
        np.save("x.npy", np.asfortranarray(MEL[:10].astype(np.float16).astype(kind)))
        np.testing.assert_array_equal(vocode.latents_of(voices.load(), "x.npy")[0], expected)


@pytest.mark.parametrize("count", [1, 3, 4])
def test_tokens_leave_what_so_many_quantisers_say(count: int) -> None:
    vocoder = voices.vocoder()
    heard = vocoder.encode_sound(voices.sound(2000))
    found = vocode.reduced(vocoder, heard, count)
    np.testing.assert_array_equal(vocoder.quantize_latents(found), vocoder.latents(vocoder.tokens(heard, count)))


@pytest.mark.parametrize("count", [-1, 0, 5])
def test_tokens_that_a_voice_lacks(count: int) -> None:
    with pytest.raises(UsageError, match=f"^tokens {count}: this voice has 1 to 4 a frame$"):
        vocode.reduced(voices.vocoder(), np.zeros((2, 8), np.float32), count)


def header(text: str, version: int = 1) -> bytes:
    return b"\x93NUMPY" + bytes([version, 0]) + struct.pack("<H", len(text)) + text.encode()


def pickled(path: str) -> None:
    np.save(path, np.array([{"a": 1}], object), allow_pickle=True)


FILES: dict[str, bytes] = {
    "empty": b"",
    "a text": b"no array",
    "magic alone": b"\x93NUMPY",
    "header cut": header("{'descr': '<f4', ")[:-4],
    "header of nonsense": header("((((\n"),
    "header indented": header("if 1:\n  x\n y\n"),
    "header of another kind": header("[1, 2]\n"),
    "unknown type": header("{'descr': 'x9', 'fortran_order': False, 'shape': (2, 8)}\n"),
    "negative": header("{'descr': '<f4', 'fortran_order': False, 'shape': (-2, 8)}\n"),
    "data cut": header("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 8)}\n") + bytes(60),
    "a terabyte": header("{'descr': '<f4', 'fortran_order': False, 'shape': (34359738368, 8)}\n") + bytes(64),
    "more than there is": header("{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387904, 8)}\n"),
    "a broken archive": b"PK\x03\x04" + bytes(40),
    "a pickle": b"\x80\x04\x95\x00.",
}


@pytest.mark.parametrize("name", FILES)
def test_files_that_are_no_array(name: str) -> None:
    Path("x.npy").write_bytes(FILES[name])
    with pytest.raises(AudioError, match="^x.npy: (is no NumPy array|is empty)") as error:
        feature_file.read_features("x.npy")
    assert "\n" not in str(error.value)


def test_objects_are_never_unpickled() -> None:
    pickled("x.npy")
    with pytest.raises(AudioError, match="^x.npy: is no NumPy array .*without objects"):
        feature_file.read_features("x.npy")


def test_an_archive_of_arrays_is_no_array() -> None:
    with open("x.npy", "wb") as file:
        np.savez(file, a=MEL)
    with zipfile.ZipFile("x.npy") as archive:
        assert archive.namelist() == ["a.npy"]
    with pytest.raises(AudioError, match="^x.npy: is"):
        vocode.latents_of(voices.load(), "x.npy")


def test_places_that_hold_no_features() -> None:
    os.mkdir("folder.npy")
    for name, words in (("missing.npy", "no such file"), ("folder.npy", "is a folder")):
        with pytest.raises(AudioError, match=f"^{name}: {words}"):
            feature_file.read_features(name)
    if hasattr(os, "mkfifo"):
        os.mkfifo("pipe.npy")
        with pytest.raises(AudioError, match="^pipe.npy: is not a regular file"):
            feature_file.read_features("pipe.npy")


def test_sounds_shorter_than_a_token_frame() -> None:
    soundfile.write("a.wav", voices.sound(HOP - 1), 8000)
    with pytest.raises(AudioError, match=f"^a.wav: lasts {HOP - 1} samples, less than a token frame of {HOP}"):
        vocode.latents_of(voices.load(), "a.wav")
    soundfile.write("a.wav", voices.sound(HOP), 8000)
    assert vocode.latents_of(voices.load(), "a.wav")[1] == HOP


# in bounded memory


def peak(source: str) -> int:
    """The most memory that vocoding a file takes, without what waits to be collected."""
    usual = gc.get_threshold()
    gc.collect()
    gc.set_threshold(100, 1, 1)
    tracemalloc.start()
    assert entry.main(["vocode", source, "-c", voices.path(0), "-o", "x.raw", "-q", "-f", "-s", "1"]) == 0
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    gc.set_threshold(*usual)
    return most


@pytest.mark.parametrize("name", ["a.wav", "a.npy"])
def test_memory_does_not_grow_with_length(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model = voices.load(0)
    monkeypatch.setattr(loading, "load_voice", lambda *_, **__: model)  # loading takes more
    monkeypatch.setattr(vocoder, "PIECE", 50)
    monkeypatch.setattr(features, "CHUNK_SAMPLES", 1024)
    monkeypatch.setattr(feature_file, "PIECE", 50)
    blocks = reader.AudioReader.blocks
    monkeypatch.setattr(reader.AudioReader, "blocks", lambda self: blocks(self, 4000))
    found = []
    for seconds in (4, 4, 48):  # the first loads what stays
        soundfile.write("a.wav", np.tile(voices.sound(8000), seconds), 8000)
        np.save("a.npy", np.tile(np.concatenate([MEL] * 10)[:100], (seconds, 1)).astype(np.float64))
        found.append(peak(name))
        assert os.path.getsize("x.raw") == 2 * 8000 * seconds
    assert found[2] < found[1] + 50_000, found


@pytest.mark.parametrize("name", ["a.npy", "a.wav"])
@pytest.mark.parametrize("change", ["shorter", "gone"])
def test_a_file_that_changes_while_it_is_said(
    name: str, change: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is found only when a part is written already: nothing is left of it."""
    write_stream = vocode.write_stream

    def changed(*arguments: Any, **options: Any) -> float:
        if change == "gone":
            os.remove(name)
        else:
            soundfile.write("a.wav", voices.sound(19 * HOP), 8000)
            np.save("a.npy", MEL[:10])
        return write_stream(*arguments, **options)

    soundfile.write("a.wav", voices.sound(20 * HOP), 8000)
    np.save("a.npy", MEL)
    monkeypatch.setattr(vocode, "write_stream", changed)
    assert entry.main(["vocode", name, "-c", voices.path(0), "-o", "x.wav"]) == 1
    words = "no such file" if change == "gone" else "has changed while it was read"
    assert capsys.readouterr().err == f"synth vocode: error: {name}: {words}\n"
    assert sorted({*os.listdir(), name}) == ["a.npy", "a.wav"]


def test_what_is_wrong_far_into_features_is_found_before_anything_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vocode, "write_stream", None)
    mel = np.tile(MEL, (500, 1))
    for value in (np.nan, 17.0):
        mel[-1, 3] = value
        np.save("a.npy", mel)
        assert entry.main(["vocode", "a.npy", "-c", voices.path(0), "-o", "-"]) == 1
