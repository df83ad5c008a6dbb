"""Bad input to the commands: one line that names the thing, the right exit code, nothing written or lost."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from helpers.tools import command, error_line, generate, run, tiny_checkpoint
from hypothesis import given
from hypothesis import strategies as st

from synth.cli import arguments as options
from synth.cli import console
from synth.common.errors import UsageError

TONE = (8000 * np.sin(np.arange(4000) / 5)).astype(np.int16)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


# ---- options


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("-d 0", "-d/--duration: '0': must be a finite number above 0"),
        ("-d -1", "-d/--duration: '-1'"),
        ("-d nan", "-d/--duration: 'nan'"),
        ("-d inf", "-d/--duration: 'inf'"),
        ("-d 1_0", "-d/--duration: '1_0'"),
        ("-d two", "-d/--duration: 'two'"),
        ("-d 1e999", "-d/--duration: '1e999'"),
        ("-d 1e300", "duration 1e+300: at most 268435 seconds"),
        ("-d 300000", "duration 300000: at most 268435 seconds"),
        ("-d 1e-9", "duration 1e-09: is less than one sample"),
        ("-d 1 --samples 5", "--samples: not allowed with argument -d/--duration"),
        ("--samples 0", "--samples: '0'"),
        ("--samples 1.5", "--samples: '1.5'"),
        ("--samples 99999999999", "samples 99999999999"),
        ("-n 0", "-n/--count: '0'"),
        ("-n -3", "-n/--count: '-3'"),
        ("-n 9999999999", "-n/--count: '9999999999'"),
        ("-n 2 -", "--count 2: several files don't go into one pipe"),
        ("-t -0.5", "-t/--temperature: '-0.5'"),
        ("-t nan", "-t/--temperature: 'nan'"),
        ("-t inf", "-t/--temperature: 'inf'"),
        ("--top-k 0", "--top-k: '0'"),
        ("--top-k 257", "--top-k: '257'"),
        ("--top-k 3.5", "--top-k: '3.5'"),
        ("--top-p 0", "--top-p: '0'"),
        ("--top-p 1.01", "--top-p: '1.01'"),
        ("--top-p nan", "--top-p: 'nan'"),
        ("--threads 0", "--threads: '0'"),
        ("--threads many", "--threads: 'many'"),
        ("-s -1", "-s/--seed: '-1'"),
        ("-s 4294967296", "-s/--seed: '4294967296'"),
        ("-s 4294967295 -n 2", "--seed 4294967295 with --count 2"),
        ("--label digit", "--label 'digit': must be KEY=VALUE"),
        ("--label digit=", "--label 'digit=': must be KEY=VALUE"),
        ("--label =7", "--label '=7': must be KEY=VALUE"),
        ("--label digit=1,,2", "--label 'digit=1,,2': must be KEY=VALUE"),
        ("--label digit=1 --label digit=2", "digit is given twice"),
        ("--label digit=77", "label digit=77 is not known; known values: 0, 1, 2"),
        ("--label digit=1,77", "label digit=77 is not known"),
        ("--label pitch=a", "label key 'pitch' is not known; known keys: digit, speaker"),
        ("--label digit=1,2,3 --samples 40", "label digit: 3 values don't fit into 40 samples"),
        ("--format mp3", "--format: invalid choice: 'mp3'"),
        ("--format flac", "out.wav: "),
        ("--format flac -", "flac"),
        ("x.mp3", "x.mp3: "),
        ("x", "x: "),
        ("--engine fast", "--engine: invalid choice: 'fast'"),
        ("--plot x.jpg", "--plot x.jpg: must be the name of a .png file"),
        ("--plot x.png --plot out.png x.wav y.wav", "unrecognized arguments: y.wav"),
        ("--nonsense", "unrecognized arguments: --nonsense"),
        ("--temp 1", "unrecognized arguments: --temp"),
        ("-d", "-d/--duration: expected one argument"),
    ],
)
def test_options_out_of_range(arguments: str, words: str) -> None:
    assert words in error_line(generate(*arguments.split()), 2)
    assert os.listdir() == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "a command is missing"),
        (["sing"], "invalid choice: 'sing'"),
        (["clasify"], "; did you mean classify?"),
        (["compress", "a.wav", "--level", "balancd"], "; did you mean balanced?"),
        (["score"], "AUDIO"),
        (["score", "a.wav", "--label", "digit"], "--label 'digit'"),
        (["score", "a.wav", "--label", "digit=1,2"], "--label digit: takes one value"),
        (["score", "a.wav", "./a.wav"], "./a.wav: is given twice"),
        (["train", "-o", "run"], "name at least one folder"),
        (["train", "corpus"], "-o/--out"),
        (["train", "corpus", "-o", "run", "--task", "classify"], "--target"),
        (["train", "corpus", "-o", "run", "--task", "compose"], "--task"),
        (["train", "corpus", "-o", "run", "--steps", "0"], "--steps: '0'"),
        (["train", "corpus", "-o", "run", "--rate", "10"], "--rate: '10'"),
        (["train", "corpus", "-o", "run", "--density", "0"], "--density: '0': must be a finite number above 0 to 1"),
        (["train", "corpus", "-o", "run", "--density", "1.5"], "--density: '1.5'"),
        (["export", "run", "x.wav"], "x.wav: the name of a checkpoint ends in .safetensors"),
        (["bench", "--baseline", "jax"], "--baseline: invalid choice"),
    ],
)
def test_usage_of_the_other_commands(arguments: list[str], words: str) -> None:
    name = "synth" if arguments[:1] in ([], ["sing"], ["clasify"]) else f"synth {arguments[0]}"
    assert words in error_line(run("synth", *arguments), 2, name)
    assert os.listdir() == []


@given(st.text(max_size=12))
def test_numbers_are_read_or_refused(text: str) -> None:
    import argparse

    for convert in (options.integer(1, 256), options.real(0, 1, above=True), options.real(0)):
        try:
            assert 0 <= convert(text) <= 1e308
        except argparse.ArgumentTypeError as error:
            assert text == "" or repr(text) in str(error)


@given(st.text(max_size=20))
def test_lines_stay_lines(text: str) -> None:
    line = console.one_line(text)
    assert len((line + "x").splitlines()) == 1
    assert line == text or not text.isprintable()


@given(st.lists(st.text("ab=,\n ", max_size=8), max_size=3))
def test_labels_are_read_or_refused(texts: list[str]) -> None:
    try:
        labels = options.parse_labels(texts)
    except UsageError:
        return
    assert len(labels) == len(texts)
    for values in labels.values():
        assert values if isinstance(values, str) else len(values) > 1 and all(values)


# ---- outputs


def test_an_output_that_exists_is_kept() -> None:
    Path("out.wav").write_bytes(b"precious")
    assert "out.wav: exists already; -f" in error_line(generate(), 1)
    assert Path("out.wav").read_bytes() == b"precious"


def test_one_of_several_outputs_exists() -> None:
    Path("x-3.wav").write_bytes(b"precious")
    assert "x-3.wav: exists already" in error_line(generate("x.wav", "-n", 3), 1)
    assert os.listdir() == ["x-3.wav"]


def test_a_plot_that_exists_is_kept() -> None:
    Path("x.png").write_bytes(b"precious")
    assert "x.png: exists already" in error_line(generate("--plot", "x.png"), 1)
    assert os.listdir() == ["x.png"]


def test_output_folder_is_missing() -> None:
    assert "missing/x.wav: " in error_line(generate("missing/x.wav"), 1)
    assert os.listdir() == []


def test_output_folder_is_a_file() -> None:
    Path("file").write_bytes(b"precious")
    assert "file/x.wav: " in error_line(generate("file/x.wav"), 1)
    assert Path("file").read_bytes() == b"precious"


def test_output_is_a_folder() -> None:
    os.mkdir("x.wav")
    assert "x.wav: is a folder" in error_line(generate("x.wav", "-f"), 1)
    assert os.listdir("x.wav") == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_output_folder_is_not_writable() -> None:
    os.mkdir("locked", 0o500)
    assert "locked/x.wav: " in error_line(generate("locked/x.wav"), 1)


def test_output_folder_refuses_files() -> None:
    """The kernel's own read-only folder, also for root."""
    if not os.path.isdir("/proc/self"):
        pytest.skip("no /proc here")
    assert "/proc/self/x.wav: " in error_line(generate("/proc/self/x.wav"), 1)


def test_disk_is_full() -> None:
    """A limit on the size of files stands in for a full disk: the write fails half way."""
    import resource
    import signal

    def small() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (50000, 50000))

    for name in ("x.wav", "x.flac", "x.raw"):
        done = generate(name, "-d", 60, preexec_fn=small)
        assert f"{name}: " in error_line(done, 1)
        assert os.listdir() == []
    if importlib.util.find_spec("matplotlib"):
        assert "x.png: can't be written" in error_line(generate("--plot", "x.png", preexec_fn=small), 1)
        assert os.listdir() == []


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")
def test_a_full_pipe_is_an_error() -> None:
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            command("generate-audio", "-c", tiny_checkpoint(), "-"), stdout=full, stderr=subprocess.PIPE, timeout=60
        )
        info = subprocess.run(
            command("synth", "info", tiny_checkpoint(), "--json"), stdout=full, stderr=subprocess.PIPE, timeout=60
        )
    assert done.returncode == info.returncode == 1
    for text, name in ((done.stderr.decode(), "generate-audio"), (info.stderr.decode(), "synth info")):
        assert text.startswith(f"{name}: error: ") and text.count("\n") == 1 and "No space left" in text, text


def test_standard_output_is_closed() -> None:
    code = command("generate-audio", "-c", tiny_checkpoint(), "-")[2]
    shell = f'exec "$0" -c \'{code}\' -c "$1" - >&-'
    done = subprocess.run(["sh", "-c", shell, sys.executable, tiny_checkpoint()], stderr=subprocess.PIPE, timeout=60)
    assert done.returncode == 1
    assert done.stderr.decode().count("\n") == 1 and b"standard output is closed" in done.stderr


def test_results_to_a_closed_standard_output() -> None:
    soundfile.write("a.wav", TONE, 8000)
    code = command("synth")[2]
    shell = f'exec "$0" -c \'{code}\' "$@" >&-'
    for arguments in (["info"], ["info", "--json"], ["score", "-c", tiny_checkpoint(), "a.wav", "missing.wav"]):
        done = subprocess.run(["sh", "-c", shell, sys.executable, *arguments], stderr=subprocess.PIPE, timeout=60)
        lines = done.stderr.decode().splitlines()
        assert done.returncode == 1 and "results is closed" in lines[-1]
        assert len(lines) == 1 + ("missing.wav" in arguments)  # what else went wrong is told too


def test_no_file_takes_the_place_of_a_closed_stream() -> None:
    """What a library prints to descriptor 2 must not get into a file."""
    code = (
        "import os, sys; from synth.cli import entry; entry._generate_audio = lambda name, argv: print(list(map("
        "os.path.exists, [f'/proc/self/fd/{n}' for n in range(3)]))) or 0; sys.exit(entry.generate_audio_main())"
    )
    if not os.path.isdir("/proc/self/fd"):
        pytest.skip("no /proc here")
    done = subprocess.run(["sh", "-c", f'exec "$0" -c "{code}" <&- 2>&-', sys.executable], stdout=subprocess.PIPE)
    assert done.returncode == 0 and done.stdout == b"[True, True, True]\n"


def test_output_is_the_prime() -> None:
    soundfile.write("a.wav", TONE, 8000)
    before = Path("a.wav").read_bytes()
    os.symlink("a.wav", "b.wav")
    for out in ("a.wav", "./a.wav", "b.wav"):
        assert f"{out}: is the input a.wav too" in error_line(generate(out, "--prime", "a.wav", "-f"), 2)
    assert Path("a.wav").read_bytes() == before


def test_output_is_the_checkpoint() -> None:
    data = Path(tiny_checkpoint()).read_bytes()
    Path("x.raw").write_bytes(data)
    line = error_line(run("generate-audio", "-c", "x.raw", "x.raw", "-f"), 2)
    assert "x.raw: is the input x.raw too" in line
    assert Path("x.raw").read_bytes() == data
