"""`synth compress --mode parametric` and what goes with it: files, pipes, JSON, parts, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from helpers import voices
from helpers.tools import error_line, run, tiny_checkpoint

import synth
from synth.checkpoint import registry
from synth.cli import entry
from synth.codec.parametric import format

SOUND = voices.sound(4003)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    soundfile.write("a.wav", SOUND, 8000)


def compress(*arguments: object) -> int:
    return entry.main(["compress", "--mode", "parametric", "-c", voices.path(), *map(str, arguments)])


def test_there_and_back(capsys: pytest.CaptureFixture[str]) -> None:
    assert compress("a.wav", "--verify", "--json", "--bitrate", "1.6k") == 0
    report: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert report["mode"] == "parametric" and report["files"][0]["bytes_out"] == Path("a.syn").stat().st_size
    assert entry.main(["verify", "a.syn", "-c", voices.path()]) == 0
    assert entry.main(["decompress", "a.syn", "-o", "b.wav", "-c", voices.path()]) == 0
    found, rate = soundfile.read("b.wav", dtype="int16")
    assert rate == 8000 and len(found) == len(SOUND)
    again, rate = synth.decompress(Path("a.syn").read_bytes(), checkpoint=voices.path())
    np.testing.assert_array_equal(again, found)
    data = synth.compress(SOUND, 8000, mode="parametric", checkpoint=voices.path(), bitrate=1600)
    assert data == Path("a.syn").read_bytes()
    assert (
        entry.main(["decompress", "a.syn", "-o", "c.wav", "-c", voices.path(), "--start", "0.1", "--end", "0.3"]) == 0
    )
    np.testing.assert_array_equal(soundfile.read("c.wav", dtype="int16")[0], found[800:2400])


def test_info_tells_what_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert compress("a.wav") == 0
    capsys.readouterr()
    assert entry.main(["info", "a.syn", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["mode"] == "parametric" and found["samples"] == 4003 and found["tokens"] in (1, 2)
    assert found["bits_per_second"] == pytest.approx(8 * found["bytes"] / (4003 / 8000))


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["compress", "a.wav", "--bitrate", "1600"], 2, "--bitrate: is for --mode parametric"),
        (["compress", "a.wav", "--mode", "parametric", "--bitrate", "5"], 2, "must be bits a second"),
        (
            ["compress", "a.wav", "--mode", "parametric", "--bitrate", "0.1k", "-c", voices.path()],
            1,
            "a.wav: can't be had at 100 bits a second, the least is ",
        ),
        (["compress", "a.wav", "--mode", "parametric", "-c", "none"], 1, "nothing without a voice"),
        (["compress", "a.wav", "--mode", "parametric", "-c", "digits-plain"], 1, "is no voice"),
        (["compress", "a.wav", "-c", voices.path()], 1, "is a voice"),
        (["decompress", "old.syn", "-o", "b.flac", "-c", voices.path()], 2, "its suffix must be .wav"),
        (["decompress", "old.syn", "-o", "b.wav"], 1, "which is not here; give it with -c"),
        (["decompress", "old.syn", "-o", "b.wav", "-c", "digits-5"], 1, "which is not here; digits-5 is another ("),
        (["verify", "cut.syn", "-c", voices.path()], 1, "cut.syn"),
        (["decompress", "cut.syn", "-o", "b.wav", "-c", voices.path()], 1, "cut.syn"),
    ],
)
def test_what_is_refused(arguments: list[str], code: int, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert compress("a.wav", "-o", "old.syn") == 0
    Path("cut.syn").write_bytes(Path("old.syn").read_bytes()[:-3])
    capsys.readouterr()
    before = sorted(path.name for path in Path().iterdir())
    try:
        found = entry.main(arguments)
    except SystemExit as stop:
        found = int(str(stop.code))
    out, error = capsys.readouterr()
    assert (found, out) == (code, "") and said in error and error.count("\n") == 1
    assert sorted(path.name for path in Path().iterdir()) == before


def test_salvage_says_what_was_lost(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(format, "SEGMENT", 13)
    assert compress("a.wav") == 0
    data = bytearray(Path("a.syn").read_bytes())
    data[-6] ^= 1
    Path("a.syn").write_bytes(data)
    assert entry.main(["decompress", "a.syn", "-o", "b.wav", "-c", voices.path(), "--salvage"]) == 1
    assert "silence is in its place" in capsys.readouterr().err
    assert soundfile.info("b.wav").frames == 4003


@pytest.mark.parametrize(
    ("arguments", "kind"),
    [
        ("compress a.wav --mode parametric -o c.syn -c c.syn", "voice"),
        ("compress a.wav --mode parametric -o link.syn -c c.syn", "voice"),
        ("compress -r b --mode parametric -o . -c ./b.syn", "voice"),
        ("compress a.wav -o c.syn -c c.syn", "plain"),
        ("compress a.wav --mode mulaw -o c.syn -c c.syn", "plain"),
        ("decompress old.syn -o c.wav -c c.wav", "voice"),
        ("decompress plain.syn -o c.wav -c c.wav", "plain"),
    ],
)
def test_nothing_is_written_over_a_checkpoint(arguments: str, kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    network = voices.path() if kind == "voice" else tiny_checkpoint()
    assert compress("a.wav", "-o", "old.syn") == 0
    assert entry.main(["compress", "a.wav", "-o", "plain.syn", "-c", tiny_checkpoint()]) == 0
    Path("b").mkdir()
    soundfile.write("b/b.wav", SOUND, 8000)
    place = Path(arguments.split()[-1])
    place.write_bytes(Path(network).read_bytes())
    Path("link.syn").symlink_to("c.syn")
    capsys.readouterr()
    assert entry.main([*arguments.split(), "-f"]) == 2
    error = capsys.readouterr().err
    assert "is the input" in error and error.count("\n") == 1
    assert place.read_bytes() == Path(network).read_bytes()


def test_a_file_that_has_the_name_of_a_bundled_checkpoint_is_none() -> None:
    Path("speech").write_bytes(b"no checkpoint")
    assert registry.file_of("speech") == str(registry.find("speech")) != "speech"
    assert registry.file_of("./speech") == "speech" and registry.file_of("missing") is None


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg", "aiff"])
def test_a_pipe_is_read(suffix: str) -> None:
    soundfile.write(f"b.{suffix}", SOUND, 8000)
    assert compress(f"b.{suffix}", "-o", "b.syn", "-q") == 0
    data = Path(f"b.{suffix}").read_bytes()
    options = ("--mode", "parametric", "-c", voices.path())
    done = run("synth", "compress", "-", "-o", "-", *options, "--json", input=data)
    assert done.returncode == 0 and done.stdout == Path("b.syn").read_bytes()
    assert json.loads(done.stderr)["bytes_in"] == len(data)


@pytest.mark.parametrize(
    ("data", "said"), [(b"", "-: is empty"), (b"no sound", "-: is not audio"), (None, "-: is cut short: ")]
)
def test_a_pipe_that_has_no_sound(data: bytes | None, said: str) -> None:
    data = Path("a.wav").read_bytes()[:-9] if data is None else data
    done = run("synth", "compress", "-", "-o", "x.syn", "--mode", "parametric", "-c", voices.path(), input=data)
    assert said in error_line(done, 1, "synth compress") and not Path("x.syn").exists()


def test_salvage_of_a_file_without_a_whole_segment_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert compress("a.wav") == 0
    data = bytearray(Path("a.syn").read_bytes())
    data[-6] ^= 1
    Path("a.syn").write_bytes(data)
    assert entry.main(["decompress", "a.syn", "-o", "b.wav", "-c", voices.path(), "--salvage"]) == 1
    assert "no segment is whole, nothing can be salvaged" in capsys.readouterr().err
    assert not Path("b.wav").exists()


def test_what_does_not_come_back_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    sound = np.stack([voices.sound(44100)] * 2, 1)
    soundfile.write("music.wav", sound, 44100)
    assert compress("music.wav", "--bitrate", "50k") == 0
    error = capsys.readouterr().err
    assert "what comes back is speech in mono at 8000 Hz, of 2 channels at 44100 Hz" in error
    assert "--bitrate 50000 is more than this voice can use: it takes at most about" in error


@pytest.mark.parametrize("suffix", ["mp3", "ogg", "m4a", "flac", "syn"])
def test_a_suffix_of_another_format_is_refused(suffix: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert compress("a.wav") == 0
    assert entry.main(["decompress", "a.syn", "-o", f"o.{suffix}"]) == 2
    assert f"o.{suffix}: its suffix must be .wav" in capsys.readouterr().err and not Path(f"o.{suffix}").exists()
