"""Which files are for training, validation and test."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from synth.common.errors import CorpusError, UsageError
from synth.data.tables import FileNames, composed, read_table, table_rows

SPLITS = ("train", "validation", "test")
_SHARE = 0.05  # of the files, for validation and for test each

Condition = Callable[["Item"], bool]


@dataclass(frozen=True)
class Item:
    """A file: its name, its number (from 1) in the order of all names, its values by key (labels and others)."""

    name: str
    number: int
    values: dict[str, str]


def _hash(name: str) -> float:
    """A share of 0 to 1 that depends on the name alone (SHA-256)."""
    digest = hashlib.sha256(name.encode("utf-8", "surrogateescape")).digest()
    return int.from_bytes(digest[:8], "big") / 2.0**64


class Splitter:
    """Gives each file its split by a rule, a list, or a hash of its name.

    `split` None: 5 % of the files for validation and 5 % for test, by a hash of the name, so that a file stays where it
    is when others come; at least one for training and, of two files or more, one for validation. A single file gives
    its last tenth for validation.
    A rule: terms "SPLIT:KEY=VALUES" with ";" between them, the first that fits counts, files that fit none are for
    training. VALUES are values or ranges of whole numbers with "," between them ("test:take=0-4;validation:take=5,6");
    "every=N+K" fits the files K, K + N, K + 2N, ... by name, counted from 1 ("test:every=10+1").
    A list: a CSV or text file of lines "file,split"; files that are not in it are for training.
    `parts`: the splits that there are where `split` is None.
    When a rule or a list says nothing of validation, 5 % of what it leaves for training are taken as above.
    """

    def __init__(self, split: str | None = None, parts: Sequence[str] = SPLITS) -> None:
        self.explicit, self.parts = split is not None, tuple(parts)
        self._terms: dict[str, tuple[str, str, Condition]] = {}
        self._list: dict[str, str] | None = None
        self._names = FileNames(Path(), ())
        content = split or ""
        if split is not None:
            if re.match(r"\s*[a-z]+\s*:.*=", split):
                self._terms = {t.strip(): _term(split, composed(t.strip())) for t in split.split(";") if t.strip()}
            else:
                content = self._read_list(Path(split))
        settings = (self.explicit, content) if self.parts == SPLITS else (self.explicit, content, self.parts)
        self.fingerprint = hashlib.sha256(repr(settings).encode()).hexdigest()

    def _read_list(self, path: Path) -> str:
        """Reads the list "file,split"; its text."""
        content = read_table(path, "no such list; a rule is SPLIT:KEY=VALUES")
        listed: dict[str, str] = {}
        table = table_rows(path, content, lambda cells: len(cells) > 1 and cells[1] in ("split", *SPLITS))
        for place, (line, cells) in enumerate(table):
            if place == 0 and cells[:2] == ["file", "split"]:
                continue
            if len(cells) < 2 or any(cells[2:]) or not cells[0] or cells[1] not in SPLITS:
                raise CorpusError(f"{path}: line {line}: must be FILE,SPLIT with a split of {', '.join(SPLITS)}")
            name = cells[0].replace(os.sep, "/").removeprefix("./")
            if listed.setdefault(name, cells[1]) != cells[1]:
                raise CorpusError(f"{path}: line {line}: {name} stands there twice")
        self._list, self._names = listed, FileNames(path, listed)
        return content

    def check(self, names: Sequence[str], keys: Sequence[str]) -> None:
        """UsageError when a rule has a key that is not among `keys`.

        CorpusError when a name in the list is that of two of the files `names`, or of none.
        """
        for _, key, _ in self._terms.values():
            if key != "every" and key not in keys:
                raise UsageError(f"split rule: key {key!r} is not known; known keys: {', '.join(('every', *keys))}")
        if self._list is not None:
            self._names.check((name, _candidates(name)) for name in names)

    def assign(self, items: Sequence[Item]) -> list[str]:
        """The split of each item."""
        hashes = [_hash(item.name) for item in items]
        if self.explicit:
            for text, (_, _, fits) in self._terms.items():
                if not any(fits(item) for item in items):
                    raise CorpusError(f"split rule: {text!r} fits no file")
            result = [self._asked(item) for item in items]
            if "validation" in {split for split, _, _ in self._terms.values()} | set((self._list or {}).values()):
                return result
        else:
            if "validation" not in self.parts:
                return ["train"] * len(items)
            end = 2 * _SHARE if "test" in self.parts else _SHARE
            result = ["test" if _SHARE <= value < end else "train" for value in hashes]
            if result.count("train") < 2:
                result = ["train"] * len(items)
        rest = [number for number, split in enumerate(result) if split == "train"]
        chosen = [number for number in rest if hashes[number] < _SHARE]
        if len(rest) > 1 and len(chosen) in (0, len(rest)):
            chosen = [min(rest, key=lambda number: hashes[number])]
        for number in chosen if len(rest) > 1 else ():
            result[number] = "validation"
        return result

    def _asked(self, item: Item) -> str:
        """What the list or the first rule that fits says of an item; "train" where neither speaks of it."""
        if self._list is not None:
            return self._list.get(self._names.find(_candidates(item.name)) or "", "train")
        return next((split for split, _, fits in self._terms.values() if fits(item)), "train")


def _candidates(name: str) -> list[str]:
    """The names under which a list may have a file: its own and the bare one."""
    return [name, name.rsplit("/", 1)[-1]]


def _term(rule: str, text: str) -> tuple[str, str, Condition]:
    """Split, key and test of one term of a rule."""
    match = re.fullmatch(r"([a-z]+)\s*:\s*([^=\s]+)\s*=\s*(.+)", text)
    if match is None or match[1] not in SPLITS:
        raise UsageError(f"split rule {rule!r}: {text!r} must be SPLIT:KEY=VALUES with a split of {', '.join(SPLITS)}")
    split, key, values = match[1], match[2], match[3]
    if key == "every":
        numbers = re.fullmatch(r"([0-9]{1,9})\+([0-9]{1,9})", values.strip())
        if numbers is None or not 1 <= int(numbers[2]) <= int(numbers[1]):
            raise UsageError(f"split rule {rule!r}: {text!r} must be every=N+K with K from 1 to N")
        every, offset = int(numbers[1]), int(numbers[2])
        return split, key, lambda item: item.number % every == offset % every
    wanted = [value.strip() for value in values.split(",")]
    ranges = [(int(m[1]), int(m[2])) for w in wanted if (m := re.fullmatch(r"([0-9]{1,18})-([0-9]{1,18})", w))]

    def fits(item: Item) -> bool:
        value = item.values.get(key, "")
        if value in wanted:
            return True
        return bool(re.fullmatch(r"[0-9]{1,18}", value)) and any(a <= int(value) <= b for a, b in ranges)

    return split, key, fits
