"""Files that are written whole or not at all, and files that are read: counted, hashed, sought in."""

from __future__ import annotations

import hashlib
import io
import os
from pathlib import Path

import pytest

from synth.common import permissions
from synth.common.errors import AudioError, OutputError
from synth.common.files import check_input
from synth.common.input_file import InputFile, open_input
from synth.common.new_file import NewFile, open_output, write_whole


def test_a_file_is_made_and_replaced_and_nothing_else_is_left(tmp_path: Path) -> None:
    place = tmp_path / "x.json"
    for data in (b"first", b"second, and longer", b""):
        write_whole(place, data)
        assert place.read_bytes() == data and os.listdir(tmp_path) == ["x.json"]


def test_a_link_stays_and_its_file_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "x").write_bytes(b"old")
    os.symlink(tmp_path / "deep" / "x", tmp_path / "link")
    write_whole(tmp_path / "link", b"new")
    assert os.path.islink(tmp_path / "link") and (tmp_path / "deep" / "x").read_bytes() == b"new"


@pytest.mark.parametrize(
    ("umask", "source", "replaced", "expected"),
    [
        (0o022, 0o644, None, 0o644),
        (0o002, 0o644, None, 0o664),
        (0o077, 0o644, None, 0o600),
        (0o022, 0o600, None, 0o600),
        (0o022, 0o400, None, 0o600),
        (0o022, 0o640, None, 0o640),
        (0o002, 0o640, None, 0o660),
        (0o022, 0o604, None, 0o604),
        (0o022, 0o755, None, 0o644),
        (0o022, 0o644, 0o600, 0o600),
        (0o022, 0o600, 0o644, 0o600),
        (0o022, 0o644, 0o664, 0o644),
    ],
)
def test_nobody_may_read_a_copy_who_may_not_read_what_it_is_of(
    umask: int, source: int, replaced: int | None, expected: int, tmp_path: Path
) -> None:
    one, other, out = tmp_path / "one", tmp_path / "other", tmp_path / "out"
    for place, mode in ((one, source), (other, 0o666), (out, replaced)):
        if mode is not None:
            place.touch()
            place.chmod(mode)
    before = os.umask(umask)
    try:
        with NewFile(out, force=True, like=[one, str(other), tmp_path / "none"]) as new:
            new.write(b"copy")
        write_whole(tmp_path / "page", b"copy", like=[one])
        with open(one, "rb") as file, open_output(str(tmp_path / "third"), like=[file]) as (write, _):
            write(b"copy")
    finally:
        os.umask(before)
    assert out.stat().st_mode & 0o777 == expected
    if replaced is None:
        assert {(tmp_path / name).stat().st_mode & 0o777 for name in ("page", "third")} == {expected}


def test_those_of_another_group_are_all_others() -> None:
    def status(mode: int, group: int) -> os.stat_result:
        return os.stat_result((mode, 0, 0, 1, 0, group, 0, 0, 0, 0))

    assert permissions.mode_of_copy([status(0o640, 7)], group=7) == 0o660
    assert permissions.mode_of_copy([status(0o640, 7)], group=8) == 0o600
    assert permissions.mode_of_copy([status(0o644, 7)], group=8) == 0o666
    assert permissions.mode_of_copy([status(0o644, 7), status(0o640, 7)], group=7) == 0o660
    assert permissions.mode_of_copy([], group=7) == 0o666


def test_an_input_that_may_not_be_read_is_named_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    (tmp_path / "x.wav").write_bytes(b"sound")
    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(AudioError, match=r"x.wav: can't be read \(Permission denied\)"):
        check_input(str(tmp_path / "x.wav"))


def test_what_fails_leaves_the_old_file(tmp_path: Path) -> None:
    place = tmp_path / "x"
    place.write_bytes(b"mine")
    with pytest.raises(KeyboardInterrupt), NewFile(place, force=True) as new:
        new.write(b"half")
        raise KeyboardInterrupt
    assert place.read_bytes() == b"mine" and os.listdir(tmp_path) == ["x"]


@pytest.mark.parametrize("name", ["folder", "missing/x", "x"])
def test_places_that_take_no_file_are_refused_by_name(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "x").write_bytes(b"mine")
    with pytest.raises(OutputError, match=f"{name}: "), NewFile(tmp_path / name):
        pass
    if name != "x":
        with pytest.raises(OutputError, match=f"{name}: "):
            write_whole(tmp_path / name, b"")
    assert (tmp_path / "x").read_bytes() == b"mine"


def test_somebody_elses_file_is_written_and_left_open() -> None:
    class Half(io.BytesIO):
        def write(self, data: bytes) -> int:  # type: ignore[override]
            return super().write(data[: max(1, len(data) // 2)])

    file = Half()
    with open_output(file) as (write, made):
        write(b"0123456789")
    assert made is None and not file.closed and file.getvalue() == b"0123456789"


def test_what_is_read_is_counted_and_hashed_and_a_look_ahead_is_not() -> None:
    data = bytes(range(256)) * 3
    source = InputFile("x", io.BytesIO(data), None)
    assert source.peek(5) == data[:5] and source.count == 0
    assert source.read(3) + source.read(7) + source.read() == data and source.count == len(data)
    assert source.digest() == hashlib.md5(data, usedforsecurity=False).digest() and source.read(1) == b""


def test_a_pipe_is_copied_to_be_sought_in() -> None:
    source = InputFile("-", io.BytesIO(b"abcdef"), None)
    assert source.peek(2) == b"ab"
    with source.seekable() as (file, size):
        assert size == 6 and file.read() == b"abcdef" and file.seek(2) == 2 and file.read(1) == b"c"


def test_inputs_that_hold_nothing_are_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    for name, words in (("empty", "is empty"), ("missing", "no such file"), (".", "is a folder")):
        with pytest.raises(AudioError, match=words), open_input(str(tmp_path / name)):
            pass
