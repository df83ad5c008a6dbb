"""golden/expected.txt: hashes that every engine, instruction set, compiler and machine must give."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from golden import checkpoints, coded, run, scenario, voiced

from synth import engine
from synth.common import limits

EXPECTED = run.expected()
MADE = [pytest.param(b, id=b.name, marks=[pytest.mark.slow] if i else []) for i, b in enumerate(run.BUILDS)]

LEVELS = [pytest.param(level, marks=[pytest.mark.slow] if level != "fast" else []) for level in limits.LEVELS]


def wanted(network: str) -> dict[str, str]:
    """The hashes of a network's scenarios."""
    return {what: value for (name, what), value in EXPECTED.items() if name == network}


@pytest.fixture(scope="module")
def files() -> list[Path]:
    """The golden checkpoints, where run.py has them too."""
    return checkpoints.write(run.FOLDER / "checkpoints")


def test_no_hash_is_left_over() -> None:
    engines = {(name, what) for name, (config, _) in checkpoints.NETWORKS.items() for what in scenario.of(config)}
    parts = {(coded.NAME, name) for name in coded.names()} | {(voiced.NAME, what) for what in voiced.CASES}
    assert set(EXPECTED) == engines | parts


@pytest.mark.parametrize("name", ["reference", *engine.instruction_sets()])
@pytest.mark.parametrize("network", checkpoints.NETWORKS)
def test_engines(network: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SYNTH_ISA", "" if name == "reference" else name)
    config, tensors = checkpoints.NETWORKS[network][0], checkpoints.tensors(network)
    made: Any = engine.create(config, tensors, "reference" if name == "reference" else "native")
    assert scenario.digests(made) == wanted(network)


@pytest.mark.parametrize("chosen", engine.instruction_sets())
def test_coded_segments(chosen: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SYNTH_ISA", chosen)
    assert {name: coded.digest(name, "native") for name in coded.names()} == wanted(coded.NAME)


@pytest.mark.parametrize(
    "level", [limits.LEVELS[0], *(pytest.param(each, marks=pytest.mark.slow) for each in limits.LEVELS[1:])]
)
def test_coded_segments_as_specified(level: str) -> None:
    short = {f"{kind}-{level}" for kind in coded.CASES if kind not in coded.SLOW}
    assert {name: coded.digest(name, "reference") for name in short} == {
        name: wanted(coded.NAME)[name] for name in short
    }


@pytest.mark.parametrize("name", ["reference", *engine.instruction_sets()])
def test_parts_of_voices(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SYNTH_ISA", "" if name == "reference" else name)
    prefer = "reference" if name == "reference" else "native"
    assert {what: voiced.digest(what, prefer) for what in voiced.CASES} == wanted(voiced.NAME)


@pytest.mark.parametrize("build", MADE)
def test_machines(build: run.Build, files: list[Path]) -> None:
    """The C++ program; the first build is that of an install."""
    result = run.make(build, run.FOLDER, files)
    if result.state == "skipped":
        pytest.skip(result.reason)
    assert result.state == "ok", result.reason


def test_a_build_without_its_tools_is_skipped_with_the_reason(tmp_path: Path) -> None:
    result = run.make(run.Build("s390x", "no-such-g++", "-O3"), tmp_path, [])
    assert result.state == "skipped" and result.reason.startswith("no ")


def test_a_hash_that_differs_is_named() -> None:
    lines = [f"{network} {what} baseline {value}" for (network, what), value in EXPECTED.items()]
    assert run.compare("\n".join(lines)) == (["baseline"], "")
    short = [line for line in lines if not (line.startswith("codec ") and run.left_out(line.split()[1]))]
    assert run.compare("\n".join(short), brief=True) == (["baseline"], "") and len(lines) - len(short) == 10
    assert run.compare("\n".join(short))[1].startswith("10 differ: codec ")
    lines[3] = lines[3][:-1] + ("0" if lines[3][-1] != "0" else "1")
    assert run.compare("\n".join(lines))[1].startswith("1 differ: least top baseline")
    assert run.compare("\n".join(lines[:3]))[1] and run.compare("golden: error: no such file")[1] and run.compare("")[1]
