"""The hash of a checkpoint's file: remembered as long as the file is the same, and never longer."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from synth.checkpoint import fingerprint


def _age(path: Path, seconds: int) -> None:
    """Makes a file look as if it was written so long before now."""
    changed = path.stat().st_mtime_ns - seconds * 1_000_000_000
    os.utime(path, ns=(changed, changed))


def test_an_old_file_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"tensors")
    _age(path, 60)
    assert fingerprint.of_file(path) == hashlib.sha256(b"tensors").hexdigest()
    monkeypatch.setattr(Path, "read_bytes", lambda self: pytest.fail("is read again"))
    assert fingerprint.of_file(str(path)) == hashlib.sha256(b"tensors").hexdigest()


def test_a_file_of_another_time_or_size_is_hashed_anew(tmp_path: Path) -> None:
    path = tmp_path / "a"
    for age, content in ((60, b"one"), (60, b"longer"), (30, b"others")):
        path.write_bytes(content)
        _age(path, age)
        assert fingerprint.of_file(path) == hashlib.sha256(content).hexdigest()


def test_a_file_that_has_just_changed_is_never_remembered(tmp_path: Path) -> None:
    path = tmp_path / "a"
    for content in (b"one", b"two"):
        path.write_bytes(content)
        changed = path.stat().st_mtime_ns // 1_000_000_000 * 1_000_000_000  # a clock that counts seconds
        os.utime(path, ns=(changed, changed))
        assert fingerprint.of_file(path) == hashlib.sha256(content).hexdigest()


def test_a_file_keeps_the_first_eight_bytes() -> None:
    assert fingerprint.short("0123456789abcdef" + "00" * 24) == bytes.fromhex("0123456789abcdef")
