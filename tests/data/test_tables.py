"""Tables as spreadsheets and systems write them: separators, ends of lines, empty rows, forms of names."""

from __future__ import annotations

import unicodedata
from pathlib import Path
from typing import Any

import pytest
from helpers.sounds import Make, maker
from helpers.tools import error_line, run, tiny_checkpoint

from synth.common.errors import CorpusError
from synth.common.labels import LabelSet
from synth.data.build import build
from synth.data.label_rules import Labeller
from synth.data.tables import FileNames, table_rows

FILES = [(Path("c", name), name) for name in ("a.wav", "b.wav")]
PLAIN = "file,word,note\na.wav,w0,x\nb.wav,w1,y\n"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def make(tmp_path: Path) -> Make:
    return maker(tmp_path / "c")


def values(table: str | bytes) -> list[dict[str, str]]:
    Path("t.csv").write_bytes(table if isinstance(table, bytes) else table.encode())
    labeller = Labeller("t.csv")
    labeller.check(FILES)
    return [labeller.values(path, name) for path, name in FILES]


@pytest.mark.parametrize(
    "table",
    [
        PLAIN,
        PLAIN.replace("\n", "\r\n"),
        PLAIN.replace("\n", "\r"),
        b"\xef\xbb\xbf" + PLAIN.encode(),
        PLAIN.replace(",", ";"),
        PLAIN.replace(",", "\t"),
        "sep=;\n" + PLAIN.replace(",", ";"),
        "\n\n" + PLAIN + "\n,,\n,,\n\n",
        PLAIN.replace("\n", ",,\n"),
        PLAIN.rstrip(),
        PLAIN.replace(",", " , "),
        PLAIN.replace("a.wav,w0,x", '"a.wav", "w0" ,"x"'),
        PLAIN.replace("a.wav", "./a.wav").replace("b.wav", "c\\b.wav"),
    ],
)
def test_the_same_table_written_otherwise(table: str | bytes) -> None:
    assert values(table) == [{"word": "w0", "note": "x"}, {"word": "w1", "note": "y"}]


@pytest.mark.parametrize("note", ["1\u20282", "1\x0b2\x0c3", "1\x852", "1\x1c2", "two\nlines", "1,2", "1;2", '5"'])
def test_what_a_cell_may_hold(note: str) -> None:
    quoted = '"' + note.replace('"', '""') + '"'
    for cell in {quoted, note} if not set(note) & set('\n,"') else {quoted}:
        assert values(PLAIN.replace(",x", f",{cell}"))[0] == {"word": "w0", "note": note}
    assert values(PLAIN.replace(",x", f",{quoted}").replace("\n", "\r\n"))[0]["note"] == note


@pytest.mark.parametrize(
    ("table", "words"),
    [
        (PLAIN.encode("utf-16"), "is UTF-16; save it as CSV in UTF-8"),
        (PLAIN.replace("y", "\u00e9").encode("latin-1"), "line 3 is not UTF-8"),
        (PLAIN.replace("a.wav", '"a.wav'), "line 2: a quote is not closed"),
        (PLAIN.replace(",y", ',"y'), "line 3: a quote is not closed"),
        (PLAIN + ",w2,z\n", "line 4: names no file"),
        (PLAIN.replace("x\n", "x,z\n"), "line 2 has another number of columns"),
        (PLAIN + "./a.wav,w2,z\n", "./a.wav: not among the files"),
        (PLAIN.replace("a.wav", "./a.wav") + ".\\a.wav,w2,z\n", "both mean"),
        (PLAIN.replace("file", "name"), "needs a header with the column 'file'"),
        (PLAIN.replace("x", "x" * 200_000), "line 2: field larger than field limit"),
    ],
)
def test_tables_that_are_refused(table: str | bytes, words: str) -> None:
    with pytest.raises(CorpusError, match="t.csv: .*" + words.replace("(", "\\(")):
        values(table)


@pytest.mark.parametrize(("disk", "table"), [("NFC", "NFD"), ("NFD", "NFC")])
def test_names_and_labels_meet_in_any_form(disk: Any, table: Any, make: Make) -> None:
    for name in ("\u00e91.wav", "\u00e92.wav", "x.wav"):
        make(unicodedata.normalize(disk, name))
    rows = "file,mot\n\u00e91.wav,th\u00e9\nx.wav,cafe\u0301\n"
    Path("t.csv").write_text(unicodedata.normalize(table, rows) + "\u00e92.wav,caf\u00e9\n")
    Path("s.csv").write_text(unicodedata.normalize(table, "\u00e91.wav,test\nx.wav,validation\n"))
    corpus = build(["c"], "cache", 8000, labels="t.csv", split="s.csv")
    assert corpus.labels == LabelSet((("mot", ("caf\u00e9", "th\u00e9")),)) and not corpus.skipped
    assert [unicodedata.normalize("NFC", entry.name) for entry in corpus.split("test")] == ["\u00e91.wav"]
    by_rule = build(["c"], "cache2", 8000, labels="t.csv", split=unicodedata.normalize(table, "test:mot=th\u00e9"))
    assert len(by_rule.split("test")) == 1


def test_labels_of_patterns_are_one_in_any_form(make: Make) -> None:
    make("cafe\u0301_1.wav"), make("caf\u00e9_2.wav")
    assert build(["c"], "cache", 8000, labels="{word}_{_}").labels == LabelSet((("word", ("caf\u00e9",)),))


def test_a_bare_name_that_two_files_have_is_refused(make: Make) -> None:
    for name in ("s/a.wav", "t/a.wav", "u/b.wav"):
        make(name)
    Path("t.csv").write_text("file,word\na.wav,w0\nb.wav,w1\n")
    Path("s.csv").write_text("a.wav,test\n")
    both = "a.wav: two files have this name, c/s/a.wav and c/t/a.wav; give the table their paths"
    with pytest.raises(CorpusError, match="t.csv: " + both):
        build(["c"], "cache", 8000, labels="t.csv")
    with pytest.raises(CorpusError, match="s.csv: " + both.replace("c/", "")):
        build(["c"], "cache", 8000, split="s.csv")
    done = run("synth", "score", "-c", tiny_checkpoint(), "--labels", "t.csv", "c/s/a.wav", "c/t/a.wav")
    assert "a.wav: " in error_line(done, 1, "synth score")
    Path("t.csv").write_text("file,word\ns/a.wav,w0\nt\\a.wav,w1\nb.wav,w1\n")
    corpus = build(["c"], "cache", 8000, labels="t.csv")
    assert [(e.name, e.label_ids) for e in corpus.entries] == [("s/a.wav", (1,)), ("t/a.wav", (2,)), ("u/b.wav", (2,))]


def test_a_name_as_it_is_on_the_disk_goes_first() -> None:
    names = FileNames(Path("t.csv"), ["caf\u00e9", "cafe\u0301", "a\\b"])
    assert names.find(["cafe\u0301"]) == "cafe\u0301" and names.find(["caf\u00e9"]) == "caf\u00e9"
    assert names.find(["a/b"]) == names.find(["x", "a\\b"]) == "a\\b" and names.find(["x"]) is None


def test_rows_tell_the_last_of_their_lines() -> None:
    rows = table_rows(Path("t"), 'a,"1\n2"\n\nb,3', lambda cells: True)
    assert rows == [(2, ["a", "1\n2"]), (4, ["b", "3"])]
    assert table_rows(Path("t"), "", lambda cells: True) == []
