"""Every file in samples/ is made again, byte for byte, by the command that stands beside it."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from synth.common import outputs

FOLDER = Path(__file__).parent.parent / "samples"
TEXT = (FOLDER / "README.md").read_text()
COMMANDS = re.findall(r"^generate-audio .*$", TEXT, re.MULTILINE)
DECODED = re.findall(r"^synth decompress .*$", TEXT, re.MULTILINE)


def names(command: str) -> list[str]:
    """The files that a command makes."""
    words = shlex.split(command)
    return outputs.numbered(words[1], int(words[words.index("-n") + 1]) if "-n" in words else 1)


def test_every_sample_has_a_command() -> None:
    made = {name for command in COMMANDS for name in names(command)}
    made |= {shlex.split(command)[4] for command in DECODED}
    assert made == {path.name for path in FOLDER.glob("*.wav")}
    assert made


@pytest.mark.parametrize("command", COMMANDS)
def test_sample_is_made_again(command: str, tmp_path: Path) -> None:
    words = shlex.split(command)
    name, options = words[1], words[2:]
    if "--prime" in options:
        place = options.index("--prime") + 1
        options[place] = str(FOLDER / options[place])
    if "--plot" in options:  # the picture depends on the installed matplotlib
        place = options.index("--plot")
        del options[place : place + 2]
    program = "import sys; from synth.cli.entry import generate_audio_main as main; sys.exit(main())"
    subprocess.run([sys.executable, "-c", program, str(tmp_path / name), *options], check=True, capture_output=True)
    for made in names(command):
        assert (tmp_path / made).read_bytes() == (FOLDER / made).read_bytes()


@pytest.mark.parametrize("command", DECODED)
def test_sample_is_decoded_again(command: str, tmp_path: Path) -> None:
    words = shlex.split(command)  # synth decompress X.syn -o X.wav
    assert words[:2] == ["synth", "decompress"] and words[3] == "-o"
    program = "import sys; from synth.cli.entry import main; sys.exit(main())"
    arguments = ["decompress", str(FOLDER / words[2]), "-o", str(tmp_path / words[4])]
    subprocess.run([sys.executable, "-c", program, *arguments], check=True, capture_output=True)
    assert (tmp_path / words[4]).read_bytes() == (FOLDER / words[4]).read_bytes()


@pytest.mark.parametrize(
    "variables",
    [
        {"OPENBLAS_CORETYPE": "Haswell", "OPENBLAS_NUM_THREADS": "2", "SYNTH_ISA": "avx2"},
        {"OPENBLAS_CORETYPE": "Nehalem", "OPENBLAS_NUM_THREADS": "1", "SYNTH_ISA": "baseline"},
        {"NPY_DISABLE_CPU_FEATURES": "AVX512F AVX512CD AVX512_SKX AVX2 FMA3"},
    ],
)
def test_voices_sound_the_same_by_any_linear_algebra(variables: dict[str, str], tmp_path: Path) -> None:
    """The postfilter's products are exact, whatever the order and the instructions that a library adds them up with."""
    program = "import sys; from synth.cli.entry import main; sys.exit(main())"
    out = tmp_path / "out.wav"
    arguments = ["decompress", str(FOLDER / "speech-1.6k.syn"), "-o", str(out)]
    env = {**os.environ, "NPY_DISABLE_CPU_FEATURES": "", **variables}
    found = subprocess.run([sys.executable, "-W", "ignore", "-c", program, *arguments], env=env, capture_output=True)
    if b"SYNTH_ISA" in found.stderr:
        pytest.skip("this processor lacks the instructions")
    assert found.returncode == 0, found.stderr
    assert out.read_bytes() == (FOLDER / "speech-1.6k.wav").read_bytes()
