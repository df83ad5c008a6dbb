"""Builds golden.cpp for every machine, compiler and optimisation here, runs each, compares with expected.txt.

python tests/golden/run.py [--only TEXT] [--jobs N] [--build FOLDER]

Several builds go at a time, each with one compiler, since a program runs on one core; the longest begin first.
expected.py writes expected.txt anew. Ends with 1 when a build fails, a hash differs or a sanitizer reports; what lacks
its tools is skipped, with the reason.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
FOLDER = ROOT / "build" / "golden"
sys.path[:0] = [str(ROOT), str(HERE.parent)]

NATIVE = {"AMD64": "x86_64", "arm64": "aarch64"}.get(platform.machine(), platform.machine())
SETS = {"x86_64": ["baseline", "ssse3", "avx2", "avx512vnni"], "aarch64": ["baseline", "neon", "dotprod"]}
SANITIZE = "-fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer -g1"
UNDEFINED = "-fsanitize=undefined -fno-sanitize-recover=all"  # no AddressSanitizer in an emulator
LIMIT = 1500  # seconds for one command


@dataclass(frozen=True)
class Build:
    """One program. `flags` go to the compiler and the linker, `target` is Clang's name of another machine."""

    machine: str
    compiler: str
    optimise: str
    flags: str = ""
    target: str = ""

    @property
    def name(self) -> str:
        """What stands in the table, and names the folder."""
        checks = "-asan-ubsan" if "address" in self.flags else "-ubsan" if "undefined" in self.flags else ""
        kind = "clang" if "clang" in self.compiler else "gcc"
        return f"{self.machine}-{kind}{self.optimise}{checks}"

    @property
    def emulator(self) -> list[str]:
        """What runs the program."""
        name = f"qemu-{self.machine}"
        return [] if self.machine == NATIVE else [name if shutil.which(name) else f"{name}-static"]

    @property
    def brief(self) -> bool:
        """Whether it leaves out the segments that take long: in an emulator, where the build at -O3 codes them all."""
        return bool(self.emulator) and self.optimise != "-O3"

    @property
    def all_flags(self) -> str:
        """`flags`, and static linking for what an emulator runs."""
        return f"{self.flags} -static".strip() if self.emulator else self.flags


def _crossed(machine: str) -> list[Build]:
    gcc, clang = f"{machine}-linux-gnu-g++", f"{machine}-linux-gnu"
    return [
        Build(machine, gcc, "-O3"),
        Build(machine, gcc, "-O0"),
        Build(machine, gcc, "-O1", UNDEFINED),
        Build(machine, "clang++", "-O3", target=clang),
    ]


BUILDS = [
    *[Build(NATIVE, compiler, optimise) for compiler in ("g++", "clang++") for optimise in ("-O3", "-O0")],
    *[Build(NATIVE, compiler, "-O1", SANITIZE) for compiler in ("g++", "clang++")],
    *[build for machine in ("aarch64", "s390x") if machine != NATIVE for build in _crossed(machine)],
]


@dataclass(frozen=True)
class Result:
    """How a build went: "ok", "skipped" or "FAILED", the sets that ran, why."""

    state: str
    sets: str = ""
    reason: str = ""
    seconds: float = 0.0


def _run(command: list[str]) -> subprocess.CompletedProcess[str]:
    """A command with its output; one that takes too long has failed."""
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=LIMIT)
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(command, 124, "", f"{command[0]}: took more than {LIMIT} s")


def _tool(name: str) -> str | None:
    return shutil.which(name) or shutil.which(name, path=str(Path(sys.executable).parent))


def lacking(build: Build) -> str:
    """Why a build can't be made here; empty when it can."""
    makers = ["ninja"] if _tool("ninja") else ["make"]
    for name in ("cmake", *makers, build.compiler, *build.emulator):
        if not _tool(name):
            return f"no {name}"
    with tempfile.TemporaryDirectory() as folder:
        source, program = Path(folder, "one.cpp"), str(Path(folder, "one"))
        source.write_text("#include <string>\nint main(int, char** v) { return std::string(v[0]).empty(); }\n")
        target = [f"--target={build.target}"] if build.target else []
        if _run([build.compiler, *target, *build.all_flags.split(), str(source), "-o", program]).returncode:
            return f"{' '.join([build.compiler, *target, *build.all_flags.split()])} doesn't link a program"
        if _run([*build.emulator, program]).returncode:
            return "a program doesn't run"
    return ""


def compile_program(build: Build, folder: Path, jobs: int, program: str = "golden") -> str:
    """Builds a program of CMakeLists.txt into `folder`, one process at a time; the output when that fails."""
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return _compile(build, folder, jobs, program)


def _compile(build: Build, folder: Path, jobs: int, program: str) -> str:
    ninja = _tool("ninja")
    options = {
        "CMAKE_CXX_COMPILER": build.compiler,
        "CMAKE_CXX_FLAGS": build.flags,
        "CMAKE_EXE_LINKER_FLAGS": build.all_flags,
        "SYNTH_OPTIMISE": build.optimise,
    }
    if build.emulator:
        options |= {"CMAKE_SYSTEM_NAME": "Linux", "CMAKE_SYSTEM_PROCESSOR": build.machine}
    if build.target:
        options |= {"CMAKE_CXX_COMPILER_TARGET": build.target}
    maker = ["-G", "Ninja", f"-DCMAKE_MAKE_PROGRAM={ninja}"] if ninja else ["-G", "Unix Makefiles"]
    cmake = str(_tool("cmake"))
    definitions = [f"-D{name}={value}" for name, value in options.items()]
    for command in (
        [cmake, "-S", str(HERE), "-B", str(folder), *maker, *definitions],
        [cmake, "--build", str(folder), "-j", str(jobs), "--target", program],
    ):
        done = _run(command)
        if done.returncode:
            return (done.stdout + done.stderr)[-3000:]
    return ""


def expected() -> dict[tuple[str, str], str]:
    """The hash of each network's scenarios."""
    lines = [line.split() for line in (HERE / "expected.txt").read_text().splitlines()]
    return {(network, what): value for network, what, value in lines}


def left_out(what: str) -> bool:
    """Whether a brief run codes no such segment; golden.cpp has the same rule."""
    kind, _, level = what.partition("-")
    return kind == "long" or (level == "max" and kind not in ("mono", "three", "codes"))


def compare(output: str, brief: bool = False) -> tuple[list[str], str]:
    """The sets that ran, and what is wrong with the lines `network what set hash` that they gave."""
    wanted = {key: value for key, value in expected().items() if not (brief and key[0] == "codec" and left_out(key[1]))}
    found = [line.split() for line in output.splitlines()]
    if not found or any(len(line) != 4 for line in found):
        return [], f"no hashes: {output[-3000:]}"
    sets = list(dict.fromkeys(line[2] for line in found))
    got = {(network, what, name): value for network, what, name, value in found}
    every = {(network, what, name): value for (network, what), value in wanted.items() for name in sets}
    wrong = [" ".join(key) for key in every if got.get(key) != every[key]]
    wrong += [" ".join(key) for key in got.keys() - every.keys()]
    return sets, f"{len(wrong)} differ: {', '.join(wrong[:6])}" if wrong else ""


def make(build: Build, folder: Path, checkpoints: list[Path], jobs: int = 2) -> Result:
    """Builds and runs one program."""
    started = time.monotonic()
    reason = lacking(build)
    if reason:
        return Result("skipped", reason=reason)
    place = folder / build.name
    trouble = compile_program(build, place, jobs)
    sets: list[str] = []
    if not trouble:
        done = _run([*build.emulator, str(place / "golden"), *["--brief"][: build.brief], *map(str, checkpoints)])
        sets, trouble = compare(done.stdout, build.brief)
        if done.returncode:
            trouble = f"exit status {done.returncode}; {trouble}; {done.stderr[-3000:].strip()}"
    absent = [name for name in SETS.get(build.machine, ["baseline"]) if name not in sets]
    note = f"not on this processor: {', '.join(absent)}" if absent else ""
    seconds = time.monotonic() - started
    return Result("FAILED" if trouble else "ok", " ".join(sets), trouble or note, seconds)


def _shorter(build: Build) -> tuple[bool, bool]:
    """Sorts the builds that take long before the others: those under sanitizers, then those in an emulator."""
    return (not build.flags, not build.emulator)


def main() -> int:
    """Every build, one line each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", help="builds whose name has this in it")
    parser.add_argument("--jobs", type=int, default=min(2, os.cpu_count() or 1), help="builds at a time")
    parser.add_argument("--build", type=Path, default=FOLDER, help="where to build")
    chosen = parser.parse_args()
    from golden import checkpoints

    files = checkpoints.write(chosen.build / "checkpoints")
    builds = sorted((build for build in BUILDS if chosen.only in build.name), key=_shorter)
    results = []
    print(f"{'build':28} {'result':8} {'seconds':>7}  sets")
    with ThreadPoolExecutor(chosen.jobs) as pool:
        going = {pool.submit(make, build, chosen.build, files, 1): build for build in builds}
        for done in as_completed(going):
            result = done.result()
            results.append(result)
            rest = f"{result.sets} ({result.reason})" if result.reason else result.sets
            print(f"{going[done].name:28} {result.state:8} {result.seconds:7.1f}  {rest.strip()}", flush=True)
    states = [result.state for result in results]
    counts = ", ".join(f"{states.count(state)} {state}" for state in ("ok", "skipped", "FAILED"))
    print(f"{len(expected())} hashes, of brief builds all but the slow ones: {counts}")
    return 1 if "FAILED" in states else 0


if __name__ == "__main__":
    sys.exit(main())
