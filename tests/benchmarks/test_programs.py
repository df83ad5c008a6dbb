"""The measuring programs start, name pages that exist, and what they write goes between those pages' markers."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import synth

ROOT = Path(synth.__file__).parent.parent
PAGES = ROOT / "docs" / "benchmarks"
pytestmark = pytest.mark.skipif(not (ROOT / "benchmarks").is_dir(), reason="an installed package has no benchmarks")


def programs(folder: str) -> list[Path]:
    """The files of a folder that can be run, not the modules that they share."""
    return [path for path in sorted((ROOT / folder).glob("*.py")) if 'if __name__ == "__main__"' in path.read_text()]


def sections() -> list[tuple[str, str, str]]:
    """Each section that a program writes: its file, the page, the marker."""
    calls = []
    for path in sorted((ROOT / "benchmarks").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "write_section":
                page, marker = (ast.literal_eval(argument) for argument in node.args[:2])
                calls.append((path.name, page, marker))
    return calls


@pytest.mark.parametrize(
    "path", [*programs("benchmarks"), *programs("recipes")], ids=lambda path: f"{path.parent.name}/{path.name}"
)
def test_help_says_the_command(path: Path) -> None:
    if path.name in ("ablate.py", "corrector_gpu.py"):
        pytest.importorskip("torch")
        pytest.importorskip("accelerate")
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "120"}
    done = subprocess.run([sys.executable, path, "--help"], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    assert f"python {path.parent.name}/{path.name}" in done.stdout


def test_each_section_has_its_markers_once() -> None:
    assert len(sections()) >= 10
    for program, page, marker in sections():
        text = (PAGES / f"{page}.md").read_text()
        assert text.count(f"<!-- {marker} -->") == text.count(f"<!-- /{marker} -->") == 1, (program, page)


def test_each_page_names_the_program_that_writes_it_and_is_in_the_index() -> None:
    index = (ROOT / "BENCHMARKS.md").read_text()
    for page in PAGES.glob("*.md"):
        assert f"(docs/benchmarks/{page.name})" in index
        commands = re.findall(r"^    python (\S+\.py)", page.read_text(), re.M)
        assert commands, page
        assert all((ROOT / command).exists() for command in commands), page


def test_each_marker_of_a_page_belongs_to_a_program() -> None:
    known = {(page, marker) for _, page, marker in sections()}
    for page in PAGES.glob("*.md"):
        for marker in re.findall(r"<!-- ([^/].*?) -->", page.read_text()):
            assert (page.stem, marker) in known


def test_a_section_is_replaced_and_all_else_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import pages

    monkeypatch.setattr(pages, "PAGES", tmp_path)
    path = tmp_path / "speed.md"
    path.write_text("# Speed\n\n<!-- speed -->\nold\n<!-- /speed -->\n\nsaid by people\n")
    pages.write_section("speed", "speed", pages.table(("what", "figure"), [("a", 1), ("b", 2)]))
    table = "| what | figure |\n|---|---|\n| a | 1 |\n| b | 2 |"
    assert path.read_text() == f"# Speed\n\n<!-- speed -->\n{table}\n<!-- /speed -->\n\nsaid by people\n"
    with pytest.raises(SystemExit, match="lacks the markers"):
        pages.write_section("speed", "other", ["text"])
