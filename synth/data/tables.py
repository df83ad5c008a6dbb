"""Tables of files as spreadsheets write them: their rows, and which name in a table is which file."""

from __future__ import annotations

import csv
import io
import os
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from synth.common.errors import CorpusError

SEPARATORS = (",", ";", "\t")
"""Commas, what Excel writes where the comma is decimal, and tabs."""
_END = "end of the table"


class Row(NamedTuple):
    """A row's cells, without the space around them, and the number of its last line, from 1."""

    line: int
    cells: list[str]


def composed(text: str) -> str:
    """`text` in Unicode's form NFC, in which two that look the same are the same."""
    return unicodedata.normalize("NFC", text)


def read_table(path: Path, absent: str) -> str:
    """The text of a table, with \\n between its lines; CorpusError, with `absent` where there is no such file."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise CorpusError(f"{path}: {absent}") from None
    except OSError as error:
        raise CorpusError(f"{path}: can't be read ({error.strerror or error})") from None
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise CorpusError(f"{path}: is UTF-16; save it as CSV in UTF-8")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise CorpusError(f"{path}: line {line} is not UTF-8; save it as CSV in UTF-8") from None
    return text.replace("\r\n", "\n").replace("\r", "\n")


def table_rows(path: Path, text: str, is_first: Callable[[list[str]], bool]) -> list[Row]:
    """The rows of a table that hold anything; `is_first`: whether these cells can be its first row.

    The first of SEPARATORS is taken that gives such a first row, or the one that a line "sep=;" of Excel names. Rows
    end at ends of lines outside of quotes, and nowhere else. CorpusError for a quote that isn't closed.
    """
    start, _, rest = text.partition("\n")
    if start.lower().startswith("sep=") and len(start.strip()) == 5:
        return _rows(path, "\n" + rest, start[4])
    tried = [_rows(path, text, separator) for separator in SEPARATORS]
    return next((rows for rows in tried if rows and is_first(rows[0].cells)), tried[0])


def _rows(path: Path, text: str, separator: str) -> list[Row]:
    lines = chain(io.StringIO(text if text.endswith("\n") else text + "\n"), [_END])
    reader = csv.reader(lines, delimiter=separator, skipinitialspace=True)
    rows: list[Row] = []
    cells: list[str] = []
    try:
        for cells in reader:
            rows.append(Row(reader.line_num, [cell.strip() for cell in cells]))
    except csv.Error as error:
        raise CorpusError(f"{path}: line {reader.line_num}: {error}") from None
    if cells != [_END]:
        raise CorpusError(f"{path}: line {rows[-2].line + 1 if len(rows) > 1 else 1}: a quote is not closed")
    return [row for row in rows[:-1] if any(row.cells)]


class FileNames:
    """The names that a table has for files, to be found by those that the files have on the disk.

    They may be spelled otherwise: composed or not (NFC, NFD), with \\ for /, with ./ in front. `path`: the table's.
    """

    def __init__(self, path: Path, names: Iterable[str]) -> None:
        self._path, self._names = path, dict.fromkeys(names)
        self._spellings: dict[str, list[str]] = {}
        for name in self._names:
            self._spellings.setdefault(_plain(name), []).append(name)

    def find(self, candidates: Sequence[str]) -> str | None:
        """The table's name for a file that has these names, the best first; None where it has none.

        CorpusError where two of the table's mean the same and neither is spelled as on the disk.
        """
        for candidate in candidates:
            if candidate in self._names:
                return candidate
            same = self._spellings.get(_plain(candidate), [])
            if len(same) > 1:
                raise CorpusError(f"{self._path}: {same[0]!r} and {same[1]!r}: both mean {candidate}")
            if same:
                return same[0]
        return None

    def check(self, files: Iterable[tuple[str, Sequence[str]]], complete: bool = True) -> None:
        """CorpusError where two `files` (path, candidates) are one name of the table.

        With `complete`, also where it has a name that is none of them.
        """
        used: dict[str, str] = {}
        for path, candidates in files:
            name = self.find(candidates)
            if name is not None and used.setdefault(name, path) != path:
                both = f"{used[name]} and {path}"
                raise CorpusError(f"{self._path}: {name}: two files have this name, {both}; give the table their paths")
        missing = [name for name in self._names if name not in used] if complete else []
        if missing:
            more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
            raise CorpusError(f"{self._path}: {missing[0]}{more}: not among the files of the corpus")


def _plain(name: str) -> str:
    """One spelling of all that mean the same file."""
    name = composed(name.replace(os.sep, "/").replace("\\", "/"))
    while name.startswith("./"):
        name = name[2:]
    return name
