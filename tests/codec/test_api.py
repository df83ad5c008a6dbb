"""The codec from Python: into and out of binary files, whole sound files, and what is refused in one line."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from helpers import voices
from helpers.packed import tones, wav16
from helpers.tools import tiny_checkpoint

import synth
from synth import engine
from synth.cli import entry
from synth.common.errors import AudioError, CodecError, OutputError, SynthError, UsageError

pytestmark = pytest.mark.skipif(not engine.has_native(), reason="takes the compiled engine")
WAVE = tones(500, 1, 16)[:, 0].astype(np.int16)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


class Trickle:
    """A file that has a `read` alone, which gives little at a time, and a `write` that tells nothing."""

    def __init__(self, data: bytes = b"") -> None:
        self.data = data

    def read(self, count: int = -1) -> bytes:
        count = 7 if count < 0 else min(7, count)
        data, self.data = self.data[:count], self.data[count:]
        return data

    def write(self, data: bytes) -> None:
        self.data += data


def test_arrays_go_through_files() -> None:
    whole, out = synth.compress(WAVE, 8000, level="fast"), io.BytesIO(b"")
    assert synth.compress(WAVE, 8000, level="fast", out=out) is None and out.getvalue() == whole
    out.seek(0)
    trickle: Any = Trickle()
    synth.compress(WAVE, 8000, level="fast", out=trickle)
    for data in (whole, bytearray(whole), memoryview(whole), out, trickle):
        back, rate = synth.decompress(data)
        assert rate == 8000 and not out.closed
        np.testing.assert_array_equal(back, WAVE)


def test_an_array_of_a_voice_goes_through_files() -> None:
    out = io.BytesIO()
    synth.compress(voices.sound(900), 8000, mode="parametric", checkpoint=voices.path(), out=out)
    trickle: Any = Trickle(out.getvalue())
    whole, _ = synth.decompress(out.getvalue(), checkpoint=voices.path())
    np.testing.assert_array_equal(synth.decompress(trickle, checkpoint=voices.path())[0], whole)


@pytest.mark.parametrize("name", ["x.wav", "x.flac"])
def test_files_go_there_and_back_by_paths_and_as_objects(name: str) -> None:
    soundfile.write(name, np.random.default_rng(0).integers(-9000, 9000, 60000).astype(np.int16), 8000)
    sound = Path(name).read_bytes()
    Path("x.syn").write_text("old")
    for call in (lambda: synth.compress_file(name, "x.syn"), lambda: synth.decompress_file("x.syn", name)):
        with pytest.raises(OutputError, match="exists"):
            call()
    assert Path("x.syn").read_text() == "old" and Path(name).read_bytes() == sound
    synth.compress_file(Path(name), "x.syn", level="fast", force=True)
    assert entry.main(["compress", name, "-o", "y.syn", "-q", "--level", "fast"]) == 0
    assert Path("x.syn").read_bytes() == Path("y.syn").read_bytes()
    packed, back = io.BytesIO(), io.BytesIO()
    source: Any = Trickle(sound)
    synth.compress_file(source, packed, level="fast")
    synth.decompress_file(io.BytesIO(packed.getvalue()), back)
    synth.decompress_file("x.syn", "back")
    assert Path("back").read_bytes() == back.getvalue()
    if name == "x.wav":
        assert back.getvalue() == sound
    np.testing.assert_array_equal(soundfile.read("back")[0], soundfile.read(name)[0])


def test_files_of_a_voice() -> None:
    soundfile.write("a.wav", voices.sound(900), 8000)
    synth.compress_file("a.wav", "a.syn", mode="parametric", checkpoint=voices.path())
    out, back = io.BytesIO(), io.BytesIO()
    synth.compress_file("a.wav", out, mode="parametric", checkpoint=voices.path())
    assert out.getvalue() == Path("a.syn").read_bytes()
    sound = Path("a.wav").read_bytes()
    ahead, trickle = io.BytesIO(b"before" + sound), Trickle(sound)
    ahead.seek(6)
    for source in (io.BytesIO(sound), ahead, trickle):  # from where it stands
        other = io.BytesIO()
        synth.compress_file(source, other, mode="parametric", checkpoint=voices.path())  # type: ignore[arg-type]
        assert other.getvalue() == out.getvalue()
    synth.decompress_file("a.syn", back, checkpoint=voices.path())
    back.seek(0)
    assert soundfile.info(back).frames == 900


@pytest.mark.parametrize("mode", ["parametric", "lossless"])
def test_nothing_is_written_over_a_checkpoint(mode: str) -> None:
    network = voices.path() if mode == "parametric" else tiny_checkpoint()
    soundfile.write("a.wav", voices.sound(900), 8000)
    data = Path(network).read_bytes()
    Path("c").write_bytes(data)
    synth.compress_file("a.wav", "a.syn", mode=mode, checkpoint="c")
    with pytest.raises(UsageError, match="^c: is the input c too"):
        synth.compress_file("a.wav", "c", mode=mode, checkpoint="c")
    with pytest.raises(UsageError, match="^c: is the input c too"):
        synth.decompress_file("a.syn", "c", checkpoint="c")
    assert Path("c").read_bytes() == data
    synth.compress_file("a.wav", "auto")  # a word, no file
    synth.compress_file("a.wav", "auto", force=True)


@pytest.mark.parametrize("bitrate", [0, -1600, 99.9, 100001, 1e9, float("nan"), float("inf"), True, "1600", 1600j])
def test_bitrates_that_no_file_can_have(bitrate: Any) -> None:
    soundfile.write("a.wav", voices.sound(900), 8000)
    for call in (
        lambda: synth.compress(voices.sound(900), 8000, mode="parametric", checkpoint=voices.path(), bitrate=bitrate),
        lambda: synth.compress_file("a.wav", "a.syn", mode="parametric", checkpoint=voices.path(), bitrate=bitrate),
    ):
        with pytest.raises(UsageError, match=r"^bitrate .*: must be bits a second, 100 to 100000$"):
            call()
    assert not Path("a.syn").exists()


def test_a_bitrate_is_kept_or_refused() -> None:
    sound = voices.sound(8000)
    options: Any = {"mode": "parametric", "checkpoint": voices.path()}
    with pytest.raises(
        CodecError, match=r"^audio array: can't be had at 100 bits a second, the least is \d+$"
    ) as error:
        synth.compress(sound, 8000, bitrate=100, **options)
    least = int(str(error.value).split()[-1])
    found = synth.compress(sound, 8000, bitrate=least, **options)
    assert 8 * len(found) == least
    with pytest.raises(CodecError, match=f"the least is {least}$"):
        synth.compress(sound, 8000, bitrate=np.float32(least - 1), **options)
    assert 8 * len(synth.compress(sound[:400], 8000, **options)) > 1600 * 400 / 8000  # none was asked for


def _file(text: bool = False) -> Any:
    Path("some").write_bytes(b"")
    return open("some", "w" if text else "rb")  # noqa: SIM115  (a wrong one, for the call to refuse)


@pytest.mark.parametrize(
    ("call", "kind", "words"),
    [
        (lambda: synth.compress("x.wav", 8000), UsageError, "the path 'x.wav': compress takes an array; compress_file"),  # type: ignore[call-overload]
        (lambda: synth.compress(WAVE, 8000, out="x.syn"), UsageError, "out is the path 'x.syn': must be a file"),  # type: ignore[call-overload]
        (lambda: synth.compress(WAVE, 8000, out=io.StringIO()), UsageError, "out is of type StringIO: must be a file"),  # type: ignore[call-overload]
        (lambda: synth.compress(WAVE, 8000, checkpoint=3), UsageError, "checkpoint 3: must be a name"),  # type: ignore[call-overload]
        (lambda: synth.compress(WAVE, 8000, threads=0), UsageError, "threads 0: must be an integer from 1"),
        (lambda: synth.compress(WAVE, 8000, threads="a"), UsageError, "threads 'a': must be an integer from 1"),  # type: ignore[call-overload]
        (lambda: synth.compress(WAVE, 8000, threads=True), UsageError, "threads True: must be an integer"),
        (lambda: synth.compress(WAVE, 8000, bitrate=1600), UsageError, "bitrate 1600: is for mode parametric"),
        (
            lambda: synth.compress_file("a.wav", "a.syn", mode="mulaw", bitrate=1e3),
            UsageError,
            "is for mode parametric",
        ),
        (lambda: synth.decompress(b"", threads=0), UsageError, "threads 0: must be an integer from 1"),
        (lambda: synth.decompress(b""), CodecError, "compressed audio: is empty"),
        (lambda: synth.decompress("x.syn"), UsageError, "the path 'x.syn': decompress takes bytes and binary files"),  # type: ignore[arg-type]
        (lambda: synth.decompress(5), UsageError, "data is of type int: must be bytes or a file"),  # type: ignore[arg-type]
        (lambda: synth.decompress(io.StringIO()), UsageError, "data is of type StringIO: must be bytes or"),  # type: ignore[arg-type]
        (lambda: synth.decompress(_file(text=True)), AudioError, "some: can't be read (not readable)"),
        (lambda: synth.decompress_file("none.syn", "x.wav"), AudioError, "none.syn: no such file"),
        (lambda: synth.decompress_file(7, "x.wav"), UsageError, "source is of type int: must be a path or a"),  # type: ignore[arg-type]
        (lambda: synth.compress_file("a.wav", None), UsageError, "out is of type NoneType: must be a path or a"),  # type: ignore[arg-type]
        (lambda: synth.compress_file("a.wav", _file()), UsageError, "out is of type BufferedReader: must be a file"),
        (lambda: synth.compress_file("a.wav", "a.wav"), UsageError, "a.wav: is the input a.wav too"),
        (lambda: synth.compress_file("a.wav", "no/a.syn"), OutputError, "no/a.syn: the folder no does not exist"),
        (lambda: synth.compress_file(io.BytesIO(b"no"), "a.syn"), AudioError, "sound file: is not WAV, AIFF or"),
        (lambda: synth.compress_file("a.wav", "a.syn", level="most"), CodecError, "level most: must be fast"),
        (lambda: synth.compress_file(io.BytesIO(), "a.syn", mode="parametric"), AudioError, "sound file: is empty"),
        (lambda: synth.compress_file(io.BytesIO(b"no"), "a.syn", mode="parametric"), AudioError, "is not audio"),
    ],
)
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_what_is_refused_in_one_line(call: Callable[[], object], kind: type[SynthError], words: str) -> None:
    Path("a.wav").write_bytes(wav16(100))
    with pytest.raises(kind) as caught:
        call()
    assert type(caught.value) is kind and words in str(caught.value) and "\n" not in str(caught.value)
    assert not Path("a.syn").exists() and Path("a.wav").read_bytes() == wav16(100)


@pytest.mark.parametrize("name", ["x.mp3", "x.flac", "x.syn", "x.aiff"])
def test_a_suffix_of_another_format_is_refused(name: str, tmp_path: Path) -> None:
    source = tmp_path / "a.syn"
    source.write_bytes(synth.compress(np.arange(100, dtype=np.int16), 8000))
    with pytest.raises(UsageError, match=f"{name}: its suffix must be .wav or .wave"):
        synth.decompress_file(source, tmp_path / name)
    assert not (tmp_path / name).exists()
    for good in ("x.WAV", "x.wave", "x", "x.dat"):
        synth.decompress_file(source, tmp_path / good)
