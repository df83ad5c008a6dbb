"""Builds segments.cpp under AddressSanitizer and UBSan and runs it, then files.py (see docs/benchmarks/fuzzing.md).

python tests/fuzz/run.py [--segments N] [--residuals N] [--files N] [--seed S] [--build FOLDER]

Ends with 1 where a damaged segment or file does anything but give samples or an error. Runs in parts, a line for each:
one that is stopped has told how far it came. The first part has the seed S, each other the next.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(ROOT), str(HERE.parent)]

from golden import checkpoints, run

PART = 25_600
"""Mutants."""
NETWORKS = ("labelled", "sparse", "corrector")
"""Those of the golden test that listen or correct."""


BUILD = run.Build(run.NATIVE, "g++", "-O1", run.SANITIZE)
"""One of the golden test, whose objects the program shares."""


def lacking() -> str:
    """Why the program can't be built here; empty when it can."""
    return run.lacking(BUILD)


def build(folder: Path) -> Path:
    """The program, built within `folder`; RuntimeError with the compiler's output where that fails."""
    place = folder / BUILD.name
    trouble = run.compile_program(BUILD, place, 2, "segments")
    if trouble:
        raise RuntimeError(trouble)
    return place / "segments"


def segments(program: Path, count: int, seed: int) -> subprocess.CompletedProcess[str]:
    """The program's run over so many mutants."""
    files = [path for path in checkpoints.write(program.parent / "checkpoints") if path.stem in NETWORKS]
    command = [str(program), str(count), str(seed), *map(str, files)]
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def residuals(program: Path, count: int, seed: int) -> subprocess.CompletedProcess[str]:
    """The program's run over so many mutants of residuals."""
    command = [str(program), str(count), str(seed), "residuals"]
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def main() -> int:
    """All three, one line for each part."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--segments", type=int, default=800_000, help="mutants of segments")
    parser.add_argument("--residuals", type=int, default=800_000, help="mutants of residuals of samples of 32 bits")
    parser.add_argument("--files", type=int, default=250_000, help="mutants of .syn files")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--build", type=Path, default=run.FOLDER, help="where to build")
    chosen = parser.parse_args()
    failed = 0
    program = build(chosen.build) if chosen.segments or chosen.residuals else chosen.build
    for name, run_part, count in (("segments", segments, chosen.segments), ("residuals", residuals, chosen.residuals)):
        for part in range(-(-count // PART)):
            done = run_part(program, PART, chosen.seed + part)
            print(f"{name} {part}: {done.stdout.splitlines()[-1] if done.returncode == 0 else done.stdout}", flush=True)
            failed += done.returncode != 0
    for part in range(-(-chosen.files // PART)):
        print(f"files {part}: ", end="", flush=True)
        files = subprocess.run([sys.executable, str(HERE / "files.py"), str(PART), str(chosen.seed + part)])
        failed += files.returncode != 0
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
