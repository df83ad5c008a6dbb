"""The figures of a corpus: of its cache and of its files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
from helpers import sounds

from synth.audio.nearness import distance
from synth.common.errors import AudioError, CorpusError
from synth.data import sound_figures
from synth.data.audio_files import find_audio_files
from synth.data.build import build
from synth.data.sound_figures import figures_of_corpus, figures_of_files


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    make = sounds.maker(tmp_path / "in")
    for number in range(8):
        wave = sounds.tone(6000, hertz=200.0 + 50 * number, amplitude=0.2) + sounds.noise(6000, number, 300)
        make(f"{number}.wav", wave)
    return tmp_path / "in"


def test_a_cache_and_its_files_sound_alike(folder: Path, tmp_path: Path) -> None:
    corpus = build([folder], tmp_path / "cache", 8000)
    names = {entry.name for entry in corpus.split("train")}
    trained = [file for file in find_audio_files([folder], set()) if file.name in names]
    files = figures_of_files(trained, 8000, 1e9)
    assert (files.files, files.seconds, files.skipped) == (len(names), 0.75 * len(names), [])
    assert distance(files.figures, figures_of_corpus(corpus)) == 0


def test_other_rates_and_channels_are_as_in_training(folder: Path) -> None:
    plain = figures_of_files(find_audio_files([folder], set()), 8000, 1e9).figures
    for path in folder.iterdir():
        wave, _ = soundfile.read(path)
        soundfile.write(path, np.stack([wave, wave], 1).repeat(2, 0), 16000)
    again = figures_of_files(find_audio_files([folder], set()), 8000, 1e9).figures
    assert again.bandwidth == 4000 and distance(plain, again) < 1.5


def test_a_low_rate_has_no_high_bands(folder: Path) -> None:
    files = find_audio_files([folder], set())
    assert figures_of_files(files, 44100, 1e9).figures.bandwidth == 4000
    assert figures_of_files(files, 44100, 2500).figures.bandwidth == 2500


def test_what_cannot_be_used_is_named_and_counts_not(folder: Path) -> None:
    whole = figures_of_files(find_audio_files([folder], set()), 8000, 1e9).figures
    (folder / "text.wav").write_text("no sound")
    data = (folder / "0.wav").read_bytes()
    (folder / "cut.wav").write_bytes(data[:4000])
    files = figures_of_files(find_audio_files([folder], set()), 8000, 1e9)
    assert [Path(path).name for path, _ in files.skipped] == ["cut.wav", "text.wav"]
    assert files.files == 8 and distance(files.figures, whole) == 0
    with pytest.raises(AudioError, match="text.wav"):
        figures_of_files(find_audio_files([folder / "text.wav"], set()), 8000, 1e9)
    for number in range(8):
        (folder / f"{number}.wav").unlink()
    with pytest.raises(CorpusError, match="none of 2 files"):
        figures_of_files(find_audio_files([folder], set()), 8000, 1e9)


def test_of_long_ones_parts_are_measured(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sound_figures, "MOST_SECONDS", 4)
    files = figures_of_files(find_audio_files([folder], set()), 8000, 1e9)
    assert files.seconds == 6.0 and files.figures.seconds == pytest.approx(3.0)  # 4 of 8 stretches of 0.75 s
