"""`synth bench --codec`: every coder that is here, on files of one's own."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile

from synth import engine
from synth.benchmarking import codecs
from synth.cli import entry

pytestmark = pytest.mark.skipif(not engine.has_native(), reason="needs the compiled engine")


def test_the_table_has_ours_and_what_is_installed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    t = np.arange(3000)
    soundfile.write(tmp_path / "a.flac", (8000 * np.sin(t / 20.0)).astype(np.int16), 8000)
    soundfile.write(tmp_path / "b.wav", (8000 * np.sin(t / 30.0)).astype(np.int16), 16000)
    assert entry.main(["bench", "--json", "--codec", str(tmp_path)]) == 0
    data = json.loads(capsys.readouterr().out)
    rows = {row["name"]: row for row in data["results"]}
    assert data["files"] == 2 and data["samples"] == 6000 and data["bytes"] == 2 * (44 + 6000)
    assert {"synth fast -c none", "synth max -c auto", "xz -9e"} <= rows.keys() and not data["failed"]
    assert ("flac -8" in rows) == (shutil.which("flac") is not None)
    best = rows["synth max -c auto"]
    assert best["bits_per_sample"] == pytest.approx(8 * best["bytes"] / 6000)
    assert best["bytes"] < rows["xz -9e"]["bytes"] and best["decoded_samples_per_second"] > 0


def test_flac_writes_no_padding() -> None:
    """8 KiB of it by default, which is for tags to come."""
    assert "--no-padding" in next(encode for name, encode, _ in codecs.PROGRAMS if name.startswith("flac"))


def test_a_program_that_fails_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    soundfile.write(tmp_path / "a.wav", np.arange(500, dtype=np.int16), 8000)
    monkeypatch.setattr(codecs, "PROGRAMS", (("broken", "false {wav} {out}", "true {out} {back}"),))
    data = codecs.run([str(tmp_path / "a.wav")], lambda done: None)
    assert [text.split(":")[0] for text in data["failed"]] == ["broken"]
    assert "broken" not in {row["name"] for row in data["results"]}


def test_what_is_no_sound_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "x.wav").write_bytes(b"RIFF")
    assert entry.main(["bench", "--codec", str(tmp_path / "x.wav")]) == 1
    assert "x.wav" in capsys.readouterr().err
    assert entry.main(["bench", "--codec", str(tmp_path / "none.wav")]) == 1
