"""Engines of other hops, built of copies of the sources with another constant; what users have keeps its one hop."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from ablation.rows import Row

FOLDERS = ("synth", "csrc", "checkpoints")
PATCHES = (
    ("csrc/engine/kernel.hpp", r"kHop = 16\b", "kHop = {hop}"),
    ("synth/engine/config.py", r"self\.hop == 16\b", "self.hop in (16, {hop})"),
)
"""Of each file what is replaced, by what; each stands there once."""


def built(root: Path, work: Path, hop: int) -> Path:
    """The folder of a copy of the checkout `root` in `work`, whose engine has the hop; built where it is not yet."""
    place = work / f"hop-{hop}"
    sources = sorted(
        path
        for folder in FOLDERS[:2]
        for path in (root / folder).rglob("*")
        if path.suffix in (".py", ".cpp", ".hpp", ".cmake")
    )
    stamp = hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()
    if (place / "stamp").exists() and (place / "stamp").read_text() == stamp:
        return place
    shutil.rmtree(place, ignore_errors=True)
    for folder in FOLDERS:
        shutil.copytree(root / folder, place / folder, ignore=shutil.ignore_patterns("*.so", "__pycache__"))
    shutil.copy(root / "CMakeLists.txt", place)
    patch(place, hop)
    compile_engine(place)
    (place / "stamp").write_text(stamp)
    return place


def patch(place: Path, hop: int) -> None:
    """Put another hop into a copy of the sources."""
    for name, pattern, text in PATCHES:
        path = place / name
        changed, count = re.subn(pattern, text.format(hop=hop), path.read_text())
        if count != 1:
            raise SystemExit(f"{path}: {pattern} stands there {count} times; the ablation's patches need mending")
        path.write_text(changed)


def compile_engine(place: Path) -> None:
    """Build a copy's engine in place."""
    ninja = Path(sys.executable).parent / "ninja"
    tool = ["-G", "Ninja", f"-DCMAKE_MAKE_PROGRAM={ninja}"] if ninja.exists() else []
    paths = ["-S", place, "-B", place / "build", f"-DPython_EXECUTABLE={sys.executable}"]
    for arguments in ([*paths, *tool], ["--build", place / "build", "--target", "inplace", "-j", "1"]):
        subprocess.run(["cmake", *map(str, arguments)], check=True, stdout=subprocess.DEVNULL)


def run_in(root: Path, work: Path, row: Row, program: str, *arguments: object) -> str:
    """Standard output of `program` for one row, with an engine of its hop."""
    place = built(root, work, row.model["hop"])
    command = [sys.executable, program, "--only", row.name, "--work", str(work), *map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": str(place)}
    return subprocess.run(command, check=True, env=environment, capture_output=True, text=True).stdout
