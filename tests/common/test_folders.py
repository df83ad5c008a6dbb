"""The walk of a folder: links, loops, locked folders, trash, companions; nothing is left out without a word."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from synth.common.folders import FolderFiles, list_files

pytestmark = pytest.mark.skipif(os.name != "posix", reason="takes links and permissions of POSIX")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def touch(*names: str) -> None:
    for name in names:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_bytes(b"RIFF")


def waves(top: str = "t") -> FolderFiles:
    return list_files(top, lambda name: name.endswith(".wav"))


def test_files_come_to_the_bottom_in_the_order_of_their_names() -> None:
    touch("t/b.wav", "t/a.wav", "t/c/d/e.wav", "t/c.txt", "t/.hidden/x.wav", "t/.y.wav", "t/folder.wav/z.wav")
    names = ["t/.hidden/x.wav", "t/.y.wav", "t/a.wav", "t/b.wav", "t/c/d/e.wav", "t/folder.wav/z.wav"]
    assert waves() == FolderFiles(names, [], [])


def test_links_to_folders_are_followed_once() -> None:
    touch("t/a/x.wav", "other/y.wav", "other/deep/z.wav")
    os.symlink("../other", "t/first")
    os.symlink("../other/deep", "t/second")
    os.symlink("a", "t/0")
    result = waves()
    assert result.files == ["t/a/x.wav", "t/first/deep/z.wav", "t/first/y.wav"]
    assert result.notes == [
        "t/0: leads to t/a, whose files are taken there",
        "t/second: leads to t/first/deep, whose files are taken there",
    ]
    os.symlink("t", "top")
    assert waves("top").files == [name.replace("t/", "top/", 1) for name in result.files]


def test_loops_of_links_end() -> None:
    touch("around/t/a/x.wav", "around/not.wav", "other/y.wav")
    os.symlink(".", "around/t/self")
    os.symlink("../..", "around/t/a/up")
    os.symlink("../../other", "around/t/other")
    os.symlink("..", "other/up")
    os.symlink("../around/t", "other/back")
    os.symlink("loop", "around/t/loop")
    os.symlink("/", "around/t/root")
    result = waves("around/t")
    assert result.files == ["around/t/a/x.wav", "around/t/other/y.wav"] and not result.unreadable
    assert {note.split(":")[0] for note in result.notes} == {
        f"around/t/{name}" for name in ("self", "a/up", "other/up", "other/back", "loop", "root")
    }


def test_links_that_lead_nowhere() -> None:
    touch("t/a.wav")
    os.symlink("/not/here", "t/gone.wav")
    os.symlink("/not/here", "t/archive")
    assert waves() == FolderFiles(["t/a.wav", "t/gone.wav"], [], ["t/archive: is a link that leads nowhere"])


def test_trash_and_companions_are_passed_over_with_a_note() -> None:
    touch(
        "t/.Trashes/a.wav", "t/.Trash-1000/files/b.wav", "t/$RECYCLE.BIN/c.wav", "t/__MACOSX/d.wav", "t/Trashed/e.wav"
    )
    touch("t/._f.wav", "t/f.wav")
    Path("t/._g.wav").write_bytes(b"\0\5\x16\7\0\2\0\0Mac OS X        ")
    result = waves()
    assert result.files == ["t/._f.wav", "t/Trashed/e.wav", "t/f.wav"]  # one that holds a sound is taken
    assert {note.split(":")[0] for note in result.notes} == {
        f"t/{name}" for name in (".Trashes", ".Trash-1000", "$RECYCLE.BIN", "__MACOSX", "._g.wav")
    }
    assert waves("t/.Trashes").files == ["t/.Trashes/a.wav"]  # when it is asked for


def test_folders_that_are_refused_are_not_entered() -> None:
    touch("t/a/x.wav", "t/b/y.wav")
    os.symlink("a", "t/link")
    result = list_files("t", lambda name: True, lambda path: not path.endswith(("b", "link")))
    assert result == FolderFiles(["t/a/x.wav"], [], [])


def test_what_cannot_be_looked_into_is_named() -> None:
    touch("t/a.wav", "t/locked/b.wav", "t/ok/c.wav")
    os.symlink("locked/deep", "t/through")
    os.chmod("t/locked", 0)
    program = (
        "import os; os.getuid() or (os.setgid(65534), os.setuid(65534)); from synth.common.folders import list_files;"
        "r = list_files('t', lambda name: name.endswith('.wav')); print(r.files, r.unreadable)"
    )
    root = Path(__file__).parents[2]
    os.chmod(".", 0o755)  # for the root of a container, which becomes somebody else
    code = f"import sys; sys.path.insert(0, {str(root)!r}); import synth.common.folders; {program}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    os.chmod("t/locked", 0o755)
    assert done.stderr == ""
    assert done.stdout == (
        "['t/a.wav', 't/ok/c.wav'] [('t/locked', \"can't be read (Permission denied)\"), "
        "('t/through', \"can't be read (Permission denied)\")]\n"
    )
    assert waves("missing").unreadable == [("missing", "can't be read (No such file or directory)")]
