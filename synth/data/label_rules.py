"""Labels of sound files: from their names by a pattern, or from a CSV."""

from __future__ import annotations

import csv
import hashlib
import os
import re
from collections.abc import Sequence
from pathlib import Path

from synth.common.errors import AudioError, CorpusError, UsageError

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
    (a path relative to the CSV, the path below the folder that was given, or the bare name) and one column a key. Of
    these keys `label_keys` become labels; None means all except `take`, `split` and `_`. The others serve split rules.
    """

    def __init__(self, labels: str | None, label_keys: Sequence[str] | None = None) -> None:
        self.keys: tuple[str, ...] = ()
        self._regex: re.Pattern[str] | None = None
        self._rows: dict[str, dict[str, str]] | None = None
        self._csv = Path()
        content = labels or ""
        if labels is not None and "{" in labels:
            self._regex, self.keys = _pattern(labels)
            self._deep = "/" in labels
            if not self.keys:
                raise UsageError(f"label pattern {labels!r}: has no key")
        elif labels is not None:
            content = self._read_csv(Path(labels))
        for key in label_keys or ():
            if key not in self.keys:
                raise UsageError(f"label key {key!r}: not among {', '.join(self.keys) or 'none'}")
        self.chosen = tuple(k for k in self.keys if k not in NOT_LABELS) if label_keys is None else tuple(label_keys)
        self.fingerprint = hashlib.sha256(repr((content, self.chosen)).encode()).hexdigest()

    def _read_csv(self, path: Path) -> str:
        """Reads the table of files and their values; its text."""
        try:
            content = path.read_text("utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            what = "no such file; a pattern has keys in braces" if isinstance(error, FileNotFoundError) else str(error)
            raise CorpusError(f"{path}: {what}") from None
        reader = csv.DictReader(content.splitlines(), restkey="")
        columns = [column.strip() for column in reader.fieldnames or []]
        reader.fieldnames = columns
        if "file" not in columns or len(columns) < 2:
            raise CorpusError(f"{path}: needs a header with the column 'file' and at least one label")
        if len(set(columns)) != len(columns) or "" in columns:
            raise CorpusError(f"{path}: a column has no name or the name of another")
        rows: dict[str, dict[str, str]] = {}
        for row in reader:
            if None in row.values() or "" in row:
                raise CorpusError(f"{path}: line {reader.line_num} has another number of columns than the header")
            name = row.pop("file").strip().replace(os.sep, "/")
            if name in rows:
                raise CorpusError(f"{path}: line {reader.line_num}: {name} stands there twice")
            rows[name] = {key: value.strip() for key, value in row.items()}
        self._csv, self._rows, self.keys = path, rows, tuple(key for key in columns if key != "file")
        return content

    def check(self, files: Sequence[tuple[Path, str]]) -> None:
        """Raise CorpusError when the CSV names a file that is not among `files` (path, name)."""
        if self._rows is None:
            return
        used = {self._entry(path, name) for path, name in files}
        missing = [name for name in self._rows if name not in used]
        if missing:
            more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
            raise CorpusError(f"{self._csv}: {missing[0]}{more}: not among the files of the corpus")

    def _entry(self, path: Path, name: str) -> str | None:
        """The name under which the CSV has this file."""
        assert self._rows is not None
        below = os.path.relpath(path, self._csv.parent).replace(os.sep, "/")
        return next((key for key in (below, f"./{below}", name, path.name, str(path)) if key in self._rows), None)

    def values(self, path: Path, name: str) -> dict[str, str]:
        """The values of one file by key; AudioError when the pattern or the CSV does not have it."""
        if self._regex is not None:
            stem = name[: len(name) - len(path.suffix)]
            match = self._regex.fullmatch(stem if self._deep else stem.rsplit("/", 1)[-1])
            if match is None:
                raise AudioError(f"{path}: the name does not match the label pattern")
            return match.groupdict()
        if self._rows is not None:
            entry = self._entry(path, name)
            if entry is None:
                raise AudioError(f"{path}: is not in {self._csv.name}")
            return self._rows[entry]
        return {}
