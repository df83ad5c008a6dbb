"""Imports run one way, and generating loads neither torch nor what it has no need of."""

from __future__ import annotations

import ast
import functools
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from helpers import voices
from helpers.loaded import HEAVY, loaded_by
from helpers.tools import tiny_checkpoint

import synth

PACKAGE = Path(synth.__file__).parent


def modules() -> dict[str, Path]:
    """Every module of the package by its name without `synth.`; a package is its `__init__`."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        found[".".join(parts[:-1] if len(parts) > 1 and parts[-1] == "__init__" else parts)] = path
    return found


def imported(tree: ast.AST, names: set[str]) -> set[str]:
    """Modules of synth, and packages from elsewhere, that the statements of `tree` import."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            inner = node.module.removeprefix("synth").removeprefix(".")
            for alias in node.names:
                below = f"{inner}.{alias.name}".removeprefix(".")
                found.add(f"synth.{below}" if node.module.startswith("synth") and below in names else node.module)
    return {name.removeprefix("synth.") if name.startswith("synth.") else name.partition(".")[0] for name in found}


def when_loaded(path: Path) -> ast.Module:
    """A module without the bodies of its functions and without what only type checkers read."""
    tree = ast.parse(path.read_text())

    class Strip(ast.NodeTransformer):
        def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
            return ast.Pass()

        def visit_If(self, node: ast.If) -> ast.AST:
            return ast.Pass() if ast.unparse(node.test) == "TYPE_CHECKING" else self.generic_visit(node)

    stripped = Strip().visit(tree)
    assert isinstance(stripped, ast.Module)
    return stripped


@functools.cache
def graph() -> dict[str, set[str]]:
    paths = modules()
    names = set(paths)
    return {name: imported(when_loaded(path), names) & names - {name} for name, path in paths.items()}


def test_imports_have_no_circle() -> None:
    left = {name: set(needs) for name, needs in graph().items()}
    while left:
        free = {name for name, needs in left.items() if not needs & left.keys()}
        assert free, f"these import each other: {sorted(left)}"
        left = {name: needs for name, needs in left.items() if name not in free}


def test_the_contracts_of_the_packages_are_kept() -> None:
    """Layers, torch and the segment coder: what pyproject.toml says of imports, read by import-linter."""
    linter = shutil.which("lint-imports", path=str(Path(sys.executable).parent))
    if linter is None or not (PACKAGE.parent / "pyproject.toml").exists():
        pytest.skip("import-linter is not installed, or this is not a source tree")
    done = subprocess.run([linter, "--no-cache"], cwd=PACKAGE.parent, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout


def test_only_cli_prints() -> None:
    for name, path in modules().items():
        calls = [node.func for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
        if any(isinstance(func, ast.Name) and func.id == "print" for func in calls):
            assert name == "cli.console"


def test_one_version() -> None:
    project = PACKAGE.parent / "pyproject.toml"
    if not project.exists():
        pytest.skip("not in a source tree")
    assert f'\nversion = "{synth.__version__}"\n' in project.read_text()


def test_importing_synth_loads_nothing() -> None:
    assert not loaded_by("import synth, synth.cli.entry") & (
        HEAVY | {"numpy", "soundfile", "soxr", "tqdm", "safetensors"}
    )


def test_generating_loads_no_torch_and_no_progress_bar(tmp_path: Path) -> None:
    arguments = ["-c", tiny_checkpoint(), str(tmp_path / "x.wav"), "-s", "1"]
    loaded = loaded_by(
        f"from synth.cli.entry import generate_audio_main\nassert generate_audio_main({arguments!r}) == 0"
    )
    assert "numpy" in loaded and (tmp_path / "x.wav").exists()
    assert not loaded & (HEAVY | {"tqdm", "matplotlib", "sounddevice", "concurrent.futures"})


@pytest.mark.parametrize("prime", [False, True])
def test_generating_with_a_voice_loads_no_torch(prime: bool, tmp_path: Path) -> None:
    place = str(tmp_path / "a.wav")
    soundfile.write(place, voices.sound(400), 8000)
    arguments = ["-c", voices.path(), str(tmp_path / "x.wav"), "-s", "1", *(["--prime", place] if prime else [])]
    loaded = loaded_by(
        f"from synth.cli.entry import generate_audio_main\nassert generate_audio_main({arguments!r}) == 0"
    )
    assert "synth.generation.conditioning" in loaded and (tmp_path / "x.wav").exists()
    assert not loaded & (HEAVY | {"tqdm", "matplotlib", "sounddevice", "concurrent.futures"})


def test_vocoding_loads_no_torch(tmp_path: Path) -> None:
    source, features, out = (str(tmp_path / name) for name in ("a.wav", "a.npy", "x.wav"))
    soundfile.write(source, voices.sound(400), 8000)
    np.save(features, np.full((4, 8), -6.0))
    code = "from synth.cli.entry import main\n" + "\n".join(
        f"assert main({['vocode', name, '-c', voices.path(0), '-o', out, '-f']!r}) == 0" for name in (source, features)
    )
    assert not loaded_by(code) & (HEAVY | {"tqdm", "matplotlib", "sounddevice", "concurrent.futures"})


def test_scoring_loads_no_torch(tmp_path: Path) -> None:
    code = (
        "import numpy, soundfile\nfrom synth.cli.entry import main\n"
        f"soundfile.write({str(tmp_path / 'x.wav')!r}, numpy.zeros(100, numpy.int16), 8000)\n"
        f"assert main(['score', {str(tmp_path / 'x.wav')!r}, '-c', {tiny_checkpoint()!r}]) == 0\n"
        f"assert main(['info', {tiny_checkpoint()!r}]) == 0"
    )
    assert not loaded_by(code) & HEAVY


def test_compressing_loads_no_torch_and_no_sound_library(tmp_path: Path) -> None:
    path, back = str(tmp_path / "x.wav"), str(tmp_path / "y.wav")
    code = (
        f"import wave\nwith wave.open({path!r}, 'wb') as f:\n    f.setparams((1, 2, 8000, 0, 'NONE', ''))\n"
        "    f.writeframes(bytes(100))\n"
        "from synth.cli.entry import main\n"
        f"assert main(['compress', {path!r}]) == 0\n"
        f"assert main(['decompress', {path[:-4] + '.syn'!r}, '-o', {back!r}]) == 0"
    )
    assert not loaded_by(code) & (HEAVY | {"soundfile", "soxr", "safetensors", "tqdm", "matplotlib"})
    assert Path(path).read_bytes() == Path(back).read_bytes()
