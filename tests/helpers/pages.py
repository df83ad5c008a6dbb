"""The pages of the documentation as tests see them: command lines, Python blocks, links and paths that they name."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
FOLDERS = (".", "benchmarks", "checkpoints", "docs", "recipes", "samples")
COMMANDS = ("generate-audio", "synth")
OTHERS = ("pip", "pytest")
"""Programs that stand in command blocks and that scripts/check.sh runs."""


@dataclass(frozen=True)
class Command:
    """A command line of a page: its words, without a comment, and whether the comment says that it fails."""

    words: tuple[str, ...]
    fails: bool = False

    def __str__(self) -> str:
        return shlex.join(self.words)


def pages() -> list[Path]:
    """All pages: those of the top folder and of the folders that have a README, docs/ to the bottom."""
    return sorted({*(ROOT / "docs").rglob("*.md"), *(path for name in FOLDERS for path in (ROOT / name).glob("*.md"))})


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def fences(page: Path) -> Iterator[tuple[str, str]]:
    """The language and the text of each fenced block."""
    yield from re.findall(r"^```(\w*)\n(.*?)^```$", page.read_text("utf-8"), re.MULTILINE | re.DOTALL)


def commands(page: Path) -> list[Command]:
    """The command lines of `generate-audio` and `synth` on a page, in their order.

    They stand in blocks without a language, or in the second column of a table. Of a pipe it is the part that is one of
    these commands, up to the next `|`.
    Raises ValueError for a line that starts another program.
    """
    lines = [line for language, text in fences(page) if not language for line in text.splitlines() if line.strip()]
    lines += re.findall(r"^\|[^|]*\| `((?:generate-audio|synth) [^`]+)` \|", page.read_text("utf-8"), re.MULTILINE)
    return [command for line in lines for command in _split(line)]


def _split(line: str) -> Iterator[Command]:
    text, _, comment = line.partition(" # ")
    for part in text.split("&&"):
        programs = [words for piece in part.split("|") if (words := _without_launcher(shlex.split(piece)))]
        ours = [words for words in programs if words[0] in COMMANDS]
        if ours:
            yield Command(tuple(ours[0]), comment.strip().startswith("fails"))
        elif programs[0][0] not in OTHERS:
            raise ValueError(f"{line!r}: starts no program that is known here")


def _without_launcher(words: list[str]) -> list[str]:
    """`torchrun ... -m synth train` as `synth train`."""
    return words[words.index("-m") + 1 :] if words[:1] == ["torchrun"] else words


def python_blocks(page: Path) -> list[str]:
    return [text for language, text in fences(page) if language == "python"]


def _prose(page: Path) -> str:
    return re.sub(r"^```.*?^```$", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)


def links(page: Path) -> list[str]:
    """Where the links and pictures of a page lead to, other pages of the web left out."""
    targets = re.findall(r"\]\(([^)\s]+)\)", _prose(page))
    return [target for target in targets if not re.match(r"[a-z]+:", target)]


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    heads = re.findall(r"^#+ +(.*)$", _prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


def named_paths(page: Path) -> list[str]:
    """Paths of the repository that a page names in `code` type."""
    tops = "synth|csrc|tests|benchmarks|recipes|scripts|checkpoints|samples|docs"
    return re.findall(rf"`((?:{tops})/[\w./-]*\w/?)`", _prose(page))
