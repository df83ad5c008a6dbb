"""Every command line and every Python block of README and docs runs, in a folder with small sounds of the names there.

Long ones are shortened as `SHORTER` says. What trains, exports or measures speed takes longer and runs with `-m slow`;
for the fast tests the checkpoints that it would make are there already.
"""

from __future__ import annotations

import os
import re
import runpy
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile
from helpers import pages, sounds, tools

import synth
from synth.checkpoint import registry
from synth.cli import entry
from synth.generation import checkpoint

FOLDER = pages.ROOT / "docs"
RUN = [pages.ROOT / "README.md", *sorted(FOLDER.glob("*.md"))]
WITH_COMMANDS = [page for page in RUN if pages.commands(page)]
SLOW = ("train", "export", "bench")
BLOCKS = [(page, number) for page in RUN for number in range(len(pages.python_blocks(page)))]

SHORTER = (
    (r"^generate-audio .*-d (?:[1-9]\d*)\b", r"-d [\d.]+", "-d 0.25"),
    (r"^generate-audio ((?! -d | --beats ).)*$", r"$", " -d 0.25"),
    (r"^generate-audio .* --beats ", r"--beats \d+", "--beats 1"),
    (r"^generate-audio .* -n 8\b", r"-n 8\b", "-n 2"),
    (r"--play\b", r"--play\b", ""),  # there is no sound card
    (
        r"^synth train (?!-)(?!.*--task (?:classify|corrector))(?!.*--(?:resume|from))",
        r"(--preset \w+|$)",
        " --preset tiny",
    ),
    (r"^synth train (?!.*--(?:resume|list|minutes))", r"$", " --steps 2 --threads 1"),
    (r"^synth train .*--minutes", r"--minutes [\d.]+", "--threads 1 --minutes 0.1"),
    (r"^synth export (?!\S*ears)(?!.*--noise)", r"$", " --steps 0"),
    (r"^synth export .*--noise", r"$", " --steps 2"),
    (r"^synth evaluate ", r"( -n \d+| -d \S+|$)", ""),
    (r"^synth evaluate ", r"$", " -n 1 -d 0.1"),
)
"""(which commands, what in them, what instead): each replaces the first match."""

RATE = 16000
STAND_INS = {
    "mine.safetensors": "digits-plain",
    "voice.safetensors": "speech",
    "guitar.safetensors": "speech",
    "ears.safetensors": "digits-classifier",
    "my-corrector.safetensors": "corrector",
    "mine/voice.safetensors": "speech",
}
"""Checkpoints that the reader has trained, and what is there instead."""


def shortened(command: pages.Command) -> str:
    """The command line with small settings."""
    text = str(command)
    for which, what, instead in SHORTER:
        if re.search(which, text):
            text = re.sub(what, instead, text, count=1)
    return text


def is_slow(command: pages.Command) -> bool:
    return command.words[0] == "synth" and command.words[1] in SLOW


def fill(folder: Path) -> None:
    """Writes the files that the pages name."""
    for name in ("x", "a", "b", "me", "take", "7", "tune", "start", "other"):
        wave = sounds.tone(RATE, RATE, 220.0, 0.4) + sounds.noise(RATE, len(name), 300)
        suffix = "flac" if name in ("start", "other") else "wav"
        soundfile.write(folder / f"{name}.{suffix}", wave, RATE)
    voice = synth.load("speech")
    assert isinstance(voice, synth.Voice)
    np.save(folder / "features.npy", voice.features(sounds.tone(RATE, RATE, 220.0, 0.4), RATE))
    for number in range(3):
        write(folder / f"recordings/{number}.wav", number)
    tags = ["file,sounds"]
    for number in range(12):
        write(folder / f"field/{number}.wav", number)
        tags.append(f"field/{number}.wav,{('rain', 'wind', 'rain;wind')[number % 3]}")
    (folder / "tags.csv").write_text("\n".join(tags) + "\n")
    for number in range(48):
        digit, speaker, take = number % 4, ("theo", "lucas")[number % 2], number // 4
        for place in ("fsdd-8k", "my-sounds", "fsdd", "my-voice", "guitar"):
            if place == "fsdd-8k" or number < 32:
                suffix = "flac" if place.startswith("fsdd") else "wav"
                write(folder / f"{place}/{digit}_{speaker}_{take}.{suffix}", number)


def write(path: Path, number: int) -> None:
    path.parent.mkdir(exist_ok=True)
    wave = sounds.tone(4000, 8000, 150.0 + 40 * (number % 7), 0.3) + sounds.noise(4000, number, 200)
    soundfile.write(path, wave, 8000)


def stand_ins(folder: Path, made: set[str]) -> None:
    """Puts the checkpoints there that the page's own commands do not make."""
    for name, bundled in STAND_INS.items():
        if name not in made:
            (folder / name).parent.mkdir(exist_ok=True)
            shutil.copy(registry.find(bundled), folder / name)
    if "mine.safetensors" not in made:  # one that did not come with synth
        mine = checkpoint.load(STAND_INS["mine.safetensors"])
        checkpoint.save(folder / "mine.safetensors", mine.config, mine.tensors, {**mine.info, "name": "mine"})


def run(line: str) -> int:
    """The exit code of a command line; in this process where it needs no pipe."""
    words = [word for word in _expanded(line) if word]
    if "-" in words[1:]:
        with open("x.wav", "rb") as sound:
            return subprocess.run(tools.command(*words), stdin=sound, stdout=subprocess.DEVNULL, timeout=60).returncode
    main = entry.generate_audio_main if words[0] == "generate-audio" else entry.main
    return main(words[1:])


def _expanded(line: str) -> list[str]:
    import shlex
    from glob import glob

    return [name for word in shlex.split(line) for name in (sorted(glob(word)) if "*" in word else [word])]


def run_all(page: Path, folder: Path, capsys: pytest.CaptureFixture[str], slow: bool) -> None:
    """Runs a page's commands one after the other; the slow ones only if `slow`."""
    commands = pages.commands(page)
    exported = {c.words[3] for c in commands if c.words[:2] == ("synth", "export")} if slow else set()
    trained = [c.words for c in commands if c.words[:2] == ("synth", "train") and "-o" in c.words] if slow else []
    exported |= {f"{words[words.index('-o') + 1]}/voice.safetensors" for words in trained}
    fill(folder)
    stand_ins(folder, exported)
    for command in commands:
        if slow or not is_slow(command):
            line = shortened(command)
            code = run(line)
            said = capsys.readouterr().err
            assert (code != 0) == command.fails, f"{line}: exit code {code}\n{said}"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("page", WITH_COMMANDS, ids=pages.name_of)
def test_every_command_runs(page: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run_all(page, tmp_path, capsys, slow=False)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("page", [p for p in WITH_COMMANDS if any(map(is_slow, pages.commands(p)))], ids=pages.name_of)
def test_every_command_that_trains_runs(
    page: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("torch", reason="torch is not installed")
    from synth.benchmarking import generator, timing

    monkeypatch.setattr(timing, "SECONDS", 1e-3)
    monkeypatch.setattr(generator, "SIZES", ((32, 32, 1.0), (32, 64, 0.25)))
    run_all(page, tmp_path, capsys, slow=True)


@pytest.mark.parametrize(("page", "number"), BLOCKS, ids=lambda value: getattr(value, "name", str(value)))
def test_every_python_block_runs(page: Path, number: int, tmp_path: Path) -> None:
    write(tmp_path / "x.flac", 1)
    block = tmp_path / f"{page.stem}-block-{number + 1}.py"
    block.write_text(pages.python_blocks(page)[number], "utf-8")
    runpy.run_path(str(block), run_name="docs")


def test_every_name_of_the_package_is_documented() -> None:
    text = (FOLDER / "python-api.md").read_text("utf-8")
    for name in synth.__all__:
        assert name.startswith("__") or name in text, name


def test_an_unknown_program_is_noticed(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("```\nsynth info\nsox a.wav b.wav\n```\n")
    with pytest.raises(ValueError, match="no program"):
        pages.commands(page)
    page.write_text("```text\nsox a.wav\n```\n```\nsynth info x  # fails: no x\nls | synth compress - | cat\n```\n")
    assert [(c.words, c.fails) for c in pages.commands(page)] == [
        (("synth", "info", "x"), True),
        (("synth", "compress", "-"), False),
    ]
    assert os.fspath(page)
