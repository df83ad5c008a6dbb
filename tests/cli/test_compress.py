"""`synth compress`, `decompress`, `verify` and `info` of .syn files: names, pipes, JSON, and what is refused."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from helpers.packed import wav16
from helpers.tools import command, error_line, run

from synth import engine
from synth.cli import entry, parser
from synth.codec import api as codec
from synth.codec import encoder

pytestmark = pytest.mark.skipif(not engine.has_native(), reason="takes the compiled engine")
SIZES = ["bytes_in", "bytes_out", "samples", "channels", "bits_per_sample", "ratio"]
KEYS = ["files", *SIZES, "mode", "level", "checkpoint", "version"]
FILE_KEYS = ["path", "out", *SIZES, "checkpoint"]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def synth(*arguments: object) -> int:
    """`synth` in this process."""
    return entry.main([str(argument) for argument in arguments])


def error(capfd: pytest.CaptureFixture[str], name: str) -> str:
    """The one line on stderr."""
    text = capfd.readouterr().err
    assert text.count("\n") == 1 and text.startswith(f"synth {name}: error: "), text
    return text


def make(name: str, frames: int = 300, **shape: int) -> bytes:
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    Path(name).write_bytes(wav16(frames, seed=len(name), **shape))
    return Path(name).read_bytes()


def test_a_file_goes_there_and_back(capfd: pytest.CaptureFixture[str]) -> None:
    file = make("x.wav", 4000)
    assert synth("compress", "x.wav", "--verify") == 0
    assert capfd.readouterr().err.startswith("synth compress: x.wav: x.syn, 8044 to ")
    Path("x.wav").rename("first.wav")
    assert synth("verify", "x.syn") == synth("decompress", "x.syn", "-q") == 0
    assert Path("x.wav").read_bytes() == file
    assert capfd.readouterr().err == "synth verify: x.syn: whole, 0.5 s at 8000 Hz\n"
    assert sorted(os.listdir()) == ["first.wav", "x.syn", "x.wav"]


def test_pipes_on_both_sides() -> None:
    file = make("x.wav", 1000)
    packed = run("synth", "compress", "-", "-q", "--level", "fast", input=file)
    assert (packed.returncode, packed.stderr) == (0, b"")
    unpacked = run("synth", "decompress", "-", "--json", input=packed.stdout)
    assert unpacked.stdout == file
    assert json.loads(unpacked.stderr)["files"][0]["samples"] == 1000
    part = run("synth", "decompress", "-", "-q", "--start", "0.1", "--end", "0.11", input=packed.stdout)
    assert part.stdout[44:] == file[44 + 1600 : 44 + 1760]


def test_a_flac_goes_through_pipes_on_both_sides() -> None:
    sound = np.random.default_rng(0).integers(-9000, 9000, 60000).astype(np.int16)
    soundfile.write("x.flac", sound, 8000)
    assert os.path.getsize("x.flac") > 100_000
    packed = run("synth", "compress", "-", "-o", "-", "-q", "--level", "fast", input=Path("x.flac").read_bytes())
    assert (packed.returncode, packed.stderr) == (0, b"")
    unpacked = run("synth", "decompress", "-", "-q", input=packed.stdout)
    Path("y.flac").write_bytes(unpacked.stdout)
    np.testing.assert_array_equal(soundfile.read("y.flac", dtype="int16")[0], sound)


def test_several_files_go_into_a_folder_and_keep_their_names() -> None:
    files = {name: make(name) for name in ("in/a.wav", "in/b/c.WAV", "in/b/d.wave", "in/e")}
    assert synth("compress", "in", "-r", "-o", "out", "-q", "--level", "fast") == 0
    assert synth("compress", "in/e", "-o", "out", "-q", "--level", "fast") == 0
    assert sorted(str(path) for path in Path("out").rglob("*.syn")) == [
        "out/a.syn",
        "out/b/c.syn",
        "out/b/d.syn",
        "out/e.syn",
    ]
    assert synth("decompress", *Path("out").rglob("*.syn"), "-o", "back", "-q") == 0
    for name, file in files.items():
        assert (Path("back") / Path(name).name).read_bytes() == file


def test_folders_of_compressed_files_come_back_as_they_were(capfd: pytest.CaptureFixture[str]) -> None:
    files = {name: make(name) for name in ("in/a.wav", "in/b/c.WAV", "in/b/d.wave")}
    assert synth("compress", "in", "-r", "-o", "x.syn.d", "-q", "--level", "fast") == 0
    Path("x.syn.d", "notes.txt").write_text("no .syn file")
    assert synth("verify", "-r", "x.syn.d", "--json") == 0
    assert [Path(file["path"]).name for file in json.loads(capfd.readouterr().out)["files"]] == [
        "a.syn",
        "c.syn",
        "d.syn",
    ]
    assert synth("decompress", "-r", "x.syn.d", "-o", "in again", "-q") == 0
    assert {path.relative_to("in again") for path in Path("in again").rglob("*.*")} == {
        Path(name).relative_to("in") for name in files
    }
    for name, file in files.items():
        assert Path("in again", Path(name).relative_to("in")).read_bytes() == file
    os.mkdir("there.syn")
    assert synth("compress", "in/a.wav", "in/b/c.WAV", "-o", "there.syn", "-q", "--level", "fast") == 0
    assert sorted(os.listdir("there.syn")) == ["a.syn", "c.syn"]


def test_json_has_the_keys_that_scripts_rely_on(capfd: pytest.CaptureFixture[str]) -> None:
    make("a.wav", 300), make("b.wav", 200, channels=2)
    assert synth("compress", "a.wav", "b.wav", "-o", ".", "--json", "--level", "fast", "--threads", 2) == 0
    out, err = capfd.readouterr()
    report = json.loads(out)
    assert err == "" and list(report) == KEYS and all(list(file) == FILE_KEYS for file in report["files"])
    one, two = report["files"]
    assert one["bytes_out"] == os.path.getsize("a.syn") and one["bytes_in"] == 644
    assert one["bits_per_sample"] == 8 * one["bytes_out"] / 300 and one["ratio"] == 644 / one["bytes_out"]
    assert report["bits_per_sample"] == 8 * report["bytes_out"] / 700
    assert (report["samples"], report["channels"], report["checkpoint"], two["channels"]) == (500, None, "none", 2)


def test_it_goes_on_after_a_bad_file(capfd: pytest.CaptureFixture[str]) -> None:
    make("a.wav"), make("b.wav"), Path("bad.wav").write_text("no sound at all")
    Path("b.syn").write_text("old")
    os.mkdir("folder")
    assert synth("compress", "bad.wav", "a.wav", "missing.wav", "b.wav", "folder", "-q", "-o", ".") == 1
    lines = capfd.readouterr().err.splitlines()
    assert sorted(line.split("error: ")[1] for line in lines) == [
        "./b.syn: exists already; -f overwrites it",
        "bad.wav: is not WAV, AIFF or FLAC, nor W64 or AU",
        "folder: is a folder; -r takes the sound files in it",
        "missing.wav: no such file",
    ]
    assert Path("b.syn").read_text() == "old" and Path("a.syn").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ("compress x.wav -o x.wav", 2, "x.wav: its suffix must be .syn"),
        ("compress x.syn -o x.syn", 2, "x.syn: is the input x.syn too"),
        ("compress x.wav ./x.wav", 2, "./x.wav: is given twice"),
        (
            "compress x.wav in/x.wav -o .",
            2,
            "x.wav and in/x.wav: both would become ./x.wav.syn; give them one at a time",
        ),
        ("compress x.wav y.wav -o z.syn", 2, "z.syn: is named like a file; several files, and -r, take a folder"),
        ("decompress -r . -o z.wav", 2, "z.wav: is named like a file; several files, and -r, take a folder"),
        ("decompress .", 1, ".: is a folder; -r takes the .syn files in it"),
        ("verify .", 1, ".: is a folder; -r takes the .syn files in it"),
        ("verify -r empty", 1, "empty: no .syn file is in it"),
        ("decompress -r empty -o out", 1, "empty: no .syn file is in it"),
        ("compress x.wav y.wav -o -", 2, "-: several files don't go through one pipe"),
        ("compress x.wav - -o .", 2, "-: several files don't go through one pipe"),
        ("compress x.wav y.wav -o none/there", 1, "none/there: the folder that it is to be in does not exist"),
        ("compress x.wav y.wav -o y.wav", 1, "y.wav: is no folder"),
        ("compress x.wav -o none/x.syn", 1, "none/x.syn: the folder none does not exist"),
        ("compress x.wav -o - --verify", 2, "--verify: "),
        ("compress x.wav --level best", 2, "--level: invalid choice: 'best'"),
        ("compress x.wav --mode opus", 2, "--mode: invalid choice: 'opus'"),
        ("compress x.wav -c nothing", 1, "nothing: no such checkpoint"),
        ("compress x.wav -c digits --level fast", 1, "digits: level fast takes no checkpoint"),
        ("compress x.wav --threads 0", 2, "--threads: '0'"),
        ("compress", 2, "IN"),
        ("decompress x.syn", 1, "x.wav: exists already; -f overwrites it"),
        ("decompress x.syn -o x.syn -f", 2, "x.syn: is the input x.syn too"),
        ("decompress x.syn -o z.flac", 2, "z.flac: its suffix must be .wav or .wave"),
        ("decompress x.wav", 1, "x.wav: is not a .syn file"),
        ("decompress x.syn -o z.wav --start 9", 1, "x.syn: has nothing from 9 s"),
        ("decompress x.syn -o z.wav --start 2 --end 1", 2, "--end 1: must be after --start 2"),
        ("decompress x.syn -o z.wav --end 0", 2, "--end: '0'"),
        ("verify x.wav", 1, "x.wav: is not a .syn file"),
        ("verify missing.syn", 1, "missing.syn: no such file"),
        ("info x.wav", 1, "x.wav: is neither a checkpoint nor a .syn file"),
        ("info missing.syn", 1, "missing.syn: no such file"),
    ],
)
def test_what_is_refused(arguments: str, code: int, words: str, capfd: pytest.CaptureFixture[str]) -> None:
    for name in ("x.wav", "y.wav", "x.flac", "in/x.wav"):
        make(name)
    assert synth("compress", "x.wav", "-q", "--level", "fast") == 0
    os.mkdir("empty")
    before = {path: path.is_file() and path.read_bytes() for path in Path().iterdir()}
    assert synth(*arguments.split()) == code
    assert words in error(capfd, arguments.split()[0])
    assert {path: path.is_file() and path.read_bytes() for path in Path().iterdir()} == before


def test_names_that_would_clash_keep_their_suffixes(capfd: pytest.CaptureFixture[str]) -> None:
    names = ("x.wav", "x.WAVE", "x.aif.wav", "y.wav", "z.wav.wav", "x.wav.aif")
    files = {name: make(f"in/{name}", 200 + place) for place, name in enumerate(names)}
    soundfile.write("in/x.flac", np.arange(300, dtype=np.int16), 8000)
    assert synth("compress", "-r", "in", "-o", "out", "-q", "--level", "fast") == 0
    expected = "x.WAVE.syn x.aif.syn x.flac.syn x.wav.aif.syn x.wav.syn y.syn z.wav.wav.syn"
    assert sorted(os.listdir("out")) == expected.split()
    assert synth("decompress", "-r", "out", "-o", "back", "-q") == 0
    assert sorted(os.listdir("back")) == sorted(os.listdir("in"))
    assert all(Path("back", name).read_bytes() == file for name, file in files.items())
    assert synth("compress", "in/x.wav", "in/x.flac", "-q", "--level", "fast") == 0  # named one by one
    assert {"x.wav.syn", "x.flac.syn"} <= set(os.listdir("in"))
    assert capfd.readouterr().err == ""


def test_a_folder_is_done_but_for_what_clashes(capfd: pytest.CaptureFixture[str]) -> None:
    for name in ("one/a.wav", "one/b.wav", "two/a.wav", "two/c.wav"):
        make(name, 100)
    assert synth("compress", "-r", "one", "two", "-o", "out", "-q", "--level", "fast") == 1
    clash = "one/a.wav and two/a.wav: both would become out/a.wav.syn; give them one at a time, each with its own -o"
    assert capfd.readouterr().err == 2 * f"synth compress: error: {clash}\n"
    assert sorted(os.listdir("out")) == ["b.syn", "c.syn"]
    os.symlink("a.wav", "one/a.syn")  # where its output is to be
    assert synth("compress", "-r", "one", "-q", "-f", "--level", "fast") == 1
    assert "one/a.syn: is the input one/a.wav too" in capfd.readouterr().err
    assert sorted(os.listdir("one")) == ["a.syn", "a.wav", "b.syn", "b.wav"]


def test_every_name_of_a_file_is_done(capfd: pytest.CaptureFixture[str]) -> None:
    make("in/a.wav"), make("other/y.wav"), Path("in/z.mp3").write_bytes(b"ID3")
    os.link("in/a.wav", "in/b.wav"), os.symlink("a.wav", "in/c.wav"), os.symlink("../other", "in/d")
    assert synth("compress", "-r", "in", "-o", "out", "--level", "fast") == 0
    outputs = sorted(str(path) for path in Path("out").rglob("*.syn"))
    assert outputs == ["out/a.syn", "out/b.syn", "out/c.syn", "out/d/y.syn"]
    assert "in: sound files of other kinds are left out: 1 .mp3\n" in capfd.readouterr().err
    assert synth("compress", "in/a.wav", "in/c.wav", "-q", "--level", "fast") == 0
    assert synth("verify", "-r", "in", "-q") == 0


def test_a_private_recording_stays_private() -> None:
    def mode(name: str) -> int:
        return os.stat(name).st_mode & 0o777

    file = make("x.wav")
    Path("public").touch()
    os.chmod("x.wav", 0o600)
    assert synth("compress", "x.wav", "-q", "--level", "fast") == 0
    assert synth("decompress", "x.syn", "-o", "y.wav", "-q") == 0
    assert mode("x.syn") == mode("y.wav") == 0o600
    with open("x.wav", "rb") as private:
        assert run("synth", "compress", "-", "-o", "z.syn", "-q", "--level", "fast", stdin=private).returncode == 0
    piped = run("synth", "decompress", "-", "-o", "p.wav", "-q", "--start", 0.01, input=Path("x.syn").read_bytes())
    assert piped.returncode == 0 and mode("z.syn") == 0o600 and mode("p.wav") == mode("public")
    codec.compress_file("x.wav", "a.syn")
    codec.decompress_file("a.syn", "b.wav")
    with open("x.wav", "rb") as private:
        codec.compress_file(private, "c.syn")
    assert mode("a.syn") == mode("b.wav") == mode("c.syn") == 0o600 and Path("b.wav").read_bytes() == file


def test_damage_leaves_no_file_and_salvage_tells_what_it_saved(capfd: pytest.CaptureFixture[str]) -> None:
    file = make("x.wav", 3000) + b"more"
    Path("x.wav").write_bytes(file)
    assert synth("compress", "x.wav", "-q", "--level", "fast") == 0
    data = bytearray(Path("x.syn").read_bytes())
    data[len(data) // 2] ^= 1
    Path("x.syn").write_bytes(data)
    for arguments in (["verify", "x.syn"], ["decompress", "x.syn", "-o", "y.wav"]):
        assert synth(*arguments) == 1
        assert "x.syn: segment 1 (0.00 s to 0.38 s) is damaged: its checksum is wrong" in error(capfd, arguments[0])
    assert sorted(os.listdir()) == ["x.syn", "x.wav"]
    assert synth("decompress", "x.syn", "-o", "y.wav", "--salvage", "-q") == 1
    assert "silence is in its place" in error(capfd, "decompress")
    assert Path("y.wav").read_bytes() == file[:44] + bytes(6000) + b"more"
    data[9] ^= 1  # of the header
    Path("x.syn").write_bytes(data)
    assert synth("decompress", "x.syn", "-o", "z.wav", "--salvage", "-q") == 1
    assert "its header is damaged" in error(capfd, "decompress") and not os.path.exists("z.wav")


def test_info_tells_what_is_in_a_file(capfd: pytest.CaptureFixture[str]) -> None:
    make("x.wav", 400, channels=2)
    assert synth("compress", "x.wav", "-q", "--level", "fast") == synth("info", "x.syn", "--json") == 0
    report = json.loads(capfd.readouterr().out)
    expected = {"format": "wav", "channels": 2, "sample_rate": 8000, "samples": 400, "level": "fast", "segments": 1}
    assert {key: report[key] for key in expected} == expected
    piped = run("synth", "info", "-", "--json", input=Path("x.syn").read_bytes())
    assert json.loads(piped.stdout) == {**report, "path": "-"}
    Path("x.syn").rename("renamed")
    assert synth("info", "renamed", "--json") == 0
    assert json.loads(capfd.readouterr().out) == {**report, "path": "renamed"}
    wrong = run("synth", "info", "-", input=Path("x.wav").read_bytes())
    assert "-: is not a .syn file" in error_line(wrong, 1, "synth info")


def test_a_file_that_changes_while_it_is_read_is_refused(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    make("x.wav")
    real = encoder.compress_stream

    def compress(sound: Any, *arguments: Any, **rest: Any) -> object:
        done = real(sound, *arguments, **rest)
        os.utime("x.wav", (1, 1))
        return done

    monkeypatch.setattr(encoder, "compress_stream", compress)
    assert synth("compress", "x.wav", "-q") == 1
    assert "x.wav: has changed while it was read" in error(capfd, "compress")
    assert os.listdir() == ["x.wav"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_named() -> None:
    make("x.wav", 1000)
    with open("/dev/full", "wb") as full:
        arguments = command("synth", "compress", "x.wav", "-o", "-")
        done = subprocess.run(arguments, stdout=full, stderr=subprocess.PIPE, timeout=60)
    assert done.returncode == 1
    assert done.stderr.decode() == "synth compress: error: -: can't be written (No space left on device)\n"


def test_help_offers_what_works() -> None:
    assert {"compress", "decompress", "verify"} <= set(parser.COMMANDS)
    text = run("synth", "compress", "--help").stdout.decode()
    assert "mulaw" in text and "auto" in text and "Opus" in text
    assert "x.syn" in error_line(run("synth", "verify", "x.syn"), 1, "synth verify")


def test_segments_have_the_length_that_is_asked_for(capfd: pytest.CaptureFixture[str]) -> None:
    make("x.wav", 4000)
    assert synth("compress", "x.wav", "--segment", 0.1, "--level", "fast", "-q") == 0
    assert synth("info", "x.syn", "--json") == 0
    assert json.loads(capfd.readouterr().out)["segments"] == 6
    assert synth("compress", "x.wav", "--segment", 0.01) == 2
    assert "--segment" in error(capfd, "compress")
    assert synth("compress", "x.wav", "--segment", 1, "--mode", "parametric") == 2
    assert "--segment: is not for --mode parametric" in error(capfd, "compress")


def test_a_level_that_changes_nothing_is_told_of(capfd: pytest.CaptureFixture[str]) -> None:
    make("x.wav", 4000)
    assert synth("compress", "x.wav", "--level", "max", "--mode", "parametric") == 0
    assert "--level max: changes nothing in --mode parametric" in capfd.readouterr().err
    assert synth("compress", "x.wav", "--mode", "parametric", "-f") == 0
    assert "--level" not in capfd.readouterr().err
