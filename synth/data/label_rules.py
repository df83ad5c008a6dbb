"""Labels of sound files: from their names by a pattern, or from a CSV."""

from __future__ import annotations

import hashlib
import os
import re
import unicodedata
from collections.abc import Sequence
from pathlib import Path

from synth.common.errors import AudioError, CorpusError, UsageError
from synth.data.tables import FileNames, composed, read_table, table_rows

NOT_LABELS = ("take", "_", "split")


def natural(value: str) -> tuple[int, int, str]:
    """A sort key: whole numbers by size, before everything else by letters."""
    return (0, int(value), value) if re.fullmatch(r"[0-9]{1,18}", value) else (1, 0, value)


def _pattern(text: str) -> tuple[re.Pattern[str], tuple[str, ...]]:
    """A regular expression for "{digit}_{speaker}_{take}", and its keys; `{_}` matches anything and may repeat."""
    parts = re.split(r"\{([^{}]*)\}", text)
    keys: list[str] = []
    expression = ""
    for place, part in enumerate(parts):
        if place % 2 == 0:
            if "{" in part or "}" in part:
                raise UsageError(f"label pattern {text!r}: a brace is not closed")
            expression += re.escape(part)
        elif part == "_":
            expression += "[^/]+?"
        elif not part.isidentifier() or part in keys:
            raise UsageError(f"label pattern {text!r}: {{{part}}} must be a name that stands there once")
        else:
            keys.append(part)
            expression += f"(?P<{part}>[^/]+?)"
    return re.compile(expression), tuple(keys)


class Labeller:
    """Gives each file its values, one a key; UsageError for a pattern or key, CorpusError for a CSV that can't be used.

    `labels` is a pattern for the name without its suffix ("{digit}_{speaker}_{take}"; when it has a slash, for the path
    below the folder that was given, "{speaker}/{word}_{take}"), or the path of a CSV with a header: the column `file`
    (a path relative to the CSV, the path below the folder that was given, or the bare name) and one column a key, with
    "," or ";" or tabs between them. Names and values that differ in Unicode's forms NFC and NFD alone are the same. Of
    these keys `label_keys` become labels; None means all except `take`, `split` and `_`. The others serve split rules.
    """

    def __init__(self, labels: str | None, label_keys: Sequence[str] | None = None) -> None:
        self.keys: tuple[str, ...] = ()
        self._text = labels
        self._regex: re.Pattern[str] | None = None
        self._rows: dict[str, dict[str, str]] | None = None
        self._csv, self._names = Path(), FileNames(Path(), ())
        content = labels or ""
        if labels is not None and "{" in labels:
            self._regex, self.keys = _pattern(composed(labels))
            self._deep = "/" in labels
            if not self.keys:
                raise UsageError(f"label pattern {labels!r}: has no key")
        elif labels is not None:
            content = self._read_csv(Path(labels))
        label_keys = None if label_keys is None else [composed(key) for key in label_keys]
        for key in label_keys or ():
            if key not in self.keys:
                raise UsageError(f"label key {key!r}: not among {', '.join(self.keys) or 'none'}")
        self.chosen = tuple(k for k in self.keys if k not in NOT_LABELS) if label_keys is None else tuple(label_keys)
        self.fingerprint = hashlib.sha256(repr((content, self.chosen)).encode()).hexdigest()

    def _read_csv(self, path: Path) -> str:
        """Reads the table of files and their values; its text."""
        content = read_table(path, "no such file; a pattern has keys in braces")
        table = table_rows(path, content, lambda cells: "file" in cells and len(cells) > 1)
        columns = [composed(column) for column in table[0].cells] if table else []
        while columns and not columns[-1]:  # a spreadsheet's empty columns, in which no row may have anything
            columns.pop()
        if "file" not in columns or len(columns) < 2:
            raise CorpusError(f"{path}: needs a header with the column 'file' and at least one label")
        if len(set(columns)) != len(columns) or "" in columns:
            raise CorpusError(f"{path}: a column has no name or the name of another")
        rows: dict[str, dict[str, str]] = {}
        for line, cells in table[1:]:
            if len(cells) < len(columns) or any(cells[len(columns) :]):
                raise CorpusError(f"{path}: line {line} has another number of columns than the header")
            row = dict(zip(columns, map(composed, cells), strict=False))
            name = cells[columns.index("file")]
            if not name:
                raise CorpusError(f"{path}: line {line}: names no file")
            if name in rows:
                raise CorpusError(f"{path}: line {line}: {name} stands there twice")
            rows[name] = {key: value for key, value in row.items() if key != "file"}
        self._csv, self._rows, self.keys = path, rows, tuple(key for key in columns if key != "file")
        self._names = FileNames(path, rows)
        return content if unicodedata.is_normalized("NFC", content) else f"{content}\0NFC"

    def check(self, files: Sequence[tuple[Path, str]], complete: bool = True) -> None:
        """CorpusError when a name in the CSV is that of two of `files` (path, name) or, if `complete`, of none."""
        if self._rows is not None:
            self._names.check(((str(path), self._candidates(path, name)) for path, name in files), complete)

    def _candidates(self, path: Path, name: str) -> list[str]:
        """The names under which the CSV may have this file, the best first."""
        below = os.path.relpath(path, self._csv.parent).replace(os.sep, "/")
        return [below, name, str(path), path.name]

    def values(self, path: Path, name: str) -> dict[str, str]:
        """The values of one file by key; AudioError when the pattern or the CSV does not have it."""
        if self._regex is not None:
            stem = composed(name[: len(name) - len(path.suffix)])
            match = self._regex.fullmatch(stem if self._deep else stem.rsplit("/", 1)[-1])
            if match is None:
                raise AudioError(f"{path}: the name does not match the label pattern {self._text}")
            return match.groupdict()
        if self._rows is not None:
            entry = self._names.find(self._candidates(path, name))
            if entry is None:
                raise AudioError(f"{path}: is not in {self._csv.name}")
            return self._rows[entry]
        return {}
