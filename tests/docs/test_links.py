"""What the pages refer to is there: files, headings, paths of the source. The README stays short."""

from __future__ import annotations

from pathlib import Path

import pytest
from helpers import pages

LATER = ("synth/text", "synth/tts", "synth/enhancement", "synth/server", "synth/bulk", "synth/checkpoints")
"""Packages that architecture.md names as to come, and the folder that an installed package has."""

NOW = [page for page in pages.pages() if page.name != "CHANGELOG.md"]
"""Pages that say how things are, not how they were."""


@pytest.mark.parametrize("page", pages.pages(), ids=pages.name_of)
def test_every_link_leads_somewhere(page: Path) -> None:
    for link in pages.links(page):
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        assert target.exists(), f"{link}: is not there"
        if anchor:
            assert anchor in pages.anchors(target), f"{link}: {target.name} has no such heading"


@pytest.mark.parametrize("page", [page for page in pages.pages() if page.name != "CHANGELOG.md"], ids=pages.name_of)
def test_every_path_that_is_named_is_there(page: Path) -> None:
    table = page.read_text("utf-8").partition("## What is to come")[2].partition("\n## ")[0]
    for path in pages.named_paths(page):
        later = f"`{path}`" in table or path in LATER or "NAME" in path
        assert later or (pages.ROOT / path).exists(), f"{path}: is not there"


def test_the_readme_is_short() -> None:
    assert len((pages.ROOT / "README.md").read_bytes()) <= 8000


def test_every_page_is_reached_from_the_index() -> None:
    index = pages.ROOT / "docs/README.md"
    reached = {(index.parent / link.partition("#")[0]).resolve() for link in pages.links(index)}
    there = {path for path in (pages.ROOT / "docs").glob("*.md") if path != index}
    assert there <= reached
